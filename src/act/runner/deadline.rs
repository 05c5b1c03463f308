//! How much of its deadline a run has used: by a clock that nobody sets, and without the time in
//! which it waited for a person. A resumed run has the whole deadline again.

use crate::clock::Now;
use std::time::Duration;

/// Time used by this runner.
#[derive(Debug)]
pub(super) struct Spent {
    time: Duration,
    /// When it was last looked at, and whether the run waited for a person then.
    last: Now,
    held: bool,
}

impl Spent {
    pub(super) fn since(now: Now) -> Spent {
        Spent { time: Duration::ZERO, last: now, held: false }
    }

    /// Notes how the run stands, and says how much is used.
    pub(super) fn look(&mut self, now: Now, held: bool) -> Duration {
        if !self.held {
            self.time = self.time.saturating_add(now.since(self.last));
        }
        (self.last, self.held) = (now, held);
        self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_holds_nor_a_wall_clock_that_is_set_use_any_of_it() {
        let at = |mono: u64, wall: i64| Now {
            mono: Duration::from_secs(mono),
            wall: jiff::Timestamp::from_second(1_800_000_000 + wall).unwrap(),
        };
        let mut spent = Spent::since(at(0, 0));
        let looks = [
            (at(10, 10), false, 10),
            (at(20, 7_220), true, 20),
            (at(90_000, -9_000), true, 20),
            (at(90_010, 5), false, 20),
            (at(90_015, 500_000), false, 25),
        ];
        for (now, held, used) in looks {
            assert_eq!(spent.look(now, held), Duration::from_secs(used), "{now:?}");
        }
    }
}
