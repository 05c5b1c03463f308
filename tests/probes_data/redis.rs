//! `redis` against a real server with users and passwords, and against peers that are none.

use crate::harness::look::{expect, look, look_with, probe};
use crate::harness::{Server, certs, fake, free_port, need};
use quarterdeck::domain::fact::Fact;
use quarterdeck::domain::health::Health::{Down, Unknown, Up};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

struct Redis {
    server: Server,
    port: u16,
    dir: tempfile::TempDir,
}

/// Starts a server with these lines of configuration; `None` when there is none on this machine.
fn start(config: &str) -> Option<Redis> {
    let program = need("redis-server", "redis-server")?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let file = dir.path().join("redis.conf");
    let base = format!(
        "bind 127.0.0.1\nport {port}\ndir {}\nsave \"\"\nnotify-keyspace-events Ex\nunixsocket {}\n",
        dir.path().display(),
        dir.path().join("redis.sock").display()
    );
    std::fs::write(&file, format!("{base}{config}\n")).unwrap();
    let server = Server::start(Command::new(program).arg(&file).stdout(Stdio::null()), || answers(port));
    Some(Redis { server, port, dir })
}

/// Any reply to a PING will do, also the demand for a password.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut reply = [0; 8];
    stream.write_all(b"PING\r\n").is_ok() && stream.read(&mut reply).is_ok_and(|n| n > 0)
}

fn keys(port: u16, more: &str) -> String {
    format!("kind = \"redis\"\naddress = \"127.0.0.1:{port}\"\n{more}")
}

#[test]
fn a_server_that_answers_ping_is_up() {
    let Some(redis) = start("") else { return };
    expect(&look(&keys(redis.port, "")), Up, "PONG");
    let path = redis.dir.path().join("redis.sock");
    expect(&look(&format!("kind = \"redis\"\naddress = \"{}\"", path.display())), Up, "PONG");
}

#[test]
fn each_command_gives_the_facts_that_its_reply_holds() {
    let Some(redis) = start("") else { return };
    let table = [
        (
            "['CONFIG', 'GET', 'notify-keyspace-events']",
            "letters([VALUE]) == Ex",
            "notify-keyspace-events xE",
        ),
        ("['CONFIG', 'GET', 'notify-keyspace-events']", "has([PAIRS].notify-keyspace-events) == true", ""),
        ("['PUBSUB', 'NUMSUB', 'a', 'b']", "[PAIRS].a == 0", "a 0, b 0"),
        ("['INFO']", "[INFO].connected_clients >= 1", "clients"),
        ("['info', 'server']", "[INFO].redis_version matches '^[0-9]+\\.'", "redis "),
        ("['DBSIZE']", "[VALUE] == 0", "0"),
        ("['GET', 'no-such-key']", "[REPLY] == null", "null"),
        ("['LASTSAVE']", "[VALUE] > 1000000000", ""),
        ("['CLIENT', 'LIST']", "[VALUE] contains addr=", "id="),
        ("['COMMAND', 'COUNT']", "[REPLY] > 100", ""),
    ];
    for (command, condition, want) in table {
        let condition = condition.replace('\'', "\"").replace('\\', "\\\\").replace('"', "\\\"");
        let more = format!("command = {command}\nconditions = [\"{condition}\"]");
        expect(&look(&keys(redis.port, &more)), Up, want);
    }
    let more = "command = ['CONFIG', 'GET', 'notify-keyspace-events']\nconditions = ['[VALUE] == K']";
    expect(&look(&keys(redis.port, more)), Down, "expected value == K, got xE");
}

#[test]
fn another_database_is_chosen_and_one_that_is_not_there_is_named() {
    let Some(redis) = start("databases 4") else { return };
    expect(&look(&keys(redis.port, "db = 3")), Up, "PONG");
    expect(&look(&keys(redis.port, "db = 9")), Down, "ERR DB index is out of range");
}

const LOCKED: &str = "requirepass s3cret\nuser ops on >opspw ~health:* &* +ping +info";

#[test]
fn without_a_password_a_locked_server_is_unknown_not_down() {
    let Some(redis) = start(LOCKED) else { return };
    expect(&look(&keys(redis.port, "")), Unknown, "needs a password: NOAUTH Authentication required");
    let more = "password = { secret = 'pw' }";
    expect(&look(&keys(redis.port, more)), Unknown, "needs the secret pw: add [secrets.pw]");
    let reading = look_with(&keys(redis.port, more), &[("pw", "hunter2")]);
    expect(&reading, Unknown, "wrong password for default: WRONGPASS");
    assert!(!format!("{reading:?}").contains("hunter2"), "{reading:?}");
    expect(&look_with(&keys(redis.port, more), &[("pw", "s3cret")]), Up, "PONG");
}

#[test]
fn an_acl_user_is_held_to_what_it_may() {
    let Some(redis) = start(LOCKED) else { return };
    let user = "user = 'ops'\npassword = { secret = 'pw' }\n";
    let ask = |command: &str| {
        look_with(&keys(redis.port, &format!("{user}command = {command}")), &[("pw", "opspw")])
    };
    expect(&ask("['PING']"), Up, "PONG");
    expect(&ask("['CONFIG', 'GET', 'port']"), Unknown, "needs permission: NOPERM");
    let reading = look_with(&keys(redis.port, user), &[("pw", "no")]);
    expect(&reading, Unknown, "wrong password for ops");
}

#[test]
fn a_password_that_nobody_asks_for_is_a_fault_of_the_server() {
    let Some(redis) = start("") else { return };
    let reading = look_with(&keys(redis.port, "password = { secret = 'pw' }"), &[("pw", "x")]);
    expect(&reading, Down, "without any password configured");
}

#[test]
fn the_servers_own_passwords_are_never_shown() {
    let Some(redis) = start(LOCKED) else { return };
    let more = "password = { secret = 'pw' }\ncommand = ['CONFIG', 'GET', '*']\nconditions = []";
    let reading = look_with(&keys(redis.port, more), &[("pw", "s3cret")]);
    assert!(matches!(reading.facts.get("PAIRS"), Some(Fact::Json(v)) if v["requirepass"] == "(hidden)"));
    assert!(!format!("{reading:?}").contains("s3cret"));
}

#[test]
fn a_frozen_server_is_silent_and_a_stopped_one_refuses() {
    let Some(redis) = start("") else { return };
    redis.server.signal(Signal::STOP);
    expect(&look(&keys(redis.port, "timeout = '500ms'")), Down, "got silence after connecting");
    redis.server.signal(Signal::CONT);
    expect(&look(&keys(redis.port, "")), Up, "PONG");
    let Redis { server, port, dir: _dir } = redis;
    drop(server);
    let refused = format!("connection refused by 127.0.0.1:{port}");
    expect(&look(&keys(port, "")), Down, &refused);
}

#[test]
fn a_server_with_no_room_for_clients_says_so() {
    let Some(redis) = start("maxclients 1") else { return };
    let _first = TcpStream::connect(("127.0.0.1", redis.port)).unwrap();
    expect(&look(&keys(redis.port, "")), Down, "max number of clients reached");
}

#[test]
fn what_is_no_redis_is_down_and_quoted() {
    let table = [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "got \"HTTP/1.1 400 Bad Request\""),
        ("-LOADING Redis is loading the dataset in memory\r\n", "it is loading its dataset"),
        ("-MISCONF Errors writing to the AOF\r\n", "got an error: MISCONF Errors writing to the AOF"),
        ("$5\r\nPO", "expected a whole Redis reply, got \"$5 PO\" and a closed connection"),
        ("", "expected a reply, got a closed connection"),
        ("+\x1b[31mPONG\r\n", "got ·[31mPONG"),
    ];
    for (answer, want) in table {
        let address = fake::tcp(fake::say_and_close(answer));
        expect(&look(&keys(address.port(), "")), Down, want);
    }
}

#[test]
fn no_announcement_makes_it_hold_more_than_its_bound() {
    let table: [(&str, &'static [u8]); 4] = [
        ("$1073741824\r\n", b"x"),
        ("*1073741824\r\n", b"+a\r\n"),
        ("%536870912\r\n", b"+a\r\n"),
        ("+", b"endless"),
    ];
    for (head, rest) in table {
        let address = fake::tcp(fake::flood(head, rest));
        let reading = look(&keys(address.port(), "timeout = '20s'"));
        expect(&reading, Down, "expected a reply of at most 1MiB, got more");
    }
    // Announced and never sent: nothing is set aside for it, and the deadline ends it.
    let address = fake::tcp(fake::say("$1073741824\r\n"));
    expect(&look(&keys(address.port(), "timeout = '300ms'")), Down, "within 300ms");
}

#[test]
fn slow_dripping_silent_and_swallowed_are_told_apart() {
    let slow = fake::tcp(fake::say_after(Duration::from_millis(300), "+PONG\r\n"));
    expect(&look(&keys(slow.port(), "")), Up, "PONG");
    let drip = fake::tcp(fake::drip("+PONG\r\n"));
    expect(&look(&keys(drip.port(), "timeout = '1500ms'")), Down, "within 1.5s");
    let hole = fake::black_hole();
    let reading = look(&keys(hole.address.port(), "timeout = '500ms'"));
    expect(&reading, Unknown, "unreachable from here");
    assert!(reading.unreachable);
}

#[test]
fn the_keys_are_checked_when_the_file_is_loaded() {
    let table = [
        ("command = ['FLUSHALL']", "a probe only reads, and FLUSHALL is not"),
        ("command = ['PNG']", "did you mean PING?"),
        ("command = 'CONFIG GET a'", "[\"CONFIG\", \"GET\", \"a\"]"),
        ("command = ['CONFIG', 'REWRITE']", "CONFIG takes GET here"),
        ("password = 'x'", "is a secret and must not stand in a file"),
        ("user = 'ops'", "`user` needs a `password`"),
        ("db = -1", "a whole number from 0"),
    ];
    for (more, want) in table {
        let problems = probe(&keys(1, more)).unwrap_err();
        assert!(problems.contains(want), "{problems}");
    }
    assert!(probe("kind = 'redis'\naddress = 'redis.internal'").is_ok());
}

#[test]
fn over_tls_the_certificate_must_be_right() {
    let certs = tempfile::tempdir().unwrap();
    let files = certs::issue(certs.path(), &["redis.example"]);
    let port = free_port();
    let config = format!(
        "{LOCKED}\ntls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients no",
        files.cert.display(),
        files.key.display(),
        files.ca.display()
    );
    let Some(redis) = start(&config) else { return };
    let ask = |port: u16, tls: &str| {
        look_with(&keys(port, &format!("password = {{ secret = 'pw' }}\ntls = {tls}")), &[("pw", "s3cret")])
    };
    let ca = files.ca.display();
    expect(&ask(port, &format!("{{ ca = '{ca}', server_name = 'redis.example' }}")), Up, "PONG");
    let other = ask(port, &format!("{{ ca = '{ca}', server_name = 'other.example' }}"));
    expect(&other, Down, "expected a certificate for other.example, got one for redis.example");
    let plain = ask(redis.port, &format!("{{ ca = '{ca}', server_name = 'redis.example' }}"));
    expect(&plain, Down, "got silence after connecting");
    expect(&look(&keys(port, "")), Down, "expected a");
}
