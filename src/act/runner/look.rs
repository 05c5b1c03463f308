//! What is looked at before anything is done: whether the plan still fits the world, whether its
//! preconditions hold, whether a step is needed at all.

use super::drive::{Halt, Runner, absent};
use super::ground::Ground;
use super::verify::Came;
use crate::act::planner::interlocks::{self, Subject};
use crate::act::step::{self, Target};
use crate::domain::procedure::check::Seen;
use crate::domain::procedure::event::{Event, Hold, Mode, Outcome};
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::machine::Next;
use crate::domain::procedure::run::Run;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long the look at preconditions may take, over and above the probes' own timeouts.
const LOOK: Duration = Duration::from_secs(60);
/// Targets that are looked at at the same time.
const AT_ONCE: usize = 8;

impl Runner {
    /// Looks at the preconditions; before the first time, at whether the plan still fits.
    pub(super) async fn check_preconditions(&mut self) -> Result<(), Halt> {
        if std::mem::take(&mut self.fresh) {
            let mut wrong = Vec::new();
            if self.scribe.is_unwitnessed() {
                wrong.push(
                    "the audit cannot be written, so that nobody could say later who did this".to_owned(),
                );
            }
            let still = |run: &Run| run.abort.is_none();
            match self.attend(changes(Arc::clone(&self.ground)), still).await {
                Some(changed) => wrong.extend(changed),
                None => return self.settle().await,
            }
            if !wrong.is_empty() {
                let why = format!("not what was approved any more: {}", wrong.join("; "));
                return self.record(Event::Ended { outcome: Outcome::Refused, why }).await;
            }
        }
        let still = |run: &Run| matches!(run.next(), Next::CheckPreconditions);
        let Some(found) = self.attend(preconditions(Arc::clone(&self.ground)), still).await else {
            return self.settle().await;
        };
        // After its lock and its first line, so that of two runs one sees the other.
        let locked = locked(Arc::clone(&self.ground), Subject::of(&self.scribe.run));
        let Some(mut failed) = self.attend(locked, still).await else {
            return self.settle().await;
        };
        let mut seen = Vec::new();
        for (what, found) in self.ground.plan.preconditions.iter().zip(found) {
            if !found.holds {
                failed.push(format!("{} ({})", what.says, found.says));
            }
            seen.push(format!("{}: {}", what.says, found.says));
        }
        self.record(Event::Preconditions { failed, seen }).await?;
        self.looked = true;
        Ok(())
    }

    /// Whether an effect is to come next, and time has passed since it was looked at what other
    /// runs put in its way: a run may wait for a person, or for sessions to end, while another one
    /// of another lock closes what this one was about to open.
    pub(super) fn must_look(&self) -> bool {
        let run = &self.scribe.run;
        let acts = |step: usize| self.ground.step(step).is_none_or(|s| s.effect != Effect::Read);
        !self.looked
            && match run.next() {
                Next::Begin { step, .. } | Next::EnterHold { step, why: Hold::Manual, .. } => acts(step),
                // Also with an abort requested: a failed step is undone all the same.
                Next::RollBack { .. } | Next::AskRollBack { .. } => true,
                _ => false,
            }
    }

    /// Undoing needs no preconditions, and nor does each step, but what is locked stays as it is.
    pub(super) async fn look_for_interlocks(&mut self) -> Result<(), Halt> {
        let due = self.scribe.run.next();
        let still = |run: &Run| run.next() == due;
        let look = self.in_the_way();
        let Some(locked) = self.attend(look, still).await else {
            return self.settle().await;
        };
        self.looked = true;
        if locked.is_empty() {
            return Ok(());
        }
        let run = &self.scribe.run;
        let outcome = if run.in_doubt() { Outcome::InDoubt } else { Outcome::Failed };
        let needs = locked.join("; ");
        let (step, what) = match run.next() {
            Next::RollBack { step } | Next::AskRollBack { step } => (step, "rolled back"),
            Next::Begin { step, .. } if run.is_doubted(step) => (step, "begun again, and is in doubt"),
            Next::Begin { step, .. } => (step, "begun"),
            Next::EnterHold { step, .. } => (step, "asked for"),
            _ => return Ok(()),
        };
        let why = format!("step `{}` was not {what}: needs {needs}", self.scribe.id_of(step));
        self.record(Event::Ended { outcome, why }).await
    }

    /// Looks at what other runs put in the way of what comes next: one line each.
    pub(super) fn in_the_way(&self) -> impl Future<Output = Vec<String>> + use<> {
        let run = &self.scribe.run;
        let subject = match run.mode {
            // Its own steps may be what raised them.
            Mode::Continue => Subject::of(run).but_for_conditions(),
            Mode::Rollback if run.steps.iter().any(|s| s.rolled_back.is_some()) => {
                Subject::of(run).but_for_conditions()
            }
            Mode::Rollback => Subject::of(run),
        };
        locked(Arc::clone(&self.ground), subject)
    }

    /// Passes a step over when it is proved that it is not needed.
    pub(super) async fn pass_over(
        &mut self,
        index: usize,
        still: impl Fn(&Run) -> bool + Copy,
    ) -> Result<bool, Halt> {
        let ground = Arc::clone(&self.ground);
        let Some(step) = ground.step(index) else { return Err(absent(index)) };
        let Some(check) = &step.unless else { return Ok(false) };
        let Came::Good(because) = self.watch(check, true, still).await else { return Ok(false) };
        if !still(&self.scribe.run) {
            return Ok(false);
        }
        self.record(Event::Skipped { step: step.id.clone(), because }).await?;
        Ok(true)
    }
}

/// What the interlocks that stand in the way need, one line each.
async fn locked(ground: Arc<Ground>, subject: Subject) -> Vec<String> {
    let sight = ground.sight.as_ref();
    let refusals = interlocks::standing_in_the_way(&ground.stack, &ground.state, sight, &subject).await;
    refusals.iter().map(interlocks::as_a_need).collect()
}

/// All preconditions, looked at together; in their order.
async fn preconditions(ground: Arc<Ground>) -> Vec<Seen> {
    let late = || Seen { holds: false, says: format!("no answer within {} s", LOOK.as_secs()) };
    let count = ground.plan.preconditions.len();
    let mut looks = JoinSet::new();
    for index in 0..count {
        let ground = Arc::clone(&ground);
        looks.spawn(async move {
            let Some(condition) = ground.plan.preconditions.get(index) else { return (index, None) };
            let seen = tokio::time::timeout(LOOK, ground.sight.check(&condition.what)).await;
            (index, seen.ok())
        });
    }
    let mut found: BTreeMap<usize, Seen> = BTreeMap::new();
    while let Some(look) = looks.join_next().await {
        if let Ok((index, Some(seen))) = look {
            found.insert(index, seen);
        }
    }
    (0..count).map(|i| found.remove(&i).unwrap_or_else(late)).collect()
}

/// What is not any more as it was when the plan was made: one line each.
async fn changes(ground: Arc<Ground>) -> Vec<String> {
    if ground.plan.stack != ground.stack.name {
        return vec![format!("the plan is for the stack {}", ground.plan.stack)];
    }
    if ground.plan.pins.is_empty() {
        return Vec::new();
    }
    let targets = targets(&ground).await;
    let mut wrong = Vec::new();
    for pin in &ground.plan.pins {
        match targets.get(&pin.what) {
            Some(target) => {
                if let Some(why) = &target.impossible {
                    wrong.push(format!("{}: {why}", pin.what));
                } else if target.pinned() != pin.state {
                    wrong.push(format!("{} was `{}` and is `{}`", pin.what, pin.state, target.pinned()));
                }
            }
            None => wrong.push(format!("{} was `{}` and cannot be looked at", pin.what, pin.state)),
        }
    }
    wrong
}

/// The targets of all steps by what they are, each looked at once.
async fn targets(ground: &Arc<Ground>) -> BTreeMap<String, Target> {
    let mut seen = BTreeSet::new();
    let mut todo: Vec<usize> = (0..ground.plan.steps.len())
        .filter(|i| {
            ground.step(*i).is_some_and(|s| {
                let action = serde_json::to_string(&s.action).unwrap_or_default();
                seen.insert((s.host.clone(), s.sudo, action))
            })
        })
        .collect();
    let (mut looks, mut found) = (JoinSet::new(), BTreeMap::new());
    loop {
        while looks.len() < AT_ONCE
            && let Some(index) = todo.pop()
        {
            let ground = Arc::clone(ground);
            looks.spawn(async move {
                let step = ground.step(index)?;
                let setting = ground.setting(step, 1).ok()?;
                Some(step::target(&step.action, &setting).await)
            });
        }
        match looks.join_next().await {
            Some(Ok(Some(target))) if !target.what.is_empty() => {
                found.insert(target.what.clone(), target);
            }
            Some(_) => {}
            None => return found,
        }
    }
}
