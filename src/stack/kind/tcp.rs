//! `kind = "tcp"`: a port accepts connections; optionally, what it says first.

use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec {
    pub address: Endpoint,
    /// Sent once connected.
    pub send: Option<String>,
    /// Whether to wait for an answer; it becomes `[BANNER]`.
    pub read: bool,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl { name: "CONNECTED", ty: FactType::Bool, doc: "the connection was accepted" },
    FactDecl {
        name: "LATENCY",
        ty: FactType::Number(Unit::Seconds),
        doc: "from the start to the last byte needed",
    },
    FactDecl {
        name: "BANNER",
        ty: FactType::Text,
        doc: "the first answer, at most 4 KiB (with `read` or `send`)",
    },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let address = Endpoint::decode(t, "address", None);
        let send = t.str("send").map(|s| s.value);
        let read = t.bool_or("read", send.is_some());
        Some(Spec { address: address?, send, read })
    }

    pub fn target(&self) -> String {
        self.address.to_string()
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(self.address.clone())
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[CONNECTED] == true".into()]
    }
}
