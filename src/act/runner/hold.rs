//! Holds: the run waits for a person, who decides, or does by hand what no step can do.

use super::drive::{Halt, Runner};
use crate::domain::procedure::event::{Event, Hold};
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::machine::Next;
use crate::domain::procedure::run::Run;
use std::time::Duration;

/// Between two looks at what other runs put in the way of what a person is doing by hand.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Runner {
    pub(super) async fn hold(&mut self, step: usize, why: Hold, says: String) -> Result<(), Halt> {
        // What can be proved needs nobody's word.
        if matches!(why, Hold::Planned | Hold::Manual) && self.scribe.run.may_pass(step) {
            let still = move |run: &Run| matches!(run.next(), Next::EnterHold { step: s, .. } if s == step);
            if self.pass_over(step, still).await? || !still(&self.scribe.run) {
                return Ok(());
            }
        }
        let step = self.scribe.id_of(step);
        self.record(Event::HoldEntered { step, why, says }).await
    }

    /// Hears until something is said, or it is time to look again.
    pub(super) async fn wait_for_a_person(&mut self) -> Result<(), Halt> {
        let Some((step, hold)) = self.by_hand() else {
            self.warned.clear();
            self.hear_one().await;
            return self.settle().await;
        };
        let waits = move |run: &Run| {
            run.hold.as_ref().is_some_and(|h| h.n == hold) && matches!(run.next(), Next::Await)
        };
        let attempts = self.scribe.run.steps.get(step).map_or(0, |s| s.attempts);
        self.attend(tokio::time::sleep(LOOK_AGAIN), waits).await;
        self.settle().await?;
        let look = self.in_the_way();
        let Some(locked) = self.attend(look, |_| true).await else { return Ok(()) };
        let run = &self.scribe.run;
        let done = run.steps.get(step).is_some_and(|s| s.attempts > attempts);
        if let Some(says) = self.warning(step, &locked, done, waits(run)) {
            self.record(Event::Note { says }).await?;
        }
        self.warned = locked;
        Ok(())
    }

    /// The step that a person is doing by hand, and the hold that waits for it.
    fn by_hand(&self) -> Option<(usize, u64)> {
        let held = self.scribe.run.hold.as_ref().filter(|h| h.why == Hold::Manual)?;
        let index = self.scribe.run.index_of(&held.step)?;
        let acts = self.ground.step(index).is_none_or(|s| s.effect != Effect::Read);
        acts.then_some((index, held.n))
    }

    /// What is to be said of a step that is done by hand while other runs forbid it. Nobody can be
    /// kept from it, and that they did it is the truth: it is written down with what forbade it.
    fn warning(&self, step: usize, locked: &[String], done: bool, waits: bool) -> Option<String> {
        let (id, needs) = (self.scribe.id_of(step), locked.join("; "));
        if done && !locked.is_empty() {
            return Some(format!("step `{id}` was done by hand although it needs {needs}"));
        }
        if !waits || self.warned == locked {
            return None;
        }
        Some(match locked {
            [] => format!("nothing stands in the way of step `{id}` any more"),
            _ => format!("step `{id}` must not be done now: it needs {needs}"),
        })
    }
}
