//! The samples of the comparison: counters that reset, gauges with every odd value, histograms,
//! gaps, irregular times, stale markers, series that come and go.

use crate::oracle::Data;
use quarterdeck::domain::series::{Labels, Millis, Sample, stale};

/// The first sample's time; not on a minute.
pub const START: Millis = 1_700_000_007_000;
/// The last one's.
pub const END: Millis = START + 40 * 60_000;

/// Small and repeatable; the seed is fixed so that a failure stays.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Values are quarters, so that sums do not depend on their order.
fn quarter(dice: &mut Dice, most: u64) -> f64 {
    dice.below(most * 4) as f64 / 4.0
}

pub fn data(seed: u64) -> Data {
    let mut dice = Dice(seed);
    let mut all = Vec::new();
    for job in ["api", "web", "db"] {
        for instance in ["a:1", "b:1"] {
            for code in ["200", "404", "500"] {
                let labels = [("job", job), ("instance", instance), ("code", code)];
                all.push((named("requests_total", &labels), counter(&mut dice, 15_000)));
            }
            let labels = [("job", job), ("instance", instance)];
            all.push((named("errors_total", &labels), counter(&mut dice, 30_000)));
            all.push((named("temp", &labels), gauge(&mut dice, false)));
            all.push((named("odd", &labels), gauge(&mut dice, true)));
            let up = every(15_000).map(|t| Sample { t, v: f64::from(u8::from(dice.below(5) > 0)) }).collect();
            all.push((named("up", &labels), up));
            histogram(&mut dice, "lat_bucket", &labels, &mut all);
        }
        let limit = quarter(&mut dice, 50);
        let fixed = every(60_000).map(|t| Sample { t, v: limit }).collect();
        all.push((named("limit", &[("job", job), ("tier", "gold")]), fixed));
        all.push((named("flaky", &[("job", job)]), flaky(&mut dice)));
        histogram(&mut dice, "size_bucket", &[("job", job)], &mut all);
    }
    let constant = every(15_000).map(|t| Sample { t, v: 7.0 }).collect();
    all.push((named("constant", &[("job", "api")]), constant));
    all.push((named("once", &[("job", "web")]), vec![Sample { t: START + 600_000, v: 3.5 }]));
    let clock = every(15_000).map(|t| Sample { t, v: t as f64 / 1000.0 - 8_000_000.0 }).collect();
    all.push((named("clock", &[]), clock));
    all.retain(|(_, samples): &(Labels, Vec<Sample>)| !samples.is_empty());
    // Which of equal values topk keeps depends on this order in Prometheus.
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Data(all)
}

fn named(name: &str, labels: &[(&str, &str)]) -> Labels {
    Labels::new(labels.iter().copied().chain([("__name__", name)]))
}

fn every(step: Millis) -> impl Iterator<Item = Millis> {
    (0..).map(move |i| START + i * step).take_while(|t| *t <= END)
}

/// Rises, sometimes starts again, misses samples, and has jitter.
fn counter(dice: &mut Dice, step: Millis) -> Vec<Sample> {
    let mut v = quarter(dice, 1000);
    let mut samples = Vec::new();
    for t in every(step) {
        v = if dice.below(40) == 0 { quarter(dice, 5) } else { v + quarter(dice, 20) };
        if dice.below(12) > 0 {
            samples.push(Sample { t: t + dice.below(2000).cast_signed(), v });
        }
    }
    samples
}

fn gauge(dice: &mut Dice, odd: bool) -> Vec<Sample> {
    let mut samples = Vec::new();
    for t in every(15_000) {
        let v = match dice.below(if odd { 12 } else { 1000 }) {
            0 if odd => f64::NAN,
            1 if odd => f64::INFINITY,
            2 if odd => f64::NEG_INFINITY,
            3 => 0.0,
            4 if odd => -0.0,
            _ => quarter(dice, 100) - 40.0,
        };
        samples.push(Sample { t, v });
    }
    samples
}

/// Runs, ends with a marker, is silent without one, and comes back.
fn flaky(dice: &mut Dice) -> Vec<Sample> {
    let (mut samples, mut alive) = (Vec::new(), true);
    for t in every(15_000) {
        if dice.below(15) == 0 {
            if alive && dice.below(2) == 0 {
                samples.push(Sample { t, v: stale() });
            }
            alive = !alive;
        } else if alive {
            samples.push(Sample { t, v: quarter(dice, 30) });
        }
    }
    samples
}

fn histogram(dice: &mut Dice, name: &str, labels: &[(&str, &str)], all: &mut Vec<(Labels, Vec<Sample>)>) {
    let bounds = ["-1", "0.1", "0.5", "1", "5", "+Inf"];
    let mut counts = [0.0; 6];
    let mut series: Vec<Vec<Sample>> = vec![Vec::new(); bounds.len()];
    for t in every(30_000) {
        for _ in 0..dice.below(20) {
            let hit = dice.below(6) as usize;
            counts[hit..].iter_mut().for_each(|c| *c += 1.0);
        }
        for (samples, v) in series.iter_mut().zip(counts) {
            samples.push(Sample { t, v });
        }
    }
    for (bound, samples) in bounds.iter().zip(series) {
        let with_bound: Vec<_> = labels.iter().copied().chain([("le", *bound)]).collect();
        all.push((named(name, &with_bound), samples));
    }
}
