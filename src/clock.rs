//! The only file that reads the system's clocks; everything else is handed a [`Clock`].

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

/// One reading of both clocks, taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time since the clock was made. Ages are differences of this, so that a
    /// wall clock set back at 3 am does not make a stale value look fresh.
    pub mono: Duration,
    /// Wall time, for what a person reads.
    pub wall: jiff::Timestamp,
}

impl Now {
    /// How long ago `then` was; zero for a moment that has not come yet.
    pub fn since(&self, then: Now) -> Duration {
        self.mono.saturating_sub(then.mono)
    }

    /// The same instant moved forward, on both clocks.
    #[must_use]
    pub fn plus(&self, by: Duration) -> Now {
        let step = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
        Now {
            mono: self.mono.saturating_add(by),
            wall: self.wall.checked_add(step).unwrap_or(jiff::Timestamp::MAX),
        }
    }
}

/// Where time comes from.
pub trait Clock: Send + Sync {
    fn now(&self) -> Now;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn new() -> Self {
        SystemClock { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Now {
        let wall = jiff::Timestamp::try_from(SystemTime::now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Now { mono: self.start.elapsed(), wall }
    }
}

/// A clock that stands still until it is moved: for tests and for drawing documents.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Now>,
}

impl ManualClock {
    /// Starts at monotonic zero and the given wall time.
    pub fn at(wall: jiff::Timestamp) -> Self {
        ManualClock { now: Mutex::new(Now { mono: Duration::ZERO, wall }) }
    }

    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.plus(by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
