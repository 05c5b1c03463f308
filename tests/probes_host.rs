//! What the probes of a host say: good, bad, missing, without privilege, malformed, oversized,
//! hanging; against real components where there are any.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail as the test does")]

#[path = "harness/host.rs"]
mod host;
#[path = "harness/systemd.rs"]
mod systemd;
#[path = "harness/units.rs"]
mod units;
#[path = "harness/wireguard.rs"]
mod wireguard;

use host::{Bench, everything, probe, real, running, tool, try_probe, wait_for};
use quarterdeck::domain::fact::Fact;
use quarterdeck::domain::health::Health;
use quarterdeck::domain::observation::Reading;
use quarterdeck::stack::spec::TransportSpec;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

fn number(reading: &Reading, name: &str) -> f64 {
    match reading.facts.get(name) {
        Some(Fact::Number(n, _)) => *n,
        other => panic!("{name}: {other:?} in {reading:?}"),
    }
}

fn text(reading: &Reading, name: &str) -> String {
    reading.facts.get(name).map(Fact::show).unwrap_or_default()
}

#[track_caller]
fn expect(reading: &Reading, health: Health, reason: &str) {
    assert_eq!(reading.health, health, "{reading:?}");
    assert!(reading.reason.contains(reason), "expected {reason:?} in {:?}", reading.reason);
}

/// A tool that answers with a script, and what the probe says of it.
fn with_tool(name: &str, script: &str, kind: &str, lines: &str) -> Reading {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), name, script);
    Bench::local(&[dir.path()]).look_at(kind, lines)
}

#[test]
fn units_of_a_real_systemd_are_told_apart() {
    if !real(&[("systemd", "systemd"), ("nsenter", "util-linux")]) {
        return;
    }
    let systemd = systemd::Systemd::boot();
    let tools = systemd.tools();
    let units = ["steady", "broken.service", "looping", "absent", "also"];
    let probes: Vec<_> = units.iter().map(|u| probe("systemd", &format!("unit = \"{u}\""))).collect();
    let bench = Bench::new(TransportSpec::Local, &[&tools], &probes);
    let readings = bench.look_together(&probes);
    let calls = std::fs::read_to_string(tools.join("calls")).unwrap();
    assert_eq!(calls.lines().count(), 1, "one call answers for every unit of the host");

    let [steady, broken, looping, absent, also] = readings.as_slice() else { panic!("five") };
    expect(steady, Health::Up, "active (running)");
    assert!((0.0..120.0).contains(&number(steady, "SINCE")), "{steady:?}");
    let pid = systemd.ctl(&["show", "--value", "-p", "MainPID", "steady"]);
    assert_eq!(number(steady, "PID").to_string(), pid);
    expect(broken, Health::Down, "expected active == active, got failed");
    assert_eq!(text(broken, "RESULT"), "exit-code");
    expect(looping, Health::Down, "expected active == active, got activating");
    assert_eq!(text(looping, "SUB"), "auto-restart");
    assert!(number(looping, "RESTARTS") >= 1.0);
    expect(absent, Health::Down, "expected load == loaded, got not-found");
    expect(also, Health::Up, "active (running)");

    // The environment of a unit's main process, which only root may read.
    let names = "unit = \"steady\"\nnames = [\"GREETING\", \"EMPTY\", \"ABSENT\"]";
    let inside = systemd.tools();
    // Our /proc is not the namespace's, so the unit's pid means another process here.
    let reading = Bench::local(&[&inside]).look_at("env-present", names);
    assert!(reading.health != Health::Up, "{reading:?}");
    let real_pid = wait_for("the unit's process", || running("/bin/sleep 86399").first().copied());
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pid"), real_pid.to_string()).unwrap();
    let lines =
        format!("pid_file = \"{}/pid\"\nnames = [\"GREETING\", \"EMPTY\", \"ABSENT\"]", dir.path().display());
    let reading = Bench::local(&[]).look_at("env-present", &lines);
    expect(&reading, Health::Down, "expected len(missing) == 0, got 2");
    assert_eq!(text(&reading, "SET"), "1");
    assert!(!everything(&reading).contains("hello"), "{reading:?}");

    // A unit that is stopped is seen at the next look.
    systemd.ctl(&["stop", "steady"]);
    let later = Bench::local(&[&tools]).look_at("systemd", "unit = \"steady\"");
    expect(&later, Health::Down, "expected active == active, got inactive");
}

#[test]
fn a_systemctl_that_cannot_tell_is_unknown_and_says_why() {
    let unit = "unit = \"a\"\ntimeout = \"500ms\"";
    let block = "echo Id=a.service; echo ActiveState=active; echo LoadState=loaded";
    let table = [
        (
            "echo 'System has not been booted with systemd as init system (PID 1). Can'\\''t operate.' >&2; exit 1",
            "has not been booted with systemd",
        ),
        (
            "echo 'Failed to connect to bus: No such file or directory' >&2; exit 1",
            "Failed to connect to bus",
        ),
        ("echo 'Id=other.service'; echo ActiveState=active", "expected a.service in systemctl's answer"),
        ("head -c 100 /dev/urandom", "expected a.service in systemctl's answer"),
        ("yes | head -c 8000000", "longer than 2097152 bytes"),
        ("sleep 87001; true", "expected a result within 500ms"),
    ];
    for (script, reason) in table {
        expect(&with_tool("systemctl", script, "systemd", unit), Health::Unknown, reason);
    }
    wait_for("the end of what hung, and of its children", || running("sleep 87001").is_empty().then_some(()));
    let missing = with_tool("other", "exit 0", "systemd", unit);
    assert!(missing.health != Health::Up);
    // An older systemd refuses the form of the time; the other form is taken then.
    let old = format!(
        "case \"$*\" in *--timestamp*) echo \"systemctl: unrecognized option '--timestamp=unix'\" >&2; exit 1;; esac; \
         {block}; up=$(cut -d. -f1 /proc/uptime); echo StateChangeTimestampMonotonic=$(( (up - 10) * 1000000 ))"
    );
    let reading = with_tool("systemctl", &old, "systemd", unit);
    expect(&reading, Health::Up, "active");
    assert!((9.0..15.0).contains(&number(&reading, "SINCE")), "{reading:?}");
}

#[test]
fn a_real_tunnel_is_seen_and_its_keys_are_not() {
    let programs = [
        ("wireguard-go", "wireguard-go"),
        ("wg", "wireguard-tools"),
        ("ip", "iproute2"),
        ("nsenter", "util-linux"),
    ];
    if !real(&programs) {
        return;
    }
    let tunnel = wireguard::Tunnel::open();
    let bench = Bench::local(&[&tunnel.tools(0)]);
    let near = bench.look_at(
        "wireguard",
        "interface = \"wg0\"\nconditions = [\"[ACTIVE_PEERS] == 1\", \"[HANDSHAKE_AGE] < 1m\"]",
    );
    expect(&near, Health::Up, "1 of 2 peers active");
    assert_eq!((number(&near, "PEERS"), number(&near, "PORT")), (2.0, 51999.0));
    assert!(number(&near, "RX") > 0.0 && number(&near, "TX") > 0.0, "{near:?}");
    let absent = bench.look_at("wireguard", "interface = \"wg9\"");
    expect(&absent, Health::Down, "interface wg9 does not exist");
    let nobody = Bench::local(&[&tunnel.tools(65534)]);
    let refused = nobody.look_at("wireguard", "interface = \"wg0\"");
    expect(&refused, Health::Unknown, "add to sudoers: <user> ALL=(root) NOPASSWD: wg show all dump");
    for secret in tunnel.secrets() {
        for kept in [&near, &absent, &refused] {
            assert!(!everything(kept).contains(&secret));
        }
        assert!(!format!("{:?}", bench.shared()).contains(&secret), "nor is it kept for the next look");
    }
}

#[test]
fn a_wg_that_cannot_tell_is_unknown_and_says_why() {
    let wg0 = "interface = \"wg0\"\ntimeout = \"500ms\"";
    let table = [
        (
            "echo 'Unable to access interface wg0: Operation not permitted' >&2; exit 1",
            Health::Unknown,
            "needs sudo",
        ),
        ("echo 'sudo: a password is required' >&2; exit 1", Health::Unknown, "needs sudo"),
        ("echo nonsense", Health::Unknown, "expected wg's dump"),
        (
            "echo 'Unable to list interfaces: Protocol not supported' >&2; exit 1",
            Health::Unknown,
            "Protocol not supported",
        ),
        ("yes | head -c 6000000", Health::Unknown, "longer than"),
        ("sleep 87002; true", Health::Unknown, "expected a result within 500ms"),
        ("exit 0", Health::Down, "interface wg0 does not exist"),
        ("printf 'wg1\\tK\\tP\\t1\\toff\\n'", Health::Down, "interface wg0 does not exist"),
        ("printf 'wg0\\tK\\tP\\t1\\toff\\n'", Health::Up, "0 peers, no handshake yet"),
    ];
    for (script, health, reason) in table {
        expect(&with_tool("wg", script, "wireguard", wg0), health, reason);
    }
    wait_for("the end of what hung, and of its children", || running("sleep 87002").is_empty().then_some(()));
    let age = with_tool(
        "wg",
        "printf 'wg0\\tK\\tP\\t1\\toff\\n'",
        "wireguard",
        "interface = \"wg0\"\nconditions = [\"[HANDSHAKE_AGE] < 3m\"]",
    );
    expect(&age, Health::Unknown, "no peer of wg0 has shaken hands yet");
}

#[test]
fn files_are_judged_by_what_the_kernel_would_allow() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mode =
        |name: &str, mode| std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
    mode("", 0o755);
    std::fs::write(at("open"), "12345").unwrap();
    mode("open", 0o644);
    std::fs::write(at("own"), "").unwrap();
    mode("own", 0o600);
    std::fs::create_dir(at("shut")).unwrap();
    std::fs::write(at("shut/open"), "").unwrap();
    mode("shut/open", 0o644);
    mode("shut", 0o700);
    std::os::unix::fs::symlink(at("shut/open"), at("link")).unwrap();
    let bench = Bench::local(&[]);
    let look =
        |name: &str, more: &str| bench.look_at("file", &format!("path = \"{}\"\n{more}", at(name).display()));

    let open = look(
        "open",
        "conditions = [\"[AGE] < 1h\", \"[SIZE] == 5\", \"[MODE] == \\\"0644\\\"\", \"[TYPE] == file\"]",
    );
    expect(&open, Health::Up, "5B");
    assert_eq!(text(&look("", ""), "TYPE"), "directory");
    let none = format!("no such file: {}", at("none").display());
    expect(&look("none", ""), Health::Down, &none);
    expect(&look("none", "conditions = [\"[AGE] < 1h\"]"), Health::Down, &none);
    expect(&look("open", "conditions = [\"[EXISTS] == false\"]"), Health::Down, "expected exists == false");
    expect(&look("none", "conditions = [\"[EXISTS] == false\"]"), Health::Up, "absent");
    expect(&look("open/below", ""), Health::Down, "no such file: ");
    expect(&look("open", "conditions = [\"[SIZE] > 1KiB\"]"), Health::Down, "expected size > 1KiB, got 5B");
    for (name, user, want) in [
        ("open", "nobody", Health::Up),
        ("own", "nobody", Health::Down),
        ("shut/open", "nobody", Health::Down), // its own bits allow it, its directory's do not
        ("link", "nobody", Health::Down),
        ("own", "root", Health::Up),
        ("open", "no-such-user", Health::Unknown),
    ] {
        let reading = look(name, &format!("readable_by = \"{user}\""));
        assert_eq!(reading.health, want, "{name} by {user}: {reading:?}");
    }
    assert!(try_probe("file", "path = \"relative\"").unwrap_err().contains("expects an absolute path"));
}

#[test]
fn a_pid_file_is_held_against_the_process_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid");
    let bench = Bench::local(&[]);
    let look = |more: &str| bench.look_at("pid-file", &format!("path = \"{}\"\n{more}", path.display()));
    expect(&look(""), Health::Down, &format!("no such file: {}", path.display()));
    let sleeper = host::Killed::start(&["sleep", "87003"]);
    let pid = sleeper.0.id();
    wait_for("the program", || running("sleep 87003").contains(&pid).then_some(()));
    for (content, reason) in
        [("", "got nothing"), ("abc", "got \"abc\""), ("0", "got \"0\""), ("\u{1b}[2J", "·[2J")]
    {
        std::fs::write(&path, content).unwrap();
        expect(&look(""), Health::Down, reason);
    }
    std::fs::write(&path, format!("{pid}\nmore\n")).unwrap();
    let reading = look("command = \"^(setpriv .*)?sleep 87003\"");
    expect(&reading, Health::Up, &format!("pid {pid}"));
    expect(&look("command = \"redis\""), Health::Down, "expected matches == true, got false");
    // The number was given to another since: the file is older than the process.
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    expect(&look(""), Health::Down, "expected current == true, got false");
    drop(sleeper);
    std::fs::write(&path, pid.to_string()).unwrap();
    expect(&look(""), Health::Down, "expected alive == true, got false");
}

#[test]
fn processes_are_counted_by_name_command_and_user() {
    let sleeper = host::Killed::start(&["sleep", "87004"]);
    let pid = sleeper.0.id();
    wait_for("the program", || (running("sleep 87004") == [pid]).then_some(()));
    wait_for("its name", || {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c == "sleep\n").then_some(())
    });
    let bench = || Bench::local(&[]); // a new one each time, since answers are shared for a while
    let one = bench().look_at("process", "name = \"sleep\"\ncommand = \" 87004$\"\nconditions = [\"[COUNT] == 1\", \"[RSS] > 0\", \"[OLDEST] < 1m\"]");
    expect(&one, Health::Up, "1 runs");
    assert_eq!(one.facts.get("PIDS"), Some(&Fact::Json(serde_json::json!([pid]))));
    expect(
        &bench().look_at("process", "name = \"no-such-daemon\""),
        Health::Down,
        "expected count > 0, got 0",
    );
    expect(&bench().look_at("process", "command = \" 87004$\"\nuser = \"nobody\""), Health::Down, "got 0");
    expect(
        &bench().look_at("process", "command = \" 87004$\"\nuser = \"no-such-user\""),
        Health::Unknown,
        "no user no-such-user",
    );
    assert!(try_probe("process", "user = \"root\"").unwrap_err().contains("neither `name` nor `command`"));
    assert!(try_probe("process", "command = \"(\"").unwrap_err().contains("expects a regular expression"));
}

#[test]
fn disk_memory_and_load_are_numbers_of_this_machine() {
    let bench = Bench::local(&[]);
    let disk = bench.look_at(
        "disk",
        "path = \"/\"\nconditions = [\"[USED] <= 100%\", \"[FREE] > 0\", \"[INODES_USED] <= 100%\"]",
    );
    expect(&disk, Health::Up, "used");
    assert!(number(&disk, "TOTAL") > number(&disk, "FREE"));
    expect(
        &bench.look_at("disk", "path = \"/no/such\""),
        Health::Unknown,
        "no such directory here: /no/such; is this the right host?",
    );
    let memory = bench
        .look_at("memory", "conditions = [\"[USED] < 100%\", \"[TOTAL] > 1MiB\", \"[SWAP_USED] <= 100%\"]");
    expect(&memory, Health::Up, "available");
    let load = bench.look_at(
        "load",
        "conditions = [\"[CPUS] >= 1\", \"[LOAD1] >= 0\", \"[LOAD15] >= 0\", \"[PER_CPU] < 1000\"]",
    );
    expect(&load, Health::Up, "a processor");
}

#[test]
fn a_df_that_cannot_tell_is_unknown_and_says_why() {
    let lines = "path = \"/srv\"\ntimeout = \"500ms\"\nconditions = [\"[USED] < 90%\"]";
    let table = [
        ("echo head; echo '/dev/a b 100 95 5 95% /srv'", Health::Down, "expected used < 90%, got 95%"),
        ("echo head; echo 'proc 0 0 0 - /srv'", Health::Unknown, "does not count its blocks"),
        ("echo nonsense", Health::Unknown, "expected df's table"),
        ("yes | head -c 1000000", Health::Unknown, "expected df's table"),
        ("echo \"df: '/srv': Permission denied\" >&2; exit 1", Health::Unknown, "needs permission"),
        ("echo \"df: /srv: Stale file handle\" >&2; exit 1", Health::Unknown, "Stale file handle"),
        ("sleep 87005; true", Health::Unknown, "expected a result within 500ms"),
    ];
    for (script, health, reason) in table {
        expect(&with_tool("df", script, "disk", lines), health, reason);
    }
    wait_for("the end of what hung, and of its children", || running("sleep 87005").is_empty().then_some(()));
}

#[test]
fn bound_ports_are_seen_without_connecting() {
    let bench = Bench::local(&[]);
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp_port, udp_port) = (tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port());
    let look = |lines: &str| bench.look_at("listen", lines);
    expect(&look(&format!("port = {tcp_port}")), Health::Up, &format!("127.0.0.1:{tcp_port}"));
    expect(&look(&format!("port = {tcp_port}\naddress = \"127.0.0.1\"")), Health::Up, "127.0.0.1");
    expect(
        &look(&format!("port = {tcp_port}\naddress = \"10.9.9.9\"")),
        Health::Down,
        "expected bound == true, got false",
    );
    expect(&look(&format!("port = {udp_port}\nprotocol = \"udp\"")), Health::Up, "127.0.0.1");
    tcp.set_nonblocking(true).unwrap();
    assert!(tcp.accept().is_err(), "nobody connected");
    drop(tcp);
    expect(&look(&format!("port = {tcp_port}")), Health::Down, "expected bound == true, got false");
    for bad in
        ["port = 0", "port = 70000", "", "port = 1\naddress = \"localhost\"", "port = 1\nprotocol = \"sctp\""]
    {
        assert!(try_probe("listen", bad).is_err() || bad.contains("sctp"), "{bad}");
    }
}

#[test]
fn variables_are_named_and_never_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("env");
    std::fs::write(&path, "A=s3cret\nB=\n# C=s3cret\nexport D='s3cret'\n").unwrap();
    let bench = Bench::local(&[]);
    let look = |names: &str, place: &str| bench.look_at("env-present", &format!("names = {names}\n{place}"));
    let file = format!("file = \"{}\"", path.display());
    let good = look("[\"A\", \"D\"]", &file);
    expect(&good, Health::Up, "2 of 2 set");
    let bad = look("[\"A\", \"B\", \"C\"]", &file);
    expect(&bad, Health::Down, "expected len(missing) == 0, got 2");
    for reading in [&good, &bad] {
        assert!(!everything(reading).contains("s3cret"), "{reading:?}");
    }
    expect(&look("[\"A\"]", "file = \"/no/such\""), Health::Down, "expected /no/such to exist");
    expect(&look("[\"PATH\"]", ""), Health::Up, "1 of 1 set");
    expect(&look("[\"A\"]", "file = \"/dev/zero\""), Health::Unknown, "not a file");
    std::fs::write(&path, vec![b'x'; 2 << 20]).unwrap();
    expect(&look("[\"A\"]", &file), Health::Unknown, "longer than 1048576 bytes");
    let problem = try_probe("env-present", "names = [\"A=s3cret\"]").unwrap_err();
    assert!(!problem.contains("got \"A=s3cret") && problem.contains("names of variables"), "{problem}");
    let own_pid = dir.path().join("pid");
    let child = std::process::Command::new("sleep")
        .arg("87006")
        .env("Q_A", "s3cret")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    std::fs::write(&own_pid, child.id().to_string()).unwrap();
    let child = host::Killed(child);
    wait_for("the program", || (running("sleep 87006") == [child.0.id()]).then_some(()));
    let reading = look("[\"Q_A\", \"Q_B\"]", &format!("pid_file = \"{}\"", own_pid.display()));
    expect(&reading, Health::Down, "expected len(missing) == 0, got 1");
    assert!(!everything(&reading).contains("s3cret"));
}

#[test]
fn without_privilege_what_is_hidden_is_unknown() {
    if !real(&[("setpriv", "util-linux")]) {
        return;
    }
    // This test again, as a user who may not look.
    if std::env::var_os("QUARTERDECK_TEST_NOBODY").is_some() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let shut = dir.path().join("shut");
    std::fs::create_dir(&shut).unwrap();
    std::fs::set_permissions(&shut, std::fs::Permissions::from_mode(0o700)).unwrap();
    let program = dir.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let out = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(&program)
        .args(["--exact", "--ignored", "as_nobody", "--nocapture"])
        .env("QUARTERDECK_TEST_SHUT", &shut)
        .current_dir("/")
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr)
    );
}

#[test]
#[ignore = "run by without_privilege_what_is_hidden_is_unknown, as another user"]
fn as_nobody() {
    let Some(shut) = std::env::var_os("QUARTERDECK_TEST_SHUT") else { return };
    let shut = Path::new(&shut).display().to_string();
    let bench = Bench::local(&[]);
    expect(&bench.look_at("file", &format!("path = \"{shut}/x\"")), Health::Unknown, "needs permission");
    expect(&bench.look_at("pid-file", &format!("path = \"{shut}/x\"")), Health::Unknown, "needs permission");
    let file = bench.look_at("env-present", &format!("file = \"{shut}/x\"\nnames = [\"A\"]"));
    expect(&file, Health::Unknown, "needs permission");
    // The first process is root's; its environment is not ours to read.
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::write(dir.path().join("pid"), "1").unwrap();
    let lines = format!("pid_file = \"{}/pid\"\nnames = [\"A\"]", dir.path().display());
    expect(
        &bench.look_at("env-present", &lines),
        Health::Unknown,
        "NOPASSWD: /usr/bin/cat -- /proc/[0-9]*/environ",
    );
    expect(
        &bench.look_at("file", "path = \"/etc/shadow\"\nconditions = [\"[READABLE] == true\"]"),
        Health::Down,
        "got false",
    );
    expect(&bench.look_at("wireguard", "interface = \"wg0\"\nsudo = true"), Health::Unknown, "");
}
