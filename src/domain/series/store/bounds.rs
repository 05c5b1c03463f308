//! What bounds a store, how full it is, and what the bounds cost.

use std::time::Duration;

/// The bounds of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_series: usize,
    /// All that the store holds: samples, labels, index.
    pub max_bytes: usize,
    pub max_samples: u64,
    /// Samples go when they are older than this and all others of their chunk are: at most a
    /// quarter of this, or 120 samples, later.
    pub retention: Duration,
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    Ok,
    /// The very sample that is the newest already.
    Duplicate,
    /// Another value for the newest sample's time: the first holds.
    Conflict,
    /// Older than the newest sample.
    OutOfOrder,
    /// A bound is reached and nothing old is left to drop.
    Full,
    /// The series has expired: [`super::Store::intern`] its labels again.
    Gone,
}

/// What was refused or dropped since the store was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Times that a new series was refused.
    pub series_refused: u64,
    /// Samples for which there was no room.
    pub samples_refused: u64,
    pub out_of_order: u64,
    pub conflicts: u64,
    /// Old samples that made room before their time.
    pub evicted: u64,
    /// Samples taken back because the clock was; see [`super::Store::cut_after`].
    pub taken_back: u64,
}

impl Dropped {
    /// What the bounds took: refused series, refused samples, evicted samples.
    pub fn by_bounds(&self) -> u64 {
        self.series_refused + self.samples_refused + self.evicted
    }
}

/// How full a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub series: usize,
    pub samples: u64,
    /// Everything included, as nearly as the allocator lets one know.
    pub bytes: usize,
    pub dropped: Dropped,
}
