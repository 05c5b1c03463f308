//! What an HTTP answer says, as facts and as text, cleaned of what it must not show.

use super::auth::REDACTED;
use super::http::Answer;
use crate::domain::fact::{Fact, Facts};
use crate::domain::text;
use crate::domain::units::{self, Unit};
use hyper::header::{self, HeaderMap};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Shown of a short body as the reason while all is well, in characters.
const MAX_SUMMARY: usize = 60;

/// What conditions can speak of. `body` is the answer's, cleaned already; `clean` does the same to
/// a header's value, and what is not `wanted` is not worked out.
pub fn of(
    answer: &Answer,
    body: &str,
    clean: &impl Fn(String) -> String,
    wanted: &impl Fn(&str) -> bool,
) -> Facts {
    let mut facts = Facts::new();
    facts.number("STATUS", f64::from(answer.status.as_u16()), Unit::None);
    facts.number("SIZE", answer.body.len() as f64, Unit::Bytes);
    if wanted("BODY") {
        let value = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
        facts.set("BODY", Fact::Json(value));
    }
    if wanted("HEADER") {
        let headers =
            shown_headers(&answer.headers).map(|(k, v)| (k.to_owned(), Value::String(clean(v.into_owned()))));
        facts.set("HEADER", Fact::Json(Value::Object(headers.collect::<Map<_, _>>())));
    }
    facts
}

/// Headers as text; the value of a cookie is a secret of somebody's session.
fn shown_headers(headers: &HeaderMap) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    headers.iter().map(|(name, value)| {
        let shown = if *name == header::SET_COOKIE {
            Cow::Borrowed(REDACTED)
        } else {
            String::from_utf8_lossy(value.as_bytes())
        };
        (name.as_str(), shown)
    })
}

/// The status, with the body when it is short and else with its size.
pub fn summary(answer: &Answer, body: &str) -> String {
    let mut out = answer.status.to_string();
    let first = body.trim_start();
    if !first.is_empty() && first.len() <= MAX_SUMMARY {
        let _ = write!(out, ", {}", text::one_line(first, MAX_SUMMARY));
    } else if !answer.body.is_empty() {
        let _ = write!(out, ", {}", units::bytes(answer.body.len() as f64));
    }
    out
}

/// Everything that came, of the body at most `max` bytes.
pub fn whole(answer: &Answer, clean: &impl Fn(String) -> String, body: &str, max: usize) -> String {
    let mut out = String::with_capacity(512);
    let _ = writeln!(out, "{:?} {}", answer.version, answer.status);
    for (name, value) in shown_headers(&answer.headers) {
        let _ = writeln!(out, "{name}: {value}");
    }
    out = clean(out);
    let mut cut = body.len().min(max);
    while !body.is_char_boundary(cut) {
        cut -= 1;
    }
    out.push('\n');
    out.push_str(body.get(..cut).unwrap_or(""));
    if cut < body.len() {
        let _ = write!(out, "\n… {} more", units::bytes((body.len() - cut) as f64));
    }
    out
}
