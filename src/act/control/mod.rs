//! What others ask of runs: to be started, resumed, aborted, answered, and to be told of. Short
//! and synchronous; nothing here waits for the network.

pub mod client;
pub mod serve;
mod socket;
pub mod spawn;

pub use crate::runs::load::{Loaded, is_over, load, plan_of};
pub use client::send;
pub use spawn::{Launch, resume, start};

use super::lock::{self, Open};
use super::remains::Remains;
use super::rundir::{StateDir, WriteRun};
use super::runner::scribe::Scribe;
use super::witness::Witness;
use crate::clock::Clock;
use crate::domain::id::RunId;
use crate::domain::procedure::event::{Event, Outcome, Person};
use crate::runs::journal::{ends_with_its_end, has_runner};
use std::sync::Arc;

/// Gives up a run whose runner is gone: writes its end into its journal. An effect that was
/// intended stays in doubt. The lock it left is free afterwards: `remains` is what was found to run
/// still, which whoever calls has looked for.
///
/// # Errors
/// It has a runner, has ended already, or its journal cannot be written. A damaged journal is an
/// error as well; see [`set_aside`].
pub fn abort_lost(
    state: &StateDir,
    id: &str,
    by: Person,
    clock: Arc<dyn Clock>,
    witness: Box<dyn Witness>,
    remains: &Remains,
) -> Result<Outcome, String> {
    let dir = state.run(id)?;
    let plan = plan_of(&dir)?;
    let mut scribe = Scribe::reopen(&dir, plan, clock, witness)?;
    if scribe.run.ended.is_some() {
        return Err(format!("abort run {id}: it has ended"));
    }
    scribe.record(Event::AbortRequested { by, now: true }).map_err(|e| e.to_string())?;
    let (mut outcome, mut why) = scribe.run.given_up();
    for word in remains.words() {
        why = format!("{why}; {word}");
    }
    if !remains.are_gone() && outcome == Outcome::Aborted {
        outcome = Outcome::InDoubt;
    }
    scribe.record(Event::Ended { outcome, why }).map_err(|e| e.to_string())?;
    Ok(outcome)
}

/// Sets a run aside whose journal is damaged, so that its lock holds nobody up any more. Nothing
/// is said of what it did: whoever does this has looked for themselves.
///
/// # Errors
/// Its journal is sound or is being written, or the word cannot be written.
pub fn set_aside(state: &StateDir, id: &str, by: &Person, at: jiff::Timestamp) -> Result<(), String> {
    let dir = state.run(id)?;
    if has_runner(&dir) {
        return Err(format!("set run {id} aside: it has a runner"));
    }
    if load(state, id).is_ok() {
        return Err(format!("set run {id} aside: its journal is sound; abort or resume it"));
    }
    dir.write_new("set-aside", format!("set aside by {} (uid {}) at {at}", by.login, by.uid).as_bytes())?;
    dir.sync()
}

/// Whose a lock is, when it stands in the way of a new run; and whether that run's runner lives.
pub fn lock_of(state: &StateDir, stack: &str, scope: &str) -> Option<(lock::Owner, bool)> {
    let named = lock::look(state, stack, scope).and_then(|owner| {
        let alive = state.run(owner.run.as_str()).is_ok_and(|dir| has_runner(&dir));
        (alive || !is_over(state, &owner.run)).then_some((owner, alive))
    });
    named.or_else(|| {
        // The lock may have been emptied.
        let open = open_run(state, stack, scope, &RunId::new(""))?;
        let run = load(state, open.run.as_str()).ok()?.run;
        let owner = lock::Owner {
            run: open.run,
            procedure: open.procedure,
            by: run.by.clone(),
            since: run.last.1,
            runner: run.runner,
        };
        Some((owner, open.alive))
    })
}

/// A run of a stack's scope, other than one, that has begun and not ended: the newest. Looks at
/// the end of every journal, at most [`crate::runs::dir::MAX_RUNS`] of them, and reads few whole. One whose
/// plan cannot be read is of no known scope.
pub fn open_run(state: &StateDir, stack: &str, scope: &str, but: &RunId) -> Option<Open> {
    let (ids, _) = state.run_ids().ok()?;
    ids.into_iter().filter(|id| id != but).find_map(|run| {
        let dir = state.run(run.as_str()).ok()?;
        if ends_with_its_end(&dir.journal()) || is_over(state, &run) {
            return None;
        }
        let plan = plan_of(&dir).ok().filter(|plan| plan.stack == stack && plan.lock == scope)?;
        Some(Open { run, procedure: plan.procedure, alive: has_runner(&dir) })
    })
}
