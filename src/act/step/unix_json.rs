//! `uses = "unix-json"`: one JSON request over a Unix socket, and what its answer must be.

use super::expect::Expect;
use super::{Answer, Left, Setting, Stop, Target};
use crate::act::place;
use crate::domain::fact::{Fact, Facts, show_json};
use crate::domain::id::SecretId;
use crate::domain::procedure::action::kinds::UnixJson;
use crate::domain::text;
use crate::stack::kind::common::Endpoint;
use crate::stack::kind::unix_json::FACTS;
use crate::transport::fetch::auth::redact;
use crate::transport::fetch::{Phase, Way};
use crate::transport::json::exchange;
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;

/// The longest answer read, in bytes.
pub const MAX_ANSWER: usize = 1 << 20;

/// Whether the socket takes a connection, and whether all is there that the request needs.
pub async fn target(a: &UnixJson, s: &Setting<'_>) -> Target {
    let to = Endpoint::Unix(PathBuf::from(&a.socket));
    // No pin on it: the socket may well come and go with the steps before.
    let mut target = Target::unpinned();
    if let Err(e) = s.transport.connect(&to).await {
        target.warnings.push(format!("{to} takes no connection now: {e}"));
    }
    match prepare(a, s).await {
        Ok(_) => target,
        Err(why) => target.but_impossible(why),
    }
}

struct Prepared {
    request: SecretString,
    secrets: Vec<SecretString>,
    expect: Expect,
}

async fn prepare(a: &UnixJson, s: &Setting<'_>) -> Result<Prepared, String> {
    let expect = Expect::parse(&a.expect, None, FACTS)?;
    let secrets = secret_values(&a.request, s).await?;
    let request = place::full(&a.request, s).await?;
    let parsed = serde_json::from_str::<serde::de::IgnoredAny>(request.expose_secret());
    // The error of the parser would quote what it saw.
    parsed.map_err(|e| format!("the request is no JSON, at column {}", e.column()))?;
    Ok(Prepared { request, secrets, expect })
}

/// The values of the secrets that a text has places for.
pub(super) async fn secret_values(text: &str, s: &Setting<'_>) -> Result<Vec<SecretString>, String> {
    let mut out = Vec::new();
    for id in place::secrets_in(text) {
        out.push(s.access.secret(&id as &SecretId).await.map_err(|fault| fault.why().to_owned())?);
    }
    Ok(out)
}

/// Sends the request and holds the first object that comes back against what is expected.
pub async fn perform(a: &UnixJson, s: &Setting<'_>, stop: &Stop) -> Left {
    let prepared = match prepare(a, s).await {
        Ok(prepared) => prepared,
        Err(why) => return Left::failed(format!("nothing was sent: {why}")),
    };
    let way = Way::new(s.transport, s.access, s.clock, s.host);
    let to = Endpoint::Unix(PathBuf::from(&a.socket));
    let start = s.clock.now();
    let work = async {
        let stream = way.connect(&to).await?;
        exchange(stream, prepared.request.expose_secret().as_bytes(), MAX_ANSWER).await
    };
    let got = tokio::select! {
        biased;
        () = stop.stopped() => return Left::killed(format!("ended while waiting{}", perhaps(&way))),
        got = work => got,
    };
    let raw = match got {
        Ok((_, raw)) => raw,
        Err(fault) => return Left::failed(format!("{}{}", fault.why(), perhaps(&way))),
    };
    let clean = redact(&prepared.secrets, &String::from_utf8_lossy(&raw)).into_owned();
    let body = serde_json::from_str(&clean).unwrap_or(serde_json::Value::String(clean));
    let brief = brief(&body);
    let mut facts = Facts::new();
    facts.set("BODY", Fact::Json(body));
    let took = s.clock.now().since(start);
    facts.number("LATENCY", took.as_secs_f64(), crate::domain::units::Unit::Seconds);
    match prepared.expect.judge(&facts) {
        Ok(()) => Left::done(format!("answered {brief}")),
        Err(why) => Left::failed(format!("{why}; it answered {brief}")),
    }
}

/// What is not known once a request has been on its way.
pub(super) fn perhaps(way: &Way<'_>) -> &'static str {
    match way.current_phase() {
        Phase::Ours | Phase::Connecting => "; nothing was sent",
        Phase::Waiting | Phase::Reading => "; it may have been carried out",
    }
}

fn brief(body: &serde_json::Value) -> String {
    let whole = body.to_string();
    if whole.chars().count() <= 120 { text::one_line(&whole, 120) } else { show_json(body) }
}

/// A service that was sent a request does not tell afterwards whether it came.
pub fn ask(a: &UnixJson) -> Answer {
    Answer::unknown(format!("{} does not tell whether the request reached it", a.socket))
}
