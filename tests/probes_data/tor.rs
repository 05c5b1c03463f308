//! `tor` against a real tor that has no network at all, and against peers that are none.
//!
//! It is started in a network namespace of its own with `DisableNetwork 1`, so it can dial
//! nobody; its control port is a Unix socket, which can be reached from outside.

use crate::harness::look::{expect, look, look_with, probe};
use crate::harness::{Server, fake, free_port, is_root, need};
use quarterdeck::domain::health::Health::{Down, Unknown, Up};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

struct Tor {
    _server: Server,
    dir: tempfile::TempDir,
}

impl Tor {
    fn keys(&self, more: &str) -> String {
        format!("kind = \"tor\"\naddress = \"{}\"\n{more}", self.dir.path().join("control").display())
    }

    fn cookie(&self) -> String {
        format!("cookie = \"{}\"\n", self.dir.path().join("cookie").display())
    }
}

/// `program` where there is no network.
fn cut_off(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--net", "--"]).arg(program);
    command
}

fn programs() -> Option<PathBuf> {
    need("unshare", "util-linux")?;
    need("tor", "tor")
}

/// Starts tor with these lines of configuration more.
fn start(config: &str) -> Option<Tor> {
    let program = programs()?;
    let dir = tempfile::tempdir().unwrap();
    // tor refuses a control socket in a directory that others may enter.
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let at = |name: &str| dir.path().join(name);
    let torrc = format!(
        "DisableNetwork 1\nDataDirectory {}\nControlPort unix:{}\nSocksPort 0\nLog notice file {}\n{config}\n",
        at("data").display(),
        at("control").display(),
        at("log").display()
    );
    std::fs::write(at("torrc"), torrc.replace("DIR", &dir.path().display().to_string())).unwrap();
    std::fs::write(at("defaults"), "").unwrap();
    let mut command = cut_off(&program);
    command.arg("--quiet").arg("-f").arg(at("torrc")).arg("--defaults-torrc").arg(at("defaults"));
    let control = at("control");
    let server = Server::start(&mut command, || std::os::unix::net::UnixStream::connect(&control).is_ok());
    Some(Tor { _server: server, dir })
}

const WITH_COOKIE: &str = "CookieAuthentication 1\nCookieAuthFile DIR/cookie";

#[test]
fn with_its_cookie_tor_says_how_far_it_is() {
    let Some(tor) = start(WITH_COOKIE) else { return };
    let ask = |more: &str| look(&tor.keys(&format!("{}{more}", tor.cookie())));
    expect(&ask(""), Up, "bootstrap 0% (starting), no circuit, tor 0.");
    expect(&ask("conditions = ['[BOOTSTRAP] == 100%']"), Down, "expected bootstrap == 100%, got 0%");
    expect(&ask("conditions = ['[CIRCUIT] == false', '[VERSION] matches \"^0\\\\.\"']"), Up, "");
    let more = "getinfo = ['config-text', 'traffic/read']\n\
                conditions = ['[INFO].config-text contains DisableNetwork', '[INFO].traffic/read == 0']";
    let reading = ask(more);
    expect(&reading, Up, "bootstrap 0%");
    assert!(reading.evidence.iter().any(|l| l == "DisableNetwork 1"), "{:?}", reading.evidence);
    expect(
        &ask("getinfo = ['no/such/key']"),
        Unknown,
        "tor does not know what was asked: 552 Unrecognized key",
    );
}

#[test]
fn what_is_missing_to_log_in_is_named() {
    let Some(tor) = start(WITH_COOKIE) else { return };
    let hint = format!("tor takes COOKIE, SAFECOOKIE: add cookie = \"{}/cookie\"", tor.dir.path().display());
    expect(&look(&tor.keys("")), Unknown, &hint);
    expect(
        &look(&tor.keys("cookie = '/absent/cookie'")),
        Unknown,
        "needs the cookie: there is no /absent/cookie",
    );
    // A file that is no cookie is not sent anywhere.
    expect(&look(&tor.keys("cookie = '/etc/passwd'")), Unknown, "needs a cookie of 32 bytes");
    expect(&look(&tor.keys("cookie = '/dev/zero'")), Unknown, "it is not a file");
    let wrong = tor.dir.path().join("wrong");
    std::fs::write(&wrong, [7; 32]).unwrap();
    let more = format!("cookie = '{}'", wrong.display());
    expect(&look(&tor.keys(&more)), Unknown, "needs the right cookie: 515 Authentication failed");
}

#[test]
fn a_password_is_taken_and_a_wrong_one_is_unknown() {
    let Some(program) = programs() else { return };
    let output = cut_off(&program).args(["--quiet", "--hash-password", "s3\"cret"]).output().unwrap();
    let hash = String::from_utf8(output.stdout).unwrap();
    let hash = hash.lines().find(|l| l.starts_with("16:")).unwrap();
    let Some(tor) = start(&format!("HashedControlPassword {hash}")) else { return };
    let keys = tor.keys("password = { secret = 'pw' }");
    expect(&look_with(&keys, &[("pw", "s3\"cret")]), Up, "bootstrap 0%");
    let wrong = look_with(&keys, &[("pw", "hunter2")]);
    expect(&wrong, Unknown, "needs the right password: 515 Authentication failed");
    assert!(!format!("{wrong:?}").contains("hunter2"));
    expect(&look(&tor.keys("")), Unknown, "tor takes HASHEDPASSWORD: add password");
}

#[test]
fn a_stopped_tor_leaves_a_stale_socket_or_none() {
    let Some(tor) = start(WITH_COOKIE) else { return };
    let keys = tor.keys(&tor.cookie());
    let Tor { _server: server, dir } = tor;
    drop(server);
    let reading = look(&keys);
    let said =
        ["no socket at", "the socket file is stale"].iter().any(|words| reading.reason.contains(words));
    assert!(reading.health == Down && said, "{}: {}", reading.health, reading.reason);
    drop(dir);
}

fn keys(port: u16, more: &str) -> String {
    format!("kind = \"tor\"\naddress = \"127.0.0.1:{port}\"\n{more}")
}

/// A peer that gives these answers, one for each command.
fn scripted(answers: &'static [&'static str]) -> u16 {
    let peer = fake::tcp(move |wire| {
        for answer in answers {
            if fake::heard(wire).is_empty() || wire.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
        fake::silence(wire);
    });
    peer.port()
}

const HELLO: &str = "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250 OK\r\n";
const PHASE: &str = "250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"\r\n\
    250-status/circuit-established=1\r\n250-version=0.4.8\r\n250 OK\r\n";
const OK: &str = "250 OK\r\n";

#[test]
fn an_open_control_port_needs_no_login() {
    let port = scripted(&[HELLO, OK, PHASE]);
    let conditions = "conditions = ['[BOOTSTRAP] == 100%', '[CIRCUIT] == true']";
    expect(&look(&keys(port, conditions)), Up, "bootstrap 100% (done), circuits up, tor 0.4.8");
}

#[test]
fn what_is_no_tor_is_down_and_quoted() {
    let table: [(&'static [&'static str], &str); 6] = [
        (&["HTTP/1.1 400 Bad Request\r\n"], "expected a reply of tor, got \"HTTP/1.1 400 Bad Request\""),
        (&["\u{1}\u{2}\n"], "expected a reply of tor, got \"··\""),
        (&["510 Unrecognized command\r\n"], "got: 510 Unrecognized command"),
        (&[HELLO, "250 OK\r\n", "551 Internal error\r\n"], "got: 551 Internal error"),
        (&[HELLO, "550 no\r\n"], "expected tor to let us in, got: 550 no"),
        (&[HELLO, "250 OK\r\n", "250-version=\u{1b}[2J\r\n250 OK\r\n"], ""),
    ];
    for (answers, want) in table {
        let reading = look(&keys(scripted(answers), ""));
        expect(&reading, if want.is_empty() { Up } else { Down }, want);
        assert!(!format!("{} {:?}", reading.reason, reading.evidence).contains('\u{1b}'));
    }
    let closing = fake::tcp(fake::say_and_close("250-PROT"));
    expect(
        &look(&keys(closing.port(), "")),
        Down,
        "expected a whole reply, got a closed connection after 8B",
    );
}

#[test]
fn endless_slow_silent_refused_and_swallowed_are_told_apart() {
    for (head, rest) in [("", &b"250-a=b\r\n"[..]), ("250+a=\r\n", b"x\r\n"), ("250 ", b"x")] {
        let reading = look(&keys(fake::tcp(fake::flood(head, rest)).port(), "timeout = '20s'"));
        expect(&reading, Down, "expected a reply of");
    }
    let drip = fake::tcp(fake::drip(HELLO));
    expect(&look(&keys(drip.port(), "timeout = '1500ms'")), Down, "within 1.5s");
    let silent = fake::tcp(fake::silence);
    expect(&look(&keys(silent.port(), "timeout = '300ms'")), Down, "got silence after connecting");
    let slow = fake::tcp(fake::say_after(Duration::from_millis(300), "510 no\r\n"));
    expect(&look(&keys(slow.port(), "")), Down, "510 no");
    let port = free_port();
    expect(&look(&keys(port, "")), Down, &format!("connection refused by 127.0.0.1:{port}"));
    let hole = fake::black_hole();
    expect(&look(&keys(hole.address.port(), "timeout = '500ms'")), Unknown, "unreachable from here");
}

#[test]
fn the_keys_are_checked_when_the_file_is_loaded() {
    let table = [
        ("getinfo = ['version\\r\\nSIGNAL HALT']", "is no key that GETINFO takes"),
        ("getinfo = ['a b']", "is no key that GETINFO takes"),
        ("cookie = 'run/cookie'", "expects an absolute path"),
        ("cookie = '/c'\npassword = { secret = 'a' }", "exclude each other"),
        ("password = 'x'", "is a secret"),
    ];
    for (more, want) in table {
        let problems = probe(&keys(1, more)).unwrap_err();
        assert!(problems.contains(want), "{problems}");
    }
    assert!(probe("kind = 'tor'").is_ok());
}
