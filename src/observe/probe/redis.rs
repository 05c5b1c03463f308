//! Looks by asking a Redis server one thing, over a fresh connection: that also shows whether it
//! still takes new ones.

use super::{Context, Fault, Found, reply};
use crate::domain::fact::{Fact, show_json};
use crate::domain::text;
use crate::domain::units;
use crate::observe::wire::resp;
use crate::stack::kind::redis::Spec;
use crate::transport::limited::{Limited, Seen};
use crate::transport::tls;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisConnectionInfo, RedisError, Value as Resp};
use secrecy::{ExposeSecret, SecretString};

/// Read from the server in one look, at most.
pub const MAX_READ: usize = 1 << 20;
/// The longest reply that is laid out over several lines as evidence.
const MAX_PRETTY: usize = 500;

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let password = match &spec.password {
        Some(id) => Some(cx.shared.secret(id).await?),
        None => None,
    };
    let stream = cx.connect(&spec.address).await?;
    let stream = tls::wrap(stream, &spec.address, spec.tls.as_ref()).await?;
    let (stream, seen) = Limited::new(stream, MAX_READ);
    // No time of the library's own: the look has a deadline. Nothing is sent but what is asked.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let info = RedisConnectionInfo::default().set_skip_set_lib_name();
    let opened = MultiplexedConnection::new_with_config(&info, stream, config).await;
    let (connection, driver) = opened.map_err(|e| of_error(spec, &seen, &e))?;
    let mut asking = Box::pin(ask(spec, password, connection));
    let mut driver = Box::pin(driver);
    let answer = tokio::select! {
        biased;
        answer = &mut asking => answer,
        // The connection has ended; once it is dropped, whoever still waits is told so.
        () = &mut driver => {
            drop(driver);
            asking.await
        }
    };
    let mut reply = answer.map_err(|e| of_error(spec, &seen, &e))?;
    if spec.is("CONFIG") {
        resp::hide_passwords(&mut reply);
    }
    Ok(found(spec, &reply))
}

/// Logs in, chooses the database and asks, one after another, so that an error names its cause.
async fn ask(
    spec: &Spec,
    password: Option<SecretString>,
    mut connection: MultiplexedConnection,
) -> Result<Resp, RedisError> {
    if let Some(password) = password {
        let mut auth = Cmd::new();
        auth.arg("AUTH");
        if let Some(user) = &spec.user {
            auth.arg(user);
        }
        answer(connection.send_packed_command(auth.arg(password.expose_secret())).await)?;
    }
    if spec.db != 0 {
        let mut select = Cmd::new();
        answer(connection.send_packed_command(select.arg("SELECT").arg(spec.db)).await)?;
    }
    let mut command = Cmd::new();
    for word in &spec.command {
        command.arg(word);
    }
    answer(connection.send_packed_command(&command).await)
}

/// An error reply is an error, wherever the library puts it.
fn answer(got: Result<Resp, RedisError>) -> Result<Resp, RedisError> {
    match got? {
        Resp::ServerError(e) => Err(e.into()),
        reply => Ok(reply),
    }
}

fn of_error(spec: &Spec, seen: &Seen, e: &RedisError) -> Fault {
    if seen.overran() {
        return reply::too_long(MAX_READ);
    }
    let head = text::one_line_bytes(&seen.head(), 60);
    match (e.kind(), e.code()) {
        (_, Some(code)) => of_reply(spec, code, e.detail()),
        _ if head.is_empty() && seen.closed() => reply::closed(0),
        _ if seen.closed() => {
            Fault::Down(format!("expected a whole Redis reply, got \"{head}\" and a closed connection"))
        }
        (ErrorKind::Parse, _) => Fault::Down(format!("expected a Redis reply, got \"{head}\"")),
        _ => Fault::Down(format!("expected a Redis reply, got: {e}")),
    }
}

/// What an error reply means: what is missing on our side leaves the health unknown.
fn of_reply(spec: &Spec, code: &str, details: Option<&str>) -> Fault {
    let shown = resp::error(code, details);
    let user = spec.user.as_deref().unwrap_or("default");
    match code {
        "NOAUTH" => Fault::Unknown(format!("needs a password: {shown}")),
        // Before version 6 this was a plain error.
        "WRONGPASS" => Fault::Unknown(format!("wrong password for {user}: {shown}")),
        "ERR" if details.is_some_and(|d| d == "invalid password") => {
            Fault::Unknown(format!("wrong password for {user}: {shown}"))
        }
        "NOPERM" | "DENIED" => Fault::Unknown(format!("needs permission: {shown}")),
        "LOADING" => Fault::Down(format!("expected an answer, got: it is loading its dataset ({shown})")),
        _ => Fault::Down(format!("expected an answer to {}, got an error: {shown}", spec.command.join(" "))),
    }
}

fn found(spec: &Spec, reply: &Resp) -> Found {
    let mut found = Found::default();
    let value = match reply {
        Resp::Array(items) if items.len() == 2 => items.get(1).and_then(resp::scalar),
        other => resp::scalar(other),
    };
    let as_json = resp::json(reply);
    found.evidence = match &value {
        Some(text) if !matches!(reply, Resp::Array(_)) => text.clone(),
        _ => lines_of(&as_json),
    };
    let info = value.as_ref().filter(|_| spec.is("INFO")).map(|text| resp::info(text));
    found.summary = match (&info, resp::pairs(reply), &value) {
        (Some(info), ..) => brief_info(info),
        (_, Some(pairs), _) if !pairs.is_empty() => brief_pairs(&pairs),
        (_, _, Some(text)) => text::one_line(text, 80),
        _ => show_json(&as_json),
    };
    if let Some(info) = info {
        found.facts.set("INFO", Fact::Json(info.into()));
    }
    if let Some(pairs) = resp::pairs(reply) {
        found.facts.set("PAIRS", Fact::Json(pairs.into()));
    }
    if let Some(value) = value {
        found.facts.text("VALUE", value);
    }
    found.facts.set("REPLY", Fact::Json(as_json));
    found
}

/// A list as one line for each element, as far as evidence is kept.
fn lines_of(reply: &serde_json::Value) -> String {
    match reply {
        serde_json::Value::Array(items) => {
            let lines: Vec<String> = items.iter().take(MAX_PRETTY).map(plain).collect();
            lines.join("\n")
        }
        serde_json::Value::Object(members) => {
            let lines: Vec<String> = members
                .iter()
                .take(MAX_PRETTY)
                .map(|(key, value)| format!("{key}: {}", plain(value)))
                .collect();
            lines.join("\n")
        }
        other => plain(other),
    }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn brief_pairs(pairs: &serde_json::Map<String, serde_json::Value>) -> String {
    let parts: Vec<String> = pairs
        .iter()
        .take(6)
        .map(|(key, value)| format!("{} {}", text::one_line(key, 40), show_json(value)))
        .collect();
    text::one_line(&parts.join(", "), 80)
}

fn brief_info(info: &serde_json::Map<String, serde_json::Value>) -> String {
    let version = info.get("redis_version").and_then(serde_json::Value::as_str);
    let memory = info.get("used_memory").and_then(serde_json::Value::as_f64).map(units::bytes);
    let clients = info.get("connected_clients").map(|n| format!("{n} clients"));
    let version = version.map(|v| format!("redis {}", text::one_line(v, 20)));
    let parts: Vec<String> = [version, clients, memory].into_iter().flatten().collect();
    if parts.is_empty() { format!("{} fields", info.len()) } else { parts.join(", ") }
}
