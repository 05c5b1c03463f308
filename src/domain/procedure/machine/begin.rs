//! How steps begin: preconditions, proof that a step is not needed, intents; and how turns pass on.

use super::book::Pending;
use super::{Illegal, Next};
use crate::domain::id::StepId;
use crate::domain::procedure::event::{Hold, Mode};
use crate::domain::procedure::run::{Phase, Run};
use jiff::Timestamp;
use std::collections::BTreeSet;

impl Run {
    pub(super) fn looked(&mut self, failed: &[String]) -> Result<(), Illegal> {
        if self.mode == Mode::Rollback {
            return Err(Illegal("what is rolled back needs no preconditions".to_owned()));
        }
        if self.preconditions.is_some() {
            return Err(Illegal("the preconditions were looked at already".to_owned()));
        }
        self.preconditions = Some(failed.to_vec());
        Ok(())
    }

    pub(super) fn skip(
        &mut self,
        step: &StepId,
        because: &str,
        n: u64,
        at: Timestamp,
    ) -> Result<(), Illegal> {
        let i = self.found(step)?;
        let turn = match self.next() {
            Next::Begin { step, .. } | Next::EnterHold { step, why: Hold::Planned | Hold::Manual, .. } => {
                step == i
            }
            _ => false,
        };
        if !turn {
            return Err(Illegal(format!("step `{step}` is not one that could begin now")));
        }
        if !self.may_pass(i) {
            return Err(Illegal(format!("step `{step}` cannot be passed over")));
        }
        self.good_end(i, Phase::Skipped(because.to_owned()), n, at);
        Ok(())
    }

    pub(super) fn intend(
        &mut self,
        step: &StepId,
        attempt: u32,
        before: &str,
        n: u64,
        at: Timestamp,
    ) -> Result<(), Illegal> {
        let i = self.found(step)?;
        match self.next() {
            Next::Begin { step, .. } if step == i => {}
            other => return Err(Illegal(format!("step `{step}` cannot begin: {}", self.instead(&other)))),
        }
        if attempt != self.steps[i].attempts.saturating_add(1) {
            return Err(Illegal(format!("step `{step}` has no attempt {attempt} now")));
        }
        let state = &mut self.steps[i];
        state.phase = Phase::Running;
        state.attempts = attempt;
        state.since = Some(at);
        state.effected = None;
        state.ended = None;
        before.clone_into(&mut state.before);
        let mark = &mut self.book.marks[i];
        mark.did_not = false;
        mark.doubt = false;
        mark.unseen = false;
        mark.unverified = false;
        mark.word = None;
        mark.late = None;
        mark.asked = None;
        mark.proved = None;
        mark.intended = Some(n);
        self.tally();
        Ok(())
    }

    /// In words, what stands in the way of what was tried.
    pub(super) fn instead(&self, next: &Next) -> String {
        let id = |step: &usize| self.plan.steps.get(*step).map_or("?", |s| s.id.as_str());
        match next {
            _ if self.mode == Mode::Rollback => "the run is being rolled back".to_owned(),
            _ if self.abort.is_some() || self.book.aborted => "an abort was requested".to_owned(),
            Next::CheckPreconditions => "the preconditions come first".to_owned(),
            Next::EnterHold { step, .. } => format!("a hold at step `{}` comes first", id(step)),
            Next::Await => "the run waits for a person".to_owned(),
            Next::Begin { step, .. } => format!("it is the turn of step `{}`", id(step)),
            Next::Acting { step } => format!("step `{}` is under way", id(step)),
            Next::Verify { step } => format!("step `{}` must be verified first", id(step)),
            Next::Ask { step } | Next::AskRollBack { step } => {
                format!("step `{}` is in doubt, and the system must be asked", id(step))
            }
            Next::RollBack { step } => format!("step `{}` must be rolled back first", id(step)),
            Next::End { why, .. } => format!("the run must end: {why}"),
            Next::Ended => "the run has ended".to_owned(),
        }
    }

    /// A step came to a good end: debts are settled and the turn passes on.
    pub(super) fn good_end(&mut self, i: usize, phase: Phase, n: u64, at: Timestamp) {
        let mark = &mut self.book.marks[i];
        // What was wrong, and who took it as done all the same, stays to be read.
        self.steps[i].phase = match (phase, &mark.word) {
            (Phase::Verified(seen), None) => match &mark.late {
                Some(late) => Phase::Verified(format!("its time was over: {late}; then {seen}")),
                None => Phase::Verified(seen),
            },
            (Phase::Verified(seen), Some(word)) => Phase::Verified(format!("{}; then {seen}", word.says)),
            (Phase::Done(_), Some(word)) => Phase::Done(word.says.clone()),
            (phase, _) => phase,
        };
        self.steps[i].ended = Some(at);
        mark.over = true;
        mark.doubt = false;
        mark.pending = Pending::Nothing;
        mark.proved = Some(n);
        self.tally();
        self.pass_on();
    }

    /// To the next step that has not come to its end.
    pub(super) fn pass_on(&mut self) {
        while self.book.marks.get(self.book.at).is_some_and(|m| m.over) {
            self.book.at += 1;
        }
    }

    /// A step failed for good. In a round whose failure is allowed, the round's other steps will
    /// not run and the next round's turn comes; else the turn stays here and the run must end.
    pub(super) fn give_up(&mut self, i: usize) {
        let Some(round) = self.plan.steps[i].round.clone() else { return };
        let failed: BTreeSet<&str> = self
            .plan
            .steps
            .iter()
            .zip(&self.steps)
            .filter(|(_, s)| matches!(s.phase, Phase::Failed(_)))
            .filter_map(|(p, _)| p.round.as_ref())
            .filter(|r| r.of == round.of)
            .map(|r| r.item.as_str())
            .collect();
        if failed.len() > round.max_failures as usize {
            return;
        }
        let because = format!("step `{}` of its round failed", self.plan.steps[i].id);
        self.book.marks[i].over = true;
        for j in i + 1..self.steps.len() {
            let same =
                self.plan.steps[j].round.as_ref().is_some_and(|r| r.of == round.of && r.item == round.item);
            if same && self.steps[j].phase == Phase::Waiting {
                self.steps[j].phase = Phase::WillNotRun(because.clone());
                self.book.marks[j].over = true;
            }
        }
        self.pass_on();
    }
}
