//! `quarterdeck check`: one pass over the probes, for cron, for monitoring plugins, for scripts.

use crate::clock::Now;
use crate::domain::cause::{self, Role};
use crate::domain::health::{Health, Tally};
use crate::domain::matrix::{Layer, Matrix};
use crate::domain::observation::{Observation, ProbeIndex};
use crate::domain::{text, units};
use crate::observe::prober::Prober;
use serde::Serialize;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The version of the JSON shape; it grows by one when a reader of the old shape would err.
pub const JSON_VERSION: u32 = 1;

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    Text,
    Json,
    Prometheus,
}

/// Runs every probe once, or only those given, a bounded number at a time.
pub async fn once(prober: Arc<Prober>, matrix: &mut Matrix, only: &[ProbeIndex]) {
    let running = Arc::new(Semaphore::new(crate::observe::scheduler::MAX_RUNNING));
    let mut tasks = tokio::task::JoinSet::new();
    for &probe in only {
        let (prober, running) = (Arc::clone(&prober), Arc::clone(&running));
        tasks.spawn(async move {
            let _permit = running.acquire().await;
            (probe, prober.run(probe).await)
        });
    }
    while let Some(done) = tasks.join_next().await {
        if let Ok((probe, reading)) = done {
            let next = prober.clock().now().plus(Duration::from_secs(3600));
            matrix.apply(Observation::Probed { probe, reading: Box::new(reading), next });
        }
    }
}

/// Passes until everything is up or `wait` is over; at least one. What is up is not asked again.
pub async fn until_up(prober: Arc<Prober>, matrix: &mut Matrix, probes: &[ProbeIndex], wait: Duration) {
    let start = prober.clock().now();
    let mut open: Vec<ProbeIndex> = probes.to_vec();
    loop {
        once(Arc::clone(&prober), matrix, &open).await;
        let now = prober.clock().now();
        open.retain(|p| latest(matrix, *p) != Health::Up);
        if open.is_empty() || now.since(start) >= wait {
            return;
        }
        let pause = Duration::from_secs(1).min(wait.saturating_sub(now.since(start)));
        tokio::time::sleep(pause).await;
    }
}

/// The last result itself: one pass has nothing to damp.
fn latest(matrix: &Matrix, probe: ProbeIndex) -> Health {
    matrix.probe(probe).and_then(|(_, s)| s.last.as_ref()).map_or(Health::Unknown, |l| l.health)
}

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    stack: &'a str,
    environment: &'a str,
    /// RFC 3339, UTC.
    at: String,
    health: Health,
    tally: Tally,
    /// The layer to look at first; null when nothing fails.
    cause: Option<&'a str>,
    probes: Vec<ProbeReport<'a>>,
}

#[derive(Serialize)]
struct ProbeReport<'a> {
    id: &'a str,
    name: &'a str,
    layer: &'a str,
    host: &'a str,
    kind: &'a str,
    target: &'a str,
    health: Health,
    reason: &'a str,
    /// The layer whose failure explains this one's; null when it stands for itself, or is well.
    explained_by: Option<&'a str>,
    /// Seconds; null when it was not run.
    latency_seconds: Option<f64>,
    at: Option<String>,
}

/// The exit code and the text to print.
pub fn report(
    matrix: &Matrix,
    probes: &[ProbeIndex],
    stack: &str,
    environment: &str,
    now: Now,
    output: Output,
) -> (u8, String) {
    let tally: Tally = probes.iter().map(|p| latest(matrix, *p)).collect();
    let worst = tally.worst();
    let roles = roles(matrix, probes);
    let cause = cause_of(matrix, &roles, probes);
    let rows: Vec<ProbeReport<'_>> = probes.iter().filter_map(|p| row(matrix, *p, &roles)).collect();
    let printed = match output {
        Output::Text => {
            as_text(&rows, stack, tally, &cause.map(|c| cause_text(matrix, c)).unwrap_or_default())
        }
        Output::Json => {
            let report = Report {
                version: JSON_VERSION,
                stack,
                environment,
                at: now.wall.to_string(),
                health: worst,
                tally,
                cause: cause.map(|(layer, _)| layer.id.as_str()),
                probes: rows,
            };
            serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
        }
        Output::Prometheus => as_prometheus(&rows),
    };
    (worst.exit_code(), printed)
}

/// The part of each layer in what this pass saw: its own results, since nothing is damped here.
fn roles(matrix: &Matrix, probes: &[ProbeIndex]) -> Vec<Role> {
    let of_layer = |layer: usize| matrix.of_layer(layer).filter(|p| probes.contains(p));
    let worst = |layer: usize| of_layer(layer).map(|p| latest(matrix, p)).collect::<Tally>().worst();
    let health: Vec<Health> = (0..matrix.layers().len()).map(worst).collect();
    let needs: Vec<Vec<usize>> = matrix.layers().iter().map(|l| l.needs.clone()).collect();
    cause::roles(&health, &needs)
}

/// The worst layer that nothing explains and its worst probe; the first of equals.
fn cause_of<'a>(
    matrix: &'a Matrix,
    roles: &[Role],
    probes: &[ProbeIndex],
) -> Option<(&'a Layer, ProbeIndex)> {
    let of_a_cause = |p: &ProbeIndex| {
        matrix.probe(*p).is_some_and(|(meta, _)| roles.get(meta.layer) == Some(&Role::Cause))
    };
    let worst = probes.iter().copied().filter(of_a_cause);
    let worst = worst.min_by_key(|p| {
        let layer = matrix.probe(*p).map(|(meta, _)| meta.layer);
        (std::cmp::Reverse(latest(matrix, *p).severity()), layer)
    })?;
    Some((matrix.layers().get(matrix.probe(worst)?.0.layer)?, worst))
}

/// ` - Redis: Redis answers PING: connection refused`; without the `|` after which monitoring
/// systems read figures.
fn cause_text(matrix: &Matrix, (layer, probe): (&Layer, ProbeIndex)) -> String {
    let Some((meta, state)) = matrix.probe(probe) else { return String::new() };
    let reason = state.last.as_ref().map_or("not probed", |l| l.reason.as_str());
    let said = text::one_line(&format!("{}: {}: {reason}", layer.name, meta.name), 400);
    format!(" - {}", said.replace('|', "/"))
}

fn row<'a>(matrix: &'a Matrix, probe: ProbeIndex, roles: &[Role]) -> Option<ProbeReport<'a>> {
    let (meta, state) = matrix.probe(probe)?;
    let last = state.last.as_ref();
    let failing = matches!(latest(matrix, probe), Health::Degraded | Health::Down);
    let explained_by = match roles.get(meta.layer) {
        Some(Role::ExplainedBy(layer)) if failing => matrix.layers().get(*layer).map(|l| l.id.as_str()),
        _ => None,
    };
    Some(ProbeReport {
        id: meta.id.as_str(),
        name: &meta.name,
        layer: matrix.layers().get(meta.layer).map_or("", |l| l.id.as_str()),
        host: meta.host.as_str(),
        kind: meta.kind,
        target: &meta.target,
        health: last.map_or(Health::Unknown, |l| l.health),
        reason: last.map_or("not probed", |l| l.reason.as_str()),
        explained_by,
        latency_seconds: last.and_then(|l| l.latency).map(|l| l.as_secs_f64()),
        at: last.map(|l| l.at.wall.to_string()),
    })
}

/// What is printed when there is no result at all: `why` completes "failed to …" or is a sentence
/// of its own. Not to know is `unknown`, in whatever form was asked for.
pub fn no_result(why: &str, output: Output) -> String {
    let why = text::one_line(why, 400);
    match output {
        Output::Text => format!("UNKNOWN quarterdeck: {}\n", why.replace('|', "/")),
        Output::Json => {
            let report =
                serde_json::json!({ "version": JSON_VERSION, "health": Health::Unknown, "error": why });
            format!("{report}\n")
        }
        Output::Prometheus => format!("# UNKNOWN quarterdeck: {why}\n"),
    }
}

/// First line for a monitoring system, then a line a probe, worst first.
fn as_text(rows: &[ProbeReport<'_>], stack: &str, tally: Tally, cause: &str) -> String {
    let mut out = format!(
        "{} {stack}: {} up, {} degraded, {} down, {} unknown",
        tally.worst().as_str().to_uppercase(),
        tally.up,
        tally.degraded,
        tally.down,
        tally.unknown
    );
    out.push_str(cause);
    out.push('\n');
    let wide = rows.iter().map(|r| r.id.len()).max().unwrap_or(0);
    let mut rows: Vec<&ProbeReport<'_>> = rows.iter().collect();
    rows.sort_by_key(|r| std::cmp::Reverse(r.health.severity()));
    for r in rows {
        let took = r
            .latency_seconds
            .and_then(|s| Duration::try_from_secs_f64(s).ok())
            .map(units::latency)
            .unwrap_or_default();
        let _ = writeln!(out, "{:8} {:wide$} {took:>7}  {}", r.health, r.id, r.reason);
    }
    out
}

/// The text format of Prometheus, for the textfile collector of `node_exporter`.
fn as_prometheus(rows: &[ProbeReport<'_>]) -> String {
    let mut out = String::from(
        "# HELP probe_success 1 when the probe is up or degraded, 0 when it is down; absent when unknown.\n# TYPE probe_success gauge\n",
    );
    let labels =
        |r: &ProbeReport<'_>| format!("probe=\"{}\",layer=\"{}\",host=\"{}\"", r.id, r.layer, r.host);
    for r in rows.iter().filter(|r| r.health != Health::Unknown) {
        let _ = writeln!(out, "probe_success{{{}}} {}", labels(r), u8::from(r.health != Health::Down));
    }
    out.push_str("# HELP probe_health The state as a number: 0 up, 1 degraded, 2 down, 3 unknown.\n# TYPE probe_health gauge\n");
    for r in rows {
        let _ = writeln!(out, "probe_health{{{}}} {}", labels(r), r.health.exit_code());
    }
    out.push_str(
        "# HELP probe_duration_seconds How long the probe took.\n# TYPE probe_duration_seconds gauge\n",
    );
    for (r, seconds) in rows.iter().filter_map(|r| Some((r, r.latency_seconds?))) {
        let _ = writeln!(out, "probe_duration_seconds{{{}}} {seconds}", labels(r));
    }
    out
}
