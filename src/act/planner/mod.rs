//! Makes plans: a procedure written out, its targets looked at, its level computed, what it means
//! at this moment and what stands in its way. Looks at the world and changes nothing.

mod blast;
pub mod interlocks;
#[cfg(test)]
mod tests;

use super::control;
use super::rundir::StateDir;
use super::sight::Sight;
use super::step::{self, Setting, Target};
use crate::clock::Clock;
use crate::domain::id::{HostId, ProcedureId, RunId};
use crate::domain::procedure::check::{Condition, Seen};
use crate::domain::procedure::level::{self, Effect};
use crate::domain::procedure::plan::{FORMAT, Pin, Plan, PlanHash, Precondition, Step};
use crate::domain::procedure::proposal::{Proposal, Refusal, prompt};
use crate::stack::procedure::expand::{Expanded, expand};
use crate::stack::spec::Stack;
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use futures_util::StreamExt;
use futures_util::stream;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Targets and conditions looked at at once. A host's ssh has a bound of its own.
const AT_ONCE: usize = 8;
/// How long the look at one condition or value may take, over and above the probes' own timeouts.
const LOOK: Duration = Duration::from_secs(60);

/// What a plan is made with.
pub struct Eyes<'a> {
    pub stack: &'a Stack,
    /// SHA-256 of the stack file and of what config.toml changes in it.
    pub stack_hash: &'a str,
    pub ways: &'a BTreeMap<HostId, Arc<Transport>>,
    pub access: &'a Arc<Access>,
    pub sight: &'a dyn Sight,
    pub clock: &'a dyn Clock,
    pub state: &'a StateDir,
}

/// Makes the plan of a procedure and looks at what it would meet. Bounded by the timeouts of the
/// probes and targets; cancel-safe.
///
/// # Errors
/// What is wrong with the parameters; each completes "failed to plan: …". What is wrong with the
/// world is among the proposal's refusals.
pub async fn propose(
    eyes: &Eyes<'_>,
    procedure: &ProcedureId,
    params: &BTreeMap<String, String>,
) -> Result<Proposal, Vec<String>> {
    let expanded = expand(eyes.stack, procedure, params)?;
    // Before the looks: what is said of their age must not flatter them.
    let looked = eyes.clock.now();
    let steps = expanded.steps.clone();
    let found: Vec<(Step, Found)> =
        stream::iter(steps).map(|step| look_at(eyes, step)).buffered(AT_ONCE).collect().await;
    let (preconditions, blast) = tokio::join!(
        look_at_preconditions(eyes, &expanded.preconditions),
        blast::look(eyes, &expanded.blast)
    );
    let mut sum = Sum { blast, ..Sum::default() };
    let mut steps = Vec::with_capacity(found.len());
    for (step, found) in found {
        sum.add(&step, found);
        steps.push(step);
    }
    let subject = interlocks::Subject::planned(&expanded.procedure, &expanded.steps);
    let mut refusals = locked(eyes, &expanded);
    refusals.extend(interlocks::standing_in_the_way(eyes.stack, eyes.state, eyes.sight, &subject).await);
    refusals.extend(
        preconditions
            .iter()
            .filter(|(_, seen)| !seen.holds)
            .map(|(says, seen)| Refusal::Precondition { says: says.clone(), seen: seen.says.clone() }),
    );
    refusals.append(&mut sum.impossible);
    let plan = plan(eyes, expanded, steps, sum.pins);
    let hash = PlanHash::of(&plan);
    Ok(Proposal {
        prompt: prompt(&plan, &sum.blast),
        hash,
        plan,
        looked,
        blast: sum.blast,
        preconditions,
        refusals,
        changed: Vec::new(),
        warnings: sum.warnings,
    })
}

/// Puts the frozen part together.
fn plan(eyes: &Eyes<'_>, expanded: Expanded, mut steps: Vec<Step>, pins: Vec<Pin>) -> Plan {
    let production = level::is_production(&eyes.stack.environment);
    for step in &mut steps {
        step.level = level::of_step(step, production).level;
    }
    let judged = level::of_plan(&steps, expanded.level, production);
    Plan {
        format: FORMAT,
        stack: eyes.stack.name.clone(),
        title: eyes.stack.title.clone(),
        environment: eyes.stack.environment.clone(),
        stack_hash: eyes.stack_hash.to_owned(),
        procedure: expanded.procedure,
        name: expanded.name,
        params: expanded.params,
        lock: expanded.lock,
        deadline: expanded.deadline,
        level: judged.level,
        level_because: judged.because,
        preconditions: expanded.preconditions,
        steps,
        pins,
    }
}

/// What was found of one step.
struct Found {
    target: Result<Target, String>,
    /// The same for what would undo it; only whether that is possible matters.
    undo: Option<Target>,
}

/// Completes a step and looks at its target.
async fn look_at(eyes: &Eyes<'_>, mut step: Step) -> (Step, Found) {
    step.preview = step.action.describe(step.sudo);
    if let Some(rollback) = &mut step.rollback {
        rollback.preview = rollback.action.describe_undoing(&step.action, step.sudo);
    }
    let Some(transport) = eyes.ways.get(&step.host) else {
        let why = format!("there is no way to the host {}", step.host);
        return (step, Found { target: Err(why), undo: None });
    };
    // No run has an id yet; nothing that only looks uses it.
    let run = RunId::new("plan");
    let setting = Setting {
        stack: eyes.stack,
        run: &run,
        step: &step.id,
        attempt: 0,
        by_word: false,
        undoes: None,
        host: &step.host,
        transport,
        sudo: step.sudo,
        timeout: step.timeout,
        access: eyes.access,
        sight: eyes.sight,
        clock: eyes.clock,
        dir: eyes.state.root(),
    };
    let target = step::target(&step.action, &setting).await;
    let undo = match &step.rollback {
        Some(rollback) => {
            let setting = Setting { undoes: Some(&step.action), ..setting };
            Some(step::target(&rollback.action, &setting).await)
        }
        None => None,
    };
    step.certainty = target.certainty;
    (step, Found { target: Ok(target), undo })
}

/// What the steps' targets say together.
#[derive(Default)]
struct Sum {
    pins: Vec<Pin>,
    /// Targets of which two steps saw different states.
    torn: Vec<String>,
    /// Targets that a step so far changes.
    acted_on: BTreeSet<String>,
    blast: Vec<crate::domain::procedure::proposal::Blast>,
    impossible: Vec<Refusal>,
    warnings: Vec<String>,
}

impl Sum {
    fn add(&mut self, step: &Step, found: Found) {
        let at = |why: &str| format!("step `{}`: {why}", step.id);
        let target = match found.target {
            Ok(target) => target,
            Err(why) => {
                self.impossible.push(Refusal::Impossible { says: at(&why) });
                return;
            }
        };
        // What a step that may be passed over would meet must not stop the plan: whether it is
        // needed at all is seen later. The same for one that an earlier step makes possible.
        let needed = step.unless.is_none() && step.after.is_empty();
        match &target.impossible {
            Some(why) if needed => self.impossible.push(Refusal::Impossible { says: at(why) }),
            Some(why) => self.warnings.push(at(why)),
            None => {}
        }
        if let Some(why) = found.undo.and_then(|t| t.impossible) {
            self.warnings.push(format!("step `{}` could not be undone: {why}", step.id));
        }
        // What an earlier step changes is not met as it is now: what is odd about it now means nothing.
        if !self.acted_on.contains(&target.what) {
            self.warnings.extend(target.warnings.iter().map(|w| at(w)));
        }
        if step.effect > Effect::Read && !target.what.is_empty() {
            self.acted_on.insert(target.what.clone());
        }
        let state = target.pinned().to_owned();
        for says in target.blast {
            if !self.blast.iter().any(|b| b.says == says) {
                self.blast.push(crate::domain::procedure::proposal::Blast { says, value: None });
            }
        }
        if target.what.is_empty() || self.torn.contains(&target.what) {
            return;
        }
        match self.pins.iter().position(|p| p.what == target.what) {
            None => self.pins.push(Pin { what: target.what, state }),
            // Two steps read one thing differently: neither state can be held against it later.
            Some(i) if self.pins[i].state != state => {
                self.pins.remove(i);
                self.torn.push(target.what);
            }
            Some(_) => {}
        }
    }
}

/// Looks at one condition; one that is not answered in time does not hold.
async fn seen(sight: &dyn Sight, condition: &Condition) -> Seen {
    let late = || Seen { holds: false, says: format!("no answer within {} s", LOOK.as_secs()) };
    tokio::time::timeout(LOOK, sight.check(condition)).await.unwrap_or_else(|_| late())
}

async fn look_at_preconditions(eyes: &Eyes<'_>, all: &[Precondition]) -> Vec<(String, Seen)> {
    // Owned: a future over a reference into a list is not one that a task can own.
    stream::iter(all.to_vec())
        .map(|p| async move { (p.says, seen(eyes.sight, &p.what).await) })
        .buffered(AT_ONCE)
        .collect()
        .await
}

fn locked(eyes: &Eyes<'_>, expanded: &Expanded) -> Vec<Refusal> {
    let held = control::lock_of(eyes.state, &eyes.stack.name, &expanded.lock);
    held.into_iter()
        .map(|(owner, runner_alive)| Refusal::Locked {
            scope: expanded.lock.clone(),
            run: owner.run,
            by: owner.by.login,
            since: owner.since,
            runner_alive,
        })
        .collect()
}
