//! Templates of annotations and labels: the part of Go's templates that Prometheus' rules use.
//!
//! Whatever can be told from the text alone is refused when it is read: a function or a variable
//! that is not there, a wrong count of arguments, a comparison of a number with a fraction to one
//! without, an expression in `query "…"` that is no PromQL.

mod check;
mod data;
mod eval;
mod functions;
mod gofmt;
mod humane;
mod legend;
mod lex;
mod parse;
mod tree;

pub use legend::legend;

use crate::domain::promql::Options;
use crate::domain::series::{Labels, Millis, Source};
use std::fmt;
use std::ops::Range;

/// The longest text that a template may give, in bytes.
pub const MAX_OUTPUT: usize = 64 << 10;

/// A template that was read and checked.
#[derive(Clone, Debug)]
pub struct Template {
    nodes: Vec<tree::Node>,
}

/// What a template is filled in from.
pub struct Scope<'a> {
    /// Of the series that the expression gave.
    pub labels: &'a Labels,
    pub value: f64,
    pub external_labels: &'a Labels,
    pub external_url: &'a str,
    /// For `query`.
    pub source: &'a dyn Source,
    pub at: Millis,
    pub options: &'a Options,
}

/// Why a text is no template that can be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    pub message: String,
    /// The bytes of the text that it is about.
    pub span: Range<usize>,
}

impl Template {
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let nodes = parse::parse(text)?;
        check::check(&nodes)?;
        Ok(Template { nodes })
    }

    /// Fills the template in.
    ///
    /// # Errors
    /// What only the data shows: a value of the wrong kind, an empty result where one is needed.
    pub fn expand(&self, scope: &Scope<'_>) -> Result<String, String> {
        eval::expand(&self.nodes, scope)
    }

    /// As [`Template::expand`]; what goes wrong is said in the text, as Prometheus does it.
    pub fn expand_or_say(&self, scope: &Scope<'_>) -> String {
        self.expand(scope).unwrap_or_else(|e| format!("<error expanding template: {e}>"))
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TemplateError {}

/// A number with at most six digits that count, as `%.6g`.
pub fn number(v: f64) -> String {
    gofmt::six(v)
}

#[cfg(test)]
mod tests;
