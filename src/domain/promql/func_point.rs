//! Functions of each value by itself.

use super::EvalError;
use super::grid::{Grid, is_none, none};
use super::table::Func;

/// The value of the only series at each step; no number when there is not exactly one.
pub(super) fn scalar(grid: &Grid) -> Vec<f64> {
    (0..grid.width)
        .map(|step| {
            let mut values = (0..grid.len()).filter_map(|row| grid.value(row, step));
            match (values.next(), values.next()) {
                (Some(v), None) => v,
                _ => f64::NAN,
            }
        })
        .collect()
}

/// Applies a function to every value; the metric's name goes.
pub(super) fn apply(func: Func, mut grid: Grid, params: &[Vec<f64>]) -> Result<Grid, EvalError> {
    let width = grid.width;
    let param = |n: usize, step: usize| params.get(n).and_then(|p| p.get(step)).copied();
    for row in grid.values.chunks_exact_mut(width) {
        for (step, slot) in row.iter_mut().enumerate().filter(|(_, v)| !is_none(**v)) {
            let v = *slot;
            *slot = match func {
                Func::Round => round(v, param(0, step).unwrap_or(1.0)),
                Func::Clamp => {
                    let (least, most) = bounds(param(0, step), param(1, step));
                    if most < least { none() } else { larger(least, smaller(most, v)) }
                }
                Func::ClampMin => larger(param(0, step).unwrap_or(f64::NAN), v),
                Func::ClampMax => smaller(param(0, step).unwrap_or(f64::NAN), v),
                _ => one(func, v),
            };
        }
    }
    if func == Func::Clamp {
        grid.compact();
    }
    grid.drop_name(false)
}

fn bounds(least: Option<f64>, most: Option<f64>) -> (f64, f64) {
    (least.unwrap_or(f64::NAN), most.unwrap_or(f64::NAN))
}

/// As Go has it: an infinity that decides does so also against no number; otherwise the result is
/// no number if one is none.
fn larger(a: f64, b: f64) -> f64 {
    match (a, b) {
        (f64::INFINITY, _) | (_, f64::INFINITY) => f64::INFINITY,
        _ if a.is_nan() || b.is_nan() => f64::NAN,
        _ => a.max(b),
    }
}

fn smaller(a: f64, b: f64) -> f64 {
    match (a, b) {
        (f64::NEG_INFINITY, _) | (_, f64::NEG_INFINITY) => f64::NEG_INFINITY,
        _ if a.is_nan() || b.is_nan() => f64::NAN,
        _ => a.min(b),
    }
}

/// To the nearest multiple, halves up. Multiplies by the inverse, as Prometheus does: dividing
/// would round other values.
fn round(v: f64, to: f64) -> f64 {
    let inverse = 1.0 / to;
    (v * inverse + 0.5).floor() / inverse
}

fn one(func: Func, v: f64) -> f64 {
    match func {
        Func::Abs => v.abs(),
        Func::Ceil => v.ceil(),
        Func::Floor => v.floor(),
        Func::Exp => v.exp(),
        Func::Ln => v.ln(),
        Func::Log2 => v.log2(),
        Func::Log10 => v.log10(),
        Func::Sqrt => v.sqrt(),
        Func::Sgn => {
            if v < 0.0 {
                -1.0
            } else if v > 0.0 {
                1.0
            } else {
                v
            }
        }
        Func::Sin => v.sin(),
        Func::Cos => v.cos(),
        Func::Tan => v.tan(),
        Func::Asin => v.asin(),
        Func::Acos => v.acos(),
        Func::Atan => v.atan(),
        Func::Sinh => v.sinh(),
        Func::Cosh => v.cosh(),
        Func::Tanh => v.tanh(),
        Func::Asinh => v.asinh(),
        Func::Acosh => v.acosh(),
        Func::Atanh => v.atanh(),
        Func::Deg => v * 180.0 / std::f64::consts::PI,
        Func::Rad => v * std::f64::consts::PI / 180.0,
        _ => f64::NAN,
    }
}
