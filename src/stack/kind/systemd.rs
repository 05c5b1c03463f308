//! `kind = "systemd"`: what systemd says of one unit.

use super::checked;
use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

/// The suffixes that make a name a unit's full name.
const SUFFIXES: [&str; 11] = [
    ".service",
    ".socket",
    ".target",
    ".timer",
    ".mount",
    ".automount",
    ".path",
    ".slice",
    ".scope",
    ".swap",
    ".device",
];

#[derive(Clone, Debug)]
pub struct Spec {
    /// With its suffix: `nginx.service`.
    pub unit: String,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl { name: "LOAD", ty: FactType::Text, doc: "loaded, not-found, masked, bad-setting or error" },
    FactDecl {
        name: "ACTIVE",
        ty: FactType::Text,
        doc: "active, inactive, failed, activating, deactivating or reloading",
    },
    FactDecl {
        name: "SUB",
        ty: FactType::Text,
        doc: "the state by its type: running, exited, dead, auto-restart, listening …",
    },
    FactDecl {
        name: "RESULT",
        ty: FactType::Text,
        doc: "how it last ended: success, exit-code, signal, timeout, start-limit-hit …",
    },
    FactDecl {
        name: "RESTARTS",
        ty: FactType::Number(Unit::None),
        doc: "automatic restarts since it was last started by hand",
    },
    FactDecl {
        name: "SINCE",
        ty: FactType::Number(Unit::Seconds),
        doc: "how long it has been in this state",
    },
    FactDecl { name: "PID", ty: FactType::Number(Unit::None), doc: "its main process; 0 when it has none" },
    FactDecl {
        name: "LATENCY",
        ty: FactType::Number(Unit::Seconds),
        doc: "how long systemctl took; near 0 when a shared answer was used",
    },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let found = t.need_str("unit")?;
        let unit = unit_name(&found.value);
        if unit.is_none() {
            checked::refuse(t, "unit", &found, "the name of one unit, such as nginx.service", None);
        }
        Some(Spec { unit: unit? })
    }

    pub fn target(&self) -> String {
        self.unit.clone()
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[LOAD] == loaded".into(), "[ACTIVE] == active".into()]
    }
}

/// The full name of a unit; `None` for what is none. Patterns are refused: a probe is of one
/// unit, and a template needs its instance.
pub fn unit_name(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let good = !text.is_empty() && text.len() <= 240 && text.chars().all(plain);
    if !good || text.starts_with(['-', '.']) {
        return None;
    }
    let full =
        if SUFFIXES.iter().any(|s| text.ends_with(s)) { text.to_owned() } else { format!("{text}.service") };
    let template = full.rsplit_once('.').is_some_and(|(stem, _)| stem.ends_with('@'));
    (!template).then_some(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_named_with_or_without_its_suffix() {
        let table = [
            ("nginx", Some("nginx.service")),
            ("nginx.service", Some("nginx.service")),
            ("wg-quick@wg0", Some("wg-quick@wg0.service")),
            ("a.b", Some("a.b.service")),
            ("dev-disk-by\\x2dlabel.device", Some("dev-disk-by\\x2dlabel.device")),
            ("wg@.service", None),
            ("wg*", None),
            ("--all", None),
            ("a b", None),
            ("/srv", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(unit_name(text).as_deref(), want, "{text}");
        }
    }
}
