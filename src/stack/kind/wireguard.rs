//! `kind = "wireguard"`: an interface, its peers, and when they last shook hands.

use super::checked;
use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec {
    pub interface: String,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl { name: "PRESENT", ty: FactType::Bool, doc: "the interface exists and is WireGuard's" },
    FactDecl { name: "PEERS", ty: FactType::Number(Unit::None), doc: "peers that are configured" },
    FactDecl {
        name: "ACTIVE_PEERS",
        ty: FactType::Number(Unit::None),
        doc: "peers whose last handshake is less than 3 minutes old",
    },
    FactDecl {
        name: "HANDSHAKE_AGE",
        ty: FactType::Number(Unit::Seconds),
        doc: "since the latest handshake of any peer",
    },
    FactDecl { name: "PORT", ty: FactType::Number(Unit::None), doc: "the UDP port it listens on" },
    FactDecl { name: "RX", ty: FactType::Number(Unit::Bytes), doc: "received from its present peers" },
    FactDecl { name: "TX", ty: FactType::Number(Unit::Bytes), doc: "sent to its present peers" },
    FactDecl {
        name: "LATENCY",
        ty: FactType::Number(Unit::Seconds),
        doc: "how long wg took; near 0 when a shared answer was used",
    },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        // 15 is the kernel's own bound.
        let interface =
            checked::need_word(t, "interface", "the name of a network interface, such as wg0", 15);
        Some(Spec { interface: interface? })
    }

    pub fn target(&self) -> String {
        self.interface.clone()
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[PRESENT] == true".into()]
    }
}
