//! `kind = "memory"`: how much memory and swap a host has left.

use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec;

pub const FACTS: &[FactDecl] = &[
    FactDecl {
        name: "USED",
        ty: FactType::Number(Unit::Percent),
        doc: "what is not available, of the total",
    },
    FactDecl {
        name: "AVAILABLE",
        ty: FactType::Number(Unit::Bytes),
        doc: "what programs can still get without swapping, as the kernel estimates it",
    },
    FactDecl { name: "TOTAL", ty: FactType::Number(Unit::Bytes), doc: "the host's memory" },
    FactDecl {
        name: "SWAP_USED",
        ty: FactType::Number(Unit::Percent),
        doc: "of the swap; 0% when there is none",
    },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "how long the look took" },
];

impl Spec {
    pub fn decode(_: &Table<'_>) -> Option<Spec> {
        Some(Spec)
    }

    pub fn target(&self) -> String {
        "memory".to_owned()
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[USED] < 95%".into()]
    }
}
