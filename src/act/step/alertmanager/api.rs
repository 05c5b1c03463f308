//! The few requests of an Alertmanager's API (version 2) that change something or show that they
//! did.

use crate::act::step::Setting;
use crate::domain::series::{Labels, Matcher};
use crate::domain::text;
use crate::stack::metrics::Remote;
use crate::transport::Transport;
use crate::transport::fetch::auth::{Credential, fixed};
use crate::transport::fetch::http::{Call, fetch, plain_headers};
use crate::transport::fetch::{Way, http};
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The largest answer, in bytes.
const MAX_BODY: usize = 16 << 20;

/// The stack's Alertmanager, for one step.
pub struct Api<'a> {
    remote: &'a Remote,
    way: Way<'a>,
}

/// A silence that still holds, or will.
pub struct Silence {
    pub id: String,
    pub until: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSilence {
    id: String,
    comment: String,
    ends_at: Timestamp,
    status: WireState,
}

#[derive(Deserialize)]
struct WireState {
    state: String,
}

#[derive(Deserialize)]
struct WireAlert {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    status: WireState,
}

impl<'a> Api<'a> {
    /// Nothing is opened yet.
    ///
    /// # Errors
    /// The stack has none, or it is seen from another host than the step's.
    pub fn of(s: &'a Setting<'_>) -> Result<Api<'a>, String> {
        let remote = s.stack.metrics.alertmanager.as_ref();
        let remote = remote.ok_or("the stack has no [alertmanager]")?;
        Ok(Api { remote, way: Way::new(transport(s, remote)?, s.access, s.clock, &remote.host) })
    }

    pub fn way(&self) -> &Way<'a> {
        &self.way
    }

    /// Whether it answers.
    pub async fn reachable(&self) -> Result<(), String> {
        self.ask(Method::GET, "/api/v2/status", None).await.map(|_| ())
    }

    /// The names of the alerts that fire now and are selected.
    pub async fn firing(&self, matchers: &[Matcher]) -> Result<Vec<String>, String> {
        let all: Vec<WireAlert> = self.list("/api/v2/alerts").await?;
        let taken = all.into_iter().filter(|a| {
            let labels = Labels::new(a.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            a.status.state == "active" && matchers.iter().all(|m| m.selects(&labels))
        });
        Ok(taken.map(|mut a| a.labels.remove("alertname").unwrap_or_default()).collect())
    }

    /// The silence whose comment ends in this mark, unless it has expired.
    pub async fn silence_of(&self, mark: &str) -> Result<Option<Silence>, String> {
        let all: Vec<WireSilence> = self.list("/api/v2/silences").await?;
        let end = format!("({mark})");
        let found = all.into_iter().find(|s| s.status.state != "expired" && s.comment.ends_with(&end));
        Ok(found
            .filter(|s| s.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
            .map(|s| Silence { until: super::seconds(s.ends_at), id: s.id }))
    }

    /// Whether it has an alert with this annotation.
    pub async fn has_alert(&self, name: &str, value: &str) -> Result<bool, String> {
        let all: Vec<WireAlert> = self.list("/api/v2/alerts").await?;
        Ok(all.iter().any(|a| a.annotations.get(name).is_some_and(|v| v == value)))
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let said = self.ask(Method::POST, path, Some(body.to_string())).await?;
        Ok(serde_json::from_slice(&said).unwrap_or(Value::Null))
    }

    pub async fn delete(&self, path: &str) -> Result<(), String> {
        self.ask(Method::DELETE, path, None).await.map(|_| ())
    }

    async fn list<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, String> {
        let body = self.ask(Method::GET, path, None).await?;
        serde_json::from_slice(&body).map_err(|e| {
            format!("expected the API of an Alertmanager: {}", text::one_line(&e.to_string(), 120))
        })
    }

    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Result<Bytes, String> {
        let shown = format!("the Alertmanager at {}", self.remote.target.url);
        let why = |fault: crate::transport::fetch::Fault| format!("{shown}: {}", fault.why());
        let credential = fixed(&self.remote.auth, self.way.access).await.map_err(why)?;
        let mut to = self.remote.target.clone();
        let (base, query) = to.path.split_once('?').unwrap_or((&to.path, ""));
        let mark = if query.is_empty() { "" } else { "?" };
        to.path = format!("{}{path}{mark}{query}", base.trim_end_matches('/'));
        let mut headers = plain_headers(&to).map_err(why)?;
        for (name, value) in &self.remote.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(http::unsendable).map_err(why)?;
            headers.insert(name, HeaderValue::from_str(value).map_err(http::unsendable).map_err(why)?);
        }
        if body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(c) = &credential {
            headers.insert(c.header.clone(), c.value.clone());
        }
        let body = body.map_or_else(Bytes::new, Bytes::from);
        let call = Call { target: &to, method, headers, body, max_body: MAX_BODY, keep: false, gzip: false };
        let asked = tokio::time::timeout(self.remote.timeout, fetch(&self.way, call, &mut None)).await;
        let answer = asked.unwrap_or_else(|_| Err(self.way.late(self.remote.timeout))).map_err(why)?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        let said = String::from_utf8_lossy(&answer.body);
        let said = credential
            .as_ref()
            .map_or_else(|| said.clone(), |c: &Credential| c.redact(&said).into_owned().into());
        Err(format!("{shown} said {}: {}", answer.status, text::one_line(said.trim_matches('"'), 200)))
    }
}

/// The way to the host that the Alertmanager is seen from.
fn transport<'a>(s: &'a Setting<'_>, remote: &Remote) -> Result<&'a Transport, String> {
    if remote.host == *s.host {
        return Ok(s.transport);
    }
    Err(format!(
        "the Alertmanager is seen from {}, and this step is for {}: give the step host = \"{0}\"",
        remote.host, s.host
    ))
}
