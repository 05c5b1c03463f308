//! Random rules over random series: whatever fires here, and every series that is written here, is
//! what promtool finds as well.

use super::templates::store;
use super::{ask, ours, promtool, source};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use quarterdeck::domain::alert::rules::{Rules, Setup};
use quarterdeck::domain::promql::{Expr, Options, Value as Given};
use quarterdeck::stack::rulefile;
use quarterdeck::stack::ruletest;
use serde_json::{Map, Value, json};
use std::time::Duration;

const EXPRESSIONS: &[&str] = &[
    "m > 2",
    "m == 1",
    "r:one > 3",
    "r:two",
    "absent(m{i=\"0\"})",
    "absent_over_time(m{i=\"1\"}[2m])",
    "m - (m offset 1m) > 0",
    "sum by (g) (m) > 4",
    "count(ALERTS{alertstate=\"firing\"}) by (alertname) > 1",
    "count_over_time(ALERTS_FOR_STATE{alertname=\"A0\"}[3m]) > 1",
    "time() - ALERTS_FOR_STATE{alertname=\"A0\"} > 60",
    "vector(1) unless m{i=\"0\"}",
    "max_over_time(m[2m:30s]) > 3",
    "m and on (g) r:one > 2",
];
const RECORDS: &[&str] =
    &["sum by (g) (m)", "m * 2", "max(m) - min(m)", "r:one + 1", "m > 1", "count(ALERTS)"];
const SPANS: &[&str] = &["0s", "1m", "90s", "2m", "3m"];
const LABELS: &[&str] = &[
    "{}",
    "{\"severity\": \"page\"}",
    "{\"v\": \"{{ $value }}\"}",
    "{\"i\": \"\"}",
    "{\"e\": \"{{ $labels.none }}\"}",
    "{\"i\": \"same\"}",
];

#[derive(Clone, Debug)]
struct Case {
    series: Vec<Vec<u8>>,
    records: Vec<(usize, usize)>,
    alerts: Vec<(usize, usize, usize, usize)>,
    limit: usize,
    half: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let series = proptest::collection::vec(proptest::collection::vec(0u8..9, 1..14), 1..5);
    let records = proptest::collection::vec((0..RECORDS.len(), 0..2usize), 0..3);
    let alerts = proptest::collection::vec(
        (0..EXPRESSIONS.len(), 0..SPANS.len(), 0..SPANS.len(), 0..LABELS.len()),
        1..4,
    );
    (series, records, alerts, prop_oneof![6 => Just(0usize), 1 => 1..4usize], any::<bool>())
        .prop_map(|(series, records, alerts, limit, half)| Case { series, records, alerts, limit, half })
}

impl Case {
    fn rules(&self) -> String {
        let names = ["r:one", "r:two", "r:three"];
        let records = self.records.iter().zip(names).map(|((expr, label), name)| {
            let labels: Value = if *label == 0 { json!({}) } else { json!({"rec": "yes"}) };
            json!({"record": name, "expr": RECORDS[*expr], "labels": labels})
        });
        let alerts = self.alerts.iter().enumerate().map(|(i, (expr, hold, keep, labels))| {
            json!({
                "alert": format!("A{i}"), "expr": EXPRESSIONS[*expr], "for": SPANS[*hold],
                "keep_firing_for": SPANS[*keep],
                "labels": serde_json::from_str::<Value>(LABELS[*labels]).unwrap(),
                "annotations": {"a": "{{ $labels.i }} {{ $value }}"},
            })
        });
        let group =
            |name: &str, rules: Vec<Value>| json!({"name": name, "rules": rules, "limit": self.limit});
        json!({"groups": [group("one", records.collect()), group("two", alerts.collect())]}).to_string()
    }

    fn inputs(&self) -> Vec<(String, String)> {
        let word = |v: &u8| match v {
            7 => "_".to_owned(),
            8 => "stale".to_owned(),
            v => v.to_string(),
        };
        let name = |i: usize| format!("m{{g=\"{}\", i=\"{i}\"}}", ["a", "b"][i % 2]);
        let values = |s: &Vec<u8>| s.iter().map(word).collect::<Vec<_>>().join(" ");
        self.series.iter().enumerate().map(|(i, s)| (name(i), values(s))).collect()
    }
}

/// What the engine here makes of a case: a file of tests that expects exactly that. `None` when a
/// rule fails.
fn expectations(case: &Case, last: i64) -> (String, bool) {
    let step = if case.half { 30_000 } else { 60_000 };
    let interval = Duration::from_millis(step);
    let options = Options { subquery_step: interval, ..Options::default() };
    let rules = rulefile::read(&source(&case.rules())).unwrap_or_else(|p| panic!("{p}")).rules;
    let mut engine = Rules::new(Setup { rules, interval, options, ..Setup::default() });
    let mut store = store();
    let (mut alerts, mut fine) = (Vec::new(), true);
    let mut at = 0;
    while at <= last && fine {
        if at % 60_000 == 0 {
            for (i, values) in case.series.iter().enumerate() {
                let labels = ruletest::metric(&case.inputs()[i].0).unwrap();
                match values.get(usize::try_from(at / 60_000).unwrap()) {
                    None | Some(7) => {}
                    Some(8) => {
                        store.append_labels(&labels, at, quarterdeck::domain::series::stale());
                    }
                    Some(v) => {
                        store.append_labels(&labels, at, f64::from(*v));
                    }
                }
            }
        }
        fine = engine.evaluate_all(&mut store, at, &|| Duration::ZERO).failures.is_empty();
        for i in 0..case.alerts.len() {
            let name = format!("A{i}");
            let expected: Vec<Value> = engine
                .firing_of(&name)
                .iter()
                .map(|(labels, annotations)| {
                    let pairs: Map<String, Value> =
                        labels.iter().map(|(n, v)| (n.to_owned(), json!(v))).collect();
                    let notes: Map<String, Value> =
                        annotations.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
                    json!({"exp_labels": pairs, "exp_annotations": notes})
                })
                .collect();
            alerts.push(
                json!({"eval_time": format!("{}s", at / 1000), "alertname": name, "exp_alerts": expected}),
            );
        }
        at += i64::try_from(step).unwrap();
    }
    let mut exprs = Vec::new();
    let shown = [
        "r:one",
        "r:two",
        "r:three",
        "ALERTS",
        "ALERTS_FOR_STATE",
        "count_over_time(ALERTS[30m])",
        "sum_over_time(r:one[30m])",
    ];
    for (expr, minutes) in shown.iter().flat_map(|e| [0i64, 3, 7, 12].map(|m| (e, m))) {
        let value = Expr::parse(expr).unwrap().instant(&store, minutes * 60_000, &options).unwrap();
        let Given::Vector(points) = value else { panic!("{expr} is a vector") };
        let samples: Vec<Value> =
            points.iter().map(|p| json!({"labels": p.labels.to_string(), "value": p.v})).collect();
        exprs.push(json!({"expr": expr, "eval_time": format!("{minutes}m"), "exp_samples": samples}));
    }
    let inputs: Vec<Value> = case.inputs().iter().map(|(s, v)| json!({"series": s, "values": v})).collect();
    let test = json!({
        "rule_files": ["rules.yml"], "evaluation_interval": format!("{}s", step / 1000),
        "group_eval_order": ["one", "two"],
        "tests": [{"interval": "1m", "input_series": inputs, "alert_rule_test": alerts, "promql_expr_test": exprs}],
    });
    (test.to_string(), fine)
}

#[test]
fn random_rules_do_what_they_do_in_prometheus() {
    let Some(promtool) = promtool() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("test.yml");
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let (passed, failed) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let result = runner.run(&case(), |case| {
        let (test, fine) = expectations(&case, 14 * 60_000);
        std::fs::write(dir.path().join("rules.yml"), case.rules()).unwrap();
        std::fs::write(&file, &test).unwrap();
        let (code, said) = ours(&file);
        prop_assert_eq!(code == 0, fine, "here\n{}\n{}\n{}", case.rules(), test, said);
        let (theirs, said) = ask(&promtool, &["test", "rules"], &file);
        prop_assert_eq!(theirs, fine, "promtool\n{}\n{:?}\n{}", case.rules(), case.inputs(), said);
        let count = if fine { &passed } else { &failed };
        count.set(count.get() + 1);
        Ok(())
    });
    result.unwrap_or_else(|e| panic!("{e}"));
    let (passed, failed) = (passed.get(), failed.get());
    assert!(passed > 20 && failed > 0, "{passed} passed, {failed} failed");
}
