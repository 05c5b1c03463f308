//! `kind = "load"`: how much work waits for a host's processors.

use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec;

pub const FACTS: &[FactDecl] = &[
    FactDecl {
        name: "LOAD1",
        ty: FactType::Number(Unit::None),
        doc: "tasks that run or wait, over 1 minute",
    },
    FactDecl { name: "LOAD5", ty: FactType::Number(Unit::None), doc: "the same over 5 minutes" },
    FactDecl { name: "LOAD15", ty: FactType::Number(Unit::None), doc: "the same over 15 minutes" },
    FactDecl { name: "CPUS", ty: FactType::Number(Unit::None), doc: "processors that are on line" },
    FactDecl {
        name: "PER_CPU",
        ty: FactType::Number(Unit::None),
        doc: "LOAD5 divided by CPUS: above 1, work waits",
    },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "how long the look took" },
];

impl Spec {
    pub fn decode(_: &Table<'_>) -> Option<Spec> {
        Some(Spec)
    }

    pub fn target(&self) -> String {
        "load".to_owned()
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[PER_CPU] < 4".into()]
    }
}
