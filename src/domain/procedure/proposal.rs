//! A plan as it is shown to the person who is to confirm it.

use super::level::Level;
use super::plan::{Plan, PlanHash};
use crate::clock::Now;
use crate::domain::id::RunId;

/// A plan, what it means at this moment, and what must be said to have it run.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    pub plan: Plan,
    pub hash: PlanHash,
    /// When targets, preconditions and blast radius were last looked at.
    pub looked: Now,
    pub blast: Vec<Blast>,
    /// What was found of the preconditions, in their order.
    pub preconditions: Vec<(String, super::check::Seen)>,
    /// What stands in its way: locks, interlocks, preconditions. None means that it may run.
    pub refusals: Vec<Refusal>,
    pub prompt: Prompt,
    /// What differs from the plan that was shown before, one line each.
    pub changed: Vec<String>,
    /// Findings about single steps that do not stop it.
    pub warnings: Vec<String>,
}

/// One line of the blast radius.
#[derive(Clone, Debug, PartialEq)]
pub struct Blast {
    /// What it means, with the value put in: "drops 41 live sessions".
    pub says: String,
    /// The live value, if it is of one; `Err` says why it is not known.
    pub value: Option<Result<f64, String>>,
}

/// What must be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub level: Level,
    /// What must be typed; `None` where a key is enough.
    pub type_this: Option<String>,
    pub needs_reason: bool,
    pub needs_second: bool,
}

/// Why a plan may not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another run holds the lock.
    Locked {
        scope: String,
        run: RunId,
        by: String,
        since: jiff::Timestamp,
        runner_alive: bool,
    },
    /// An interlock forbids it until something else is so.
    Interlocked {
        id: String,
        says: String,
        until: String,
        since: Option<jiff::Timestamp>,
    },
    Precondition {
        says: String,
        seen: String,
    },
    /// A step cannot be carried out at all.
    Impossible {
        says: String,
    },
}
