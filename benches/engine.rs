//! The engine over the compressed store: 200 rules over 50,000 series, five minutes of samples at
//! 15 s; what a board costs; and bytes a sample after an hour, everything included.
//! `cargo bench --bench engine`; time is the process', memory what the kernel says of it.

use quarterdeck::clock::{Clock, ManualClock};
use quarterdeck::domain::alert::rule::{Rule, RuleKind};
use quarterdeck::domain::alert::rules;
use quarterdeck::domain::board::{Ask, GraphIndex};
use quarterdeck::domain::promql::Expr;
use quarterdeck::domain::series::labels::NAME;
use quarterdeck::domain::series::store::Limits;
use quarterdeck::domain::series::{Labels, Millis};
use quarterdeck::domain::slo::Promise;
use quarterdeck::domain::telemetry::graphs::Graph;
use quarterdeck::domain::telemetry::{Setup, Telemetry, objectives};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::time::Duration;

const SERIES_PER_RULE: usize = 250;
const STEP: Duration = Duration::from_secs(15);
/// A bar of the issue: milliseconds of one core for 200 rules over 50,000 series.
const BAR: Duration = Duration::from_millis(50);

fn spent() -> Duration {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(t.tv_sec).unwrap_or(0), u32::try_from(t.tv_nsec).unwrap_or(0))
}

/// Bytes of memory that the process uses.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|p| p.parse::<usize>().ok()).unwrap_or(0) * 4096
}

type Failure = Box<dyn std::error::Error>;

fn setup(count: usize, graphs: usize, slos: usize) -> Result<Setup, Failure> {
    let rule = |i: usize| {
        let expr = format!(
            "sum by (job) (rate(app{i}_errors_total[5m])) / sum by (job) (rate(app{i}_requests_total[5m])) > 0.9"
        );
        Ok::<_, Failure>(Rule {
            kind: RuleKind::Alert(format!("Errors{i}")),
            expr: Expr::parse(&expr)?,
            hold: Duration::ZERO,
            keep_firing_for: Duration::ZERO,
            labels: BTreeMap::from([("severity".to_owned(), "critical".to_owned())]),
            annotations: BTreeMap::new(),
            interval: Some(STEP),
            group: "bench".to_owned(),
            limit: 0,
            help: String::new(),
            rows: Vec::new(),
            place: String::new(),
        })
    };
    let graph = |i: usize| {
        let expr = Expr::parse(&format!("sum by (job) (rate(app{i}_requests_total[5m]))"))?;
        Ok::<_, Failure>(Graph { lines: vec![(expr, String::new())] })
    };
    let slo = |i: usize| {
        Ok::<_, Failure>(objectives::Setup {
            id: format!("slo-{i}"),
            name: format!("Objective {i}"),
            promise: Promise { objective: 0.999, window: Duration::from_secs(30 * 86_400), min_events: 10.0 },
            total: Expr::parse(&format!("app{i}_requests_total"))?,
            part: Expr::parse(&format!("app{i}_errors_total"))?,
            good: false,
            help: String::new(),
            rows: Vec::new(),
        })
    };
    Ok(Setup {
        rules: rules::Setup {
            rules: (0..count).map(rule).collect::<Result<_, _>>()?,
            interval: STEP,
            ..rules::Setup::default()
        },
        graphs: (0..graphs).map(graph).collect::<Result<_, _>>()?,
        objectives: (0..slos).map(slo).collect::<Result<_, _>>()?,
        targets: Vec::new(),
        limits: Limits {
            max_series: 1 << 20,
            max_bytes: 1 << 30,
            max_samples: 1 << 40,
            retention: Duration::from_secs(6 * 3600),
        },
    })
}

fn series(rules: usize) -> Vec<Labels> {
    let of_rule = |rule: usize| {
        let names = [(format!("app{rule}_requests_total"), 4), (format!("app{rule}_errors_total"), 1)];
        names.into_iter().flat_map(|(name, share)| {
            (0..SERIES_PER_RULE * share / 5).map(move |i| {
                let (job, path) = (format!("job-{}", i % 5), format!("/api/v1/{}", i % 20));
                let instance = format!("10.0.{}.{}:9100", i / 250, i % 250);
                Labels::new([(NAME, name.as_str()), ("job", &job), ("instance", &instance), ("path", &path)])
            })
        })
    };
    (0..rules).flat_map(of_rule).collect()
}

/// An engine that was fed for so many steps.
fn fed(setup: Setup, all: &[Labels], clock: &ManualClock, steps: u32) -> Telemetry {
    let mut telemetry = Telemetry::new(setup);
    for n in 0..steps {
        let t: Millis = clock.now().wall.as_millisecond();
        let value = |i: usize| (u64::from(n) * (i as u64 % 97 + 3)) as f64;
        // In pages of a thousand, as targets give them.
        for (page, labels) in all.chunks(1000).enumerate() {
            let samples: Vec<_> =
                labels.iter().enumerate().map(|(i, l)| (l.clone(), t, value(page * 1000 + i))).collect();
            telemetry.take(&samples);
        }
        clock.advance(STEP);
    }
    telemetry
}

/// The least of several.
fn best(times: u32, mut what: impl FnMut()) -> Duration {
    let one = |_| {
        let before = spent();
        what();
        spent().saturating_sub(before)
    };
    (0..times).map(one).min().unwrap_or_default()
}

fn clock() -> Result<ManualClock, Failure> {
    Ok(ManualClock::at("2026-01-01T00:00:00Z".parse()?))
}

fn main() -> Result<(), Failure> {
    let all = series(200);
    let hour = clock()?;
    let before = resident();
    let telemetry = fed(setup(0, 0, 0)?, &all, &hour, 240);
    let samples = all.len() * 240;
    let bytes = (resident() - before) as f64 / samples as f64;
    println!("{} series, {samples} samples in an hour: {bytes:.2} bytes a sample (bar 8)", all.len());
    drop(telemetry);

    let steady = clock()?;
    let mut telemetry = fed(setup(200, 0, 0)?, &all, &steady, 21);
    let mono = || spent();
    let took = best(20, || {
        telemetry.evaluate_all(steady.now(), &mono);
    });
    println!("200 rules over {} series: {took:?} of one core (bar {BAR:?})", all.len());
    let first = best(1, || drop(telemetry.board(steady.now())));
    let again = best(20, || drop(telemetry.board(steady.now())));
    println!("a board of 200 rules: {first:?} after an evaluation, else {again:?}");
    drop(telemetry);

    let small = series(13);
    let steady = clock()?;
    let mut telemetry = fed(setup(13, 12, 5)?, &small, &steady, 240);
    let took = best(20, || {
        telemetry.evaluate_all(steady.now(), &mono);
    });
    println!("13 rules and 5 objectives over {} series, an hour: {took:?}", small.len());
    let first = best(1, || drop(telemetry.board(steady.now())));
    let again = best(20, || drop(telemetry.board(steady.now())));
    println!("a board of 13 rules: {first:?} after an evaluation, else {again:?} (bar 1ms)");
    let graphs = (0..12).map(GraphIndex).collect();
    telemetry.ask(Ask::Watch { graphs, span: Duration::from_secs(3600), end: None, columns: 60 });
    let again = best(20, || drop(telemetry.board(steady.now())));
    println!("the same with 12 graphs of an hour over 200 series each: {again:?}");
    Ok(())
}
