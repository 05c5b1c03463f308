//! `unix-json` against sockets that answer, hang, flood and are not there.

use crate::harness::fake;
use crate::harness::look::{expect, look, probe};
use quarterdeck::domain::health::Health::{Down, Up};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

fn keys(path: &Path, more: &str) -> String {
    format!(
        "kind = \"unix-json\"\npath = \"{}\"\nrequest = '{{\"command\":\"status\"}}'\n{more}",
        path.display()
    )
}

#[test]
fn a_service_that_never_closes_is_up_once_its_object_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    fake::unix(&path, fake::say("{\"status\":\"ok\",\"vpn_free\":253}\n{\"and\":\"more\"}"));
    let reading = look(&keys(&path, "conditions = ['[BODY].status == ok', '[BODY].vpn_free > 10']"));
    expect(&reading, Up, "status ok, vpn_free 253");
    assert!(reading.evidence.iter().any(|l| l.contains("\"vpn_free\": 253")), "{:?}", reading.evidence);
    expect(&look(&keys(&path, "conditions = ['[BODY].status == down']")), Down, "got ok");
}

#[test]
fn it_is_asked_what_the_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    fake::unix(&path, |wire| {
        let echo = fake::heard(wire);
        let _ = wire.write_all(&echo);
    });
    expect(&look(&keys(&path, "conditions = ['[BODY].command == status']")), Up, "command status");
}

#[test]
fn no_socket_and_a_stale_socket_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let absent = format!("no socket at {}", path.display());
    expect(&look(&keys(&path, "")), Down, &absent);
    drop(UnixListener::bind(&path).unwrap());
    let stale = format!("connection refused by unix:{} (the socket file is stale)", path.display());
    expect(&look(&keys(&path, "")), Down, &stale);
}

#[test]
fn a_full_queue_is_the_services_own_fault() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let _listener = UnixListener::bind(&path).unwrap();
    // Nobody accepts; the kernel says when no more fit.
    let connect = || {
        let socket = rustix::net::socket_with(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            rustix::net::SocketFlags::NONBLOCK,
            None,
        )
        .unwrap();
        rustix::net::connect(&socket, &rustix::net::SocketAddrUnix::new(&path).unwrap()).map(|()| socket)
    };
    let queue: Vec<_> = std::iter::from_fn(|| connect().ok()).take(100_000).collect();
    assert!(!queue.is_empty());
    expect(&look(&keys(&path, "")), Down, "is full: it does not accept");
}

#[test]
fn what_comes_back_wrong_is_down_and_says_what_came() {
    let deep = format!("{{\"a\":{}", "[".repeat(200));
    let table: [(&[u8], &str); 6] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "expected a JSON object, got \"HTTP/1.1 400 Bad Request\""),
        (b"{\"status\":ok}", "got one that is malformed"),
        (b"{\"status\":\"\xff\xfe\"}", "got one that is malformed"),
        (deep.as_bytes(), "got one nested more than 64 deep"),
        (b"{\"status\":", "expected a whole reply, got a closed connection after 10B"),
        (b"", "expected a reply, got a closed connection"),
    ];
    for (answer, want) in table {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        fake::unix(&path, fake::say_and_close(answer.to_vec()));
        expect(&look(&keys(&path, "")), Down, want);
    }
}

#[test]
fn an_endless_reply_is_cut_off_at_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    fake::unix(&path, fake::flood("{\"a\":\"", b"x"));
    expect(&look(&keys(&path, "timeout = '20s'")), Down, "expected a reply of at most 1MiB, got more");
}

#[test]
fn slow_is_up_within_the_timeout_and_down_past_it() {
    let dir = tempfile::tempdir().unwrap();
    let answers: [(&str, Box<fake::Behaviour>); 3] = [
        ("slow", Box::new(fake::say_after(Duration::from_millis(300), "{}"))),
        ("drip", Box::new(fake::drip("{\"status\":\"ok\"}"))),
        ("silent", Box::new(fake::silence)),
    ];
    for (name, behaviour) in answers {
        let path = dir.path().join(name);
        fake::unix(&path, behaviour);
        let reading = look(&keys(&path, "timeout = '1500ms'"));
        let latency = reading.latency.unwrap();
        if name == "slow" {
            expect(&reading, Up, "an object of 0");
            assert!(latency >= Duration::from_millis(300), "{latency:?}");
        } else {
            expect(&reading, Down, "expected an answer within 1.5s");
        }
    }
}

#[test]
fn the_keys_are_checked_when_the_file_is_loaded() {
    let table = [
        ("path = '/s'\nrequest = '{\"a\":'", "`request` expects JSON"),
        ("path = 'run/s'\nrequest = '{}'", "expects the absolute path of a socket"),
        ("request = '{}'", "no `path`"),
        ("path = '/s'\nrequest = '{}'\nconditions = ['[STATUS] == 200']", "no [STATUS]"),
    ];
    for (keys, want) in table {
        let problems = probe(&format!("kind = 'unix-json'\n{keys}")).unwrap_err();
        assert!(problems.contains(want), "{problems}");
    }
}
