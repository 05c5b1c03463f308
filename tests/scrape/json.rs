//! JSON documents as series.

use crate::bench::{Bench, expect_down, expect_up, http, mapped, report, shown};
use crate::harness::fake;
use crate::web::{answer, web};
use quarterdeck::stack::metrics::{Mapped, ScrapeKind};
use std::sync::atomic::{AtomicUsize, Ordering};

fn document(to: std::net::SocketAddr, series: Vec<Mapped>) -> ScrapeKind {
    ScrapeKind::Json { http: http(&format!("http://{to}/api/metrics/live")), series }
}

fn series() -> Vec<Mapped> {
    let restarts =
        Mapped { each: Some("service".into()), counter: true, ..mapped("restarts_total", "services.*.n") };
    vec![mapped("cpu", "cpu"), mapped("up_now", "ok"), restarts]
}

#[test]
fn figures_follow_the_document() {
    let bodies = [
        r#"{"cpu":12.5,"ok":true,"services":{"a":{"n":1},"b":{"n":"2"}}}"#,
        r#"{"cpu":13,"services":{"b":{"n":3}}}"#,
        "<html>Login</html>",
        r#"{"cpu":1,"ok":false,"services":{}}"#,
    ];
    let next = AtomicUsize::new(0);
    let to = web(move |_| answer("200 OK", &[], bodies[next.fetch_add(1, Ordering::SeqCst)]));
    let bench = Bench::local();
    let mut collector = bench.collector(document(to, series()));
    collector.explore(true);
    let got = bench.collect(&mut collector);
    expect_up(&got);
    let want = [
        "cpu 12.5@0",
        r#"restarts_total{service="a"} 1@0"#,
        r#"restarts_total{service="b"} 2@0"#,
        "up_now 1@0",
    ];
    assert_eq!(shown(&got), want);
    assert_eq!((got.seen, got.kept, report(&got, "scrape_samples_scraped")), (4, 4, 4.0));
    let (families, more) = got.families.unwrap();
    let told: Vec<_> = families.iter().map(|f| (&*f.name, &*f.kind, &*f.help, f.series.len())).collect();
    assert_eq!(
        told,
        [
            ("cpu", "gauge", "about it", 1),
            ("restarts_total", "counter", "about it", 2),
            ("up_now", "gauge", "about it", 1)
        ]
    );
    assert_eq!(more, 0);
    bench.advance(15);
    let got = bench.collect(&mut collector);
    expect_up(&got);
    let want = [
        "cpu 13@15",
        r#"restarts_total{service="a"} ended@15"#,
        r#"restarts_total{service="b"} 3@15"#,
        "up_now ended@15",
    ];
    assert_eq!(shown(&got), want);
    assert!(got.reason.starts_with("expected a number at ok, got nothing there; "), "{}", got.reason);
    bench.advance(15);
    let got = bench.collect(&mut collector);
    expect_down(&got, "expected JSON, got an HTML page");
    assert_eq!(shown(&got), ["cpu ended@30", r#"restarts_total{service="b"} ended@30"#]);
    bench.advance(15);
    assert_eq!(shown(&bench.collect(&mut collector)), ["cpu 1@45", "up_now 0@45"]);
}

#[test]
fn what_is_no_document_is_called_what_it_is() {
    let deep = "[".repeat(10_000);
    let many = format!("{{\"services\":[{}]}}", vec!["{\"n\":1}"; 10_001].join(","));
    let table = [
        (answer("200 OK", &[], "all good"), "expected JSON, got \"all good\""),
        (answer("200 OK", &[], ""), "expected JSON, got an empty body"),
        (answer("200 OK", &[], "{\"cpu\":"), "got one that is cut off"),
        (answer("200 OK", &[], "{\"cpu\" 1}"), "got one that is malformed"),
        (answer("200 OK", &[], &deep), "got one that is malformed: recursion limit"),
        (answer("200 OK", &[], &many), "expected at most 10000 values, got more"),
        (answer("503 Service Unavailable", &[], "{\"cpu\":1}"), "expected a JSON document, got 503"),
    ];
    let bench = Bench::local();
    for (body, part) in table {
        expect_down(&bench.once(document(fake::tcp(fake::say(body)), series())), part);
    }
}
