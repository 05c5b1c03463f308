//! What a severity means: how pressing, and by when somebody must have said that they are at it.

use super::rules::Rules;
use super::views::UNKNOWN_RANK;
use jiff::Timestamp;

impl Rules {
    /// How severe a severity is: 0 is the most, unknown ones come last.
    pub fn rank(&self, severity: &str) -> u8 {
        self.severity(severity).map_or(UNKNOWN_RANK, |(rank, _)| rank)
    }

    /// When an alert that fires since `fired` must have been acknowledged.
    pub fn acknowledge_by(&self, severity: &str, fired: Timestamp) -> Option<Timestamp> {
        fired.checked_add(self.severity(severity)?.1.acknowledge?).ok()
    }
}
