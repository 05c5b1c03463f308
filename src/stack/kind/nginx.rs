//! `kind = "nginx"`: the counters of a server's `stub_status` page.

use super::common::Endpoint;
use super::http::decode_target;
use super::http::target::Target;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec {
    pub target: Box<Target>,
}

const fn count(name: &'static str, doc: &'static str) -> FactDecl {
    FactDecl { name, ty: FactType::Number(Unit::None), doc }
}

pub const FACTS: &[FactDecl] = &[
    count("ACTIVE", "connections that are open now, waiting ones included"),
    count("ACCEPTS", "connections accepted since the start"),
    count("HANDLED", "connections handled since the start"),
    count("DROPPED", "connections accepted and not handled: a limit was reached"),
    count("REQUESTS", "requests since the start"),
    count("READING", "connections whose request is being read"),
    count("WRITING", "connections that are being answered"),
    count("WAITING", "idle connections that are kept alive"),
    FactDecl {
        name: "LATENCY",
        ty: FactType::Number(Unit::Seconds),
        doc: "from connecting to the last byte",
    },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        decode_target(t).map(|target| Spec { target: Box::new(target) })
    }

    pub fn target(&self) -> String {
        self.target.url.clone()
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(self.target.endpoint.clone())
    }

    /// None: a page that reads as `stub_status` is a server that works.
    pub fn default_conditions(&self) -> Vec<String> {
        Vec::new()
    }
}
