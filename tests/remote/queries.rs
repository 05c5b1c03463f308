//! A real Prometheus: what the client reads is what the API says, value by value.

use crate::bench::Bench;
use crate::harness::until;
use crate::prometheus::{http, prometheus};
use quarterdeck::domain::alert::remote::RemoteKind;
use quarterdeck::domain::alert::view::Phase;
use quarterdeck::domain::promql::Value;
use quarterdeck::domain::series::Labels;
use quarterdeck::observe::metrics::api::AskError;
use quarterdeck::observe::metrics::poll::look_at_prometheus;
use serde_json::Value as Json;

const CONFIG: &str = "
global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}
rule_files: [rules.yml]
scrape_configs: [{job_name: self, static_configs: [{targets: ['127.0.0.1:PORT']}]}]
";
const RULES: &str = r#"
groups:
- name: one
  interval: 200ms
  rules:
  - {record: 'job:up:sum', expr: 'sum by (job) (up)', labels: {by: us}}
  - alert: Here
    expr: up == 1
    labels: {severity: info}
    annotations: {summary: "{{ $labels.job }} is {{ $value }}", odd: "a\nb"}
  - {alert: Soon, expr: 'vector(2)', for: 1h, keep_firing_for: 5m}
  - {alert: Broken, expr: 'label_replace(up, "job", "$1", "job", "(.*)") + on() group_left() (up or vector(1))'}
- name: two
  rules:
  - {alert: Never, expr: 'up == 7'}
"#;

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |all, b| all + &format!("%{b:02X}"))
}

/// Labels and values in the API's own words, in order.
fn raw(result: &Json) -> Vec<(Labels, Vec<(i64, String)>)> {
    let pair =
        |p: &Json| ((p[0].as_f64().unwrap() * 1000.0).round() as i64, p[1].as_str().unwrap().to_owned());
    let series = |s: &Json| {
        let labels = s["metric"].as_object().unwrap();
        let labels = Labels::new(labels.iter().map(|(k, v)| (k, v.as_str().unwrap())));
        let values = s["values"]
            .as_array()
            .map_or_else(|| vec![pair(&s["value"])], |all| all.iter().map(pair).collect());
        (labels, values)
    };
    result.as_array().unwrap().iter().map(series).collect()
}

fn same(ours: f64, theirs: &str) -> bool {
    ours.to_bits() == theirs.parse::<f64>().unwrap().to_bits()
}

#[test]
fn every_value_is_the_one_that_the_api_gives() {
    let Some(server) = prometheus(CONFIG, &[("rules.yml", RULES)], &[]) else { return };
    let (bench, port) = (Bench::local(), server.port);
    let client = bench.prometheus(&server.url());
    let json =
        |path: String| serde_json::from_str::<Json>(&http(port, "GET", &path, "")).unwrap()["data"].clone();
    until("samples", || {
        json("/api/v1/query?query=count(up)".into())["result"].as_array().is_some_and(|r| !r.is_empty())
    });
    let at = bench.now();
    let long = format!("up{{job!=\"{}\"}}", "x".repeat(5000));
    let instant = [
        "up",
        "prometheus_http_requests_total",
        "vector(1) / 0",
        "-vector(1) / 0",
        "0 * vector(1) / 0",
        "up{job=\"none\"}",
        "sort_desc(prometheus_build_info)",
        "prometheus_ready[2s]",
        "vector(1e-9)",
        &long,
    ];
    for expr in instant {
        let time = format!("{}.{:03}", at / 1000, at % 1000);
        let theirs = json(format!("/api/v1/query?query={}&time={time}", encoded(&expr.replace(&long, "up"))));
        let ours = bench.block_on(client.query(expr, at)).unwrap().data;
        let theirs = raw(&theirs["result"]);
        match ours {
            Value::Vector(points) => {
                let pairs = points.iter().zip(&theirs);
                assert!(pairs.clone().all(|(p, t)| p.labels == t.0 && same(p.v, &t.1[0].1)), "{expr}");
                assert_eq!(points.len(), theirs.len(), "{expr}");
            }
            Value::Matrix(lines) => {
                let ours =
                    lines.iter().map(|l| (&l.labels, l.samples.iter().map(|s| s.t).collect::<Vec<_>>()));
                let theirs = theirs.iter().map(|(l, v)| (l, v.iter().map(|v| v.0).collect::<Vec<_>>()));
                assert!(ours.eq(theirs) && !lines.is_empty(), "{expr}");
            }
            other => panic!("{expr}: {other:?}"),
        }
    }
    let lone = |expr: &str| bench.block_on(client.query(expr, 1_234_567)).unwrap().data;
    assert_eq!(lone("time()"), Value::Scalar(1234.567));
    assert_eq!(lone(r#""a\nb""#), Value::Text("a\nb".into()));

    let (from, step) = (at - 60_000, 250);
    for expr in ["rate(prometheus_http_requests_total[1s])", "time() / 7", "up", "up > 2"] {
        let s = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
        let path =
            format!("/api/v1/query_range?query={}&start={}&end={}&step=0.250", encoded(expr), s(from), s(at));
        let theirs = raw(&json(path)["result"]);
        let ours = bench.block_on(client.query_range(expr, from, at, step)).unwrap().data;
        assert_eq!(ours.len(), theirs.len(), "{expr}");
        for (line, (labels, values)) in ours.iter().zip(&theirs) {
            assert_eq!((&line.labels, line.samples.len()), (labels, values.len()), "{expr}");
            assert!(line.samples.iter().zip(values).all(|(s, v)| s.t == v.0 && same(s.v, &v.1)), "{expr}");
        }
    }
}

#[test]
fn what_it_refuses_is_said_in_its_words() {
    let Some(server) = prometheus(CONFIG, &[("rules.yml", RULES)], &[]) else { return };
    let bench = Bench::local();
    let client = bench.prometheus(&server.url());
    let table = [
        ("up +", "it does not understand the question: invalid parameter \"query\": 1:5: parse error"),
        (
            "vector(1) + on() group_left() vector(1) + on(x) (vector(1) or label_replace(vector(1), \"a\", \"b\", \"\", \"\"))",
            "it cannot evaluate this",
        ),
    ];
    for (expr, words) in table {
        let why = bench.block_on(client.query(expr, bench.now())).unwrap_err();
        assert!(matches!(&why, AskError::Refused(w) if w.contains(words)), "{why}");
    }
    let now = bench.now();
    let why = bench.block_on(client.query_range("up", now - 86_400_000, now, 1000)).unwrap_err();
    assert!(why.to_string().contains("exceeded maximum resolution of 11,000 points"), "{why}");
}

#[test]
fn rules_alerts_names_and_what_it_is_are_read() {
    let Some(server) = prometheus(CONFIG, &[("rules.yml", RULES)], &[]) else { return };
    let bench = Bench::local();
    let client = bench.prometheus(&server.url());
    let look = || {
        bench.block_on(look_at_prometheus(&client, "", quarterdeck::clock::Clock::now(&bench.clock))).unwrap()
    };
    until("a firing alert", || {
        bench.block_on(client.alerts()).unwrap().data.iter().any(|a| a.phase == Phase::Firing)
    });
    let (found, version) = look();
    let asked = std::process::Command::new("prometheus").arg("--version").output().unwrap();
    let asked = String::from_utf8([asked.stdout, asked.stderr].concat()).unwrap();
    let number = version.strip_prefix("Prometheus ").unwrap();
    assert!(asked.contains(&format!("version {number}")), "{version}: {asked}");
    let names: Vec<_> = found.rules.iter().map(|r| (r.group.as_str(), r.name.as_str())).collect();
    assert_eq!(
        names,
        [("one", "job:up:sum"), ("one", "Here"), ("one", "Soon"), ("one", "Broken"), ("two", "Never")]
    );
    let [record, here, soon, _, never] = &found.rules[..] else { panic!("{found:?}") };
    assert_eq!(
        (&record.kind, record.labels.get("by"), record.interval.as_millis()),
        (&RemoteKind::Recording, "us", 200)
    );
    let RemoteKind::Alerting { alerts, annotations, .. } = &here.kind else { panic!("{here:?}") };
    assert_eq!(
        (alerts.len(), alerts[0].phase, alerts[0].value, alerts[0].labels.get("alertname")),
        (1, Phase::Firing, 1.0, "Here")
    );
    assert_eq!(alerts[0].annotations[1], ("summary".into(), "self is 1".into()));
    assert_eq!(annotations[1].1, "{{ $labels.job }} is {{ $value }}");
    let RemoteKind::Alerting { alerts, hold, keep, .. } = &soon.kind else { panic!("{soon:?}") };
    assert_eq!((alerts[0].phase, hold.as_secs(), keep.as_secs()), (Phase::Pending, 3600, 300));
    assert!(matches!(&never.kind, RemoteKind::Alerting { alerts, .. } if alerts.is_empty()), "{never:?}");
    until("the broken rule's error", || {
        let broken = look().0.rules.into_iter().find(|r| r.name == "Broken").unwrap();
        broken.error.is_some_and(|e| e.contains("many-to-many") || e.contains("duplicate"))
    });
    let metrics = bench.block_on(client.label_values("__name__")).unwrap();
    assert!(metrics.iter().any(|n| n == "prometheus_build_info"), "{metrics:?}");
    assert!(bench.block_on(client.label_names()).unwrap().contains(&"job".to_owned()));
    assert_eq!(bench.block_on(client.series("up{job=\"self\"}")).unwrap().len(), 1);
    assert_eq!(bench.block_on(client.flags()).unwrap()["query.lookback-delta"], "5m");
    let metadata = bench.block_on(client.metadata()).unwrap();
    assert_eq!(metadata["prometheus_http_requests_total"].kind, "counter");
    assert!(bench.block_on(client.label_values("a/../b")).is_err());
}
