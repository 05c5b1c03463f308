//! The eyes of a run: what it knows of the world it changes. Who composes the program gives them,
//! since what acts must not know how it is observed.

use crate::domain::id::ProbeId;
use crate::domain::procedure::check::{Condition, Seen};
use std::future::Future;
use std::pin::Pin;

/// A look that is under way. Cancel-safe: dropping it ends the look.
pub type Looking<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Looks at the world.
pub trait Sight: Send + Sync {
    /// Looks now: every probe and every scrape that the condition needs is asked after this call,
    /// never answered from what was known before. Bounded by the probes' own timeouts.
    fn check<'a>(&'a self, condition: &'a Condition) -> Looking<'a, Seen>;

    /// The value of an expression, of several the sum. `Err` says why there is none; it completes
    /// "not known: …".
    fn value<'a>(&'a self, expr: &'a str) -> Looking<'a, Result<f64, String>>;

    /// What one probe says now: its health's word and its reason.
    fn probe<'a>(&'a self, id: &'a ProbeId) -> Looking<'a, (crate::domain::health::Health, String)>;
}
