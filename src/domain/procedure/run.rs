//! A run as its journal tells it: what the screen shows and what the runner decides by.

use super::event::{Choice, Confirmed, Hold, Interruption, Mode, Outcome, Person};
use super::plan::{Owe, Plan, PlanHash};
use crate::domain::id::{RunId, StepId};
use jiff::Timestamp;
use std::fmt;

/// The state of one run: the fold of its journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub plan: Plan,
    pub hash: PlanHash,
    pub by: Person,
    pub confirmed: Confirmed,
    pub started: Timestamp,
    /// Process id of the runner that wrote last.
    pub runner: u32,
    pub mode: Mode,
    /// `None` until they were looked at; then what failed.
    pub preconditions: Option<Vec<String>>,
    /// One for each step of the plan.
    pub steps: Vec<StepState>,
    pub abort: Option<Abort>,
    pub hold: Option<Held>,
    /// What is owed by this run, and not settled in it.
    pub owed: Vec<Owe>,
    /// The most recent of each, oldest first; bounded.
    pub notes: Vec<(Timestamp, String)>,
    pub ended: Option<Ended>,
    /// Number and time of the last entry.
    pub last: (u64, Timestamp),
    /// What only the machine needs. A run is made by [`Run::open`] and [`Run::apply`] alone.
    pub(super) book: super::machine::Book,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abort {
    pub by: Stopper,
    pub now: bool,
    pub at: Timestamp,
}

/// Who or what stops a run before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopper {
    Person(Person),
    Interruption(Interruption),
}

impl fmt::Display for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stopper::Person(by) => &by.login,
            Stopper::Interruption(Interruption::Signal) => "SIGTERM",
            Stopper::Interruption(Interruption::Deadline) => "its deadline",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The number of the journal entry that opened it: no two holds of a run share it.
    pub n: u64,
    pub step: StepId,
    pub why: Hold,
    pub says: String,
    pub since: Timestamp,
    /// What a person can answer.
    pub choices: Vec<Choice>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub outcome: Outcome,
    pub why: String,
    pub at: Timestamp,
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepState {
    pub phase: Phase,
    pub attempts: u32,
    /// When it was last intended.
    pub since: Option<Timestamp>,
    /// When its effect ended.
    pub effected: Option<Timestamp>,
    /// When it came to its end.
    pub ended: Option<Timestamp>,
    /// The target's state before the last intent, as the step's kind reads it.
    pub before: String,
    /// Kept outputs of all attempts.
    pub outputs: Vec<super::event::Captured>,
    pub rolled_back: Option<Result<String, String>>,
}

/// Where a step is.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    Waiting,
    /// The effect has been intended and has not ended.
    Running,
    /// The effect ended; it is being verified.
    Verifying {
        streak: u32,
        needed: u32,
        last: Option<super::check::Seen>,
    },
    /// The proof.
    Verified(String),
    /// Done, with nothing that could be verified (a read).
    Done(String),
    /// Passed over; the proof.
    Skipped(String),
    Failed(String),
    /// A failure that the procedure lets pass.
    FailedAndPassed(String),
    /// Intended by a runner that died.
    InDoubt,
    /// Ended by an abort; what it left.
    Killed(String),
    /// Will not run any more; because.
    WillNotRun(String),
}
