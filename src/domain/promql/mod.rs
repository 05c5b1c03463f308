//! PromQL: parsing, checking, and evaluating in memory, with Prometheus as the measure of right.

use super::series::{Labels, Matcher, Millis, Sample, Source};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// How far back an instant selector looks for a sample, as Prometheus' default.
pub const LOOKBACK: Duration = Duration::from_secs(300);

/// An expression that was parsed, type-checked and holds nothing that the evaluator cannot do.
#[derive(Clone, Debug)]
pub struct Expr {
    text: String,
    tree: promql_parser::parser::Expr,
}

/// Why a text is no expression that can be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// A lowercase fragment: what is wrong, and the nearest valid name where a name is.
    pub message: String,
    /// The bytes of the text that it is about; the whole text where the parser does not say.
    pub span: Range<usize>,
}

/// Why an evaluation gave no value: what Prometheus would answer with an error, or a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError(pub String);

/// What an instant evaluation gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Scalar(f64),
    Text(String),
    /// Ordered only where the expression orders (sort, topk).
    Vector(Vec<Point>),
    /// Of a bare range selector or subquery.
    Matrix(Vec<Line>),
}

/// One series' value at the moment of evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub labels: Labels,
    pub v: f64,
}

/// One series over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub labels: Labels,
    pub samples: Vec<Sample>,
}

/// A selector of an expression and how far around the moment of evaluation it may look.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    pub matchers: Vec<Matcher>,
    /// The range, lookback, offset and enclosing subqueries together: what the store must hold.
    pub reach: Duration,
    /// Where it stands in the text, as nearly as is known.
    pub text: String,
}

impl Expr {
    /// # Errors
    /// No PromQL, wrong types, or something the evaluator does not do, which is named.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match promql_parser::parser::parse(text) {
            Ok(tree) => Ok(Expr { text: text.to_owned(), tree }),
            Err(message) => {
                Err(ParseError { message: super::text::one_line(&message, 300), span: 0..text.len() })
            }
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EvalError {}
