//! Aggregations: one value, or the chosen series, of each group of series.

use super::EvalError;
use super::eval::Eval;
use super::func_order;
use super::grid::{Grid, Steps, is_none, picked};
use super::math::{Kahan, quantile};
use super::node::{AggOp, Aggregate, Node, Pick};
use crate::domain::series::Labels;
use std::collections::HashMap;

pub(super) fn eval(eval: &mut Eval<'_>, a: &Aggregate, steps: Steps) -> Result<Grid, EvalError> {
    match (a.op, &a.param) {
        (AggOp::CountValues, Some(param)) => {
            let Node::Text(label) = param.bare() else {
                return Err(EvalError("count_values takes a label's name".to_owned()));
            };
            let grid = eval.grid(&a.inner, steps)?;
            count_values(&grid, &a.pick, label)
        }
        (op, Some(param)) => {
            let param = eval.scalar(param, steps)?;
            let grid = eval.grid(&a.inner, steps)?;
            if op == AggOp::Quantile {
                Ok(quantiles(&grid, &a.pick, &param))
            } else {
                func_order::extremes(&grid, &a.pick, &param, op == AggOp::Topk)
            }
        }
        (op, None) => {
            let grid = eval.grid(&a.inner, steps)?;
            Ok(fold(op, &grid, &a.pick))
        }
    }
}

/// What an aggregation knows of a group so far.
#[derive(Clone, Copy, Default)]
struct Acc {
    count: f64,
    /// Sum, extreme, or mean.
    value: Kahan,
    /// Squared distances from the mean.
    squares: f64,
}

impl Acc {
    fn add(&mut self, op: AggOp, v: f64) {
        self.count += 1.0;
        if self.count < 1.5 {
            self.value = Kahan::of(v);
            return;
        }
        let held = self.value.sum;
        match op {
            AggOp::Sum => self.value.add(v),
            AggOp::Avg => {
                let same = v.is_infinite() && (held > 0.0) == (v > 0.0);
                if !(held.is_infinite() && (same || v.is_finite())) {
                    self.value.sum += v / self.count - held / self.count;
                }
            }
            AggOp::Max if held < v || held.is_nan() => self.value.sum = v,
            AggOp::Min if held > v || held.is_nan() => self.value.sum = v,
            AggOp::Stddev | AggOp::Stdvar => {
                let delta = v - held;
                self.value.sum += delta / self.count;
                self.squares += delta * (v - self.value.sum);
            }
            _ => {}
        }
    }

    fn result(self, op: AggOp) -> f64 {
        match op {
            AggOp::Sum => self.value.value(),
            AggOp::Count => self.count,
            AggOp::Group => 1.0,
            AggOp::Stdvar => self.squares / self.count,
            AggOp::Stddev => (self.squares / self.count).sqrt(),
            _ => self.value.sum,
        }
    }
}

fn fold(op: AggOp, grid: &Grid, pick: &Pick) -> Grid {
    let groups = grid.groups(pick);
    let width = grid.width;
    let mut held = vec![Acc::default(); groups.count() * width];
    for (group, row) in groups.of_row.iter().zip(grid.values.chunks_exact(width)) {
        let place = *group as usize * width;
        let accs = held.get_mut(place..place + width).unwrap_or(&mut []);
        for (acc, v) in accs.iter_mut().zip(row) {
            if !is_none(*v) {
                acc.add(op, *v);
            }
        }
    }
    let mut out = named(grid, &groups.first, pick);
    for (slot, acc) in out.values.iter_mut().zip(held) {
        if acc.count > 0.0 {
            *slot = acc.result(op);
        }
    }
    out
}

/// An empty row for each group, with the group's labels.
fn named(grid: &Grid, first: &[usize], pick: &Pick) -> Grid {
    let mut out = Grid::new(grid.width);
    for row in first {
        if let Some(labels) = grid.labels.get(*row) {
            out.add(picked(labels, pick, grid.nameless));
        }
    }
    out
}

fn quantiles(grid: &Grid, pick: &Pick, q: &[f64]) -> Grid {
    let groups = grid.groups(pick);
    let mut out = named(grid, &groups.first, pick);
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); groups.count()];
    for (step, q) in q.iter().enumerate() {
        values.iter_mut().for_each(Vec::clear);
        for (row, group) in groups.of_row.iter().enumerate() {
            if let (Some(v), Some(held)) = (grid.value(row, step), values.get_mut(*group as usize)) {
                held.push(v);
            }
        }
        for (group, held) in values.iter_mut().enumerate().filter(|(_, held)| !held.is_empty()) {
            if let Some(slot) = out.row_mut(group).get_mut(step) {
                *slot = quantile(*q, held);
            }
        }
    }
    out
}

fn count_values(grid: &Grid, pick: &Pick, label: &str) -> Result<Grid, EvalError> {
    let pick = match pick {
        Pick::Only(names) => Pick::Only(names.iter().cloned().chain([label.to_owned()]).collect()),
        without @ Pick::AllBut(_) => without.clone(),
    };
    let mut out = Grid::new(grid.width);
    let mut rows: HashMap<Labels, usize> = HashMap::new();
    for row in 0..grid.len() {
        let labels = grid.labels_of(row);
        for (step, v) in grid.row(row).iter().enumerate().filter(|(_, v)| !is_none(**v)) {
            let group = picked(&labels.with(label, &number(*v)), &pick, false);
            let place = *rows.entry(group).or_insert_with_key(|g| out.add(g.clone()));
            if let Some(slot) = out.row_mut(place).get_mut(step) {
                *slot = if is_none(*slot) { 1.0 } else { *slot + 1.0 };
            }
        }
    }
    out.unite(false)
}

/// A number as Prometheus writes it into a label: without an exponent.
fn number(v: f64) -> String {
    match v {
        v if v.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        v => v.to_string(),
    }
}
