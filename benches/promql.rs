//! 200 rules over 50,000 series, 20 samples each in their windows: how long one evaluation of all
//! takes on one core, over samples that lie there and over the store. `cargo bench --bench promql`.

use quarterdeck::domain::promql::{Expr, Options, Value};
use quarterdeck::domain::series::store::{Appended, Limits};
use quarterdeck::domain::series::{Labels, Matcher, Millis, Sample, Source, Store};
use rustix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::time::Duration;

const RULES: usize = 200;
/// A fifth of the series are errors, the rest requests.
const SERIES_PER_RULE: usize = 250;
const NOW: Millis = 1_700_000_000_000;

/// Series by name, their samples uncompressed: the evaluator's own time, without a store's.
struct Memory(HashMap<String, Family>);

type Family = Vec<(Labels, Vec<Sample>)>;

impl Source for Memory {
    fn select(
        &self,
        matchers: &[Matcher],
        from: Millis,
        to: Millis,
        visit: &mut dyn FnMut(&Labels, &[Sample]),
    ) {
        let Some(name) = matchers.iter().find(|m| m.name() == "__name__") else { return };
        for (labels, samples) in self.0.get(name.value()).into_iter().flatten() {
            let start = samples.partition_point(|s| s.t < from);
            let end = samples.partition_point(|s| s.t <= to);
            if matchers.iter().all(|m| m.selects(labels)) {
                visit(labels, samples.get(start..end).unwrap_or(&[]));
            }
        }
    }
}

fn series(rule: usize) -> Vec<(String, Family)> {
    let names = [(format!("app{rule}_requests_total"), 4), (format!("app{rule}_errors_total"), 1)];
    names
        .into_iter()
        .map(|(name, share)| {
            let all = (0..SERIES_PER_RULE * share / 5).map(|i| {
                let (job, instance, path) = (
                    format!("job-{}", i % 5),
                    format!("10.0.{}.{}:9100", i / 250, i % 250),
                    format!("/api/v1/{}", i % 20),
                );
                let labels =
                    [("__name__", name.as_str()), ("job", &job), ("instance", &instance), ("path", &path)];
                let samples =
                    (0..20).map(|n| Sample { t: NOW - 300_000 + 15_000 * n, v: n as f64 * (i + 3) as f64 });
                (Labels::new(labels), samples.collect())
            });
            (name.clone(), all.collect())
        })
        .collect()
}

fn spent() -> Duration {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(t.tv_sec).unwrap_or(0), u32::try_from(t.tv_nsec).unwrap_or(0))
}

fn since(before: Duration) -> Duration {
    spent().saturating_sub(before)
}

/// The same series in the real store with an hour of samples, of which the last ones lie as the
/// others' do: the newest is a step before the evaluation.
fn store(memory: &Memory) -> Result<Store, String> {
    let mut store = Store::new(Limits {
        max_series: 100_000,
        max_bytes: 1 << 30,
        max_samples: 1 << 40,
        retention: Duration::from_secs(6 * 3600),
    });
    let all = memory.0.values().flatten();
    let ids: Option<Vec<_>> =
        all.enumerate().map(|(i, (labels, _))| Some((i, store.intern(labels)?))).collect();
    let ids = ids.ok_or("no room for a series")?;
    for n in 0..240 {
        for (i, id) in &ids {
            let pace = (i % 50 + 3) as f64;
            if store.append(*id, NOW - 3_600_000 + 15_000 * n, n as f64 * pace) != Appended::Ok {
                return Err("a sample was refused".to_owned());
            }
        }
    }
    Ok(store)
}

/// The shortest time of many evaluations of all rules; `points` is what they give together.
fn best(rules: &[Expr], source: &dyn Source, points: usize) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let before = spent();
        let mut got = 0;
        for rule in rules {
            if let Value::Vector(vector) = rule.instant(source, NOW, &Options::default())? {
                got += vector.len();
            }
        }
        best = best.min(since(before));
        assert_eq!(got, points, "every job of every rule is over its threshold");
    }
    Ok(best)
}

fn parsed(text: impl Fn(usize) -> String) -> Result<Vec<Expr>, Box<dyn std::error::Error>> {
    Ok((0..RULES).map(|i| Expr::parse(&text(i))).collect::<Result<Vec<_>, _>>()?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let memory = Memory((0..RULES).flat_map(series).collect());
    let store = store(&memory)?;
    let stats = store.stats();
    println!(
        "the store holds {} samples of {} series in {:.2} bytes each",
        stats.samples,
        stats.series,
        stats.bytes as f64 / stats.samples as f64
    );
    let rules = parsed(|i| {
        format!(
            "sum by (job) (rate(app{i}_errors_total[5m])) / sum by (job) (rate(app{i}_requests_total[5m])) > 0.01"
        )
    })?;
    let newest = parsed(|i| {
        format!("sum by (job) (app{i}_errors_total) / sum by (job) (app{i}_requests_total) > 0.01")
    })?;
    let options = Options::default();
    let bar = Duration::from_millis(50);
    for (what, rules) in [("of rates", &rules), ("of newest samples", &newest)] {
        let series = RULES * SERIES_PER_RULE;
        let (lying, stored) = (best(rules, &memory, RULES * 5)?, best(rules, &store, RULES * 5)?);
        println!(
            "{RULES} rules {what} over {series} series: {lying:?} uncompressed, {stored:?} in the store, of one core (bar {bar:?})"
        );
    }
    let before = spent();
    for _ in 0..10 {
        for rule in &rules {
            Expr::parse(rule.text())?;
        }
    }
    println!("parsing one rule: {:?}", (since(before)) / (10 * RULES as u32));
    let before = spent();
    let hour = Duration::from_secs(3600);
    let lines = Expr::parse("rate(app1_requests_total[1m])")?.range(
        &memory,
        NOW - 3_600_000,
        NOW,
        hour / 300,
        &options,
    )?;
    println!("a graph of {} lines and 300 steps: {:?}", lines.len(), since(before));
    Ok(())
}
