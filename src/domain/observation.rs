//! What one run of a probe yields, and what the rest of the program is told of it.

use super::fact::Facts;
use super::health::Health;
use crate::clock::Now;
use std::time::Duration;

/// The lines of raw evidence kept with a result, at most.
pub const MAX_EVIDENCE_LINES: usize = 200;
/// The longest line of evidence kept, in characters.
pub const MAX_EVIDENCE_WIDTH: usize = 1000;

/// The place of a probe in the stack: an index, so that a lookup costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeIndex(pub usize);

/// The result of one run of a probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub health: Health,
    /// One safe line: for a failure "expected …, got …", for success what was seen.
    pub reason: String,
    /// From the first byte sent to the last one needed; `None` when it was not run.
    pub latency: Option<Duration>,
    /// When it was complete.
    pub at: Now,
    pub facts: Facts,
    /// What came back, as safe lines, for the detail pane; bounded by the constants above.
    pub evidence: Vec<String>,
    /// It failed for want of a way to the target, rather than by the target's own answer.
    pub unreachable: bool,
}

impl Reading {
    /// Raw text from outside as lines of evidence: neutralised and bounded.
    pub fn evidence_lines(text: &str) -> Vec<String> {
        let mut lines: Vec<String> = text
            .lines()
            .take(MAX_EVIDENCE_LINES)
            .map(|line| {
                line.chars()
                    .take(MAX_EVIDENCE_WIDTH)
                    .map(|c| {
                        if c == '\t' {
                            ' '
                        } else if super::text::is_hostile(c) {
                            '·'
                        } else {
                            c
                        }
                    })
                    .collect()
            })
            .collect();
        if text.lines().nth(MAX_EVIDENCE_LINES).is_some() {
            lines.push(format!("… only the first {MAX_EVIDENCE_LINES} lines are kept"));
        }
        lines
    }
}

/// One message from the observers to the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A probe has been run.
    Probed { probe: ProbeIndex, reading: Box<Reading>, next: Now },
    /// A probe has been started and has not answered yet.
    Started { probe: ProbeIndex, at: Now },
}

impl Observation {
    /// The probe it is about.
    pub fn probe(&self) -> ProbeIndex {
        match self {
            Observation::Probed { probe, .. } | Observation::Started { probe, .. } => *probe,
        }
    }
}
