//! `kind = "tor"`: what a tor process says of itself over its control port.

use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::id::SecretId;
use crate::domain::text;
use crate::domain::units::Unit;
use crate::stack::decode::Table;

#[derive(Clone, Debug)]
pub struct Spec {
    pub address: Endpoint,
    pub login: Login,
    /// Asked besides what every look asks; each becomes a member of `[INFO]`.
    pub getinfo: Vec<String>,
}

/// How tor is convinced that we may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// It takes anybody who reaches it.
    Open,
    /// The file that tor writes for those who may.
    Cookie(String),
    Password(SecretId),
}

pub const FACTS: &[FactDecl] = &[
    FactDecl { name: "AUTHENTICATED", ty: FactType::Bool, doc: "it let us in" },
    FactDecl { name: "INFO", ty: FactType::Json, doc: "what GETINFO gave, by key" },
    FactDecl {
        name: "BOOTSTRAP",
        ty: FactType::Number(Unit::Percent),
        doc: "how far it has come towards the network",
    },
    FactDecl { name: "CIRCUIT", ty: FactType::Bool, doc: "it has built a circuit" },
    FactDecl { name: "VERSION", ty: FactType::Text, doc: "its version" },
    FactDecl {
        name: "LATENCY",
        ty: FactType::Number(Unit::Seconds),
        doc: "connecting, logging in and asking together",
    },
];

/// Keys that a probe may ask for, at most.
const MAX_KEYS: usize = 32;

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let address = Endpoint::decode_or_local(t, "address", 9051);
        let cookie = t.str("cookie");
        let password = t.secret("password");
        if t.has("cookie") && t.has("password") {
            t.reader.error(t.span_of("password"), "`cookie` and `password` exclude each other", None);
        }
        if let Some(cookie) = cookie.as_ref().filter(|c| !c.value.starts_with('/')) {
            let shown = text::one_line(&cookie.value, 60);
            let problem = format!("`cookie` expects an absolute path, got \"{shown}\"");
            t.reader.error(cookie.span.clone(), problem, None);
        }
        let mut getinfo = Vec::new();
        for key in t.strings("getinfo").unwrap_or_default() {
            // The keys become part of a line; anything else could become another command.
            let good = (1..=200).contains(&key.value.len())
                && key.value.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.:$~*".contains(c));
            if !good {
                let shown = text::one_line(&key.value, 60);
                t.reader.error(key.span, format!("\"{shown}\" is no key that GETINFO takes"), None);
            }
            getinfo.push(key.value);
        }
        if getinfo.len() > MAX_KEYS {
            t.reader.error(t.span_of("getinfo"), format!("at most {MAX_KEYS} keys can be asked for"), None);
        }
        let login = match (cookie, password) {
            (Some(cookie), _) => Login::Cookie(cookie.value),
            (None, Some(password)) => Login::Password(password),
            (None, None) => Login::Open,
        };
        Some(Spec { address: address?, login, getinfo })
    }

    pub fn target(&self) -> String {
        format!("tor {}", self.address)
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(self.address.clone())
    }

    pub fn default_conditions(&self) -> Vec<String> {
        vec!["[AUTHENTICATED] == true".into()]
    }
}
