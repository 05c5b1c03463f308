//! How fast series change: rates with extrapolation, lines of best fit, smoothing.

use super::EvalError;
use super::func_range::Window;
use super::math::Kahan;
use crate::domain::series::{Millis, Sample};

/// Rate, increase and delta: the change over the samples, stretched to the window's ends where the
/// samples come close to them. A counter cannot have been below zero, so it is not stretched past
/// the moment where it would have been.
pub(super) fn extrapolated(w: &Window<'_>, counter: bool, per_second: bool) -> Option<f64> {
    let [first, .., last] = w.samples else { return None };
    let mut change = last.v - first.v;
    if counter {
        let mut before = first.v;
        for s in w.samples {
            if s.v < before {
                change += before;
            }
            before = s.v;
        }
    }
    let seconds = |millis: Millis| millis as f64 / 1000.0;
    let mut to_start = seconds(first.t - w.start);
    let to_end = seconds(w.end - last.t);
    let sampled = seconds(last.t - first.t);
    let between = sampled / (w.samples.len() - 1) as f64;
    if counter && change > 0.0 && first.v >= 0.0 {
        to_start = to_start.min(sampled * (first.v / change));
    }
    let near = between * 1.1;
    let stretch = |gap: f64| if gap < near { gap } else { between / 2.0 };
    let mut factor = (sampled + stretch(to_start) + stretch(to_end)) / sampled;
    if per_second {
        factor /= w.seconds;
    }
    Some(change * factor)
}

/// irate and idelta: the last two samples only.
pub(super) fn instant(samples: &[Sample], per_second: bool) -> Option<f64> {
    let [.., before, last] = samples else { return None };
    let change = if per_second && last.v < before.v { last.v } else { last.v - before.v };
    let millis = last.t - before.t;
    match (millis, per_second) {
        (0, _) => None,
        (_, true) => Some(change / (millis as f64 / 1000.0)),
        (_, false) => Some(change),
    }
}

/// Slope per second and value at `zero` of the line of least squares.
fn line(samples: &[Sample], zero: Millis) -> (f64, f64) {
    let first = samples.first().map_or(f64::NAN, |s| s.v);
    // A constant series is exactly flat; rounding would give it a slope.
    if samples.iter().skip(1).all(|s| s.v == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let [mut x_sum, mut y_sum, mut xy_sum, mut xx_sum] = [Kahan::default(); 4];
    for s in samples {
        let x = (s.t - zero) as f64 / 1000.0;
        x_sum.add(x);
        y_sum.add(s.v);
        xy_sum.add(x * s.v);
        xx_sum.add(x * x);
    }
    let n = samples.len() as f64;
    let (x, y) = (x_sum.total(), y_sum.total());
    let slope = (xy_sum.total() - x * y / n) / (xx_sum.total() - x * x / n);
    (slope, y / n - slope * x / n)
}

pub(super) fn deriv(samples: &[Sample]) -> Option<f64> {
    let [first, _, ..] = samples else { return None };
    Some(line(samples, first.t).0)
}

pub(super) fn predict(samples: &[Sample], at: Millis, ahead: f64) -> Option<f64> {
    let [_, _, ..] = samples else { return None };
    let (slope, now) = line(samples, at);
    Some(slope * ahead + now)
}

/// Double exponential smoothing with a factor for the value and one for the trend.
pub(super) fn holt_winters(samples: &[Sample], smooth: f64, trend: f64) -> Result<Option<f64>, EvalError> {
    for (name, factor) in [("smoothing", smooth), ("trend", trend)] {
        if factor <= 0.0 || factor >= 1.0 {
            return Err(EvalError(format!(
                "invalid {name} factor: it must be between 0 and 1, and is {factor}"
            )));
        }
    }
    let [first, second, ..] = samples else { return Ok(None) };
    let (mut before, mut level, mut slope) = (0.0, first.v, second.v - first.v);
    for (i, s) in samples.iter().skip(1).enumerate() {
        if i > 0 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        let next = smooth * s.v + (1.0 - smooth) * (level + slope);
        (before, level) = (level, next);
    }
    Ok(Some(level))
}
