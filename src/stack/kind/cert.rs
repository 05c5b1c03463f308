//! `kind = "cert"`: how long a certificate still lasts, for whom it is, and who vouches for it;
//! from a file on the host, or from the TLS handshake of a server.

use super::checked::opt_path;
use super::common::{Endpoint, Tls};
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec {
    pub from: Place,
    /// The CA to verify the chain with, and the name it must be for.
    pub tls: Tls,
}

/// Where the certificate is.
#[derive(Clone, Debug)]
pub enum Place {
    /// PEM or DER; the first certificate counts, those after it are its chain.
    File(String),
    Server(Endpoint),
}

const fn fact(name: &'static str, ty: FactType, doc: &'static str) -> FactDecl {
    FactDecl { name, ty, doc }
}

pub const FACTS: &[FactDecl] = &[
    fact("LEFT", FactType::Number(Unit::Seconds), "until it expires; negative once it has"),
    fact("NOT_AFTER", FactType::Text, "when it expires, in UTC"),
    fact("SUBJECT", FactType::Text, "whom it is for, as one name"),
    fact("NAMES", FactType::Json, "the host names and addresses it is for, as a list"),
    fact("ISSUER", FactType::Text, "who issued it, as one name"),
    fact("SELF_SIGNED", FactType::Bool, "it names itself as its issuer"),
    fact("CHAIN", FactType::Bool, "it is valid now for the name, and a trusted CA vouches for it"),
    fact("LATENCY", FactType::Number(Unit::Seconds), "how long the look took, a handshake included"),
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let file = opt_path(t, "file");
        let server = if t.has("address") { Endpoint::decode(t, "address", Some(443)) } else { None };
        let tls = Tls {
            ca: t.str("ca").map(|s| s.value),
            server_name: t.str("server_name").map(|s| s.value),
            insecure: false,
        };
        if t.has("file") == t.has("address") {
            let message = "a certificate is looked for in exactly one of `file` and `address`";
            t.reader.error(t.span.clone(), message, None);
            return None;
        }
        if matches!(server, Some(Endpoint::Unix(_))) && tls.server_name.is_none() {
            let message = "a Unix socket has no name to check, so `server_name` is needed";
            t.reader.error(t.span_of("address"), message, None);
        }
        let from = match (file, server) {
            (Some(path), _) => Place::File(path),
            (_, Some(endpoint)) => Place::Server(endpoint),
            _ => return None,
        };
        Some(Spec { from, tls })
    }

    pub fn target(&self) -> String {
        match &self.from {
            Place::File(path) => path.clone(),
            Place::Server(endpoint) => endpoint.to_string(),
        }
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        match &self.from {
            Place::File(_) => None,
            Place::Server(endpoint) => Some(endpoint.clone()),
        }
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[LEFT] > 0s".into()]
    }
}
