//! `kind = "disk"`: how full the file system is that holds a path.

use super::checked;
use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec {
    pub path: String,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl {
        name: "USED",
        ty: FactType::Number(Unit::Percent),
        doc: "as df counts it: of what users other than root may fill",
    },
    FactDecl { name: "FREE", ty: FactType::Number(Unit::Bytes), doc: "available to users other than root" },
    FactDecl { name: "TOTAL", ty: FactType::Number(Unit::Bytes), doc: "the size of the file system" },
    FactDecl {
        name: "INODES_USED",
        ty: FactType::Number(Unit::Percent),
        doc: "of the inodes; unknown where they are made as needed",
    },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "how long df took" },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        Some(Spec { path: checked::need_path(t, "path")? })
    }

    pub fn target(&self) -> String {
        self.path.clone()
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[USED] < 95%".into(), "[INODES_USED] < 95%".into()]
    }
}
