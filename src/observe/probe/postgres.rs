//! Looks at a `PostgreSQL` server: knocks as `pg_isready` does, or logs in and asks one query.

use super::{Context, Fault, Found, reply};
use crate::domain::fact::Fact;
use crate::domain::text;
use crate::domain::units::{self, Unit};
use crate::observe::wire::postgres::{First, MAX_FIRST, Refusal, TERMINATE, first, startup};
use crate::stack::kind::postgres::Spec;
use crate::transport::limited::{Limited, Seen};
use crate::transport::postgres::{Rows, Who, drive, in_full, secured};
use crate::transport::tls::Wire;
use secrecy::SecretString;
use tokio::io::AsyncWriteExt;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// Read from the server in one look, at most.
pub const MAX_READ: usize = 1 << 20;
/// Rows read, at most.
pub const MAX_ROWS: usize = 1000;
/// What the server's own lists of sessions call us.
const APPLICATION: &str = "quarterdeck";

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let password = match &spec.password {
        Some(id) => Some(cx.shared.secret(id).await?),
        None => None,
    };
    let stream = cx.connect(&spec.address).await?;
    let wire = secured(stream, &spec.address, spec.tls.as_ref()).await?;
    if spec.logs_in() { log_in(spec, cx, wire, password).await } else { knock(spec, wire).await }
}

/// Sends a startup message and takes the first answer for what it is.
async fn knock(spec: &Spec, mut wire: Wire) -> Result<Found, Fault> {
    reply::send(&mut wire, &startup(&spec.user, &spec.database, APPLICATION)).await?;
    let mut reply = reply::Reply::new(MAX_FIRST);
    let answer = loop {
        match first(&reply.bytes) {
            Ok(Some(answer)) => break answer,
            Ok(None) => {}
            Err(got) => return Err(Fault::Down(format!("expected a PostgreSQL server, got {got}"))),
        }
        if !reply.more(&mut wire).await? {
            return Err(reply::closed(reply.bytes.len()));
        }
    };
    match answer {
        First::Welcome => {
            // Only a courtesy, for the server's log; what was asked has been answered.
            let _ = wire.write_all(&TERMINATE).await;
            Ok(accepting("ok", "accepts connections, without a password".to_owned()))
        }
        First::Asks(method) => Ok(accepting("not tried", format!("accepts connections, asks for {method}"))),
        First::Refuses(refusal) if refusal.not_accepting() => Err(not_accepting(&refusal)),
        First::Refuses(refusal) => {
            let auth = if refusal.of_credentials() { "refused" } else { "not tried" };
            Ok(accepting(auth, format!("accepts connections, said: {}", refusal.message)))
        }
    }
}

fn accepting(auth: &str, summary: String) -> Found {
    let mut found = Found { evidence: summary.clone(), summary, ..Found::default() };
    found.facts.bool("ACCEPTING", true);
    found.facts.text("AUTH", auth);
    found
}

fn not_accepting(refusal: &Refusal) -> Fault {
    Fault::Down(format!("expected it to accept connections, got: {}", refusal.message))
}

/// Logs in over a fresh connection, asks the query, and says goodbye.
async fn log_in(
    spec: &Spec,
    cx: &Context<'_>,
    wire: Wire,
    password: Option<SecretString>,
) -> Result<Found, Fault> {
    let (wire, seen) = Limited::new(wire, MAX_READ);
    let who = Who {
        user: &spec.user,
        database: &spec.database,
        password: password.as_ref(),
        application: APPLICATION,
    };
    let trouble = Trouble { spec, cx, seen: &seen, has_password: password.is_some() };
    let (client, connection) = match who.config().connect_raw(wire, NoTls).await {
        Ok(opened) => opened,
        Err(e) => return trouble.of(&e),
    };
    let Some(query) = &spec.query else {
        drop(client);
        let _ = connection.await;
        return Ok(accepting("ok", format!("accepts connections, {} logged in", spec.user)));
    };
    let millis = cx.probe.timeout.as_millis().max(1);
    let begin = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {millis}");
    let answer = drive(connection, async move {
        // Waited for: the query must not run when its transaction did not begin.
        client.simple_query(&begin).await?;
        client.simple_query(query).await
    })
    .await;
    match answer {
        Ok(messages) => rows(&messages),
        Err(e) => trouble.of(&e),
    }
}

/// What is at hand to say what an error means.
struct Trouble<'a> {
    spec: &'a Spec,
    cx: &'a Context<'a>,
    seen: &'a Seen,
    has_password: bool,
}

impl Trouble<'_> {
    fn of(&self, e: &tokio_postgres::Error) -> Result<Found, Fault> {
        if let Some(db) = e.as_db_error() {
            let refusal = Refusal { code: db.code().code().to_owned(), message: db.message().to_owned() };
            return self.of_refusal(&refusal);
        }
        if self.seen.overran() {
            return Err(reply::too_long(MAX_READ));
        }
        // The library's words for "the server asks and the configuration has none".
        if !self.has_password && e.to_string() == "invalid configuration" {
            return Ok(locked(&format!("needs a password for {}: the server asks for one", self.spec.user)));
        }
        let head = text::one_line_bytes(&self.seen.head(), 60);
        Err(match (self.seen.closed(), head.is_empty()) {
            (true, true) => reply::closed(0),
            (true, false) => {
                Fault::Down("expected an answer, got a closed connection in the midst of it".to_owned())
            }
            _ => Fault::Down(format!("expected a PostgreSQL server, got: {}", in_full(e))),
        })
    }

    fn of_refusal(&self, refusal: &Refusal) -> Result<Found, Fault> {
        let Refusal { code, message } = refusal;
        match code.as_str() {
            _ if refusal.not_accepting() => Err(not_accepting(refusal)),
            // The server is well; it is our credentials or rights that are not.
            _ if refusal.of_credentials() => Ok(locked(&format!("needs permission: {message}"))),
            "42501" => Err(Fault::Unknown(format!("needs permission: {message}"))),
            "57014" => {
                let within = units::exact(self.cx.probe.timeout);
                Err(Fault::Down(format!("expected the query to end within {within}, got: {message}")))
            }
            _ => Err(Fault::Down(format!("expected a result, got an error: {message} ({code})"))),
        }
    }
}

/// It accepts connections and did not let us in, so the rest cannot be learned.
fn locked(why: &str) -> Found {
    let mut found = Found { evidence: why.to_owned(), summary: why.to_owned(), ..Found::default() };
    found.facts.bool("ACCEPTING", true);
    for name in ["AUTH", "VALUE", "ROWS", "COUNT"] {
        found.facts.set(name, Fact::Unavailable(why.to_owned()));
    }
    found
}

fn rows(messages: &[SimpleQueryMessage]) -> Result<Found, Fault> {
    let rows = Rows::of(messages);
    if rows.objects.len() > MAX_ROWS {
        return Err(Fault::Unknown(format!(
            "the query gives more than {MAX_ROWS} rows: count them in it, or give it a LIMIT"
        )));
    }
    let mut found = accepting("ok", rows.brief());
    found.evidence = rows.lines();
    if let Some(value) = rows.value {
        found.facts.text("VALUE", value);
    }
    found.facts.number("COUNT", rows.objects.len() as f64, Unit::None);
    found.facts.set("ROWS", Fact::Json(rows.objects.into()));
    Ok(found)
}
