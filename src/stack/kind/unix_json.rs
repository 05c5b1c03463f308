//! `kind = "unix-json"`: one JSON request over a Unix socket, one JSON object back.

use super::common::Endpoint;
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::text;
use crate::domain::units::Unit;
use crate::stack::decode::Table;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct Spec {
    pub path: PathBuf,
    /// Sent as it is written.
    pub request: String,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl {
        name: "BODY",
        ty: FactType::Json,
        doc: "the first complete object of the reply, at most 1 MiB",
    },
    FactDecl {
        name: "LATENCY",
        ty: FactType::Number(Unit::Seconds),
        doc: "from the start to the end of that object",
    },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let path = t.need_str("path").and_then(|found| {
            let path = found.value.strip_prefix("unix:").unwrap_or(&found.value);
            if !path.starts_with('/') {
                let shown = text::one_line(&found.value, 60);
                t.reader.error(
                    found.span,
                    format!("`path` expects the absolute path of a socket, got \"{shown}\""),
                    None,
                );
                return None;
            }
            Some(PathBuf::from(path))
        });
        let request = t.need_str("request").and_then(|found| {
            if let Err(e) = serde_json::from_str::<serde::de::IgnoredAny>(&found.value) {
                let help = "such as '{\"command\":\"status\"}'".to_owned();
                t.reader.error(found.span, format!("`request` expects JSON, got: {e}"), Some(help));
                return None;
            }
            Some(found.value)
        });
        Some(Spec { path: path?, request: request? })
    }

    pub fn target(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(Endpoint::Unix(self.path.clone()))
    }

    /// None: that an object came back is checked already, and what stands in it is the service's own.
    pub fn default_conditions(&self) -> Vec<String> {
        Vec::new()
    }
}
