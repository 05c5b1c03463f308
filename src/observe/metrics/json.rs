//! A JSON document fetched over HTTP, as series.

use super::collect::{Look, Looking};
use super::families::{About, families};
use super::labels::TargetLabels;
use super::mapping::map;
use crate::domain::text;
use crate::stack::metrics::{Http, Mapped};
use crate::transport::fetch::Fault;
use crate::transport::fetch::ask::ask;
use crate::transport::fetch::auth::Credential;
use crate::transport::fetch::http::{Answer, Call, Open, plain_headers};
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use serde_json::Value;
use std::borrow::Cow;

/// Shown of a body that is not what was expected, in characters.
const MAX_QUOTED: usize = 60;

/// A document's address and what is taken out of it.
#[derive(Debug)]
pub struct Json {
    http: Http,
    series: Vec<Mapped>,
    kept: Option<Box<Open>>,
}

impl Json {
    pub fn new(http: Http, series: Vec<Mapped>) -> Self {
        Json { http, series, kept: None }
    }

    /// Fetches and maps once. Cancel-safe.
    pub(super) async fn look(&mut self, cx: &Looking<'_>) -> Result<Look, Fault> {
        let mut headers = plain_headers(&self.http.target)?;
        headers.remove(header::CONNECTION);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let (answer, credential) = get(&self.http, headers, cx, &mut self.kept).await?;
        if !answer.status.is_success() {
            return Err(refused("a JSON document", &answer, credential.as_deref()));
        }
        read(&answer.body, &self.series, cx.labels, cx.explore).map_err(|why| {
            if why.is_empty() {
                return Fault::Down(format!("expected JSON, got {}", quoted(&answer, credential.as_deref())));
            }
            Fault::Down(clean(&why, credential.as_deref()))
        })
    }
}

/// Maps one document.
///
/// # Errors
/// What is wrong with it; an empty text when it is no JSON at all.
pub(super) fn read(
    body: &[u8],
    series: &[Mapped],
    labels: &TargetLabels,
    explore: bool,
) -> Result<Look, String> {
    // The reader itself gives up at 128 levels.
    let doc: Value = serde_json::from_slice(body).map_err(|e| match e.classify() {
        serde_json::error::Category::Eof if !body.is_empty() => {
            "expected a JSON document, got one that is cut off".to_owned()
        }
        _ if body.first().is_some_and(|b| b"{[".contains(b)) => {
            format!("expected a JSON document, got one that is malformed: {e}")
        }
        _ => String::new(),
    })?;
    let mapping = map(&doc, series, labels)?;
    let families = explore.then(|| families(&mapping.found, |name| About::mapped(series, name)));
    Ok(Look {
        seen: mapping.found.len(),
        found: mapping.found,
        trouble: mapping.trouble,
        families,
        quiet: Vec::new(),
    })
}

/// Fetches a document over a connection that is kept.
pub(super) async fn get(
    http: &Http,
    headers: header::HeaderMap,
    cx: &Looking<'_>,
    kept: &mut Option<Box<Open>>,
) -> Result<(Answer, Option<std::sync::Arc<Credential>>), Fault> {
    let call = Call {
        target: &http.target,
        method: Method::GET,
        headers,
        body: Bytes::new(),
        max_body: http.max_body,
        keep: true,
        gzip: true,
    };
    ask(&cx.way, &http.auth, call, kept).await
}

/// An answer with another status than was hoped for.
pub(super) fn refused(what: &str, answer: &Answer, credential: Option<&Credential>) -> Fault {
    let to = answer.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
    let to = to.map(|to| format!(" to {}", clean(to, credential))).unwrap_or_default();
    Fault::Down(format!("expected {what}, got {}{to}", answer.status))
}

/// The beginning of a body, for a reason.
pub(super) fn quoted(answer: &Answer, credential: Option<&Credential>) -> String {
    let start = String::from_utf8_lossy(answer.body.get(..answer.body.len().min(4 << 10)).unwrap_or(&[]));
    let start = start.trim_start();
    if is_html(answer, start) {
        return "an HTML page".to_owned();
    }
    if start.is_empty() {
        return "an empty body".to_owned();
    }
    let start = clean(start.lines().next().unwrap_or(""), credential);
    format!("\"{}\"", text::one_line(&start, MAX_QUOTED))
}

/// Whether an answer is a page for people.
pub(super) fn is_html(answer: &Answer, start: &str) -> bool {
    let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    kind.trim_start().starts_with("text/html") || start.starts_with("<!") || start.starts_with("<html")
}

/// A text from the server without the secrets that it was sent.
pub(super) fn clean(text: &str, credential: Option<&Credential>) -> String {
    credential.map_or(Cow::Borrowed(text), |c| c.redact(text)).into_owned()
}
