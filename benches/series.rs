//! The series store: bytes a sample, all included, and what appending and selecting cost.
//! `cargo bench --bench series`; memory is what the kernel says of the process.

use quarterdeck::clock::{Clock, SystemClock};
use quarterdeck::domain::series::labels::NAME;
use quarterdeck::domain::series::store::{Appended, Limits};
use quarterdeck::domain::series::{Labels, Matcher, Op, Source, Store};
use std::time::Duration;

const STEP: i64 = 15_000;
const START: i64 = 1_760_000_000_000;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// How a series moves, in the mix that exporters have: most are counters, many stand still.
struct Walk {
    kind: u64,
    value: f64,
    pace: u64,
}

impl Walk {
    fn new(random: &mut Random) -> Self {
        let kind = random.below(100);
        Walk { kind, value: random.below(1_000_000) as f64, pace: 1 + random.below(200) }
    }

    fn step(&mut self, random: &mut Random) -> f64 {
        match self.kind {
            // Constants: build_info, limits, counters of errors that do not happen.
            0..40 => {}
            // Counters of events, at their own pace with noise.
            40..75 => self.value += (self.pace + random.below(1 + self.pace / 4)) as f64,
            // Seconds of processor time, in hundredths.
            75..85 => self.value = ((self.value * 100.0).round() + random.below(150) as f64) / 100.0,
            // Bytes that go up and down in pages.
            85..95 => self.value = (self.value + (random.below(512) * 4096) as f64 - 256.0 * 4096.0).max(0.0),
            // A float with all its digits: a mean, a sum of durations.
            _ => self.value += random.below(1_000_000) as f64 / 1e6 * 0.123_456_789,
        }
        self.value
    }
}

fn labels(i: u64) -> Labels {
    let (name, instance) =
        (format!("metric_{}_total", i % 500), format!("10.0.{}.{}:9100", i / 500 / 250, i / 500 % 250));
    let path = format!("/dev/disk/by-id/{}", i % 7);
    Labels::new([
        (NAME, name.as_str()),
        ("instance", &instance),
        ("job", "node"),
        ("device", &path),
        ("env", "production"),
    ])
}

/// Bytes of memory that the process uses.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|p| p.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn fill(series: u64, samples: i64, jitter: u64) -> Result<Store, String> {
    let limits = Limits {
        max_series: 1 << 20,
        max_bytes: 1 << 30,
        max_samples: 1 << 40,
        retention: Duration::from_secs(6 * 3600),
    };
    let mut random = Random(42);
    let mut store = Store::new(limits);
    let mut walks: Vec<_> = (0..series).map(|_| Walk::new(&mut random)).collect();
    let ids: Option<Vec<_>> = (0..series).map(|i| store.intern(&labels(i))).collect();
    let ids = ids.ok_or("no room")?;
    for n in 0..samples {
        let t = START + n * STEP + random.below(jitter + 1).cast_signed();
        for (id, walk) in ids.iter().zip(&mut walks) {
            if store.append(*id, t, walk.step(&mut random)) != Appended::Ok {
                return Err("a sample was refused".into());
            }
        }
    }
    Ok(store)
}

fn memory(what: &str, series: u64, samples: i64, jitter: u64) -> Result<Store, String> {
    let clock = SystemClock::new();
    let (before, start) = (resident(), clock.now().mono);
    let store = fill(series, samples, jitter)?;
    let took = clock.now().mono.saturating_sub(start);
    let (stats, grown) = (store.stats(), resident().saturating_sub(before));
    let each = |bytes: usize| bytes as f64 / stats.samples as f64;
    println!(
        "{what}: {} series x {samples} = {:.1} M samples: counted {:.1} MiB, {:.2} bytes a sample; resident {:.1} MiB, {:.2} bytes a sample; filled in {took:.1?}",
        stats.series,
        stats.samples as f64 / 1e6,
        stats.bytes as f64 / f64::from(1 << 20),
        each(stats.bytes),
        grown as f64 / f64::from(1 << 20),
        each(grown),
    );
    Ok(store)
}

fn main() -> Result<(), String> {
    // The smallest first: what is freed is not given back to the kernel.
    drop(memory("a million samples", 1000, 1000, 3)?);
    let store = memory("an hour of a fleet", 50_000, 240, 3)?;
    let clock = SystemClock::new();
    let end = START + 240 * STEP;
    let m = |n: &str, op, v: &str| Matcher::new(n, op, v);
    let selects = [
        ("one name, 100 series", vec![m(NAME, Op::Equal, "metric_7_total")?]),
        (
            "one name and an instance",
            vec![m(NAME, Op::Equal, "metric_7_total")?, m("instance", Op::Equal, "10.0.0.3:9100")?],
        ),
        ("names by expression, 1,100 series", vec![m(NAME, Op::Match, "metric_1.?_total")?]),
        ("all 50,000 series", vec![m("job", Op::Equal, "node")?]),
    ];
    for (what, matchers) in &selects {
        for (range, from) in [("last", None), ("5 min", Some(end - 300_000)), ("1 h", Some(START))] {
            let start = clock.now().mono;
            let (mut series, mut samples) = (0, 0);
            match from {
                None => store.select_last(matchers, end - 300_000, end, &mut |_, _| {
                    (series, samples) = (series + 1, samples + 1)
                }),
                Some(from) => store.select(matchers, from, end, &mut |_, s| {
                    (series, samples) = (series + 1, samples + s.len())
                }),
            }
            println!(
                "select {what}, {range}: {series} series, {samples} samples in {:.2?}",
                clock.now().mono.saturating_sub(start)
            );
        }
    }
    Ok(())
}
