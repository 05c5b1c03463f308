//! The HTTP API of a Prometheus, which Thanos, Mimir and `VictoriaMetrics` answer as well: queries,
//! rules, alerts, and names for completion. Reading only.
//!
//! The base may have a path (`/prometheus`, `/select/0/prometheus`), and every request may carry
//! headers of its own (`X-Scope-OrgID`); see [`Api::with_header`].

mod rules;
mod values;

use super::api::{Api, AskError, Reply, stranger};
use crate::domain::alert::remote::RemoteRule;
use crate::domain::promql::{Line, Value};
use crate::domain::series::{Labels, Millis};
use crate::domain::text;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// The largest answer to a query, in bytes after decompression.
const MAX_VALUES: usize = 64 << 20;
/// The largest answer with rules or names, in bytes after decompression.
const MAX_LISTS: usize = 16 << 20;
/// Names and values given for completion at most, and series.
pub const MAX_NAMES: usize = 50_000;
/// Warnings kept of an answer.
const MAX_WARNINGS: usize = 10;
/// What is asked for, as an error names it.
const WHAT: &str = "a Prometheus";

/// A Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    api: Api,
}

/// A result, and what the server says should be known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    pub data: T,
    /// One line each: a partial response, say, or what the server sent and we do not show.
    pub warnings: Vec<String>,
}

/// What a server says that it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// `Prometheus`, unless it names itself otherwise.
    pub application: String,
    pub version: String,
}

/// What is known of a metric family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// `counter`, `gauge`, `histogram`, `summary`, `unknown`.
    pub kind: String,
    pub help: String,
    pub unit: String,
}

/// The envelope of every answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<T> {
    status: String,
    data: Option<T>,
    #[serde(default)]
    error_type: ErrorType,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Option<Vec<String>>,
    #[serde(default)]
    infos: Option<Vec<String>>,
}

/// A word; `VictoriaMetrics` says the status in its place.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum ErrorType {
    Word(String),
    Other(serde::de::IgnoredAny),
    #[default]
    None,
}

impl std::fmt::Display for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.application, self.version)
    }
}

impl Prometheus {
    /// Nothing is opened yet.
    pub fn over(api: Api) -> Prometheus {
        Prometheus { api }
    }

    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The value of an expression at a moment.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn query(&self, expr: &str, at: Millis) -> Result<Answer<Value>, AskError> {
        let params = [("query", expr.to_owned()), ("time", seconds(at)), self.patience()];
        let answer: Answer<values::Data> = self.ask("/api/v1/query", &params, MAX_VALUES).await?;
        let Answer { data, mut warnings } = answer;
        let data = data.value(&mut warnings).map_err(|why| odd(&why))?;
        Ok(Answer { data, warnings })
    }

    /// The values of an expression over a time, both ends included.
    ///
    /// # Errors
    /// See [`AskError`]; more than 11,000 steps are refused by the server.
    pub async fn query_range(
        &self,
        expr: &str,
        from: Millis,
        to: Millis,
        step: Millis,
    ) -> Result<Answer<Vec<Line>>, AskError> {
        let params = [
            ("query", expr.to_owned()),
            ("start", seconds(from)),
            ("end", seconds(to)),
            ("step", seconds(step)),
            self.patience(),
        ];
        let answer: Answer<values::Data> = self.ask("/api/v1/query_range", &params, MAX_VALUES).await?;
        let Answer { data, mut warnings } = answer;
        let data = data.lines(&mut warnings).map_err(|why| odd(&why))?;
        Ok(Answer { data, warnings })
    }

    /// All rules, group by group, with their alerts. Thanos and Mimir have them too;
    /// `VictoriaMetrics` only where it passes the question on to its `vmalert`.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn rules(&self) -> Result<Answer<Vec<RemoteRule>>, AskError> {
        let answer: Answer<rules::Groups> = self.ask("/api/v1/rules", &[], MAX_LISTS).await?;
        let Answer { data, mut warnings } = answer;
        let data = data.rules(&mut warnings);
        Ok(Answer { data, warnings })
    }

    /// Pending and firing alerts.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn alerts(&self) -> Result<Answer<Vec<crate::domain::alert::remote::RemoteAlert>>, AskError> {
        let answer: Answer<rules::Alerts> = self.ask("/api/v1/alerts", &[], MAX_LISTS).await?;
        Ok(Answer { data: answer.data.alerts(), warnings: answer.warnings })
    }

    /// What it is.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn build(&self) -> Result<Build, AskError> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default)]
            application: String,
            #[serde(default)]
            version: String,
        }
        let wire: Wire = self.ask("/api/v1/status/buildinfo", &[], MAX_LISTS).await?.data;
        let application =
            if wire.application.is_empty() { "Prometheus".to_owned() } else { wire.application };
        Ok(Build {
            application: text::one_line(&application, 40),
            version: text::one_line(&wire.version, 40),
        })
    }

    /// The options it runs with, such as `query.lookback-delta`.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn flags(&self) -> Result<BTreeMap<String, String>, AskError> {
        Ok(self.ask("/api/v1/status/flags", &[], MAX_LISTS).await?.data)
    }

    /// Names of all labels; at most [`MAX_NAMES`].
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn label_names(&self) -> Result<Vec<String>, AskError> {
        self.names("/api/v1/labels", &[]).await
    }

    /// Values of a label; of `__name__` they are the metrics' names. At most [`MAX_NAMES`].
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn label_values(&self, label: &str) -> Result<Vec<String>, AskError> {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !plain || label.is_empty() {
            let shown = text::one_line(label, 60);
            return Err(AskError::Ours(format!("`{shown}` is no label's name that can be asked for")));
        }
        self.names(&format!("/api/v1/label/{label}/values"), &[]).await
    }

    /// Series that a selector chooses; at most [`MAX_NAMES`].
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn series(&self, selector: &str) -> Result<Vec<Labels>, AskError> {
        let params = [("match[]", selector.to_owned()), ("limit", MAX_NAMES.to_string())];
        let mut found: Vec<values::LabelSet> = self.ask("/api/v1/series", &params, MAX_LISTS).await?.data;
        found.truncate(MAX_NAMES);
        Ok(found.into_iter().map(|set| set.0).collect())
    }

    /// Type, help and unit of every family that the server was told of; at most [`MAX_NAMES`].
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn metadata(&self) -> Result<BTreeMap<String, Metadata>, AskError> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default, rename = "type")]
            kind: String,
            #[serde(default)]
            help: String,
            #[serde(default)]
            unit: String,
        }
        let params = [("limit", MAX_NAMES.to_string()), ("limit_per_metric", "1".to_owned())];
        let wire: BTreeMap<String, Vec<Wire>> = self.ask("/api/v1/metadata", &params, MAX_LISTS).await?.data;
        let first = |list: Vec<Wire>| list.into_iter().next();
        let found = wire.into_iter().filter_map(|(name, list)| Some((name, first(list)?))).take(MAX_NAMES);
        Ok(found.map(|(name, w)| (name, Metadata { kind: w.kind, help: w.help, unit: w.unit })).collect())
    }

    async fn names(&self, path: &str, params: &[(&str, String)]) -> Result<Vec<String>, AskError> {
        let mut names: Vec<String> = self.ask(path, params, MAX_LISTS).await?.data;
        names.truncate(MAX_NAMES);
        Ok(names)
    }

    /// How long the server is to try: it gives up when we do, and goes on for nobody.
    fn patience(&self) -> (&'static str, String) {
        ("timeout", format!("{}ms", self.api.timeout().as_millis().max(1)))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        params: &[(&str, String)],
        max: usize,
    ) -> Result<Answer<T>, AskError> {
        open(path, &self.api.get(path, params, max).await?)
    }
}

/// Takes the data out of an answer's envelope.
fn open<T: DeserializeOwned>(path: &str, reply: &Reply) -> Result<Answer<T>, AskError> {
    let envelope: Envelope<T> = match serde_json::from_slice(&reply.body) {
        Ok(envelope) => envelope,
        Err(_) if reply.status == 404 => {
            return Err(AskError::Absent(format!("404 Not Found: it has no {path}")));
        }
        Err(e) => return Err(stranger(WHAT, reply, &text::one_line(&e.to_string(), 120))),
    };
    match envelope {
        Envelope { status, data: Some(data), warnings, infos, .. } if status == "success" => {
            let said = warnings.unwrap_or_default().into_iter().chain(infos.unwrap_or_default());
            let warnings = said.take(MAX_WARNINGS).map(|w| text::one_line(&w, 300)).collect();
            Ok(Answer { data, warnings })
        }
        Envelope { status, error_type, error, .. } if status == "error" => {
            Err(refusal(reply.status, &error_type, &error))
        }
        _ => Err(stranger(WHAT, reply, "JSON without a result")),
    }
}

/// An error that the server itself tells, in words.
fn refusal(status: u16, kind: &ErrorType, error: &str) -> AskError {
    let said = text::one_line(error, 300);
    let kind = match kind {
        ErrorType::Word(kind) => kind.as_str(),
        ErrorType::Other(_) | ErrorType::None => "",
    };
    match (kind, status) {
        ("bad_data", _) | ("", 400) => {
            AskError::Refused(format!("it does not understand the question: {said}"))
        }
        ("execution", _) => AskError::Refused(format!("it cannot evaluate this: {said}")),
        ("timeout", _) => AskError::Refused(format!("it took too long over there: {said}")),
        ("canceled", _) => AskError::Refused(format!("it was given up over there: {said}")),
        ("not_found", _) | ("", 404) => AskError::Absent(format!("not found: {said}")),
        ("unavailable", _) | (_, 502..=504) => AskError::Silent(format!("it is not available: {said}")),
        _ => AskError::Refused(format!("status {status}: {said}")),
    }
}

fn odd(why: &str) -> AskError {
    AskError::Stranger(format!("expected an answer of {WHAT}, got {why}"))
}

/// As the API takes times and steps.
fn seconds(millis: Millis) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}

#[cfg(test)]
mod tests;
