//! Unit tests of rules in promtool's format as it is: read strictly, and run against the engine here.

mod decode;
mod expect;
mod notation;
mod paths;
mod run;

pub use decode::read;
pub use notation::{Input, metric};
pub use paths::rule_files;
pub use run::{Failure, Outcome, run};

use crate::domain::promql::Expr;
use crate::domain::series::{Labels, Millis};
use std::ops::Range;
use std::time::Duration;

/// A file of tests.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// As written, relative to the file; `*` and `?` stand for names.
    pub rule_files: Vec<(String, Range<usize>)>,
    pub evaluation_interval: Duration,
    /// Names of groups, in the order in which they are evaluated.
    pub group_order: Vec<String>,
    /// Whether values may differ in their last digits.
    pub fuzzy: bool,
    pub tests: Vec<Test>,
}

/// Series, and what rules and expressions must make of them.
#[derive(Clone, Debug)]
pub struct Test {
    pub name: String,
    /// Between two values of a series.
    pub interval: Duration,
    pub series: Vec<Input>,
    pub alerts: Vec<AlertCase>,
    pub exprs: Vec<ExprCase>,
    pub external_labels: Labels,
    pub external_url: String,
    /// The line where it starts.
    pub line: usize,
}

/// Which alerts of one name fire at a time.
#[derive(Clone, Debug)]
pub struct AlertCase {
    pub at: Millis,
    pub alertname: String,
    /// Labels with the alert's name, and annotations by name.
    pub expected: Vec<(Labels, Vec<(String, String)>)>,
    pub line: usize,
}

/// What an expression gives at a time.
#[derive(Clone, Debug)]
pub struct ExprCase {
    pub at: Millis,
    pub expr: Expr,
    pub expected: Vec<(Labels, f64)>,
    pub line: usize,
}

#[cfg(test)]
mod tests;
