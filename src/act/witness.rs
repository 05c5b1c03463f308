//! Who is told of what a run does, beside its journal: the audit. What acts must not know how
//! that is kept; who composes the program gives it.

use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::event::{Entry, Event};
use crate::domain::procedure::plan::{Plan, PlanHash};
use std::io;

/// One entry of a journal with what must be known to understand it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    pub run: RunId,
    pub stack: String,
    pub environment: String,
    pub procedure: ProcedureId,
    pub plan: PlanHash,
    /// Exact argv or request of the step that the entry is about; secrets are names in it.
    pub preview: Vec<String>,
    pub entry: Entry,
}

/// Keeps what it is told where the run's own directory cannot lose it.
pub trait Witness: Send + Sync {
    /// Told after the entry is in the journal, and for an intent before the effect begins.
    /// Blocking, and short.
    ///
    /// # Errors
    /// It could not be kept. A run does not begin then; one that is under way goes on and notes
    /// it in its journal, since stopping halfway does more harm than a gap that is told.
    fn note(&self, what: &Noted) -> io::Result<()>;
}

/// For who keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Witness for Nobody {
    fn note(&self, _: &Noted) -> io::Result<()> {
        Ok(())
    }
}

/// What is told of an entry; `None` for what is only progress.
pub fn of(run: &RunId, plan: &Plan, hash: &PlanHash, entry: &Entry) -> Option<Noted> {
    let step = match &entry.event {
        Event::Observed { .. } => return None,
        Event::Intended { step, .. } | Event::RollbackIntended { step, .. } => {
            plan.steps.iter().find(|s| s.id == *step)
        }
        _ => None,
    };
    let preview = match (&entry.event, step) {
        (Event::RollbackIntended { .. }, Some(step)) => {
            step.rollback.as_ref().map(|r| r.preview.clone()).unwrap_or_default()
        }
        (_, step) => step.map(|s| s.preview.clone()).unwrap_or_default(),
    };
    Some(Noted {
        run: run.clone(),
        stack: plan.stack.clone(),
        environment: plan.environment.clone(),
        procedure: plan.procedure.clone(),
        plan: hash.clone(),
        preview,
        entry: entry.clone(),
    })
}
