//! 200 rules over 50,000 series, 20 samples each in their windows: how long one evaluation of all
//! takes on one core. `cargo bench --bench promql`.

use quarterdeck::domain::promql::{Expr, Options, Value};
use quarterdeck::domain::series::{Labels, Matcher, Millis, Sample, Source};
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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let memory = Memory((0..RULES).flat_map(series).collect());
    let rules = (0..RULES)
        .map(|i| {
            Expr::parse(&format!(
                "sum by (job) (rate(app{i}_errors_total[5m])) / sum by (job) (rate(app{i}_requests_total[5m])) > 0.01"
            ))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = Options::default();
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let before = spent();
        let mut points = 0;
        for rule in &rules {
            if let Value::Vector(vector) = rule.instant(&memory, NOW, &options)? {
                points += vector.len();
            }
        }
        assert_eq!(points, RULES * 5, "every job of every rule is over its threshold");
        best = best.min(since(before));
    }
    let bar = Duration::from_millis(50);
    println!("{RULES} rules over {} series: {best:?} of one core (bar {bar:?})", RULES * SERIES_PER_RULE);
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
