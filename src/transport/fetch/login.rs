//! Logging in to HTTP APIs once for all who ask: tokens kept by login and host, renewed when they
//! are refused, and never tried so often that a server would ban us.

pub mod gate;

use super::auth::Credential;
use super::http::{Answer, Call, fetch, plain_headers};
use super::{Fault, Phase, Way};
use crate::domain::id::HostId;
use crate::domain::text;
use crate::domain::units;
use crate::stack::kind::http::target::Target;
use crate::stack::spec::{Login, TokenFrom};
use gate::{Gate, Outcome, TooEarly};
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The longest answer to a login, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// The longest token, in bytes: it travels in a header of every request.
const MAX_TOKEN: usize = 8 << 10;

/// Kept of why an attempt failed, in characters: it is told until the next one.
const MAX_WHY: usize = 300;

/// All logins of a stack.
#[derive(Debug, Default)]
pub struct Logins(HashMap<String, Slot>);

#[derive(Debug)]
struct Slot {
    login: Login,
    target: Result<Target, String>,
    /// One attempt at a time for the login as a whole: the account is the same from every host,
    /// and so is the ban. Held while an attempt is under way.
    gate: tokio::sync::Mutex<Gate>,
    /// By the host it was asked through: each may reach another server under the same address.
    sessions: Mutex<HashMap<Key, Session>>,
    /// Tokens that were given up, newest last: a server may take them still, and programs print them.
    former: Mutex<VecDeque<Arc<Credential>>>,
}

/// The host, and the name of the session where it has one.
type Key = (HostId, Option<String>);

/// A token that a server gave us.
#[derive(Clone, Debug)]
pub struct Session {
    pub credential: Arc<Credential>,
    /// When, as monotonic time.
    since: Duration,
}

impl Logins {
    pub fn new(logins: &[Login]) -> Self {
        let slot = |login: &Login| {
            let tls = login.url.starts_with("https:").then(|| login.tls.clone());
            let slot = Slot {
                target: Target::parse(&login.url, tls, None),
                gate: tokio::sync::Mutex::new(Gate::new(login.backoff)),
                sessions: Mutex::default(),
                former: Mutex::default(),
                login: login.clone(),
            };
            (login.id.clone(), slot)
        };
        Logins(logins.iter().map(slot).collect())
    }

    /// The tokens of all sessions that are held, or were.
    pub(super) fn known(&self) -> Vec<SecretString> {
        let of = |slot: &Slot| -> Vec<SecretString> {
            let held: Vec<Arc<Credential>> =
                slot.sessions().values().map(|s| Arc::clone(&s.credential)).collect();
            let former = slot.former.lock().unwrap_or_else(PoisonError::into_inner);
            held.iter().chain(former.iter()).flat_map(|c| c.secrets().to_vec()).collect()
        };
        self.0.values().flat_map(of).collect()
    }

    fn slot(&self, id: &str) -> Result<&Slot, Fault> {
        self.0.get(id).ok_or_else(|| Fault::Unknown(format!("no login is called {id}; define [logins.{id}]")))
    }
}

/// Sessions with a name, of one login and host, at most: each is a step's of a procedure.
const MAX_NAMED: usize = 64;

/// Whether a session with a name has been opened already.
///
/// # Errors
/// `Unknown`: no such login.
pub fn is_open(way: &Way<'_>, id: &str, name: &str) -> Result<bool, Fault> {
    Ok(way.access.logins.slot(id)?.at_hand(way, Some(name)).is_some())
}

/// The session to ask with: the one at hand, or a new one. Probes that ask at the same moment
/// wait for one attempt.
///
/// # Errors
/// `Unknown` while logging in fails, is refused or is not allowed yet, with the reason of the last
/// attempt; `Unreachable` when there was no way to the server.
pub async fn session(way: &Way<'_>, id: &str) -> Result<Session, Fault> {
    session_of(way, id, None).await
}

/// The session of a name, opened when the name is first used and never renewed: what it proves is
/// proven of the moment at which it was opened.
///
/// # Errors
/// As [`session`], and when there are too many names.
pub async fn named(way: &Way<'_>, id: &str, name: &str) -> Result<Session, Fault> {
    session_of(way, id, Some(name)).await
}

async fn session_of(way: &Way<'_>, id: &str, name: Option<&str>) -> Result<Session, Fault> {
    let slot = way.access.logins.slot(id)?;
    if let Some(session) = slot.at_hand(way, name) {
        return Ok(session);
    }
    way.phase(Phase::Ours);
    let mut gate = slot.gate.lock().await;
    if let Some(session) = slot.at_hand(way, name) {
        return Ok(session);
    }
    if name.is_some() && slot.sessions().len() >= MAX_NAMED {
        return Err(Fault::Unknown(format!("login {id} has {MAX_NAMED} sessions open already")));
    }
    gate.may_try(way.clock.now().mono).map_err(|early| Fault::Unknown(slot.too_early(&early)))?;
    let target = slot.target.as_ref().map_err(|why| Fault::Unknown(format!("login {id}: {why}")))?;
    // Fetched before the attempt begins, so that a missing secret costs no attempt.
    let password = way.access.secret(&slot.login.password).await?;
    let mut attempt = Attempt { gate: &mut gate, way, settled: false };
    match slot.attempt(way, target, &password).await {
        Ok(credential) => {
            let session = Session { credential: Arc::new(credential), since: way.clock.now().mono };
            attempt.settle(Outcome::Accepted, "");
            slot.sessions().insert((way.host.clone(), name.map(str::to_owned)), session.clone());
            Ok(session)
        }
        Err(Refusal { outcome, fault }) => {
            // Whether the login's server is down is for the probe that asks it directly; those that
            // only need its token learn nothing of their own target.
            let (why, unreachable) = match fault {
                Fault::Down(why) | Fault::Unknown(why) => (why, false),
                Fault::Unreachable(why) => (why, true),
            };
            let why = text::one_line(&why, MAX_WHY);
            if outcome == Outcome::Refused {
                // The next attempt reads it again: perhaps it has been put right by then.
                way.access.secrets.forget(&slot.login.password);
            }
            attempt.settle(outcome, &why);
            drop(attempt);
            let why = match gate.may_try(way.clock.now().mono) {
                Err(early) => slot.too_early(&early),
                Ok(()) => format!("login {id}: {why}"),
            };
            Err(if unreachable { Fault::Unreachable(why) } else { Fault::Unknown(why) })
        }
    }
}

/// After a request with `old` was refused: a newer session, or `None` when `old` is so young
/// that its age cannot be the reason. Renewing is thereby bounded to once in a login's back-off.
///
/// # Errors
/// As [`session`].
pub async fn renew(way: &Way<'_>, id: &str, old: &Session) -> Result<Option<Session>, Fault> {
    let slot = way.access.logins.slot(id)?;
    {
        let mut sessions = slot.sessions();
        let key: Key = (way.host.clone(), None);
        let current = sessions.get(&key);
        if current.is_some_and(|now| Arc::ptr_eq(&now.credential, &old.credential)) {
            if way.clock.now().mono.saturating_sub(old.since) < slot.login.backoff {
                return Ok(None);
            }
            slot.give_up(sessions.remove(&key));
        }
    }
    session(way, id).await.map(Some)
}

/// The same for who acts: however young `old` is, since a step may have made it void a moment ago.
/// Not for what asks again and again.
///
/// # Errors
/// As [`session`].
pub async fn renew_now(way: &Way<'_>, id: &str, old: &Session) -> Result<Session, Fault> {
    let slot = way.access.logins.slot(id)?;
    {
        let mut sessions = slot.sessions();
        let key: Key = (way.host.clone(), None);
        if sessions.get(&key).is_some_and(|now| Arc::ptr_eq(&now.credential, &old.credential)) {
            slot.give_up(sessions.remove(&key));
        }
    }
    session(way, id).await
}

/// An attempt under way. One that is dropped before it has been settled may still have been
/// counted by the server, once there was a connection.
struct Attempt<'a> {
    gate: &'a mut Gate,
    way: &'a Way<'a>,
    settled: bool,
}

impl Attempt<'_> {
    fn settle(&mut self, outcome: Outcome, why: &str) {
        self.settled = true;
        self.gate.settle(self.way.clock.now().mono, outcome, why);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.settled {
            let outcome = unanswered(self.way);
            self.settle(outcome, "the server did not answer a login in time");
        }
    }
}

/// What an attempt without an answer counts as.
fn unanswered(way: &Way<'_>) -> Outcome {
    match way.current_phase() {
        Phase::Waiting | Phase::Reading => Outcome::Unsettled,
        Phase::Ours | Phase::Connecting => Outcome::Trouble,
    }
}

struct Refusal {
    outcome: Outcome,
    fault: Fault,
}

impl Slot {
    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the token of a session that is no longer used, as one that must not be shown.
    fn give_up(&self, session: Option<Session>) {
        let mut former = self.former.lock().unwrap_or_else(PoisonError::into_inner);
        former.extend(session.map(|s| s.credential));
        if former.len() > MAX_NAMED {
            former.pop_front();
        }
    }

    fn at_hand(&self, way: &Way<'_>, name: Option<&str>) -> Option<Session> {
        self.sessions().get(&(way.host.clone(), name.map(str::to_owned))).cloned()
    }

    fn too_early(&self, early: &TooEarly) -> String {
        let TooEarly { left, why } = early;
        let next = units::long_age(Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0)));
        format!("login {}: {why}; next try in {next}", self.login.id)
    }

    /// One attempt. What the server says in its body is not quoted: it may echo the password.
    async fn attempt(
        &self,
        way: &Way<'_>,
        target: &Target,
        password: &SecretString,
    ) -> Result<Credential, Refusal> {
        let ask =
            serde_json::json!({ "username": self.login.username, "password": password.expose_secret() });
        let mut headers =
            plain_headers(target).map_err(|fault| Refusal { outcome: Outcome::Trouble, fault })?;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let call = Call {
            target,
            method: Method::POST,
            headers,
            body: Bytes::from(ask.to_string()),
            max_body: MAX_ANSWER,
            keep: false,
            gzip: false,
        };
        let answer =
            fetch(way, call, &mut None).await.map_err(|fault| Refusal { outcome: unanswered(way), fault })?;
        let no = |outcome, why: String| Refusal { outcome, fault: Fault::Unknown(why) };
        let (status, user) = (answer.status, &self.login.username);
        match status.as_u16() {
            // A form's login answers with a redirection; the token is what counts.
            200..=399 => {}
            429 => {
                let told = retry_after(&answer.headers, way.clock.now().wall);
                return Err(no(Outcome::Limited(told), format!("refused for now with {status}")));
            }
            400..=499 => return Err(no(Outcome::Refused, format!("refused as {user} with {status}"))),
            _ => return Err(no(Outcome::Trouble, format!("failed with {status}"))),
        }
        let token = token(&answer, &self.login.token);
        let made = token.and_then(|token| match &self.login.token {
            TokenFrom::Cookie(name) => Credential::cookie(name, &token),
            TokenFrom::Body(_) => Credential::bearer(&token),
        });
        made.map_err(|why| no(Outcome::Refused, format!("answered as {user} with {status}, but {why}")))
    }
}

/// The token in a login's answer.
fn token(answer: &Answer, from: &TokenFrom) -> Result<SecretString, String> {
    let found = match from {
        TokenFrom::Cookie(name) => cookie(&answer.headers, name)
            .map(str::to_owned)
            .ok_or_else(|| format!("without the cookie {name}"))?,
        TokenFrom::Body(path) => {
            let body: serde_json::Value =
                serde_json::from_slice(&answer.body).map_err(|_| "without a JSON body".to_owned())?;
            let value = path.split('.').try_fold(&body, |value, key| value.get(key));
            value
                .and_then(serde_json::Value::as_str)
                .map(str::to_owned)
                .ok_or_else(|| format!("without a token at {path}"))?
        }
    };
    if found.is_empty() || found.len() > MAX_TOKEN {
        return Err(format!("with a token of {} bytes", found.len()));
    }
    Ok(SecretString::from(found))
}

/// The value of a cookie that is being set; a server that takes one back sets it to nothing.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get_all(header::SET_COOKIE).iter().find_map(|value| {
        let pair = value.to_str().ok()?.split(';').next()?;
        let (key, value) = pair.split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers_of(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (header::HeaderName::from_static(k), v.parse().unwrap())).collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let headers: HeaderMap =
            [("set-cookie", "a=1"), ("set-cookie", "admin_token = ab.c; HttpOnly; Path=/")]
                .map(|(k, v)| (header::HeaderName::from_static(k), v.parse().unwrap()))
                .into_iter()
                .fold(HeaderMap::new(), |mut all, (k, v)| {
                    all.append(k, v);
                    all
                });
        assert_eq!(cookie(&headers, "admin_token"), Some("ab.c"));
        assert_eq!(cookie(&headers, "token"), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let table = [
            ("900", Some(900)),
            ("Thu, 01 Jan 2026 00:01:00 GMT", Some(60)),
            ("Thu, 01 Jan 2015 00:01:00 GMT", Some(0)),
            ("soon", None),
        ];
        for (text, want) in table {
            let got = retry_after(&headers_of(&[("retry-after", text)]), now);
            assert_eq!(got, want.map(Duration::from_secs), "{text}");
        }
    }
}
