//! PromQL: parsing, checking, and evaluating in memory, with Prometheus 2.42 as the measure of right.

mod aggregate;
#[expect(clippy::float_cmp, reason = "the language compares numbers exactly")]
mod binary;
mod eval;
mod func_absent;
#[expect(clippy::float_cmp, reason = "the language compares numbers exactly")]
mod func_histogram;
mod func_label;
mod func_order;
mod func_point;
#[expect(clippy::float_cmp, reason = "the language compares numbers exactly")]
mod func_range;
#[expect(clippy::float_cmp, reason = "the language compares numbers exactly")]
mod func_rate;
mod func_time;
mod grid;
pub mod inspect;
mod lex;
mod lower;
mod matching;
mod math;
mod node;
mod print;
mod quote;
mod reach;
mod select;
pub mod shape;
mod table;
#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the language compares numbers exactly")]
mod tests;

use super::series::{Labels, Matcher, Millis, Sample, Source};
use eval::{Eval, Out};
use grid::{Grid, Steps, is_none};
use node::{BinOp, Node};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// How far back an instant selector looks for a sample, as Prometheus' default.
pub const LOOKBACK: Duration = Duration::from_secs(300);

/// The step of a subquery that names none: Prometheus' default evaluation interval.
pub const SUBQUERY_STEP: Duration = Duration::from_secs(60);

/// The longest expression, in bytes.
pub const MAX_TEXT: usize = 32 * 1024;

/// The most operators in an expression.
pub const MAX_OPERATORS: usize = 1000;

/// The most samples that one evaluation reads and makes, when the options do not say otherwise.
pub const MAX_SAMPLES: usize = 10_000_000;

/// The most points of a line that a range evaluation gives.
pub const MAX_POINTS: usize = 11_000;

/// An expression that was parsed, type-checked and holds nothing that the evaluator cannot do.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Expr {
    text: Arc<str>,
    node: Arc<Node>,
}

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Scalar,
    Text,
    Vector,
    /// A range selector or a subquery: samples over time.
    Matrix,
}

/// How an evaluation goes, where Prometheus has a setting for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How far back an instant selector looks.
    pub lookback: Duration,
    /// The step of subqueries that name none: the interval at which rules are evaluated.
    pub subquery_step: Duration,
    /// The most samples that are read and made.
    pub max_samples: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { lookback: LOOKBACK, subquery_step: SUBQUERY_STEP, max_samples: MAX_SAMPLES }
    }
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
    /// The moment that `@` names, from which, instead of from now, the reach counts.
    pub pinned: Option<Millis>,
    /// Whether it looks at a span of time and not at one moment.
    pub over_time: bool,
    /// Where it stands in the text, as nearly as is known.
    pub text: String,
}

/// The names of all functions and aggregations, each list ascending: for completion and the manual.
pub fn functions() -> (Vec<&'static str>, &'static [&'static str]) {
    (table::names().collect(), table::AGGREGATIONS)
}

/// Functions of other versions of Prometheus that are refused, ascending, with why.
pub fn refused() -> &'static [(&'static str, &'static str)] {
    table::REFUSED
}

impl Expr {
    /// # Errors
    /// No PromQL, wrong types, or something the evaluator does not do, which is named.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let tokens = lex::words(text)?;
        let whole = |message| ParseError { message, span: 0..text.len() };
        let words = lex::rewrite(&tokens, false)?;
        let node = lower::parse(&words).map_err(whole)?;
        // The parser forgets a plus before an operand, and with it what the operand must be.
        let strict = lex::rewrite(&tokens, true)?;
        if strict != words {
            lower::parse(&strict).map_err(whole)?;
        }
        Ok(Expr { text: Arc::from(text), node: Arc::new(node) })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it gives.
    pub fn value_type(&self) -> Type {
        self.node.kind()
    }

    pub fn is_scalar(&self) -> bool {
        self.value_type() == Type::Scalar
    }

    /// Every selector, in the order of the text. The reach is of an instant evaluation with the
    /// usual lookback; a range evaluation needs its own width more.
    pub fn selectors(&self) -> Vec<Selector> {
        reach::selectors(&self.node, &Options::default())
    }

    /// Its value at a moment.
    ///
    /// # Errors
    /// What Prometheus answers with an error (series that a match does not tell apart, a label
    /// set twice in one result), and an evaluation that is over a bound.
    pub fn instant(&self, source: &dyn Source, at: Millis, options: &Options) -> Result<Value, EvalError> {
        let mut eval = Eval::new(source, (at, at), options);
        match (self.value_type(), self.node.bare()) {
            (Type::Text, Node::Text(text)) => Ok(Value::Text(text.clone())),
            (Type::Matrix, node) => eval.matrix(node, at).map(Value::Matrix),
            (_, node) => Ok(match eval.eval(node, Steps { start: at, step: 1, count: 1 })? {
                Out::Scalar(values) => Value::Scalar(values.first().copied().unwrap_or(f64::NAN)),
                Out::Grid(grid) => Value::Vector(points(grid)),
            }),
        }
    }

    /// Its values from one moment to another, both included, in steps: lines without empty ones,
    /// ordered by their labels. A scalar is one line without labels.
    ///
    /// # Errors
    /// As [`Self::instant`]; also a string or a range vector, a step that is not positive, an end
    /// before the start, and more than [`MAX_POINTS`] steps.
    pub fn range(
        &self,
        source: &dyn Source,
        from: Millis,
        to: Millis,
        step: Duration,
        options: &Options,
    ) -> Result<Vec<Line>, EvalError> {
        let fail = |message: &str| Err(EvalError(message.to_owned()));
        let step = Millis::try_from(step.as_millis()).unwrap_or(Millis::MAX);
        if step < 1 {
            return fail("the step must be at least a millisecond");
        }
        let Some(width) = to.checked_sub(from).filter(|w| *w >= 0) else {
            return fail("the end lies before the start");
        };
        let count = usize::try_from(width / step).unwrap_or(usize::MAX).saturating_add(1);
        if count > MAX_POINTS + 1 {
            return fail("there are more than 11000 steps; take a longer step");
        }
        if !matches!(self.value_type(), Type::Scalar | Type::Vector) {
            return fail("only scalars and vectors have values over a range");
        }
        let steps = Steps { start: from, step, count };
        let mut eval = Eval::new(source, (from, to), options);
        let grid = match eval.eval(&self.node, steps)? {
            Out::Grid(grid) => grid.unite(true)?,
            Out::Scalar(values) => {
                Grid { labels: vec![Labels::empty()], values, width: count, nameless: false }
            }
        };
        Ok(lines(&grid, steps))
    }
}

fn points(mut grid: Grid) -> Vec<Point> {
    grid.settle_names();
    let filled = grid.labels.into_iter().zip(grid.values).filter(|(_, v)| !is_none(*v));
    filled.map(|(labels, v)| Point { labels, v }).collect()
}

fn lines(grid: &Grid, steps: Steps) -> Vec<Line> {
    let mut lines = Vec::with_capacity(grid.len());
    for row in 0..grid.len() {
        let mut samples = Vec::new();
        grid.samples(row, steps, &mut samples);
        if !samples.is_empty() {
            lines.push(Line { labels: grid.labels_of(row), samples });
        }
    }
    lines.sort_by(|a, b| a.labels.cmp(&b.labels));
    lines
}

impl PartialEq for Expr {
    /// The same meaning, however it is spaced.
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Scalar => "scalar",
            Type::Text => "string",
            Type::Vector => "vector",
            Type::Matrix => "range vector",
        })
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
