//! Functions of the samples in a window: the `*_over_time` family and what looks at changes.

use super::EvalError;
use super::func_rate;
use super::math::{Kahan, quantile};
use super::table::Func;
use crate::domain::series::{Millis, Sample};

/// At least one sample, and where the window lies.
pub(super) struct Window<'a> {
    pub samples: &'a [Sample],
    /// Both ends belong to the window.
    pub start: Millis,
    pub end: Millis,
    /// The moment of evaluation, which `offset` and `@` do not move.
    pub at: Millis,
    /// The window's length.
    pub seconds: f64,
    /// The function's scalar arguments.
    pub params: [f64; 2],
}

pub(super) type Run = fn(&Window<'_>) -> Result<Option<f64>, EvalError>;

/// How a function of windows is computed.
pub(super) fn of(func: Func) -> Run {
    match func {
        Func::AvgOverTime => |w| Ok(Some(avg(w.samples))),
        Func::SumOverTime => |w| Ok(Some(sum(w.samples))),
        Func::CountOverTime => |w| Ok(Some(w.samples.len() as f64)),
        Func::MaxOverTime => |w| Ok(best(w.samples, |a, b| a > b)),
        Func::MinOverTime => |w| Ok(best(w.samples, |a, b| a < b)),
        Func::LastOverTime => |w| Ok(w.samples.last().map(|s| s.v)),
        Func::PresentOverTime | Func::AbsentOverTime => |_| Ok(Some(1.0)),
        Func::StdvarOverTime => |w| Ok(Some(variance(w.samples))),
        Func::StddevOverTime => |w| Ok(Some(variance(w.samples).sqrt())),
        Func::QuantileOverTime => |w| {
            let mut values: Vec<f64> = w.samples.iter().map(|s| s.v).collect();
            Ok(Some(quantile(w.params[0], &mut values)))
        },
        Func::Changes => |w| Ok(Some(pairs(w.samples, |a, b| a != b && !(a.is_nan() && b.is_nan())))),
        Func::Resets => |w| Ok(Some(pairs(w.samples, |a, b| b < a))),
        Func::Rate => |w| Ok(func_rate::extrapolated(w, true, true)),
        Func::Increase => |w| Ok(func_rate::extrapolated(w, true, false)),
        Func::Delta => |w| Ok(func_rate::extrapolated(w, false, false)),
        Func::Irate => |w| Ok(func_rate::instant(w.samples, true)),
        Func::Idelta => |w| Ok(func_rate::instant(w.samples, false)),
        Func::Deriv => |w| Ok(func_rate::deriv(w.samples)),
        Func::PredictLinear => |w| Ok(func_rate::predict(w.samples, w.at, w.params[0])),
        Func::HoltWinters => |w| func_rate::holt_winters(w.samples, w.params[0], w.params[1]),
        _ => |_| Err(EvalError("this is no function of a window".to_owned())),
    }
}

fn sum(samples: &[Sample]) -> f64 {
    let mut sum = Kahan::default();
    for s in samples {
        sum.add(s.v);
    }
    sum.value()
}

/// The mean, moved a little by each sample, so that large values do not overflow on the way.
fn avg(samples: &[Sample]) -> f64 {
    let (mut mean, mut count) = (Kahan::default(), 0.0);
    for s in samples {
        count += 1.0;
        if mean.sum.is_infinite() {
            let same = s.v.is_infinite() && (mean.sum > 0.0) == (s.v > 0.0);
            if same || s.v.is_finite() {
                continue;
            }
        }
        mean.add(s.v / count - mean.sum / count);
    }
    mean.value()
}

fn best(samples: &[Sample], better: fn(f64, f64) -> bool) -> Option<f64> {
    let mut best = samples.first()?.v;
    for s in samples {
        if better(s.v, best) || best.is_nan() {
            best = s.v;
        }
    }
    Some(best)
}

fn variance(samples: &[Sample]) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Kahan::default(), Kahan::default());
    for s in samples {
        count += 1.0;
        let delta = s.v - mean.total();
        mean.add(delta / count);
        squares.add(delta * (s.v - mean.total()));
    }
    squares.total() / count
}

fn pairs(samples: &[Sample], counts: fn(f64, f64) -> bool) -> f64 {
    samples.windows(2).filter(|w| matches!(w, [a, b] if counts(a.v, b.v))).count() as f64
}
