//! Looks by asking a Redis server one thing, over a fresh connection: that also shows whether it
//! still takes new ones.

use super::{Context, Fault, Found};
use crate::domain::fact::show_json;
use crate::domain::text;
use crate::domain::units;
use crate::stack::kind::redis::Spec;
use crate::transport::redis::{No, Who, one_command};
use crate::transport::{resp, tls};
use redis::Value as Resp;

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
    let wire = tls::wrap(stream, &spec.address, spec.tls.as_ref()).await?;
    let who = Who { user: spec.user.as_deref(), password: password.as_ref(), db: spec.db };
    let mut reply = one_command(wire, who, &spec.command, MAX_READ).await.map_err(|no| match no {
        No::Error { code, details } => of_reply(spec, &code, details.as_deref()),
        No::Answer(fault) => fault,
    })?;
    if spec.is("CONFIG") {
        resp::hide_passwords(&mut reply);
    }
    Ok(found(spec, &reply))
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
    let value = resp::value(reply);
    let as_json = resp::json(reply);
    let evidence = match &value {
        Some(text) if !matches!(reply, Resp::Array(_)) => text.clone(),
        _ => lines_of(&as_json),
    };
    let info = value.as_ref().filter(|_| spec.is("INFO")).map(|text| resp::info(text));
    let summary = match (&info, resp::pairs(reply), &value) {
        (Some(info), ..) => brief_info(info),
        (_, Some(pairs), _) if !pairs.is_empty() => brief_pairs(&pairs),
        (_, _, Some(text)) => text::one_line(text, 80),
        _ => show_json(&as_json),
    };
    Found { facts: resp::facts(&spec.command, reply), summary, evidence, ..Found::default() }
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
