//! Looks by asking a service over its Unix socket: one JSON request, one JSON object back.

use super::{Context, Fault, Found};
use crate::domain::fact::{Fact, show_json};
use crate::domain::text;
use crate::stack::kind::common::Endpoint;
use crate::stack::kind::unix_json::Spec;
use crate::transport::json::exchange;
use serde_json::Value;

/// The longest reply read.
pub const MAX_REPLY: usize = 1 << 20;
/// The longest reply that is laid out over several lines as evidence.
const MAX_PRETTY: usize = 64 << 10;

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let stream = cx.connect(&Endpoint::Unix(spec.path.clone())).await?;
    let (body, raw) = exchange(stream, spec.request.as_bytes(), MAX_REPLY).await?;
    Ok(found(body, &raw))
}

fn found(body: Value, raw: &[u8]) -> Found {
    let pretty = (raw.len() <= MAX_PRETTY).then(|| serde_json::to_string_pretty(&body).ok()).flatten();
    let evidence = pretty.unwrap_or_else(|| String::from_utf8_lossy(raw).into_owned());
    let mut found = Found { summary: brief(&body), evidence, ..Found::default() };
    found.facts.set("BODY", Fact::Json(body));
    found
}

/// The plain members of an object, `status` first, as far as a line goes.
fn brief(body: &Value) -> String {
    let Value::Object(members) = body else { return show_json(body) };
    let mut plain: Vec<(&String, &Value)> =
        members.iter().filter(|(_, v)| !v.is_object() && !v.is_array()).take(8).collect();
    plain.sort_by_key(|(key, _)| *key != "status");
    let parts: Vec<String> = plain
        .into_iter()
        .map(|(key, value)| format!("{} {}", text::one_line(key, 30), show_json(value)))
        .collect();
    if parts.is_empty() { show_json(body) } else { text::one_line(&parts.join(", "), 80) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_summary_says_the_status_first() {
        let table = [
            (json!({"vpn_free": 253, "status": "ok"}), "status ok, vpn_free 253"),
            (json!({"services": [1, 2]}), "an object of 1"),
            (json!([1, 2]), "a list of 2"),
        ];
        for (body, want) in table {
            assert_eq!(brief(&body), want);
        }
    }
}
