//! Arithmetic and comparisons between numbers, and between a vector and a scalar.

use super::EvalError;
use super::grid::{Grid, is_none, none};
use super::node::{BinOp, Binary};

/// The operation's value; of a comparison the left one, if it holds.
pub(super) fn compute(op: BinOp, l: f64, r: f64) -> Option<f64> {
    let kept = |holds: bool| holds.then_some(l);
    match op {
        BinOp::Add => Some(l + r),
        BinOp::Sub => Some(l - r),
        BinOp::Mul => Some(l * r),
        BinOp::Div => Some(l / r),
        BinOp::Mod => Some(l % r),
        BinOp::Pow => Some(l.powf(r)),
        BinOp::Atan2 => Some(l.atan2(r)),
        BinOp::Equal => kept(l == r),
        BinOp::NotEqual => kept(l != r),
        BinOp::Greater => kept(l > r),
        BinOp::Less => kept(l < r),
        BinOp::GreaterEqual => kept(l >= r),
        BinOp::LessEqual => kept(l <= r),
        // Sets are of series, not of numbers.
        BinOp::And | BinOp::Or | BinOp::Unless => None,
    }
}

/// 1 or 0: what `bool` makes of a comparison.
pub(super) fn flag(kept: Option<f64>) -> f64 {
    if kept.is_some() { 1.0 } else { 0.0 }
}

/// Between scalars a comparison always is one with `bool`.
pub(super) fn scalars(op: BinOp, mut left: Vec<f64>, right: &[f64]) -> Vec<f64> {
    for (l, r) in left.iter_mut().zip(right) {
        let value = compute(op, *l, *r);
        *l = if op.compares() { flag(value) } else { value.unwrap_or(f64::NAN) };
    }
    left
}

/// Of a vector and a scalar; `swapped` when the scalar stands on the left.
pub(super) fn with_scalar(
    b: &Binary,
    mut grid: Grid,
    scalar: &[f64],
    swapped: bool,
) -> Result<Grid, EvalError> {
    let width = grid.width;
    for row in grid.values.chunks_exact_mut(width) {
        for (slot, s) in row.iter_mut().zip(scalar).filter(|(slot, _)| !is_none(**slot)) {
            let own = *slot;
            let value = if swapped { compute(b.op, *s, own) } else { compute(b.op, own, *s) };
            *slot = match value {
                kept if b.flag => flag(kept),
                // What a comparison keeps is always the vector's value.
                Some(_) if b.op.compares() => own,
                Some(v) => v,
                None => none(),
            };
        }
    }
    if b.op.compares() && !b.flag {
        grid.compact();
    }
    if b.op.drops_name() || b.flag { grid.drop_name(false) } else { Ok(grid) }
}
