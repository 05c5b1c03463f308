//! A real Alertmanager with the severities and inhibitions of a stack: whom the drill reaches with
//! the rule that is shipped, and whom with those that replace it (trap X14).

use crate::harness::until;
use crate::prometheus::{Daemon, Sink, alertmanager, http};
use quarterdeck::stack::builtin;
use quarterdeck::stack::load::load_texts;
use quarterdeck::stack::metrics::{Inhibition, Metrics};
use std::collections::BTreeMap;

/// What Alertmanager writes of matchers, as YAML's flow style takes them.
fn matchers(all: &[quarterdeck::domain::series::Matcher]) -> String {
    serde_json::to_string(&all.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

/// The stack's receivers, each with a sink of its own, and these inhibitions.
fn start(stack: &Metrics, inhibitions: &[Inhibition]) -> Option<(Daemon, BTreeMap<String, Sink>)> {
    let receivers = stack.severities.iter().map(|s| s.receiver.clone());
    let sinks: BTreeMap<String, Sink> = receivers.map(|r| (r, Sink::webhook())).collect();
    let receiver = |(name, sink): (&String, &Sink)| {
        format!("- {{name: {name}, webhook_configs: [{{url: 'http://127.0.0.1:{}/'}}]}}\n", sink.port)
    };
    let route = |s: &quarterdeck::stack::metrics::Severity| {
        format!("  - {{matchers: ['severity=\"{}\"'], receiver: {}}}\n", s.name, s.receiver)
    };
    let inhibit = |i: &Inhibition| {
        let equal = serde_json::to_string(&i.equal).unwrap();
        let (source, target) = (matchers(&i.source), matchers(&i.target));
        format!("- {{source_matchers: {source}, target_matchers: {target}, equal: {equal}}}\n")
    };
    let config = format!(
        "route:\n  receiver: {}\n  group_by: [alertname, service, severity]\n  group_wait: 1s\n  routes:\n{}\
         receivers:\n{}inhibit_rules:\n{}",
        stack.severities.last().unwrap().receiver,
        stack.severities.iter().map(route).collect::<String>(),
        sinks.iter().map(receiver).collect::<String>(),
        inhibitions.iter().map(inhibit).collect::<String>(),
    );
    Some((alertmanager(&config, &[], &[])?, sinks))
}

fn post(am: &Daemon, name: &str, service: &str, severities: &[&str]) {
    let alert = |severity: &&str| serde_json::json!({"labels": {"alertname": name, "service": service, "severity": severity}});
    let body = serde_json::Value::Array(severities.iter().map(alert).collect()).to_string();
    let answer = http(am.port, "POST", "/api/v2/alerts", &body);
    assert_eq!(answer.trim(), "");
}

/// The receivers that the drill reaches.
fn reached(stack: &Metrics, inhibitions: &[Inhibition]) -> Option<Vec<String>> {
    let (am, sinks) = start(stack, inhibitions)?;
    let severities = ["critical", "high", "medium"];
    post(&am, "PQMSGManualDrill", "pqmsg-server", &severities);
    let critical = &sinks["oncall-critical"];
    until("the critical alert to arrive", || !critical.got().is_empty());
    // What comes later, of another service, shows that the first round is over.
    post(&am, "Marker", "marker", &severities[1..]);
    let marked = |sink: &Sink| sink.got().iter().any(|body| body.contains("Marker"));
    until("the second round", || ["oncall-high", "oncall-standard"].iter().all(|r| marked(&sinks[*r])));
    let drill = |sink: &Sink| sink.got().iter().any(|body| body.contains("PQMSGManualDrill"));
    Some(sinks.iter().filter(|(_, sink)| drill(sink)).map(|(name, _)| name.clone()).collect())
}

#[test]
fn a_drill_reaches_one_receiver_as_it_is_shipped_and_all_three_once_it_is_mended() {
    let stack = load_texts(&builtin::source("pqmsg").unwrap(), None, &|_| None).unwrap().stack.metrics;
    let shipped: Vec<Inhibition> =
        stack.suppressions.iter().filter(|s| !s.active).map(|s| s.inhibition.clone()).collect();
    let Some(as_shipped) = reached(&stack, &shipped) else { return };
    assert_eq!(as_shipped, ["oncall-critical"]);
    let Some(mended) = reached(&stack, &stack.inhibitions) else { return };
    assert_eq!(mended, ["oncall-critical", "oncall-high", "oncall-standard"]);
}
