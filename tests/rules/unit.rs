//! Files of unit tests, passing and failing: the same verdict as promtool's.

use super::{ask, ours, promtool};

const RULES: &str = r#"
groups:
- name: first
  rules:
  - record: job:m:sum
    expr: sum by (job) (m)
  - record: from:second
    expr: second:one + 1
- name: second
  limit: 3
  rules:
  - record: second:one
    expr: job:m:sum * 10
    labels: {extra: "yes"}
  - alert: High
    expr: job:m:sum > 5
    for: 2m
    labels: {severity: page, value: "{{ $value }}"}
    annotations: {summary: "{{ $labels.job }} at {{ $value | humanize }}"}
  - alert: Kept
    expr: m{i="0"} > 3
    for: 1m
    keep_firing_for: 3m
  - alert: Gone
    expr: absent(m{i="1"})
  - alert: Meta
    expr: count(ALERTS{alertstate="firing"}) > 0
"#;

const SERIES: &str = r#"
  input_series:
  - {series: 'm{job="a", i="0"}', values: '1+1x5 0x10'}
  - {series: 'm{job="a", i="1"}', values: '1 _x2 2 stale _x5 3x5'}
  - {series: 'm{job="b", i="0"}', values: '10-1x20'}
"#;

/// The rest of a test, and whether it passes.
const TESTS: &[(&str, bool)] = &[
    ("", true),
    ("  alert_rule_test:\n  - {eval_time: 1m, alertname: High}\n", true),
    (
        "  alert_rule_test:\n  - {eval_time: 2m, alertname: High, exp_alerts: [{exp_labels: {job: b, severity: page, value: 8}, exp_annotations: {summary: b at 8}}]}\n",
        false,
    ),
    (
        "  alert_rule_test:\n  - {eval_time: 2m, alertname: Kept, exp_alerts: [{exp_labels: {job: b, i: 0}}]}\n",
        true,
    ),
    (
        "  alert_rule_test:\n  - {eval_time: 2m30s, alertname: Kept, exp_alerts: [{exp_labels: {job: b, i: 0}}]}\n",
        true,
    ),
    (
        "  alert_rule_test:\n  - {eval_time: 2m30s, alertname: Kept, exp_alerts: [{exp_labels: {job: b}}]}\n",
        false,
    ),
    (
        "  alert_rule_test:\n  - {eval_time: 2m30s, alertname: Kept, exp_alerts: [{exp_labels: {job: b, i: 0}, exp_annotations: {a: b}}]}\n",
        false,
    ),
    (
        "  alert_rule_test:\n  - {eval_time: 8m, alertname: Kept, exp_alerts: [{exp_labels: {job: b, i: 0}}, {exp_labels: {job: a, i: 0}}]}\n",
        true,
    ),
    (
        "  alert_rule_test:\n  - {eval_time: 9m, alertname: Kept, exp_alerts: [{exp_labels: {job: b, i: 0}}, {exp_labels: {job: a, i: 0}}]}\n",
        false,
    ),
    ("  alert_rule_test:\n  - {eval_time: 4m, alertname: Gone, exp_alerts: [{exp_labels: {i: 1}}]}\n", true),
    ("  alert_rule_test:\n  - {eval_time: 3m, alertname: Gone, exp_alerts: [{exp_labels: {i: 1}}]}\n", false),
    ("  alert_rule_test:\n  - {eval_time: 3m, alertname: Nosuch}\n", true),
    ("  alert_rule_test:\n  - {eval_time: 3m, alertname: Nosuch, exp_alerts: [{}]}\n", false),
    ("  alert_rule_test:\n  - {eval_time: 5m, alertname: Meta, exp_alerts: [{}]}\n", true),
    ("  alert_rule_test:\n  - {eval_time: 3m}\n", false),
    (
        "  promql_expr_test:\n  - {expr: job:m:sum, eval_time: 0, exp_samples: [{labels: 'job:m:sum{job=\"a\"}', value: 2}, {labels: 'job:m:sum{job=\"b\"}', value: 10}]}\n",
        true,
    ),
    (
        "  promql_expr_test:\n  - {expr: job:m:sum, eval_time: 0, exp_samples: [{labels: 'job:m:sum{job=\"a\"}', value: 2}]}\n",
        false,
    ),
    ("  promql_expr_test:\n  - {expr: 'm{i=\"1\"}', eval_time: 4m}\n", true),
    ("  promql_expr_test:\n  - {expr: 'sum(from:second)', eval_time: 0}\n", true),
    (
        "  promql_expr_test:\n  - {expr: 'from:second{job=\"b\"}', eval_time: 2m, exp_samples: [{labels: 'from:second{job=\"b\", extra=\"yes\"}', value: 91}]}\n",
        true,
    ),
    (
        "  promql_expr_test:\n  - {expr: 'count by (alertname, alertstate) (ALERTS)', eval_time: 2m, exp_samples: [{labels: '{alertname=\"High\", alertstate=\"pending\"}', value: 1}]}\n",
        false,
    ),
    (
        "  promql_expr_test:\n  - {expr: 'ALERTS{alertname=\"High\", job=\"b\", alertstate=\"pending\"}', eval_time: 1m, exp_samples: [{labels: 'ALERTS{alertname=\"High\", alertstate=\"pending\", job=\"b\", severity=\"page\", value=\"9\"}', value: 1}]}\n",
        true,
    ),
    (
        "  promql_expr_test:\n  - {expr: 'ALERTS_FOR_STATE{alertname=\"Kept\", job=\"a\"}', eval_time: 8m, exp_samples: [{labels: 'ALERTS_FOR_STATE{alertname=\"Kept\", i=\"0\", job=\"a\"}', value: 180}]}\n",
        true,
    ),
    (
        "  promql_expr_test:\n  - {expr: 'sum_over_time(ALERTS{alertname=\"Kept\", job=\"a\"}[20m])', eval_time: 16m, exp_samples: [{labels: '{alertname=\"Kept\", alertstate=\"firing\", i=\"0\", job=\"a\"}', value: 5}, {labels: '{alertname=\"Kept\", alertstate=\"pending\", i=\"0\", job=\"a\"}', value: 1}]}\n",
        true,
    ),
    (
        "  promql_expr_test:\n  - {expr: 'max_over_time(m{job=\"a\",i=\"0\"}[5m:])', eval_time: 7m, exp_samples: [{labels: '{job=\"a\",i=\"0\"}', value: 6}]}\n",
        true,
    ),
    ("  promql_expr_test:\n  - {expr: 'm +', eval_time: 0}\n", false),
    ("  promql_expr_test:\n  - {expr: 'm', eval_time: 0, exp_samples: [{labels: 'm{', value: 1}]}\n", false),
    ("  promql_expr_test:\n  - {expr: 'm + on () m', eval_time: 0}\n", false),
    (
        "  promql_expr_test:\n  - {expr: 'scalar(m{job=\"b\"})', eval_time: 0, exp_samples: [{labels: '{}', value: 10}]}\n",
        true,
    ),
    (
        "  promql_expr_test:\n  - {expr: '1 / 0', eval_time: 0, exp_samples: [{labels: '{}', value: .inf}]}\n",
        true,
    ),
    ("  alert_rule_tests: []\n", false),
    ("  name: named\n  external_labels: {a: b}\n", true),
];

#[test]
fn the_same_tests_pass() {
    let Some(promtool) = promtool() else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("r-1.yml"), RULES).unwrap();
    let file = dir.path().join("test.yml");
    for (rest, passes) in TESTS {
        let order = "group_eval_order: [first, second]\n";
        let text = format!(
            "rule_files: ['r-*.yml']\n{order}evaluation_interval: 1m\ntests:\n- interval: 1m{SERIES}{rest}"
        );
        std::fs::write(&file, &text).unwrap();
        let (theirs, said) = ask(&promtool, &["test", "rules"], &file);
        assert_eq!(theirs, *passes, "promtool on\n{rest}\n{said}");
        let (code, said) = ours(&file);
        assert_eq!(code == 0, *passes, "here on\n{rest}\n{said}");
    }
}

#[test]
fn a_rule_that_fails_fails_its_test() {
    let Some(promtool) = promtool() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("test.yml");
    let test = "rule_files: [r.yml]\ntests:\n- interval: 1m\n  input_series:\n  - {series: 'm{a=\"1\"}', values: '1x5'}\n  - {series: 'm{a=\"2\"}', values: '_ 2x5'}\n  alert_rule_test:\n  - {eval_time: AT, alertname: A}\n";
    // Rules, and whether the first evaluation passes; the second one fails in all.
    let table = [
        ("{name: g, limit: 1, rules: [{alert: B, expr: m}]}", true),
        ("{name: g, limit: 1, rules: [{record: r, expr: m}]}", true),
        ("{name: g, rules: [{alert: B, expr: m, labels: {a: same}}]}", true),
        ("{name: g, rules: [{record: r, expr: m, labels: {a: same}}]}", true),
        ("{name: g, rules: [{record: r, expr: 'm * on () group_left () m'}]}", true),
        ("{name: g, limit: 1, rules: [{alert: B, expr: 'm > 1'}]}", true),
    ];
    for (i, (group, first)) in table.iter().enumerate() {
        std::fs::write(dir.path().join("r.yml"), format!("groups: [{group}]\n")).unwrap();
        for (at, passes) in [("0s", *first), ("1m", i == table.len() - 1)] {
            std::fs::write(&file, test.replace("AT", at)).unwrap();
            let (theirs, said) = ask(&promtool, &["test", "rules"], &file);
            assert_eq!(theirs, passes, "promtool on {group} at {at}\n{said}");
            let (code, said) = ours(&file);
            assert_eq!(code == 0, passes, "here on {group} at {at}\n{said}");
        }
    }
}
