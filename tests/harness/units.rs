//! Units in states that are known: one that runs, one that has failed, one that dies again and
//! again; and a `systemctl` that enters the namespaces they are in.

use crate::host::{tool, wait_for};
use crate::systemd::Systemd;
use std::path::PathBuf;

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
