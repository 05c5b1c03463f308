//! Pages: how they are asked for, what a bad one is called, and which series end when.

use crate::bench::{Bench, expect_down, expect_up, http, https, page, report, shown};
use crate::harness::fake;
use crate::harness::fake::Wire;
use crate::web::{Ask, Ca, answer, talk, tls, web};
use flate2::Compression;
use flate2::write::GzEncoder;
use quarterdeck::domain::id::SecretId;
use quarterdeck::domain::series::{Matcher, Selection};
use quarterdeck::stack::kind::common::Tls;
use quarterdeck::stack::kind::http::Auth;
use quarterdeck::stack::kind::http::target::Target;
use quarterdeck::stack::metrics::{Http, ScrapeKind};
use quarterdeck::stack::spec::{Login, TokenFrom, TransportSpec};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TEXT: &str = "content-type: text/plain; version=0.0.4";

fn at(to: SocketAddr) -> ScrapeKind {
    page(http(&format!("http://{to}/metrics")))
}

/// A server that shows one page after the other; an empty one is a failure.
fn pages(pages: &'static [&'static str]) -> SocketAddr {
    let next = AtomicUsize::new(0);
    web(move |_| match pages.get(next.fetch_add(1, Ordering::SeqCst)) {
        Some(&"") | None => answer("500 Internal Server Error", &[], "oops"),
        Some(page) => answer("200 OK", &[TEXT], page),
    })
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn packed(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{TEXT}\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn it_asks_as_prometheus_does() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&asked);
    let to = web(move |ask: &Ask| {
        note.lock().unwrap().push((ask.line.clone(), ask.headers.clone()));
        answer(
            "200 OK",
            &["content-type: application/openmetrics-text; version=1.0.0"],
            "# TYPE a counter\na_total 1 12.5\n# EOF\n",
        )
    });
    let bench = Bench::local();
    let got = bench.once(at(to));
    expect_up(&got);
    let start = bench_start();
    assert_eq!(
        shown(&got),
        [format!("a_total 1@{}", 12.5 - start)],
        "a time in seconds, as OpenMetrics has it"
    );
    let asked = asked.lock().unwrap();
    let (line, headers) = &asked[0];
    assert_eq!(line, "GET /metrics");
    for wanted in ["accept-encoding: gzip", "x-prometheus-scrape-timeout-seconds: 20"] {
        assert!(headers.iter().any(|h| h == wanted), "{wanted} in {headers:?}");
    }
    let accept = headers.iter().find(|h| h.starts_with("accept: ")).unwrap();
    assert!(
        accept.contains("application/openmetrics-text;version=1.0.0")
            && accept.contains("text/plain;version=0.0.4")
    );
    assert!(!headers.iter().any(|h| h == "connection: close"));
}

fn bench_start() -> f64 {
    crate::bench::START.parse::<jiff::Timestamp>().unwrap().as_second() as f64
}

#[test]
fn a_series_that_goes_away_ends_and_so_do_all_when_the_target_does() {
    let to =
        pages(&["a 1\nb 2\nc 3 1767225601000\n", "a 1\n", "", "", "a{x=\"1\"} 4\n", "a 1\nb {\n", "b 1\n"]);
    let bench = Bench::local();
    let mut collector = bench.collector(at(to));
    let want: [(bool, &[&str]); 7] = [
        (true, &["a 1@0", "b 2@0", "c 3@1"]),
        (true, &["a 1@15", "b ended@15"]),
        (false, &["a ended@30"]),
        (false, &[]),
        (true, &[r#"a{x="1"} 4@60"#]),
        (false, &[r#"a{x="1"} ended@75"#]),
        (true, &["b 1@90"]),
    ];
    for (up, samples) in want {
        let got = bench.collect(&mut collector);
        assert_eq!((got.up, report(&got, "up")), (up, f64::from(u8::from(up))), "{}", got.reason);
        assert_eq!(shown(&got), samples);
        bench.advance(15);
    }
    let end = collector.end();
    assert_eq!(end.len(), 4, "b and three of the target's own: {end:?}");
    assert!(end.iter().all(|(_, _, v)| quarterdeck::domain::series::is_stale(*v)));
}

#[test]
fn only_what_is_selected_is_kept_and_all_is_counted() {
    let to = web(|_| answer("200 OK", &[TEXT], "a 1\nb{x=\"1\"} 2\nb{x=\"2\"} 3\njob{job=\"own\"} 4\n"));
    let mut bench = Bench::local();
    let selection = |name: &str, x: &str| {
        Selection::new([vec![Matcher::equal("__name__", name), Matcher::equal("x", x)]])
    };
    bench.selection = selection("b", "2");
    let mut collector = bench.collector(at(to));
    let got = bench.collect(&mut collector);
    assert_eq!((shown(&got), got.seen, got.kept), (vec![r#"b{x="2"} 3@0"#.to_owned()], 4, 1));
    assert_eq!((report(&got, "scrape_samples_scraped"), &*got.reason), (4.0, "4 samples, 1 kept"));
    collector.set_selection(Arc::new(selection("job", "")));
    let got = bench.collect(&mut collector);
    assert_eq!(shown(&got), [r#"b{x="2"} ended@0"#, r#"job{exported_job="own"} 4@0"#]);
}

#[test]
fn times_of_the_page_are_taken_as_prometheus_takes_them() {
    // Long ago, now, in ten minutes, and beyond that.
    let to = pages(&["a 1 1000\nb 2 1767225600000\nc 3 1767226200000\nd 4 1767226200001\n"]);
    let got = Bench::local().once(at(to));
    assert_eq!(shown(&got), ["a 1@-1767225599", "b 2@0", "c 3@600"]);
    assert!(got.reason.contains("1 samples more than 10m in the future"), "{}", got.reason);
}

#[test]
fn what_is_no_page_of_metrics_is_called_what_it_is() {
    let html = "<!DOCTYPE html><html><title>Login</title></html>";
    let text = |body: &str| fake::tcp(fake::say(answer("200 OK", &[TEXT], body)));
    let bomb = packed(&gzip(&vec![b'#'; 64 << 20]));
    let many = (0..200_001).map(|i| format!("a{{i=\"{i}\"}} 1")).collect::<Vec<_>>().join("\n") + "\n";
    let whole = packed(&gzip(b"a 1\n"));
    let cut = whole[..whole.len() - 4].to_vec();
    let table: Vec<(SocketAddr, &str)> = vec![
        (
            fake::tcp(fake::say(answer("200 OK", &["content-type: text/html"], html))),
            "expected metrics, got an HTML page",
        ),
        (text(html), "expected metrics, got an HTML page"),
        (
            fake::tcp(fake::say(answer("200 OK", &["content-type: application/json"], "{}"))),
            "the answer is application/json",
        ),
        (fake::tcp(fake::say(answer("404 Not Found", &[], html))), "expected metrics, got 404 Not Found"),
        (
            fake::tcp(fake::say(answer("302 Found", &["location: /login"], ""))),
            "expected metrics, got 302 Found to /login",
        ),
        (text("a 1\nb 2\nc{x=} 3\n"), "expected metrics, got a bad page: line 3: "),
        (text("a 1\nb x\n"), "line 2: "),
        (text(&many), "200000"),
        (fake::tcp(fake::say(bomb)), "expected a body of at most 16MiB, got more"),
        (fake::tcp(fake::say(packed(b"a 1\n"))), "expected a gzip body, got one that is damaged"),
        (fake::tcp(fake::say_and_close(cut)), "closed connection"),
        (
            fake::tcp(fake::say("HTTP/1.1 200 OK\r\ncontent-length: 2147483648\r\n\r\na 1\n")),
            "expected a body of at most 16MiB, got more",
        ),
        (
            fake::tcp(fake::flood(format!("HTTP/1.1 200 OK\r\n{TEXT}\r\n\r\n"), b"a 1\n")),
            "at most 16MiB, got more",
        ),
        (fake::tcp(fake::say_and_close("")), "expected an answer, got a closed connection"),
        (fake::tcp(fake::say("SSH-2.0-OpenSSH\r\n")), "expected an HTTP/1.1 answer"),
        (SocketAddr::from(([127, 0, 0, 1], crate::harness::free_port())), "connection refused"),
    ];
    let bench = Bench::local();
    for (to, part) in table {
        expect_down(&bench.once(at(to)), part);
    }
}

#[test]
fn a_page_of_another_reading_is_the_same_page() {
    let page = b"# HELP a A\\nthing.\n# TYPE a gauge\na{x=\"\\\"\\\\\\n\"} 1e3\nb NaN\nc -Inf\n";
    let plain = String::from_utf8(page.to_vec()).unwrap();
    let chunk = format!(
        "HTTP/1.1 200 OK\r\n{TEXT}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{plain}\r\n0\r\n\r\n",
        page.len()
    );
    let bench = Bench::local();
    let want = ["a{x=\"\\\"\\\\\\n\"} 1000@0", "b NaN@0", "c -inf@0"];
    for bytes in [answer("200 OK", &[TEXT], &plain).into_bytes(), packed(&gzip(page)), chunk.into_bytes()] {
        let got = bench.once(at(fake::tcp(fake::say(bytes))));
        expect_up(&got);
        assert_eq!(shown(&got), want);
    }
}

#[test]
fn slow_servers_run_out_of_time_and_the_next_scrape_is_well() {
    let mut bench = Bench::local();
    bench.timeout = Duration::from_millis(400);
    let count = AtomicUsize::new(0);
    let to = fake::tcp(move |wire: &mut dyn Wire| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            fake::drip(format!("HTTP/1.1 200 OK\r\n{TEXT}\r\n\r\na 1\n"))(wire);
        } else {
            talk(|_| answer("200 OK", &[TEXT], "a 1\n"))(wire);
        }
    });
    let mut collector = bench.collector(at(to));
    expect_down(
        &bench.collect(&mut collector),
        "expected an answer within 400ms, got silence after connecting",
    );
    expect_up(&bench.collect(&mut collector));
    let hole = fake::black_hole();
    expect_down(&bench.once(at(hole.address)), "expected a connection within 400ms, got no answer");
}

#[test]
fn a_scrape_that_is_given_up_leaves_the_collector_usable() {
    let count = AtomicUsize::new(0);
    let to = fake::tcp(move |wire: &mut dyn Wire| {
        if count.fetch_add(1, Ordering::SeqCst) == 1 {
            return fake::silence(wire);
        }
        fake::heard(wire);
        let _ = wire.write_all(answer("200 OK", &[TEXT, "connection: close"], "a 1\n").as_bytes());
    });
    let bench = Bench::local();
    let mut collector = bench.collector(at(to));
    assert_eq!(shown(&bench.collect(&mut collector)), ["a 1@0"]);
    bench.rt.block_on(async {
        let given_up = tokio::time::timeout(Duration::from_millis(100), collector.collect()).await;
        assert!(given_up.is_err());
    });
    bench.advance(30);
    assert_eq!(shown(&bench.collect(&mut collector)), ["a 1@30"]);
}

#[test]
fn one_connection_serves_many_scrapes_and_a_dead_one_is_replaced() {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let to = fake::tcp(move |wire: &mut dyn Wire| {
        seen.fetch_add(1, Ordering::SeqCst);
        // Closes after three answers without having said so.
        let left = AtomicUsize::new(3);
        while left.fetch_sub(1, Ordering::SeqCst) > 0 && !fake::heard(wire).is_empty() {
            let _ = wire.write_all(answer("200 OK", &[TEXT], "a 1\n").as_bytes());
        }
    });
    let bench = Bench::local();
    let mut collector = bench.collector(at(to));
    for _ in 0..9 {
        expect_up(&bench.collect(&mut collector));
    }
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[test]
fn who_asks_is_proved_by_secret_or_by_login() {
    let logins = Arc::new(AtomicUsize::new(0));
    let made = Arc::clone(&logins);
    let to = web(move |ask| {
        if ask.line == "POST /login" {
            made.fetch_add(1, Ordering::SeqCst);
            return answer("200 OK", &["set-cookie: token=t0ken; HttpOnly"], "{}");
        }
        let proofs =
            ["authorization: Bearer s3cret", "authorization: Basic bWU6czNjcmV0", "cookie: token=t0ken"];
        let good = ask.headers.iter().any(|h| proofs.contains(&h.as_str()));
        // A server may echo what it was sent; nobody must see it.
        let echo = ask.headers.join("\n");
        if good { answer("200 OK", &[TEXT], "a 1\n") } else { answer("401 Unauthorized", &[], &echo) }
    });
    let login = Login {
        id: "api".into(),
        url: format!("http://{to}/login"),
        username: "me".into(),
        password: SecretId::new("s"),
        token: TokenFrom::Cookie("token".into()),
        backoff: Duration::from_secs(60),
        tls: Tls::default(),
    };
    let bench = Bench::new(TransportSpec::Local, &[("s", "s3cret"), ("wrong", "wr0ng")], &[login]);
    let with = |auth: Auth| page(Http { auth, ..http(&format!("http://{to}/metrics")) });
    let basic = |secret: &str| Auth::Basic { user: "me".into(), password: SecretId::new(secret) };
    for auth in
        [Auth::Bearer(SecretId::new("s")), basic("s"), Auth::Login("api".into()), Auth::Login("api".into())]
    {
        expect_up(&bench.once(with(auth)));
    }
    assert_eq!(logins.load(Ordering::SeqCst), 1, "one session for all targets");
    expect_down(&bench.once(with(Auth::None)), "expected metrics, got 401 Unauthorized");
    expect_down(&bench.once(with(basic("wrong"))), "expected metrics, got 401 Unauthorized");
    expect_down(&bench.once(with(Auth::Bearer(SecretId::new("none")))), "needs the secret none");
    // What a page holds of the secret does not get into the reason.
    let echo = fake::tcp(fake::say(answer("200 OK", &[TEXT], "a 1\ns3cret!\n")));
    let kind = page(Http { auth: Auth::Bearer(SecretId::new("s")), ..http(&format!("http://{echo}/")) });
    let got = bench.once(kind);
    expect_down(&got, "line 2");
    assert!(!got.reason.contains("s3cret"), "{}", got.reason);
}

#[test]
fn tls_trusts_a_ca_of_our_own() {
    let (ca, other) = (Ca::new("our CA"), Ca::new("other CA"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem").display().to_string();
    std::fs::write(&file, &ca.pem).unwrap();
    let serve =
        |ca: &Ca| tls(&ca.issue("127.0.0.1", (2020, 2090)), talk(|_| answer("200 OK", &[TEXT], "a 1\n")));
    let bench = Bench::local();
    let ask = |to: SocketAddr| page(https(&format!("https://{to}/metrics"), &file));
    let mut collector = bench.collector(ask(serve(&ca)));
    for _ in 0..2 {
        expect_up(&bench.collect(&mut collector));
    }
    expect_down(&bench.once(ask(serve(&other))), "certificate not trusted");
}

#[test]
fn a_unix_socket_serves_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.sock");
    fake::unix(&path, talk(|_| answer("200 OK", &[TEXT], "a 1\n")));
    let target = Target::parse("http://here/metrics", None, Some(&path.display().to_string())).unwrap();
    expect_up(&Bench::local().once(page(Http { target, auth: Auth::None, max_body: 1 << 20 })));
}

#[test]
fn odd_pages_are_bounded_and_disturb_nothing() {
    let long = "x".repeat(1 << 20);
    let bench = Bench::local();
    let to = |body: String| at(fake::tcp(fake::say(answer("200 OK", &[TEXT], &body))));
    expect_down(&bench.once(to(format!("a{{x=\"{long}\"}} 1\n"))), "line 1");
    let got = bench.once(to("a 1\na 2\nb NaN\n".to_owned()));
    expect_up(&got);
    assert_eq!((shown(&got).len(), report(&got, "scrape_samples_scraped")), (2, 3.0), "{:?}", shown(&got));
    assert!(got.reason.contains("1 series stands on the page twice"), "{}", got.reason);
    expect_up(&bench.once(to(String::new())));
}

#[test]
fn whoever_looks_at_a_target_sees_all_of_its_families() {
    let text = "# HELP a_seconds How long.\n# TYPE a_seconds histogram\na_seconds_bucket{le=\"+Inf\"} 2\na_seconds_count 2\n\
                # TYPE b counter\nb{x=\"1\"} 3\nb{x=\"2\"} 4\nc 5\n";
    let to = web(move |_| answer("200 OK", &[TEXT], text));
    let mut bench = Bench::local();
    bench.selection = Selection::default();
    let mut collector = bench.collector(at(to));
    assert!(bench.collect(&mut collector).families.is_none(), "nobody looks");
    collector.explore(true);
    let got = bench.collect(&mut collector);
    assert_eq!((got.kept, shown(&got).len()), (0, 0), "looking keeps nothing");
    let (families, more) = got.families.unwrap();
    let told: Vec<_> = families.iter().map(|f| (&*f.name, &*f.kind, &*f.help, f.series.len())).collect();
    let want = [("a_seconds", "histogram", "How long.", 1), ("b", "counter", "", 2), ("c", "untyped", "", 1)];
    assert_eq!((told.as_slice(), more), (want.as_slice(), 0));
    assert_eq!(families[1].series[0], (r#"x="1""#.to_owned(), "3".to_owned()));
}
