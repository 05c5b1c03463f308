//! What a Prometheus and an Alertmanager say, as the board shows it. All of it is as of their last
//! answer; while they are silent, what they would say is evaluated here instead, as far as it is
//! scraped here.

use crate::domain::alert::remote::{RemoteAlert, RemoteKind, RemoteRule, Sent, Told};
use crate::domain::alert::rules::Rules;
use crate::domain::alert::view::{AlertView, Origin, Paged, Phase, RuleIndex, RuleState, RuleView};
use crate::domain::board::{Answer, GraphData, GraphIndex, RemoteState, RemoteView};
use crate::domain::series::Labels;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// What others know.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    pub prometheus: Option<RemoteView>,
    pub rules: Vec<RemoteRule>,
    /// How far back the Prometheus has samples.
    pub reach: Option<Duration>,
    pub alertmanager: Option<RemoteView>,
    pub told: Told,
    pub graphs: BTreeMap<GraphIndex, Arc<GraphData>>,
    pub answer: Option<Arc<Answer>>,
    /// Names of series and of labels, for completion.
    pub names: Vec<String>,
}

const SEVERITY: &str = "severity";

fn answers(view: Option<&RemoteView>) -> bool {
    view.is_some_and(|v| matches!(v.state, RemoteState::Answering { .. }))
}

impl Outside {
    pub fn prometheus_answers(&self) -> bool {
        answers(self.prometheus.as_ref())
    }

    pub fn alertmanager_answers(&self) -> bool {
        answers(self.alertmanager.as_ref())
    }

    pub(super) fn graph(&self, index: GraphIndex) -> Option<Arc<GraphData>> {
        self.graphs.get(&index).filter(|_| self.prometheus_answers()).cloned()
    }

    pub(super) fn answer(&self, expr: &str) -> Option<Arc<Answer>> {
        self.answer.clone().filter(|a| self.prometheus_answers() && a.expr == expr)
    }

    /// A rule that the Prometheus evaluates too is shown as it says: it is the one that pages. What
    /// we know about the rule beyond that stays.
    pub(super) fn merge(
        &self,
        rules: &Rules,
        mut alerts: Vec<AlertView>,
        mut views: Vec<RuleView>,
        now: Timestamp,
    ) -> (Vec<AlertView>, Vec<RuleView>) {
        if self.prometheus_answers() {
            let is_alert = |r: &&RemoteRule| matches!(r.kind, RemoteKind::Alerting { .. });
            let theirs: HashSet<&str> = self.rules.iter().filter(is_alert).map(|r| r.name.as_str()).collect();
            alerts.retain(|a| a.origin != Origin::Local || !theirs.contains(a.name.as_str()));
            for their in &self.rules {
                let recording = their.kind == RemoteKind::Recording;
                let place = views.iter().position(|r| {
                    r.origin == Origin::Local && r.name == their.name && r.recording == recording
                });
                let index = RuleIndex(place.unwrap_or(views.len()));
                let mut view = rule_view(index, their, rules);
                match place.and_then(|i| views.get_mut(i)) {
                    Some(ours) => {
                        view.help = std::mem::take(&mut ours.help);
                        view.rows = std::mem::take(&mut ours.rows);
                        view.blind = std::mem::take(&mut ours.blind);
                        *ours = view;
                    }
                    None => views.push(view),
                }
                if let RemoteKind::Alerting { alerts: active, hold, .. } = &their.kind {
                    let known = active.iter().map(|a| self.alert_view(index, their, a, *hold, rules, now));
                    alerts.extend(known);
                }
            }
        }
        if self.alertmanager_answers() {
            let known: Vec<Labels> = alerts.iter().map(|a| a.labels.clone()).collect();
            let is_known =
                |sent: &Sent| known.iter().any(|labels| labels.iter().all(|(n, v)| sent.labels.get(n) == v));
            let only = self.told.alerts.iter().filter(|sent| !is_known(sent));
            let only: Vec<AlertView> = only.map(|sent| self.sent_view(sent, rules)).collect();
            alerts.extend(only);
        }
        (alerts, views)
    }

    fn alert_view(
        &self,
        index: RuleIndex,
        rule: &RemoteRule,
        alert: &RemoteAlert,
        hold: Duration,
        rules: &Rules,
        now: Timestamp,
    ) -> AlertView {
        let severity = alert.labels.get(SEVERITY);
        let pending = alert.phase == Phase::Pending;
        let fired = if pending { None } else { alert.since.checked_add(hold).ok() };
        AlertView {
            rule: Some(index),
            name: rule.name.clone(),
            severity: severity.to_owned(),
            rank: rules.rank(severity),
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            value: alert.value,
            phase: alert.phase,
            since: alert.since,
            fired,
            keep_left: None,
            acknowledge_by: fired.and_then(|fired| rules.acknowledge_by(severity, fired)),
            paged: if pending {
                let held = Duration::try_from(now.duration_since(alert.since)).unwrap_or_default();
                Paged::Pending { held, needs: hold }
            } else {
                self.paged(&alert.labels)
            },
            origin: Origin::Prometheus,
            caveat: None,
        }
    }

    fn paged(&self, labels: &Labels) -> Paged {
        match self.alertmanager.as_ref().map(|v| &v.state) {
            Some(RemoteState::Answering { .. }) => self.told.paged_of(labels),
            Some(RemoteState::NotAsked) => {
                Paged::Unknown { why: "Alertmanager was not asked yet".to_owned() }
            }
            Some(RemoteState::Silent { why, .. }) => {
                Paged::Unknown { why: format!("Alertmanager does not answer: {why}") }
            }
            None => Paged::Unknown {
                why: "no Alertmanager is configured here to ask; the Prometheus may have one".to_owned(),
            },
        }
    }

    fn sent_view(&self, sent: &Sent, rules: &Rules) -> AlertView {
        let severity = sent.labels.get(SEVERITY);
        AlertView {
            rule: None,
            name: sent.name().to_owned(),
            severity: severity.to_owned(),
            rank: rules.rank(severity),
            labels: sent.labels.clone(),
            annotations: sent.annotations.clone(),
            value: f64::NAN,
            phase: Phase::Firing,
            since: sent.starts,
            fired: Some(sent.starts),
            keep_left: None,
            acknowledge_by: rules.acknowledge_by(severity, sent.starts),
            paged: self.told.paged(sent),
            origin: Origin::Alertmanager,
            caveat: None,
        }
    }
}

fn rule_view(index: RuleIndex, rule: &RemoteRule, rules: &Rules) -> RuleView {
    let severity = rule.labels.get(SEVERITY).to_owned();
    let (recording, hold, keep, alerts) = match &rule.kind {
        RemoteKind::Recording => (true, Duration::ZERO, Duration::ZERO, &[][..]),
        RemoteKind::Alerting { hold, keep, alerts, .. } => (false, *hold, *keep, alerts.as_slice()),
    };
    let state = match (&rule.error, rule.evaluated) {
        (Some(why), _) => RuleState::Error { why: why.clone() },
        (None, None) => RuleState::Waiting,
        (None, Some(_)) if recording => RuleState::Recorded { series: None },
        (None, Some(_)) if alerts.iter().any(|a| a.phase != Phase::Pending) => RuleState::Firing,
        (None, Some(_)) if !alerts.is_empty() => RuleState::Pending,
        (None, Some(_)) => {
            RuleState::Inactive { because: "the Prometheus finds nothing that meets it".to_owned() }
        }
    };
    RuleView {
        index,
        name: rule.name.clone(),
        group: rule.group.clone(),
        recording,
        expr: rule.expr.clone(),
        hold,
        keep,
        rank: rules.rank(&severity),
        severity,
        state,
        blind: Vec::new(),
        help: String::new(),
        rows: Vec::new(),
        origin: Origin::Prometheus,
        evaluated: rule.evaluated,
        took: rule.took,
    }
}
