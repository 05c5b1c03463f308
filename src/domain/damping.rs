//! Damping: how many results in a row it takes before what is shown changes.

use super::health::Health;

/// Consecutive results needed to leave `up` and to come back to it. Both are at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    pub failure: u32,
    pub success: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { failure: 1, success: 1 }
    }
}

/// The state of the damping of one probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damper {
    shown: Option<Health>,
    /// Results in a row that disagree with what is shown, as to whether it is up.
    streak: u32,
}

impl Damper {
    /// What is shown, or `None` before the first result.
    pub fn shown(&self) -> Option<Health> {
        self.shown
    }

    /// How many results in a row disagree with what is shown.
    pub fn streak(&self) -> u32 {
        self.streak
    }

    /// Takes a result in, and tells whether what is shown changed. The first result stands at
    /// once; so does a change among the states that are not up, since only the fact of failing
    /// is damped, not its kind.
    pub fn observe(&mut self, result: Health, thresholds: Thresholds) -> bool {
        let Some(shown) = self.shown else {
            self.shown = Some(result);
            return true;
        };
        let crosses = (shown == Health::Up) != (result == Health::Up);
        if !crosses {
            self.streak = 0;
            self.shown = Some(result);
            return shown != result;
        }
        self.streak += 1;
        let needed = if shown == Health::Up { thresholds.failure } else { thresholds.success };
        if self.streak < needed.max(1) {
            return false;
        }
        self.streak = 0;
        self.shown = Some(result);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(results: &[Health], thresholds: Thresholds) -> Vec<Health> {
        let mut damper = Damper::default();
        results
            .iter()
            .filter_map(|r| {
                damper.observe(*r, thresholds);
                damper.shown()
            })
            .collect()
    }

    #[test]
    fn one_bad_result_in_three_changes_nothing_when_two_are_needed() {
        use Health::{Degraded, Down, Up};
        let two = Thresholds { failure: 2, success: 2 };
        assert_eq!(
            run(&[Up, Down, Up, Down, Down, Degraded, Up, Up], two),
            [Up, Up, Up, Up, Down, Degraded, Degraded, Up]
        );
    }

    fn health() -> impl Strategy<Value = Health> {
        prop::sample::select(Health::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn without_damping_the_last_result_is_shown(results in prop::collection::vec(health(), 1..40)) {
            prop_assert_eq!(run(&results, Thresholds::default()), results);
        }

        #[test]
        fn what_is_shown_crosses_only_after_enough_in_a_row(
            results in prop::collection::vec(health(), 1..60), failure in 1u32..5, success in 1u32..5,
        ) {
            let shown = run(&results, Thresholds { failure, success });
            for i in 1..results.len() {
                let was_up = shown[i - 1] == Health::Up;
                if was_up != (shown[i] == Health::Up) {
                    let needed = if was_up { failure } else { success } as usize;
                    prop_assert!(i + 1 >= needed);
                    prop_assert!(results[i + 1 - needed..=i].iter().all(|r| (*r == Health::Up) != was_up));
                }
            }
        }

        #[test]
        fn a_lasting_state_is_always_shown_in_the_end(
            noise in prop::collection::vec(health(), 0..30), last in health(), failure in 1u32..5, success in 1u32..5,
        ) {
            let mut results = noise;
            results.extend(std::iter::repeat_n(last, 5));
            let shown = run(&results, Thresholds { failure, success });
            prop_assert_eq!(shown.last(), Some(&last));
        }
    }
}
