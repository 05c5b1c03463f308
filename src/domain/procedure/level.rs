//! How dangerous a plan is, and so how it is confirmed.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a step does to the world, from mild to severe. Not said means `Destroy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Read,
    Change,
    Interrupt,
    Destroy,
}

/// How much must be said before it is done; see the design's table of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Reads.
    L0,
    /// Reversible and narrow: a preview and one key.
    L1,
    /// Interrupts service: the host or the service is typed.
    L2,
    /// Destroys data or credentials, or changes the security edge: a phrase and a reason.
    L3,
    /// The same, and cannot be undone or hits everyone: and a second person.
    L4,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::L0 => "L0",
            Level::L1 => "L1",
            Level::L2 => "L2",
            Level::L3 => "L3",
            Level::L4 => "L4",
        })
    }
}
