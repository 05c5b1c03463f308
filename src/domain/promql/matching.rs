//! Operations between two vectors: which series of one side meets which of the other.

use super::EvalError;
use super::binary::{compute, flag};
use super::grid::{Grid, Groups, none, picked};
use super::node::{BinOp, Binary, Many, Pick};
use crate::domain::series::Labels;
use crate::domain::series::labels::NAME;
use std::collections::HashMap;

/// No row.
const NONE: u32 = u32::MAX;

/// The groups of the rows of two grids, numbered together.
struct Sides {
    groups: Groups,
    left_rows: usize,
}

impl Sides {
    fn new(b: &Binary, left: &Grid, right: &Grid) -> Self {
        let mut groups = left.groups(&b.pick);
        groups.extend(right, &b.pick);
        Sides { groups, left_rows: left.len() }
    }

    fn left(&self) -> &[u32] {
        self.groups.of_row.get(..self.left_rows).unwrap_or(&[])
    }

    fn right(&self) -> &[u32] {
        self.groups.of_row.get(self.left_rows..).unwrap_or(&[])
    }
}

/// `and`, `or`, `unless`.
pub(super) fn sets(b: &Binary, left: &Grid, right: &Grid) -> Result<Grid, EvalError> {
    let sides = Sides::new(b, left, right);
    let width = left.width;
    // For each group and step, whether the deciding side has a series there.
    let (deciding, numbers) = match b.op {
        BinOp::Or => (left, sides.left()),
        _ => (right, sides.right()),
    };
    let mut there = vec![false; sides.groups.count() * width];
    for (row, group) in numbers.iter().enumerate() {
        for step in 0..width {
            if deciding.value(row, step).is_some()
                && let Some(slot) = there.get_mut(*group as usize * width + step)
            {
                *slot = true;
            }
        }
    }
    let keep = |out: &mut Grid, numbers: &[u32], wanted: bool| {
        for (row, group) in numbers.iter().enumerate() {
            for step in 0..width {
                if there.get(*group as usize * width + step) != Some(&wanted)
                    && let Some(slot) = out.row_mut(row).get_mut(step)
                {
                    *slot = none();
                }
            }
        }
        out.compact();
    };
    match b.op {
        BinOp::Or => {
            let (mut out, mut more) = (left.clone(), right.clone());
            keep(&mut more, sides.right(), false);
            out.settle_names();
            more.settle_names();
            out.labels.append(&mut more.labels);
            out.values.append(&mut more.values);
            out.unite(false)
        }
        op => {
            let mut out = left.clone();
            keep(&mut out, sides.left(), op == BinOp::And);
            Ok(out)
        }
    }
}

/// Arithmetic and comparisons, one to one or many to one.
pub(super) fn pairs(b: &Binary, left: &Grid, right: &Grid) -> Result<Grid, EvalError> {
    let sides = Sides::new(b, left, right);
    let swapped = b.many == Many::Right;
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let (many_groups, one_groups) =
        if swapped { (sides.right(), sides.left()) } else { (sides.left(), sides.right()) };
    let width = left.width;
    let mut out =
        Output { b, many, one, grid: Grid::new(width), rows: HashMap::new(), last: (NONE, NONE, 0) };
    let mut one_of = vec![NONE; sides.groups.count()];
    let mut matched = vec![NONE; sides.groups.count()];
    for step in 0..width {
        // Where one side has nothing, nothing meets, and nothing can be wrong.
        if !(has_any(many, step) && has_any(one, step)) {
            continue;
        }
        one_of.fill(NONE);
        for (row, group) in one_groups.iter().enumerate() {
            if one.value(row, step).is_none() {
                continue;
            }
            let Some(slot) = one_of.get_mut(*group as usize) else { continue };
            if *slot != NONE {
                return Err(doubled(b, one, *slot as usize, row, swapped));
            }
            *slot = row as u32;
        }
        for (row, group) in many_groups.iter().enumerate() {
            let Some(v) = many.value(row, step) else { continue };
            let Some(other) = one_of.get(*group as usize).copied().filter(|o| *o != NONE) else { continue };
            let w = one.value(other as usize, step).unwrap_or(f64::NAN);
            let value = if swapped { compute(b.op, w, v) } else { compute(b.op, v, w) };
            let value = if b.flag { Some(flag(value)) } else { value };
            let Some(value) = value else { continue };
            if b.many == Many::None
                && let Some(slot) = matched.get_mut(*group as usize)
            {
                if *slot == step as u32 {
                    return Err(EvalError(
                        "multiple matches for labels: many-to-one matching must be explicit \
                         (group_left/group_right)"
                            .to_owned(),
                    ));
                }
                *slot = step as u32;
            }
            out.put(row as u32, other, step, value);
        }
    }
    // One to one, each group gave at most one row at this step, and groups differ in their labels.
    if width == 1 && b.many == Many::None { Ok(out.grid) } else { out.grid.unite(false) }
}

fn has_any(grid: &Grid, step: usize) -> bool {
    (0..grid.len()).any(|row| grid.value(row, step).is_some())
}

fn doubled(b: &Binary, one: &Grid, first: usize, second: usize, swapped: bool) -> EvalError {
    let (Pick::Only(names) | Pick::AllBut(names)) = &b.pick;
    let labels = one.labels_of(first);
    let group = match b.pick {
        Pick::Only(_) => labels.filtered(|n| names.iter().any(|l| l == n)),
        Pick::AllBut(_) => labels.filtered(|n| n != NAME && !names.iter().any(|l| l == n)),
    };
    let side = if swapped { "left" } else { "right" };
    EvalError(format!(
        "found duplicate series for the match group {group} on the {side} hand-side of the operation: \
         [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
        one.labels_of(second),
        labels,
    ))
}

/// The result's rows: one for each pair of rows that met.
struct Output<'a> {
    b: &'a Binary,
    many: &'a Grid,
    one: &'a Grid,
    grid: Grid,
    rows: HashMap<(u32, u32), usize>,
    /// The pair found last, and its row.
    last: (u32, u32, usize),
}

impl Output<'_> {
    fn put(&mut self, many: u32, one: u32, step: usize, value: f64) {
        let (width, pair) = (self.grid.width, (many, one));
        let row = if width == 1 {
            let labels = self.labels(many, one);
            self.grid.add(labels)
        } else if (self.last.0, self.last.1) == pair {
            self.last.2
        } else if let Some(row) = self.rows.get(&pair) {
            *row
        } else {
            let labels = self.labels(many, one);
            let row = self.grid.add(labels);
            self.rows.insert(pair, row);
            row
        };
        self.last = (many, one, row);
        if let Some(slot) = self.grid.row_mut(row).get_mut(step) {
            *slot = value;
        }
    }

    fn labels(&self, many: u32, one: u32) -> Labels {
        let (b, grid) = (self.b, self.many);
        let Some(labels) = grid.labels.get(many as usize) else { return Labels::empty() };
        let nameless = grid.nameless || b.op.drops_name() || b.flag;
        if b.many == Many::None {
            return match &b.pick {
                Pick::Only(_) => picked(labels, &b.pick, nameless),
                Pick::AllBut(names) => {
                    labels.filtered(|n| !(names.iter().any(|l| l == n) || nameless && n == NAME))
                }
            };
        }
        let own = if nameless { labels.without_name() } else { labels.clone() };
        if b.include.is_empty() {
            return own;
        }
        let other = self.one.labels_of(one as usize);
        // An empty value takes the label away, as it does in Prometheus.
        let included = b.include.iter().map(|n| (n.as_str(), other.get(n)));
        Labels::new(own.iter().chain(included))
    }
}
