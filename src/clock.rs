//! The only place that reads a clock: everything else is given one.

use std::time::{Duration, Instant};

/// One reading: a monotonic time since the clock was made, and the civil time.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub mono: Duration,
    pub wall: jiff::Timestamp,
}

/// Where time comes from.
pub trait Clock: Send + Sync {
    fn now(&self) -> Now;
}

/// The machine's own clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this file is where the clock is read")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this file is where the clock is read")]
    fn now(&self) -> Now {
        Now { mono: self.start.elapsed(), wall: jiff::Timestamp::now() }
    }
}
