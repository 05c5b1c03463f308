//! `kind = "exec"`: a command, its exit status and its output. It must only read.

use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec {
    pub argv: Vec<String>,
    /// Read the output as JSON into `[BODY]`.
    pub json: bool,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl {
        name: "EXIT",
        ty: FactType::Number(Unit::None),
        doc: "exit status; 128 + n when signal n ended it",
    },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "how long it ran" },
    FactDecl { name: "OUTPUT", ty: FactType::Text, doc: "standard output, trimmed, at most 256 KiB" },
    FactDecl { name: "STDERR", ty: FactType::Text, doc: "standard error, trimmed, at most 16 KiB" },
    FactDecl { name: "BODY", ty: FactType::Json, doc: "standard output as JSON (with `json = true`)" },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let argv = t.argv("argv");
        if argv.is_none() && !t.has("argv") {
            t.reader.error(
                t.span.clone(),
                "this probe has no `argv`; it needs the command as a list of texts",
                None,
            );
        }
        let json = t.bool_or("json", false);
        Some(Spec { argv: argv?, json })
    }

    pub fn target(&self) -> String {
        self.argv.join(" ")
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[EXIT] == 0".into()]
    }
}
