//! Real servers for tests: started in a process group of their own, ready before a test goes on,
//! gone when their guard is dropped. Nothing here listens anywhere but on loopback.
//!
//! The tests at the end use everything, so that a test binary that needs only a part of this
//! module has no dead code.

pub mod certs;
pub mod fake;
pub mod look;

use rustix::process::{Pid, Signal};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// Asks whether a condition holds, at most this often, before a test gives up on it.
const TRIES: u32 = 1000;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Waits. Only ever between two looks at the thing waited for, or to imitate a slow peer.
#[expect(clippy::disallowed_methods, reason = "the peer that is imitated is slow; no check relies on it")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until something is so; fails the test when it does not become so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..TRIES {
        if is_so() {
            return;
        }
        pause(BETWEEN_TRIES);
    }
    panic!("waited too long for {what}");
}

/// A port on loopback that nothing listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A program that a test cannot do without. With `QUARTERDECK_REQUIRE_REAL=1` its absence fails
/// the test and names the Debian package; otherwise the test says that it is skipped.
pub fn need(program: &str, package: &str) -> Option<PathBuf> {
    let found = find(program);
    if found.is_none() {
        let required = std::env::var_os("QUARTERDECK_REQUIRE_REAL").is_some_and(|v| v == "1");
        assert!(!required, "no {program} here: apt-get install {package}");
        println!("skipped: no {program} here (Debian package {package})");
    }
    found
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // PostgreSQL keeps its server programs apart, one directory for each version.
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .chain(versions.map(|v| v.path().join("bin")))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command that runs as `user`, whose group is called the same, when the tests run as root: some servers refuse to be root.
pub fn as_user(user: &str, program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--init-groups");
    command.arg(program);
    command
}

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    stop: Signal,
}

impl Server {
    /// Starts it and waits until `ready`. Its process group is its own, and its pid is the
    /// group's, so that what it starts goes with it.
    pub fn start(command: &mut Command, mut ready: impl FnMut() -> bool) -> Server {
        let child = command.process_group(0).spawn().unwrap();
        let mut server = Server { child, stop: Signal::TERM };
        until(&format!("{command:?} to be ready"), || {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "{command:?} ended with {ended:?}");
            ready()
        });
        server
    }

    /// Stops it with another signal than TERM.
    #[must_use]
    pub fn stopped_by(mut self, signal: Signal) -> Server {
        self.stop = signal;
        self
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal to the server's own process: STOP makes it silent, CONT wakes it.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    fn ends_within(&mut self, tries: u32) -> bool {
        for _ in 0..tries {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            pause(BETWEEN_TRIES);
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = self.pid();
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = rustix::process::kill_process(pid, Signal::CONT);
            let _ = rustix::process::kill_process(pid, self.stop);
        }
        if !self.ends_within(250) {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_guard_leaves_no_process() {
        let server = Server::start(Command::new("sleep").arg("600"), || true);
        let pid = server.pid();
        server.signal(Signal::STOP);
        drop(server.stopped_by(Signal::INT));
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[test]
    fn a_missing_program_is_said_to_be_missing() {
        assert_eq!(find("no-such-program-anywhere"), None);
        assert!(need("sh", "dash").is_some());
        assert_ne!(free_port(), 0);
        let output = as_user("daemon", Path::new("/usr/bin/id")).arg("-un").output().unwrap();
        assert_eq!(output.stdout == b"daemon\n", is_root());
    }
}
