//! The demo stack's metrics by all three ways, as a stack file would name them.

use crate::bench::{Bench, expect_down, expect_up, http, mapped, page, shown};
use quarterdeck::clock::Clock;
use quarterdeck::demo::{Demo, Options};
use quarterdeck::domain::id::SecretId;
use quarterdeck::observe::metrics::collect::{Collected, Collector};
use quarterdeck::stack::kind::common::Tls;
use quarterdeck::stack::kind::http::Auth;
use quarterdeck::stack::metrics::{Http, Mapped, OnlyType, ScrapeKind};
use quarterdeck::stack::spec::{Login, TokenFrom, TransportSpec};
use std::sync::Arc;
use std::time::Duration;

fn figures(at: &str) -> Vec<Mapped> {
    ["cpu_percent", "memory_percent", "rx_kbps"]
        .map(|n| mapped(&format!("vpn_{n}"), &format!("{at}{n}")))
        .into()
}

#[test]
fn page_document_and_websocket_tell_of_one_stack() {
    let probe = Bench::local();
    let clock: Arc<dyn Clock> = Arc::clone(&probe.clock) as _;
    let demo = probe.rt.block_on(Demo::start(Options::default(), clock)).unwrap();
    let base = demo.addresses().admin_api.clone();
    let password = std::fs::read_to_string(&demo.addresses().admin_password_file).unwrap();
    let login = Login {
        id: "admin".into(),
        url: format!("{base}/auth/login"),
        username: "admin".into(),
        password: SecretId::new("p"),
        token: TokenFrom::Cookie("admin_token".into()),
        backoff: Duration::from_secs(60),
        tls: Tls::default(),
    };
    // The demo's tasks and the collectors must run together.
    let mut bench = Bench::new(TransportSpec::Local, &[("p", password.trim())], &[login]);
    (bench.rt, bench.clock) = (probe.rt, probe.clock);
    let up = page(http(&format!("{base}/metrics")));
    let mut counters = bench.collector(up);
    let total = |got: &Collected| -> f64 {
        got.samples.iter().filter(|(l, ..)| l.name() == "http_requests_total").map(|(_, _, v)| *v).sum()
    };
    // It listens a moment after it was started.
    until(&bench, &mut counters, true);
    let first = bench.collect(&mut counters);
    expect_up(&first);
    let live = Http { auth: Auth::Login("admin".into()), ..http(&format!("{base}/api/metrics/live")) };
    let document = ScrapeKind::Json { http: live, series: figures("") };
    let by_document = bench.once(document);
    expect_up(&by_document);
    let only = Some(OnlyType { path: "type".into(), value: "live_metrics".into() });
    let socket = http(&format!("{base}/ws/metrics/live"));
    let mut socket = bench.collector(ScrapeKind::Websocket { http: socket, series: figures("data."), only });
    let by_socket = bench.collect(&mut socket);
    expect_up(&by_socket);
    assert_eq!(shown(&by_document), shown(&by_socket));
    assert_eq!(shown(&by_document).len(), 3);
    bench.advance(60);
    let later = bench.collect(&mut counters);
    assert!(total(&later) > total(&first) + 5.0, "{} {}", total(&first), total(&later));
    demo.set_fault("admin-api-down", true).unwrap();
    until(&bench, &mut socket, false);
    expect_down(&bench.collect(&mut counters), "connection refused");
    expect_down(&bench.collect(&mut socket), "");
}

/// Collects until the target is up, or is not.
fn until(bench: &Bench, collector: &mut Collector, up: bool) {
    for _ in 0..500 {
        if bench.collect(collector).up == up {
            return;
        }
        bench.rt.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
    }
    panic!("waited too long: {}", bench.collect(collector).reason);
}
