//! What a procedure is told: typed values, each of which fills one place and never two.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What values a parameter takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Kind {
    Ip,
    Cidr,
    /// A systemd unit's name.
    Unit,
    /// A name of letters, digits, `-`, `_`, `.`, `@`.
    Service,
    /// A user's name.
    User,
    /// An absolute path without `..`.
    Path,
    Int {
        min: i64,
        max: i64,
    },
    /// A duration such as 15m.
    Duration,
    Choice {
        values: Vec<String>,
    },
    /// The whole value must match; no control characters and at most [`MAX_VALUE`] bytes anyway.
    Regex {
        pattern: String,
    },
}

/// The longest value, in bytes.
pub const MAX_VALUE: usize = 1024;

/// One parameter of a procedure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    pub id: String,
    pub about: String,
    pub kind: Kind,
    /// Without one, a value must be given.
    pub default: Option<String>,
    /// What the selected probe or layer stands for, by its id.
    pub fill: BTreeMap<String, String>,
}
