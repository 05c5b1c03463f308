//! `uses = "redis"`: one command, and what its reply must be.

use super::expect::Expect;
use super::unix_json::perhaps;
use super::{Answer, Left, Setting, Stop, Target};
use crate::act::place;
use crate::domain::fact::show_json;
use crate::domain::id::SecretId;
use crate::domain::procedure::action::kinds::Redis;
use crate::domain::text;
use crate::domain::units::Unit;
use crate::stack::kind::common::Endpoint;
use crate::stack::kind::redis::{FACTS, only_reads};
use crate::transport::fetch::Way;
use crate::transport::fetch::auth::redact;
use crate::transport::redis::{No, Who, one_command};
use crate::transport::{resp, tls};
use redis::Value as Resp;
use secrecy::SecretString;

/// Read from the server at most, in bytes.
pub const MAX_READ: usize = 1 << 20;
const PORT: u16 = 6379;

/// The server's setting that the command changes, where it is one; else that it answers.
pub async fn target(a: &Redis, s: &Setting<'_>) -> Target {
    if let Err(why) = Expect::parse(&a.expect, None, FACTS) {
        return Target::unpinned().but_impossible(why);
    }
    let Some(setting) = Change::of(&a.command) else {
        let mut target = Target::unpinned();
        match say(a, &["PING".to_owned()], s).await {
            Ok(_) => {}
            Err(Trouble::Ours(why)) => target.impossible = Some(why),
            Err(Trouble::Theirs(why)) => {
                target.warnings.push(format!("{} does not answer now: {why}", a.address));
            }
        }
        return target;
    };
    let what = format!("{} of redis {} on {}", setting.shown(), a.address, s.host);
    match say(a, &setting.question(), s).await {
        Ok(reply) => Target::probed(what, setting.state(&reply)),
        Err(Trouble::Ours(why)) => Target::unpinned().but_impossible(why),
        Err(Trouble::Theirs(why)) => {
            let mut target = Target::unpinned();
            target.warnings.push(format!("{what} is not known now: {why}"));
            target
        }
    }
}

/// A command whose effect can be read back.
enum Change<'a> {
    /// `CONFIG SET NAME VALUE`
    Config(&'a str, &'a str),
    /// `DEL KEY`
    Gone(&'a str),
}

impl<'a> Change<'a> {
    fn of(command: &'a [String]) -> Option<Change<'a>> {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words.as_slice() {
            [config, set, name, value]
                if config.eq_ignore_ascii_case("CONFIG") && set.eq_ignore_ascii_case("SET") =>
            {
                Some(Change::Config(name, value))
            }
            [del, key] if del.eq_ignore_ascii_case("DEL") || del.eq_ignore_ascii_case("UNLINK") => {
                Some(Change::Gone(key))
            }
            _ => None,
        }
    }

    fn shown(&self) -> String {
        match self {
            Change::Config(name, _) => format!("setting {}", text::one_line(name, 60)),
            Change::Gone(key) => format!("key {}", text::one_line(key, 60)),
        }
    }

    fn question(&self) -> Vec<String> {
        match self {
            Change::Config(name, _) => ["CONFIG", "GET", name].map(str::to_owned).into(),
            Change::Gone(key) => ["EXISTS", key].map(str::to_owned).into(),
        }
    }

    fn state(&self, reply: &Resp) -> String {
        let value = resp::value(reply);
        match self {
            Change::Config(..) => {
                value.map_or_else(|| "no such setting".to_owned(), |v| text::one_line(&v, 120))
            }
            Change::Gone(_) if value.as_deref() == Some("0") => "not there".to_owned(),
            Change::Gone(_) => "there".to_owned(),
        }
    }

    /// Whether a state is the one that the command makes.
    fn is_made(&self, state: &str) -> bool {
        match self {
            Change::Gone(_) => state == "not there",
            // Redis gives the letters of a set of flags in an order of its own.
            Change::Config(name, value) if name.eq_ignore_ascii_case("notify-keyspace-events") => {
                letters(state) == letters(value)
            }
            Change::Config(_, value) => state == text::one_line(value, 120),
        }
    }
}

fn letters(text: &str) -> Vec<char> {
    let mut all: Vec<char> = text.chars().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Why there is no reply.
enum Trouble {
    /// We lack something: a secret, a sensible address.
    Ours(String),
    Theirs(String),
}

impl Trouble {
    fn why(&self) -> &str {
        match self {
            Trouble::Ours(why) | Trouble::Theirs(why) => why,
        }
    }
}

async fn say(a: &Redis, words: &[String], s: &Setting<'_>) -> Result<Resp, Trouble> {
    let way = Way::new(s.transport, s.access, s.clock, s.host);
    say_over(&way, a, words, s).await
}

async fn say_over(way: &Way<'_>, a: &Redis, words: &[String], s: &Setting<'_>) -> Result<Resp, Trouble> {
    let to = Endpoint::parse(&a.address, Some(PORT))
        .ok_or_else(|| Trouble::Ours(format!("{} is no address", text::one_line(&a.address, 80))))?;
    let password = password(a, s).await.map_err(Trouble::Ours)?;
    let answer = async {
        let stream = way.connect(&to).await.map_err(No::Answer)?;
        let wire = tls::wrap(stream, &to, None).await.map_err(|e| No::Answer(e.into()))?;
        let who = Who { user: a.user.as_deref(), password: password.as_ref(), db: a.db };
        one_command(wire, who, words, MAX_READ).await
    };
    let mut reply = answer.await.map_err(|no| {
        Trouble::Theirs(match no {
            No::Error { code, details } => {
                let said = resp::error(&code, details.as_deref());
                let said = redact(password.as_slice(), &said).into_owned();
                format!("it answered with an error: {}", text::one_line(&said, 200))
            }
            No::Answer(fault) => fault.why().to_owned(),
        })
    })?;
    if words.first().is_some_and(|w| w.eq_ignore_ascii_case("CONFIG")) {
        resp::hide_passwords(&mut reply);
    }
    Ok(reply)
}

async fn password(a: &Redis, s: &Setting<'_>) -> Result<Option<SecretString>, String> {
    let Some(name) = &a.password else { return Ok(None) };
    let id = SecretId::new(name);
    s.access.secret(&id).await.map(Some).map_err(|fault| fault.why().to_owned())
}

/// Sends the command; an error reply is a failure whatever is expected.
pub async fn perform(a: &Redis, s: &Setting<'_>, stop: &Stop) -> Left {
    let words: Result<Vec<String>, String> = a.command.iter().map(|w| place::plain(w, s)).collect();
    let prepared = words.and_then(|w| Ok((w, Expect::parse(&a.expect, None, FACTS)?)));
    let (words, expect) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => return Left::failed(format!("nothing was sent: {why}")),
    };
    let way = Way::new(s.transport, s.access, s.clock, s.host);
    let start = s.clock.now();
    let got = tokio::select! {
        biased;
        () = stop.stopped() => return Left::killed(format!("ended while waiting{}", perhaps(&way))),
        got = say_over(&way, a, &words, s) => got,
    };
    let reply = match got {
        Ok(reply) => reply,
        Err(trouble @ Trouble::Theirs(_)) if trouble.why().starts_with("it answered") => {
            return Left::failed(trouble.why());
        }
        Err(trouble) => return Left::failed(format!("{}{}", trouble.why(), perhaps(&way))),
    };
    let brief = brief(&reply);
    let mut facts = resp::facts(&words, &reply);
    facts.number("LATENCY", s.clock.now().since(start).as_secs_f64(), Unit::Seconds);
    match expect.judge(&facts) {
        Ok(()) => Left::done(format!("replied {brief}")),
        Err(why) => Left::failed(format!("{why}; it replied {brief}")),
    }
}

fn brief(reply: &Resp) -> String {
    match resp::scalar(reply) {
        Some(text) if !text.is_empty() => text::one_line(&text, 120),
        Some(_) => "an empty text".to_owned(),
        None => show_json(&resp::json(reply)),
    }
}

/// A command that reads can be repeated; of some that write, the effect can be read.
pub async fn ask(a: &Redis, before: &str, s: &Setting<'_>) -> Answer {
    if only_reads(&a.command) {
        return Answer::did_not("the command only reads: it can be sent again");
    }
    let Some(change) = Change::of(&a.command) else {
        return Answer::unknown("Redis does not tell whether a command was carried out");
    };
    let state = match say(a, &change.question(), s).await {
        Ok(reply) => change.state(&reply),
        Err(trouble) => {
            return Answer::unknown(format!("{} is not known: {}", change.shown(), trouble.why()));
        }
    };
    let now = format!("{} is {state}", change.shown());
    match (change.is_made(&state), change.is_made(before)) {
        (true, false) => Answer::happened(now),
        // It was so before, so that nothing shows whether the command came; nor does it matter.
        (true, true) => Answer::happened(format!("{now}, as it was before")),
        (false, _) => Answer::did_not(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn some_changes_can_be_read_back() {
        let table = [
            ("CONFIG SET notify-keyspace-events Ex", Some("CONFIG GET notify-keyspace-events"), "xE"),
            ("config set maxmemory 0", Some("CONFIG GET maxmemory"), "0"),
            ("DEL a", Some("EXISTS a"), "not there"),
            ("DEL a b", None, ""),
            ("FLUSHALL", None, ""),
        ];
        for (command, question, made) in table {
            let command = words(command);
            let change = Change::of(&command);
            assert_eq!(change.as_ref().map(Change::question), question.map(words), "{command:?}");
            assert!(change.is_none_or(|c| c.is_made(made) && !c.is_made("other")), "{command:?}");
        }
    }
}
