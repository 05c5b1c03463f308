//! Looks at an HTTP endpoint with one request: status, headers, body.

use super::{Context, Fault, Found};
use crate::domain::fact::Fact;
use crate::domain::text;
use crate::domain::units::{self, Unit};
use crate::transport::fetch::ask::ask;
use crate::transport::fetch::auth::{Credential, REDACTED};
use crate::transport::fetch::http::{Answer, Call, plain_headers, unsendable};
use crate::stack::kind::http::Spec;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Kept of a body as evidence, in bytes.
const MAX_EVIDENCE: usize = 8 << 10;
/// Shown of a short body as the reason while all is well, in characters.
const MAX_SUMMARY: usize = 60;

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let mut kept = if spec.keep_alive { cx.shared.kept.take(&cx.probe.id) } else { None };
    let (answer, credential) = ask(&cx.way, &spec.auth, call(spec)?, &mut kept).await?;
    if let Some(open) = kept {
        cx.shared.kept.put(&cx.probe.id, open);
    }
    Ok(report(&answer, credential.as_deref(), cx))
}

fn call(spec: &Spec) -> Result<Call<'_>, Fault> {
    let mut headers = plain_headers(&spec.target)?;
    if spec.keep_alive {
        headers.remove(header::CONNECTION);
    }
    if spec.body.is_some() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in &spec.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(unsendable)?;
        headers.insert(name, HeaderValue::from_str(value).map_err(unsendable)?);
    }
    Ok(Call {
        target: &spec.target,
        method: Method::from_bytes(spec.method.as_bytes()).map_err(unsendable)?,
        headers,
        body: spec.body.as_ref().map_or_else(Bytes::new, |b| Bytes::copy_from_slice(b.as_bytes())),
        max_body: spec.max_body,
        keep: spec.keep_alive,
        gzip: false,
    })
}

/// The facts of an answer. What no condition speaks of is not worked out.
fn report(answer: &Answer, credential: Option<&Credential>, cx: &Context<'_>) -> Found {
    let clean = |text: String| match credential.map(|c| c.redact(&text).into_owned()) {
        Some(redacted) => redacted,
        None => text,
    };
    let body = String::from_utf8_lossy(&answer.body);
    let body = credential.map_or_else(|| body.clone(), |c| Cow::Owned(c.redact(&body).into_owned()));
    let mut found = Found { summary: summary(answer, &body), ..Found::default() };
    found.facts.number("STATUS", f64::from(answer.status.as_u16()), Unit::None);
    found.facts.number("SIZE", answer.body.len() as f64, Unit::Bytes);
    if cx.speaks_of("BODY") {
        let value = serde_json::from_str(&body).unwrap_or_else(|_| Value::String(body.to_string()));
        found.facts.set("BODY", Fact::Json(value));
    }
    if cx.speaks_of("HEADER") {
        let headers =
            shown_headers(&answer.headers).map(|(k, v)| (k.to_owned(), Value::String(clean(v.into_owned()))));
        found.facts.set("HEADER", Fact::Json(Value::Object(headers.collect::<Map<_, _>>())));
    }
    found.evidence = evidence(answer, &clean, &body);
    found
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

fn summary(answer: &Answer, body: &str) -> String {
    let mut out = answer.status.to_string();
    let first = body.trim_start();
    if !first.is_empty() && first.len() <= MAX_SUMMARY {
        let _ = write!(out, ", {}", text::one_line(first, MAX_SUMMARY));
    } else if !answer.body.is_empty() {
        let _ = write!(out, ", {}", units::bytes(answer.body.len() as f64));
    }
    out
}

fn evidence(answer: &Answer, clean: &impl Fn(String) -> String, body: &str) -> String {
    let mut out = String::with_capacity(512);
    let _ = writeln!(out, "{:?} {}", answer.version, answer.status);
    for (name, value) in shown_headers(&answer.headers) {
        let _ = writeln!(out, "{name}: {value}");
    }
    out = clean(out);
    let mut cut = body.len().min(MAX_EVIDENCE);
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
