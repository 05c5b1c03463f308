//! What a Prometheus and an Alertmanager say, as screens and reports show it.

use super::remote::{Finder, RemoteAlert, RemoteKind, RemoteRule, Sent};
use super::view::{AlertView, Origin, Paged, Phase, RuleIndex, RuleState, RuleView};
use crate::domain::series::Labels;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::time::Duration;

/// The label that says how severe an alert is.
const SEVERITY: &str = "severity";

/// What the stack makes of a severity's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// 0 is the most severe; `u8::MAX` for names that the stack does not know.
    pub rank: u8,
    pub acknowledge: Option<Duration>,
}

/// What is known of who is told.
#[derive(Clone, Copy, Debug)]
pub enum Paging<'a> {
    Told(&'a Finder<'a>),
    /// There is an Alertmanager, and it does not answer; why not.
    Silent(&'a str),
    /// The stack names none. A Prometheus may send its alerts to one all the same.
    NotNamed,
}

impl Paging<'_> {
    /// Whether somebody is told of a firing alert with these labels.
    pub fn of(&self, labels: &Labels) -> Paged {
        match self {
            Paging::Told(finder) => finder.paged_of(labels),
            Paging::Silent(why) => Paged::Unknown { why: format!("Alertmanager is silent: {why}") },
            Paging::NotNamed => Paged::Unknown { why: "the stack names no Alertmanager".to_owned() },
        }
    }
}

/// The rules of a Prometheus. The first one's place is `first`.
pub fn rules(rules: &[RemoteRule], first: usize, rank: &dyn Fn(&str) -> Ranked) -> Vec<RuleView> {
    let view = |(i, rule): (usize, &RemoteRule)| {
        let severity = rule.labels.get(SEVERITY).to_owned();
        let (hold, keep) = match &rule.kind {
            RemoteKind::Recording => (Duration::ZERO, Duration::ZERO),
            RemoteKind::Alerting { hold, keep, .. } => (*hold, *keep),
        };
        RuleView {
            index: RuleIndex(first + i),
            name: rule.name.clone(),
            group: rule.group.clone(),
            recording: rule.kind == RemoteKind::Recording,
            expr: rule.expr.clone(),
            hold,
            keep,
            rank: rank(&severity).rank,
            severity,
            state: state(rule),
            blind: rule.blind.clone(),
            help: String::new(),
            rows: Vec::new(),
            origin: Origin::Prometheus,
            evaluated: rule.evaluated,
            took: rule.took,
        }
    };
    rules.iter().enumerate().map(view).collect()
}

fn state(rule: &RemoteRule) -> RuleState {
    if let Some(why) = &rule.error {
        return RuleState::Error { why: why.clone() };
    }
    if rule.evaluated.is_none() {
        return RuleState::Waiting;
    }
    match &rule.kind {
        // It does not say how many series it recorded.
        RemoteKind::Recording => RuleState::Recorded { series: None },
        RemoteKind::Alerting { alerts, .. } if alerts.is_empty() => {
            RuleState::Inactive { because: "its expression gives nothing, says Prometheus".to_owned() }
        }
        RemoteKind::Alerting { alerts, .. } if alerts.iter().all(|a| a.phase == Phase::Pending) => {
            RuleState::Pending
        }
        RemoteKind::Alerting { .. } => RuleState::Firing,
    }
}

/// The alerts of a Prometheus' rules, in the rules' order.
pub fn alerts(
    rules: &[RemoteRule],
    first: usize,
    now: Timestamp,
    rank: &dyn Fn(&str) -> Ranked,
    paging: Paging<'_>,
) -> Vec<AlertView> {
    let mut found = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        if let RemoteKind::Alerting { hold, keep, alerts, .. } = &rule.kind {
            let spans = (*hold, *keep);
            let view = |alert| of_prometheus(RuleIndex(first + i), rule, alert, spans, now, rank, paging);
            found.extend(alerts.iter().map(view));
        }
    }
    found
}

fn of_prometheus(
    index: RuleIndex,
    rule: &RemoteRule,
    alert: &RemoteAlert,
    (hold, keep): (Duration, Duration),
    now: Timestamp,
    rank: &dyn Fn(&str) -> Ranked,
    paging: Paging<'_>,
) -> AlertView {
    let severity = alert.labels.get(SEVERITY).to_owned();
    let Ranked { rank, acknowledge } = rank(&severity);
    let fired = (alert.phase != Phase::Pending).then(|| later(alert.since, hold));
    let paged = match alert.phase {
        Phase::Pending => Paged::Pending { held: span(alert.since, now).min(hold), needs: hold },
        Phase::Firing | Phase::Keeping => paging.of(&alert.labels),
    };
    AlertView {
        rule: Some(index),
        name: rule.name.clone(),
        severity,
        rank,
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        value: alert.value,
        phase: alert.phase,
        since: alert.since,
        fired,
        keep_left: alert.keeping.map(|since| keep.saturating_sub(span(since, now))),
        acknowledge_by: fired.zip(acknowledge).map(|(fired, within)| later(fired, within)),
        paged,
        origin: Origin::Prometheus,
        caveat: None,
    }
}

/// Alerts that an Alertmanager has and that are none of `known`: somebody else sends them.
pub fn others(finder: &Finder<'_>, known: &[AlertView], rank: &dyn Fn(&str) -> Ranked) -> Vec<AlertView> {
    let told = finder.told();
    let known: HashSet<&str> =
        known.iter().filter_map(|a| finder.find(&a.labels)).map(|s| s.fingerprint.as_str()).collect();
    let view = |sent: &Sent| {
        let severity = sent.labels.get(SEVERITY).to_owned();
        let Ranked { rank, acknowledge } = rank(&severity);
        AlertView {
            rule: None,
            name: sent.name().to_owned(),
            severity,
            rank,
            labels: sent.labels.clone(),
            annotations: sent.annotations.clone(),
            value: f64::NAN,
            phase: Phase::Firing,
            since: sent.starts,
            fired: Some(sent.starts),
            keep_left: None,
            acknowledge_by: acknowledge.map(|within| later(sent.starts, within)),
            paged: told.paged(sent),
            origin: Origin::Alertmanager,
            caveat: None,
        }
    };
    told.alerts.iter().filter(|s| !known.contains(s.fingerprint.as_str())).map(view).collect()
}

/// Zero for what has not come yet: clocks of two machines differ.
fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::remote::{ALERTNAME, SentState, Told};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn rank(severity: &str) -> Ranked {
        let known = severity == "page";
        Ranked {
            rank: if known { 0 } else { u8::MAX },
            acknowledge: known.then_some(Duration::from_secs(300)),
        }
    }

    fn labels(name: &str) -> Labels {
        Labels::new([(ALERTNAME, name), (SEVERITY, "page")])
    }

    fn rule(name: &str, alerts: &[(Phase, i64)]) -> RemoteRule {
        let alert = |(phase, since): &(Phase, i64)| RemoteAlert {
            labels: labels(name),
            annotations: Vec::new(),
            phase: *phase,
            since: at(*since),
            keeping: (*phase == Phase::Keeping).then(|| at(900)),
            value: 1.0,
        };
        RemoteRule {
            group: "g".into(),
            file: "f".into(),
            name: name.into(),
            expr: "x".into(),
            kind: RemoteKind::Alerting {
                hold: Duration::from_secs(600),
                keep: Duration::from_secs(300),
                annotations: Vec::new(),
                alerts: alerts.iter().map(alert).collect(),
            },
            labels: Labels::new([(SEVERITY, "page")]),
            error: None,
            evaluated: Some(at(1)),
            took: Duration::ZERO,
            interval: Duration::from_secs(15),
            blind: Vec::new(),
        }
    }

    #[test]
    fn every_state_of_a_rule_has_its_word() {
        let broken = RemoteRule { error: Some("boom".into()), ..rule("A", &[]) };
        let fresh = RemoteRule { evaluated: None, ..rule("A", &[]) };
        let record = RemoteRule { kind: RemoteKind::Recording, ..rule("A", &[]) };
        let all = [
            broken,
            fresh,
            record,
            rule("A", &[]),
            rule("A", &[(Phase::Pending, 1)]),
            rule("A", &[(Phase::Pending, 1), (Phase::Firing, 1)]),
            rule("A", &[(Phase::Keeping, 1)]),
        ];
        let views = rules(&all, 10, &rank);
        let words: Vec<String> = views.iter().map(|v| format!("{:?}", v.state)).collect();
        let want = [
            "Error { why: \"boom\" }",
            "Waiting",
            "Recorded { series: None }",
            "Inactive { because: \"its expression gives nothing, says Prometheus\" }",
            "Pending",
            "Firing",
            "Firing",
        ];
        assert_eq!(words, want);
        assert_eq!((views[6].index, views[6].rank, views[2].recording), (RuleIndex(16), 0, true));
    }

    #[test]
    fn an_alert_says_how_far_it_is_and_who_is_told() {
        let all =
            [rule("A", &[(Phase::Pending, 900), (Phase::Keeping, 100)]), rule("B", &[(Phase::Firing, 100)])];
        let views = alerts(&all, 0, at(1000), &rank, Paging::Silent("refused"));
        assert_eq!(views[0].paged.words(at(1000)), "not paged: pending 1m of 10m");
        assert_eq!((views[0].fired, views[0].acknowledge_by), (None, None));
        assert_eq!(views[1].keep_left, Some(Duration::from_secs(200)));
        assert_eq!(views[1].acknowledge_by, Some(at(100 + 600 + 300)));
        assert_eq!(views[2].paged.words(at(1000)), "paged? Alertmanager is silent: refused");
        assert_eq!(views[2].rule, Some(RuleIndex(1)));
    }

    #[test]
    fn only_what_nobody_else_knows_is_added_from_alertmanager() {
        let sent = |name: &str| Sent {
            fingerprint: name.into(),
            labels: labels(name).with("zone", "z"),
            annotations: Vec::new(),
            starts: at(50),
            ends: at(60),
            updated: at(50),
            receivers: vec!["ops".into()],
            state: SentState::Active,
            inhibited_by: Vec::new(),
            silenced_by: Vec::new(),
            muted_by: Vec::new(),
            source: String::new(),
        };
        let told = Told { alerts: vec![sent("A"), sent("B")], ..Told::default() };
        let known =
            alerts(&[rule("A", &[(Phase::Firing, 1)])], 0, at(1000), &rank, Paging::Told(&told.finder()));
        assert_eq!(known[0].paged, Paged::Yes { receivers: vec!["ops".into()] });
        let more = others(&told.finder(), &known, &rank);
        let got: Vec<_> = more.iter().map(|a| (a.name.as_str(), a.origin, a.acknowledge_by)).collect();
        assert_eq!(got, [("B", Origin::Alertmanager, Some(at(350)))]);
    }
}
