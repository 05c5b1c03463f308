//! A demo stack in a process of its own, stopped when dropped.

use super::PROGRAM;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The program with an empty home, so that no config of this machine is found.
pub fn program(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", "/nonexistent").env("LANG", "C.UTF-8").stdin(Stdio::null());
    command
}

pub struct Demo {
    child: Child,
    pub config: PathBuf,
}

impl Demo {
    pub fn start(args: &[&str]) -> Demo {
        let mut child =
            program(&["demo", "--serve"]).args(args).stdout(Stdio::piped()).spawn().expect("the demo starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("it has an output");
        BufReader::new(out).read_line(&mut line).expect("it prints its addresses");
        let addresses: serde_json::Value = serde_json::from_str(&line).expect("one JSON object");
        let config = PathBuf::from(addresses["config"].as_str().expect("where its config is"));
        Demo { child, config }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
