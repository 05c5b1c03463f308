//! The same probes over a real sshd: commands, files and connections as the other side sees them,
//! and what is said when the way there fails.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail as the test does")]

#[path = "harness/host.rs"]
mod host;
#[path = "harness/sshd.rs"]
mod sshd;

use host::{Bench, probe, real, running, tool, wait_for};
use quarterdeck::domain::health::Health;
use quarterdeck::domain::observation::Reading;
use quarterdeck::stack::kind::common::Endpoint;
use quarterdeck::transport::files::{FileError, FileKind};
use quarterdeck::transport::{Command, ConnectError, RunError};
use sshd::Sshd;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const REAL: &[(&str, &str)] =
    &[("sshd", "openssh-server"), ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")];

#[track_caller]
fn expect(reading: &Reading, health: Health, reason: &str) {
    assert_eq!(reading.health, health, "{reading:?}");
    assert!(reading.reason.contains(reason), "expected {reason:?} in {:?}", reading.reason);
}

fn bench(sshd: &Sshd, path: &[&Path]) -> Bench {
    Bench::new(sshd.spec(), path, &[])
}

#[test]
fn commands_keep_their_words_status_and_bounds() {
    if !real(REAL) {
        return;
    }
    let sshd = Sshd::start("");
    let tools = tempfile::tempdir().unwrap();
    tool(tools.path(), "mine", "echo mine $LC_ALL; exit 7");
    let bench = bench(&sshd, &[tools.path()]);
    let run = |argv: &[&str]| bench.block_on(bench.transport.run(&Command::new(argv.iter().copied())));
    let words = ["printf", "%s|", "a b", "", "it's", "$HOME `id` \\", "-n", "*", "ü\n;"];
    assert_eq!(String::from_utf8(run(&words).unwrap().stdout).unwrap(), "a b||it's|$HOME `id` \\|-n|*|ü\n;|");
    let mine = run(&["mine"]).unwrap();
    assert_eq!((mine.status, &*mine.stdout), (7, &b"mine C.UTF-8\n"[..]));
    assert_eq!(run(&["sh", "-c", "echo oh >&2; exit 255"]).unwrap().status, 254);
    assert_eq!(run(&["sh", "-c", "kill -9 $$"]).unwrap().status, 137);
    assert!(matches!(run(&["no-such-program"]), Err(RunError::NotFound(p)) if p == "no-such-program"));
    assert!(matches!(run(&["/etc/passwd"]), Err(RunError::NotAllowed(_))));
    let mut large = Command::new(["head", "-c", "1000000", "/dev/zero"]);
    large.max_stdout = 1000;
    let large = bench.block_on(bench.transport.run(&large)).unwrap();
    assert_eq!((large.stdout.len(), large.dropped), (1000, 999_000));
}

#[test]
fn many_looks_share_one_connection() {
    if !real(REAL) {
        return;
    }
    let sshd = Sshd::start("LogLevel VERBOSE");
    let bench = bench(&sshd, &[]);
    let probes: Vec<_> = (0..30).map(|i| probe("exec", &format!("argv = [\"echo\", \"{i}\"]"))).collect();
    for (i, reading) in bench.look_together(&probes).iter().enumerate() {
        expect(reading, Health::Up, &i.to_string());
    }
    let log = std::fs::read_to_string(sshd.dir.path().join("sshd.log")).unwrap();
    assert_eq!(log.matches("Accepted publickey").count(), 1, "{log}");
    // The sockets are in a directory that only we may enter, and it goes with the transport.
    let made: Vec<_> = sockets();
    assert!(!made.is_empty());
    for dir in &made {
        assert_eq!(std::fs::metadata(dir).unwrap().permissions().mode() & 0o777, 0o700);
    }
    drop(bench);
    wait_for("the end of the connection", || sshd.connections().is_empty().then_some(()));
}

/// The private directories of this process's transports.
fn sockets() -> Vec<std::path::PathBuf> {
    let base = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, Into::into);
    let all = std::fs::read_dir(base).unwrap().flatten().map(|e| e.path());
    all.filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("qd-ssh-")))
        .filter(|p| std::fs::metadata(p.join("m")).is_ok_and(|m| m.file_type().is_socket()))
        .collect()
}

#[test]
fn files_are_read_and_sorted_as_here() {
    if !real(REAL) {
        return;
    }
    let sshd = Sshd::start("");
    let bench = bench(&sshd, &[]);
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(at("it's a file"), "abcdef").unwrap();
    std::os::unix::fs::symlink(at("it's a file"), at("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("s")).unwrap();
    bench.block_on(async {
        let t = &bench.transport;
        assert_eq!(t.read_file(&at("it's a file"), 4).await.unwrap(), b"abcd");
        assert_eq!(t.real_path(&at("link")).await.unwrap(), at("it's a file"));
        assert!(matches!(t.read_file(&at("none"), 4).await, Err(FileError::NotFound)));
        assert!(matches!(t.read_file(&at("link/x"), 4).await, Err(FileError::NotFound)));
        assert!(matches!(t.read_file(&at(""), 4).await, Err(FileError::NotAFile("directory"))));
        assert!(matches!(t.read_file(&at("s"), 4).await, Err(FileError::NotAFile(_))));
        assert!(matches!(t.read_file("/dev/zero", 4).await, Err(FileError::NotAFile(_))));
        assert!(matches!(t.stat(&at("none")).await, Err(FileError::NotFound)));
        assert!(matches!(t.real_path(&at("no/ne")).await, Err(FileError::NotFound)));
        let (there, here) = (t.stat(&at("link")).await.unwrap(), std::fs::metadata(at("link")).unwrap());
        assert_eq!(
            (there.kind, there.size, there.mode),
            (FileKind::File, here.len(), here.permissions().mode() & 0o7777)
        );
        assert_eq!(t.stat(&at("s")).await.unwrap().kind, FileKind::Socket);
    });
}

#[test]
fn every_kind_looks_at_the_other_machine() {
    if !real(REAL) {
        return;
    }
    let sshd = Sshd::start("");
    let bench = bench(&sshd, &[]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sleeper = host::Killed::start(&["sleep", "87101"]);
    wait_for("the program", || (running("sleep 87101") == [sleeper.0.id()]).then_some(()));
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    std::fs::write(&pid_file, sleeper.0.id().to_string()).unwrap();
    let table = [
        ("memory", "conditions = [\"[TOTAL] > 1MiB\"]".to_owned()),
        ("load", "conditions = [\"[CPUS] >= 1\"]".to_owned()),
        ("disk", "path = \"/\"\nconditions = [\"[TOTAL] > 1MiB\", \"[INODES_USED] <= 100%\"]".to_owned()),
        ("listen", format!("port = {port}")),
        ("process", "name = \"sleep\"\ncommand = \"87101$\"\nconditions = [\"[COUNT] == 1\", \"[RSS] > 0\", \"[OLDEST] < 2m\"]".to_owned()),
        ("pid-file", format!("path = \"{}\"\ncommand = \"87101\"", pid_file.display())),
        ("file", format!("path = \"{}\"\nconditions = [\"[AGE] < 1m\", \"[OWNER] == root\"]", pid_file.display())),
        ("env-present", format!("pid_file = \"{}\"\nnames = [\"PATH\"]", pid_file.display())),
        ("exec", "argv = [\"true\"]".to_owned()),
        ("tcp", format!("address = \"127.0.0.1:{port}\"")),
    ];
    for (kind, lines) in table {
        let reading = bench.look_at(kind, &lines);
        assert_eq!(reading.health, Health::Up, "{kind}: {reading:?}");
    }
}

/// Answers each connection with what it was sent, in capitals.
fn shout(mut stream: impl Read + Write) {
    let mut buffer = [0; 64];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..n].to_ascii_uppercase()).is_err() {
            return;
        }
    }
}

#[test]
fn connections_begin_on_the_other_side() {
    if !real(REAL) {
        return;
    }
    let sshd = Sshd::start("");
    let bench = bench(&sshd, &[]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || tcp.incoming().flatten().for_each(shout));
    std::thread::spawn(move || unix.incoming().flatten().for_each(shout));
    let here = |port| Endpoint::Tcp { host: "127.0.0.1".into(), port };
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let stale = dir.path().join("stale");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    bench.block_on(async {
        for to in [here(port), Endpoint::Unix(path.clone()), Endpoint::Unix(path.clone())] {
            let mut stream = bench.transport.connect(&to).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            let mut answer = [0; 5];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HELLO", "{to}");
            stream.shutdown().await.unwrap();
            assert_eq!(stream.read(&mut answer).await.unwrap(), 0, "the other side closes after us");
        }
        for to in [here(closed), Endpoint::Unix(stale), Endpoint::Unix(dir.path().join("none"))] {
            let refused = bench.transport.connect(&to).await;
            assert!(matches!(refused, Err(ConnectError::Refused(_))), "{to}: {refused:?}");
        }
        let nowhere = Endpoint::Tcp { host: "no-such-host.invalid".into(), port: 1 };
        let lost = bench.transport.connect(&nowhere).await;
        assert!(matches!(lost, Err(ConnectError::Unreachable(_))), "{lost:?}");
    });
}

#[test]
fn a_host_that_forbids_forwarding_says_so() {
    if !real(REAL) {
        return;
    }
    let sshd = Sshd::start("AllowTcpForwarding no");
    let bench = bench(&sshd, &[]);
    let reading = bench.look_at("tcp", "address = \"127.0.0.1:1\"");
    expect(&reading, Health::Unknown, "needs permission: sshd does not allow a connection");
}

#[test]
fn what_hangs_over_there_is_ended_over_there() {
    if !real(REAL) {
        return;
    }
    let sshd = Sshd::start("");
    let bench = bench(&sshd, &[]);
    expect(&bench.look_at("exec", "argv = [\"true\"]"), Health::Up, "");
    let reading = bench.look_at("exec", "argv = [\"sleep\", \"87102\"]\ntimeout = \"700ms\"");
    expect(&reading, Health::Unknown, "expected a result within 700ms");
    wait_for("the end of what hung", || running("sleep 87102").is_empty().then_some(()));
    expect(&bench.look_at("exec", "argv = [\"true\"]"), Health::Up, "");
}

#[test]
fn a_connection_that_is_lost_is_unreachable_and_comes_back() {
    if !real(REAL) {
        return;
    }
    let mut sshd = Sshd::start("");
    let bench = bench(&sshd, &[]);
    let look = || bench.look_at("exec", "argv = [\"true\"]");
    expect(&look(), Health::Up, "");
    let connections = sshd.connections();
    let hanging = probe("exec", "argv = [\"sleep\", \"87103\"]\ntimeout = \"30s\"");
    let reading = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for("the command", || {
                running("sleep 87103").iter().any(|p| !connections.contains(p)).then_some(())
            });
            sshd.stop();
        });
        bench.look(&hanging)
    });
    assert!(reading.unreachable, "{reading:?}");
    expect(&reading, Health::Unknown, "the connection was lost");
    let gone = look();
    assert!(gone.unreachable, "{gone:?}");
    expect(&gone, Health::Unknown, "Connection refused");
    assert!(sshd.again());
    // A failure stands for a while, so that a broken host is not stormed.
    wait_for("the way to be open again", || {
        // The pause passes only while the runtime is run.
        bench.block_on(async { tokio::time::sleep(std::time::Duration::from_millis(50)).await });
        (look().health == Health::Up).then_some(())
    });
    for pid in running("sleep 87103") {
        sshd::signal("-KILL", pid);
    }
}

#[test]
fn a_host_that_swallows_everything_is_unreachable() {
    if !real(REAL) {
        return;
    }
    let sshd = Sshd::start("");
    // It accepts and never says a word, as a firewall's tarpit does.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = sshd.configure("silent", silent.local_addr().unwrap().port(), "id");
    let bench = Bench::new(sshd::spec(&config), &[], &[]);
    for kind in ["exec", "tcp"] {
        let lines = if kind == "exec" { "argv = [\"true\"]" } else { "address = \"127.0.0.1:1\"" };
        let reading = bench.look_at(kind, &format!("{lines}\ntimeout = \"500ms\""));
        assert!(reading.unreachable, "{reading:?}");
        expect(&reading, Health::Unknown, "ssh to box has not connected yet");
    }
}

#[test]
fn a_key_that_is_not_known_there_is_named_as_such() {
    if !real(REAL) {
        return;
    }
    let sshd = Sshd::start("");
    let config = sshd.configure("other_config", sshd.port, "other");
    let bench = Bench::new(sshd::spec(&config), &[], &[]);
    for _ in 0..3 {
        let reading = bench.look_at("exec", "argv = [\"true\"]");
        assert!(reading.unreachable, "{reading:?}");
        expect(&reading, Health::Unknown, "Permission denied");
    }
    let log = std::fs::read_to_string(sshd.dir.path().join("sshd.log")).unwrap();
    assert!(
        log.matches("Connection closed by authenticating user").count() <= 1,
        "one try, not three: {log}"
    );
}
