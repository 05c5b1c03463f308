//! The engine against a model of one alert, saved state, and rules that are blind.

use super::active::Step;
use super::paging::{Courier, Facts};
use super::remote::{Sent, SentState, Told};
use super::rule::{Inhibition, Rule, RuleKind, Severity};
use super::rules::{Rules, Setup};
use super::view::{BlindKind, Paged, Phase, RuleState};
use crate::domain::promql::Expr;
use crate::domain::series::store::{Limits, Store};
use crate::domain::series::{Labels, Matcher, Millis, Op};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const MINUTE: Millis = 60_000;

fn store() -> Store {
    Store::new(Limits {
        max_series: 1000,
        max_bytes: 8 << 20,
        max_samples: 100_000,
        retention: Duration::from_secs(86_400),
    })
}

fn alert(name: &str, expr: &str, hold: u64, keep: u64, severity: &str) -> Rule {
    Rule {
        kind: RuleKind::Alert(name.to_owned()),
        group: "g".to_owned(),
        expr: Expr::parse(expr).unwrap(),
        hold: Duration::from_secs(hold * 60),
        keep_firing_for: Duration::from_secs(keep * 60),
        labels: BTreeMap::from([("severity".to_owned(), severity.to_owned())]),
        annotations: BTreeMap::new(),
        interval: None,
        limit: 0,
        help: String::new(),
        rows: Vec::new(),
        place: String::new(),
    }
}

fn engine(rules: Vec<Rule>) -> Rules {
    let severities = vec![Severity {
        name: "page".to_owned(),
        rank: 0,
        about: String::new(),
        acknowledge: Some(Duration::from_secs(300)),
        receiver: "oncall".to_owned(),
    }];
    let inhibitions = vec![Inhibition {
        source: vec![Matcher::equal("severity", "page")],
        target: vec![Matcher::new("severity", Op::Match, "warn|info").unwrap()],
        equal: Vec::new(),
    }];
    Rules::new(Setup { rules, inhibitions, severities, ..Setup::default() })
}

fn facts(courier: Courier<'_>) -> Facts<'_> {
    Facts { courier, stale: &|_| None }
}

fn moment(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap()
}

/// What a condition that holds or not, minute by minute, makes of an alert.
fn model(holds: &[bool], hold: usize, keep: usize) -> Vec<Option<Phase>> {
    let (mut since, mut fired, mut gone) = (None, false, None);
    let step = |(now, is): (usize, &bool)| {
        if *is {
            gone = None;
            fired |= now - *since.get_or_insert(now) >= hold;
            return Some(if fired { Phase::Firing } else { Phase::Pending });
        }
        if fired && keep > 0 && now - *gone.get_or_insert(now) < keep {
            return Some(Phase::Keeping);
        }
        (since, fired, gone) = (None, false, None);
        None
    };
    holds.iter().enumerate().map(step).collect()
}

proptest! {
    #[test]
    fn an_alert_moves_as_its_model(
        holds in proptest::collection::vec(any::<bool>(), 1..40), hold in 0usize..5, keep in 0usize..5,
        restart in 0i64..40,
    ) {
        let rule = || vec![alert("A", "m > 0", hold as u64, keep as u64, "page")];
        let (mut rules, mut store) = (engine(rule()), store());
        let labels = Labels::new([("__name__", "m")]);
        for ((i, is), want) in (0i64..).zip(&holds).zip(model(&holds, hold, keep)) {
            let at = i * MINUTE;
            store.append_labels(&labels, at, f64::from(u8::from(*is)));
            if i == restart && i > 0 {
                // A restart in which no time passes changes nothing.
                let saved = rules.save(at).unwrap();
                rules = engine(rule());
                rules.restore(&saved, at).unwrap();
            }
            rules.evaluate_all(&mut store, at, &|| Duration::ZERO);
            let got = rules.alerts(moment(at), &facts(Courier::Nobody));
            prop_assert_eq!(got.first().map(|a| a.phase), want, "minute {}", i);
        }
    }
}

#[test]
fn a_gap_is_told_and_does_not_count() {
    let table = [
        // for, minutes held before, gap; held after the gap until it fires
        (5, 3, 10, 2),
        (30, 3, 10, 27),
        // Nearly due: it waits ten minutes, as in Prometheus.
        (30, 25, 10, 10),
        (30, 31, 10, 0),
        (0, 1, 10, 0),
    ];
    for (hold, before, gap, after) in table {
        let rule = || vec![alert("A", "m > 0", hold, 0, "page")];
        let (mut rules, mut store) = (engine(rule()), store());
        let labels = Labels::new([("__name__", "m")]);
        let mut at = 0;
        while at <= before * MINUTE {
            store.append_labels(&labels, at, 1.0);
            rules.evaluate_all(&mut store, at, &|| Duration::ZERO);
            at += MINUTE;
        }
        let saved = rules.save(before * MINUTE).unwrap();
        let back = (before + gap) * MINUTE;
        let mut rules = engine(rule());
        let restored = rules.restore(&saved, back).unwrap();
        assert_eq!((restored.alerts, restored.gap), (1, Duration::from_secs(gap.unsigned_abs() * 60)));
        for minute in 0..=after {
            let at = back + minute * MINUTE;
            store.append_labels(&labels, at, 1.0);
            rules.evaluate_all(&mut store, at, &|| Duration::ZERO);
            let found = rules.alerts(moment(at), &facts(Courier::Nobody));
            assert_eq!(found[0].phase == Phase::Firing, minute == after, "{hold} {before} at {minute}");
            assert_eq!(found[0].since, moment(0));
            assert_eq!(found[0].caveat.as_deref(), Some("the program was not running for 10m of it"));
        }
    }
}

#[test]
fn what_is_rated_comes_back_with_its_times_once_there_are_samples_again() {
    let rule = || vec![alert("A", "rate(m[5m]) > 0", 0, 0, "page")];
    let labels = Labels::new([("__name__", "m")]);
    let (mut rules, mut held) = (engine(rule()), store());
    for minute in 0..=3 {
        held.append_labels(&labels, minute * MINUTE, minute as f64);
        rules.evaluate_all(&mut held, minute * MINUTE, &|| Duration::ZERO);
    }
    let saved = rules.save(3 * MINUTE).unwrap();
    for (pause, since) in [(MINUTE / 2, MINUTE), (MINUTE, MINUTE)] {
        // Another process: it has the saved alerts, and no samples.
        let (mut rules, mut fresh) = (engine(rule()), store());
        rules.restore(&saved, 4 * MINUTE).unwrap();
        for at in [4 * MINUTE, 4 * MINUTE + pause] {
            assert!(rules.alerts(moment(at), &facts(Courier::Nobody)).is_empty());
            fresh.append_labels(&labels, at, at as f64);
            rules.evaluate_all(&mut fresh, at, &|| Duration::ZERO);
        }
        let found = rules.alerts(moment(4 * MINUTE + pause), &facts(Courier::Nobody));
        assert_eq!((found[0].phase, found[0].since), (Phase::Firing, moment(since)));
        assert_eq!(found[0].caveat.is_some(), since == MINUTE);
    }
}

#[test]
fn a_saved_state_of_no_use_is_refused_with_the_reason() {
    let (mut rules, mut store) = (engine(vec![alert("A", "vector(1)", 5, 0, "page")]), store());
    rules.evaluate_all(&mut store, 0, &|| Duration::ZERO);
    let saved = rules.save(0).unwrap();
    let newer = saved.replace("\"version\":1", "\"version\":2");
    let table = [
        ("", 0, "damaged"),
        ("{\"version\":1}", 0, "damaged"),
        (saved.get(..saved.len() / 2).unwrap(), 0, "damaged"),
        (newer.as_str(), 0, "version 2"),
        (saved.as_str(), -1, "future"),
        (saved.as_str(), 61 * MINUTE, "1h old"),
    ];
    for (text, now, part) in table {
        let why = rules.restore(text, now).unwrap_err();
        assert!(why.contains(part), "{why}");
    }
    let mut other = engine(vec![alert("A", "vector(2)", 5, 0, "page")]);
    assert_eq!(other.restore(&saved, 0).unwrap().forgotten, 1);
}

#[test]
fn why_nobody_is_paged() {
    let rules = || {
        vec![
            alert("Page", "vector(1)", 0, 0, "page"),
            alert("Warn", "vector(1)", 0, 0, "warn"),
            alert("Odd", "vector(1)", 0, 0, "odd"),
            alert("Later", "vector(1)", 5, 0, "page"),
            alert("Never", "vector(1) > 5", 0, 0, "page"),
        ]
    };
    let (mut rules, mut store) = (engine(rules()), store());
    let done = rules.evaluate_all(&mut store, 0, &|| Duration::ZERO);
    assert_eq!(done.transitions.iter().filter(|t| t.step == Step::Firing).count(), 3);
    let sent = Sent {
        fingerprint: "f".to_owned(),
        labels: Labels::new([("alertname", "Page"), ("severity", "page"), ("cluster", "x")]),
        annotations: Vec::new(),
        starts: moment(0),
        ends: moment(MINUTE),
        updated: moment(0),
        receivers: vec!["mail".to_owned()],
        state: SentState::Active,
        inhibited_by: Vec::new(),
        silenced_by: Vec::new(),
        muted_by: Vec::new(),
        source: String::new(),
    };
    let told = Told { alerts: vec![sent], ..Told::default() };
    let told = told.finder();
    let words = |courier| -> Vec<(String, String)> {
        let list = rules.alerts(moment(MINUTE), &facts(courier));
        list.into_iter().map(|a| (a.name, a.paged.words(moment(MINUTE)))).collect()
    };
    let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    assert_eq!(
        words(Courier::Nobody),
        pairs(&[
            ("Page", "paged? oncall should hear of it, but no Alertmanager is configured to ask"),
            ("Odd", "not paged: nothing is configured to send it"),
            ("Warn", "not paged: inhibited by Page (page)"),
            ("Later", "not paged: pending 1m of 5m"),
        ])
    );
    assert_eq!(words(Courier::Answers(&told))[0].1, "paged: mail");
    assert_eq!(words(Courier::Silent("timeout"))[1].1, "paged? Alertmanager does not answer: timeout");
    let page = &rules.alerts(moment(MINUTE), &facts(Courier::Nobody))[0];
    assert_eq!(page.acknowledge_by, Some(moment(5 * MINUTE)));
    assert!(!matches!(page.paged, Paged::Nowhere));
    let views = rules.views(&store, &facts(Courier::Nobody));
    assert_eq!(views[4].state, RuleState::Inactive { because: "1 is not > 5".to_owned() });
    assert_eq!(views[0].state, RuleState::Firing);
    assert_eq!(views[3].state, RuleState::Pending);
}

#[test]
fn rules_that_are_blind_are_marked() {
    use BlindKind::{GuardHides, InhibitionHides, JoinsNothing, NeverMatched};
    let rules = vec![
        alert(
            "Join",
            "rate(steps_total[30m]) == 0 and rate(http_total{path=\"/v1\"}[30m]) > 0",
            0,
            0,
            "page",
        ),
        alert("Static", "sum(up) > 0 and up{job=\"x\"} > 0", 0, 0, "page"),
        alert("Joined", "sum(rate(steps_total[30m])) == 0 and sum(rate(http_total[30m])) > 0", 0, 0, "page"),
        alert(
            "Guard",
            "sum(rate(http_total[5m])) / clamp_min(sum(rate(http_total[5m])), 1) > 0.02",
            0,
            0,
            "page",
        ),
        alert("Unseen", "nosuch{a=\"b\"} > 0", 0, 0, "page"),
        alert("Other", "http_total{path=\"/v9\"} > 0", 0, 0, "page"),
        alert("Absent", "absent(nosuch)", 0, 0, "page"),
        alert("Hidden", "http_total > 1e9", 0, 0, "warn"),
        alert("Fine", "http_total > 1e9 unless maintenance", 0, 0, "odd"),
        alert("NoRoute", "steps_total == 0 and rate(http_total{path=\"/v9\"}[30m]) > 0", 0, 0, "odd"),
        alert("NoEvent", "steps_total == 0 and http_total{job=\"y\"} > 0", 0, 0, "odd"),
    ];
    let (mut rules, mut store) = (engine(rules), store());
    for minute in 0..=15 {
        let at = minute * MINUTE;
        store.append_labels(&Labels::new([("__name__", "steps_total"), ("job", "x")]), at, 5.0);
        let http = [("__name__", "http_total"), ("job", "x"), ("path", "/v1")];
        store.append_labels(&Labels::new(http), at, 5.0 + minute as f64);
        store.append_labels(&Labels::new([("__name__", "up"), ("job", "x")]), at, 1.0);
        rules.evaluate_all(&mut store, at, &|| Duration::ZERO);
    }
    let views = rules.views(&store, &facts(Courier::Nobody));
    let got: Vec<Vec<BlindKind>> = views.iter().map(|v| v.blind.iter().map(|b| b.kind).collect()).collect();
    let want = [
        vec![JoinsNothing],
        vec![JoinsNothing],
        vec![],
        vec![GuardHides],
        vec![NeverMatched],
        vec![NeverMatched],
        vec![],
        vec![InhibitionHides],
        vec![],
        vec![NeverMatched, JoinsNothing],
        vec![NeverMatched],
    ];
    assert_eq!(got, want, "{:#?}", views.iter().map(|v| &v.blind).collect::<Vec<_>>());
    assert!(views[0].blind[0].what.contains("the label path"), "{}", views[0].blind[0].what);
    assert!(views[5].blind[0].remedy.contains("other labels"), "{}", views[5].blind[0].remedy);
}
