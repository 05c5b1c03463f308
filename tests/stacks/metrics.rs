//! What the stacks say of metrics: every row of their runbooks, only series that something makes,
//! and forms of three blind rules and inhibitions that see what the shipped ones miss.

use crate::harness::need;
use crate::load;
use quarterdeck::domain::alert::inhibit::inhibitor;
use quarterdeck::domain::alert::template::Template;
use quarterdeck::domain::fact::FactType;
use quarterdeck::domain::promql::{Expr, Selector};
use quarterdeck::domain::series::Labels;
use quarterdeck::domain::series::labels::NAME;
use quarterdeck::domain::units;
use quarterdeck::stack::builtin;
use quarterdeck::stack::metrics::{Events, Inhibition, Metrics, Rule, RuleKind, ScrapeKind};
use quarterdeck::stack::ruletest;
use quarterdeck::stack::spec::Stack;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn stacks() -> impl Iterator<Item = Stack> {
    builtin::all().iter().map(|b| load(b.name).stack)
}

/// Rows that anything of a stack stands for.
fn rows(stack: &Stack) -> BTreeSet<&str> {
    let m = &stack.metrics;
    let probes = stack.probes.iter().map(|p| &p.rows);
    let rules = m.rules.iter().map(|r| &r.rows).chain(m.suppressions.iter().map(|s| &s.rows));
    let shown = m.graphs.iter().map(|g| &g.rows).chain(m.slos.iter().map(|s| &s.rows));
    let all = probes.chain(rules).chain(shown).chain(m.scrapes.iter().map(|s| &s.rows));
    all.flatten().map(String::as_str).collect()
}

/// Every expression of a stack and what it belongs to.
fn expressions(m: &Metrics) -> Vec<(String, &Expr)> {
    let mut all: Vec<(String, &Expr)> = m.rules.iter().map(|r| (r.name().to_owned(), &r.expr)).collect();
    for graph in &m.graphs {
        all.extend(graph.lines.iter().map(|l| (format!("graph {}", graph.id), &l.expr)));
    }
    for slo in &m.slos {
        let (Events::Good(events) | Events::Bad(events)) = &slo.events;
        all.extend([events, &slo.total].map(|e| (format!("slo {}", slo.id), e)));
    }
    all
}

fn of(selector: &Selector, label: &str) -> String {
    selector.matchers.iter().find(|m| m.name() == label).map(|m| m.value().to_owned()).unwrap_or_default()
}

#[test]
fn every_row_of_the_runbooks_is_there() {
    let required = |letter: char, range: std::ops::RangeInclusive<u32>| {
        range.map(move |n| format!("{letter}-{n:02}")).collect::<Vec<_>>()
    };
    let mut of_tornado = required('T', 1..=12);
    of_tornado.extend(["T-14", "T-15", "T-16"].map(str::to_owned));
    let table =
        [("tornado", of_tornado), ("pqmsg", required('P', 1..=17)), ("edgesentry", required('E', 3..=12))];
    for (name, required) in table {
        let stack = load(name).stack;
        let there = rows(&stack);
        let missing: Vec<_> = required.iter().filter(|r| !there.contains(r.as_str())).collect();
        assert!(missing.is_empty(), "{name}: nothing stands for {missing:?}");
    }
    // Rows whose substance is a rule or an objective are not met by a probe or a graph alone.
    let alerts: &[(&str, &[&str])] = &[
        (
            "pqmsg",
            &["P-04", "P-05", "P-06", "P-07", "P-08", "P-09", "P-10", "P-11", "P-12", "P-13", "P-14", "P-15"],
        ),
        ("edgesentry", &["E-08", "E-09", "E-10", "E-11", "E-12"]),
        ("tornado", &["T-15"]),
    ];
    for (name, required) in alerts {
        let stack = load(name).stack;
        let there: BTreeSet<&str> = stack
            .metrics
            .rules
            .iter()
            .filter(|r| r.is_alert())
            .flat_map(|r| &r.rows)
            .map(String::as_str)
            .collect();
        assert!(required.iter().all(|r| there.contains(r)), "{name}: {there:?}");
    }
    let slo = &load("pqmsg").stack.metrics.slos[0];
    assert!((slo.objective - 0.999).abs() < 1e-12 && slo.window.as_secs() == 30 * 86_400);
    assert_eq!(slo.rows, ["P-02"]);
}

#[test]
fn every_alert_tells_what_it_means_and_whom_it_wakes() {
    for stack in stacks() {
        let severities: BTreeSet<&str> = stack.metrics.severities.iter().map(|s| s.name.as_str()).collect();
        for rule in &stack.metrics.rules {
            assert!(!rule.help.is_empty(), "{}: {} has no help", stack.name, rule.name());
            for template in rule.annotations.values().chain(rule.labels.values()) {
                Template::parse(template).unwrap_or_else(|e| panic!("{}: {template}: {e:?}", rule.name()));
            }
            if rule.is_alert() {
                let severity = rule.labels.get("severity").map_or("", String::as_str);
                assert!(severities.contains(severity), "{}: {} is {severity:?}", stack.name, rule.name());
                assert!(rule.annotations.contains_key("summary"), "{}", rule.name());
            }
        }
        for scrape in &stack.metrics.scrapes {
            assert!(!scrape.help.is_empty(), "{}: {} has no help", stack.name, scrape.id);
        }
        for suppression in &stack.metrics.suppressions {
            assert!(!suppression.help.is_empty(), "{}: an inhibition has no help", stack.name);
        }
        assert!(stack.metrics.graphs.iter().any(|g| g.key), "{} shows no graph on the overview", stack.name);
    }
}

/// Series that nothing in this program makes: pages of the stacks' components, as facts/ has them,
/// and counters that a source of logs will make.
const OF_COMPONENTS: &[&str] = &[
    "pqmsg_http_in_flight_requests",
    "pqmsg_http_requests_total",
    "pqmsg_http_request_duration_seconds_sum",
    "pqmsg_http_request_duration_seconds_count",
    "pqmsg_security_events_total",
    "pqmsg_pq_ratchet_steps_total",
    "alertmanager_notifications_failed_total",
    "edgesentry_ingest_accepted_total",
    "edgesentry_ingest_rejected_total",
    "edgesentry_ingest_error_total",
    "edgesentry_chain_break_total",
    "edgesentry_signature_fail_total",
    "http_requests_total",
    "http_request_duration_seconds_bucket",
    "process_start_time_seconds",
];

/// Series that this program makes of itself, and of a host.
const OWN: &[&str] = &[
    "up",
    "probe_duration_seconds",
    "probe_fact",
    "host_cpu_seconds_total",
    "host_cpus",
    "host_memory_available_bytes",
    "host_memory_total_bytes",
    "host_network_receive_bytes_total",
    "host_network_transmit_bytes_total",
];

/// A misspelt name makes a rule that is never true and looks well.
#[test]
fn every_expression_looks_at_series_that_something_makes() {
    for stack in stacks() {
        let m = &stack.metrics;
        let mut known: BTreeSet<&str> = OF_COMPONENTS.iter().chain(OWN).copied().collect();
        for scrape in &m.scrapes {
            if let ScrapeKind::Json { series, .. } | ScrapeKind::Websocket { series, .. } = &scrape.kind {
                known.extend(series.iter().map(|s| s.name.as_str()));
            }
        }
        known.extend(m.rules.iter().filter(|r| !r.is_alert()).map(Rule::name));
        let jobs: BTreeSet<&str> =
            m.scrapes.iter().map(|s| s.labels.get("job").unwrap_or(&s.id).as_str()).collect();
        for (what, expr) in expressions(m) {
            for selector in expr.selectors() {
                let name = of(&selector, NAME);
                assert!(known.contains(name.as_str()), "{}: {what}: nothing makes {name}", stack.name);
                let job = of(&selector, "job");
                assert!(job.is_empty() || jobs.contains(job.as_str()), "{what}: no target is called {job}");
            }
        }
    }
}

/// The events of the server, as its code has them.
#[test]
fn the_servers_events_are_called_as_it_calls_them() {
    let events: BTreeSet<&str> =
        "auth_signature_invalid auth_nonce_replay auth_timestamp_skew rate_limit_rejected \
        fcm_circuit_open apns_circuit_open signed_prekey_stale pq_bundle_last_resort_served device_revoked \
        user_registered auth_unknown_user auth_device_mismatch device_linked conflict_rejected server_error \
        client_error"
            .split_whitespace()
            .collect();
    let mut seen = BTreeSet::new();
    for (what, expr) in expressions(&load("pqmsg").stack.metrics) {
        for selector in expr.selectors() {
            for matcher in selector.matchers.iter().filter(|m| m.name() == "event") {
                let found: Vec<_> = events.iter().filter(|e| matcher.matches(e)).collect();
                assert!(!found.is_empty(), "{what}: no event is {}", matcher.value());
                // Every alternative that is written out is one of them.
                if !matcher.value().contains('*') {
                    assert_eq!(
                        found.len(),
                        matcher.value().split('|').count(),
                        "{what}: {}",
                        matcher.value()
                    );
                }
                seen.extend(found.into_iter().copied());
            }
        }
    }
    assert!(seen.len() >= 10, "{seen:?}");
}

/// A fact becomes a series when it is a number, true or false; the first value of a query or of a
/// command's reply when it reads as a number.
#[test]
fn every_fact_that_a_rule_looks_at_is_one_of_its_probe() {
    let mut seen = 0;
    for stack in stacks() {
        for (what, expr) in expressions(&stack.metrics) {
            for selector in expr.selectors().iter().filter(|s| of(s, NAME).starts_with("probe_")) {
                let chosen = selector.matchers.iter().find(|m| m.name() == "probe").unwrap();
                let probes: Vec<_> = stack.probes.iter().filter(|p| chosen.matches(p.id.as_str())).collect();
                assert!(!probes.is_empty(), "{}: {what}: no probe is {}", stack.name, chosen.value());
                if of(selector, NAME) != "probe_fact" {
                    continue;
                }
                let fact = of(selector, "fact");
                for probe in probes {
                    let declared = probe.kind.facts().iter().find(|f| f.name == fact);
                    let declared = declared.unwrap_or_else(|| panic!("{what}: {} has no {fact}", probe.id));
                    let number = matches!(declared.ty, FactType::Number(_) | FactType::Bool);
                    assert!(number || fact == "VALUE", "{what}: {fact} of {} is no number", probe.id);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn the_shipped_alerts_are_as_they_are_shipped() {
    let stack = load("pqmsg").stack;
    let table = [
        ("PQMSGHighServerErrorRate", "10m", "critical", "P-05"),
        ("PQMSGAuthRejectSpike", "5m", "high", "P-06"),
        ("PQMSGRatelimitRejectSpike", "10m", "medium", "P-07"),
        ("PQMSGHighInflightRequests", "10m", "medium", "P-08"),
        ("PQMSGPushCircuitBreakerOpen", "1m", "critical", "P-09"),
        ("PQMSGSignedPrekeyStaleness", "15m", "high", "P-10"),
        ("PQMSGPQBundleLastResortServed", "5m", "high", "P-11"),
        ("PQMSGDeviceRevocationSpike", "5m", "high", "P-12"),
        ("PQMSGPQRatchetStall", "30m", "high", "P-13"),
        ("PQMSGNonceReplayBurst", "2m", "critical", "P-14"),
        ("PQMSGRegistrationSpike", "5m", "medium", "P-15"),
    ];
    let shipped: Vec<&Rule> =
        stack.metrics.rules.iter().filter(|r| r.group == "pqmsg-security-alerts").collect();
    assert_eq!(shipped.len(), table.len());
    for (rule, (name, hold, severity, row)) in shipped.iter().zip(table) {
        assert_eq!((rule.name(), Some(rule.hold)), (name, units::parse_duration(hold)));
        assert_eq!(
            (rule.labels["severity"].as_str(), rule.labels["service"].as_str()),
            (severity, "pqmsg-server")
        );
        assert!(rule.rows.iter().any(|r| r == row), "{name}");
    }
    let receivers: BTreeMap<&str, (&str, u64)> = stack
        .metrics
        .severities
        .iter()
        .map(|s| (s.name.as_str(), (s.receiver.as_str(), s.acknowledge.unwrap().as_secs() / 60)))
        .collect();
    let want = [
        ("critical", ("oncall-critical", 15)),
        ("high", ("oncall-high", 30)),
        ("medium", ("oncall-standard", 240)),
        ("low", ("oncall-standard", 240)),
    ];
    assert_eq!(receivers, BTreeMap::from(want));
}

/// The labels of an alert as it fires, where its rule aggregates everything away.
fn labels_of(stack: &Stack, name: &str) -> Labels {
    let rule = stack.metrics.rules.iter().find(|r| r.name() == name).unwrap();
    Labels::new(rule.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).chain([("alertname", name)]))
}

/// X14: what is shipped silences everything else of the service; what stands beside it does not.
#[test]
fn the_shipped_inhibition_hides_what_the_mended_ones_page() {
    let stack = load("pqmsg").stack;
    let shipped: Vec<Inhibition> =
        stack.metrics.suppressions.iter().filter(|s| !s.active).map(|s| s.inhibition.clone()).collect();
    let mended = &stack.metrics.inhibitions;
    assert_eq!((shipped.len(), mended.len()), (1, 3));
    let hidden = |by: &[Inhibition], firing: &[Labels], target: &Labels| {
        inhibitor(by, &firing.iter(), target).map(|l| l.get("alertname").to_owned())
    };
    let of = |name: &str| labels_of(&stack, name);
    // A critical alert of one sort, an unrelated one of another.
    let firing =
        [of("PQMSGPushCircuitBreakerOpen"), of("PQMSGAuthRejectSpike"), of("PQMSGRegistrationSpike")];
    for unrelated in &firing[1..] {
        assert_eq!(hidden(&shipped, &firing, unrelated).as_deref(), Some("PQMSGPushCircuitBreakerOpen"));
        assert_eq!(hidden(mended, &firing, unrelated), None);
    }
    // The drill: one name and service, three severities, of which one arrives.
    let drill: Vec<Labels> = ["critical", "high", "medium"]
        .map(|s| {
            Labels::new([("alertname", "PQMSGManualDrill"), ("service", "pqmsg-server"), ("severity", s)])
        })
        .into();
    let arrive = |by: &[Inhibition]| drill.iter().filter(|a| hidden(by, &drill, a).is_none()).count();
    assert_eq!((arrive(&shipped), arrive(mended)), (1, 3));
    // What is told twice is still told once.
    let twice = [of("PQMSGNonceReplayBurst"), of("PQMSGAuthRejectSpike"), of("PQMSGServerErrorRatio")];
    assert_eq!(hidden(mended, &twice, &twice[1]).as_deref(), Some("PQMSGNonceReplayBurst"));
    let both = hidden(mended, &twice, &of("PQMSGHighServerErrorRate"));
    assert_eq!(both.as_deref(), Some("PQMSGServerErrorRatio"));
    assert_eq!(hidden(mended, &twice, &twice[2]), None);
}

/// The rules of a stack as Prometheus reads them.
fn rule_file(stack: &Stack) -> String {
    let quoted = |text: &str| serde_json::to_string(text.trim()).unwrap();
    let mut groups: Vec<(&str, Vec<&Rule>)> = Vec::new();
    for rule in &stack.metrics.rules {
        match groups.iter_mut().find(|(name, _)| *name == rule.group) {
            Some((_, rules)) => rules.push(rule),
            None => groups.push((&rule.group, vec![rule])),
        }
    }
    let mut out = String::from(
        "# Written by tests/stacks.rs from the stack: QUARTERDECK_REWRITE=1 writes it anew.\ngroups:\n",
    );
    for (group, rules) in groups {
        writeln!(out, "  - name: {}\n    rules:", quoted(group)).unwrap();
        for rule in rules {
            let kind = if matches!(rule.kind, RuleKind::Alert(_)) { "alert" } else { "record" };
            writeln!(
                out,
                "      - {kind}: {}\n        expr: {}",
                quoted(rule.name()),
                quoted(rule.expr.text())
            )
            .unwrap();
            for (key, time) in [("for", rule.hold), ("keep_firing_for", rule.keep_firing_for)] {
                if !time.is_zero() {
                    writeln!(out, "        {key}: {}s", time.as_secs()).unwrap();
                }
            }
            for (key, map) in [("labels", &rule.labels), ("annotations", &rule.annotations)] {
                if !map.is_empty() {
                    writeln!(out, "        {key}:").unwrap();
                }
                for (name, value) in map {
                    writeln!(out, "          {name}: {}", quoted(value)).unwrap();
                }
            }
        }
    }
    out
}

fn rules_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules")
}

#[test]
fn the_rule_file_beside_its_tests_is_the_stacks() {
    let (path, want) = (rules_dir().join("pqmsg.yml"), rule_file(&load("pqmsg").stack));
    if std::env::var_os("QUARTERDECK_REWRITE").is_some() {
        std::fs::write(&path, &want).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), want, "run with QUARTERDECK_REWRITE=1");
}

fn promtool(args: &[&str]) -> Option<()> {
    let promtool = need("promtool", "prometheus")?;
    let output = Command::new(promtool).args(args).current_dir(rules_dir()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {args:?}:\n{said}");
    Some(())
}

/// X15, X16 and every threshold, decided by Prometheus itself.
#[test]
fn prometheus_says_that_the_mended_rules_see_what_the_shipped_ones_miss() {
    promtool(&["test", "rules", "pqmsg_test.yml"]);
}

/// The same file, decided by the engine here, over the stack's rules as it reads them itself.
#[test]
fn the_engine_here_says_what_prometheus_says_of_the_stacks_rules() {
    let path = rules_dir().join("pqmsg_test.yml");
    let source = quarterdeck::stack::files::read(&path).unwrap();
    let file = ruletest::read(&source).unwrap_or_else(|p| panic!("{p}"));
    let outcome = ruletest::run(&file, &load("pqmsg").stack.metrics.rules);
    assert!(outcome.checks > 40, "{}", outcome.checks);
    assert!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
}

#[test]
fn prometheus_takes_the_rules_of_every_stack() {
    let dir = tempfile::tempdir().unwrap();
    for stack in stacks() {
        let path = dir.path().join(format!("{}.yml", stack.name));
        std::fs::write(&path, rule_file(&stack)).unwrap();
        if promtool(&["check", "rules", path.to_str().unwrap()]).is_none() {
            return;
        }
    }
}
