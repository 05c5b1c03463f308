//! What a severity means: how pressing, and by when somebody must have said that they are at it.

use super::remote_views::Ranked;
use super::rules::Rules;
use super::views::UNKNOWN_RANK;

impl Rules {
    /// What the stack makes of a severity's name.
    pub fn ranked(&self, severity: &str) -> Ranked {
        let found = self.severity(severity);
        Ranked {
            rank: found.map_or(UNKNOWN_RANK, |(rank, _)| rank),
            acknowledge: found.and_then(|(_, s)| s.acknowledge),
        }
    }
}
