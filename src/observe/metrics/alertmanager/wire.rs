//! Alertmanager's answers as they are on the wire, and their way into the words of `domain`.

use crate::domain::alert::remote::{self, Sent, SentState, SilenceState};
use crate::domain::series::{Labels, Matcher, Op};
use crate::domain::text;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Text of an annotation or a comment, in characters.
const MAX_TEXT: usize = 4000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    #[serde(default)]
    fingerprint: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    updated_at: Timestamp,
    #[serde(default)]
    receivers: Vec<Named>,
    #[serde(default)]
    status: AlertStatus,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AlertStatus {
    state: String,
    inhibited_by: Option<Vec<String>>,
    silenced_by: Option<Vec<String>>,
    muted_by: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub struct Named {
    pub name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    id: String,
    #[serde(default)]
    matchers: Vec<SilenceMatcher>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    comment: String,
    status: SilenceStatus,
}

#[derive(Deserialize)]
struct SilenceStatus {
    state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SilenceMatcher {
    name: String,
    value: String,
    #[serde(default)]
    is_regex: bool,
    /// Absent before version 0.22, where all matchers were positive.
    is_equal: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    config: Config,
    version_info: VersionInfo,
    #[serde(default)]
    cluster: Cluster,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    original: String,
}

#[derive(Deserialize)]
struct VersionInfo {
    #[serde(default)]
    version: String,
}

#[derive(Default, Deserialize)]
struct Cluster {
    #[serde(default)]
    status: String,
}

impl Alert {
    pub fn read(self) -> Sent {
        Sent {
            fingerprint: text::one_line(&self.fingerprint, 64),
            labels: Labels::new(self.labels),
            annotations: self
                .annotations
                .into_iter()
                .take(100)
                .map(|(k, v)| (text::one_line(&k, 200), text::one_line(&v, MAX_TEXT)))
                .collect(),
            starts: self.starts_at,
            ends: self.ends_at,
            updated: self.updated_at,
            receivers: self.receivers.into_iter().map(|r| text::one_line(&r.name, 200)).collect(),
            state: match self.status.state.as_str() {
                "active" => SentState::Active,
                "suppressed" => SentState::Suppressed,
                _ => SentState::Unprocessed,
            },
            inhibited_by: self.status.inhibited_by.unwrap_or_default(),
            silenced_by: self.status.silenced_by.unwrap_or_default(),
            muted_by: self.status.muted_by.unwrap_or_default(),
            source: self.generator_url,
        }
    }
}

impl Silence {
    pub fn read(self) -> remote::Silence {
        let (mut matchers, mut odd) = (Vec::new(), Vec::new());
        for m in self.matchers {
            let op = match (m.is_equal.unwrap_or(true), m.is_regex) {
                (true, false) => Op::Equal,
                (false, false) => Op::NotEqual,
                (true, true) => Op::Match,
                (false, true) => Op::NoMatch,
            };
            let shown = text::one_line(&format!("{} {}", m.name, m.value), 200);
            match Matcher::new(m.name, op, m.value) {
                Ok(matcher) => matchers.push(matcher),
                Err(_) => odd.push(shown),
            }
        }
        remote::Silence {
            id: text::one_line(&self.id, 64),
            matchers,
            odd,
            starts: self.starts_at,
            ends: self.ends_at,
            by: text::one_line(&self.created_by, 100),
            comment: text::one_line(&self.comment, MAX_TEXT),
            state: match self.status.state.as_str() {
                "active" => SilenceState::Active,
                "pending" => SilenceState::Pending,
                _ => SilenceState::Expired,
            },
        }
    }
}

impl Status {
    pub fn read(self) -> super::Status {
        super::Status {
            version: text::one_line(&self.version_info.version, 40),
            config: self.config.original,
            cluster: text::one_line(&self.cluster.status, 40),
        }
    }
}
