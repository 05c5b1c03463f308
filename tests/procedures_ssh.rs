//! Over a real sshd: an operator starts a procedure on the dashboard, and their connection is killed
//! in the middle of a step. The dashboard goes with it, the run goes on, and who comes next sees it.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "harness/host.rs"]
mod host;
#[path = "harness/pty.rs"]
mod pty;
#[expect(dead_code, reason = "no probe goes that way here")]
#[path = "harness/sshd.rs"]
mod sshd;

use host::{real, running, tool, wait_for};
use pty::{Launch, Pty};
use quarterdeck::clock::{Clock, SystemClock};
use rustix::process::{Pid, Signal, kill_process};
use sshd::Sshd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quarterdeck");
const NEEDS: &[(&str, &str)] =
    &[("sshd", "openssh-server"), ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")];
/// How long the dashboard of a dead session may stay; the program's own bar is a second, and the
/// rest is for a machine that has other things to do.
const GONE_WITHIN: Duration = Duration::from_secs(2);

const STACK: &str = r#"
[stack]
name = "far"
title = "Far away"

[[layers]]
id = "files"
name = "Files"

[[hosts]]
id = "here"

[[probes]]
id = "last"
name = "Last"
layer = "files"
kind = "file"
path = "DIR/last"
interval = "1s"
conditions = ["[EXISTS] == true"]

[[procedures]]
id = "restart"
name = "Slow restart"
role = "restart"
[[procedures.steps]]
id = "slow"
name = "Takes its time"
uses = "exec"
with = { argv = ["DIR/slow", "first"] }
effect = "interrupt"
timeout = "30s"
[[procedures.steps]]
id = "slower"
name = "Takes its time, too"
uses = "exec"
with = { argv = ["DIR/slow", "second"] }
effect = "interrupt"
timeout = "30s"
[[procedures.steps]]
id = "last"
name = "Is seen at the end"
uses = "exec"
with = { argv = ["DIR/write", "last"] }
effect = "change"
verify = { probes = ["last"], good = 2, every = "200ms", within = "10s" }
"#;

/// A host at the other end of ssh, with its stack and its state.
struct Far {
    // In this order: the daemon and all its sessions first.
    sshd: Sshd,
    dir: tempfile::TempDir,
}

impl Far {
    fn new() -> Far {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display().to_string();
        // It says something while it runs, and counts how often it was begun.
        let slow = "echo \"$1\" >>DIR/begun\nfor i in 1 2 3 4 5; do sleep 0.5; echo \"$1 $i\"; done";
        tool(dir.path(), "slow", &slow.replace("DIR", &at));
        tool(dir.path(), "write", &"echo x >>DIR/\"$1\"".replace("DIR", &at));
        std::fs::write(dir.path().join("stack.toml"), STACK.replace("DIR", &at)).unwrap();
        // Each session has a configuration of its own, so that its processes can be told apart.
        for session in ["one", "two"] {
            let text =
                format!("stack = \"{at}/stack.toml\"\nstate_dir = \"{at}/state\"\nenvironment = \"test\"\n");
            std::fs::write(dir.path().join(session).with_extension("toml"), text).unwrap();
        }
        Far { sshd: Sshd::start(""), dir }
    }

    fn config(&self, session: &str) -> String {
        self.dir.path().join(session).with_extension("toml").display().to_string()
    }

    fn ssh_config(&self) -> PathBuf {
        self.sshd.dir.path().join("ssh_config")
    }

    /// The dashboard in a session with a terminal.
    fn deck(&self, session: &str) -> Pty {
        let pty = Launch::new("ssh")
            .arg("-F")
            .arg(self.ssh_config())
            .args(["-tt", "box", PROGRAM, "--config", &self.config(session)])
            .size(110, 40)
            .start();
        pty.wait_for("Far away");
        pty
    }

    /// What a command prints in a session of its own.
    fn say(&self, args: &[&str]) -> String {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.ssh_config()).args(["box", PROGRAM, "--config", &self.config("two")]);
        let output = command.args(args).stdin(std::process::Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// The dashboards of a session: neither runners nor the ssh or the shell that they came by.
    fn decks(&self, session: &str) -> Vec<u32> {
        let is_deck = |pid: &u32| {
            let exe = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            exe == Path::new(PROGRAM) && !line.contains("\0runner\0")
        };
        running(&self.config(session)).into_iter().filter(is_deck).collect()
    }

    fn begun(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path().join("begun")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The processes of the daemon that serve a session.
    fn serving(&self) -> Vec<u32> {
        let is_sshd = |pid: &u32| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.starts_with("sshd")
        };
        self.sshd.connections().into_iter().filter(is_sshd).collect()
    }
}

/// Starts the procedure by its key, as an operator does, and waits until its first step runs.
fn start(far: &Far, pty: &Pty) {
    pty.send("R");
    pty.wait_for("Takes its time, too");
    pty.wait_for("then Enter");
    // What comes faster than anybody types confirms nothing.
    for key in ["h", "e", "r", "e", "\r"] {
        pty.send(key);
        std::thread::park_timeout(Duration::from_millis(150));
    }
    wait_for("the step to begin", || (far.begun() == ["first"]).then_some(()));
    pty.wait_for("first 1");
}

/// The session dies in the middle of a step; everything after that is the same.
fn survives(how: &str, kill: fn(&Far, &Pty)) {
    if !real(NEEDS) {
        return;
    }
    let far = Far::new();
    let pty = far.deck("one");
    start(&far, &pty);
    assert_eq!(far.decks("one").len(), 1);
    let clock = SystemClock::new();
    kill(&far, &pty);
    wait_for("the dead session's dashboard to be gone", || far.decks("one").is_empty().then_some(()));
    let gone = clock.now().mono;
    println!("{how}: the dashboard was gone after {gone:?}");
    assert!(gone < GONE_WITHIN, "{how}: {gone:?}");
    assert_eq!(far.begun(), ["first"], "the step is still under way");

    let listed = far.say(&["runs"]);
    assert!(listed.contains("running") && listed.contains("restart"), "{listed}");
    let next = far.deck("two");
    next.wait_for("RUN restart");
    wait_for("a step that begins after the death", || (far.begun() == ["first", "second"]).then_some(()));
    next.wait_gone("RUN restart");
    let followed = far.say(&["runs", "follow", "last"]);
    assert!(followed.contains("VERIFIED"), "{followed}");
    assert_eq!(far.begun(), ["first", "second"], "nothing was done twice");
    next.send("q");
    next.wait_exit();
}

#[test]
fn a_killed_client_ends_its_dashboard_and_not_the_run() {
    survives("the client killed", |_, pty| pty.signal(Signal::KILL));
}

#[test]
fn a_killed_session_of_the_daemon_ends_its_dashboard_and_not_the_run() {
    survives("the daemon's session killed", |far, _| {
        for pid in far.serving() {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
            let _ = kill_process(pid, Signal::KILL);
        }
    });
}
