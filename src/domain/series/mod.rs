//! Series: labels and their (time, value) points, in Prometheus' data model.

pub mod bits;
pub mod chunk;
pub mod index;
pub mod labels;
pub mod matcher;
pub mod regex;
pub mod selection;
pub mod store;

pub use labels::Labels;
pub use matcher::{Matcher, Op};
pub use selection::Selection;
pub use store::Store;

/// Milliseconds since the Unix epoch, as Prometheus counts time.
pub type Millis = i64;

/// The bits of the NaN with which Prometheus marks the end of a series (`value.StaleNaN`). It is
/// told from an ordinary NaN by its bits only, so samples must be carried bit by bit.
pub const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The marker's value.
pub fn stale() -> f64 {
    f64::from_bits(STALE_BITS)
}

/// Whether a value says that its series has ended.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

/// One point.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub t: Millis,
    pub v: f64,
}

impl PartialEq for Sample {
    /// Bit by bit, so that NaN equals itself and the stale marker only itself.
    fn eq(&self, other: &Self) -> bool {
        self.t == other.t && self.v.to_bits() == other.v.to_bits()
    }
}

/// Where the evaluator finds samples.
pub trait Source {
    /// Shows every series that all `matchers` select and that has samples in `from..=to`, each
    /// once, with those samples, oldest first and stale markers included. No order among series.
    fn select(
        &self,
        matchers: &[Matcher],
        from: Millis,
        to: Millis,
        visit: &mut dyn FnMut(&Labels, &[Sample]),
    );

    /// The same with the last of those samples only, which a source may have at hand: all that an
    /// instant selector needs.
    fn select_last(
        &self,
        matchers: &[Matcher],
        from: Millis,
        to: Millis,
        visit: &mut dyn FnMut(&Labels, Sample),
    ) {
        self.select(matchers, from, to, &mut |labels, samples| {
            if let Some(last) = samples.last() {
                visit(labels, *last);
            }
        });
    }
}
