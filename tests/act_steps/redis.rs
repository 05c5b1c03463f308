//! `uses = "redis"` against a real server.

use crate::bench::Bench;
use crate::harness::{Server, fake, free_port, need};
use crate::said::{done, failed, killed};
use quarterdeck::act::step::Stop;
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::Redis;
use quarterdeck::domain::procedure::event::Truth;
use quarterdeck::stack::spec::TransportSpec;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

fn start() -> Option<(Server, u16)> {
    let program = need("redis-server", "redis-server")?;
    let port = free_port();
    let mut command = Command::new(program);
    command.args([
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--requirepass",
        "s3cret",
    ]);
    let ready = || {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
        stream.write_all(b"PING\r\n").is_ok() && stream.read(&mut [0; 8]).is_ok_and(|n| n > 0)
    };
    Some((Server::start(command.stdout(Stdio::null()), ready), port))
}

fn bench(password: &str) -> Bench {
    Bench::new(TransportSpec::Local, &[], &[("pw", password)])
}

fn step(port: u16, command: &[&str], expect: &[&str]) -> Action {
    let texts = |all: &[&str]| all.iter().map(|t| (*t).to_owned()).collect();
    Action::Redis(Redis {
        address: format!("127.0.0.1:{port}"),
        user: None,
        password: Some("pw".into()),
        db: 0,
        command: texts(command),
        expect: texts(expect),
    })
}

#[test]
fn a_command_is_sent_and_its_reply_judged() {
    let Some((_server, port)) = start() else { return };
    let bench = bench("s3cret");
    let ok = |command: &[&str], expect: &[&str], part: &str| {
        let left = bench.perform(&step(port, command, expect));
        assert!(done(&left).contains(part), "{left:?}");
    };
    let no = |command: &[&str], expect: &[&str], part: &str| {
        let left = bench.perform(&step(port, command, expect));
        assert!(failed(&left).contains(part), "{left:?}");
    };
    ok(&["SET", "k", "v ${run.id}"], &["[VALUE] == OK"], "replied OK");
    ok(&["GET", "k"], &[], &format!("replied v {}", bench.run));
    no(&["GET", "k"], &["[VALUE] == other"], "expected value == other, got v 2026");
    no(&["NOSUCH"], &[], "it answered with an error: ERR unknown command");
    no(&["LPUSH", "k", "x"], &[], "WRONGTYPE");
    no(&["SET", "k", "${secret.pw}"], &[], "the secret pw may not stand here");
    no(&["GET", "k"], &["[STATUS] == 200"], "has no [STATUS]");
    ok(&["CONFIG", "GET", "requirepass"], &[], "a list of 2");
}

#[test]
fn what_can_be_read_back_is_pinned_and_asked() {
    let Some((_server, port)) = start() else { return };
    let bench = bench("s3cret");
    let set = step(port, &["CONFIG", "SET", "notify-keyspace-events", "Ex"], &["[VALUE] == OK"]);
    let target = bench.target(&set);
    assert_eq!(
        (target.what, target.state.clone()),
        (format!("setting notify-keyspace-events of redis 127.0.0.1:{port} on h"), String::new())
    );
    assert_eq!(bench.ask(&set, &target.state).truth, Truth::DidNot);
    done(&bench.perform(&set));
    assert_eq!(bench.target(&set).state, "xE");
    assert_eq!(bench.ask(&set, &target.state).truth, Truth::Happened);
    done(&bench.perform(&set));
    assert_eq!(bench.target(&set).state, "xE");

    let del = step(port, &["DEL", "k"], &[]);
    done(&bench.perform(&step(port, &["SET", "k", "v"], &[])));
    assert_eq!(bench.ask(&del, "there").truth, Truth::DidNot);
    done(&bench.perform(&del));
    assert_eq!(bench.ask(&del, "there").truth, Truth::Happened);

    assert_eq!(bench.ask(&step(port, &["INCR", "n"], &[]), "").truth, Truth::Unknown);
    assert_eq!(bench.ask(&step(port, &["GET", "n"], &[]), "").truth, Truth::DidNot);
}

#[test]
fn what_is_missing_is_told_before_anything_is_done() {
    let Some((server, port)) = start() else { return };
    let ping = step(port, &["INCR", "n"], &[]);
    let Action::Redis(mut locked) = step(port, &["INCR", "n"], &[]) else { unreachable!() };
    locked.password = Some("absent".into());
    let why = bench("s3cret").target(&Action::Redis(locked)).impossible.unwrap();
    assert!(why.contains("needs the secret absent"), "{why}");
    let wrong = bench("wr0ng-password").perform(&ping);
    assert!(failed(&wrong).contains("WRONGPASS") && !failed(&wrong).contains("wr0ng"), "{wrong:?}");
    drop(server);
    let target = bench("s3cret").target(&ping);
    assert!(target.impossible.is_none() && target.warnings[0].contains("does not answer now"), "{target:?}");
    let left = bench("s3cret").perform(&ping);
    assert!(failed(&left).contains("nothing was sent"), "{left:?}");
}

#[test]
fn a_server_that_says_nothing_is_left_when_told_to_stop() {
    let to = fake::tcp(fake::silence);
    let Action::Redis(mut step) = step(to.port(), &["INCR", "n"], &[]) else { unreachable!() };
    step.password = None;
    let (bench, stop) = (bench("s3cret"), Stop::new());
    let left = bench.rt.block_on(async {
        let setting = bench.setting();
        let action = Action::Redis(step);
        let work = quarterdeck::act::step::perform(&action, &setting, &stop);
        let tell = async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            stop.stop();
        };
        tokio::join!(work, tell).0
    });
    assert!(killed(&left).contains("it may have been carried out"), "{left:?}");
}
