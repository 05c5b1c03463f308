//! Everything known about one probe, or one layer, as lines.

use super::headline::role_note;
use crate::clock::Now;
use crate::domain::health::{Health, Tally};
use crate::domain::matrix::{Matrix, Probe, ProbeState};
use crate::domain::observation::ProbeIndex;
use crate::domain::units;
use std::time::Duration;

/// One line of the detail pane.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A heading.
    Title(String),
    /// A name and its value.
    Field(&'static str, String, Option<Health>),
    /// Running text, wrapped by the view.
    Text(String),
    /// Raw evidence: neither wrapped nor trusted.
    Raw(String),
}

/// Of fields that follow each other under one name only the first says it: a column of equal words
/// hides what differs.
pub fn name_once(lines: &mut [Line]) {
    let mut last = "";
    for line in lines {
        match line {
            Line::Field(name, ..) if *name == last => *name = "",
            Line::Field(name, ..) => last = name,
            _ => last = "",
        }
    }
}

/// The lines for a probe.
pub fn of_probe(matrix: &Matrix, index: ProbeIndex, at: Now) -> Vec<Line> {
    let Some((probe, state)) = matrix.probe(index) else { return Vec::new() };
    let shown = matrix.shown(index, at);
    let at_least = if shown.from_the_start { "at least " } else { "" };
    let since = shown.since.map(|d| format!(" for {at_least}{}", units::long_age(d))).unwrap_or_default();
    let since_at = state.since.map(|s| format!(" (since {})", clock_time(s))).unwrap_or_default();
    let mut out = vec![
        Line::Field("state", format!("{}{since}{since_at}", shown.health), Some(shown.health)),
        Line::Field("reason", shown.reason.clone(), None),
        Line::Field("looks at", format!("{} {} on {}", probe.kind, probe.target, probe.host), None),
        Line::Field("result", result_line(probe, state, at), None),
    ];
    if !probe.help.is_empty() {
        out.push(Line::Field("means", probe.help.clone(), None));
    }
    conditions(probe, state, &mut out);
    history(state, at, &mut out);
    facts(state, &mut out);
    if let Some(last) = state.last.as_ref().filter(|l| !l.evidence.is_empty()) {
        out.push(Line::Title(format!("evidence, {} ago", units::short_age(at.since(last.at)))));
        out.extend(last.evidence.iter().cloned().map(Line::Raw));
    }
    out
}

fn result_line(probe: &Probe, state: &ProbeState, at: Now) -> String {
    let age = state
        .last
        .as_ref()
        .map_or("none yet".to_owned(), |l| format!("{} ago", units::short_age(at.since(l.at))));
    let next = match (state.running_since, state.next) {
        (Some(started), _) => format!("running for {}", units::short_age(at.since(started))),
        (None, Some(next)) if next.mono >= at.mono => {
            format!("next in {}", units::short_age(next.since(at)))
        }
        (None, Some(next)) => format!("overdue by {}", units::short_age(at.since(next))),
        (None, None) => "not started".to_owned(),
    };
    let latency = state
        .last
        .as_ref()
        .and_then(|l| l.latency)
        .map(|l| format!(", took {}", units::latency(l)))
        .unwrap_or_default();
    format!(
        "{age}{latency}; {next}; every {}, timeout {}; {} runs",
        units::exact(probe.interval),
        units::exact(probe.timeout),
        state.runs
    )
}

fn conditions(probe: &Probe, state: &ProbeState, out: &mut Vec<Line>) {
    let damping = match (probe.thresholds.failure, probe.thresholds.success) {
        (1, 1) => String::new(),
        (f, s) => format!(" (changes after {f} bad or {s} good in a row)"),
    };
    if probe.conditions.is_empty() && probe.degraded_unless.is_empty() {
        return;
    }
    out.push(Line::Title(format!("conditions{damping}")));
    // A look that ended in a fault has no facts: nothing was held against the conditions.
    let facts = state.last.as_ref().map(|l| &l.facts).filter(|f| f.iter().next().is_some());
    let all = probe
        .conditions
        .iter()
        .map(|c| (c, Health::Down))
        .chain(probe.degraded_unless.iter().map(|c| (c, Health::Degraded)));
    for (text, otherwise) in all {
        // The text came from a checked file, so it parses; if not, there is nothing to say of it.
        let verdict =
            text.parse::<crate::domain::condition::Condition>().ok().zip(facts).map(|(c, f)| c.eval(f));
        let (health, note) = match verdict {
            None => (Health::Unknown, "not looked at".to_owned()),
            Some(crate::domain::condition::Verdict::Holds) => (Health::Up, String::new()),
            Some(crate::domain::condition::Verdict::Fails(why)) => (otherwise, why),
            Some(crate::domain::condition::Verdict::Unknown(why)) => (Health::Unknown, why),
        };
        let sep = if note.is_empty() { "" } else { ": " };
        let word = if otherwise == Health::Down { "must" } else { "should" };
        out.push(Line::Field(word, format!("{text}{sep}{note}"), Some(health)));
    }
}

fn history(state: &ProbeState, at: Now, out: &mut Vec<Line>) {
    if state.history.is_empty() {
        return;
    }
    let tally: Tally = state.history.iter().map(|p| p.health).collect();
    let mut latencies: Vec<Duration> = state.history.iter().filter_map(|p| p.latency).collect();
    latencies.sort_unstable();
    let of = |part: f64| {
        latencies
            .get(((latencies.len().max(1) - 1) as f64 * part) as usize)
            .copied()
            .map(units::latency)
            .unwrap_or_default()
    };
    let span = state.history.front().map(|p| units::long_age(at.since(p.at))).unwrap_or_default();
    out.push(Line::Title(format!("last {} results, {span}", tally.total())));
    out.push(Line::Field(
        "outcomes",
        format!(
            "{} up, {} degraded, {} down, {} unknown",
            tally.up, tally.degraded, tally.down, tally.unknown
        ),
        None,
    ));
    out.push(Line::Field(
        "latency",
        format!("median {}, 95% {}, worst {}", of(0.5), of(0.95), of(1.0)),
        None,
    ));
    for change in state.changes.iter().rev().take(8) {
        let from = change.from.map_or("first seen", Health::as_str);
        out.push(Line::Field(
            "change",
            format!(
                "{} ({} ago) {from} → {}: {}",
                clock_time(change.at),
                units::short_age(at.since(change.at)),
                change.to,
                change.reason
            ),
            Some(change.to),
        ));
    }
}

fn facts(state: &ProbeState, out: &mut Vec<Line>) {
    let Some(last) = state.last.as_ref() else { return };
    let mut facts = last.facts.iter().peekable();
    if facts.peek().is_none() {
        return;
    }
    out.push(Line::Title("facts".to_owned()));
    for (name, fact) in facts {
        out.push(Line::Text(format!("[{name}] {}", fact.show())));
    }
}

/// The lines for a layer.
pub fn of_layer(matrix: &Matrix, layer: usize, at: Now) -> Vec<Line> {
    let Some(meta) = matrix.layers().get(layer) else { return Vec::new() };
    let tally = matrix.layer_tally(layer, at);
    let role = matrix.roles(at).get(layer).copied().map(|r| role_note(matrix, r)).unwrap_or_default();
    let sep = if role.is_empty() { "" } else { ", " };
    let names = |all: &[usize]| {
        let names: Vec<&str> =
            all.iter().filter_map(|l| matrix.layers().get(*l)).map(|l| l.name.as_str()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    let needed_by: Vec<usize> = (0..matrix.layers().len())
        .filter(|l| matrix.layers().get(*l).is_some_and(|m| m.needs.contains(&layer)))
        .collect();
    let mut out = vec![
        Line::Field("state", format!("{}{sep}{role}", tally.worst()), Some(tally.worst())),
        Line::Field("needs", names(&meta.needs), None),
        Line::Field("needed by", names(&needed_by), None),
        Line::Title("probes".to_owned()),
    ];
    for probe in matrix.of_layer(layer) {
        let shown = matrix.shown(probe, at);
        let name = matrix.probe(probe).map_or(String::new(), |(p, _)| p.name.clone());
        out.push(Line::Field(
            "probe",
            format!("{name}: {} {}", shown.health, shown.reason),
            Some(shown.health),
        ));
    }
    out
}

/// A time of day in UTC, which is what incident notes are written in.
pub fn clock_time(at: Now) -> String {
    at.wall.strftime("%H:%M:%SZ").to_string()
}
