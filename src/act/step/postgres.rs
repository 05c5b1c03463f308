//! `uses = "postgres"`: one statement, by default in a transaction that is undone when it goes too
//! far.

use super::mark::Mark;
use super::{Answer, Left, Setting, Stop, Target};
use crate::act::place;
use crate::domain::id::{RunId, SecretId};
use crate::domain::procedure::action::kinds::Postgres;
use crate::domain::procedure::plan::Certainty;
use crate::domain::text;
use crate::stack::kind::common::Endpoint;
use crate::transport::fetch::Way;
use crate::transport::limited::{Limited, Seen};
use crate::transport::postgres::{Rows, Who, drive, in_full, secured};
use crate::transport::tls::Wire;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{CancelToken, Client, Connection, NoTls, SimpleQueryMessage};

/// Read from the server at most, in bytes.
pub const MAX_READ: usize = 4 << 20;
const PORT: u16 = 5432;
/// The server is told to give up this much before the step's own time is over, so that it is the
/// server that says so.
const EARLIER: Duration = Duration::from_millis(500);
/// How long the server may take to end a statement that it was told to cancel.
const CANCEL: Duration = Duration::from_secs(5);
/// A name in the server's list of sessions is cut there.
const MAX_NAME: usize = 63;

type Open = (Client, Connection<Limited<Wire>, NoTlsStream>, Arc<Seen>);

/// The server is asked to understand the statement, which runs nothing.
pub async fn target(a: &Postgres, s: &Setting<'_>) -> Target {
    let target = Target::unpinned();
    if let Err(why) = refuse(a) {
        return target.but_impossible(why);
    }
    let statement = match place::plain(&a.statement, s) {
        Ok(statement) => statement,
        Err(why) => return target.but_impossible(why),
    };
    let (client, connection, seen) = match open(a, s).await {
        Ok(open) => open,
        Err(Trouble::Ours(why)) => return target.but_impossible(why),
        Err(Trouble::Theirs(why)) => {
            let mut target = target;
            target.warnings.push(format!("{} does not let us in now: {why}", a.address));
            return target;
        }
    };
    let understood = drive(connection, async move { understand(&client, &statement).await }).await;
    let mut target = target;
    match understood {
        Ok(()) => target.certainty = Certainty::Simulated,
        Err(Misunderstood::Never(why)) => target.impossible = Some(why),
        // A table that is not there yet may be made by a step before.
        Err(Misunderstood::Now(e)) => target.warnings.push(format!("as of now: {}", words(&e, &seen))),
    }
    if !a.transaction {
        target
            .warnings
            .push("it is not in a transaction: what it does is not undone when it fails".to_owned());
    }
    target
}

/// What is a mistake without asking anybody.
fn refuse(a: &Postgres) -> Result<(), String> {
    let first = a.statement.split_whitespace().next().unwrap_or("").to_ascii_uppercase();
    match first.trim_end_matches(';') {
        "" => Err("the statement is empty".to_owned()),
        word @ ("BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE"
        | "PREPARE")
            if a.transaction =>
        {
            Err(format!("{word} is not for a statement that is put into a transaction"))
        }
        _ => Ok(()),
    }
}

enum Misunderstood {
    /// Several statements, a syntax error, places for values.
    Never(String),
    Now(tokio_postgres::Error),
}

/// Has the server parse the statement: it takes exactly one, which no reading of the text from here
/// could make sure of.
async fn understand(client: &Client, statement: &str) -> Result<(), Misunderstood> {
    let prepared = client.prepare(statement).await.map_err(|e| match e.as_db_error() {
        Some(db) if db.code().code() == "42601" => Misunderstood::Never(text::one_line(db.message(), 200)),
        _ => Misunderstood::Now(e),
    })?;
    match prepared.params().len() {
        0 => Ok(()),
        n => {
            Err(Misunderstood::Never(format!("the statement has {n} places for values, and there are none")))
        }
    }
}

enum Trouble {
    Ours(String),
    Theirs(String),
}

impl Trouble {
    fn into_why(self) -> String {
        match self {
            Trouble::Ours(why) | Trouble::Theirs(why) => why,
        }
    }
}

fn endpoint(a: &Postgres) -> Result<Endpoint, String> {
    Endpoint::parse(&a.address, Some(PORT))
        .ok_or_else(|| format!("{} is no address", text::one_line(&a.address, 80)))
}

async fn open(a: &Postgres, s: &Setting<'_>) -> Result<Open, Trouble> {
    let to = endpoint(a).map_err(Trouble::Ours)?;
    let password: Option<SecretString> = match &a.password {
        Some(name) => {
            let id = SecretId::new(name);
            Some(s.access.secret(&id).await.map_err(|fault| Trouble::Ours(fault.why().to_owned()))?)
        }
        None => None,
    };
    let way = Way::new(s.transport, s.access, s.clock, s.host);
    let theirs = |fault: crate::transport::fetch::Fault| Trouble::Theirs(fault.why().to_owned());
    let stream = way.connect(&to).await.map_err(theirs)?;
    let (wire, seen) = Limited::new(secured(stream, &to, None).await.map_err(theirs)?, MAX_READ);
    let application = application(s.run);
    let who =
        Who { user: &a.user, database: &a.database, password: password.as_ref(), application: &application };
    match who.config().connect_raw(wire, NoTls).await {
        Ok((client, connection)) => Ok((client, connection, seen)),
        Err(e) => Err(Trouble::Theirs(words(&e, &seen))),
    }
}

/// What the server's own lists of sessions call us.
fn application(run: &RunId) -> String {
    let name = format!("quarterdeck {run}");
    name.chars().take(MAX_NAME).collect()
}

fn words(e: &tokio_postgres::Error, seen: &Seen) -> String {
    match e.as_db_error() {
        Some(db) => format!("{} ({})", text::one_line(db.message(), 200), db.code().code()),
        None if seen.overran() => "the answer is longer than 4 MiB".to_owned(),
        None if seen.closed() => "the server closed the connection".to_owned(),
        None => text::one_line(&in_full(e), 200),
    }
}

/// Runs the statement. In a transaction, nothing of it lasts unless it ended well, within the limit
/// of rows, and the server confirmed it.
pub async fn perform(a: &Postgres, s: &Setting<'_>, stop: &Stop) -> Left {
    let mark = Mark::of_step(s, "xid");
    let ready = refuse(a).and_then(|()| place::plain(&a.statement, s));
    let statement = match ready.and_then(|statement| mark.clear().map(|()| statement)) {
        Ok(statement) => statement,
        Err(why) => return Left::failed(format!("nothing was sent: {why}")),
    };
    let opened = tokio::select! {
        biased;
        () = stop.stopped() => return Left::killed("ended while connecting; nothing was sent"),
        opened = open(a, s) => opened,
    };
    let (client, connection, seen) = match opened {
        Ok(open) => open,
        Err(trouble) => return Left::failed(format!("{}; nothing was sent", trouble.into_why())),
    };
    let cancel = client.cancel_token();
    let job = Job { a, statement: &statement, timeout: s.timeout, mark: &mark, seen: &seen };
    let mut work = Box::pin(drive(connection, async move { job.run(&client).await }));
    let ended = tokio::select! {
        biased;
        ended = &mut work => return ended.unwrap_or_else(Left::failed),
        () = stop.stopped() => {
            cancelled(&cancel, a, s).await;
            tokio::time::timeout(CANCEL, work).await
        }
    };
    match ended {
        // It ended by itself before it could be cancelled.
        Ok(Ok(left)) => left,
        Ok(Err(why)) => Left::killed(format!("cancelled: {why}")),
        Err(_) if a.transaction => {
            Left::killed("cancelled; the server has not said so yet, and undoes it when it has")
        }
        Err(_) => Left::killed("cancelled; the server has not said so yet: it may still run"),
    }
}

/// Tells the server to end the statement, over a connection of its own as the protocol has it.
async fn cancelled(token: &CancelToken, a: &Postgres, s: &Setting<'_>) {
    let tell = async {
        let to = endpoint(a).ok()?;
        let stream = s.transport.connect(&to).await.ok()?;
        token.cancel_query_raw(stream, NoTls).await.ok()
    };
    let _ = tokio::time::timeout(CANCEL, tell).await;
}

struct Job<'a> {
    a: &'a Postgres,
    statement: &'a str,
    timeout: Duration,
    mark: &'a Mark,
    seen: &'a Seen,
}

impl Job<'_> {
    async fn run(&self, client: &Client) -> Result<Left, String> {
        let said = |e: &tokio_postgres::Error| words(e, self.seen);
        match understand(client, self.statement).await {
            Ok(()) => {}
            Err(Misunderstood::Never(why)) => return Err(format!("{why}; nothing was run")),
            Err(Misunderstood::Now(e)) => return Err(format!("{}; nothing was run", said(&e))),
        }
        let millis = self.timeout.saturating_sub(EARLIER).as_millis().max(1);
        let begin = if self.a.transaction {
            format!("BEGIN; SET LOCAL statement_timeout = {millis}")
        } else {
            format!("SET statement_timeout = {millis}")
        };
        // Waited for: the statement must not run without its bounds.
        client.simple_query(&begin).await.map_err(|e| format!("{}; nothing was run", said(&e)))?;
        let messages = client.simple_query(self.statement).await.map_err(|e| {
            let undone = if self.a.transaction { "; nothing of it lasts" } else { "" };
            format!("{}{undone}", said(&e))
        })?;
        let rows = count(&messages);
        let over = rows > self.a.row_limit;
        let limit = self.a.row_limit;
        if !self.a.transaction {
            return if over {
                Err(format!(
                    "{rows} rows, and at most {limit} were expected; it was not in a transaction, so it lasts"
                ))
            } else {
                Ok(Left::done(brief(&messages, rows)))
            };
        }
        if over {
            client.simple_query("ROLLBACK").await.map_err(|e| {
                format!("{rows} rows, and at most {limit} were expected; the server undoes it ({})", said(&e))
            })?;
            return Err(format!("{rows} rows, and at most {limit} were expected; all of it was undone"));
        }
        self.commit(client).await?;
        Ok(Left::done(format!("{}, committed", brief(&messages, rows))))
    }

    /// Leaves word of the transaction's number first, by which a later runner can ask the server
    /// what became of it.
    async fn commit(&self, client: &Client) -> Result<(), String> {
        let said = |e: &tokio_postgres::Error| words(e, self.seen);
        let asked = client.simple_query("SELECT txid_current_if_assigned()").await;
        let asked = asked.map_err(|e| format!("{}; nothing of it lasts", said(&e)))?;
        let number = Rows::of(&asked).value;
        // Without a number it has changed nothing.
        self.mark
            .leave(number.as_deref().unwrap_or("none"))
            .map_err(|why| format!("{why}; nothing of it lasts"))?;
        let done = client.simple_query("COMMIT").await;
        done.map(|_| ()).map_err(|e| match e.as_db_error() {
            Some(_) => format!("{}; nothing of it lasts", said(&e)),
            None => format!("{}; it may have been committed", said(&e)),
        })
    }
}

/// Rows that were changed or returned.
fn count(messages: &[SimpleQueryMessage]) -> u64 {
    messages
        .iter()
        .map(|m| if let SimpleQueryMessage::CommandComplete(n) = m { *n } else { 0 })
        .max()
        .unwrap_or(0)
}

fn brief(messages: &[SimpleQueryMessage], count: u64) -> String {
    let rows = Rows::of(messages);
    match rows.objects.as_slice() {
        [] => format!("{count} rows changed"),
        [_] => rows.brief(),
        [first, ..] => format!("{count} rows, the first {}", text::one_line(&first.to_string(), 100)),
    }
}

/// The server knows what became of a transaction by its number, which was on disk before the commit
/// was sent.
pub async fn ask(a: &Postgres, _: &str, s: &Setting<'_>) -> Answer {
    if !a.transaction {
        return Answer::unknown("outside of a transaction nothing shows whether a statement was carried out");
    }
    let number = match Mark::of_step(s, "xid").read() {
        Ok(None) => return Answer::did_not("no commit was sent, so that the server has undone it"),
        Ok(Some(number)) if number == "none" => return Answer::did_not("the statement had changed nothing"),
        Ok(Some(number)) => number,
        Err(why) => return Answer::unknown(why),
    };
    let Ok(xid) = number.trim().parse::<u64>() else {
        return Answer::unknown("the number of the transaction, as it was kept, is no number");
    };
    let status = match open(a, s).await {
        Err(trouble) => Err(trouble.into_why()),
        Ok((client, connection, seen)) => {
            let question = format!("SELECT txid_status({xid})");
            let rows = drive(connection, async move { client.simple_query(&question).await }).await;
            rows.map(|messages| Rows::of(&messages).value).map_err(|e| words(&e, &seen))
        }
    };
    match status.as_ref().map(Option::as_deref) {
        Ok(Some("committed")) => Answer::happened(format!("transaction {xid} was committed")),
        Ok(Some("aborted")) => Answer::did_not(format!("transaction {xid} was undone")),
        Ok(Some("in progress")) => Answer::unknown(format!("transaction {xid} is still under way")),
        Ok(_) => Answer::unknown(format!("the server no longer knows transaction {xid}")),
        Err(why) => Answer::unknown(format!("what became of transaction {xid} is not known: {why}")),
    }
}
