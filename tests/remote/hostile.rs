//! Peers that are no Prometheus, or a bad one: each is named for what it is, in bounded time and
//! memory, and learns no secret.

use crate::bench::Bench;
use crate::harness::fake::{self, Wire};
use quarterdeck::domain::id::SecretId;
use quarterdeck::observe::metrics::api::AskError;
use quarterdeck::stack::kind::http::Auth;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn at(address: SocketAddr) -> String {
    format!("http://{address}")
}

pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn gzipped(zeros: usize) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..zeros >> 20 {
        packer.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    packer.finish().unwrap()
}

#[test]
fn what_answers_in_its_place_is_named() {
    let mut bench = Bench::local();
    bench.timeout = Duration::from_secs(20);
    let ok = |body: &str| fake::tcp(fake::say(answer("200 OK", "", body.as_bytes())));
    let table = [
        (ok("<!doctype html><html><head><title>Login\x1b[2J</title>"), "got HTML: the page \"Login·[2J\""),
        (ok("{\"a\":"), "expected the API of a Prometheus, got status 200 and"),
        (ok("[]"), "expected the API of a Prometheus"),
        (
            ok(&format!("{{\"data\":{{\"x\":{}", "[".repeat(1 << 20))),
            "expected the API of a Prometheus, got status 200 and EOF while parsing",
        ),
        (
            fake::tcp(fake::say("SSH-2.0-OpenSSH_9\r\n\r\n")),
            "expected an HTTP/1.1 answer, got something else",
        ),
        (fake::tcp(fake::say_and_close("")), "expected an answer, got a closed connection"),
        (fake::tcp(fake::say_and_close("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}")), "expected a"),
        (
            fake::tcp(fake::flood("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"success\",\"data\":\"", b"aaaaaaaa")),
            "expected at most 64MiB of answer, got more",
        ),
        (
            fake::tcp(fake::say("HTTP/1.1 200 OK\r\ncontent-length: 2147483648\r\n\r\n")),
            "expected at most 64MiB of answer, got more",
        ),
        (
            fake::tcp(fake::say(answer("200 OK", "content-encoding: gzip\r\n", &gzipped(200 << 20)))),
            "expected at most 64MiB of answer, got more",
        ),
        (
            fake::tcp(fake::say(answer("200 OK", "content-encoding: gzip\r\n", b"no gzip at all"))),
            "got one that does not unpack",
        ),
        (
            fake::tcp(fake::flood("HTTP/1.1 200 OK\r\nx: ", b"y")),
            "expected an HTTP/1.1 answer, got something else",
        ),
        (fake::tcp(fake::say(answer("401 Unauthorized", "", b"no org id"))), "401 Unauthorized: no org id"),
        (fake::tcp(fake::say(answer("403 Forbidden", "", b""))), "403 Forbidden"),
        (
            fake::tcp(fake::say(answer("404 Not Found", "", b"404 page not found"))),
            "404 Not Found: it has no /api/v1/query",
        ),
    ];
    for (peer, words) in table {
        let why = bench.why(&at(peer));
        assert!(why.contains(words), "expected …{words}…, got {why}");
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(bench.why(&at(closed)), format!("connection refused by {closed}"));
}

#[test]
fn what_is_too_slow_is_given_up_in_time() {
    let mut bench = Bench::local();
    bench.timeout = Duration::from_millis(300);
    let hole = fake::black_hole();
    for peer in [
        fake::tcp(fake::silence),
        fake::tcp(fake::drip(answer("200 OK", "", b"{}"))),
        fake::tcp(fake::say_after(Duration::from_secs(2), "late")),
        hole.address,
    ] {
        assert_eq!(bench.why(&at(peer)), "no answer within 300ms");
    }
}

/// A peer that keeps what it is asked.
pub fn listening(
    answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&asked);
    let address = fake::tcp(move |wire: &mut dyn Wire| {
        loop {
            let ask = String::from_utf8(fake::heard(wire)).unwrap();
            if ask.is_empty() {
                return;
            }
            // Before the answer: who gets it looks at once.
            theirs.lock().unwrap().push(ask.clone());
            if wire.write_all(&answer(&ask)).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

pub const ONE: &[u8] = br#"{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}"#;

#[test]
fn credentials_go_nowhere_else_and_are_not_quoted() {
    let mut bench = Bench::local();
    bench.auth = Auth::Bearer(SecretId::new("s"));
    let (thief, stolen) = listening(|_| answer("200 OK", "", ONE));
    let elsewhere = format!("location: http://{thief}/api/v1/query\r\n");
    let (sends_away, asked) = listening(move |_| answer("302 Found", &elsewhere, b""));
    let why = bench.why(&at(sends_away));
    assert!(why.contains("sends us to http://") && why.contains("not followed"), "{why}");
    assert!(asked.lock().unwrap()[0].contains("authorization: Bearer open sesame"));
    assert_eq!(*stolen.lock().unwrap(), Vec::<String>::new());

    let echo = fake::tcp(fake::say(answer("401 Unauthorized", "", b"bad token: open sesame")));
    assert_eq!(bench.why(&at(echo)), "401 Unauthorized: bad token: [redacted]");
    let turning = fake::tcp(|wire| {
        while !fake::heard(wire).is_empty() {
            let _ = wire.write_all(&answer("302 Found", "location: /again\r\n", b""));
        }
    });
    assert!(bench.why(&at(turning)).contains("not followed"));
}

#[test]
fn the_base_path_the_headers_and_redirects_within_the_server_are_kept() {
    let bench = Bench::local();
    let (server, asked) = listening(|ask| {
        if ask.contains(" /mimir/prometheus/api/v1/query?") {
            answer("307 Temporary Redirect", "location: /there?query=1\r\n", b"")
        } else {
            answer("200 OK", "", ONE)
        }
    });
    let api = bench.api(&format!("http://{server}/mimir/prometheus/"));
    let client = quarterdeck::observe::metrics::prometheus::Prometheus::over(
        api.with_header("X-Scope-OrgID", "team-a").unwrap(),
    );
    bench.block_on(client.query("1", 0)).unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    assert!(
        asked.iter().all(|a| a.contains("x-scope-orgid: team-a") && a.contains(&format!("host: {server}"))),
        "{asked:?}"
    );
    assert!(asked[0].contains("query=1&time=0.000&timeout=10000ms"), "{asked:?}");
    for (name, value) in [("a b", "c"), ("a", "c\nd")] {
        assert!(bench.api("http://a").with_header(name, value).is_err());
    }
}

#[test]
fn a_secret_that_is_missing_is_ours() {
    let mut bench = Bench::local();
    bench.auth = Auth::Basic { user: "a".into(), password: SecretId::new("none") };
    let client = bench.prometheus("http://127.0.0.1:1");
    let why = bench.block_on(client.query("1", 0)).unwrap_err();
    assert_eq!(why, AskError::Ours("needs the secret none: add [secrets.none] to config.toml".into()));
}

#[test]
fn a_hostile_alertmanager_is_named_too() {
    let bench = Bench::local();
    let html = fake::tcp(fake::say(answer("200 OK", "", b"<html><title>Grafana</title>")));
    let client = bench.alertmanager(&at(html));
    let why = bench.block_on(client.told()).unwrap_err().to_string();
    assert_eq!(why, "expected the API of an Alertmanager, got HTML: the page \"Grafana\"");
}
