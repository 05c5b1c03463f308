//! A real systemd in namespaces of its own, reached through a `systemctl` that enters them.

use crate::host::{Killed, pause, tool, wait_for};
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Systemd {
    // In this order: it is killed, then its directory goes.
    pub boot: Killed,
    pub pid: u32,
    dir: tempfile::TempDir,
}

const UNITS: &[(&str, &str)] = &[
    (
        "quarterdeck.target",
        "[Unit]\nDefaultDependencies=no\nWants=steady.service broken.service looping.service\n",
    ),
    (
        "steady.service",
        "[Unit]\nDefaultDependencies=no\n[Service]\nEnvironment=GREETING=hello EMPTY=\nExecStart=/bin/sleep 86399\n\
         StandardOutput=null\nStandardError=null\n[Install]\nAlias=also.service\n",
    ),
    (
        "broken.service",
        "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/false\nStandardOutput=null\nStandardError=null\n",
    ),
    (
        "looping.service",
        "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'exit 3'\nRestart=always\n\
         RestartSec=200ms\nStandardOutput=null\nStandardError=null\n",
    ),
];

impl Systemd {
    pub fn boot() -> Systemd {
        let units: Vec<(String, String)> =
            UNITS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let systemd = Systemd::boot_units(&units);
        std::os::unix::fs::symlink("steady.service", systemd.dir.path().join("units/also.service")).unwrap();
        let state = |unit: &str, property: &str| systemd.ctl(&["show", "--value", "-p", property, unit]);
        wait_for("steady.service", || (state("steady.service", "SubState") == "running").then_some(()));
        wait_for("broken.service", || (state("broken.service", "ActiveState") == "failed").then_some(()));
        wait_for("looping.service", || {
            state("looping.service", "NRestarts").parse().ok().filter(|n: &u32| *n > 0)
        });
        // A unit is loaded under its other name once it has been asked for by it.
        assert_eq!(state("also.service", "Id"), "steady.service");
        systemd
    }

    /// Boots with these unit files; `quarterdeck.target` is what it starts.
    pub fn boot_units(all: &[(String, String)]) -> Systemd {
        let dir = tempfile::tempdir().unwrap();
        let units = dir.path().join("units");
        std::fs::create_dir(&units).unwrap();
        for (name, text) in all {
            std::fs::write(units.join(name), text).unwrap();
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/systemd-ns.sh");
        let boot = Killed::start(&["sh", script, &dir.path().display().to_string()]);
        // Its parent is a shell before, with other children.
        let is_systemd =
            |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c == "systemd\n");
        let pid = wait_for("systemd's process", || boot.only_child().filter(is_systemd));
        Systemd { boot, pid, dir }
    }

    /// What the real `systemctl` prints there.
    pub fn ctl(&self, args: &[&str]) -> String {
        let pid = self.pid.to_string();
        let out =
            Command::new("nsenter").args(["-t", &pid, "-a", "/bin/systemctl"]).args(args).output().unwrap();
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    /// A directory with a `systemctl` that enters, and counts its calls in the file `calls`.
    pub fn tools(&self) -> PathBuf {
        let dir = self.dir.path().join("bin");
        std::fs::create_dir_all(&dir).unwrap();
        let calls = dir.join("calls");
        tool(
            &dir,
            "systemctl",
            &format!("echo >>{}; exec nsenter -t {} -a /bin/systemctl \"$@\"", calls.display(), self.pid),
        );
        dir
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        let group = std::fs::read_to_string(self.dir.path().join("cgroup")).unwrap_or_default();
        let _ = self.boot.0.kill();
        let _ = self.boot.0.wait();
        // Its processes die with the first of them, a moment later; their groups are left then.
        for _ in 0..500 {
            if group.trim().is_empty() || !Path::new(group.trim()).exists() {
                return;
            }
            let _ = Command::new("find")
                .args([group.trim(), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"])
                .output();
            pause();
        }
    }
}
