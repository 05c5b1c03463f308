//! Makes plans: a procedure of the stack file, with what is true of its targets, what it would hit
//! and what stands in its way. Looks, and changes nothing.

mod bars;
mod look;
mod together;

use super::rundir::StateDir;
use super::sight::Sight;
use crate::clock::Clock;
use crate::domain::id::{HostId, ProcedureId};
use crate::domain::procedure::level;
use crate::domain::procedure::plan::{FORMAT, Plan, PlanHash};
use crate::domain::procedure::proposal::{Proposal, prompt};
use crate::stack::procedure::expand::{Expanded, expand};
use crate::stack::procedure::spec::BlastLine;
use crate::stack::spec::Stack;
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use std::collections::BTreeMap;
use std::sync::Arc;

pub use bars::rules;

/// What a planner looks with.
pub struct Eyes<'a> {
    pub sight: &'a dyn Sight,
    /// The way to each host of the stack.
    pub ways: &'a BTreeMap<HostId, Arc<Transport>>,
    pub access: &'a Arc<Access>,
    pub clock: &'a dyn Clock,
    /// Where the locks and the other runs are.
    pub state: &'a StateDir,
}

/// Makes the plan of a procedure, and looks at what it means at this moment. Bounded by the looks'
/// own time limits: 10 s for a target, 60 s for a condition, several at once. Cancel-safe.
///
/// Twice of an unchanged world it gives one hash; `changed` is empty, since only who showed an
/// earlier one can compare (`domain::procedure::changes`).
///
/// # Errors
/// Everything that is wrong with the procedure's name or its parameters, one line each; they
/// complete "failed to plan: …". What stands in the way of a plan that can be made is no error but
/// in its `refusals`.
pub async fn propose(
    stack: &Stack,
    stack_hash: &str,
    procedure: &ProcedureId,
    params: &BTreeMap<String, String>,
    eyes: &Eyes<'_>,
) -> Result<Proposal, Vec<String>> {
    let expanded = expand(stack, procedure, params)?;
    // Before the looks: what is said of their age must not flatter them.
    let looked = eyes.clock.now();
    let (mut plan, blast_lines) = frame(stack, stack_hash, expanded);
    let targets = look::targets(stack, &plan.steps, eyes).await;
    let mut found = look::Found::default();
    look::complete(&mut plan, targets, &mut found);
    let preconditions = look::preconditions(&plan, eyes).await;
    let blast = look::blast(&blast_lines, found.blast, eyes).await;
    let mut refusals = bars::locks(&plan, eyes.state);
    let (interlocks, unread) = bars::interlocks(stack, &plan, eyes).await;
    refusals.extend(interlocks);
    refusals.extend(look::unmet(&preconditions));
    refusals.extend(found.impossible);
    found.warnings.extend(unread);
    let prompt = prompt(&plan, &blast);
    Ok(Proposal {
        hash: PlanHash::of(&plan),
        plan,
        looked,
        blast,
        preconditions,
        refusals,
        prompt,
        changed: Vec::new(),
        warnings: found.warnings,
    })
}

/// The plan as far as the stack file goes, and its blast radius.
fn frame(stack: &Stack, stack_hash: &str, expanded: Expanded) -> (Plan, Vec<BlastLine>) {
    let production = level::is_production(&stack.environment);
    let mut steps = expanded.steps;
    for step in &mut steps {
        step.level = level::of_step(step, production).level;
        step.preview = step.action.describe(step.sudo);
        let sudo = step.sudo;
        if let Some(rollback) = &mut step.rollback {
            rollback.preview = rollback.action.describe(sudo);
        }
    }
    let judged = level::of_plan(&steps, expanded.level, production);
    let plan = Plan {
        format: FORMAT,
        stack: stack.name.clone(),
        title: stack.title.clone(),
        environment: stack.environment.clone(),
        stack_hash: stack_hash.to_owned(),
        procedure: expanded.procedure,
        name: expanded.name,
        params: expanded.params,
        lock: expanded.lock,
        deadline: expanded.deadline,
        level: judged.level,
        level_because: judged.because,
        preconditions: expanded.preconditions,
        steps,
        pins: Vec::new(),
    };
    (plan, expanded.blast)
}

#[cfg(test)]
mod tests;
