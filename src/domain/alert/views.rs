//! Alerts and rules as screens and reports show them.

use super::active::Active;
use super::paging::{Facts, keep_left};
use super::rule::Severity;
use super::rules::{Entry, Rules};
use super::view::{AlertView, Origin, Phase, RuleIndex, RuleState, RuleView};
use super::why;
use crate::domain::promql::Options;
use crate::domain::series::{Labels, Millis, Source};
use crate::domain::units::short_age;
use jiff::Timestamp;
use std::cmp::Reverse;

/// The label that says how severe an alert is.
const SEVERITY: &str = "severity";
/// The rank of a severity that the stack does not know.
pub const UNKNOWN_RANK: u8 = u8::MAX;

impl Rules {
    /// Every alert that is pending, firing or kept: the most pressing first, by phase, severity and
    /// age.
    pub fn alerts(&self, now: Timestamp, facts: &Facts<'_>) -> Vec<AlertView> {
        let at = now.as_millisecond();
        let mut list: Vec<AlertView> = Vec::new();
        for (i, entry) in self.entries.iter().enumerate() {
            for (labels, alert) in &entry.alerts.active {
                list.push(self.alert(RuleIndex(i), entry, labels, alert, at, facts));
            }
        }
        list.sort_by(|a, b| pressing(a).cmp(&pressing(b)).then_with(|| a.labels.cmp(&b.labels)));
        list
    }

    /// What fires of the alerts of one name: labels and annotations, by name.
    pub fn firing_of(&self, alertname: &str) -> Vec<(Labels, Vec<(String, String)>)> {
        let entries = self.entries.iter().filter(|e| e.rule.is_alert() && e.rule.name() == alertname);
        let alerts = entries.flat_map(|e| &e.alerts.active).filter(|(_, a)| a.phase != Phase::Pending);
        alerts.map(|(labels, a)| (labels.clone(), a.annotations.clone())).collect()
    }

    fn alert(
        &self,
        index: RuleIndex,
        entry: &Entry,
        labels: &Labels,
        alert: &Active,
        at: Millis,
        facts: &Facts<'_>,
    ) -> AlertView {
        let severity = labels.get(SEVERITY);
        let found = self.severity(severity);
        let fired = alert.fired.map(moment);
        let acknowledge_by = fired
            .zip(found.and_then(|(_, s)| s.acknowledge))
            .and_then(|(fired, within)| fired.checked_add(within).ok());
        let since = alert.earlier.map_or(alert.since, |e| e.since);
        AlertView {
            rule: Some(index),
            name: entry.rule.name().to_owned(),
            severity: severity.to_owned(),
            rank: found.map_or(UNKNOWN_RANK, |(rank, _)| rank),
            labels: labels.clone(),
            annotations: alert.annotations.clone(),
            value: alert.value,
            phase: alert.phase,
            since: moment(since),
            fired,
            keep_left: keep_left(&entry.rule, alert, at),
            acknowledge_by,
            paged: self.paged(index, &entry.rule, labels, alert, at, facts),
            origin: Origin::Local,
            caveat: alert
                .earlier
                .map(|e| format!("the program was not running for {} of it", short_age(e.gap))),
        }
    }

    /// Every rule in its place, with what it says at the moment. Why a rule is inactive is worked
    /// out from `source`, once for each evaluation.
    pub fn views(&mut self, source: &dyn Source, facts: &Facts<'_>) -> Vec<RuleView> {
        for entry in &mut self.entries {
            entry.explain(source, &self.options);
        }
        let entries = self.entries.iter().enumerate();
        entries.map(|(i, entry)| self.view(RuleIndex(i), entry, facts)).collect()
    }

    fn view(&self, index: RuleIndex, entry: &Entry, facts: &Facts<'_>) -> RuleView {
        let rule = &entry.rule;
        let severity = rule.labels.get(SEVERITY).map_or("", String::as_str);
        RuleView {
            index,
            name: rule.name().to_owned(),
            group: rule.group.clone(),
            recording: entry.is_recording(),
            expr: rule.expr.text().to_owned(),
            hold: rule.hold,
            keep: rule.keep_firing_for,
            severity: severity.to_owned(),
            rank: self.severity(severity).map_or(UNKNOWN_RANK, |(rank, _)| rank),
            state: entry.state(index, facts),
            blind: Vec::new(),
            help: rule.help.clone(),
            rows: rule.rows.clone(),
            origin: Origin::Local,
            evaluated: entry.evaluated.map(moment),
            took: entry.took,
        }
    }

    /// A severity by its name, with its rank.
    pub(super) fn severity(&self, name: &str) -> Option<(u8, &Severity)> {
        self.severities.iter().find(|s| s.name == name).map(|s| (s.rank, s))
    }
}

impl Entry {
    fn state(&self, index: RuleIndex, facts: &Facts<'_>) -> RuleState {
        if let Some(why) = &self.error {
            return RuleState::Error { why: why.clone() };
        }
        if self.evaluated.is_none() {
            return RuleState::Waiting;
        }
        if self.alerts.active.values().any(|a| a.phase != Phase::Pending) {
            return RuleState::Firing;
        }
        if let Some((since, what)) = (facts.stale)(index) {
            return RuleState::Stale { since, what };
        }
        if self.is_recording() {
            return RuleState::Recorded { series: Some(self.points) };
        }
        if self.alerts.active.is_empty() {
            let because = self.because.as_ref().map_or_else(String::new, |(_, text)| text.clone());
            return RuleState::Inactive { because };
        }
        RuleState::Pending
    }

    /// Works out why the rule is inactive, unless that is known for its last evaluation.
    fn explain(&mut self, source: &dyn Source, options: &Options) {
        let Some(at) = self.evaluated else { return };
        let is_needed = self.rule.is_alert() && self.alerts.active.is_empty() && self.error.is_none();
        if !is_needed {
            self.because = None;
        } else if self.because.as_ref().is_none_or(|(known, _)| *known != at) {
            self.because = Some((at, why::inactive(&self.rule.expr, source, at, options)));
        }
    }
}

fn pressing(alert: &AlertView) -> (bool, u8, Timestamp, Reverse<bool>, &str) {
    let pending = alert.phase == Phase::Pending;
    (pending, alert.rank, alert.since, Reverse(alert.phase == Phase::Firing), &alert.name)
}

/// A moment for people; one beyond the calendar is the epoch.
pub(super) fn moment(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}
