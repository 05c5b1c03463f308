//! Walks the tree: each step of an expression to its values over all moments of the evaluation.

use super::grid::{Grid, Steps, is_none};
use super::node::{Binary, Node, Subquery};
use super::table::Func;
use super::{EvalError, Line, Options, Type};
use super::{
    aggregate, binary, func_absent, func_histogram, func_label, func_order, func_point, func_time, matching,
};
use crate::domain::series::{Labels, Millis, Source};

/// The most comparisons of one evaluation: samples looked at in windows, again for each step. It
/// ends an evaluation that would take seconds.
const MAX_WORK: u64 = 400_000_000;

/// One evaluation.
pub(super) struct Eval<'a> {
    pub source: &'a dyn Source,
    pub lookback: Millis,
    default_step: Millis,
    /// The first and last moment, which `@ start()` and `@ end()` mean also within subqueries.
    pub whole: (Millis, Millis),
    pub budget: Budget,
}

/// What an evaluation may still take.
pub(super) struct Budget {
    samples: usize,
    most: usize,
    work: u64,
}

impl Budget {
    /// Counts samples that are read or made.
    pub fn take(&mut self, samples: usize) -> Result<(), EvalError> {
        match self.samples.checked_sub(samples) {
            Some(left) => {
                self.samples = left;
                Ok(())
            }
            None => Err(EvalError(format!("the expression takes more than {} samples", self.most))),
        }
    }

    pub fn work(&mut self, samples: usize) -> Result<(), EvalError> {
        match self.work.checked_sub(samples as u64) {
            Some(left) => {
                self.work = left;
                Ok(())
            }
            None => {
                Err(EvalError("the expression takes too long (its windows overlap too often)".to_owned()))
            }
        }
    }
}

/// The values of one step of an expression.
pub(super) enum Out {
    /// One number for each moment.
    Scalar(Vec<f64>),
    Grid(Grid),
}

/// A step of an expression where its type cannot stand: parsing lets none through.
fn misplaced(what: &str) -> EvalError {
    EvalError(format!("a {what} cannot stand here"))
}

impl<'a> Eval<'a> {
    pub fn new(source: &'a dyn Source, whole: (Millis, Millis), options: &Options) -> Self {
        let millis = |d: std::time::Duration| Millis::try_from(d.as_millis()).unwrap_or(Millis::MAX);
        Eval {
            source,
            lookback: millis(options.lookback),
            default_step: millis(options.subquery_step).max(1),
            whole,
            budget: Budget { samples: options.max_samples, most: options.max_samples, work: MAX_WORK },
        }
    }

    pub fn eval(&mut self, node: &Node, steps: Steps) -> Result<Out, EvalError> {
        match node {
            Node::Number(v) => {
                self.budget.take(steps.count)?;
                Ok(Out::Scalar(vec![*v; steps.count]))
            }
            Node::Paren(inner) => self.eval(inner, steps),
            Node::Vector(select) => Ok(Out::Grid(self.vector(select, steps, false)?)),
            Node::Negate(inner) => match self.eval(inner, steps)? {
                Out::Scalar(mut values) => {
                    for v in &mut values {
                        *v = -*v;
                    }
                    Ok(Out::Scalar(values))
                }
                Out::Grid(mut grid) => {
                    grid.values.iter_mut().filter(|v| !is_none(**v)).for_each(|v| *v = -*v);
                    grid.drop_name(true).map(Out::Grid)
                }
            },
            Node::Binary(b) => self.binary(b, steps),
            Node::Aggregate(a) => Ok(Out::Grid(aggregate::eval(self, a, steps)?)),
            Node::Call(func, args) => self.call(*func, args, steps),
            Node::Text(_) => Err(misplaced("string")),
            Node::Range(..) | Node::Subquery(_) => Err(misplaced("range vector")),
        }
    }

    pub fn grid(&mut self, node: &Node, steps: Steps) -> Result<Grid, EvalError> {
        match self.eval(node, steps)? {
            Out::Grid(grid) => Ok(grid),
            Out::Scalar(_) => Err(misplaced("scalar")),
        }
    }

    pub fn scalar(&mut self, node: &Node, steps: Steps) -> Result<Vec<f64>, EvalError> {
        match self.eval(node, steps)? {
            Out::Scalar(values) => Ok(values),
            Out::Grid(_) => Err(misplaced("vector")),
        }
    }

    fn binary(&mut self, b: &Binary, steps: Steps) -> Result<Out, EvalError> {
        let (left, right) = (self.eval(&b.left, steps)?, self.eval(&b.right, steps)?);
        Ok(match (left, right) {
            (Out::Scalar(l), Out::Scalar(r)) => Out::Scalar(binary::scalars(b.op, l, &r)),
            (Out::Grid(l), Out::Scalar(r)) => Out::Grid(binary::with_scalar(b, l, &r, false)?),
            (Out::Scalar(l), Out::Grid(r)) => Out::Grid(binary::with_scalar(b, r, &l, true)?),
            (Out::Grid(l), Out::Grid(r)) if b.op.is_set() => Out::Grid(matching::sets(b, &l, &r)?),
            (Out::Grid(l), Out::Grid(r)) => {
                let out = matching::pairs(b, &l, &r)?;
                self.budget.take(out.values.len())?;
                Out::Grid(out)
            }
        })
    }

    fn call(&mut self, func: Func, args: &[Node], steps: Steps) -> Result<Out, EvalError> {
        if let Some(place) = args.iter().position(|a| a.kind() == Type::Matrix) {
            let window = args.get(place).map_or(&Node::Number(0.0), Node::bare);
            let mut params = Vec::new();
            for arg in args.iter().enumerate().filter(|(i, _)| *i != place).map(|(_, a)| a) {
                params.push(self.scalar(arg, steps)?);
            }
            return self.over_time(func, window, &params, steps).map(Out::Grid);
        }
        let first = args.first();
        let arg = first.map_or(&Node::Number(0.0), Node::bare);
        match func {
            Func::Time => Ok(Out::Scalar(steps.iter().map(|t| t as f64 / 1000.0).collect())),
            Func::Pi => Ok(Out::Scalar(vec![std::f64::consts::PI; steps.count])),
            Func::Scalar => {
                let grid = self.grid(arg, steps)?;
                Ok(Out::Scalar(func_point::scalar(&grid)))
            }
            Func::ToVector => {
                let mut grid = Grid::new(steps.count);
                grid.add(Labels::empty());
                grid.values = self.scalar(arg, steps)?;
                Ok(Out::Grid(grid))
            }
            Func::Timestamp => {
                let grid = match arg {
                    Node::Vector(select) => self.vector(select, steps, true)?,
                    other => func_time::moments(self.grid(other, steps)?, steps),
                };
                grid.drop_name(false).map(Out::Grid)
            }
            Func::Absent => {
                let grid = self.grid(arg, steps)?;
                Ok(Out::Grid(func_absent::absent(arg, &grid)))
            }
            _ if func_time::is_date(func) => {
                let grid = match first {
                    Some(arg) => self.grid(arg, steps)?,
                    None => func_time::now(steps),
                };
                func_time::date(func, grid).map(Out::Grid)
            }
            Func::LabelReplace => func_label::replace(self.grid(arg, steps)?, args).map(Out::Grid),
            Func::LabelJoin => func_label::join(self.grid(arg, steps)?, args).map(Out::Grid),
            Func::Sort | Func::SortDesc => {
                Ok(Out::Grid(func_order::sorted(&self.grid(arg, steps)?, func == Func::SortDesc)))
            }
            Func::HistogramQuantile => {
                let q = self.scalar(arg, steps)?;
                let buckets = args.get(1).ok_or_else(|| misplaced("scalar"))?;
                func_histogram::quantile(&q, &self.grid(buckets, steps)?).map(Out::Grid)
            }
            _ => {
                let grid = self.grid(arg, steps)?;
                let mut params = Vec::new();
                for arg in args.iter().skip(1) {
                    params.push(self.scalar(arg, steps)?);
                }
                func_point::apply(func, grid, &params).map(Out::Grid)
            }
        }
    }

    /// A subquery's inner values over its own steps.
    pub fn subquery(&mut self, s: &Subquery, steps: Steps) -> Result<(Grid, Steps), EvalError> {
        let (first, last) = self.clock(s.shift).span(steps);
        let step = s.step.unwrap_or(self.default_step);
        let from = first.saturating_sub(s.range);
        // Moments are multiples of the step, whatever the moment of evaluation.
        let mut start = (from / step) * step;
        if start < from {
            start += step;
        }
        if last < start {
            return Ok((Grid::new(1), Steps { start, step, count: 1 }));
        }
        let count = usize::try_from((last - start) / step).unwrap_or(usize::MAX).saturating_add(1);
        self.budget.take(count)?;
        let inner = Steps { start, step, count };
        Ok((self.grid(&s.inner, inner)?, inner))
    }

    /// The lines of a bare range selector or subquery.
    pub fn matrix(&mut self, node: &Node, at: Millis) -> Result<Vec<Line>, EvalError> {
        let steps = Steps { start: at, step: 1, count: 1 };
        let mut lines = Vec::new();
        match node.bare() {
            Node::Range(select, range) => self.windows(select, *range, steps, &mut |labels, samples| {
                lines.push(Line { labels: labels.clone(), samples: samples.to_vec() });
            })?,
            Node::Subquery(s) => {
                let end = self.clock(s.shift).at(at);
                let (grid, steps) = self.subquery(s, steps)?;
                for row in 0..grid.len() {
                    let mut samples = Vec::new();
                    grid.samples(row, steps, &mut samples);
                    samples.retain(|p| p.t >= end.saturating_sub(s.range) && p.t <= end);
                    if !samples.is_empty() {
                        lines.push(Line { labels: grid.labels_of(row), samples });
                    }
                }
            }
            _ => return Err(misplaced("vector")),
        }
        Ok(lines)
    }
}
