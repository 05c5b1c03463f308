//! `kind = "process"`: how many processes of a name or command line run, how large, how old.

use super::checked;
use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;
use regex::Regex;

#[derive(Clone, Debug)]
pub struct Spec {
    /// The short name, or the file name of the program.
    pub name: Option<String>,
    /// Must match somewhere in the command line.
    pub command: Option<Regex>,
    /// Only this user's.
    pub user: Option<String>,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl {
        name: "COUNT",
        ty: FactType::Number(Unit::None),
        doc: "how many run; zombies and quarterdeck itself are not counted",
    },
    FactDecl {
        name: "RSS",
        ty: FactType::Number(Unit::Bytes),
        doc: "resident memory of all of them; shared pages count in each",
    },
    FactDecl { name: "OLDEST", ty: FactType::Number(Unit::Seconds), doc: "how long the oldest has run" },
    FactDecl { name: "PIDS", ty: FactType::Json, doc: "their process ids, at most 1000" },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "how long the look took" },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let name = checked::opt_word(t, "name", "the name of a program, without its directory", 255);
        let command = checked::opt_pattern(t, "command");
        let user = checked::opt_word(t, "user", "the name of a user", 64);
        if !t.has("name") && !t.has("command") {
            let help = "write name = \"redis-server\" or command = \"a pattern of the command line\"";
            t.reader.error(t.span.clone(), "this probe has neither `name` nor `command`", Some(help.into()));
        }
        (name.is_some() || command.is_some()).then_some(Spec { name, command, user })
    }

    pub fn target(&self) -> String {
        let what =
            self.name.clone().or_else(|| self.command.as_ref().map(|c| format!("/{c}/"))).unwrap_or_default();
        self.user.as_ref().map_or_else(|| what.clone(), |user| format!("{what} of {user}"))
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[COUNT] > 0".into()]
    }
}
