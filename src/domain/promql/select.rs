//! From the source to vectors: the newest sample of each series, and windows of samples.

use super::EvalError;
use super::eval::Eval;
use super::func_range::{self, Window};
use super::grid::{Grid, Steps};
use super::node::{Node, Pin, Select, Shift};
use super::table::Func;
use crate::domain::series::{Labels, Millis, Sample, is_stale};

/// Which moment a selector looks at, for a moment of evaluation.
#[derive(Clone, Copy)]
pub(super) enum Clock {
    Fixed(Millis),
    Behind(Millis),
}

impl Clock {
    pub fn at(self, t: Millis) -> Millis {
        match self {
            Clock::Fixed(fixed) => fixed,
            Clock::Behind(offset) => t.saturating_sub(offset),
        }
    }

    pub fn span(self, steps: Steps) -> (Millis, Millis) {
        (self.at(steps.start), self.at(steps.end()))
    }
}

impl Eval<'_> {
    pub fn clock(&self, shift: Shift) -> Clock {
        let pinned = |t: Millis| Clock::Fixed(t.saturating_sub(shift.offset));
        match shift.pin {
            None => Clock::Behind(shift.offset),
            Some(Pin::At(t)) => pinned(t),
            Some(Pin::Start) => pinned(self.whole.0),
            Some(Pin::End) => pinned(self.whole.1),
        }
    }

    /// The newest sample of each series at each step, or, with `times`, when that was in seconds.
    pub fn vector(&mut self, select: &Select, steps: Steps, times: bool) -> Result<Grid, EvalError> {
        let clock = self.clock(select.shift);
        let (first, last) = clock.span(steps);
        if first == last {
            return self.vector_at(select, steps, first, times);
        }
        let (lookback, budget) = (self.lookback, &mut self.budget);
        let mut grid = Grid::new(steps.count);
        let mut result = Ok(());
        self.source.select(&select.matchers, first.saturating_sub(lookback), last, &mut |labels, samples| {
            if result.is_err() {
                return;
            }
            result = budget.take(samples.len().saturating_add(steps.count));
            if result.is_err() {
                return;
            }
            let row = grid.add(labels.clone());
            let mut seen = 0;
            for (slot, t) in grid.row_mut(row).iter_mut().zip(steps.iter()) {
                let at = clock.at(t);
                while samples.get(seen).is_some_and(|s| s.t <= at) {
                    seen += 1;
                }
                let newest = seen.checked_sub(1).and_then(|i| samples.get(i));
                if let Some(s) = newest.filter(|s| s.t >= at.saturating_sub(lookback) && !is_stale(s.v)) {
                    *slot = if times { s.t as f64 / 1000.0 } else { s.v };
                }
            }
            grid.keep_last_if_filled();
        });
        result.map(|()| grid)
    }

    /// The same where all steps look at one moment: an instant's only one, and those of `@`.
    fn vector_at(
        &mut self,
        select: &Select,
        steps: Steps,
        at: Millis,
        times: bool,
    ) -> Result<Grid, EvalError> {
        let (from, budget) = (at.saturating_sub(self.lookback), &mut self.budget);
        let mut grid = Grid::new(steps.count);
        let mut result = Ok(());
        self.source.select_last(&select.matchers, from, at, &mut |labels, s| {
            if result.is_err() {
                return;
            }
            result = budget.take(steps.count.saturating_add(1));
            if result.is_ok() && !is_stale(s.v) {
                let row = grid.add(labels.clone());
                grid.row_mut(row).fill(if times { s.t as f64 / 1000.0 } else { s.v });
            }
        });
        result.map(|()| grid)
    }

    /// Shows each series that has samples between the first window's start and the last one's end,
    /// without stale markers.
    pub fn windows(
        &mut self,
        select: &Select,
        range: Millis,
        steps: Steps,
        show: &mut dyn FnMut(&Labels, &[Sample]),
    ) -> Result<(), EvalError> {
        let (first, last) = self.clock(select.shift).span(steps);
        let budget = &mut self.budget;
        let mut result = Ok(());
        let mut scratch = Vec::new();
        self.source.select(&select.matchers, first.saturating_sub(range), last, &mut |labels, samples| {
            if result.is_err() {
                return;
            }
            result = budget.take(samples.len());
            if result.is_err() {
                return;
            }
            let mut alive = samples;
            if samples.iter().any(|s| is_stale(s.v)) {
                scratch.clear();
                scratch.extend(samples.iter().filter(|s| !is_stale(s.v)));
                alive = &scratch;
            }
            if !alive.is_empty() {
                show(labels, alive);
            }
        });
        result
    }

    /// A function of windows, over a range selector or a subquery.
    pub fn over_time(
        &mut self,
        func: Func,
        window: &Node,
        params: &[Vec<f64>],
        steps: Steps,
    ) -> Result<Grid, EvalError> {
        let run = func_range::of(func);
        let mut grid = Grid::new(steps.count);
        let mut result = Ok(());
        match window {
            Node::Range(select, range) => {
                let slide = Slide { run, params, steps, clock: self.clock(select.shift), range: *range };
                let mut work = 0;
                self.windows(select, *range, steps, &mut |labels, samples| {
                    if result.is_ok() {
                        result = slide.fill(&mut grid, labels, samples, &mut work);
                    }
                })?;
                self.budget.work(work)?;
                self.budget.take(grid.values.len())?;
            }
            Node::Subquery(s) => {
                let slide = Slide { run, params, steps, clock: self.clock(s.shift), range: s.range };
                let (inner, inner_steps) = self.subquery(s, steps)?;
                let mut samples = Vec::new();
                for (row, labels) in inner.labels.iter().enumerate() {
                    inner.samples(row, inner_steps, &mut samples);
                    let mut work = 0;
                    slide.fill(&mut grid, labels, &samples, &mut work)?;
                    self.budget.work(work)?;
                }
                self.budget.take(grid.values.len())?;
                grid.nameless = inner.nameless;
            }
            _ => return Err(EvalError("a function of windows has no window".to_owned())),
        }
        result?;
        match func {
            // It gives samples as they were, so they are still of their metric.
            Func::LastOverTime => Ok(grid),
            Func::AbsentOverTime => Ok(super::func_absent::absent(window, &grid)),
            _ => grid.drop_name(true),
        }
    }
}

/// A window that slides over the samples of a series, one place for each step.
struct Slide<'p> {
    run: func_range::Run,
    params: &'p [Vec<f64>],
    steps: Steps,
    clock: Clock,
    range: Millis,
}

/// Work of one series after which it is not worth going on: the whole budget's.
const MAX_SERIES_WORK: usize = 400_000_000;

impl Slide<'_> {
    fn fill(
        &self,
        grid: &mut Grid,
        labels: &Labels,
        samples: &[Sample],
        work: &mut usize,
    ) -> Result<(), EvalError> {
        let row = grid.add(labels.clone());
        let (mut from, mut to) = (0, 0);
        let slots = grid.row_mut(row);
        for (i, (slot, t)) in slots.iter_mut().zip(self.steps.iter()).enumerate() {
            let end = self.clock.at(t);
            let start = end.saturating_sub(self.range);
            while samples.get(to).is_some_and(|s| s.t <= end) {
                to += 1;
            }
            while from < to && samples.get(from).is_some_and(|s| s.t < start) {
                from += 1;
            }
            let inside = samples.get(from..to).unwrap_or(&[]);
            *work += inside.len();
            if *work > MAX_SERIES_WORK {
                return Err(EvalError(
                    "the expression takes too long (its windows overlap too often)".to_owned(),
                ));
            }
            let param = |n: usize| self.params.get(n).and_then(|p| p.get(i)).copied().unwrap_or(f64::NAN);
            let window = Window {
                samples: inside,
                start,
                end,
                at: t,
                seconds: self.range as f64 / 1000.0,
                params: [param(0), param(1)],
            };
            if !inside.is_empty()
                && let Some(v) = (self.run)(&window)?
            {
                *slot = v;
            }
        }
        grid.keep_last_if_filled();
        Ok(())
    }
}
