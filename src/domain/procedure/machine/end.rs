//! How runs end, and how one is given up whose runner is gone.

use super::{Illegal, Next};
use crate::domain::procedure::event::{Mode, Outcome};
use crate::domain::procedure::run::{Ended, Phase, Run};
use jiff::Timestamp;

impl Run {
    /// How a run ends that is given up now, in whatever state it is: for `Ended` by who aborts a
    /// run whose runner is gone, and by a runner that cannot go on.
    pub fn given_up(&self) -> (Outcome, String) {
        if let Next::End { outcome, why } = self.next() {
            return (outcome, why);
        }
        if self.in_doubt() {
            return (Outcome::InDoubt, format!("given up{}", self.doubts()));
        }
        match self.abort {
            Some(_) => (Outcome::Aborted, "aborted, and given up".to_owned()),
            None => (Outcome::Failed, "given up".to_owned()),
        }
    }

    /// What is in doubt, to be said after something else: an effect, its rollback, or both.
    fn doubts(&self) -> String {
        let open = |i: &usize| self.is_doubted(*i) || self.steps[*i].phase.is_open() && !self.undone(*i);
        let step =
            (0..self.steps.len()).find(open).map(|i| format!("; step `{}` was", self.plan.steps[i].id));
        let back = (0..self.steps.len()).find(|i| self.is_rollback_open(*i));
        let back = back.map(|i| format!("; the rollback of step `{}` was", self.plan.steps[i].id));
        let all: Vec<String> = [step, back]
            .into_iter()
            .flatten()
            .map(|what| format!("{what} intended and its outcome is not known"))
            .collect();
        all.concat()
    }

    pub(super) fn end(&mut self, outcome: Outcome, why: &str, at: Timestamp) -> Result<(), Illegal> {
        self.may_end(outcome)?;
        let aborted = self.abort.is_some();
        // All of it is told once, of the run itself.
        let because = why.split_once(": ").map_or(why, |(first, _)| first);
        self.hold = None;
        for (state, mark) in self.steps.iter_mut().zip(&self.book.marks) {
            match &state.phase {
                Phase::Waiting if mark.doubt => state.phase = Phase::InDoubt,
                Phase::Waiting => state.phase = Phase::WillNotRun(format!("the run ended: {because}")),
                Phase::Running => state.phase = Phase::InDoubt,
                Phase::Verifying { .. } if aborted => {
                    state.phase = Phase::Killed("aborted before it was verified".to_owned());
                }
                _ => {}
            }
        }
        self.ended = Some(Ended { outcome, why: why.to_owned(), at });
        Ok(())
    }

    /// Whether a step was intended, and is to be done once more or no more, without an end of its own.
    fn left_in_the_middle(&self) -> bool {
        let middle = |p: &Phase| matches!(p, Phase::Waiting | Phase::WillNotRun(_));
        self.steps.iter().any(|s| s.attempts > 0 && middle(&s.phase))
    }

    /// What a run may not be said to be.
    fn may_end(&self, outcome: Outcome) -> Result<(), Illegal> {
        let due = match self.next() {
            Next::End { outcome, .. } => Some(outcome),
            _ => None,
        };
        if due == Some(outcome) {
            return Ok(());
        }
        let begun = (0..self.steps.len()).any(|i| self.carried_out(i));
        let good = match outcome {
            // Only when all is done.
            Outcome::Verified | Outcome::RolledBack => false,
            Outcome::Refused => !begun && !self.in_doubt() && self.mode == Mode::Continue,
            // One that was to be done once more was in doubt before, and perhaps still runs.
            Outcome::InDoubt => self.in_doubt() || self.abort.is_some() && self.left_in_the_middle(),
            Outcome::Aborted => self.abort.is_some() && !self.in_doubt(),
            Outcome::Failed => due != Some(Outcome::Verified) && !self.in_doubt(),
        };
        if good {
            return Ok(());
        }
        Err(Illegal(format!("the run cannot end as {outcome:?} now")))
    }
}
