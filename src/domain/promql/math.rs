//! Sums that keep what rounding loses, and quantiles.

/// A sum with Neumaier's correction, as Prometheus sums.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kahan {
    pub sum: f64,
    lost: f64,
}

impl Kahan {
    pub fn of(first: f64) -> Self {
        Kahan { sum: first, lost: 0.0 }
    }

    pub fn add(&mut self, v: f64) {
        let t = self.sum + v;
        self.lost += if self.sum.abs() >= v.abs() { (self.sum - t) + v } else { (v - t) + self.sum };
        self.sum = t;
    }

    /// The sum; an infinity stays one, although the correction is then no number.
    pub fn value(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.total() }
    }

    pub fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// The `q`-quantile, between the two nearest values in proportion; no numbers are the smallest.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let rank = q * (values.len() - 1) as f64;
    let lower = rank.floor().max(0.0);
    let (low, high) = (lower as usize, (lower as usize + 1).min(values.len() - 1));
    let weight = rank - rank.floor();
    match (values.get(low), values.get(high)) {
        (Some(a), Some(b)) => a * (1.0 - weight) + b * weight,
        _ => f64::NAN,
    }
}
