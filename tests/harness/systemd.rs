//! A real systemd in namespaces of its own.

use crate::host::{Killed, pause, wait_for};
use std::path::Path;
use std::process::Command;

pub struct Systemd {
    // In this order: it is killed, then its directory goes.
    pub boot: Killed,
    pub pid: u32,
    pub dir: tempfile::TempDir,
}

impl Systemd {
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
