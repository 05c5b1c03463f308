//! The stacks that come along: sound, safe to run against the real thing, and complete against
//! the rows of their runbook.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

mod harness;
#[path = "stacks/metrics.rs"]
mod metrics;

use quarterdeck::domain::id::LayerId;
use quarterdeck::stack::diag::Problems;
use quarterdeck::stack::kind::Kind;
use quarterdeck::stack::load::{Loaded, load_texts};
use quarterdeck::stack::metrics::ScrapeKind;
use quarterdeck::stack::spec::{Probe, Stack};
use quarterdeck::stack::{builtin, lint};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

fn load(name: &str) -> Loaded {
    load_texts(&builtin::source(name).unwrap(), None, &|_| None).unwrap_or_else(|p| panic!("{p}"))
}

fn tornado() -> Stack {
    load("tornado").stack
}

#[test]
fn every_built_in_stack_is_sound_and_harmless() {
    for built_in in builtin::all() {
        let loaded = load(built_in.name);
        assert_eq!(loaded.stack.name, built_in.name);
        assert!(loaded.problems.0.is_empty(), "{}", loaded.problems);
        let mut lints = Problems::default();
        lint::stack_file(&loaded.source, &mut lints);
        assert!(lints.0.is_empty(), "{lints}");
        for var in &loaded.vars {
            assert!(!var.about.is_empty(), "{}: {} is not explained", built_in.name, var.name);
        }
        for probe in &loaded.stack.probes {
            assert!(!probe.help.is_empty() && !probe.name.is_empty(), "{}: {}", built_in.name, probe.id);
        }
    }
}

#[test]
fn a_stacks_name_stands_only_where_it_is_embedded() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut waiting = vec![src.clone()];
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
            continue;
        }
        let inside = path.strip_prefix(&src).unwrap();
        if inside.starts_with("demo") || inside == Path::new("stack/builtin.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default().to_lowercase();
        // Tests may take their examples from anywhere.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let named = builtin::all().iter().find(|b| text.contains(b.name));
        found.extend(named.map(|b| format!("{}: {}", inside.display(), b.name)));
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Everything that goes to one route, and how often a minute. A websocket counts once, when it is
/// opened, and at worst every 30 s when it is refused again and again.
fn per_minute(stack: &Stack) -> BTreeMap<String, f64> {
    let mut out = BTreeMap::new();
    // NGINX hands its requests on to the admin API, which counts them together.
    let mut add = |target: &str, every: Duration| {
        let route = target.replace("127.0.0.1:80/", "127.0.0.1:8000/");
        *out.entry(route).or_insert(0.0) += 60.0 / every.as_secs_f64();
    };
    for probe in &stack.probes {
        if let Kind::Http(_) = &probe.kind {
            add(&probe.kind.target(), probe.interval);
        }
    }
    for scrape in &stack.metrics.scrapes {
        match &scrape.kind {
            ScrapeKind::Page { http, .. } | ScrapeKind::Json { http, .. } => {
                add(&http.target.url, scrape.interval);
            }
            ScrapeKind::Websocket { http, .. } => add(&http.target.url, Duration::from_secs(30)),
            ScrapeKind::Host => {}
        }
    }
    out
}

#[test]
fn tornados_admin_routes_are_asked_far_below_their_limit() {
    let stack = tornado();
    let admin = |p: &&Probe| p.kind.target().contains(":8000/") || p.kind.target().contains(":80/");
    for probe in stack.probes.iter().filter(admin) {
        assert!(probe.interval >= Duration::from_secs(10), "{} is asked too often", probe.id);
    }
    for scrape in &stack.metrics.scrapes {
        assert!(scrape.interval >= Duration::from_secs(10), "{} is asked too often", scrape.id);
    }
    // 200 a minute is the limit; api_manager itself asks /health 4 times.
    for (route, often) in per_minute(&stack) {
        assert!(often <= 20.0, "{route}: {often} a minute");
    }
    let login = stack.logins.first().unwrap();
    // Five refused logins in five minutes ban every administrator behind this address.
    assert!(login.backoff >= Duration::from_secs(100), "{:?}", login.backoff);
}

#[test]
fn layers_are_in_the_order_of_recovery() {
    let table: &[(&str, &[&str])] = &[
        ("tornado", &["postgres", "redis", "services", "admin-api", "edge"]),
        ("pqmsg", &["postgres", "redis", "server", "prometheus", "alertmanager"]),
        ("edgesentry", &["postgres", "objects", "ingest", "devices"]),
    ];
    for (name, order) in table {
        recovers_in(&load(name).stack, order);
    }
}

fn recovers_in(stack: &Stack, order: &[&str]) {
    let place = |id: &str| stack.layers.iter().position(|l| l.id.as_str() == id).unwrap();
    assert!(order.windows(2).all(|w| place(w[0]) < place(w[1])), "{}", stack.name);
    for (i, layer) in stack.layers.iter().enumerate() {
        for needed in &layer.needs {
            assert!(place(needed.as_str()) < i, "{} stands before {needed}, which it needs", layer.id);
        }
    }
    // A layer without a probe would be unknown for ever.
    let used: BTreeSet<&LayerId> = stack.probes.iter().map(|p| &p.layer).collect();
    assert_eq!(used.len(), stack.layers.len());
}
