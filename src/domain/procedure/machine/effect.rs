//! What effects come to: their end, their verification, and what the system says of lost ones.

use super::book::{Back, Pending};
use super::{Illegal, MAX_OUTPUTS};
use crate::domain::id::StepId;
use crate::domain::procedure::check::Seen;
use crate::domain::procedure::event::{Captured, Effected, Hold, Mode, Truth};
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::plan::{OnFailure, OnTimeout};
use crate::domain::procedure::run::{Phase, Run};
use jiff::Timestamp;

impl Run {
    pub(super) fn finish(
        &mut self,
        step: &StepId,
        attempt: u32,
        result: &Effected,
        output: Option<&Captured>,
        n: u64,
        at: Timestamp,
    ) -> Result<(), Illegal> {
        let i = self.found(step)?;
        if self.steps[i].phase != Phase::Running {
            return Err(Illegal(format!("step `{step}` is not under way")));
        }
        if attempt != self.steps[i].attempts {
            return Err(Illegal(format!("attempt {attempt} of step `{step}` is not under way")));
        }
        if matches!(result, Effected::Killed { .. }) && self.abort.is_none() {
            return Err(Illegal(format!("nobody asked for step `{step}` to be ended")));
        }
        let state = &mut self.steps[i];
        state.effected = Some(at);
        if let Some(output) = output {
            if state.outputs.len() >= MAX_OUTPUTS {
                state.outputs.remove(0);
            }
            state.outputs.push(output.clone());
        }
        match result {
            Effected::Done { says } => self.happened(i, says, n, at),
            Effected::Failed { why } => self.fail(i, why, at),
            Effected::TimedOut { why } => self.timed_out(i, why, at),
            Effected::Killed { why } => {
                self.steps[i].phase = Phase::Killed(why.clone());
                self.steps[i].ended = Some(at);
            }
        }
        Ok(())
    }

    /// The effect is there: it is verified next, or done where nothing can be verified.
    pub(super) fn happened(&mut self, i: usize, says: &str, n: u64, at: Timestamp) {
        self.book.marks[i].pending = Pending::Nothing;
        self.book.marks[i].doubt = false;
        match &self.plan.steps[i].verify {
            Some(check) if self.mode == Mode::Continue => {
                let needed = check.good.max(1);
                self.steps[i].phase = Phase::Verifying { streak: 0, needed, last: None };
            }
            // What is about to be undone proves nothing and settles nothing.
            _ if self.mode == Mode::Rollback => self.steps[i].phase = Phase::Done(says.to_owned()),
            _ => self.good_end(i, Phase::Done(says.to_owned()), n, at),
        }
    }

    fn timed_out(&mut self, i: usize, why: &str, at: Timestamp) {
        let step = &self.plan.steps[i];
        match step.on_timeout {
            OnTimeout::Verify if step.verify.is_some() => {
                self.book.marks[i].late = Some(why.to_owned());
                self.happened(i, why, 0, at);
            }
            OnTimeout::Verify | OnTimeout::Fail => self.fail(i, why, at),
            OnTimeout::Hold => {
                self.steps[i].phase = Phase::Failed(why.to_owned());
                self.steps[i].ended = Some(at);
                self.book.marks[i].pending = Pending::Hold(Hold::TimedOut);
            }
        }
    }

    pub(super) fn fail(&mut self, i: usize, why: &str, at: Timestamp) {
        let step = &self.plan.steps[i];
        let (on_failure, undoable) = (step.on_failure, step.rollback.is_some());
        self.steps[i].phase = Phase::Failed(why.to_owned());
        self.steps[i].ended = Some(at);
        let mark = &mut self.book.marks[i];
        match on_failure {
            OnFailure::Continue => {
                mark.over = true;
                self.steps[i].phase = Phase::FailedAndPassed(why.to_owned());
                self.pass_on();
            }
            OnFailure::Hold => mark.pending = Pending::Hold(Hold::Failed),
            OnFailure::Rollback if undoable => mark.pending = Pending::RollBack,
            OnFailure::Stop | OnFailure::Rollback => self.give_up(i),
        }
    }

    pub(super) fn observe(
        &mut self,
        step: &StepId,
        seen: &Seen,
        streak: u32,
        needed: u32,
    ) -> Result<(), Illegal> {
        let i = self.found(step)?;
        let Phase::Verifying { streak: before, needed: all, last } = &mut self.steps[i].phase else {
            return Err(Illegal(format!("step `{step}` is not being verified")));
        };
        let expected = if seen.holds { before.saturating_add(1) } else { 0 };
        if streak != expected || needed != *all {
            return Err(Illegal(format!(
                "an observation of step `{step}` says {streak} of {needed} good ones, and it is {expected} of {all}"
            )));
        }
        *before = streak;
        *last = Some(seen.clone());
        Ok(())
    }

    pub(super) fn verify(&mut self, step: &StepId, says: &str, n: u64, at: Timestamp) -> Result<(), Illegal> {
        let i = self.found(step)?;
        match self.steps[i].phase {
            Phase::Verifying { streak, needed, .. } if streak >= needed => {
                self.good_end(i, Phase::Verified(says.to_owned()), n, at);
                Ok(())
            }
            Phase::Verifying { streak, needed, .. } => Err(Illegal(format!(
                "step `{step}` was seen good {streak} times in a row and needs {needed}"
            ))),
            _ => Err(Illegal(format!("step `{step}` is not being verified"))),
        }
    }

    pub(super) fn unverify(
        &mut self,
        step: &StepId,
        why: &str,
        _: u64,
        at: Timestamp,
    ) -> Result<(), Illegal> {
        let i = self.found(step)?;
        if !matches!(self.steps[i].phase, Phase::Verifying { .. }) {
            return Err(Illegal(format!("step `{step}` is not being verified")));
        }
        self.book.marks[i].unverified = true;
        self.fail(i, why, at);
        Ok(())
    }

    /// What the system says of an effect, or of a rollback, that a lost runner had intended.
    pub(super) fn asked(
        &mut self,
        step: &StepId,
        truth: Truth,
        says: &str,
        n: u64,
        at: Timestamp,
    ) -> Result<(), Illegal> {
        let i = self.found(step)?;
        if self.book.marks[i].back == Back::InDoubt(None) {
            says.clone_into(&mut self.book.marks[i].asked_says);
            self.asked_of_rollback(i, truth, says, at);
            return Ok(());
        }
        // An abort may have come while the system was asked: the answer is still worth having.
        let opened = self.mode == Mode::Rollback || self.preconditions.as_ref().is_some_and(Vec::is_empty);
        let pending = self.book.marks[i].asked.is_none() && self.steps[i].phase == Phase::InDoubt;
        if !opened || !pending {
            return Err(Illegal(format!("step `{step}` is not one to be asked about now")));
        }
        self.book.marks[i].asked = Some(truth);
        says.clone_into(&mut self.book.marks[i].asked_says);
        self.book.marks[i].doubt = false;
        match truth {
            Truth::Happened => {
                self.steps[i].effected = Some(at);
                self.happened(i, says, n, at);
            }
            Truth::DidNot => self.did_not_happen(i),
            Truth::Unknown if self.repeatable(i) && self.mode == Mode::Continue => {
                self.doubted(i);
            }
            Truth::Unknown if self.mode == Mode::Continue => {
                self.book.marks[i].pending = Pending::Hold(Hold::InDoubt);
            }
            // Undoing what perhaps never happened is what its rollback is for.
            Truth::Unknown => {}
        }
        Ok(())
    }

    /// A step in doubt is to be done once more; what is not known of it stays unknown meanwhile.
    pub(super) fn doubted(&mut self, i: usize) {
        self.steps[i].phase = Phase::Waiting;
        self.book.marks[i].doubt = true;
    }

    fn did_not_happen(&mut self, i: usize) {
        // Earlier attempts may have left something: only a single one that did not come to be
        // leaves nothing behind.
        if self.steps[i].attempts <= 1 {
            self.book.marks[i].did_not = true;
            self.tally();
        }
        self.steps[i].phase = match self.mode {
            Mode::Continue => Phase::Waiting,
            Mode::Rollback => Phase::WillNotRun("it did not happen, and the run is rolled back".to_owned()),
        };
    }

    /// Whether doing a step twice is as good as once.
    pub(super) fn repeatable(&self, i: usize) -> bool {
        let step = &self.plan.steps[i];
        step.idempotent || step.effect == Effect::Read
    }
}
