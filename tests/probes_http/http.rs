//! `http` over plain connections.

use crate::harness::look::{expect, look, look_with, probe};
use crate::harness::{fake, free_port};
use crate::web::{Watch, answer, talk, web};
use quarterdeck::domain::fact::Fact;
use quarterdeck::domain::health::Health::{Degraded, Down, Unknown, Up};
use quarterdeck::domain::text::is_hostile;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const READY: &str = r#"{"status":"ok","data":{"healthy":true,"log_service":"ok"},"services":[{"name":"ipam","state":"running"},{"name":"auth","state":"crashed"}]}"#;

fn keys(to: SocketAddr, more: &str) -> String {
    format!("kind = \"http\"\nurl = \"http://{to}/ready\"\n{more}")
}

fn ready() -> SocketAddr {
    web(|_| answer("200 OK", &["Content-Type: application/json", "X-Kind: Admin"], READY))
}

#[test]
fn status_body_headers_and_size_can_be_asked_about() {
    let to = ready();
    let table = [
        ("", Up, "200 OK"),
        ("conditions = ['[STATUS] == 204']", Down, "expected status == 204, got 200"),
        ("conditions = ['[BODY].data.healthy == true']", Up, "200 OK"),
        (
            "conditions = ['[BODY].data.log_service == down']",
            Down,
            "expected data.log_service == down, got ok",
        ),
        (
            "conditions = ['[BODY].services[*].state == running']",
            Down,
            "auth: expected state == running, got crashed",
        ),
        ("degraded_unless = ['len([BODY].services) == 3']", Degraded, "expected len(services) == 3, got 2"),
        ("conditions = ['[HEADER].x-kind == Admin']", Up, "200 OK"),
        ("conditions = ['[SIZE] < 100B']", Down, "expected size < 100B, got 139B"),
        ("conditions = ['[BODY] contains ready']", Down, "got an object of 3"),
        ("max_body = 100", Down, "expected a body of at most 100B, got more"),
    ];
    for (more, health, part) in table {
        expect(&look(&keys(to, more)), health, part);
    }
}

#[test]
fn what_is_sent_is_what_the_keys_say() {
    let to = web(|ask| {
        let wanted = ["host: other", "x-a: b", "content-type: application/json"];
        let good = ask.line == "POST /ready"
            && ask.body == "{\"a\":1}"
            && wanted.iter().all(|w| ask.headers.contains(&(*w).to_owned()));
        answer(if good { "204 No Content" } else { "400 Bad Request" }, &[], "")
    });
    let more = "method = 'POST'\nbody = '{\"a\":1}'\nheaders = { Host = 'other', X-A = 'b' }";
    expect(&look(&keys(to, more)), Up, "204 No Content");
}

#[test]
fn a_redirection_is_an_answer_and_not_followed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let to = web(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        answer("302 Found", &["Location: /login"], "")
    });
    expect(&look(&keys(to, "")), Down, "expected status in 200..299, got 302");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn text_that_is_not_json_is_one_text() {
    let to = web(|_| answer("200 OK", &[], "all systems go\n"));
    expect(&look(&keys(to, "conditions = ['[BODY] contains systems']")), Up, "200 OK, all systems go");
    expect(&look(&keys(to, "conditions = ['[BODY].a == 1']")), Down, "expected a == 1, got nothing");
}

#[test]
fn a_unix_socket_serves_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    let keys = |path: &str| format!("kind = 'http'\nurl = 'http://docker/version'\nunix = '{path}'");
    expect(&look(&keys(&path.display().to_string())), Down, "no socket at");
    fake::unix(&path, talk(|ask| answer("200 OK", &[], &ask.line)));
    expect(&look(&keys(&path.display().to_string())), Up, "200 OK, GET /version");
}

#[test]
fn peers_that_misbehave_are_down_in_words() {
    let short = "timeout = '300ms'";
    let head = "HTTP/1.1 200 OK\r\n";
    let table = [
        (fake::tcp(fake::silence), Down, "expected an answer within 300ms, got silence after connecting"),
        (fake::tcp(fake::drip("HTTP/1.1 200 OK\r\n\r\n")), Down, "expected an answer within 300ms"),
        (fake::tcp(fake::say_and_close("")), Down, "expected an answer, got a closed connection"),
        (
            fake::tcp(fake::say_and_close("SSH-2.0-OpenSSH_9.2\r\n")),
            Down,
            "expected an HTTP/1.1 answer, got something else",
        ),
        (
            fake::tcp(fake::say_and_close("HTTP/1.1 2000 OK\r\n\r\n")),
            Down,
            "expected an HTTP/1.1 answer, got something else",
        ),
        (fake::tcp(fake::say_and_close("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")), Down, "got something else"),
        (
            fake::tcp(fake::say_and_close("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort")),
            Down,
            "expected a whole answer",
        ),
        (
            fake::tcp(fake::say_and_close(
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
            )),
            Down,
            "something else",
        ),
        (fake::tcp(fake::say_after(Duration::from_secs(2), answer("200 OK", &[], ""))), Down, "within 300ms"),
        (
            fake::tcp(fake::flood(head, b"x: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")),
            Down,
            "of headers, got more",
        ),
        (fake::tcp(fake::flood(head, b"x")), Down, "of headers, got more"),
        (
            fake::tcp(fake::flood("HTTP/1.1 200 OK\r\n\r\n", b"x")),
            Down,
            "expected a body of at most 1MiB, got more",
        ),
        (
            fake::tcp(fake::flood("HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n", b"x")),
            Down,
            "expected a body of at most 1MiB, got more",
        ),
        (
            fake::tcp(fake::flood(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                b"20\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
            )),
            Down,
            "expected a body of at most 1MiB, got more",
        ),
        (
            fake::tcp(fake::flood("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n")),
            Down,
            "expected a body, got 1025 pieces of a few bytes",
        ),
    ];
    for (to, health, part) in table {
        let more = if part.contains("within") { short } else { "timeout = '5s'" };
        expect(&look(&keys(to, more)), health, part);
    }
}

#[test]
fn no_server_is_down_and_no_way_there_is_unknown() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
    expect(&look(&keys(nobody, "")), Down, "connection refused by 127.0.0.1:");
    let hole = fake::black_hole();
    let reading = look(&keys(hole.address, "timeout = '300ms'"));
    expect(&reading, Unknown, "unreachable from here");
    assert!(reading.unreachable);
}

#[test]
fn escape_sequences_end_here() {
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}\u{9b}31m";
    let body = serde_json::json!({ "status": evil }).to_string();
    for body in [evil.to_owned(), body] {
        let to = web(move |_| answer("200 OK", &["X-Evil: \u{9b}31m"], &body));
        for condition in ["[BODY].status == ok", "[BODY] == ok", "[HEADER].x-evil == ok", "[STATUS] == 200"] {
            let reading = look(&keys(to, &format!("conditions = ['{condition}']")));
            let shown = reading.evidence.iter().chain([&reading.reason]);
            for line in shown {
                assert!(!line.contains(is_hostile), "{line:?}");
            }
        }
    }
}

#[test]
fn cookies_of_an_answer_are_not_kept() {
    let to = web(|_| answer("200 OK", &["Set-Cookie: sid=s3ssion; Path=/"], ""));
    let reading = look(&keys(to, "conditions = ['has([HEADER].set-cookie) == true']"));
    assert_eq!(reading.health, Up);
    assert!(!format!("{reading:?}").contains("s3ssion"));
}

#[test]
fn bearer_and_basic_prove_who_asks_and_are_never_shown() {
    // An echo of everything that was sent, as debugging endpoints give it.
    let to = web(|ask| {
        let status = match ask.header("authorization") {
            Some("Bearer hunter2!" | "Basic YWRtaW46aHVudGVyMiE=") => "200 OK",
            _ => "401 Unauthorized",
        };
        let body = serde_json::json!({ "headers": ask.headers, "password": "hunter2!" }).to_string();
        answer(status, &["X-Echo: hunter2!"], &body)
    });
    let bearer = "auth = { bearer = { secret = 'pw' } }";
    let basic = "auth = { user = 'admin', password = { secret = 'pw' } }";
    let conditions = "conditions = ['[STATUS] == 200', '[BODY].password == x', '[HEADER].x-echo == x']";
    for way in [bearer, basic] {
        expect(&look_with(&keys(to, way), &[("pw", "hunter2!")]), Up, "200 OK");
        expect(&look_with(&keys(to, way), &[("pw", "wrong")]), Down, "got 401");
        expect(&look(&keys(to, way)), Unknown, "needs the secret pw: add [secrets.pw] to config.toml");
        let reading = look_with(&keys(to, &format!("{way}\n{conditions}")), &[("pw", "hunter2!")]);
        expect(&reading, Down, "expected password == x, got [redacted]");
        let all = format!("{reading:?}");
        assert!(!all.contains("hunter2") && !all.contains("YWRt"), "{all}");
        assert!(!format!("{:?}", probe(&keys(to, way)).unwrap()).contains("hunter2"));
    }
}

/// Counts connections, and answers as many requests on each as told before it closes.
fn closing_after(requests: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let to = fake::tcp(move |wire| {
        count.fetch_add(1, Ordering::SeqCst);
        for _ in 0..requests {
            if fake::heard(wire).is_empty() || wire.write_all(answer("200 OK", &[], "{}").as_bytes()).is_err()
            {
                return;
            }
        }
    });
    (to, connections)
}

#[test]
fn a_fresh_connection_is_the_rule_and_a_kept_one_is_asked_for() {
    let watch = Watch::new(&[], &[]);
    for (keep, want) in [(false, 5), (true, 1)] {
        let (to, connections) = closing_after(100);
        let probe = probe(&keys(to, &format!("keep_alive = {keep}"))).unwrap();
        for _ in 0..5 {
            assert_eq!(watch.run(&probe).health, Up);
        }
        assert_eq!(connections.load(Ordering::SeqCst), want, "keep_alive = {keep}");
    }
}

#[test]
fn a_kept_connection_that_the_server_closed_is_no_failure() {
    let watch = Watch::new(&[], &[]);
    let (to, connections) = closing_after(2);
    let probe = probe(&keys(to, "keep_alive = true")).unwrap();
    for _ in 0..9 {
        let reading = watch.run(&probe);
        expect(&reading, Up, "200 OK");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 5);
}

#[test]
fn a_kept_connection_to_a_server_that_fell_silent_is_down() {
    let watch = Watch::new(&[], &[]);
    let to = fake::tcp(|wire| {
        fake::heard(wire);
        let _ = wire.write_all(answer("200 OK", &[], "{}").as_bytes());
        fake::silence(wire);
    });
    let probe = probe(&keys(to, "keep_alive = true\ntimeout = '300ms'")).unwrap();
    assert_eq!(watch.run(&probe).health, Up);
    expect(&watch.run(&probe), Down, "expected an answer within 300ms");
    assert_eq!(watch.run(&probe).health, Up, "on a new connection");
}

#[test]
fn facts_that_no_condition_speaks_of_are_not_worked_out() {
    let to = ready();
    let reading = look(&keys(to, "conditions = ['[STATUS] == 200']"));
    assert_eq!(reading.facts.get("BODY"), None);
    let reading = look(&keys(to, "degraded_unless = ['has([BODY].status) == true']"));
    assert!(matches!(reading.facts.get("BODY"), Some(Fact::Json(_))));
}
