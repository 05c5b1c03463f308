//! `kind = "listen"`: a port is bound on the host, whoever may reach it.

use super::checked;
use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

#[derive(Clone, Debug)]
pub struct Spec {
    pub port: u16,
    pub protocol: Protocol,
    /// Only a socket that takes what is sent to this address; any when absent.
    pub address: Option<IpAddr>,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl {
        name: "BOUND",
        ty: FactType::Bool,
        doc: "a socket is bound to the port; with `address`, to that one or to all of its family",
    },
    FactDecl {
        name: "ADDRESSES",
        ty: FactType::Json,
        doc: "every address the port is bound to: [\"127.0.0.1:80\", \"[::]:80\"]",
    },
    FactDecl { name: "LATENCY", ty: FactType::Number(Unit::Seconds), doc: "how long the look took" },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let port = t.int("port", 1..=65535).and_then(|p| u16::try_from(p).ok());
        if !t.has("port") {
            t.reader.error(
                t.span.clone(),
                "this probe has no `port`; it needs a number from 1 to 65535",
                None,
            );
        }
        let udp = t.choice("protocol", &["tcp", "udp"]) == Some("udp");
        let address = t.str("address").map(|found| {
            let parsed = found.value.trim_matches(['[', ']']).parse();
            if parsed.is_err() {
                checked::refuse(t, "address", &found, "an IP address", None);
            }
            parsed.ok()
        });
        let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
        match address {
            Some(None) => None,
            other => Some(Spec { port: port?, protocol, address: other.flatten() }),
        }
    }

    pub fn target(&self) -> String {
        let name = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        match self.address {
            Some(IpAddr::V6(ip)) => format!("{name} [{ip}]:{}", self.port),
            Some(IpAddr::V4(ip)) => format!("{name} {ip}:{}", self.port),
            None => format!("{name} {}", self.port),
        }
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[BOUND] == true".into()]
    }
}
