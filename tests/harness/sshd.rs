//! A real sshd on loopback with a key and a host key of its own, and the `ssh_config` to reach it.

use crate::host::{Killed, pause, wait_for};
use quarterdeck::stack::spec::TransportSpec;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Sshd {
    daemon: Option<Killed>,
    pub dir: tempfile::TempDir,
    pub port: u16,
}

impl Sshd {
    /// Listens when this returns. `more` goes into its configuration.
    pub fn start(more: &str) -> Sshd {
        let dir = tempfile::tempdir().unwrap();
        for key in ["host", "id", "other"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(dir.path().join(key))
                .stdin(Stdio::null())
                .status();
            assert!(made.unwrap().success());
        }
        // sshd gives up its privileges into a directory that must exist.
        std::fs::create_dir_all("/run/sshd").unwrap();
        std::fs::copy(dir.path().join("id.pub"), dir.path().join("authorized")).unwrap();
        let mut sshd = Sshd { daemon: None, dir, port: 0 };
        // A port that is free now may be somebody else's a moment later.
        for _ in 0..10 {
            sshd.settle(more);
            if sshd.again() {
                return sshd;
            }
        }
        panic!("sshd does not listen: {}", std::fs::read_to_string(sshd.log()).unwrap_or_default());
    }

    /// Writes the configuration for a port that is free.
    fn settle(&mut self, more: &str) {
        self.port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (port, at) = (self.port, self.dir.path().display());
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nPidFile none\nAuthorizedKeysFile {at}/authorized\n\
             StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             UsePAM no\n{more}\n"
        );
        std::fs::write(self.dir.path().join("sshd_config"), config).unwrap();
        self.configure("ssh_config", port, "id");
    }

    /// Starts the daemon, anew if it was stopped; whether it listens. It says so itself: whoever
    /// answers at its port may be another.
    #[must_use]
    pub fn again(&mut self) -> bool {
        let config = self.dir.path().join("sshd_config").display().to_string();
        let log = self.log();
        let _ = std::fs::remove_file(&log);
        let log = log.display().to_string();
        let mut daemon = Killed::start(&["/usr/sbin/sshd", "-D", "-f", &config, "-E", &log]);
        let listens = wait_for("sshd to listen or to end", || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let listens = said.contains("Server listening on 127.0.0.1");
            (listens || daemon.0.try_wait().unwrap().is_some()).then_some(listens)
        });
        self.daemon = Some(daemon);
        listens
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("sshd.log")
    }

    /// Stops the daemon and every connection that it serves.
    pub fn stop(&mut self) {
        for pid in self.connections() {
            signal("-KILL", pid);
        }
        self.daemon = None;
    }

    /// The daemon's processes that serve a connection, with theirs.
    pub fn connections(&self) -> Vec<u32> {
        let mut found = Vec::new();
        let mut look = vec![self.daemon.as_ref().map_or(0, |d| d.0.id())];
        while let Some(pid) = look.pop() {
            let children =
                std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            let children: Vec<u32> = children.split_whitespace().filter_map(|p| p.parse().ok()).collect();
            found.extend(&children);
            look.extend(children);
        }
        found
    }

    /// Writes an `ssh_config` in which `box` is 127.0.0.1 at a port, with a key of ours.
    pub fn configure(&self, name: &str, port: u16, key: &str) -> PathBuf {
        let at = self.dir.path().display();
        let host_key = std::fs::read_to_string(self.dir.path().join("host.pub")).unwrap();
        std::fs::write(self.dir.path().join("known"), format!("box {host_key}")).unwrap();
        let config = format!(
            "Host box\n HostName 127.0.0.1\n HostKeyAlias box\n Port {port}\n User root\n IdentityFile {at}/{key}\n\
             IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile {at}/known\n GlobalKnownHostsFile none\n\
             StrictHostKeyChecking yes\n"
        );
        let path = self.dir.path().join(name);
        std::fs::write(&path, config).unwrap();
        path
    }

    pub fn spec(&self) -> TransportSpec {
        spec(&self.dir.path().join("ssh_config"))
    }
}

/// The way to `box` by a configuration.
pub fn spec(config: &Path) -> TransportSpec {
    TransportSpec::Ssh { destination: "box".into(), port: None, config: Some(config.display().to_string()) }
}

pub fn signal(which: &str, pid: u32) {
    let _ = Command::new("kill").args([which, &pid.to_string()]).status();
    pause();
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}
