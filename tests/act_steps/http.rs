//! `uses = "http"`: requests as they arrive, answers as they are judged, sessions, and secrets that
//! a server echoes.

use crate::bench::Bench;
use crate::harness::fake;
use crate::said::{done, failed, killed};
use crate::web::{Ask, Ca, answer, talk, tls, web};
use quarterdeck::act::step::Stop;
use quarterdeck::domain::id::SecretId;
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::{Capture, CaptureFrom, Http};
use quarterdeck::domain::procedure::event::Truth;
use quarterdeck::stack::kind::common::Tls;
use quarterdeck::stack::spec::{Login, SecretSource, TokenFrom, TransportSpec};
use quarterdeck::transport::fetch::access::Access;
use quarterdeck::transport::secret::Secrets;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn get(url: &str, expect: &[&str]) -> Http {
    Http {
        method: "GET".into(),
        url: url.into(),
        headers: [].into(),
        body: None,
        login: None,
        session: None,
        expect: expect.iter().map(|t| (*t).to_owned()).collect(),
        ca: None,
        insecure: false,
    }
}

#[test]
fn a_request_arrives_as_written_and_its_answer_is_judged() {
    let seen: Arc<Mutex<Vec<Ask>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let to = web(move |ask| {
        noted.lock().unwrap().push(Ask {
            line: ask.line.clone(),
            headers: ask.headers.clone(),
            body: ask.body.clone(),
        });
        match ask.line.as_str() {
            "POST /users" => answer("201 Created", &[], r#"{"user":{"name":"a","on":true}}"#),
            "GET /moved" => answer("302 Found", &["location: /users"], ""),
            "GET /big" => answer("200 OK", &[], &"x".repeat(2 << 20)),
            // A server that says back what it was sent.
            _ => {
                answer("400 Bad Request", &[], &format!("{} {}", ask.header("x-key").unwrap_or(""), ask.body))
            }
        }
    });
    let bench = Bench::new(TransportSpec::Local, &[], &[("key", "s3cret/\"key")]);
    let mut post = get(&format!("http://{to}/users"), &["[STATUS] == 201", "[BODY].user.on == true"]);
    post.method = "POST".into();
    post.headers =
        [("x-key".to_owned(), "${secret.key}".to_owned()), ("x-run".into(), "${run.id}".into())].into();
    post.body = Some(r#"{"by":"${run.id}"}"#.into());
    assert_eq!(bench.target(&Action::Http(post.clone())).impossible, None);
    assert!(seen.lock().unwrap().is_empty(), "looking sends nothing");
    let left = bench.perform(&Action::Http(post.clone()));
    assert_eq!(done(&left), r#"answered 201 Created, {"user":{"name":"a","on":true}}"#);
    {
        let seen = seen.lock().unwrap();
        let ask = &seen[0];
        assert_eq!((&*ask.line, &*ask.body), ("POST /users", &*format!("{{\"by\":\"{}\"}}", bench.run)));
        assert_eq!(
            (ask.header("x-key"), ask.header("x-run")),
            (Some("s3cret/\"key"), Some(bench.run.as_str()))
        );
        assert_eq!(ask.header("content-type"), Some("application/json"));
    }
    post.url = format!("http://{to}/echo");
    post.body = Some(r#"{"key":"${secret.key}"}"#.into());
    let left = bench.perform(&Action::Http(post.clone()));
    assert!(failed(&left).contains("expected status == 201, got 400"), "{left:?}");
    assert!(failed(&left).contains("[redacted]") && !failed(&left).contains("s3cret"), "{left:?}");

    // A redirect is an answer like any other, and nothing is sent to where it points.
    let before = seen.lock().unwrap().len();
    let moved = bench.perform(&Action::Http(get(&format!("http://{to}/moved"), &[])));
    assert!(failed(&moved).contains("expected status in 200..299, got 302"), "{moved:?}");
    assert_eq!(seen.lock().unwrap().len(), before + 1);
    let big = bench.perform(&Action::Http(get(&format!("http://{to}/big"), &[])));
    assert!(failed(&big).contains("a body of at most 1MiB"), "{big:?}");

    assert_eq!(bench.ask(&Action::Http(post), "").truth, Truth::Unknown);
    assert_eq!(bench.ask(&Action::Http(get("http://x/", &[])), "").truth, Truth::DidNot);
}

#[test]
fn what_cannot_be_sent_is_told_in_advance() {
    let to = web(|_| answer("200 OK", &[], ""));
    let bench = Bench::local(&[]);
    let with = |change: &dyn Fn(&mut Http)| {
        let mut step = get(&format!("http://{to}/"), &[]);
        change(&mut step);
        Action::Http(step)
    };
    let table: [(Action, &str); 6] = [
        (with(&|h| h.login = Some("nobody".into())), "no login is called nobody"),
        (with(&|h| drop(h.headers.insert("a".into(), "${secret.x}".into()))), "needs the secret x"),
        (with(&|h| h.url = "http://${secret.x}/".into()), "may not stand here"),
        (with(&|h| h.url = "ftp://x/".into()), "must begin with http"),
        (with(&|h| h.method = "GE T".into()), "no method"),
        (with(&|h| h.expect = vec!["[NOPE] == 1".into()]), "has no [NOPE]"),
    ];
    for (action, part) in table {
        let why = bench.target(&action).impossible;
        assert!(why.as_ref().is_some_and(|w| w.contains(part)), "{action:?}: {why:?}");
        let left = bench.perform(&action);
        assert!(failed(&left).contains(part) || failed(&left).contains("login"), "{left:?}");
    }
}

#[test]
fn silence_ends_when_told_to_and_a_closed_door_sent_nothing() {
    let silent = fake::tcp(fake::silence);
    let (bench, stop) = (Bench::local(&[]), Stop::new());
    let action = Action::Http(get(&format!("http://{silent}/"), &[]));
    let left = bench.rt.block_on(async {
        let setting = bench.setting();
        let work = quarterdeck::act::step::perform(&action, &setting, &stop);
        let tell = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            stop.stop();
        };
        tokio::join!(work, tell).0
    });
    assert!(killed(&left).contains("it may have been carried out"), "{left:?}");
    let nobody = crate::harness::free_port();
    let left = bench.perform(&Action::Http(get(&format!("http://127.0.0.1:{nobody}/"), &[])));
    assert!(failed(&left).contains("refused") && failed(&left).ends_with("nothing was sent"), "{left:?}");
}

#[test]
fn a_certificate_is_checked_unless_the_step_says_otherwise() {
    let ca = Ca::new("ours");
    let to = tls(&ca.issue("127.0.0.1", (2020, 2100)), talk(|_| answer("200 OK", &[], "in")));
    let bench = Bench::local(&[]);
    let file = bench.dir.path().join("ca.pem");
    std::fs::write(&file, &ca.pem).unwrap();
    let other = bench.dir.path().join("other.pem");
    std::fs::write(&other, Ca::new("theirs").pem).unwrap();
    let step = |ca: Option<&std::path::Path>, insecure| {
        let mut step = get(&format!("https://{to}/"), &[]);
        (step.ca, step.insecure) = (ca.map(|c| c.display().to_string()), insecure);
        Action::Http(step)
    };
    done(&bench.perform(&step(Some(&file), false)));
    let left = bench.perform(&step(Some(&other), false));
    assert!(failed(&left).contains("certificate"), "{left:?}");
    done(&bench.perform(&step(None, true)));
    assert!(bench.target(&step(None, true)).warnings[0].contains("not checked"));
}

/// An API whose tokens carry the number of the secret they were signed with.
#[derive(Default)]
struct Api(Mutex<(u32, u32)>);

impl Api {
    fn handle(&self, ask: &Ask) -> String {
        let mut state = self.0.lock().unwrap();
        let good = format!("Bearer token-{}-", state.0);
        match ask.line.as_str() {
            "POST /login" => {
                state.1 += 1;
                answer("200 OK", &[], &format!(r#"{{"token":"token-{}-{}"}}"#, state.0, state.1))
            }
            "POST /rotate" => {
                state.0 += 1;
                answer("200 OK", &[], "")
            }
            _ if ask.header("authorization").is_some_and(|h| h.starts_with(&good)) => {
                answer("200 OK", &[], ask.header("authorization").unwrap())
            }
            _ => answer("401 Unauthorized", &[], ""),
        }
    }
}

fn logged_in(to: SocketAddr) -> Bench {
    let mut bench = Bench::local(&[]);
    let file = bench.dir.path().join("password");
    std::fs::write(&file, "correct horse").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let sources = [(SecretId::new("pw"), SecretSource::File(file.display().to_string()))];
    let login = Login {
        id: "api".into(),
        url: format!("http://{to}/login"),
        username: "admin".into(),
        password: SecretId::new("pw"),
        token: TokenFrom::Body("token".into()),
        backoff: Duration::from_secs(600),
        tls: Tls::default(),
    };
    bench.access =
        Arc::new(Access::new(Secrets::new(sources.into_iter().collect()), std::slice::from_ref(&login)));
    bench.stack.logins = vec![login];
    bench
}

#[test]
fn a_named_session_proves_that_an_old_token_is_refused() {
    let api = Arc::new(Api::default());
    let served = Arc::clone(&api);
    let to = web(move |ask| served.handle(ask));
    let mut bench = logged_in(to);
    let me = |session: Option<&str>, expect: &[&str]| {
        let mut step = get(&format!("http://{to}/me"), expect);
        (step.login, step.session) = (Some("api".into()), session.map(str::to_owned));
        Action::Http(step)
    };
    let left = bench.perform(&me(Some("before"), &[]));
    assert_eq!(done(&left), "answered 200 OK, Bearer [redacted]");
    done(&bench.perform(&me(None, &[])));
    done(&bench.perform(&me(Some("before"), &[])));
    assert_eq!(api.0.lock().unwrap().1, 2, "one login for each session");

    let mut rotate = get(&format!("http://{to}/rotate"), &[]);
    rotate.method = "POST".into();
    done(&bench.perform(&Action::Http(rotate)));
    done(&bench.perform(&me(Some("before"), &["[STATUS] == 401"])));
    // The shared one is renewed, however young it is.
    done(&bench.perform(&me(None, &["[STATUS] == 200"])));
    assert_eq!(api.0.lock().unwrap().1, 3);

    // A later runner has no such token, and a new one would prove nothing.
    let dir = bench.dir.path().to_owned();
    let mut later = logged_in(to);
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.path().extension().is_some_and(|e| e == "session") {
            std::fs::copy(entry.path(), later.dir.path().join(entry.file_name())).unwrap();
        }
    }
    later.step = quarterdeck::domain::id::StepId::new("prove");
    let left = later.perform(&me(Some("before"), &["[STATUS] == 401"]));
    assert!(failed(&left).contains("its token was lost with an earlier runner"), "{left:?}");
    bench.step = quarterdeck::domain::id::StepId::new("prove");
    done(&bench.perform(&me(Some("before"), &["[STATUS] == 401"])));
    later.step = quarterdeck::domain::id::StepId::new("s");
    done(&later.perform(&me(Some("before"), &[])));
}

/// A session that is opened for a capture is one of the secrets that are not kept of its answer, and
/// so is one that was given up since.
#[test]
fn what_a_captured_answer_echoes_of_its_own_login_is_not_kept() {
    let api = Arc::new(Api::default());
    let served = Arc::clone(&api);
    let to = web(move |ask| served.handle(ask));
    let bench = logged_in(to);
    let mut step = get(&format!("http://{to}/me"), &[]);
    step.login = Some("api".into());
    let keep = |name: &str| {
        let from = CaptureFrom::Http(Box::new(step.clone()));
        let capture = Capture { name: name.into(), from, max: 1000, whole: true, may_be_empty: false };
        done(&bench.perform(&Action::Capture(capture)));
        std::fs::read_to_string(bench.dir.path().join("evidence").join(name)).unwrap()
    };
    assert_eq!(keep("first"), "Bearer [redacted]");
    api.0.lock().unwrap().0 += 1;
    assert_eq!(keep("renewed"), "Bearer [redacted]");
    let known = bench.access.known();
    for token in ["token-0-1", "token-1-2"] {
        assert!(known.iter().any(|k| secrecy::ExposeSecret::expose_secret(k) == token), "{token}");
    }
}

/// An answer that is kept as evidence is judged as any other: what is not what was expected is none.
#[test]
fn a_captured_answer_is_judged_and_its_preview_says_by_what() {
    let to = web(|ask| match ask.line.as_str() {
        "GET /good" => answer("200 OK", &[], r#"{"type":"snapshot","sessions":[]}"#),
        "GET /none" => answer("200 OK", &[], ""),
        "GET /gone" => answer("410 Gone", &[], "moved out"),
        _ => answer("200 OK", &[], r#"{"type":"error"}"#),
    });
    let bench = Bench::local(&[]);
    let capture = |path: &str, expect: &[&str]| {
        let from = CaptureFrom::Http(Box::new(get(&format!("http://{to}{path}"), expect)));
        let name = "sessions.json".to_owned();
        Action::Capture(Capture { name, from, max: 1000, whole: true, may_be_empty: false })
    };
    let snapshot = ["[STATUS] == 200", "[BODY].type == snapshot"];
    for (path, expect, why) in [
        ("/wrong", &snapshot[..], "expected type == snapshot, got error"),
        ("/gone", &[], "expected status in 200..299, got 410"),
        ("/none", &[], "it is empty"),
    ] {
        let left = bench.perform(&capture(path, expect));
        assert!(failed(&left).contains(why), "{path}: {left:?}");
        assert!(!bench.dir.path().join("evidence/sessions.json").exists(), "{path}");
    }
    let good = capture("/good", &snapshot);
    assert!(done(&bench.perform(&good)).ends_with(", 33B"));
    // What the server says of an error may be what is wanted.
    assert!(done(&bench.perform(&capture("/gone", &["[STATUS] == 410"]))).ends_with(", 9B"));
    let shown = good.describe(false).join("\n");
    assert!(shown.contains("expects [STATUS] == 200 and [BODY].type == snapshot"), "{shown}");
    assert!(shown.contains("an empty one fails"), "{shown}");
}
