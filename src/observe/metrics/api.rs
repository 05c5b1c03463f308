//! Asking the HTTP API of a monitoring server: within a deadline and a bound, through the host's
//! transport, with failures in words.

use super::way::{self, Way};
use crate::domain::text;
use crate::domain::units;
use crate::stack::kind::http::Auth;
use crate::stack::metrics::Remote;
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use crate::transport::fetch::auth::Credential;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use secrecy::SecretString;
use std::fmt;
use std::sync::Arc;

/// A query longer than this is sent as a form: servers and proxies bound their request lines.
const MAX_LINE: usize = 2000;
/// Kept of an answer that is an error, in bytes.
const MAX_ERROR: usize = 64 << 10;
/// Quoted of a body that is not understood, in characters.
const MAX_QUOTED: usize = 120;

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskError {
    /// Nobody answered: refused, unreachable, too slow, closed, or "not now".
    Silent(String),
    /// It does not let us in.
    Denied(String),
    /// Something answers that is not the API that was expected.
    Stranger(String),
    /// It has no such function; others of its kind do.
    Absent(String),
    /// It understood and answered with an error of its own: the expression is wrong, say.
    Refused(String),
    /// The answer is larger than the bound.
    TooLarge(String),
    /// It could not be asked, and that is our doing: no secret, no CA file.
    Ours(String),
}

impl AskError {
    /// Whether the server itself is there and well, as far as this shows.
    pub fn answers(&self) -> bool {
        matches!(self, AskError::Absent(_) | AskError::Refused(_) | AskError::TooLarge(_))
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::Silent(why)
            | AskError::Denied(why)
            | AskError::Stranger(why)
            | AskError::Absent(why)
            | AskError::Refused(why)
            | AskError::TooLarge(why)
            | AskError::Ours(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for AskError {}

/// What came back, whatever its status.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

/// One server's API.
#[derive(Debug)]
pub struct Api {
    remote: Remote,
    transport: Arc<Transport>,
    access: Arc<Access>,
    headers: HeaderMap,
    way: tokio::sync::Mutex<Option<Way>>,
}

impl Api {
    /// Nothing is opened yet.
    pub fn new(remote: Remote, transport: Arc<Transport>, access: Arc<Access>) -> Api {
        Api { remote, transport, access, headers: HeaderMap::new(), way: tokio::sync::Mutex::default() }
    }

    /// With a header on every request, such as `X-Scope-OrgID`.
    ///
    /// # Errors
    /// It is no header.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Api, String> {
        let shown = text::one_line(name, 60);
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{shown}` is no header's name"))?;
        let value =
            HeaderValue::from_str(value).map_err(|_| format!("the value of `{shown}` cannot be sent"))?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// As it was written.
    pub fn url(&self) -> &str {
        &self.remote.target.url
    }

    /// How long one request may take.
    pub fn timeout(&self) -> std::time::Duration {
        self.remote.timeout
    }

    /// Asks `path` (with its leading slash) below the base, with these parameters, and reads at
    /// most `max` bytes after decompression. Cancel-safe.
    ///
    /// # Errors
    /// No answer, no access, a redirect elsewhere, too much. Other statuses are the caller's.
    pub async fn get(&self, path: &str, params: &[(&str, String)], max: usize) -> Result<Reply, AskError> {
        let work = self.exchange(path, params, max);
        if let Ok(result) = tokio::time::timeout(self.remote.timeout, work).await {
            return result;
        }
        let within = units::exact(self.remote.timeout);
        let why = self.transport.trouble().map(|t| format!(" ({t})")).unwrap_or_default();
        Err(AskError::Silent(format!("no answer within {within}{why}")))
    }

    async fn exchange(&self, path: &str, params: &[(&str, String)], max: usize) -> Result<Reply, AskError> {
        let credential = self.credential().await?;
        let way = self.way().await?;
        let pairs: Vec<(&str, &str)> = params.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let url = way::url(&self.remote.target, path);
        let long = params.iter().map(|(k, v)| k.len() + v.len() + 2).sum::<usize>() > MAX_LINE;
        let mut request = if long {
            way.client.request(Method::POST, url).form(&pairs)
        } else if pairs.is_empty() {
            way.client.get(url)
        } else {
            way.client.get(url).query(&pairs)
        };
        request = request.headers(self.headers.clone()).header("accept", "application/json");
        if let Some(host) = way::host_header(&self.remote.target) {
            request = request.header("host", host);
        }
        if let Some(c) = &credential {
            request = request.header(c.header.clone(), c.value.clone());
        }
        let again = request.try_clone();
        let answer = match request.send().await {
            // A kept connection may have died since; everything here reads, so asking twice is safe.
            Err(e) if way::is_broken(&e) => match again {
                Some(again) => again.send().await,
                None => Err(e),
            },
            answer => answer,
        };
        let answer = answer.map_err(|e| way.in_words(&self.remote.target, &e))?;
        let (mut reply, to) = self.read(&way, answer, max).await?;
        if let Some(c) = credential.filter(|_| reply.status != 200 || is_html(&reply.body)) {
            // Errors are shown, and may quote what was sent.
            reply.body.truncate(MAX_ERROR);
            reply.body = c.redact(&String::from_utf8_lossy(&reply.body)).into_owned().into_bytes();
        }
        self.judge(&reply, to.as_deref())?;
        Ok(reply)
    }

    /// The status, the body up to its bound, and where a redirect leads.
    async fn read(
        &self,
        way: &Way,
        mut answer: Response,
        max: usize,
    ) -> Result<(Reply, Option<String>), AskError> {
        let too_large = || {
            AskError::TooLarge(format!("expected at most {} of answer, got more", units::bytes(max as f64)))
        };
        let status = answer.status().as_u16();
        let to = answer.headers().get("location").map(|l| text::one_line_bytes(l.as_bytes(), 120));
        if answer.content_length().is_some_and(|n| n > max as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|e| way.in_words(&self.remote.target, &e))? {
            if body.len() + piece.len() > max {
                return Err(too_large());
            }
            body.extend_from_slice(&piece);
        }
        Ok((Reply { status, body }, to))
    }

    /// Refuses what is no answer whatever the API.
    fn judge(&self, reply: &Reply, to: Option<&str>) -> Result<(), AskError> {
        match reply.status {
            300..=399 => {
                let to = to.unwrap_or("nowhere");
                Err(AskError::Stranger(format!(
                    "it sends us to {to}, which is elsewhere and is not followed"
                )))
            }
            401 | 403 => {
                if let Auth::Bearer(id) | Auth::Basic { password: id, .. } = &self.remote.auth {
                    // It may have been changed; the next request fetches it anew.
                    self.access.secrets.forget(id);
                }
                let what = if reply.status == 401 { "401 Unauthorized" } else { "403 Forbidden" };
                let said = quote(&reply.body);
                Err(AskError::Denied(if said.is_empty() {
                    what.to_owned()
                } else {
                    format!("{what}: {said}")
                }))
            }
            _ => Ok(()),
        }
    }

    /// The way there, made when first needed and again when the CA file has changed.
    async fn way(&self) -> Result<Way, AskError> {
        let mut kept = self.way.lock().await;
        let config = way::tls_config(&self.remote.target).await.map_err(AskError::Ours)?;
        if let Some(way) = kept.as_ref().filter(|w| Arc::ptr_eq(&w.tls, &config)) {
            return Ok(way.clone());
        }
        let way = Way::new(&self.remote.target, &self.transport, config).map_err(AskError::Ours)?;
        Ok(kept.insert(way).clone())
    }

    async fn credential(&self) -> Result<Option<Credential>, AskError> {
        let made = match &self.remote.auth {
            Auth::None => return Ok(None),
            Auth::Login(id) => {
                Err(format!("the login {id} cannot be used here: use a bearer token or a password"))
            }
            Auth::Bearer(id) => Credential::bearer(&self.secret(id).await?),
            Auth::Basic { user, password } => Credential::basic(user, &self.secret(password).await?),
        };
        made.map(Some).map_err(AskError::Ours)
    }

    async fn secret(&self, id: &crate::domain::id::SecretId) -> Result<SecretString, AskError> {
        self.access.secret(id).await.map_err(|fault| AskError::Ours(fault.why().to_owned()))
    }
}

/// The beginning of a body, safe to show; a page of HTML is its title.
pub fn quote(body: &[u8]) -> String {
    let head = String::from_utf8_lossy(body.get(..body.len().min(4096)).unwrap_or(body));
    let lower = head.to_ascii_lowercase();
    if let Some(at) = lower.find("<title") {
        let rest = head.get(at..).unwrap_or("");
        let title = rest.split_once('>').map_or("", |(_, t)| t).split('<').next().unwrap_or("");
        return format!("the page \"{}\"", text::one_line(title, MAX_QUOTED));
    }
    text::one_line(&head, MAX_QUOTED)
}

/// Whether a body is a page for a browser.
pub fn is_html(body: &[u8]) -> bool {
    let head = body.trim_ascii_start();
    let begins = |with: &str| head.get(..with.len()).is_some_and(|h| h.eq_ignore_ascii_case(with.as_bytes()));
    begins("<!doctype") || begins("<html") || begins("<head") || begins("<body")
}

/// What an answer is that should have been a JSON document of `what` and is not.
pub fn stranger(what: &str, reply: &Reply, wrong: &str) -> AskError {
    let Reply { status, body } = reply;
    if body.is_empty() {
        return AskError::Stranger(format!(
            "expected the API of {what}, got an empty answer with status {status}"
        ));
    }
    if is_html(body) {
        return AskError::Stranger(format!("expected the API of {what}, got HTML: {}", quote(body)));
    }
    if matches!(status, 502..=504) {
        return AskError::Silent(format!("status {status}: {}", quote(body)));
    }
    AskError::Stranger(format!(
        "expected the API of {what}, got status {status} and {wrong}: {}",
        quote(body)
    ))
}
