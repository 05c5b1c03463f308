//! What is known of all runs of a stack: what is active, what is owed, what is forbidden.

use super::event::Outcome;
use super::level::Level;
use super::plan::{Owe, PlanHash};
use super::run::Run;
use crate::domain::id::{ProcedureId, RunId, StepId};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Runs listed, at most; older ones are counted.
pub const MAX_LISTED: usize = 500;

/// All runs, as the state directory tells them. Newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    pub runs: Vec<Line>,
    /// Runs beyond [`MAX_LISTED`].
    pub older: usize,
    /// Runs that have not ended, in full, and the one that is looked at.
    pub open: Vec<Arc<Run>>,
    pub owed: Vec<Owed>,
    pub interlocks: Vec<Raised>,
    /// Plans that wait for a second person.
    pub waiting: Vec<Waiting>,
    /// Of each open run, the end of what its current step prints.
    pub tails: Vec<Tail>,
    /// Journals that cannot be read, and why.
    pub broken: Vec<(String, String)>,
    /// Why it is not known what runs there are; then the rest is as it was last known.
    pub unlisted: Option<Unlisted>,
}

/// The end of what a step, or its undoing, prints: safe lines, bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    pub run: RunId,
    pub step: StepId,
    pub lines: Vec<String>,
}

/// Why it is not known what runs there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// Whoever looks may not, and never could: the place of the runs.
    Barred(String),
    /// There are runs, or should be; completes "failed to …".
    Lost(String),
}

/// One run in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub id: RunId,
    pub procedure: ProcedureId,
    pub name: String,
    pub level: Level,
    pub by: String,
    pub started: Timestamp,
    pub state: RunState,
    pub ended: Option<Timestamp>,
    /// Steps that came to a good end, of how many.
    pub steps: (usize, usize),
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Running,
    /// Waits for a person.
    Held,
    /// Its runner is gone and it has not ended.
    Lost,
    Ended(Outcome),
}

/// Something left open by a run, and not settled since.
#[derive(Clone, Debug, PartialEq)]
pub struct Owed {
    pub owe: Owe,
    /// The oldest run that owes it.
    pub run: RunId,
    pub since: Timestamp,
    /// Later runs that owe the same, oldest first.
    pub also: Vec<RunId>,
}

impl Owed {
    /// Whether a run owes it, be it with others.
    pub fn is_by(&self, run: &RunId) -> bool {
        self.run == *run || self.also.contains(run)
    }
}

/// An interlock that stands because of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    pub id: String,
    pub run: RunId,
    pub since: Timestamp,
}

/// A plan that waits for a second person.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    pub id: String,
    pub procedure: ProcedureId,
    pub name: String,
    pub level: Level,
    /// Stack, environment and hosts in words.
    pub place: String,
    pub hash: PlanHash,
    pub by: String,
    pub uid: u32,
    /// As it was shown to who asked.
    pub blast: Vec<String>,
    /// What each step does, and where.
    pub steps: Vec<String>,
    pub reason: String,
    pub since: Timestamp,
    pub until: Timestamp,
    /// Who approved it, when somebody has.
    pub approved: Option<String>,
}

impl Ledger {
    /// The last run of a procedure.
    pub fn last(&self, procedure: &ProcedureId) -> Option<&Line> {
        self.runs.iter().find(|l| l.procedure == *procedure)
    }

    /// How long it usually takes: the median of its verified runs.
    pub fn usual(&self, procedure: &ProcedureId) -> Option<Duration> {
        let mut all: Vec<Duration> = self
            .runs
            .iter()
            .filter(|l| l.procedure == *procedure && l.state == RunState::Ended(Outcome::Verified))
            .filter_map(|l| Duration::try_from(l.ended?.duration_since(l.started)).ok())
            .collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
    }
}
