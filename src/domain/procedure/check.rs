//! What must be observed: probes that are up and expressions that hold, so often in a row.

use super::millis;
use crate::domain::id::ProbeId;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something that is true or not, by what the observers see. Every part must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Each must be up; `unknown` is not up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeId>,
    /// `PromQL`: each must give at least one sample, and none of value zero if it is a scalar or a
    /// comparison with `bool`. An expression that cannot be evaluated does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exprs: Vec<String>,
    /// `degraded` is good enough for the probes.
    #[serde(default)]
    pub or_degraded: bool,
}

impl Condition {
    pub fn is_empty(&self) -> bool {
        self.probes.is_empty() && self.exprs.is_empty()
    }
}

/// A condition that must be seen to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub what: Condition,
    /// Good observations in a row, each begun after the effect and after the one before.
    pub good: u32,
    /// Between two observations.
    #[serde(with = "millis")]
    pub every: Duration,
    /// By when, counted from the end of the effect.
    #[serde(with = "millis")]
    pub within: Duration,
}

/// One observation of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub holds: bool,
    /// One safe line: what holds, or the first thing that does not, with what was seen of it.
    pub says: String,
}
