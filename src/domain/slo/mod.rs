//! Service level objectives: how much of the error budget is left, and how fast it burns.
//!
//! The multi-window, multi-burn-rate method of the Site Reliability Workbook (chapter 5): a burn
//! rate of 1 spends the budget exactly over the objective's window; a pair of a long and a short
//! window fires when both burn faster than a factor, the short one so that it ends soon after the
//! trouble does.

mod judge;

pub use judge::{Figures, Seen, judge};

use super::promql::{Expr, ParseError};
use std::time::Duration;

/// A long window, a short one, the burn rate, and how urgent it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    pub long: Duration,
    pub short: Duration,
    pub factor: f64,
    /// Whether it should wake somebody; otherwise it can wait for the morning.
    pub page: bool,
}

const HOUR: u64 = 3600;

/// The workbook's pairs: 2 % of a 30-day budget in an hour, 5 % in six, 10 % in three days.
pub const PAIRS: [Pair; 3] = [
    Pair { long: Duration::from_secs(HOUR), short: Duration::from_secs(300), factor: 14.4, page: true },
    Pair { long: Duration::from_secs(6 * HOUR), short: Duration::from_secs(1800), factor: 6.0, page: true },
    Pair {
        long: Duration::from_secs(72 * HOUR),
        short: Duration::from_secs(6 * HOUR),
        factor: 1.0,
        page: false,
    },
];

/// What is promised: this share of the events over this window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Promise {
    /// Below 1.
    pub objective: f64,
    pub window: Duration,
    /// A short window with fewer events than this says nothing.
    pub min_events: f64,
}

/// The two counts of one window, as expressions over counters.
#[derive(Clone, Debug)]
pub struct Counts {
    pub window: Duration,
    pub total: Expr,
    /// Of the good events, or of the bad ones.
    pub part: Expr,
}

/// Every window that an objective needs, each once, the objective's own last.
pub fn windows(promise: &Promise) -> Vec<Duration> {
    let mut out: Vec<Duration> = PAIRS.iter().flat_map(|p| [p.short, p.long]).collect();
    out.push(promise.window);
    out.sort_unstable();
    out.dedup();
    out
}

/// The counts of one window over two selectors.
///
/// # Errors
/// A selector is none, or the window cannot be put behind it.
pub fn counts(window: Duration, total: &Expr, part: &Expr) -> Result<Counts, ParseError> {
    let over = |selector: &Expr| {
        Expr::parse(&format!("sum(increase({}[{}ms]))", selector.text(), window.as_millis()))
    };
    Ok(Counts { window, total: over(total)?, part: over(part)? })
}
