//! What a runner knows and what it has written: the run and its journal, kept in step.

use crate::act::journal::{Journal, JournalError};
use crate::act::rundir::RunDir;
use crate::act::witness::{self, Witness};
use crate::clock::Clock;
use crate::domain::id::StepId;
use crate::domain::procedure::event::{Choice, Entry, Event};
use crate::domain::procedure::machine::{Illegal, Next};
use crate::domain::procedure::plan::Plan;
use crate::domain::procedure::run::Run;
use crate::runs::journal::Torn;
use crate::runs::load::fold;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// Entries that wait to be written, at most; with more, nothing else is taken.
const MAX_UNWRITTEN: usize = 64;

/// Why something was not recorded. Completes "failed to …".
#[derive(Debug)]
pub enum Unrecorded {
    /// It must not follow what is there; nothing was changed.
    Illegal(Illegal),
    /// It holds, and could not be written down.
    Unwritten(JournalError),
}

impl fmt::Display for Unrecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unrecorded::Illegal(why) => write!(f, "do that now: {why}"),
            Unrecorded::Unwritten(why) => write!(f, "{why}"),
        }
    }
}

/// The run and its journal. What is recorded holds at once; it is on disk when
/// [`Scribe::record`] says so.
pub struct Scribe {
    pub run: Run,
    journal: Journal,
    clock: Arc<dyn Clock>,
    witness: Box<dyn Witness>,
    /// Holds, and is not on disk: oldest first.
    unwritten: VecDeque<Entry>,
    /// The target's state before each rollback.
    before_rollback: BTreeMap<StepId, String>,
    /// The step that a person said to do once more, until that is intended.
    again: Option<StepId>,
    /// The audit failed, and that was noted.
    unwitnessed: bool,
}

impl Scribe {
    /// Begins the journal of a run with its first entry.
    ///
    /// # Errors
    /// It cannot be written; or nobody could be told, then the run must not begin.
    pub fn begin(
        dir: &RunDir,
        plan: Plan,
        started: Event,
        clock: Arc<dyn Clock>,
        witness: Box<dyn Witness>,
    ) -> Result<Scribe, String> {
        let at = clock.now().wall;
        let first = Entry { n: 1, at, event: started };
        let run = Run::open(plan, &first).map_err(|e| format!("begin the run: {e}"))?;
        let mut journal = Journal::create(dir).map_err(|e| e.to_string())?;
        journal.append(first.event.clone(), at).map_err(|e| e.to_string())?;
        let mut scribe = Scribe {
            run,
            journal,
            clock,
            witness,
            unwritten: VecDeque::new(),
            before_rollback: BTreeMap::new(),
            again: None,
            unwitnessed: false,
        };
        scribe.tell(&first);
        Ok(scribe)
    }

    /// Opens the journal of a run without a runner. What a torn last line can have been is taken
    /// for the worst: an intent.
    ///
    /// # Errors
    /// It cannot be read or written, is damaged, or has a runner.
    pub fn reopen(
        dir: &RunDir,
        plan: Plan,
        clock: Arc<dyn Clock>,
        witness: Box<dyn Witness>,
    ) -> Result<Scribe, String> {
        let (journal, read) = Journal::open(dir).map_err(|e| e.to_string())?;
        let run = fold(plan, &read.entries)?;
        let before_rollback = read
            .entries
            .iter()
            .filter_map(|e| match &e.event {
                Event::RollbackIntended { step, before } => Some((step.clone(), before.clone())),
                _ => None,
            })
            .collect();
        let mut scribe = Scribe {
            run,
            journal,
            clock,
            witness,
            unwritten: VecDeque::new(),
            before_rollback,
            again: None,
            unwitnessed: false,
        };
        if let Some(torn) = &read.torn {
            scribe.mend(torn).map_err(|e| e.to_string())?;
        }
        Ok(scribe)
    }

    /// Notes a torn line, and what it may have been.
    fn mend(&mut self, torn: &Torn) -> Result<(), Unrecorded> {
        if self.run.ended.is_none() {
            self.record(Event::Note { says: torn.says() })?;
        }
        let before = String::new();
        match self.run.next() {
            Next::Begin { step, .. } if torn.may_be("intended") => {
                let id = self.id_of(step);
                let attempt = self.run.steps.get(step).map_or(0, |s| s.attempts) + 1;
                self.record(Event::Intended { step: id, attempt, before })
            }
            Next::RollBack { step } if torn.may_be("rollback-intended") => {
                self.record(Event::RollbackIntended { step: self.id_of(step), before })
            }
            _ => Ok(()),
        }
    }

    /// Records what happened. It holds from now on also when it could not be written.
    ///
    /// # Errors
    /// It must not follow, or it, or something before it, could not be written.
    pub fn record(&mut self, event: Event) -> Result<(), Unrecorded> {
        let at = self.clock.now().wall;
        if self.unwritten.is_empty()
            && let Some(note) = self.journal.went_back(at)
        {
            self.take(note, at)?;
        }
        if self.unwritten.len() >= MAX_UNWRITTEN {
            // What is told as taken must have been taken.
            self.flush()?;
        }
        self.take(event, at)?;
        self.flush()
    }

    fn take(&mut self, event: Event, at: jiff::Timestamp) -> Result<(), Unrecorded> {
        let entry = Entry { n: self.run.last.0 + 1, at, event };
        self.run.apply(&entry).map_err(Unrecorded::Illegal)?;
        match &entry.event {
            Event::RollbackIntended { step, before } => {
                self.before_rollback.insert(step.clone(), before.clone());
            }
            Event::HoldReleased { step, choice: Choice::Again, .. } => self.again = Some(step.clone()),
            Event::Intended { .. } => self.again = None,
            _ => {}
        }
        self.unwritten.push_back(entry);
        Ok(())
    }

    /// Writes what waits to be written.
    ///
    /// # Errors
    /// As for [`Journal::append`]; what could not be written still waits.
    pub fn flush(&mut self) -> Result<(), Unrecorded> {
        while let Some(entry) = self.unwritten.front() {
            self.journal.append(entry.event.clone(), entry.at).map_err(Unrecorded::Unwritten)?;
            if let Some(entry) = self.unwritten.pop_front() {
                self.tell(&entry);
            }
        }
        Ok(())
    }

    /// Whether all that holds is on disk.
    pub fn is_written(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// The target's state before a rollback was intended.
    pub fn before_rollback(&self, step: &StepId) -> &str {
        self.before_rollback.get(step).map_or("", String::as_str)
    }

    /// Whether a person who saw how a step stands said to do it once more.
    pub fn is_said_again(&self, step: &StepId) -> bool {
        self.again.as_ref() == Some(step)
    }

    /// Whether the audit could not be told of something.
    pub fn is_unwitnessed(&self) -> bool {
        self.unwitnessed
    }

    pub fn id_of(&self, step: usize) -> StepId {
        self.run.plan.steps.get(step).map_or_else(|| StepId::new(""), |s| s.id.clone())
    }

    fn tell(&mut self, entry: &Entry) {
        let Some(noted) = witness::of(&self.run.id, &self.run.plan, &self.run.hash, entry) else { return };
        match self.witness.note(&noted) {
            Ok(()) => self.unwitnessed = false,
            Err(_) if self.unwitnessed => {}
            Err(e) => {
                self.unwitnessed = true;
                if self.run.ended.is_none() {
                    let says = format!("the audit could not be told of entry {}: {e}", entry.n);
                    // What cannot be written either waits with the rest.
                    let _ = self.take(Event::Note { says }, entry.at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::rundir::{StateDir, WriteState};
    use crate::act::witness::Nobody;
    use crate::clock::SystemClock;
    use crate::domain::procedure::machine::worlds::{World, abort, two};

    /// The disk has room again just when as much waits as may wait.
    #[test]
    fn what_is_told_as_taken_is_taken_also_behind_a_full_queue() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("state"), None);
        state.prepare().unwrap();
        let clock = Arc::new(SystemClock::new());
        let run = state.create_run(clock.now().wall).unwrap();
        let first = World::new(two()).entries.remove(0);
        let mut scribe = Scribe::begin(&run, two(), first.event, clock, Box::new(Nobody)).unwrap();
        for i in 0..MAX_UNWRITTEN {
            let at = scribe.clock.now().wall;
            scribe.take(Event::Note { says: i.to_string() }, at).unwrap();
        }
        scribe.record(abort(false)).unwrap();
        assert!(scribe.run.abort.is_some() && scribe.is_written());
        let last = crate::runs::journal::read(&run.journal()).unwrap().entries.pop().unwrap();
        assert!(matches!(last.event, Event::AbortRequested { .. }), "{last:?}");
    }
}
