//! `kind = "pid-file"`: the process that a file names is alive and is the one meant.

use super::checked;
use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;
use regex::Regex;

#[derive(Clone, Debug)]
pub struct Spec {
    pub path: String,
    /// Must match somewhere in the command line.
    pub command: Option<Regex>,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl { name: "EXISTS", ty: FactType::Bool, doc: "the file exists" },
    FactDecl { name: "PID", ty: FactType::Number(Unit::None), doc: "the process id on its first line" },
    FactDecl { name: "ALIVE", ty: FactType::Bool, doc: "a process of that id runs and is no zombie" },
    FactDecl { name: "COMMAND", ty: FactType::Text, doc: "its command line, at most 4 KiB" },
    FactDecl { name: "MATCHES", ty: FactType::Bool, doc: "`command` matches its command line" },
    FactDecl {
        name: "CURRENT",
        ty: FactType::Bool,
        doc: "it was started before the file was last written, so the id was not given to another since; wrong after the wall clock was set forward",
    },
    FactDecl { name: "AGE", ty: FactType::Number(Unit::Seconds), doc: "since the file was last written" },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "how long the look took" },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let path = checked::need_path(t, "path");
        let command = checked::opt_pattern(t, "command");
        Some(Spec { path: path?, command })
    }

    pub fn target(&self) -> String {
        self.path.clone()
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    pub fn default_conditions(&self) -> Vec<String> {
        let mut all = vec!["[EXISTS] == true", "[ALIVE] == true", "[CURRENT] == true"];
        if self.command.is_some() {
            all.push("[MATCHES] == true");
        }
        all.into_iter().map(str::to_owned).collect()
    }
}
