//! Undoing: a step's own rollback when it fails, and the rollback of a whole run.

use super::book::{Back, Pending};
use super::{Illegal, Next};
use crate::domain::id::StepId;
use crate::domain::procedure::event::{Effected, Hold, Mode, Outcome, Truth};
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::run::{Phase, Run};
use jiff::Timestamp;

impl Run {
    /// The step whose rollback is under way in this runner.
    pub fn rolling_back(&self) -> Option<usize> {
        self.book.marks.iter().position(|m| m.back == Back::Running)
    }

    /// Whether the run is being rolled back, or was when it ended.
    pub fn is_undoing(&self) -> bool {
        self.mode == Mode::Rollback
    }

    /// Whether a rollback was begun, and how it ended is not known.
    pub fn is_rollback_open(&self, step: usize) -> bool {
        self.book.marks.get(step).is_some_and(|m| m.back != Back::No)
    }

    /// Whether it waits for a word on the undoing of a step, and not on the step.
    pub fn is_held_by_undoing(&self) -> bool {
        let held = self.hold.as_ref().filter(|h| h.why == Hold::InDoubt);
        held.and_then(|h| self.index_of(&h.step)).is_some_and(|i| self.is_rollback_open(i))
    }

    /// What the system said of a doubt, to follow the doubt.
    pub(super) fn as_asked(&self, step: usize) -> String {
        match self.book.marks.get(step).map_or("", |m| m.asked_says.as_str()) {
            "" => String::new(),
            says => format!(": {says}"),
        }
    }

    /// Whether a person took a step, or its undoing, as done although nothing was known of it.
    pub fn is_taken_unseen(&self, step: usize) -> bool {
        self.book.marks.get(step).is_some_and(|m| m.unseen)
    }

    /// Whether a rollback of a step was ever intended.
    pub fn was_undoing_tried(&self, step: usize) -> bool {
        self.book.marks.get(step).is_some_and(|m| m.undo_tried)
    }

    /// The step whose rollback a lost runner had begun.
    pub(super) fn rollback_in_doubt(&self) -> Option<(usize, Option<Truth>)> {
        self.book.marks.iter().enumerate().find_map(|(i, m)| match m.back {
            Back::InDoubt(asked) => Some((i, asked)),
            _ => None,
        })
    }

    pub(super) fn intend_rollback(&mut self, step: &StepId, at: Timestamp) -> Result<(), Illegal> {
        let i = self.found(step)?;
        match self.next() {
            Next::RollBack { step } if step == i => {}
            _ => return Err(Illegal(format!("it is not the turn of the rollback of step `{step}`"))),
        }
        self.book.marks[i].back = Back::Running;
        self.book.marks[i].undo_tried = true;
        self.book.undoing |= self.mode == Mode::Rollback;
        self.steps[i].ended = Some(at);
        Ok(())
    }

    pub(super) fn finish_rollback(
        &mut self,
        step: &StepId,
        result: &Effected,
        _: u64,
        _: Timestamp,
    ) -> Result<(), Illegal> {
        let i = self.found(step)?;
        if self.book.marks[i].back != Back::Running {
            return Err(Illegal(format!("step `{step}` is not being rolled back")));
        }
        let result = match result {
            Effected::Done { says } => Ok(says.clone()),
            Effected::Failed { why } | Effected::TimedOut { why } | Effected::Killed { why } => {
                Err(why.clone())
            }
        };
        self.rolled_back(i, result);
        Ok(())
    }

    /// A rollback came to its end.
    pub(super) fn rolled_back(&mut self, i: usize, result: Result<String, String>) {
        let good = result.is_ok();
        self.steps[i].rolled_back = Some(result);
        let mark = &mut self.book.marks[i];
        mark.back = Back::No;
        mark.pending = Pending::Nothing;
        if !good {
            return;
        }
        self.tally();
        if self.mode == Mode::Continue {
            self.give_up(i);
        }
    }

    pub(super) fn asked_of_rollback(&mut self, i: usize, truth: Truth, says: &str, _: Timestamp) {
        match truth {
            Truth::Happened => self.rolled_back(i, Ok(says.to_owned())),
            // Its turn comes again.
            Truth::DidNot => self.book.marks[i].back = Back::No,
            Truth::Unknown => self.book.marks[i].back = Back::InDoubt(Some(Truth::Unknown)),
        }
    }

    /// What must come next about a rollback that a lost runner had begun.
    pub(super) fn next_of_doubtful_rollback(&self, i: usize, asked: Option<Truth>) -> Next {
        let id = &self.plan.steps[i].id;
        if self.abort.is_some() {
            let why = format!("stopped; the rollback of step `{id}` is in doubt");
            return Next::End { outcome: Outcome::InDoubt, why };
        }
        if let Some((outcome, why)) = &self.book.stopped {
            return Next::End { outcome: *outcome, why: why.clone() };
        }
        if self.hold.is_some() {
            return Next::Await;
        }
        match asked {
            None => Next::AskRollBack { step: i },
            Some(_) => Next::EnterHold {
                step: i,
                why: Hold::InDoubt,
                says: format!(
                    "it is not known whether the rollback of step `{id}` happened{}",
                    self.as_asked(i)
                ),
            },
        }
    }

    /// What must come next in a run that is rolled back: the last step that was carried out, first.
    pub(super) fn next_back(&self) -> Next {
        if self.abort.is_some() {
            return self.end_of_undoing();
        }
        for i in (0..self.steps.len()).rev() {
            let state = &self.steps[i];
            if !self.carried_out(i) || self.undone(i) {
                continue;
            }
            if state.phase == Phase::InDoubt && self.book.marks[i].asked.is_none() {
                return Next::Ask { step: i };
            }
            if self.plan.steps[i].point_of_no_return {
                break;
            }
            if let Some(Err(why)) = &state.rolled_back {
                let why = format!("the rollback of step `{}` failed: {why}", self.plan.steps[i].id);
                let outcome = if self.in_doubt() { Outcome::InDoubt } else { Outcome::Failed };
                return Next::End { outcome, why };
            }
            if self.plan.steps[i].rollback.is_some() {
                return Next::RollBack { step: i };
            }
        }
        self.end_of_undoing()
    }

    fn end_of_undoing(&self) -> Next {
        let (mut undone, mut left, mut doubt) = (Vec::new(), Vec::new(), Vec::new());
        for (i, state) in self.steps.iter().enumerate() {
            let step = &self.plan.steps[i];
            if !self.carried_out(i) {
                continue;
            }
            if self.undone(i) {
                undone.push(step.id.as_str());
            } else if state.phase == Phase::InDoubt || self.is_rollback_open(i) {
                doubt.push(step.id.as_str());
            } else if step.effect != Effect::Read {
                left.push(step.id.as_str());
            }
        }
        let mut why = Vec::new();
        // What is left is as it was made to be: a run that is half undone is not rolled back.
        let word = if left.is_empty() { "undone" } else { "partly undone" };
        for (word, ids) in [(word, &undone), ("NOT undone", &left), ("in doubt", &doubt)] {
            if !ids.is_empty() {
                why.push(format!("{word}: {}", ids.join(", ")));
            }
        }
        if why.is_empty() {
            why.push("there was nothing to undo".to_owned());
        }
        let outcome = if !doubt.is_empty() {
            Outcome::InDoubt
        } else if self.abort.is_some() {
            Outcome::Aborted
        } else if !left.is_empty() {
            Outcome::Failed
        } else {
            Outcome::RolledBack
        };
        Next::End { outcome, why: why.join("; ") }
    }
}
