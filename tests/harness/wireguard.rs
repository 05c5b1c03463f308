//! Two ends of a real tunnel in namespaces of their own, reached through a `wg` that enters them.

use crate::host::{Killed, tool, wait_for};
use std::path::PathBuf;

pub struct Tunnel {
    _processes: Killed,
    pub pid: u32,
    dir: tempfile::TempDir,
}

impl Tunnel {
    /// Ready once the two ends have shaken hands.
    pub fn open() -> Tunnel {
        let dir = tempfile::tempdir().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/wireguard-ns.sh");
        let processes = Killed::start(&["sh", script, &dir.path().display().to_string()]);
        let ready = dir.path().join("ready");
        wait_for("the handshake", || ready.exists().then_some(()));
        let pid = wait_for("the tunnel's process", || processes.only_child());
        Tunnel { _processes: processes, pid, dir }
    }

    /// A directory with a `wg` that enters as the user given.
    pub fn tools(&self, user: u32) -> PathBuf {
        let dir = self.dir.path().join(format!("bin-{user}"));
        std::fs::create_dir_all(&dir).unwrap();
        let who = format!(
            "setpriv --reuid={user} --regid={user} --clear-groups --bounding-set=-all --inh-caps=-all"
        );
        let who = if user == 0 { String::new() } else { who };
        tool(&dir, "wg", &format!("exec nsenter -t {} -m -n {who} /usr/bin/wg \"$@\"", self.pid));
        dir
    }

    /// The private and preshared keys, which nobody may see.
    pub fn secrets(&self) -> Vec<String> {
        let read = |name| std::fs::read_to_string(self.dir.path().join(name)).unwrap().trim().to_owned();
        ["near.key", "far.key", "psk"].into_iter().map(read).collect()
    }
}
