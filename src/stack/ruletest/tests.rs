//! The notation, and whole tests, run.

use super::*;
use crate::stack::diag::Source;
use std::sync::Arc;

#[test]
fn values_expand_as_in_prometheus() {
    let table: &[(&str, Option<&str>)] = &[
        ("", Some("")),
        ("1 2 -3", Some("1 2 -3")),
        ("1x2", Some("1 1 1")),
        ("1+2x3", Some("1 3 5 7")),
        ("1-2x3", Some("1 -1 -3 -5")),
        ("-1-2x1", Some("-1 -3")),
        ("_ _x3 2", Some("_ _ _ _ 2")),
        ("_x0 1x0", Some("1")),
        ("1e3 1.5e-1+1e0x1", Some("1000 0.15 1.15")),
        ("NaN -Inf inf", Some("NaN -inf inf")),
        ("  1 \n 2 ", Some("1 2")),
        ("010", Some("8")),
        ("0x5", Some("0 0 0 0 0 0")),
        ("1x", None),
        ("1+x3", None),
        ("1+2", None),
        ("x3", None),
        ("abc", None),
        ("stalex3", None),
        ("NaNx3", None),
        ("1x-3", None),
        ("1x99999999999", None),
        ("{{schema:1}}", None),
    ];
    for (text, want) in table {
        let got = notation::values(text).ok().map(|values| {
            let words = values.iter().map(|v| v.map_or("_".to_owned(), |v| v.to_string()));
            words.collect::<Vec<_>>().join(" ")
        });
        assert_eq!(got.as_deref(), *want, "{text:?}");
    }
    assert!(notation::values("stale").unwrap()[0].is_some_and(crate::domain::series::is_stale));
}

#[test]
fn metrics_are_read_in_all_their_forms() {
    let table: &[(&str, Option<&str>)] = &[
        ("up", Some("up")),
        ("{}", Some("{}")),
        (r#"a:b{x="1",y='2',}"#, Some(r#"a:b{x="1", y="2"}"#)),
        (r#" { __name__ = "n" , x="a\"b\n" } "#, Some("n{x=\"a\\\"b\\n\"}")),
        ("{x=`a\\`}", Some(r#"{x="a\\"}"#)),
        ("", None),
        ("{x}", None),
        ("{x=1}", None),
        (r#"up{x="1"} 5"#, None),
        (r#"up{x="1"#, None),
        ("1up", None),
    ];
    for (text, want) in table {
        assert_eq!(metric(text).ok().map(|l| l.to_string()).as_deref(), *want, "{text:?}");
    }
}

const RULES: &str = "\
groups:
- name: g
  rules:
  - {record: twice, expr: up * 2}
  - alert: Down
    expr: twice == 0
    for: 2m
    labels: {severity: page}
    annotations: {summary: '{{ $labels.job }} is {{ $value }}'}
";

fn outcome(test: &str) -> Outcome {
    let source = |text: &str| Arc::new(Source { name: "t.yml".to_owned(), text: text.to_owned() });
    let rules = crate::stack::rulefile::read(&source(RULES)).unwrap().rules;
    run(&read(&source(test)).unwrap(), &rules)
}

#[test]
fn what_holds_passes_and_what_does_not_is_shown_beside_what_is() {
    let sound = "\
tests:
- interval: 1m
  input_series:
  - {series: 'up{job=\"a\"}', values: '1 0x5'}
  alert_rule_test:
  - {eval_time: 2m, alertname: Down}
  - eval_time: 3m30s
    alertname: Down
    exp_alerts:
    - exp_labels: {severity: page, job: a}
      exp_annotations: {summary: a is 0}
  promql_expr_test:
  - expr: twice
    eval_time: 0
    exp_samples: [{labels: 'twice{job=\"a\"}', value: 2}]
  - {expr: 'count by (alertstate) (ALERTS)', eval_time: 2m, exp_samples: [{labels: '{alertstate=\"pending\"}', value: 1}]}
";
    let done = outcome(sound);
    assert_eq!(done, Outcome { checks: 4, failures: vec![] });
    let done = outcome(&sound.replace("job: a}", "job: b}").replace("value: 2}", "value: 3}"));
    let shown: Vec<_> = done.failures.iter().map(|f| (f.line, f.what.as_str(), f.detail.as_str())).collect();
    let alert = "    - expected, + got\n    - {alertname=\"Down\", job=\"b\", severity=\"page\"}\n        summary: a is 0\n    + {alertname=\"Down\", job=\"a\", severity=\"page\"}\n        summary: a is 0";
    let value = "    - expected, + got\n    - twice{job=\"a\"} 3\n    + twice{job=\"a\"} 2";
    assert_eq!(shown, [(7, "alert Down at 3m30s", alert), (13, "twice at 0s", value)]);
}
