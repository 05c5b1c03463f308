//! `uses = "http"`: one request, and what its answer must be.

use super::expect::Expect;
use super::mark::Mark;
use super::unix_json::{perhaps, secret_values};
use super::{Answer, Left, Setting, Stop, Target};
use crate::act::place;
use crate::domain::procedure::action::kinds::Http;
use crate::domain::text;
use crate::domain::units::Unit;
use crate::stack::kind::common::Tls;
use crate::stack::kind::http::FACTS;
use crate::stack::kind::http::target::Target as Url;
use crate::transport::fetch::ask::ask_as;
use crate::transport::fetch::auth::{Credential, redact};
use crate::transport::fetch::http::{Answer as Reply, Call, fetch, plain_headers};
use crate::transport::fetch::{Fault, Way, facts, login};
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;

/// The longest body of an answer, in bytes.
pub const MAX_BODY: usize = 1 << 20;
/// What is expected where nothing is said.
const WELL: &str = "[STATUS] in 200..299";

/// Whether all is there that the request needs. What the server will do with it shows only then.
pub async fn target(a: &Http, s: &Setting<'_>) -> Target {
    let mut target = Target::unpinned();
    if a.insecure {
        target.warnings.push("the server's certificate is not checked (insecure)".to_owned());
    }
    if let Err(why) = expected(a) {
        return target.but_impossible(why);
    }
    if let Some(id) = a.login.as_ref().filter(|id| !s.stack.logins.iter().any(|l| l.id == **id)) {
        return target.but_impossible(format!("no login is called {id}"));
    }
    let request = match Request::of(a, s).await {
        Ok(request) => request,
        Err(why) => return target.but_impossible(why),
    };
    if (a.login.is_some() || !request.secrets.is_empty()) && request.url.is_exposed() {
        target.warnings.push(format!("this sends a secret over plain http to {}", request.url.endpoint));
    }
    if let Err(e) = s.transport.connect(&request.url.endpoint).await {
        target.warnings.push(format!("{} takes no connection now: {e}", request.url.endpoint));
    }
    target
}

/// A request with everything filled in.
struct Request {
    url: Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    /// Those that it holds.
    secrets: Vec<SecretString>,
}

impl Request {
    async fn of(a: &Http, s: &Setting<'_>) -> Result<Request, String> {
        let text = place::plain(&a.url, s)?;
        let tls = text.get(..6).is_some_and(|t| t.eq_ignore_ascii_case("https:"));
        let tls = tls.then(|| Tls { ca: a.ca.clone(), server_name: None, insecure: a.insecure });
        let url = Url::parse(&text, tls, None)?;
        let shown = text::one_line(&a.method, 20);
        let method = Method::from_bytes(a.method.as_bytes()).map_err(|_| format!("{shown} is no method"))?;
        let mut headers = plain_headers(&url).map_err(|fault| fault.why().to_owned())?;
        let mut secrets = Vec::new();
        if a.body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &a.headers {
            secrets.extend(secret_values(value, s).await?);
            let shown = text::one_line(name, 40);
            let value = place::full(value, s).await?;
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{shown} is no header"))?;
            let mut value = HeaderValue::from_str(value.expose_secret())
                .map_err(|_| format!("the value of the header {shown} cannot be sent"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut body = Bytes::new();
        if let Some(text) = &a.body {
            secrets.extend(secret_values(text, s).await?);
            body = Bytes::copy_from_slice(place::full(text, s).await?.expose_secret().as_bytes());
        }
        Ok(Request { url, method, headers, body, secrets })
    }

    fn call(&self, max_body: usize) -> Call<'_> {
        Call {
            target: &self.url,
            method: self.method.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            max_body,
            keep: false,
            gzip: false,
        }
    }
}

/// An answer, and the secrets that it may echo.
pub struct Got {
    pub reply: Reply,
    credential: Option<Arc<Credential>>,
    secrets: Vec<SecretString>,
}

impl Got {
    /// A text of the answer without what was sent to get it.
    pub fn clean(&self, text: &str) -> String {
        let text = redact(&self.secrets, text);
        match &self.credential {
            Some(credential) => credential.redact(&text).into_owned(),
            None => text.into_owned(),
        }
    }

    /// What was sent and must not be kept.
    pub fn secrets(&self) -> Vec<SecretString> {
        let credential = self.credential.iter().flat_map(|c| c.secrets().to_vec());
        self.secrets.iter().cloned().chain(credential).collect()
    }

    /// The body as text, cleaned.
    pub fn body(&self) -> String {
        self.clean(&String::from_utf8_lossy(&self.reply.body))
    }
}

/// Sends the request, of whose answer's body at most `max_body` bytes are taken. Redirects are
/// never followed. Not bounded in time. Cancel-safe.
///
/// # Errors
/// There is no answer; it says whether the request may have been carried out all the same.
pub async fn answer(a: &Http, s: &Setting<'_>, way: &Way<'_>, max_body: usize) -> Result<Got, String> {
    let request = Request::of(a, s).await.map_err(|why| format!("nothing was sent: {why}"))?;
    let sent = match &a.login {
        Some(id) => {
            let session = a.session.as_deref();
            if let Some(name) = session {
                open_once(way, s, id, name)?;
            }
            ask_as(way, id, session, request.call(max_body)).await.map(|(reply, c)| (reply, Some(c)))
        }
        None => fetch(way, request.call(max_body), &mut None).await.map(|reply| (reply, None)),
    };
    let (reply, credential) = sent.map_err(|fault| {
        let why = redact(&request.secrets, fault.why()).into_owned();
        match fault {
            // We lacked something: whatever phase a login left behind, this was not sent.
            Fault::Unknown(_) => format!("{why}; nothing was sent"),
            _ => format!("{why}{}", perhaps(way)),
        }
    })?;
    Ok(Got { reply, credential, secrets: request.secrets })
}

/// A session with a name is one login for the whole run. Its token dies with the runner that holds
/// it, and another one in its place would prove nothing; so only the step that opened it may open
/// it again.
fn open_once(way: &Way<'_>, s: &Setting<'_>, id: &str, name: &str) -> Result<(), String> {
    if login::is_open(way, id, name).map_err(|fault| fault.why().to_owned())? {
        return Ok(());
    }
    let mark = Mark::of(s, &format!("{id}/{name}"), "session");
    match mark.read()? {
        Some(step) if step != s.step.as_str() => Err(format!(
            "nothing was sent: the session {name} was opened by the step {step} and its token was lost with an \
             earlier runner; a new one in its place would prove nothing"
        )),
        _ => mark.leave(s.step.as_str()),
    }
}

/// Sends the request and holds the answer against what is expected.
pub async fn perform(a: &Http, s: &Setting<'_>, stop: &Stop) -> Left {
    let expect = match expected(a) {
        Ok(expect) => expect,
        Err(why) => return Left::failed(format!("nothing was sent: {why}")),
    };
    let way = Way::new(s.transport, s.access, s.clock, s.host);
    let start = s.clock.now();
    let got = tokio::select! {
        biased;
        () = stop.stopped() => return Left::killed(format!("ended while waiting{}", perhaps(&way))),
        got = answer(a, s, &way, MAX_BODY) => got,
    };
    let got = match got {
        Ok(got) => got,
        Err(why) => return Left::failed(why),
    };
    match judge(&expect, &got, s.clock.now().since(start)) {
        Ok(brief) => Left::done(format!("answered {brief}")),
        Err(why) => Left::failed(why),
    }
}

/// What a request expects of its answer: a status of 2xx where it says nothing.
///
/// # Errors
/// One of them is no condition on an answer; completes "failed: …".
pub fn expected(a: &Http) -> Result<Expect, String> {
    Expect::parse(&a.expect, Some(WELL), FACTS)
}

/// Holds an answer that took so long against what is expected; gives it in brief.
///
/// # Errors
/// What does not hold, and what the server answered.
pub fn judge(expect: &Expect, got: &Got, took: Duration) -> Result<String, String> {
    let body = got.body();
    let mut found =
        facts::of(&got.reply, &body, &|text: String| got.clean(&text), &|name: &str| expect.wants(name));
    found.number("LATENCY", took.as_secs_f64(), Unit::Seconds);
    let brief = facts::summary(&got.reply, &body);
    match expect.judge(&found) {
        Ok(()) => Ok(brief),
        Err(why) => Err(format!("{why}; it answered {brief}{}", quoted(&got.reply, &body))),
    }
}

/// What a server says of its refusal, when the summary is too short for it.
fn quoted(reply: &Reply, body: &str) -> String {
    if reply.status.is_success() || body.trim().is_empty() || body.len() <= 60 {
        return String::new();
    }
    format!(": {}", text::one_line(body, 160))
}

/// What only reads can be sent again; of the rest the server does not tell.
pub fn ask(a: &Http) -> Answer {
    if ["GET", "HEAD", "OPTIONS"].contains(&a.method.as_str()) {
        return Answer::did_not(format!("{} only reads: it can be sent again", a.method));
    }
    Answer::unknown(format!("the server does not tell whether the {} reached it", a.method))
}
