//! Rules and alerts as the API tells them, and their way into the words of `domain`.

use super::values::LabelSet;
use crate::domain::alert::blind::by_text;
use crate::domain::alert::remote::{RemoteAlert, RemoteKind, RemoteRule};
use crate::domain::alert::view::Phase;
use crate::domain::promql::Expr;
use crate::domain::text;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Rules taken from one server, and alerts of one rule.
const MAX_RULES: usize = 20_000;
const MAX_ALERTS: usize = 10_000;
/// Text of an annotation, in characters.
const MAX_TEXT: usize = 4000;

#[derive(Deserialize)]
pub struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    name: String,
    #[serde(default)]
    file: String,
    #[serde(default)]
    interval: f64,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    keep_firing_for: f64,
    #[serde(default)]
    labels: LabelSet,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    alerts: Option<Vec<Alert>>,
    #[serde(default)]
    health: String,
    #[serde(default)]
    last_error: String,
    #[serde(default)]
    evaluation_time: f64,
    last_evaluation: Option<Timestamp>,
}

#[derive(Deserialize)]
pub struct Alerts {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    #[serde(default)]
    labels: LabelSet,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    state: String,
    active_at: Option<Timestamp>,
    keep_firing_since: Option<Timestamp>,
    #[serde(default)]
    value: String,
}

impl Groups {
    /// All rules in their order, up to a bound.
    pub fn rules(self, warnings: &mut Vec<String>) -> Vec<RemoteRule> {
        let all: usize = self.groups.iter().map(|g| g.rules.len()).sum();
        if all > MAX_RULES {
            warnings.push(format!("{all} rules, of which {MAX_RULES} are read"));
        }
        let flat = self.groups.into_iter().flat_map(|mut group| {
            let rules = std::mem::take(&mut group.rules);
            rules.into_iter().map(move |rule| rule.in_group(&group)).collect::<Vec<_>>()
        });
        flat.take(MAX_RULES).collect()
    }
}

impl Alerts {
    pub fn alerts(self) -> Vec<RemoteAlert> {
        self.alerts.into_iter().take(MAX_ALERTS).filter_map(Alert::read).collect()
    }
}

impl Rule {
    fn in_group(self, group: &Group) -> RemoteRule {
        let kind = if self.kind == "alerting" {
            let alerts = self.alerts.unwrap_or_default().into_iter().take(MAX_ALERTS);
            RemoteKind::Alerting {
                hold: span(self.duration),
                keep: span(self.keep_firing_for),
                annotations: texts(self.annotations),
                alerts: alerts.filter_map(Alert::read).collect(),
            }
        } else {
            RemoteKind::Recording
        };
        let error = (self.health == "err" || !self.last_error.is_empty()).then(|| {
            let said = text::one_line(&self.last_error, 300);
            if said.is_empty() { "it cannot be evaluated".to_owned() } else { said }
        });
        // What this cannot read, the Prometheus may: nothing follows from it.
        let blind = match &kind {
            RemoteKind::Alerting { .. } => {
                Expr::parse(&self.query).map_or_else(|_| Vec::new(), |e| by_text(&e))
            }
            RemoteKind::Recording => Vec::new(),
        };
        RemoteRule {
            group: text::one_line(&group.name, 200),
            file: text::one_line(&group.file, 400),
            name: text::one_line(&self.name, 200),
            expr: self.query,
            kind,
            labels: self.labels.0,
            error,
            // A rule that was never evaluated has the year 1.
            evaluated: self.last_evaluation.filter(|at| *at > Timestamp::UNIX_EPOCH),
            took: span(self.evaluation_time),
            interval: span(group.interval),
            blind,
        }
    }
}

impl Alert {
    /// `None` for a state that is neither pending nor firing.
    fn read(self) -> Option<RemoteAlert> {
        let keeping = self.keep_firing_since.filter(|at| *at > Timestamp::UNIX_EPOCH);
        let phase = match self.state.as_str() {
            "pending" => Phase::Pending,
            "firing" if keeping.is_some() => Phase::Keeping,
            "firing" => Phase::Firing,
            _ => return None,
        };
        Some(RemoteAlert {
            labels: self.labels.0,
            annotations: texts(self.annotations),
            phase,
            since: self.active_at?,
            keeping,
            value: self.value.parse().unwrap_or(f64::NAN),
        })
    }
}

/// Annotations with a bound; what they hold is made safe where it is drawn.
fn texts(of: BTreeMap<String, String>) -> Vec<(String, String)> {
    of.into_iter().take(100).map(|(k, v)| (text::one_line(&k, 200), text::one_line(&v, MAX_TEXT))).collect()
}

fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
