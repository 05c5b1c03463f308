//! From counts to a verdict.

use super::{PAIRS, Pair, Promise};
use crate::domain::board::BurnView;
use crate::domain::units::long_age;
use std::time::Duration;

/// Events of one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    pub total: f64,
    pub bad: f64,
}

impl Figures {
    /// From the count of all events and that of the good ones. A counter of good events may run
    /// ahead of that of all for a scrape; there is never less than nothing bad.
    pub fn of_good(total: f64, good: f64) -> Self {
        Figures { total, bad: (total - good).max(0.0) }
    }

    /// The share of bad events; `None` without events.
    fn ratio(self) -> Option<f64> {
        (self.total > 0.0).then(|| (self.bad / self.total).clamp(0.0, 1.0))
    }
}

/// What is known of an objective.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The share of good events over what was seen of the window.
    pub good: Option<f64>,
    pub events: f64,
    /// 1 is all of the budget; negative is overspent.
    pub budget_left: Option<f64>,
    pub burns: Vec<BurnView>,
}

/// Judges an objective by its counts. `figures` gives those of a window, `seen` is how far back
/// there are samples.
///
/// The budget is that of the whole window: what was not seen is taken to have had the traffic of
/// what was, and no errors. So what is shown is the most that can be left, and a burn fires as
/// soon as it would even if the unseen part had been perfect; `seen` stands beside it on screen.
pub fn judge(promise: &Promise, seen: Duration, figures: &dyn Fn(Duration) -> Option<Figures>) -> Seen {
    let allowed = 1.0 - promise.objective;
    let whole = figures(promise.window);
    let ratio = whole.and_then(Figures::ratio);
    let spent = ratio.map(|bad| bad * share(seen, promise.window) / allowed);
    Seen {
        good: ratio.map(|bad| 1.0 - bad),
        events: whole.map_or(0.0, |f| f.total),
        budget_left: spent.map(|s| 1.0 - s),
        burns: PAIRS.iter().map(|pair| burn(pair, promise, seen, figures)).collect(),
    }
}

/// How much of a window was seen, from 0 to 1.
fn share(seen: Duration, window: Duration) -> f64 {
    (seen.as_secs_f64() / window.as_secs_f64()).min(1.0)
}

fn burn(
    pair: &Pair,
    promise: &Promise,
    seen: Duration,
    figures: &dyn Fn(Duration) -> Option<Figures>,
) -> BurnView {
    let allowed = 1.0 - promise.objective;
    let (long, short) = (figures(pair.long), figures(pair.short));
    let rate = |f: Option<Figures>, window| {
        f.and_then(Figures::ratio).map(|bad| bad * share(seen, window) / allowed)
    };
    let (long_rate, short_rate) = (rate(long, pair.long), rate(short, pair.short));
    let over = |r: Option<f64>| r.is_some_and(|r| r > pair.factor);
    let raw = |f: Option<Figures>| f.and_then(Figures::ratio).is_some_and(|bad| bad / allowed > pair.factor);
    let events = short.map_or(0.0, |f| f.total);
    let enough = events >= promise.min_events;
    let held_back = if !(raw(long) && raw(short)) {
        None
    } else if !enough {
        Some(format!("{events:.0} events in {}, fewer than {:.0}", long_age(pair.short), promise.min_events))
    } else if !(over(long_rate) && over(short_rate)) {
        Some(format!("only {} of {} seen", long_age(seen), long_age(pair.long)))
    } else {
        None
    };
    BurnView {
        long: pair.long,
        short: pair.short,
        factor: pair.factor,
        long_rate,
        short_rate,
        firing: over(long_rate) && over(short_rate) && enough,
        held_back,
        severity: if pair.page { "page" } else { "ticket" }.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn promise() -> Promise {
        Promise { objective: 0.999, window: 30 * DAY, min_events: 10.0 }
    }

    /// The same share of bad events in every window, at so many events a second.
    fn steady(bad: f64, per_second: f64) -> impl Fn(Duration) -> Option<Figures> {
        move |window| {
            let total = window.as_secs_f64() * per_second;
            Some(Figures { total, bad: total * bad })
        }
    }

    #[test]
    fn each_pair_fires_above_its_factor_and_not_at_it() {
        // A burn of 1 is 0.1 % bad.
        let table = [
            (0.0, [false, false, false]),
            (0.0009, [false, false, false]),
            (0.0011, [false, false, true]),
            (0.0061, [false, true, true]),
            (0.0145, [true, true, true]),
            (1.0, [true, true, true]),
        ];
        for (bad, firing) in table {
            let seen = judge(&promise(), 30 * DAY, &steady(bad, 1.0));
            let got: Vec<bool> = seen.burns.iter().map(|b| b.firing).collect();
            assert_eq!(got, firing, "{bad}");
        }
    }

    #[test]
    fn the_budget_is_that_of_the_whole_window() {
        let left = |bad, seen| judge(&promise(), seen, &steady(bad, 1.0)).budget_left.unwrap();
        assert!((left(0.0, 30 * DAY) - 1.0).abs() < 1e-9);
        assert!((left(0.0005, 30 * DAY) - 0.5).abs() < 1e-9);
        assert!((left(0.002, 30 * DAY) + 1.0).abs() < 1e-9, "overspent");
        assert!((left(0.002, 3 * DAY) - 0.8).abs() < 1e-9, "a tenth of the window at twice the rate");
        let nothing = judge(&promise(), 30 * DAY, &|_| Some(Figures { total: 0.0, bad: 0.0 }));
        assert_eq!((nothing.budget_left, nothing.good), (None, None), "no traffic is no verdict");
        assert_eq!(judge(&promise(), DAY, &|_| None).budget_left, None);
    }

    #[test]
    fn what_holds_a_burn_back_is_said() {
        let rare = judge(&promise(), 30 * DAY, &steady(1.0, 0.01));
        assert!(!rare.burns[0].firing, "3 events in 5 minutes");
        assert_eq!(rare.burns[0].held_back.as_deref(), Some("3 events in 5m, fewer than 10"));
        assert!(rare.burns[1].firing, "18 events in half an hour");
        let fresh = judge(&promise(), Duration::from_secs(120), &steady(0.02, 1.0));
        assert!(!fresh.burns[0].firing);
        assert_eq!(fresh.burns[0].held_back.as_deref(), Some("only 2m of 1h seen"));
        // All of it bad: that is enough even if the rest of the hour had been perfect.
        let total = judge(&promise(), Duration::from_secs(120), &steady(1.0, 1.0));
        assert!(total.burns[0].firing, "{:?}", total.burns[0]);
    }

    proptest! {
        #[test]
        fn a_burn_that_fires_has_both_rates_above_its_factor(
            bad in 0.0..1.0f64, rate in 0.0..100.0f64, seen in 0u64..40 * 86_400,
        ) {
            let view = judge(&promise(), Duration::from_secs(seen), &steady(bad, rate));
            for burn in &view.burns {
                prop_assert!(!(burn.firing && burn.held_back.is_some()));
                if burn.firing {
                    prop_assert!(burn.long_rate > Some(burn.factor) && burn.short_rate > Some(burn.factor));
                }
            }
            if let Some(left) = view.budget_left {
                prop_assert!(left <= 1.0);
            }
        }
    }
}
