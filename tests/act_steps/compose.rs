//! Compose steps: by a `docker` that writes down what it was told, and over a socket that speaks
//! the part of Docker's API that is used.

use crate::bench::Bench;
use crate::host::tool;
use quarterdeck::act::step::Left;
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::{Compose, ComposeVerb};
use quarterdeck::domain::procedure::event::{Effected, Truth};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

#[track_caller]
fn done(left: &Left) -> &str {
    match &left.result {
        Effected::Done { says } => says,
        other => panic!("{other:?}"),
    }
}

fn compose(verb: ComposeVerb, services: &[&str], api: Option<&Path>) -> Action {
    Action::Compose(Compose {
        verb,
        project: Some("shop".into()),
        file: api.is_none().then(|| "/srv/shop/compose.yaml".into()),
        services: services.iter().map(|s| (*s).to_owned()).collect(),
        api: api.map(|path| path.display().to_string()),
    })
}

#[test]
fn the_command_is_told_project_file_and_services() {
    let tools = tempfile::tempdir().unwrap();
    let at = tools.path().display().to_string();
    std::fs::write(tools.path().join("started"), "2026-01-01T00:00:00Z").unwrap();
    let script = format!(
        "case \"$*\" in *--quiet) echo aaaaaaaaaaaabbbb;; \
         inspect*) echo \"web aaaaaaaaaaaabbbb running $(cat {at}/started)\";; \
         *) echo \"$@\" >>{at}/told; echo 2026-01-01T00:00:09Z >{at}/started;; esac"
    );
    tool(tools.path(), "docker", &script);
    let bench = Bench::local(&[tools.path()]);
    let restart = compose(ComposeVerb::Restart, &["web"], None);
    let target = bench.target(&restart);
    assert_eq!(target.state, "web=aaaaaaaaaaaa/running/2026-01-01T00:00:00Z");
    assert_eq!(target.blast, ["stops 1 running container"]);
    assert_eq!(bench.ask(&restart, &target.state).truth, Truth::DidNot);
    assert_eq!(done(&bench.perform(&restart)), "web running; then web running");
    assert_eq!(bench.ask(&restart, &target.state).truth, Truth::Happened);
    done(&bench.perform(&compose(ComposeVerb::Recreate, &[], None)));
    assert_eq!(
        std::fs::read_to_string(tools.path().join("told")).unwrap(),
        "compose --project-name shop --file /srv/shop/compose.yaml restart -- web\n\
         compose --project-name shop --file /srv/shop/compose.yaml up --detach --no-color --quiet-pull --force-recreate --\n"
    );
    let absent = bench.target(&compose(ComposeVerb::Stop, &["web", "mail"], None));
    assert_eq!(absent.impossible.as_deref(), Some("no container of mail"));
}

/// A runner that was lost at an `up`: that what ran before still runs is no proof of it.
#[test]
fn an_up_is_not_proved_by_what_ran_before() {
    let tools = tempfile::tempdir().unwrap();
    let at = tools.path().display().to_string();
    std::fs::write(tools.path().join("is"), "aaaaaaaaaaaabbbb running 2026-01-01T00:00:00Z").unwrap();
    let script = format!(
        "case \"$*\" in *--quiet) cut -d' ' -f1 {at}/is;; \
         inspect*) echo \"web $(cat {at}/is)\";; \
         *) echo 'ccccccccccccdddd running 2026-01-01T00:00:09Z' >{at}/is;; esac"
    );
    tool(tools.path(), "docker", &script);
    let bench = Bench::local(&[tools.path()]);
    let up = compose(ComposeVerb::Up, &["web"], None);
    let before = bench.target(&up).state;
    let answer = bench.ask(&up, &before);
    assert_eq!((answer.truth, answer.says.as_str()), (Truth::DidNot, "web running, as before"));
    // Started again by Docker itself: the same container, with the file and environment of old.
    std::fs::write(tools.path().join("is"), "aaaaaaaaaaaabbbb running 2026-01-01T00:00:05Z").unwrap();
    assert_eq!(bench.ask(&up, &before).truth, Truth::Unknown);
    assert_eq!(done(&bench.perform(&up)), "web running; then web running");
    assert_eq!(bench.ask(&up, &before).truth, Truth::Happened, "made anew");
    std::fs::write(tools.path().join("is"), "ccccccccccccdddd exited 2026-01-01T00:00:09Z").unwrap();
    let down = bench.target(&up).state;
    assert_eq!(bench.ask(&up, &down).truth, Truth::DidNot);
    std::fs::write(tools.path().join("is"), "ccccccccccccdddd running 2026-01-01T00:00:19Z").unwrap();
    assert_eq!(bench.ask(&up, &down).truth, Truth::Happened, "it did not run before");
}

/// What the socket was asked, and whether its one container runs.
type Asked = Arc<Mutex<(Vec<String>, bool)>>;

fn answer(stream: &UnixStream, asked: &Asked) {
    let mut line = String::new();
    let mut reader = BufReader::new(stream);
    reader.read_line(&mut line).unwrap();
    let mut header = String::from("x");
    while !header.trim().is_empty() {
        header.clear();
        reader.read_line(&mut header).unwrap();
    }
    let mut asked = asked.lock().unwrap();
    let what = line.trim_end_matches(" HTTP/1.1\r\n").to_owned();
    let (status, body) = if what.starts_with("GET /containers/json?all=true&filters=%7B") {
        ("200 OK", r#"[{"Id":"abc123","Labels":{"com.docker.compose.service":"web"}},{"Id":"../../x"}]"#)
    } else if what == "GET /containers/abc123/json" && asked.1 {
        ("200 OK", r#"{"State":{"Status":"running","StartedAt":"t1"}}"#)
    } else if what == "GET /containers/abc123/json" {
        ("200 OK", r#"{"State":{"Status":"exited","StartedAt":"t1"}}"#)
    } else if what == "POST /containers/abc123/stop" {
        asked.1 = false;
        ("204 No Content", "")
    } else {
        ("500 Internal Server Error", r#"{"message":"it is \u001b[31mon fire"}"#)
    };
    asked.0.push(what);
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    (&*stream).write_all(head.as_bytes()).unwrap();
}

#[test]
fn the_socket_stops_what_exists_and_says_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let asked: Asked = Arc::new(Mutex::new((Vec::new(), true)));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || listener.incoming().for_each(|stream| answer(&stream.unwrap(), &seen)));

    let bench = Bench::local(&[]);
    let stop = compose(ComposeVerb::Stop, &["web"], Some(&socket));
    let target = bench.target(&stop);
    assert_eq!(target.state, "web=abc123/running/t1", "what is no id is left out");
    assert_eq!(done(&bench.perform(&stop)), "web running; then web exited");
    assert_eq!(bench.ask(&stop, &target.state).truth, Truth::Happened);
    assert!(asked.lock().unwrap().0.contains(&"POST /containers/abc123/stop".to_owned()));

    let left = bench.perform(&compose(ComposeVerb::Restart, &["web"], Some(&socket)));
    let Effected::Failed { why } = &left.result else { panic!("{left:?}") };
    assert!(why.starts_with("web: Docker answered 500 Internal Server Error: it is ·[31mon fire"), "{why}");
    let up = bench.target(&compose(ComposeVerb::Up, &["web"], Some(&socket)));
    assert!(up.impossible.unwrap().contains("needs the command"));
}
