//! A Redis reply, once the library has read it, as facts: text, pairs, INFO fields, JSON.

use crate::domain::fact::{Fact, Facts};
use redis::Value as Resp;
use serde_json::{Map, Number, Value};

/// What a configuration may hold that nobody should read from a screen.
const HIDDEN: &[&str] =
    &["requirepass", "masterauth", "tls-key-file-pass", "tls-client-key-file-pass", "sentinel-pass"];

/// What conditions can speak of: `REPLY`, and `VALUE`, `PAIRS` and `INFO` where it can be read so.
pub fn facts(command: &[String], reply: &Resp) -> Facts {
    let mut facts = Facts::new();
    let value = value(reply);
    if let Some(text) = value.as_ref().filter(|_| is_info(command)) {
        facts.set("INFO", Fact::Json(info(text).into()));
    }
    if let Some(pairs) = pairs(reply) {
        facts.set("PAIRS", Fact::Json(pairs.into()));
    }
    if let Some(value) = value {
        facts.text("VALUE", value);
    }
    facts.set("REPLY", Fact::Json(json(reply)));
    facts
}

/// The reply as one text; the second of a pair, as `CONFIG GET` gives.
pub fn value(reply: &Resp) -> Option<String> {
    match reply {
        Resp::Array(items) if items.len() == 2 => items.get(1).and_then(scalar),
        other => scalar(other),
    }
}

fn is_info(command: &[String]) -> bool {
    command.first().is_some_and(|word| word.eq_ignore_ascii_case("INFO"))
}

/// The whole reply as JSON. Bytes that are not UTF-8 are replaced; what depth and length it can
/// have was bounded when it was read.
pub fn json(reply: &Resp) -> Value {
    match reply {
        Resp::Nil => Value::Null,
        Resp::Int(n) => Value::from(*n),
        Resp::Double(n) => Number::from_f64(*n).map_or_else(|| Value::from(n.to_string()), Value::Number),
        Resp::Boolean(b) => Value::Bool(*b),
        Resp::Array(items) | Resp::Set(items) | Resp::Push { data: items, .. } => {
            items.iter().map(json).collect()
        }
        Resp::Map(pairs) => Value::Object(object(pairs.iter().map(|(k, v)| (k, v)))),
        Resp::Attribute { data, .. } => json(data),
        Resp::ServerError(e) => Value::from(error(e.code(), e.details())),
        other => Value::from(scalar(other).unwrap_or_default()),
    }
}

/// A single value as text; `None` for nothing and for what has parts.
pub fn scalar(reply: &Resp) -> Option<String> {
    Some(match reply {
        Resp::Okay => "OK".to_owned(),
        Resp::SimpleString(text) | Resp::VerbatimString { text, .. } => text.clone(),
        Resp::BulkString(bytes) | Resp::BigNumber(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Resp::Int(n) => n.to_string(),
        Resp::Double(n) => n.to_string(),
        Resp::Boolean(b) => b.to_string(),
        Resp::Attribute { data, .. } => return scalar(data),
        _ => return None,
    })
}

/// The reply as names and values, when it can be read so.
pub fn pairs(reply: &Resp) -> Option<Map<String, Value>> {
    match reply {
        Resp::Map(pairs) => Some(object(pairs.iter().map(|(k, v)| (k, v)))),
        Resp::Array(items) if items.len().is_multiple_of(2) => {
            let (all, _) = items.as_chunks::<2>();
            let named = all.iter().all(|[key, _]| scalar(key).is_some());
            named.then(|| object(all.iter().map(|[k, v]| (k, v))))
        }
        Resp::Attribute { data, .. } => pairs(data),
        _ => None,
    }
}

fn object<'a>(pairs: impl Iterator<Item = (&'a Resp, &'a Resp)>) -> Map<String, Value> {
    pairs.map(|(key, value)| (scalar(key).unwrap_or_else(|| json(key).to_string()), json(value))).collect()
}

/// Blots out the passwords among the values that `CONFIG GET` gave.
pub fn hide_passwords(reply: &mut Resp) {
    let is_hidden = |key: &Resp| scalar(key).is_some_and(|k| HIDDEN.contains(&k.to_lowercase().as_str()));
    let blot = |value: &mut Resp| {
        if scalar(value).is_some_and(|v| !v.is_empty()) {
            *value = Resp::SimpleString("(hidden)".to_owned());
        }
    };
    match reply {
        Resp::Array(items) => {
            for pair in items.chunks_exact_mut(2) {
                if let [key, value] = pair
                    && is_hidden(key)
                {
                    blot(value);
                }
            }
        }
        Resp::Map(pairs) => {
            pairs.iter_mut().filter(|(key, _)| is_hidden(key)).for_each(|(_, value)| blot(value));
        }
        _ => {}
    }
}

/// The fields of an INFO reply. A field made of fields, as `db0:keys=1,expires=0`, becomes an
/// object of its own.
pub fn info(text: &str) -> Map<String, Value> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.trim_end().split_once(':'))
        .map(|(key, value)| (key.to_owned(), info_value(value)))
        .collect()
}

fn info_value(text: &str) -> Value {
    let parts: Option<Map<String, Value>> =
        text.split(',').map(|p| p.split_once('=').map(|(k, v)| (k.to_owned(), plain(v)))).collect();
    parts.map_or_else(|| plain(text), Value::Object)
}

/// A number when it is written as one and nothing is lost: no leading zeros, no exponent (a
/// run id may look like one), at most 15 digits.
fn plain(text: &str) -> Value {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let written_as_number = all_digits(whole)
        && all_digits(fraction)
        && (whole == "0" || !whole.starts_with('0'))
        && whole.len() + fraction.len() <= 16;
    let number = if !written_as_number {
        None
    } else if digits.contains('.') {
        text.parse().ok().and_then(Number::from_f64)
    } else {
        text.parse::<i64>().ok().map(Number::from)
    };
    number.map_or_else(|| Value::from(text), Value::Number)
}

/// An error reply as the server wrote it.
pub fn error(code: &str, details: Option<&str>) -> String {
    details.map_or_else(|| code.to_owned(), |details| format!("{code} {details}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(bytes: &str) -> Resp {
        redis::parse_redis_value(bytes.as_bytes()).unwrap()
    }

    #[test]
    fn every_kind_of_reply_reads_as_json_and_as_text() {
        let table = [
            ("+OK\r\n", json!("OK"), Some("OK")),
            ("+PONG\r\n", json!("PONG"), Some("PONG")),
            (":-7\r\n", json!(-7), Some("-7")),
            ("$3\r\na\tb\r\n", json!("a\tb"), Some("a\tb")),
            ("$-1\r\n", json!(null), None),
            ("*-1\r\n", json!(null), None),
            ("_\r\n", json!(null), None),
            (",1.5\r\n", json!(1.5), Some("1.5")),
            (",inf\r\n", json!("inf"), Some("inf")),
            ("#t\r\n", json!(true), Some("true")),
            ("=7\r\ntxt:abc\r\n", json!("abc"), Some("abc")),
            ("(123456789012345678901\r\n", json!("123456789012345678901"), Some("123456789012345678901")),
            ("*2\r\n:1\r\n*1\r\n+a\r\n", json!([1, ["a"]]), None),
            ("%1\r\n+k\r\n:1\r\n", json!({"k": 1}), None),
            ("~1\r\n+k\r\n", json!(["k"]), None),
            ("*1\r\n-ERR no\r\n", json!(["ERR no"]), None),
        ];
        for (bytes, as_json, as_text) in table {
            let reply = read(bytes);
            assert_eq!((json(&reply), scalar(&reply).as_deref()), (as_json, as_text), "{bytes:?}");
        }
    }

    #[test]
    fn pairs_come_from_even_lists_and_maps_only() {
        let table = [
            ("*2\r\n$1\r\na\r\n$2\r\nxE\r\n", Some(json!({"a": "xE"}))),
            ("*4\r\n$1\r\na\r\n:0\r\n$1\r\nb\r\n:2\r\n", Some(json!({"a": 0, "b": 2}))),
            ("%1\r\n+k\r\n*1\r\n:1\r\n", Some(json!({"k": [1]}))),
            ("*0\r\n", Some(json!({}))),
            ("*3\r\n:1\r\n:2\r\n:3\r\n", None),
            ("*2\r\n*0\r\n:2\r\n", None),
            ("+OK\r\n", None),
        ];
        for (bytes, want) in table {
            assert_eq!(pairs(&read(bytes)).map(Value::Object), want, "{bytes:?}");
        }
    }

    #[test]
    fn passwords_of_the_configuration_are_blotted_out() {
        let mut reply = read("*6\r\n+requirepass\r\n+s3cret\r\n+masterauth\r\n$0\r\n\r\n+port\r\n+6379\r\n");
        hide_passwords(&mut reply);
        assert_eq!(json(&reply), json!(["requirepass", "(hidden)", "masterauth", "", "port", "6379"]));
    }

    #[test]
    fn info_fields_are_numbers_only_when_they_are_written_as_numbers() {
        let text = "# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:12\r\nrun_id:12e4\r\nsha:00000000\r\n\
                    ratio:1.03\r\ndb0:keys=2,expires=0\r\nslave0:ip=10.0.0.2,lag=1\r\nempty:\r\nneg:-1\r\n";
        let want = json!({
            "redis_version": "7.0.15", "uptime_in_seconds": 12, "run_id": "12e4", "sha": "00000000", "ratio": 1.03,
            "db0": {"keys": 2, "expires": 0}, "slave0": {"ip": "10.0.0.2", "lag": 1}, "empty": "", "neg": -1
        });
        assert_eq!(Value::Object(info(text)), want);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(mut reply) = redis::parse_redis_value(&bytes) {
                let _ = (json(&reply), scalar(&reply), pairs(&reply));
                hide_passwords(&mut reply);
            }
        }

        #[test]
        fn anything_that_looks_like_a_reply_is_read_or_refused(text in "([*$:+~%>|=,#(_!-]-?[0-9]{0,3}(\r\n)?([a-z]{0,4}\r\n)?){0,12}") {
            if let Ok(mut reply) = redis::parse_redis_value(text.as_bytes()) {
                let _ = (json(&reply), scalar(&reply), pairs(&reply));
                hide_passwords(&mut reply);
            }
        }

        #[test]
        fn any_text_is_read_as_info(text in "\\PC{0,200}|([a-z]{0,3}:[0-9=,.-]{0,20}\r\n){0,9}") {
            let _ = info(&text);
        }
    }
}
