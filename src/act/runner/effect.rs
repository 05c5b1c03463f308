//! Effects: the intent on disk, then the deed within its time, then what came of it on disk.

use super::drive::{Halt, Runner, absent};
use super::scribe::Unrecorded;
use crate::act::process;
use crate::act::step::{self, Left, Setting};
use crate::act::stop::Stop;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::event::{Effected, Event, Truth};
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::machine::Next;
use crate::domain::procedure::plan::{OnFailure, OnTimeout, Step};
use crate::domain::procedure::run::{Phase, Run};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long something that was told to end may take, with its KILL, before it is left to itself.
const END_GRACE: Duration = Duration::from_secs(20);
/// Between two looks at whether an earlier attempt still runs.
const AGAIN: Duration = Duration::from_secs(2);
/// How long is looked at what an aborted step left.
const LAST_LOOK: Duration = Duration::from_secs(15);

impl Runner {
    /// Carries a step out, unless proof passes it over.
    pub(super) async fn begin(&mut self, index: usize, may_pass: bool) -> Result<(), Halt> {
        let still = move |run: &Run| matches!(run.next(), Next::Begin { step, .. } if step == index);
        if may_pass && (self.pass_over(index, still).await? || !still(&self.scribe.run)) {
            return Ok(());
        }
        let ground = Arc::clone(&self.ground);
        let Some(step) = ground.step(index) else { return Err(absent(index)) };
        let attempt = self.scribe.run.steps[index].attempts.saturating_add(1);
        let by_word = self.scribe.is_said_again(&step.id);
        let setting = ground.setting(step, attempt).map(|setting| Setting { by_word, ..setting });
        let (before, impossible) = match &setting {
            Ok(setting) => {
                let look = async { step::target(&step.action, setting).await };
                let Some(target) = self.attend(look, still).await else { return self.settle().await };
                (target.state, target.impossible)
            }
            Err(why) => (String::new(), Some(why.clone())),
        };
        if let Ok(setting) = &setting
            && attempt > 1
            && impossible.is_none()
        {
            self.alone(step, "begun again", setting, still).await?;
            if !still(&self.scribe.run) {
                return Ok(());
            }
        }
        self.intend(Event::Intended { step: step.id.clone(), attempt, before: before.clone() })?;
        self.know_secrets().await?;
        let left = match (setting, impossible) {
            (Ok(setting), None) => {
                let left = self.perform(&step.action, &setting, step.timeout).await;
                self.or_undone(left, step, &before, &setting).await
            }
            (_, why) => Left::failed(format!("it cannot work here: {}", why.unwrap_or_default())),
        };
        let killed = matches!(left.result, Effected::Killed { .. });
        let Left { result, output, .. } = left;
        self.record(Event::Finished { step: step.id.clone(), attempt, result, output }).await?;
        if killed {
            self.last_look(step, attempt).await?;
        }
        Ok(())
    }

    /// A step that a person took as done in doubt, and that perhaps runs still.
    pub(super) fn taken_unseen(&self) -> Option<usize> {
        let run = &self.scribe.run;
        (0..run.steps.len()).find(|i| run.is_taken_unseen(*i) && !self.outlasted.contains(i))
    }

    /// Waits until nothing runs any more of a step that was taken as done: what comes after it must
    /// not begin beside it, nor the run end.
    pub(super) async fn outlast(&mut self, index: usize) -> Result<(), Halt> {
        let ground = Arc::clone(&self.ground);
        let Some(step) = ground.step(index) else { return Err(absent(index)) };
        let attempt = self.scribe.run.steps[index].attempts;
        if let Ok(setting) = ground.setting(step, attempt) {
            let setting = Setting { by_word: true, ..setting };
            self.alone(step, "gone on from", &setting, |run| run.abort.is_none()).await?;
        }
        self.outlasted.insert(index);
        Ok(())
    }

    /// Waits until nothing of an earlier attempt runs any more, neither at the step nor at its
    /// undoing: neither must run twice at once, nor beside the other, and a run whose step still
    /// acts must not end and let others begin.
    async fn alone(
        &mut self,
        step: &Step,
        what: &str,
        setting: &Setting<'_>,
        still: impl Fn(&Run) -> bool + Copy,
    ) -> Result<(), Halt> {
        let undo = step.rollback.as_ref().map(|undo| &undo.action);
        if !step::starts_programs(&step.action) && !undo.is_some_and(step::starts_programs) {
            return Ok(());
        }
        let mut told = false;
        loop {
            // Also when an abort came: it must be known whether the run may end.
            let why = match self.attend(process::strays(setting), |_| true).await {
                Some(Ok(strays)) if strays.is_empty() => return Ok(()),
                Some(Ok(strays)) => {
                    format!("an earlier attempt at it still runs: {}", process::names(&strays))
                }
                // A person decides, or has: it fails to begin, and is held.
                Some(Err(_)) if setting.by_word || step.on_failure == OnFailure::Hold => return Ok(()),
                Some(Err(why)) => {
                    let why = format!("it is not known whether an earlier attempt at it still runs: {why}");
                    return Err(self.left_to_people(step, what, &why).await);
                }
                None => return Ok(()),
            };
            if !still(&self.scribe.run) {
                return Err(self.left_to_people(step, what, &why).await);
            }
            if !std::mem::replace(&mut told, true) {
                let says = format!("step `{}` waits to be {what}: {why}", step.id);
                self.record(Event::Note { says }).await?;
            }
            self.attend(tokio::time::sleep(AGAIN), still).await;
        }
    }

    /// The run does not end with a step that perhaps acts: it reads as lost, and keeps its lock.
    async fn left_to_people(&mut self, step: &Step, what: &str, why: &str) -> Halt {
        let says = format!("step `{}` was not {what}: {why}", step.id);
        match self.record(Event::Note { says: says.clone() }).await {
            Ok(()) => Halt(says),
            Err(halt) => halt,
        }
    }

    /// Has an intent on disk, or nothing happens: there is no second try.
    fn intend(&mut self, event: Event) -> Result<(), Halt> {
        self.scribe.record(event).map_err(|why| match why {
            Unrecorded::Illegal(_) => Halt(format!("failed to {why}")),
            Unrecorded::Unwritten(_) => Halt(format!("failed to {why}; the step was not begun")),
        })
    }

    /// Fetches all secrets before anything is kept of what steps print: a program prints also what
    /// this run did not need so far. A run that is taken up again must keep no more than before.
    async fn know_secrets(&mut self) -> Result<(), Halt> {
        if std::mem::replace(&mut self.knows_secrets, true) {
            return Ok(());
        }
        let access = Arc::clone(&self.ground.access);
        let still = |run: &Run| run.abort.as_ref().is_none_or(|a| !a.now);
        let missing = self.attend(access.fetch_all(), still).await;
        let missing = missing.unwrap_or_else(|| vec!["an abort came first".to_owned()]);
        if missing.is_empty() {
            return Ok(());
        }
        let why = missing.join("; ");
        let says = format!("not all secrets are known, to be taken out of what steps print: {why}");
        self.record(Event::Note { says }).await
    }

    /// Undoes a step.
    pub(super) async fn roll_back(&mut self, index: usize) -> Result<(), Halt> {
        let ground = Arc::clone(&self.ground);
        let Some(step) = ground.step(index) else { return Err(absent(index)) };
        let Some(undo) = &step.rollback else {
            return Err(Halt(format!("step `{}` has no rollback", step.id)));
        };
        let still = move |run: &Run| matches!(run.next(), Next::RollBack { step } if step == index);
        let state = &self.scribe.run.steps[index];
        // What a lost runner began may still run, and must not while it is undone.
        let tried = self.scribe.run.was_undoing_tried(index);
        let lost = tried || state.phase == Phase::InDoubt;
        let attempt = if lost { state.attempts.max(2) } else { state.attempts };
        let setting = ground.setting(step, attempt).map(|setting| Setting {
            timeout: undo.timeout,
            by_word: true,
            undoes: Some(&step.action),
            ..setting
        });
        let before = match &setting {
            Ok(setting) => {
                let look = async { step::target(&undo.action, setting).await };
                let Some(target) = self.attend(look, still).await else { return self.settle().await };
                target.state
            }
            Err(_) => String::new(),
        };
        if let Ok(setting) = &setting
            && tried
        {
            self.alone(step, "undone again", setting, still).await?;
            if !still(&self.scribe.run) {
                return Ok(());
            }
        }
        self.intend(Event::RollbackIntended { step: step.id.clone(), before })?;
        self.know_secrets().await?;
        let left = match setting {
            Ok(setting) => self.perform(&undo.action, &setting, undo.timeout).await,
            Err(why) => Left::failed(format!("it cannot work here: {why}")),
        };
        let result = match (left.result, &undo.verify) {
            (Effected::Done { says }, Some(check)) => self.verify_undone(check, &says, left.spared).await,
            (result, _) => result,
        };
        self.record(Event::RollbackFinished { step: step.id.clone(), result }).await
    }

    /// Has an action done within its time. Told to end, by a person or because its time is over,
    /// it gets [`END_GRACE`] for that, and is then left to itself, which is said.
    async fn perform(&mut self, action: &Action, setting: &Setting<'_>, within: Duration) -> Left {
        let stop = Stop::new();
        let work = step::perform(action, setting, &stop);
        tokio::pin!(work);
        let mut until = Instant::now() + within;
        let (mut timed_out, mut aborted) = (false, false);
        // A wait leaves nothing half done: the first word ends it, not only the second.
        let only_looks = matches!(action, Action::Wait(_)) && self.scribe.run.rolling_back().is_none();
        let left = loop {
            tokio::select! {
                biased;
                left = &mut work => break left,
                () = tokio::time::sleep_until(until) => {
                    if timed_out || aborted {
                        let grace = END_GRACE.as_secs();
                        break Left::killed(format!("it did not end within {grace} s of being told to, and may still run"));
                    }
                    timed_out = true;
                    stop.stop();
                    until = Instant::now() + END_GRACE;
                }
                () = self.hear_one() => {
                    let ends = only_looks && self.scribe.run.abort.is_some();
                    if ends {
                        stop.stop();
                    }
                    if !aborted && (ends || self.pass_on_abort(&stop)) {
                        aborted = true;
                        if !timed_out {
                            until = Instant::now() + END_GRACE;
                        }
                    }
                }
            }
        };
        let result = match left.result {
            done @ Effected::Done { .. } => done,
            Effected::Failed { why } | Effected::TimedOut { why } | Effected::Killed { why } => {
                if timed_out {
                    Effected::TimedOut { why: format!("not done within {} s: {why}", within.as_secs_f32()) }
                } else if aborted {
                    Effected::Killed { why }
                } else {
                    Effected::Failed { why }
                }
            }
        };
        Left { result, ..left }
    }

    /// What would be left to the verification because the step's time was over, fails where the
    /// system itself knows that it did not happen: a verification sees the service, which may be as
    /// healthy as it was before.
    async fn or_undone(&mut self, left: Left, step: &Step, before: &str, setting: &Setting<'_>) -> Left {
        let Effected::TimedOut { why } = &left.result else { return left };
        let verified_next = step.on_timeout == OnTimeout::Verify && step.verify.is_some();
        if !verified_next || step.effect == Effect::Read {
            return left;
        }
        let asked = self.attend(step::ask(&step.action, before, setting), |_| true).await;
        match asked {
            Some(answer) if answer.truth == Truth::DidNot => {
                let why = format!("{why}; it did not happen: {}", answer.says);
                Left { result: Effected::Failed { why }, ..left }
            }
            _ => left,
        }
    }

    /// What an aborted step left behind, for who aborted it.
    async fn last_look(&mut self, step: &Step, attempt: u32) -> Result<(), Halt> {
        let ground = Arc::clone(&self.ground);
        let look = async {
            let mut found = Vec::new();
            if let Ok(setting) = ground.setting(step, attempt) {
                let target = step::target(&step.action, &setting).await;
                if !target.state.is_empty() {
                    found.push(format!("{}: {}", target.what, target.state));
                }
            }
            if let Some(check) = &step.verify {
                let seen = ground.sight.check(&check.what).await;
                found.push(seen.says);
            }
            found
        };
        let bounded = tokio::time::timeout(LAST_LOOK, look);
        let found = match self.attend(bounded, |_| true).await {
            Some(Ok(found)) => found.join("; "),
            _ => format!("no answer within {} s", LAST_LOOK.as_secs()),
        };
        if found.is_empty() {
            return Ok(());
        }
        self.record(Event::Note { says: format!("after the abort of step `{}`: {found}", step.id) }).await
    }
}
