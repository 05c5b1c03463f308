//! The machine of a run: which entry may follow which, and what must come next. The same code
//! folds a journal and steers the runner, so that what is shown and what is done cannot differ.

mod begin;
mod book;
mod debts;
mod effect;
mod end;
mod next;
mod people;
mod undo;

#[cfg(test)]
mod debt_tests;
#[cfg(test)]
mod lost_tests;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod worlds;

pub(super) use book::Book;

use super::event::{Entry, Event, Hold, Mode, Outcome};
use super::ledger::{Line, RunState};
use super::plan::{FORMAT, Plan, PlanHash};
use super::run::{Phase, Run, StepState};
use crate::domain::id::{RunId, StepId};
use book::{Back, Mark};
use std::collections::BTreeMap;
use std::fmt;

/// Notes kept in a run; older ones stay in its journal only.
pub const MAX_NOTES: usize = 100;

/// Runs that are known to have come before one although their dates are later.
pub const MAX_BEFORE: usize = 40_000;

/// Outputs listed for one step; older ones stay in the journal only.
pub const MAX_OUTPUTS: usize = 50;

/// An entry that cannot follow what is there: why. It completes "… cannot follow: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Illegal(pub String);

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Illegal {}

/// What must come next, by what is journalled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    CheckPreconditions,
    /// Write `HoldEntered`. When [`Run::may_pass`] says so of this step, its `unless` may be looked
    /// at first, and proof passes it over without asking anybody.
    EnterHold {
        step: usize,
        why: Hold,
        says: String,
    },
    /// Wait for a person (`Request::Release` or `Abort`).
    Await,
    /// Look at `unless` first when `may_pass`, read the target, then Intended, act, Finished.
    Begin {
        step: usize,
        may_pass: bool,
    },
    /// An effect, or the rollback of one ([`Run::rolling_back`]), is under way in this runner: only
    /// its end, an abort or notes may follow.
    Acting {
        step: usize,
    },
    Verify {
        step: usize,
    },
    /// Intended by a lost runner, or failed earlier and not to be done twice blindly: ask the
    /// system (Asked).
    Ask {
        step: usize,
    },
    /// Write `RollbackIntended`, undo, verify the undoing, write `RollbackFinished`.
    RollBack {
        step: usize,
    },
    /// As `Ask`, but of the step's rollback, which a lost runner had begun.
    AskRollBack {
        step: usize,
    },
    /// Write `Ended`.
    End {
        outcome: Outcome,
        why: String,
    },
    Ended,
}

impl Run {
    /// A run from the first entry of its journal, which must be `Started` with this plan's hash.
    pub fn open(plan: Plan, first: &Entry) -> Result<Run, Illegal> {
        let Event::Started { run, plan: hash, by, confirmed, runner } = &first.event else {
            return Err(Illegal("a journal begins with the start of its run".to_owned()));
        };
        if first.n != 1 {
            return Err(Illegal(format!("the first entry has the number {}", first.n)));
        }
        if plan.format != FORMAT {
            return Err(Illegal(format!(
                "the plan has form {}, and this program knows {FORMAT}",
                plan.format
            )));
        }
        let real = PlanHash::of(&plan);
        if real != *hash {
            return Err(Illegal(format!(
                "the journal is of plan {}, and the plan beside it is {}",
                hash.short(),
                real.short()
            )));
        }
        let steps = vec![StepState::new(); plan.steps.len()];
        let marks = vec![Mark::default(); plan.steps.len()];
        let book = Book { marks, latest: first.at, ..Book::default() };
        Ok(Run {
            id: run.clone(),
            plan,
            hash: real,
            by: by.clone(),
            confirmed: confirmed.clone(),
            started: first.at,
            runner: *runner,
            mode: Mode::Continue,
            preconditions: None,
            steps,
            abort: None,
            hold: None,
            owed: Vec::new(),
            notes: Vec::new(),
            ended: None,
            last: (1, first.at),
            book,
        })
    }

    /// The whole journal. The error carries the index of the entry that cannot follow.
    pub fn fold(plan: Plan, entries: &[Entry]) -> Result<Run, (usize, Illegal)> {
        let Some((first, rest)) = entries.split_first() else {
            return Err((0, Illegal("the journal is empty".to_owned())));
        };
        let mut run = Run::open(plan, first).map_err(|e| (0, e))?;
        for (i, entry) in rest.iter().enumerate() {
            run.apply(entry).map_err(|e| (i + 1, e))?;
        }
        Ok(run)
    }

    /// Takes one more entry in. On an error the run is as it was before.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        if entry.n != self.last.0.saturating_add(1) {
            return Err(Illegal(format!("entry {} does not follow entry {}", entry.n, self.last.0)));
        }
        if self.ended.is_some() && !matches!(entry.event, Event::Resumed { .. }) {
            return Err(Illegal("the run has ended".to_owned()));
        }
        if let Err(why) = self.take(entry) {
            let mut before = self.without_doubt().ok_or_else(|| why.clone())?;
            before.take(entry).map_err(|_| why)?;
            *self = before;
        }
        self.last = (entry.n, entry.at);
        self.book.latest = self.book.latest.max(entry.at);
        if matches!(entry.event, Event::Intended { .. } | Event::HoldReleased { .. }) {
            let latest = self.book.latest;
            for mark in self.book.marks.iter_mut().filter(|m| m.intended == Some(entry.n)) {
                mark.floor = Some(latest);
            }
        }
        Ok(())
    }

    /// The run as it was read when a doubt was forgotten once its step was to be done again:
    /// journals of that time go on so. A runner never does, since [`Run::next`] knows the doubt.
    fn without_doubt(&self) -> Option<Run> {
        let doubted = |m: &Mark| m.doubt || m.back == Back::Again;
        let mut run = self.book.marks.iter().any(doubted).then(|| self.clone())?;
        for (state, mark) in run.steps.iter_mut().zip(&mut run.book.marks) {
            if mark.back == Back::Again {
                mark.back = Back::No;
            }
            if std::mem::take(&mut mark.doubt) {
                state.phase = match self.mode {
                    Mode::Continue => Phase::Waiting,
                    Mode::Rollback => Phase::WillNotRun("the run is rolled back".to_owned()),
                };
            }
        }
        Some(run)
    }

    fn take(&mut self, entry: &Entry) -> Result<(), Illegal> {
        let (n, at) = (entry.n, entry.at);
        match &entry.event {
            Event::Started { .. } => Err(Illegal("a run starts once".to_owned())),
            Event::Preconditions { failed, .. } => self.looked(failed),
            Event::Skipped { step, because } => self.skip(step, because, n, at),
            Event::HoldEntered { step, why, says } => self.enter_hold(step, *why, says, n, at),
            Event::HoldReleased { step, by, choice, note } => {
                self.release_hold(step, by, *choice, note.as_deref(), n, at)
            }
            Event::Intended { step, attempt, before } => self.intend(step, *attempt, before, n, at),
            Event::Finished { step, attempt, result, output } => {
                self.finish(step, *attempt, result, output.as_ref(), n, at)
            }
            Event::Observed { step, seen, streak, needed } => self.observe(step, seen, *streak, *needed),
            Event::Verified { step, says } => self.verify(step, says, n, at),
            Event::Unverified { step, why } => self.unverify(step, why, n, at),
            Event::Asked { step, truth, says } => self.asked(step, *truth, says, n, at),
            Event::RollbackIntended { step, .. } => self.intend_rollback(step, at),
            Event::RollbackFinished { step, result } => self.finish_rollback(step, result, n, at),
            Event::AbortRequested { by, now } => {
                self.request_abort(by, *now, at);
                Ok(())
            }
            Event::Interrupted { by, now } => {
                self.interrupt(*by, *now, at);
                Ok(())
            }
            Event::Resumed { runner, mode, .. } => self.resume(*runner, *mode),
            Event::Preceded { runs } => self.preceded(runs),
            Event::Note { says } => {
                if self.notes.len() >= MAX_NOTES {
                    self.notes.remove(0);
                }
                self.notes.push((at, says.clone()));
                Ok(())
            }
            Event::Ended { outcome, why } => self.end(*outcome, why, at),
        }
    }

    fn preceded(&mut self, runs: &BTreeMap<RunId, u64>) -> Result<(), Illegal> {
        if self.book.before.len() + runs.len() > MAX_BEFORE {
            return Err(Illegal(format!("more than {MAX_BEFORE} runs are dated later")));
        }
        for (run, n) in runs {
            let known = self.book.before.entry(run.clone()).or_default();
            *known = (*known).max(*n);
        }
        Ok(())
    }

    /// How it stands. Whether its runner lives, only who looks at the lock can say.
    pub fn state(&self, runner_alive: bool) -> RunState {
        match (&self.ended, &self.hold) {
            (Some(ended), _) => RunState::Ended(ended.outcome),
            (None, _) if !runner_alive => RunState::Lost,
            (None, Some(_)) => RunState::Held,
            (None, None) => RunState::Running,
        }
    }

    /// Its line in a list.
    pub fn line(&self, runner_alive: bool) -> Line {
        let good = self.steps.iter().filter(|s| s.phase.is_good()).count();
        Line {
            id: self.id.clone(),
            procedure: self.plan.procedure.clone(),
            name: self.plan.name.clone(),
            level: self.plan.level,
            by: self.by.login.clone(),
            started: self.started,
            state: self.state(runner_alive),
            ended: self.ended.as_ref().map(|e| e.at),
            steps: (good, self.steps.len()),
        }
    }

    /// Whether proof may pass a step over: it has an `unless`, and none of the steps that it comes
    /// `after` was carried out.
    pub fn may_pass(&self, step: usize) -> bool {
        let Some(plan) = self.plan.steps.get(step) else { return false };
        plan.unless.is_some()
            && !self
                .plan
                .steps
                .iter()
                .enumerate()
                .any(|(i, s)| plan.after.contains(&s.id) && self.carried_out(i))
    }

    /// Whether a step's effect was intended, and nothing says that it did not happen.
    pub fn carried_out(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|s| s.attempts > 0)
            && self.book.marks.get(step).is_some_and(|m| !m.did_not)
    }

    /// The step whose turn it is, when one is left.
    pub fn current(&self) -> Option<usize> {
        (self.book.at < self.steps.len()).then_some(self.book.at)
    }

    /// The index of a step in the plan.
    pub fn index_of(&self, step: &StepId) -> Option<usize> {
        // Nearly every entry is about the step whose turn it is.
        if self.plan.steps.get(self.book.at).is_some_and(|s| s.id == *step) {
            return Some(self.book.at);
        }
        self.plan.steps.iter().position(|s| s.id == *step)
    }

    fn found(&self, step: &StepId) -> Result<usize, Illegal> {
        self.index_of(step).ok_or_else(|| Illegal(format!("the plan has no step `{step}`")))
    }
}

impl StepState {
    /// A step that nothing has happened to.
    fn new() -> StepState {
        StepState {
            phase: Phase::Waiting,
            attempts: 0,
            since: None,
            effected: None,
            ended: None,
            before: String::new(),
            outputs: Vec::new(),
            rolled_back: None,
        }
    }
}

impl Phase {
    /// Verified, done where nothing can be verified, or passed over with proof.
    pub fn is_good(&self) -> bool {
        matches!(self, Phase::Verified(_) | Phase::Done(_) | Phase::Skipped(_))
    }

    /// Its effect may be under way, or nobody knows.
    pub fn is_open(&self) -> bool {
        matches!(self, Phase::Running | Phase::InDoubt)
    }
}
