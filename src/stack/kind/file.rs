//! `kind = "file"`: a path exists, who may read it, how old and large it is.

use super::checked;
use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec {
    pub path: String,
    /// The user whose access `[READABLE]` tells; ourselves when absent.
    pub readable_by: Option<String>,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl {
        name: "EXISTS",
        ty: FactType::Bool,
        doc: "there is something at the path (symbolic links followed)",
    },
    FactDecl {
        name: "READABLE",
        ty: FactType::Bool,
        doc: "the user `readable_by` may read it, by mode bits, owner and groups, and search every directory above; access lists, capabilities and security modules are not considered",
    },
    FactDecl { name: "AGE", ty: FactType::Number(Unit::Seconds), doc: "since it was last written" },
    FactDecl { name: "SIZE", ty: FactType::Number(Unit::Bytes), doc: "its size" },
    FactDecl { name: "MODE", ty: FactType::Text, doc: "its permission bits in octal: 0600" },
    FactDecl { name: "OWNER", ty: FactType::Text, doc: "the owner's name, or number when it has none" },
    FactDecl { name: "GROUP", ty: FactType::Text, doc: "the group's name, or number when it has none" },
    FactDecl {
        name: "TYPE",
        ty: FactType::Text,
        doc: "file, directory, socket, fifo, block device or character device",
    },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "how long the look took" },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let path = checked::need_path(t, "path");
        let readable_by = checked::opt_word(t, "readable_by", "the name of a user", 64);
        Some(Spec { path: path?, readable_by })
    }

    pub fn target(&self) -> String {
        self.path.clone()
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    pub fn default_conditions(&self) -> Vec<String> {
        let mut all = vec!["[EXISTS] == true".to_owned()];
        if self.readable_by.is_some() {
            all.push("[READABLE] == true".to_owned());
        }
        all
    }
}
