//! When a login may be tried again: long before a server would ban us for trying.
//!
//! Pure: time is passed in, as monotonic time since the program's clock was made.

use std::collections::VecDeque;
use std::time::Duration;

/// No more than this many attempts that the server may have counted against us …
const MAX_COUNTED: usize = 2;
/// … in any span this long. Servers ban after five failures in 300 s; ten more seconds cover the
/// way there, and three attempts are left for the people who share our address.
const WINDOW: Duration = Duration::from_secs(310);
/// The longest wait that doubling leads to.
const MAX_BACKOFF: Duration = Duration::from_secs(3600);
/// The longest wait that a server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);
/// The wait after an attempt that never reached the server's count: it is down, so it is soon
/// tried again.
const TROUBLE_PAUSE: Duration = Duration::from_secs(5);

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    /// The server said no.
    Refused,
    /// The server said not now, perhaps for how long.
    Limited(Option<Duration>),
    /// It was sent and the answer is not known: the server may have counted it.
    Unsettled,
    /// It was not sent, or the server failed on its own account.
    Trouble,
}

/// The state of one login, for all hosts and probes that use it.
#[derive(Debug)]
pub struct Gate {
    backoff: Duration,
    refusals: u32,
    /// When the last attempts ended that may have been counted; at most [`MAX_COUNTED`].
    counted: VecDeque<Duration>,
    not_before: Duration,
    /// Why the last attempt failed.
    why: String,
}

/// It is too early to try again.
#[derive(Debug, PartialEq, Eq)]
pub struct TooEarly {
    pub left: Duration,
    pub why: String,
}

impl Gate {
    /// `backoff` is the least wait after a refusal; it doubles with each one.
    pub fn new(backoff: Duration) -> Self {
        Gate {
            backoff,
            refusals: 0,
            counted: VecDeque::new(),
            not_before: Duration::ZERO,
            why: String::new(),
        }
    }

    /// Whether an attempt may be made now. Only one may be under way at a time.
    ///
    /// # Errors
    /// How long to wait, and why.
    pub fn may_try(&self, now: Duration) -> Result<(), TooEarly> {
        match self.not_before.checked_sub(now) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(left) => Err(TooEarly { left, why: self.why.clone() }),
        }
    }

    /// Takes in how an attempt ended, and why if it failed.
    pub fn settle(&mut self, now: Duration, outcome: Outcome, why: &str) {
        why.clone_into(&mut self.why);
        let wait = match outcome {
            Outcome::Accepted => {
                self.refusals = 0;
                Duration::ZERO
            }
            Outcome::Refused => self.refuse(),
            Outcome::Limited(told) => self.refuse().max(told.unwrap_or_default().min(MAX_RETRY_AFTER)),
            Outcome::Unsettled => self.backoff,
            Outcome::Trouble => TROUBLE_PAUSE,
        };
        if matches!(outcome, Outcome::Refused | Outcome::Limited(_) | Outcome::Unsettled) {
            self.counted.push_back(now);
            if self.counted.len() > MAX_COUNTED {
                self.counted.pop_front();
            }
        }
        self.not_before = now.saturating_add(wait);
        if self.counted.len() == MAX_COUNTED
            && let Some(oldest) = self.counted.front()
        {
            self.not_before = self.not_before.max(oldest.saturating_add(WINDOW));
        }
    }

    fn refuse(&mut self) -> Duration {
        let doublings = self.refusals.min(16);
        self.refusals = self.refusals.saturating_add(1);
        self.backoff.saturating_mul(1 << doublings).min(MAX_BACKOFF.max(self.backoff))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Tries as often as allowed, each attempt ending as told; gives the seconds of the attempts.
    fn attempts(outcome: Outcome, until: u64) -> Vec<u64> {
        let mut gate = Gate::new(s(30));
        (0..until)
            .filter(|t| {
                let may = gate.may_try(s(*t)).is_ok();
                if may {
                    gate.settle(s(*t), outcome, "no");
                }
                may
            })
            .collect()
    }

    #[test]
    fn refusals_are_spaced_ever_further() {
        assert_eq!(attempts(Outcome::Refused, 9000), [0, 30, 310, 430, 670, 1150, 2110, 4030, 7630]);
    }

    #[test]
    fn a_server_that_says_when_is_obeyed() {
        assert_eq!(attempts(Outcome::Limited(Some(s(900))), 2000), [0, 900, 1800]);
        assert_eq!(attempts(Outcome::Limited(Some(s(u64::MAX))), 100_000), [0, 86_400]);
        assert_eq!(attempts(Outcome::Limited(None), 400), [0, 30, 310]);
    }

    #[test]
    fn a_server_that_is_down_is_soon_tried_again() {
        assert_eq!(attempts(Outcome::Trouble, 16), [0, 5, 10, 15]);
    }

    #[test]
    fn an_attempt_of_unknown_end_counts_as_one_the_server_counted() {
        assert_eq!(attempts(Outcome::Unsettled, 700), [0, 30, 310, 340, 620, 650]);
    }

    #[test]
    fn waiting_says_why_and_how_long() {
        let mut gate = Gate::new(s(30));
        gate.settle(s(100), Outcome::Refused, "401");
        assert_eq!(gate.may_try(s(110)), Err(TooEarly { left: s(20), why: "401".into() }));
        gate.settle(s(140), Outcome::Accepted, "");
        assert_eq!(gate.may_try(s(140)), Ok(()));
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            Just(Outcome::Accepted),
            Just(Outcome::Refused),
            (0u64..2000).prop_map(|n| Outcome::Limited(Some(s(n)))),
            Just(Outcome::Limited(None)),
            Just(Outcome::Unsettled),
            Just(Outcome::Trouble),
        ]
    }

    proptest! {
        /// The bound that a ban depends on: five in 300 s; we make two at most.
        #[test]
        fn no_sequence_of_answers_leads_to_a_third_failure_in_five_minutes(
            steps in prop::collection::vec((outcome(), 0u64..200), 1..200),
            backoff in 1u64..100,
        ) {
            let mut gate = Gate::new(s(backoff));
            let (mut now, mut failures) = (0, Vec::new());
            for (outcome, pause) in steps {
                now += pause;
                if gate.may_try(s(now)).is_ok() {
                    gate.settle(s(now), outcome, "");
                    if !matches!(outcome, Outcome::Accepted | Outcome::Trouble) {
                        failures.push(now);
                    }
                }
            }
            for three in failures.windows(3) {
                prop_assert!(three[2] - three[0] > 300, "{failures:?}");
            }
        }
    }
}
