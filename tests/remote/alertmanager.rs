//! A real Alertmanager behind a real Prometheus: an alert fires, is inhibited, silenced and over,
//! and the next look says so.

use crate::bench::Bench;
use crate::harness::{need, until};
use crate::prometheus::{Daemon, Sink, alertmanager, amtool, http, prometheus};
use quarterdeck::clock::Clock;
use quarterdeck::domain::alert::remote::{Told, words};
use quarterdeck::domain::alert::view::Paged;
use quarterdeck::domain::board::RemoteState;
use quarterdeck::domain::series::Labels;
use quarterdeck::observe::metrics::alertmanager::routing;
use quarterdeck::observe::metrics::poll::{
    Watch, keep_up_with_alertmanager, keep_up_with_prometheus, look_at_alertmanager,
};
use std::cell::RefCell;
use std::time::Duration;

const SLOW: &str = "  - {alert: Slow, expr: 'vector(1)', labels: {severity: warning, host: db1}}\n";
const DOWN: &str = "  - {alert: HostDown, expr: 'vector(1)', labels: {severity: critical, host: db1}}\n";

fn rules(which: &str) -> String {
    format!("groups:\n- name: g\n  interval: 100ms\n  rules:\n{which}  - {{record: x, expr: '1'}}\n")
}

fn config(hook: &Sink) -> String {
    format!(
        "route: {{receiver: ops, group_wait: 50ms, group_interval: 1s, routes: [{{matchers: ['host=\"bin\"'], receiver: nobody}}]}}\n\
         receivers: [{{name: ops, webhook_configs: [{{url: 'http://127.0.0.1:{}/'}}]}}, {{name: nobody}}]\n\
         inhibit_rules: [{{source_matchers: ['severity=critical'], target_matchers: ['severity=warning'], equal: [host]}}]\n",
        hook.port
    )
}

/// Whether the server itself says so by now, and then whether the very next look does.
fn seen(server: &Daemon, bench: &Bench, says: &str, view: impl Fn(&Told) -> bool) {
    until(says, || http(server.port, "GET", "/api/v2/alerts", "").contains(says));
    let client = bench.alertmanager(&server.url());
    let told = bench.block_on(look_at_alertmanager(&client)).unwrap().0;
    assert!(view(&told), "{says}: {told:#?}");
}

fn paged(told: &Told, name: &str) -> Option<Paged> {
    told.alerts.iter().find(|a| a.name() == name).map(|a| told.paged(a))
}

#[test]
fn an_alert_fires_is_inhibited_silenced_and_over_and_each_is_seen() {
    let hook = Sink::webhook();
    let Some(am) = alertmanager(&config(&hook), &[], &[]) else { return };
    let prometheus_config = format!(
        "global: {{evaluation_interval: 100ms, external_labels: {{zone: z}}}}\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]}}\nrule_files: [rules.yml]\n",
        am.port
    );
    let Some(prom) =
        prometheus(&prometheus_config, &[("rules.yml", &rules(SLOW))], &["--rules.alert.resend-delay=200ms"])
    else {
        return;
    };
    let bench = Bench::local();
    let ops = || Some(Paged::Yes { receivers: vec!["ops".into()] });
    seen(&am, &bench, "Slow", |told| paged(told, "Slow") == ops());

    prom.put("rules.yml", &rules(&format!("{SLOW}{DOWN}")));
    prom.reload();
    let by = r#"HostDown{host="db1", severity="critical", zone="z"}"#;
    seen(&am, &bench, "\"inhibitedBy\":[\"", |told| {
        let ours = Labels::new([("alertname", "Slow"), ("severity", "warning"), ("host", "db1")]);
        told.finder().paged_of(&ours) == Paged::Inhibited { by: by.into() }
            && paged(told, "HostDown") == ops()
    });

    amtool(
        &am,
        &["silence", "add", "--author=mary", "--comment=moving it", "--duration=2h", "alertname=HostDown"],
    );
    seen(&am, &bench, "\"silencedBy\":[\"", |told| match paged(told, "HostDown") {
        Some(Paged::Silenced { until, by, comment }) => {
            let left = until.duration_since(bench.clock.now().wall).as_secs();
            (7100..=7200).contains(&left) && by == "mary" && comment == "moving it"
        }
        _ => false,
    });
    let id = amtool(&am, &["silence", "query", "-q"]);
    amtool(&am, &["silence", "expire", id.trim()]);
    until("the silence to end", || {
        !http(am.port, "GET", "/api/v2/alerts", "").contains("\"silencedBy\":[\"")
    });
    seen(&am, &bench, "HostDown", |told| {
        paged(told, "HostDown") == ops()
            && told.silences.len() == 1
            && told.silences[0].matchers[0].to_string() == "alertname=\"HostDown\""
    });

    prom.put("rules.yml", &rules(""));
    prom.reload();
    until("the alerts to be over", || http(am.port, "GET", "/api/v2/alerts", "").trim() == "[]");
    seen(&am, &bench, "[]", |told| told.alerts.is_empty() && told.version.starts_with("Alertmanager 0."));
    until("what was sent", || hook.got().iter().any(|b| b.contains("HostDown")));
}

#[test]
fn one_that_stops_is_silent_with_a_reason_and_is_back_within_an_interval() {
    let hook = Sink::webhook();
    let Some(mut am) = alertmanager(&config(&hook), &[], &[]) else { return };
    let Some(mut prom) = prometheus("global: {}\n", &[], &[]) else { return };
    let mut bench = Bench::local();
    bench.timeout = Duration::from_secs(2);
    let interval = Duration::from_millis(100);
    // Each look's state, in order; a look an interval, so that counting them is measuring.
    let states: RefCell<[Vec<RemoteState>; 2]> = RefCell::default();
    let (am_client, prom_client) = (bench.alertmanager(&am.url()), bench.prometheus(&prom.url()));
    let watched = async {
        let a = keep_up_with_alertmanager(&am_client, &bench.clock, interval, |w: &Watch<_>| {
            states.borrow_mut()[0].push(w.view().state);
        });
        let p = keep_up_with_prometheus(&prom_client, &bench.clock, interval, |w: &Watch<_>| {
            states.borrow_mut()[1].push(w.view().state);
        });
        tokio::join!(a, p)
    };
    let mut watched = Box::pin(watched);
    let mut looks = |n: usize| {
        let from = states.borrow().each_ref().map(Vec::len);
        let enough = || states.borrow().iter().zip(from).all(|(all, from)| all.len() >= from + n);
        let tick = async {
            while !enough() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        bench.block_on(async {
            tokio::select! {
                _ = &mut watched => unreachable!("it goes on for ever"),
                () = tick => {}
            }
        });
        states.borrow().each_ref().map(|all| all[all.len() - 1].clone())
    };
    let answering = |all: &[RemoteState]| all.iter().all(|s| matches!(s, RemoteState::Answering { .. }));
    assert!(answering(&looks(2)));
    am.stop();
    prom.stop();
    for (state, port) in looks(2).into_iter().zip([am.port, prom.port]) {
        let RemoteState::Silent { why, .. } = state else { panic!("{state:?}") };
        assert_eq!(why, format!("connection refused by 127.0.0.1:{port}"));
    }
    am.again();
    prom.again();
    assert!(answering(&looks(2)));
    am.freeze(true);
    let [frozen, _] = looks(2);
    am.freeze(false);
    let RemoteState::Silent { why, .. } = frozen else { panic!("{frozen:?}") };
    assert_eq!(why, "no answer within 2s");
    assert!(answering(&looks(2)));
}

const TREE: &str = r#"
route:
  receiver: "null"
  routes:
  - match: {severity: critical}
    receiver: pager
    continue: true
    routes:
    - {match_re: {team: 'd.*|web'}, receiver: team}
    - {matchers: ['team=~"w.*"', 'env!="test"'], continue: true, receiver: w}
    - {matchers: ['{env=test,team!~"d.*"}']}
  - {match: {env: test}, receiver: "null"}
  - matchers: [severity=~"critical|warning"]
    receiver: chat
    routes: [{matchers: ['team=""'], receiver: orphan}]
  - {matchers: ['team="a\"b, c"'], receiver: odd}
receivers: [{name: "null"}, {name: pager}, {name: team}, {name: w}, {name: chat}, {name: orphan}, {name: odd}]
"#;

#[test]
fn routing_is_what_amtool_says_it_is() {
    let Some(program) = need("amtool", "prometheus-alertmanager") else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("am.yml");
    std::fs::write(&file, TREE).unwrap();
    let mut odd = Vec::new();
    let ours = routing(TREE, &mut odd).unwrap();
    assert_eq!(odd, Vec::<String>::new());
    let mut receivers = std::collections::BTreeSet::new();
    for severity in ["", "critical", "warning", "info"] {
        for team in ["", "db", "web", "wood", "x", "a\"b, c"] {
            for env in ["", "test", "live"] {
                let all = [("severity", severity), ("team", team), ("env", env)];
                let given = all.iter().filter(|(_, v)| !v.is_empty());
                let args = given.map(|(k, v)| format!("{k}=\"{}\"", v.replace('"', "\\\"")));
                let run = std::process::Command::new(&program)
                    .args(["config", "routes", "test", "--config.file"])
                    .arg(&file)
                    .args(args)
                    .output()
                    .unwrap();
                let theirs = String::from_utf8(run.stdout).unwrap();
                let labels = Labels::new(all);
                assert_eq!(ours.receivers(&labels).join(","), theirs.trim(), "{}", words(&labels));
                receivers.insert(theirs);
            }
        }
    }
    assert!(receivers.len() > 8, "the tree was hardly walked: {receivers:?}");
}
