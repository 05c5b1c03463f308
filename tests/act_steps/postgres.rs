//! `uses = "postgres"` against a real server: one statement, its bounds, and what became of it.

use crate::bench::Bench;
use crate::harness::{Server, as_user, free_port, need};
use crate::said::{done, failed, killed};
use quarterdeck::act::step::Stop;
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::Postgres;
use quarterdeck::domain::procedure::event::Truth;
use quarterdeck::domain::procedure::plan::Certainty;
use rustix::process::Signal;
use std::process::{Command, Stdio};
use std::time::Duration;

struct Db {
    _server: Server,
    dir: tempfile::TempDir,
    port: u16,
    bench: Bench,
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Db {
    fn new() -> Option<Db> {
        let (initdb, postgres) = (need("initdb", "postgresql")?, need("postgres", "postgresql")?);
        need("psql", "postgresql-client")?;
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("d");
        if crate::harness::is_root() {
            run(Command::new("chown").args(["-R", "postgres"]).arg(dir.path()));
        }
        let init =
            ["-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--no-instructions", "--locale=C", "-D"];
        run(as_user("postgres", &initdb).args(init).arg(&data));
        let port = free_port();
        let mut command = as_user("postgres", &postgres);
        command.arg("-D").arg(&data);
        let sockets = format!("unix_socket_directories={}", dir.path().display());
        for setting in ["listen_addresses=127.0.0.1", &sockets, &format!("port={port}"), "fsync=off"] {
            command.args(["-c", setting]);
        }
        let ready = || {
            let mut command = Command::new("pg_isready");
            command.args(["-q", "-h", "127.0.0.1", "-p"]).arg(port.to_string()).status().unwrap().success()
        };
        command.stdout(Stdio::null()).stderr(std::fs::File::create(dir.path().join("log")).unwrap());
        let server = Server::start(&mut command, ready).stopped_by(Signal::INT);
        let db = Db { _server: server, dir, port, bench: Bench::local(&[]) };
        db.psql("create table users (name text primary key, on_call bool); insert into users values ('a', true), ('b', false), ('c', false)");
        Some(db)
    }

    fn psql(&self, statement: &str) -> String {
        let mut command = Command::new("psql");
        command.args(["-qXAt", "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-h"]).arg(self.dir.path());
        run(command.arg("-p").arg(self.port.to_string()).args(["-c", statement]))
    }

    fn count(&self) -> String {
        self.psql("select count(*) from users")
    }

    fn step(&self, statement: &str, row_limit: u64, transaction: bool) -> Action {
        Action::Postgres(Postgres {
            address: format!("127.0.0.1:{}", self.port),
            user: "postgres".into(),
            database: "postgres".into(),
            password: None,
            statement: statement.into(),
            row_limit,
            transaction,
        })
    }
}

#[test]
fn one_statement_within_its_limit_lasts() {
    let Some(db) = Db::new() else { return };
    let delete = db.step("DELETE FROM users WHERE name = 'a'", 1, true);
    let target = db.bench.target(&delete);
    assert_eq!((target.impossible, target.certainty), (None, Certainty::Simulated));
    assert_eq!(db.count(), "3", "looking changes nothing");
    assert_eq!(db.bench.ask(&delete, "").truth, Truth::DidNot);
    assert_eq!(done(&db.bench.perform(&delete)), "1 rows changed, committed");
    assert_eq!(db.count(), "2");
    assert_eq!(db.bench.ask(&delete, "").truth, Truth::Happened);

    let read = db.step("SELECT name, on_call FROM users ORDER BY name", 5, true);
    let left = db.bench.perform(&read);
    assert!(done(&left).contains("2 rows, the first {\"name\":\"b\",\"on_call\":\"f\"}"), "{left:?}");
    // It changed nothing, so nothing can have happened.
    assert_eq!(db.bench.ask(&read, "").truth, Truth::DidNot);
    let name = db.step("SELECT current_setting('application_name')", 1, true);
    assert!(done(&db.bench.perform(&name)).contains(db.bench.run.as_str()));
}

#[test]
fn what_goes_too_far_is_undone() {
    let Some(db) = Db::new() else { return };
    let all = db.step("DELETE FROM users", 1, true);
    let left = db.bench.perform(&all);
    assert_eq!(failed(&left), "3 rows, and at most 1 were expected; all of it was undone");
    assert_eq!(db.count(), "3");
    assert_eq!(db.bench.ask(&all, "").truth, Truth::DidNot);
    let reads = db.bench.perform(&db.step("SELECT * FROM users", 2, true));
    assert!(failed(&reads).contains("3 rows, and at most 2"), "{reads:?}");
    let big = db.bench.perform(&db.step("SELECT repeat('x', 5000000)", 1, true));
    assert!(failed(&big).contains("longer than 4 MiB"), "{big:?}");

    let outside = db.bench.perform(&db.step("DELETE FROM users", 1, false));
    assert!(failed(&outside).contains("it was not in a transaction, so it lasts"), "{outside:?}");
    assert_eq!(db.count(), "0");
}

#[test]
fn several_statements_and_nonsense_are_refused() {
    let Some(db) = Db::new() else { return };
    let table = [
        ("DELETE FROM users; SELECT 1", "cannot insert multiple commands"),
        ("COMMIT; DELETE FROM users", "COMMIT is not for"),
        ("commit", "COMMIT is not for"),
        ("DELETE FORM users", "syntax error"),
        ("DELETE FROM users WHERE name = $1", "1 places for values"),
        ("  ", "empty"),
        ("SELECT '${secret.pw}'", "may not stand here"),
    ];
    for (statement, part) in table {
        let action = db.step(statement, 10, true);
        let why = db.bench.target(&action).impossible;
        assert!(why.as_ref().is_some_and(|w| w.contains(part)), "{statement}: {why:?}");
        let left = db.bench.perform(&action);
        assert!(failed(&left).contains(part) && failed(&left).contains("nothing was"), "{left:?}");
    }
    assert_eq!(db.count(), "3");
    let later = db.bench.target(&db.step("SELECT * FROM not_yet", 1, true));
    assert!(later.impossible.is_none() && later.warnings[0].contains("not_yet"), "{later:?}");
    let vacuum = db.step("VACUUM users", 1, false);
    done(&db.bench.perform(&vacuum));
    assert_eq!(db.bench.ask(&vacuum, "").truth, Truth::Unknown);
}

#[test]
fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let Some(mut db) = Db::new() else { return };
    db.bench.timeout = Duration::from_millis(800);
    let slow = "UPDATE users SET name = name || pg_sleep(60)";
    let left = db.bench.perform(&db.step(slow, 3, true));
    assert!(
        failed(&left).contains("statement timeout") && failed(&left).contains("nothing of it lasts"),
        "{left:?}"
    );
    assert_eq!(db.psql("select string_agg(name, '' order by name) from users"), "abc");
}

#[test]
fn when_told_to_stop_the_server_is_told_too() {
    let Some(db) = Db::new() else { return };
    let stop = Stop::new();
    let action = db.step("UPDATE users SET name = name || pg_sleep(60)", 3, true);
    let left = db.bench.rt.block_on(async {
        let setting = db.bench.setting();
        let work = quarterdeck::act::step::perform(&action, &setting, &stop);
        let tell = async {
            while db.psql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") != "1" {
                tokio::task::yield_now().await;
            }
            stop.stop();
        };
        tokio::join!(work, tell).0
    });
    assert!(killed(&left).contains("canceling statement due to user request"), "{left:?}");
    assert_eq!(db.psql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'"), "0");
    assert_eq!(db.bench.ask(&action, "").truth, Truth::DidNot);
}

/// A commit of which the runner never heard.
#[test]
fn the_server_tells_what_became_of_a_transaction() {
    let Some(db) = Db::new() else { return };
    let action = db.step("DELETE FROM users WHERE name = 'a'", 1, true);
    done(&db.bench.perform(&action));
    let mark = std::fs::read_dir(db.bench.dir.path()).unwrap().flatten().map(|e| e.path());
    let mark = mark.into_iter().find(|p| p.extension().is_some_and(|e| e == "xid")).unwrap();
    let xid: u64 = std::fs::read_to_string(&mark).unwrap().parse().unwrap();
    let undone = db.psql("begin; insert into users values ('z'); select txid_current(); rollback");
    std::fs::write(&mark, &undone).unwrap();
    assert_eq!(db.bench.ask(&action, "").says, format!("transaction {undone} was undone"));
    std::fs::write(&mark, xid.to_string()).unwrap();
    assert_eq!(db.bench.ask(&action, "").says, format!("transaction {xid} was committed"));
    std::fs::write(&mark, (xid + 1_000_000).to_string()).unwrap();
    assert_eq!(db.bench.ask(&action, "").truth, Truth::Unknown);
}
