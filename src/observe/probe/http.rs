//! Looks at an HTTP endpoint with one request: status, headers, body.

use super::{Context, Fault, Found};
use crate::stack::kind::http::Spec;
use crate::transport::fetch::ask::ask;
use crate::transport::fetch::auth::Credential;
use crate::transport::fetch::facts;
use crate::transport::fetch::http::{Answer, Call, plain_headers, unsendable};
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use std::borrow::Cow;

/// Kept of a body as evidence, in bytes.
const MAX_EVIDENCE: usize = 8 << 10;

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
    let facts = facts::of(answer, &body, &clean, &|name| cx.speaks_of(name));
    let evidence = facts::whole(answer, &clean, &body, MAX_EVIDENCE);
    Found { facts, summary: facts::summary(answer, &body), evidence, ..Found::default() }
}
