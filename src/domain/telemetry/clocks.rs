//! Notices when the wall clock jumps against the steady one, and says so for a while.

use crate::clock::Now;
use crate::domain::series::Millis;
use crate::domain::units::short_age;
use std::time::Duration;

/// The wall clock may fall so far behind the steady one between two looks before it counts as set
/// back.
const SET_BACK: Millis = 2_000;
/// And go so far ahead of it: a machine that is busy or was paused is no clock that was set.
const SET_AHEAD: Millis = 30_000;
/// How long a jump is told of.
pub const TOLD_FOR: Duration = Duration::from_secs(15 * 60);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    last: Option<Now>,
    /// When the clock last jumped: what was begun before shows times of the old clock.
    jumped: Option<Now>,
    trouble: Option<(Now, String)>,
}

impl Clocks {
    /// Looks at both clocks. Gives by how much the wall clock jumped since the last look: less than
    /// nothing when it was set back. Moments from before the last look tell nothing.
    pub fn look(&mut self, now: Now) -> Option<Millis> {
        let before = self.last.filter(|last| last.mono <= now.mono);
        if self.last.is_some() && before.is_none() {
            return None;
        }
        self.last = Some(now);
        let last = before?;
        let went = Millis::try_from(now.since(last).as_millis()).unwrap_or(Millis::MAX);
        let shown = now.wall.as_millisecond().saturating_sub(last.wall.as_millisecond());
        let jump = shown.saturating_sub(went);
        if (-SET_BACK..=SET_AHEAD).contains(&jump) {
            return None;
        }
        self.jumped = Some(now);
        let by = short_age(Duration::from_millis(jump.unsigned_abs()));
        let text = if jump < 0 {
            format!("the clock was set back by {by}: samples from after that are gone")
        } else {
            format!("the clock went ahead by {by}, or this machine slept: nobody looked in between")
        };
        self.trouble = Some((now, text));
        Some(jump)
    }

    /// Whether a moment was read off the clock before it jumped.
    pub fn is_of_old_clock(&self, moment: Now) -> bool {
        self.jumped.is_some_and(|jumped| moment.mono < jumped.mono)
    }

    /// What should be known, while it still should.
    pub fn trouble(&self, now: Now) -> Option<String> {
        self.trouble.as_ref().filter(|(at, _)| now.since(*at) < TOLD_FOR).map(|(_, text)| text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono: u64, wall: i64) -> Now {
        Now { mono: Duration::from_secs(mono), wall: jiff::Timestamp::from_second(wall).unwrap() }
    }

    #[test]
    fn only_a_clock_that_jumps_is_told_of() {
        let mut clocks = Clocks::default();
        for (now, jump) in [
            (at(0, 1000), None),
            (at(15, 1015), None),
            (at(30, 1029), None),
            // A second late is not the same as set back, time after time.
            (at(45, 1043), None),
            (at(60, 458), Some(-600_000)),
            (at(75, 473), None),
            // A look that was begun before is told late.
            (at(50, 1048), None),
            (at(90, 7688), Some(7_200_000)),
        ] {
            assert_eq!(clocks.look(now), jump, "{now:?}");
        }
        assert!(clocks.is_of_old_clock(at(89, 1)) && !clocks.is_of_old_clock(at(90, 1)));
        let told = |mono| clocks.trouble(at(mono, 0)).unwrap_or_default();
        assert!(told(91).contains("ahead by 2h"), "{}", told(91));
        assert_eq!(told(90 + 15 * 60), "", "it is not told of for ever");
    }
}
