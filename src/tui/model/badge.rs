//! What every screen says of runs: what is under way, what waits, what is in doubt, what is owed.

use super::alerts::safe;
use super::tone::Tone;
use crate::clock::Now;
use crate::domain::procedure::event::{Mode, Outcome};
use crate::domain::procedure::ledger::{Ledger, Line, RunState, Unlisted};
use crate::domain::units::short_age;
use jiff::Timestamp;
use std::time::Duration;

/// One thing to be said on every screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Badge {
    pub tone: Tone,
    /// What kind of thing it is, for a header that has room for the count of it only.
    pub kind: &'static str,
    /// For a header that is full.
    pub short: String,
    pub long: String,
    /// How long it has been so, where the long words do not tell.
    pub age: Option<String>,
}

/// How long ago a moment on the wall clock was; zero when the clock went back.
pub fn ago(then: Timestamp, now: Now) -> Duration {
    Duration::try_from(now.wall.duration_since(then)).unwrap_or_default()
}

/// Everything there is to say, what needs a person first.
pub fn badges(ledger: &Ledger, now: Now) -> Vec<Badge> {
    let mut all: Vec<(u8, Badge)> =
        ledger.runs.iter().enumerate().filter_map(|(at, line)| of_run(ledger, at, line, now)).collect();
    for owed in &ledger.owed {
        let age = short_age(ago(owed.since, now));
        let badge = Badge {
            tone: Tone::Asks,
            kind: "owed",
            short: format!("OWED {} {age}", safe(&owed.owe.id)),
            long: format!("OWED {} {age}", safe(&owed.owe.says)),
            age: None,
        };
        all.push((3, badge));
    }
    if let Some(Unlisted::Lost(why)) = &ledger.unlisted {
        let short = "RUNS UNKNOWN".to_owned();
        let long = format!("{short}: failed to {}", safe(why));
        all.push((1, Badge { tone: Tone::Doubt, kind: "unknown", short, long, age: None }));
    }
    all.sort_by_key(|(rank, _)| *rank);
    all.into_iter().map(|(_, badge)| badge).collect()
}

fn of_run(ledger: &Ledger, at: usize, line: &Line, now: Now) -> Option<(u8, Badge)> {
    let id = line.procedure.as_str();
    let age = short_age(ago(line.started, now));
    let (done, of) = line.steps;
    let (rank, tone, short, rest) = match line.state {
        RunState::Held => (0, Tone::Asks, format!("HELD {id}"), " waits for you".to_owned()),
        RunState::Lost => (1, Tone::Doubt, format!("IN DOUBT {id}"), " lost its runner".to_owned()),
        RunState::Ended(Outcome::InDoubt) if !is_settled(ledger, at, line) => {
            (1, Tone::Doubt, format!("IN DOUBT {id}"), String::new())
        }
        RunState::Running if is_undone(ledger, line) => {
            (2, Tone::Busy, format!("UNDO {id}"), format!(" since {age}"))
        }
        RunState::Running => (2, Tone::Busy, format!("RUN {id} {done}/{of}"), format!(" since {age}")),
        RunState::Ended(_) => return None,
    };
    let kind = match rank {
        0 => "held",
        1 => "in doubt",
        _ => "running",
    };
    let open = ledger.open.iter().find(|run| run.id == line.id);
    let since = match line.state {
        RunState::Held => open.and_then(|run| run.hold.as_ref()).map(|hold| hold.since),
        RunState::Lost => open.map(|run| run.last.1),
        RunState::Ended(_) => line.ended,
        RunState::Running => None,
    };
    let age = since.map(|since| short_age(ago(since, now)));
    Some((rank, Badge { tone, kind, long: format!("{short}{rest}"), short, age }))
}

/// Whether what a run does now is to undo, all of it or the step that failed.
fn is_undone(ledger: &Ledger, line: &Line) -> bool {
    let open = ledger.open.iter().find(|run| run.id == line.id);
    open.is_some_and(|run| run.mode == Mode::Rollback || run.rolling_back().is_some())
}

/// Whether a newer run of the same procedure was verified: what was in doubt is known then.
fn is_settled(ledger: &Ledger, at: usize, line: &Line) -> bool {
    let verified = RunState::Ended(Outcome::Verified);
    ledger.runs.iter().take(at).any(|l| l.procedure == line.procedure && l.state == verified)
}
