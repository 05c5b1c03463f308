//! Verification: observations that begin after the effect has ended, so many good ones in a row,
//! by a deadline.

use super::drive::{Halt, Runner, absent};
use crate::domain::procedure::check::{Check, Seen};
use crate::domain::procedure::event::{Effected, Event};
use crate::domain::procedure::machine::Next;
use crate::domain::procedure::run::Run;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The shortest time between two observations: a check that says less would only make noise.
const MIN_EVERY: Duration = Duration::from_millis(50);

/// What a series of observations came to.
pub(super) enum Came {
    /// So many good ones in a row; what the last one said.
    Good(String),
    /// Not by its deadline; what the last one said.
    Late(String),
    /// The first that was not good, where that decides.
    Bad(String),
    /// There was no reason to go on looking.
    Dropped,
}

impl Runner {
    /// Verifies a step whose effect has ended. After a resume its time begins anew.
    pub(super) async fn verify(&mut self, index: usize) -> Result<(), Halt> {
        let ground = Arc::clone(&self.ground);
        let Some(step) = ground.step(index) else { return Err(absent(index)) };
        let Some(check) = &step.verify else {
            return Err(Halt(format!("step `{}` has nothing to verify it by", step.id)));
        };
        let still = move |run: &Run| matches!(run.next(), Next::Verify { step } if step == index);
        let needed = check.good.max(1);
        let until = Instant::now() + check.within;
        let (mut streak, mut says) = (0, String::new());
        loop {
            let begun = Instant::now();
            let looked = self.observe(check, until, &says, still).await;
            let Some(seen) = looked else { return self.settle().await };
            streak = if seen.holds { streak + 1 } else { 0 };
            says.clone_from(&seen.says);
            self.record(Event::Observed { step: step.id.clone(), seen, streak, needed }).await?;
            if !still(&self.scribe.run) {
                return Ok(());
            }
            let step = step.id.clone();
            if streak >= needed {
                return self.record(Event::Verified { step, says: proof(needed, &says) }).await;
            }
            let next = begun + check.every.max(MIN_EVERY);
            if next.max(Instant::now()) >= until {
                let why = format!(
                    "{streak} of {needed} good observations within {} s: {says}",
                    check.within.as_secs_f32()
                );
                return self.record(Event::Unverified { step, why }).await;
            }
            if self.attend(tokio::time::sleep_until(next), still).await.is_none() {
                return self.settle().await;
            }
        }
    }

    /// One observation, begun now. What is not seen by the deadline is not good; it is told with
    /// what was seen `before`, which is the better reason.
    async fn observe(
        &mut self,
        check: &Check,
        until: Instant,
        before: &str,
        still: impl Fn(&Run) -> bool,
    ) -> Option<Seen> {
        let ground = Arc::clone(&self.ground);
        let look = tokio::time::timeout_at(until, ground.sight.check(&check.what));
        let seen = self.attend(look, still).await?;
        Some(seen.unwrap_or_else(|_| {
            let says = match before {
                "" => "no answer by the deadline".to_owned(),
                before => format!("{before}; and no newer answer by the deadline"),
            };
            Seen { holds: false, says }
        }))
    }

    /// Looks until it is known. `at_once`: the first observation that is not good decides.
    pub(super) async fn watch(
        &mut self,
        check: &Check,
        at_once: bool,
        still: impl Fn(&Run) -> bool + Copy,
    ) -> Came {
        let needed = check.good.max(1);
        let until = Instant::now() + check.within;
        let (mut streak, mut says) = (0, String::new());
        loop {
            let begun = Instant::now();
            let Some(seen) = self.observe(check, until, &says, still).await else { return Came::Dropped };
            streak = if seen.holds { streak + 1 } else { 0 };
            says = seen.says;
            if streak >= needed {
                return Came::Good(proof(needed, &says));
            }
            if at_once && !seen.holds {
                return Came::Bad(says);
            }
            let next = begun + check.every.max(MIN_EVERY);
            if next.max(Instant::now()) >= until {
                return Came::Late(says);
            }
            if self.attend(tokio::time::sleep_until(next), still).await.is_none() {
                return Came::Dropped;
            }
        }
    }

    /// Whether an undoing can be seen. One that `spared` what was there before the step need not
    /// be: what is looked for may not have been so before the step either.
    pub(super) async fn verify_undone(&mut self, check: &Check, says: &str, spared: bool) -> Effected {
        let now = |run: &Run| !run.abort.as_ref().is_some_and(|a| a.now);
        match self.watch(check, spared, now).await {
            Came::Good(proof) => Effected::Done { says: format!("{says}; {proof}") },
            Came::Late(seen) | Came::Bad(seen) if spared => Effected::Done {
                says: format!("{says}; what would prove the whole undone does not hold: {seen}"),
            },
            Came::Late(seen) | Came::Bad(seen) => Effected::Failed {
                why: format!(
                    "it was undone ({says}), but that is not seen within {} s: {seen}",
                    check.within.as_secs_f32()
                ),
            },
            Came::Dropped => {
                Effected::Killed { why: format!("it was undone ({says}), and aborted before that was seen") }
            }
        }
    }
}

fn proof(needed: u32, says: &str) -> String {
    match needed {
        1 => says.to_owned(),
        _ => format!("{needed} good in a row: {says}"),
    }
}
