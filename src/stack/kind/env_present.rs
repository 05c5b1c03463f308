//! `kind = "env-present"`: variables are set, without ever telling to what.

use super::common::Endpoint;
use super::{checked, systemd};
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec {
    pub names: Vec<String>,
    pub place: Place,
}

/// Whose environment is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Our own.
    Own,
    /// A file of `NAME=value` lines, such as systemd's `EnvironmentFile`.
    File(String),
    /// The process that a pid file names, as it was started.
    PidFile(String),
    /// The main process of a unit, as it was started.
    Unit(String),
}

impl Place {
    /// The unit that it asks systemd about.
    pub fn unit(&self) -> Option<&str> {
        match self {
            Place::Unit(unit) => Some(unit),
            _ => None,
        }
    }
}

pub const FACTS: &[FactDecl] = &[
    FactDecl {
        name: "SET",
        ty: FactType::Number(Unit::None),
        doc: "how many of the names are set and not empty",
    },
    FactDecl { name: "MISSING", ty: FactType::Json, doc: "the names that are not set, or empty" },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "how long the look took" },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let found = t.strings("names");
        if !t.has("names") {
            t.reader.error(t.span.clone(), "this probe has no `names`; it needs a list of variables", None);
        }
        let mut sound = true;
        let mut names = Vec::new();
        for name in found.unwrap_or_default() {
            if checked::is_variable(&name.value) {
                names.push(name.value);
            } else {
                // What is no name may well be a value; it must not be shown.
                t.reader.error(name.span, "`names` expects names of variables, such as \"API_TOKEN\"", None);
                sound = false;
            }
        }
        if sound && names.is_empty() && t.has("names") {
            t.reader.error(t.span_of("names"), "`names` expects at least one name", None);
        }
        let place = place(t)?;
        (sound && !names.is_empty()).then_some(Spec { names, place })
    }

    pub fn target(&self) -> String {
        match &self.place {
            Place::Own => "our own environment".to_owned(),
            Place::File(path) | Place::PidFile(path) => path.clone(),
            Place::Unit(unit) => unit.clone(),
        }
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["len([MISSING]) == 0".into()]
    }
}

fn place(t: &Table<'_>) -> Option<Place> {
    let file = checked::opt_path(t, "file").map(Place::File);
    let pid_file = checked::opt_path(t, "pid_file").map(Place::PidFile);
    let unit = t.str("unit").and_then(|found| {
        let unit = systemd::unit_name(&found.value);
        if unit.is_none() {
            checked::refuse(t, "unit", &found, "the name of one unit, such as nginx.service", None);
        }
        unit.map(Place::Unit)
    });
    let asked = ["file", "pid_file", "unit"].into_iter().filter(|key| t.has(key)).count();
    if asked > 1 {
        t.reader.error(t.span.clone(), "this probe has more than one of `file`, `pid_file` and `unit`", None);
        return None;
    }
    if asked == 0 { Some(Place::Own) } else { file.or(pid_file).or(unit) }
}
