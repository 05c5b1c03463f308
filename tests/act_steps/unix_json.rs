//! `uses = "unix-json"`: one request, the first object of the answer, and secrets that it echoes.

use crate::bench::Bench;
use crate::harness::fake;
use crate::said::{done, failed};
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::UnixJson;
use quarterdeck::domain::procedure::event::Truth;
use quarterdeck::stack::spec::TransportSpec;
use std::sync::{Arc, Mutex};

fn step(socket: &std::path::Path, request: &str, expect: &[&str]) -> Action {
    Action::UnixJson(UnixJson {
        socket: socket.display().to_string(),
        request: request.into(),
        expect: expect.iter().map(|t| (*t).to_owned()).collect(),
    })
}

#[test]
fn the_first_object_is_the_answer_though_nobody_closes() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let noted = Arc::clone(&heard);
    fake::unix(&socket, move |wire| {
        *noted.lock().unwrap() = fake::heard(wire);
        let _ = std::io::Write::write_all(wire, b"{\"status\": \"ok\", \"token\": \"s3cret-1\"}{\"next\":1}");
        let _ = fake::heard(wire);
    });
    let bench = Bench::new(TransportSpec::Local, &[], &[("t", "s3cret-1")]);
    let request = r#"{"command":"add","token":"${secret.t}","by":"${run.id}"}"#;
    let left = bench.perform(&step(&socket, request, &["[BODY].status == ok"]));
    assert_eq!(done(&left), r#"answered {"status":"ok","token":"[redacted]"}"#);
    let want = format!(r#"{{"command":"add","token":"s3cret-1","by":"{}"}}"#, bench.run);
    assert_eq!(String::from_utf8_lossy(&heard.lock().unwrap()), want);
    let left = bench.perform(&step(&socket, request, &["[BODY].status == done"]));
    assert!(failed(&left).contains("expected status == done, got ok"), "{left:?}");
    assert!(!failed(&left).contains("s3cret"));
    assert_eq!(bench.ask(&step(&socket, request, &[]), "").truth, Truth::Unknown);
}

#[test]
fn peers_that_answer_no_object_are_failures_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::local(&[]);
    let socket = dir.path().join("text");
    fake::unix(&socket, fake::say_and_close("ERR what\n"));
    let left = bench.perform(&step(&socket, "{}", &[]));
    assert!(failed(&left).contains("expected a JSON object, got \"ERR what\""), "{left:?}");
    assert!(failed(&left).ends_with("it may have been carried out"), "{left:?}");
    let socket = dir.path().join("flood");
    fake::unix(&socket, fake::flood("[1", b",1"));
    let left = bench.perform(&step(&socket, "{}", &[]));
    assert!(failed(&left).contains("a reply of at most 1MiB"), "{left:?}");

    let nobody = dir.path().join("nobody");
    let target = bench.target(&step(&nobody, "{}", &[]));
    assert!(
        target.impossible.is_none() && target.warnings[0].contains("takes no connection now"),
        "{target:?}"
    );
    assert!(failed(&bench.perform(&step(&nobody, "{}", &[]))).ends_with("nothing was sent"));
    for (request, part) in [("{", "the request is no JSON"), (r#"{"a":"${secret.x}"}"#, "needs the secret x")]
    {
        let why = bench.target(&step(&nobody, request, &[])).impossible;
        assert!(why.as_ref().is_some_and(|w| w.contains(part)), "{why:?}");
    }
}
