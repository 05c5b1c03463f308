//! What orders series by their values: sort, topk and bottomk.

use super::EvalError;
use super::grid::Grid;
use super::node::Pick;
use std::cmp::Ordering;

/// Ascending or descending; no numbers come last in both.
fn order(a: f64, b: f64, down: bool) -> Ordering {
    let by_value = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    a.is_nan().cmp(&b.is_nan()).then(if down { by_value.reverse() } else { by_value })
}

/// Rows in order of their values at the one step there is; a range has no order to show.
pub(super) fn sorted(grid: &Grid, down: bool) -> Grid {
    if grid.width != 1 {
        return grid.clone();
    }
    let mut rows = by_labels(grid);
    let value = |row: usize| grid.value(row, 0).unwrap_or(f64::NAN);
    rows.sort_by(|a, b| order(value(*a), value(*b), down));
    chosen(grid, &rows)
}

/// Rows in order of their labels: the source has no order of its own, and which of equal values
/// comes first should not change from one evaluation to the next.
fn by_labels(grid: &Grid) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..grid.len()).collect();
    rows.sort_by(|a, b| grid.labels.get(*a).cmp(&grid.labels.get(*b)));
    rows
}

fn chosen(grid: &Grid, rows: &[usize]) -> Grid {
    let mut out = Grid::new(grid.width);
    out.nameless = grid.nameless;
    for row in rows {
        if let Some(labels) = grid.labels.get(*row) {
            let to = out.add(labels.clone());
            out.row_mut(to).copy_from_slice(grid.row(*row));
        }
    }
    out
}

/// topk and bottomk: the series with the largest or smallest values of each group, at each step.
pub(super) fn extremes(grid: &Grid, pick: &Pick, k: &[f64], top: bool) -> Result<Grid, EvalError> {
    let groups = grid.groups(pick);
    let rows = by_labels(grid);
    let mut heaps: Vec<Heap> = (0..groups.count()).map(|_| Heap { held: Vec::new(), top }).collect();
    let mut out = chosen(grid, &(0..grid.len()).collect::<Vec<_>>());
    out.values.fill(super::grid::none());
    let mut ranked = Vec::new();
    for (step, k) in k.iter().enumerate() {
        // As far as whole numbers of 64 bits go.
        if !(*k >= -9_223_372_036_854_775_808.0 && *k <= 9_223_372_036_854_774_784.0) {
            return Err(EvalError(format!("Scalar value {k} overflows int64")));
        }
        let k = *k as i64;
        if k < 1 {
            continue;
        }
        for heap in &mut heaps {
            heap.held.clear();
        }
        for row in &rows {
            let group = groups.of_row.get(*row).map_or(0, |g| *g as usize);
            if let (Some(v), Some(heap)) = (grid.value(*row, step), heaps.get_mut(group)) {
                heap.offer(v, *row, k);
            }
        }
        for heap in &mut heaps {
            heap.held.sort_by(|a, b| order(a.0, b.0, top));
            for (v, row) in &heap.held {
                if let Some(slot) = out.row_mut(*row).get_mut(step) {
                    *slot = *v;
                }
                ranked.push(*row);
            }
        }
    }
    if grid.width == 1 {
        return Ok(chosen(&out, &ranked));
    }
    out.compact();
    Ok(out)
}

/// The best values so far, the worst of them first: as Prometheus keeps them, so that of equal
/// values the same ones stay.
struct Heap {
    held: Vec<(f64, usize)>,
    top: bool,
}

impl Heap {
    fn worse(&self, a: usize, b: usize) -> bool {
        let (Some((a, _)), Some((b, _))) = (self.held.get(a), self.held.get(b)) else { return false };
        a.is_nan() || if self.top { a < b } else { a > b }
    }

    fn offer(&mut self, v: f64, row: usize, k: i64) {
        if i64::try_from(self.held.len()).is_ok_and(|held| held < k) {
            self.held.push((v, row));
            self.rise(self.held.len() - 1);
            return;
        }
        let Some((worst, _)) = self.held.first().copied() else { return };
        let better = if self.top { worst < v } else { worst > v };
        // No number gives way to anything, also to another one.
        if better || worst.is_nan() {
            self.held.swap_remove(0);
            self.sink();
            self.held.push((v, row));
            self.rise(self.held.len() - 1);
        }
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 && self.worse(at, (at - 1) / 2) {
            self.held.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    fn sink(&mut self) {
        let mut at = 0;
        loop {
            let mut child = 2 * at + 1;
            if child >= self.held.len() {
                return;
            }
            if child + 1 < self.held.len() && self.worse(child + 1, child) {
                child += 1;
            }
            if !self.worse(child, at) {
                return;
            }
            self.held.swap(at, child);
            at = child;
        }
    }
}
