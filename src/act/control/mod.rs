//! What others ask of runs: to be started, resumed, aborted, answered, and to be told of. Short
//! and synchronous; nothing here waits for the network.

pub mod client;
pub mod serve;
mod socket;
pub mod spawn;
pub mod watch;

pub use client::send;
pub use spawn::{Launch, resume, start};
pub use watch::Watcher;

use super::journal::read::{self, Torn};
use super::lock::Open;
use super::remains::Remains;
use super::rundir::{RunDir, StateDir};
use super::runner::scribe::{self, Scribe, has_runner};
use super::witness::Witness;
use super::{lock, rundir};
use crate::clock::Clock;
use crate::domain::id::RunId;
use crate::domain::procedure::event::{Event, Outcome, Person};
use crate::domain::procedure::plan::Plan;
use crate::domain::procedure::run::Run;
use crate::domain::text::one_line_bytes;
use std::sync::Arc;

/// The longest word of why a run was set aside, in characters.
const MAX_WORD: usize = 500;

/// A run as its directory tells it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub run: Run,
    /// What is there of a last line that was not written to its end.
    pub torn: Option<Torn>,
    /// Whether it has a runner at this moment.
    pub alive: bool,
}

/// Reads a run.
///
/// # Errors
/// There is none, or its plan or its journal cannot be read; completes "failed to …".
pub fn load(state: &StateDir, id: &str) -> Result<Loaded, String> {
    let dir = state.run(id)?;
    // Asked first: a runner that ends meanwhile has then written all that is read.
    let alive = has_runner(&dir);
    let plan = plan_of(&dir)?;
    let read = read::read(&dir.journal()).map_err(|e| match word_on(&dir) {
        Some(word) => format!("{e}; {word}"),
        None => e.to_string(),
    })?;
    let run = scribe::fold(plan, &read.entries)?;
    Ok(Loaded { run, torn: read.torn, alive })
}

/// The plan of a run, as its directory has it.
///
/// # Errors
/// It is not there or is no plan.
pub fn plan_of(dir: &RunDir) -> Result<Plan, String> {
    serde_json::from_str(&dir.read("plan.json")?)
        .map_err(|e| format!("read the plan of run {}: {e}", dir.id()))
}

/// Whether a run need not be waited for: it has ended, it never began, it was set aside, or it is
/// not there any more.
pub fn is_over(state: &StateDir, id: &RunId) -> bool {
    let Ok(dir) = state.run(id.as_str()) else { return true };
    if word_on(&dir).is_some() {
        return true;
    }
    match read::read(&dir.journal()) {
        Ok(read) => match read.entries.last() {
            None => !has_runner(&dir),
            Some(last) => matches!(last.event, Event::Ended { .. }),
        },
        Err(super::journal::JournalError::Io { error, .. }) => error.kind() == std::io::ErrorKind::NotFound,
        Err(_) => false,
    }
}

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

/// Who set a run aside, and when.
fn word_on(dir: &RunDir) -> Option<String> {
    let bytes = rundir::read_bounded(&dir.set_aside(), MAX_WORD * 4).ok()?;
    Some(one_line_bytes(&bytes, MAX_WORD))
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
/// the end of every journal, at most [`rundir::MAX_RUNS`] of them, and reads few whole. One whose
/// plan cannot be read is of no known scope.
pub fn open_run(state: &StateDir, stack: &str, scope: &str, but: &RunId) -> Option<Open> {
    let (ids, _) = state.run_ids().ok()?;
    ids.into_iter().filter(|id| id != but).find_map(|run| {
        let dir = state.run(run.as_str()).ok()?;
        if read::ends_with_its_end(&dir.journal()) || is_over(state, &run) {
            return None;
        }
        let plan = plan_of(&dir).ok().filter(|plan| plan.stack == stack && plan.lock == scope)?;
        Some(Open { run, procedure: plan.procedure, alive: has_runner(&dir) })
    })
}
