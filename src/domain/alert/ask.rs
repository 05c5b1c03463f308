//! How a rule's expression becomes a vector, and where what it gives is put.

use crate::domain::promql::{Expr, Options, Point, Value};
use crate::domain::series::store::Store;
use crate::domain::series::{Labels, Millis, Source};

/// A source that also takes what recording rules give, at once, so that the next rule sees it.
pub trait Memory: Source {
    /// Adds one sample; the stale marker ends a series. What is older than the series' newest
    /// sample, or beyond the store's bounds, may be dropped.
    fn append(&mut self, labels: &Labels, t: Millis, v: f64);
}

impl Memory for Store {
    fn append(&mut self, labels: &Labels, t: Millis, v: f64) {
        // What is refused, the store counts.
        self.append_labels(labels, t, v);
    }
}

/// The vector that an expression gives at a moment: a number counts as one point without labels.
///
/// # Errors
/// What the evaluator refuses, and results that are no vector.
pub fn vector(expr: &Expr, source: &dyn Source, at: Millis, options: &Options) -> Result<Vec<Point>, String> {
    match expr.instant(source, at, options).map_err(|e| e.0)? {
        Value::Vector(points) => Ok(points),
        Value::Scalar(v) => Ok(vec![Point { labels: Labels::empty(), v }]),
        Value::Text(_) | Value::Matrix(_) => Err("the expression gives no vector and no number".to_owned()),
    }
}
