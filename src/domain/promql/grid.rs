//! Vectors over steps: one row for each series, one column for each step.
//!
//! An evaluation walks the tree once for all its steps, as Prometheus does, so that it finds the
//! same duplicates: an instant is a grid of one column.

use super::EvalError;
use super::node::Pick;
use crate::domain::series::labels::NAME;
use crate::domain::series::{Labels, Sample, is_stale, stale};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The moments of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    pub start: i64,
    /// Milliseconds, positive.
    pub step: i64,
    /// At least one.
    pub count: usize,
}

impl Steps {
    pub fn at(self, i: usize) -> i64 {
        self.start + self.step * i64::try_from(i).unwrap_or(0)
    }

    pub fn end(self) -> i64 {
        self.at(self.count - 1)
    }

    pub fn iter(self) -> impl Iterator<Item = i64> {
        (0..self.count).map(move |i| self.at(i))
    }
}

/// No value at a step. No sample has it: stale markers end before they get here, and arithmetic
/// never makes one (it gives quiet NaNs, and the marker is a signalling one).
pub(super) fn none() -> f64 {
    stale()
}

pub(super) fn is_none(v: f64) -> bool {
    is_stale(v)
}

/// Rows of equal width. Rows without any value are left out by whoever fills the grid.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub labels: Vec<Labels>,
    pub values: Vec<f64>,
    pub width: usize,
    /// The rows' labels count without the metric's name, which is still in them: most rates are
    /// summed next, and need no labels of their own.
    pub nameless: bool,
}

pub(super) const DUPLICATE: &str = "vector cannot contain metrics with the same labelset";

impl Grid {
    pub fn new(width: usize) -> Self {
        Grid { labels: Vec::new(), values: Vec::new(), width, nameless: false }
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn row(&self, i: usize) -> &[f64] {
        self.values.get(i * self.width..(i + 1) * self.width).unwrap_or(&[])
    }

    pub fn row_mut(&mut self, i: usize) -> &mut [f64] {
        self.values.get_mut(i * self.width..(i + 1) * self.width).unwrap_or(&mut [])
    }

    pub fn rows(&self) -> impl Iterator<Item = (&Labels, &[f64])> {
        self.labels.iter().zip(self.values.chunks_exact(self.width))
    }

    /// The value of a row at a step, if it has one.
    pub fn value(&self, row: usize, step: usize) -> Option<f64> {
        self.values.get(row * self.width + step).copied().filter(|v| !is_none(*v))
    }

    /// An empty row at the end; its number.
    pub fn add(&mut self, labels: Labels) -> usize {
        self.labels.push(labels);
        self.values.resize(self.labels.len() * self.width, none());
        self.labels.len() - 1
    }

    /// Takes the last row away when it has no value.
    pub fn keep_last_if_filled(&mut self) {
        let last = self.labels.len().saturating_sub(1);
        if self.row(last).iter().all(|v| is_none(*v)) {
            self.labels.truncate(last);
            self.values.truncate(last * self.width);
        }
    }

    /// Leaves out rows without a value.
    pub fn compact(&mut self) {
        let (width, mut kept) = (self.width, 0);
        for i in 0..self.labels.len() {
            if self.row(i).iter().any(|v| !is_none(*v)) {
                if kept != i {
                    self.labels.swap(kept, i);
                    self.values.copy_within(i * width..(i + 1) * width, kept * width);
                }
                kept += 1;
            }
        }
        self.labels.truncate(kept);
        self.values.truncate(kept * width);
    }

    /// The labels that count.
    pub fn labels_of(&self, i: usize) -> Labels {
        match self.labels.get(i) {
            Some(labels) if self.nameless && !labels.name().is_empty() => labels.without_name(),
            Some(labels) => labels.clone(),
            None => Labels::empty(),
        }
    }

    /// Takes the name out of all labels, where it only counted as out.
    pub fn settle_names(&mut self) {
        if self.nameless {
            for i in 0..self.len() {
                let labels = self.labels_of(i);
                if let Some(slot) = self.labels.get_mut(i) {
                    *slot = labels;
                }
            }
            self.nameless = false;
        }
    }

    /// Drops the metric's name from all rows. Rows that then have the same labels are an error
    /// when they have values at the same step, or, with `whole`, at all.
    pub fn drop_name(mut self, whole: bool) -> Result<Grid, EvalError> {
        if self.nameless {
            return Ok(self);
        }
        let first = self.labels.first().map_or("", |l| l.name());
        // Rows of one name, or of none, differ without it.
        let one_name = self.labels.iter().all(|l| l.name() == first);
        self.nameless = true;
        if one_name { Ok(self) } else { self.unite(whole) }
    }

    /// Makes one row of rows with the same labels, as [`Self::drop_name`] says.
    pub fn unite(mut self, whole: bool) -> Result<Grid, EvalError> {
        self.settle_names();
        let mut seen: HashMap<Labels, usize> = HashMap::with_capacity(self.len());
        let mut doubled = false;
        for i in 0..self.len() {
            match seen.entry(self.labels_of(i)) {
                Entry::Vacant(slot) => {
                    slot.insert(i);
                }
                Entry::Occupied(first) => {
                    if whole {
                        return Err(EvalError(DUPLICATE.to_owned()));
                    }
                    doubled = true;
                    self.pour(i, *first.get())?;
                }
            }
        }
        if doubled {
            self.compact();
        }
        Ok(self)
    }

    fn pour(&mut self, from: usize, to: usize) -> Result<(), EvalError> {
        for step in 0..self.width {
            let Some(v) = self.value(from, step) else { continue };
            if self.value(to, step).is_some() {
                return Err(EvalError(DUPLICATE.to_owned()));
            }
            for (row, v) in [(to, v), (from, none())] {
                if let Some(slot) = self.row_mut(row).get_mut(step) {
                    *slot = v;
                }
            }
        }
        Ok(())
    }

    /// Gives equal numbers to rows whose picked labels are equal: the number of each row, and for
    /// each number its first row.
    pub fn groups(&self, pick: &Pick) -> Groups {
        let mut groups = Groups::default();
        groups.extend(self, pick);
        groups
    }

    /// As [`Self::groups`], but the metric's name is a label like the others.
    pub fn groups_with_name(&self, but: &[&str]) -> Groups {
        let mut groups = Groups::default();
        for labels in &self.labels {
            groups.push(|key| {
                labels.write_filtered(key, |n| !(but.contains(&n) || self.nameless && n == NAME));
            });
        }
        groups
    }

    /// The points of a row as samples.
    pub fn samples(&self, row: usize, steps: Steps, out: &mut Vec<Sample>) {
        out.clear();
        let with_time = self.row(row).iter().zip(steps.iter());
        out.extend(with_time.filter(|(v, _)| !is_none(**v)).map(|(v, t)| Sample { t, v: *v }));
    }
}

/// Rows by equal labels, over one grid or several.
#[derive(Default)]
pub(super) struct Groups {
    numbers: HashMap<Box<str>, u32>,
    key: String,
    /// Of each row, in order of [`Self::extend`].
    pub of_row: Vec<u32>,
    /// Of each group, counted over all rows.
    pub first: Vec<usize>,
}

impl Groups {
    pub fn extend(&mut self, grid: &Grid, pick: &Pick) {
        self.of_row.reserve(grid.len());
        for labels in &grid.labels {
            self.push(|key| write_key(key, labels, pick, grid.nameless));
        }
    }

    /// One row more, whose key `write` writes.
    fn push(&mut self, write: impl FnOnce(&mut String)) {
        self.key.clear();
        write(&mut self.key);
        let known = self.numbers.get(self.key.as_str()).copied();
        let number = known.unwrap_or_else(|| {
            let number = self.first.len() as u32;
            self.numbers.insert(self.key.as_str().into(), number);
            self.first.push(self.of_row.len());
            number
        });
        self.of_row.push(number);
    }

    pub fn count(&self) -> usize {
        self.first.len()
    }
}

fn write_key(key: &mut String, labels: &Labels, pick: &Pick, nameless: bool) {
    match pick {
        Pick::Only(names) if names.is_empty() => {}
        Pick::Only(names) => {
            labels.write_filtered(key, |n| !(nameless && n == NAME) && names.iter().any(|l| l == n));
        }
        Pick::AllBut(names) => labels.write_filtered(key, |n| n != NAME && !names.iter().any(|l| l == n)),
    }
}

/// The picked labels of one row.
pub(super) fn picked(labels: &Labels, pick: &Pick, nameless: bool) -> Labels {
    match pick {
        Pick::Only(names) if names.is_empty() => Labels::empty(),
        Pick::Only(names) => labels.filtered(|n| !(nameless && n == NAME) && names.iter().any(|l| l == n)),
        Pick::AllBut(names) => labels.filtered(|n| n != NAME && !names.iter().any(|l| l == n)),
    }
}
