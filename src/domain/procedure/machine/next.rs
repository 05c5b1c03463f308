//! What must come next: the one place that decides it, for the runner and for what may be written.

use super::Next;
use super::book::{Back, Pending};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::event::{Hold, Interruption, Mode, Outcome, Truth};
use crate::domain::procedure::report::still_owed;
use crate::domain::procedure::run::{Phase, Run};
use crate::domain::text::one_line;
use crate::domain::units::exact;
use std::fmt::Write as _;

/// Of each failure that was passed over, in characters: a run's end must have room for all.
const MAX_WHY: usize = 120;

impl Run {
    /// What must come next, by what is journalled.
    pub fn next(&self) -> Next {
        if self.ended.is_some() {
            return Next::Ended;
        }
        if let Some(step) = self.under_way() {
            return Next::Acting { step };
        }
        if let Some((step, asked)) = self.rollback_in_doubt() {
            // Going on needs its preconditions; undoing does not.
            return match self.gate() {
                Some(gate) if self.abort.is_none() && self.mode == Mode::Continue => gate,
                _ => self.next_of_doubtful_rollback(step, asked),
            };
        }
        if self.mode == Mode::Rollback {
            return self.next_back();
        }
        if self.abort.is_some() {
            return self.next_of_aborted();
        }
        if let Some((outcome, why)) = &self.book.stopped {
            return Next::End { outcome: *outcome, why: why.clone() };
        }
        if self.hold.is_some() {
            return Next::Await;
        }
        if let Some(gate) = self.gate() {
            return gate;
        }
        match self.current() {
            Some(step) => self.next_of(step),
            None => self.verdict(),
        }
    }

    /// The step whose effect or rollback is under way in this runner.
    fn under_way(&self) -> Option<usize> {
        let turn = self.current().filter(|i| self.steps[*i].phase == Phase::Running);
        turn.or_else(|| self.rolling_back())
    }

    /// What the preconditions demand, when they are not known to hold.
    fn gate(&self) -> Option<Next> {
        match &self.preconditions {
            None => Some(Next::CheckPreconditions),
            Some(failed) if failed.is_empty() => None,
            Some(failed) => {
                let outcome = if self.in_doubt() {
                    Outcome::InDoubt
                } else if (0..self.steps.len()).any(|i| self.carried_out(i)) {
                    Outcome::Failed
                } else {
                    Outcome::Refused
                };
                Some(Next::End { outcome, why: format!("needs {}", failed.join("; ")) })
            }
        }
    }

    /// Whether an effect or a rollback was intended whose outcome is not known.
    pub fn in_doubt(&self) -> bool {
        self.steps.iter().enumerate().any(|(i, s)| s.phase.is_open() && !self.undone(i))
            || (0..self.steps.len()).any(|i| self.is_doubted(i))
            || self.book.marks.iter().any(|m| m.back != Back::No)
    }

    /// Whether a step is to be done once more of which it is not known whether it happened before.
    pub fn is_doubted(&self, step: usize) -> bool {
        self.book.marks.get(step).is_some_and(|m| m.doubt) && !self.undone(step)
    }

    /// Whether what a step failed by was its verification: it was done, which is known.
    pub fn is_unverified(&self, step: usize) -> bool {
        self.book.marks.get(step).is_some_and(|m| m.unverified)
    }

    /// Whether that step stands there as if it had not been begun: who tells of a run must say more
    /// than that it waits.
    pub fn waits_in_doubt(&self, step: usize) -> bool {
        self.is_doubted(step) && self.steps.get(step).is_some_and(|s| s.phase == Phase::Waiting)
    }

    fn next_of_aborted(&self) -> Next {
        let now = self.abort.as_ref().is_some_and(|a| a.now);
        if let Some(step) = self.current().filter(|_| !now) {
            // "Finish the step that runs": its verification, and its own rollback when that fails.
            match self.steps[step].phase {
                Phase::Verifying { .. } => return Next::Verify { step },
                Phase::Failed(_) if self.book.marks[step].pending == Pending::RollBack => {
                    return Next::RollBack { step };
                }
                _ => {}
            }
        }
        let by = self.abort.as_ref().map_or_else(String::new, |a| a.by.to_string());
        let (stopped, outcome) = match self.interruption() {
            Some(Interruption::Deadline) => {
                (format!("its deadline of {} was over", exact(self.plan.deadline)), Outcome::Failed)
            }
            Some(Interruption::Signal) => (format!("interrupted by {by}"), Outcome::Aborted),
            None => (format!("aborted by {by}"), Outcome::Aborted),
        };
        let id = |i: usize| &self.plan.steps[i].id;
        let doubtful = |i: &usize| self.steps[*i].phase == Phase::InDoubt || self.is_doubted(*i);
        if let Some(step) = (0..self.steps.len()).find(doubtful) {
            let why = format!("{stopped}; step `{}` is in doubt", id(step));
            return Next::End { outcome: Outcome::InDoubt, why };
        }
        if let Some(step) = (0..self.steps.len()).find(|i| self.is_rollback_open(*i)) {
            let why = format!("{stopped}; the rollback of step `{}` is in doubt", id(step));
            return Next::End { outcome: Outcome::InDoubt, why };
        }
        let why = match self.current() {
            Some(i) => match &self.steps[i].phase {
                Phase::Killed(why) => format!("{stopped} in the middle of step `{}`: {why}", id(i)),
                Phase::Verifying { .. } => format!("{stopped} before step `{}` was verified", id(i)),
                Phase::Failed(why) => format!("{stopped}; step `{}` had failed: {why}", id(i)),
                _ => format!("{stopped} before step `{}`", id(i)),
            },
            // What a person did not want to the end is not what they wanted; else it came to its end.
            None if self.interruption().is_some() => return self.verdict(),
            None => format!("{stopped} after the last step"),
        };
        Next::End { outcome, why }
    }

    /// What must come next about the step whose turn it is.
    fn next_of(&self, i: usize) -> Next {
        let (step, mark) = (&self.plan.steps[i], &self.book.marks[i]);
        match (&self.steps[i].phase, mark.pending) {
            (Phase::Waiting, _) => self.next_of_waiting(i),
            (Phase::Verifying { .. }, _) => Next::Verify { step: i },
            (Phase::InDoubt, _) if mark.asked == Some(Truth::Unknown) => Next::EnterHold {
                step: i,
                why: Hold::InDoubt,
                says: if self.is_unverified(i) {
                    format!(
                        "step `{}` was done and not seen to be good, and it must not happen twice",
                        step.id
                    )
                } else {
                    format!(
                        "it is not known whether step `{}` happened, and it must not happen twice{}",
                        step.id,
                        self.as_asked(i)
                    )
                },
            },
            (Phase::InDoubt, _) => Next::Ask { step: i },
            (Phase::Failed(why), Pending::Hold(hold)) => {
                let says = match hold {
                    Hold::TimedOut => format!("the time of step `{}` is over: {why}", step.id),
                    _ => format!("step `{}` failed: {why}", step.id),
                };
                Next::EnterHold { step: i, why: hold, says }
            }
            (Phase::Failed(_), Pending::RollBack) => Next::RollBack { step: i },
            (Phase::Failed(why), Pending::Nothing) => {
                let undone = match &self.steps[i].rolled_back {
                    Some(Ok(_)) => "; it was rolled back",
                    Some(Err(_)) => "; its rollback failed too",
                    None => "",
                };
                let why = format!("step `{}` failed: {why}{undone}", step.id);
                Next::End { outcome: Outcome::Failed, why }
            }
            (phase, _) => {
                // Every other phase passes the turn on; said rather than panicked about.
                let why = format!("step `{}` is stuck: {phase:?}", step.id);
                Next::End { outcome: Outcome::Failed, why }
            }
        }
    }

    fn next_of_waiting(&self, i: usize) -> Next {
        let step = &self.plan.steps[i];
        if let Some(says) = step.hold.as_ref().filter(|_| !self.book.marks[i].released) {
            return Next::EnterHold { step: i, why: Hold::Planned, says: says.clone() };
        }
        if let Action::Manual(manual) = &step.action {
            return Next::EnterHold { step: i, why: Hold::Manual, says: manual.instruction.clone() };
        }
        Next::Begin { step: i, may_pass: self.may_pass(i) }
    }

    /// How a run ends whose last step came to its end.
    fn verdict(&self) -> Next {
        let mut wrong = Vec::new();
        for (i, state) in self.steps.iter().enumerate() {
            let id = &self.plan.steps[i].id;
            let word = self.book.marks[i].word.as_ref();
            match &state.phase {
                Phase::Failed(why) => wrong.push(format!("step `{id}` failed: {why}")),
                Phase::FailedAndPassed(why) if word.is_some() => {
                    wrong.push(format!("step `{id}` failed: {why}"));
                }
                // Nothing that was seen since contradicts the failure: a word is no proof.
                Phase::Done(says) if word.is_some_and(|w| w.against) => {
                    wrong.push(format!("step `{id}` was never verified: {says}"));
                }
                _ => {}
            }
        }
        if wrong.is_empty() {
            return Next::End { outcome: Outcome::Verified, why: self.proof() };
        }
        Next::End { outcome: Outcome::Failed, why: wrong.join("; ") }
    }

    fn proof(&self) -> String {
        let count = |f: fn(&Phase) -> bool| self.steps.iter().filter(|s| f(&s.phase)).count();
        let parts = [
            (count(|p| matches!(p, Phase::Verified(_))), "verified"),
            (count(|p| matches!(p, Phase::Skipped(_))), "passed over with proof"),
            (count(|p| matches!(p, Phase::Done(_))), "done"),
            (count(|p| matches!(p, Phase::FailedAndPassed(_))), "failed and passed over"),
        ];
        let mut said: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let words: Vec<&str> = self.by_word().map(|i| self.plan.steps[i].id.as_str()).collect();
        if !words.is_empty() {
            said.push(format!(
                "{} of them taken as done by a person's word: {}",
                words.len(),
                words.join(", ")
            ));
        }
        let late = |i: &usize| self.book.marks[*i].late.is_some() && self.steps[*i].phase.is_good();
        let late: Vec<&str> =
            (0..self.steps.len()).filter(late).map(|i| self.plan.steps[i].id.as_str()).collect();
        if !late.is_empty() {
            said.push(format!("{} of them not done within its time: {}", late.len(), late.join(", ")));
        }
        let mut all = if said.is_empty() { "nothing was to be done".to_owned() } else { said.join(", ") };
        // In the same breath: whoever reads only that it is verified must not miss what is not.
        all.push_str(&still_owed(&self.owed));
        for (i, state) in self.steps.iter().enumerate() {
            if let Phase::FailedAndPassed(why) = &state.phase {
                let (id, why) = (&self.plan.steps[i].id, one_line(why, MAX_WHY));
                let _ = write!(all, "; step `{id}` failed and was passed over: {why}");
            }
        }
        all
    }

    /// The steps that came to a good end only since a person went on with them.
    fn by_word(&self) -> impl Iterator<Item = usize> {
        let good = |i: &usize| self.steps[*i].phase.is_good() && self.book.marks[*i].word.is_some();
        (0..self.steps.len()).filter(good)
    }
}
