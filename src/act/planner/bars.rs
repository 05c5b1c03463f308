//! What stands in the way of a plan beside its preconditions: another run's lock, and interlocks.

use super::Eyes;
use super::look::condition;
use crate::act::control;
use crate::act::rundir::StateDir;
use crate::domain::id::ProcedureId;
use crate::domain::procedure::facts::{InterlockRule, Standing, standing};
use crate::domain::procedure::plan::Plan;
use crate::domain::procedure::proposal::Refusal;
use crate::domain::procedure::run::Run;
use crate::domain::text::one_line;
use crate::stack::procedure::spec::Interlock;
use crate::stack::spec::Stack;

/// Runs that are read for what they left behind; older ones count no more. The same bound as the
/// ledger's, so that the screen and the planner say the same.
const MAX_RUNS: usize = control::watch::MAX_KEPT;
/// Journals that cannot be read and are named, at most.
const MAX_UNREAD: usize = 5;

/// What the runs can say of each interlock of a stack.
pub fn rules(stack: &Stack) -> Vec<InterlockRule> {
    stack.procedures.interlocks.iter().map(rule).collect()
}

fn rule(interlock: &Interlock) -> InterlockRule {
    InterlockRule {
        id: interlock.id.clone(),
        raised_by: interlock.raised_by.clone(),
        verified: interlock.until.verified.clone(),
        holds_too: interlock.until.holds.is_some(),
    }
}

/// The run that holds the plan's lock, or left it.
pub fn locks(plan: &Plan, state: &StateDir) -> Vec<Refusal> {
    let held = control::lock_of(state, &plan.stack, &plan.lock);
    held.into_iter()
        .map(|(owner, runner_alive)| Refusal::Locked {
            scope: plan.lock.clone(),
            run: owner.run,
            by: owner.by.login,
            since: owner.since,
            runner_alive,
        })
        .collect()
}

/// The interlocks that forbid a plan, and warnings of runs that could not be read.
pub async fn interlocks(stack: &Stack, plan: &Plan, eyes: &Eyes<'_>) -> (Vec<Refusal>, Vec<String>) {
    let blocking: Vec<&Interlock> =
        stack.procedures.interlocks.iter().filter(|i| i.blocks.iter().any(|p| blocks(i, p, plan))).collect();
    if blocking.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let (stands, unread) = by_runs(&blocking, &stack.name, eyes.state).await;
    let mut out = Vec::new();
    for interlock in blocking {
        let by_run = match stands.iter().find(|s| s.id == interlock.id) {
            Some(stands) => still(interlock, stands, eyes).await,
            None => None,
        };
        let refusal = match (by_run, &interlock.raised_while) {
            (Some(refusal), _) => Some(refusal),
            (None, Some(while_so)) => {
                let seen = condition(while_so, eyes).await;
                seen.holds.then(|| refusal(interlock, None, Some(&seen.says)))
            }
            (None, None) => None,
        };
        out.extend(refusal);
    }
    (out, unread)
}

/// Whether an interlock that forbids `procedure` forbids the plan: it is of that procedure, or has
/// it inside; but not when what lifts the interlock comes before it in the same plan.
fn blocks(interlock: &Interlock, procedure: &ProcedureId, plan: &Plan) -> bool {
    if *procedure == plan.procedure {
        return true;
    }
    let inside =
        |origin: &str| origin.strip_prefix(procedure.as_str()).is_some_and(|rest| rest.starts_with('.'));
    let Some(first) = plan.steps.iter().position(|s| inside(&s.origin)) else { return false };
    let before = plan.steps.get(..first).unwrap_or_default();
    let until = &interlock.until;
    let lifts = !until.verified.is_empty()
        && until.holds.is_none()
        && until.verified.iter().all(|v| before.iter().any(|s| s.origin == *v));
    !lifts
}

/// An interlock that runs raised: whether it still stands, by what only a look can tell.
async fn still(interlock: &Interlock, stands: &Standing, eyes: &Eyes<'_>) -> Option<Refusal> {
    if !stands.missing.is_empty() {
        let missing = format!("still to be verified: {}", stands.missing.join(", "));
        return Some(refusal(interlock, Some(stands), Some(&missing)));
    }
    match &interlock.until.holds {
        Some(holds) => {
            let seen = condition(holds, eyes).await;
            (!seen.holds).then(|| refusal(interlock, Some(stands), Some(&seen.says)))
        }
        None => Some(refusal(interlock, Some(stands), None)),
    }
}

fn refusal(interlock: &Interlock, stands: Option<&Standing>, now: Option<&str>) -> Refusal {
    let detail = now.map_or(String::new(), |now| format!(" (now: {})", one_line(now, 200)));
    Refusal::Interlocked {
        id: interlock.id.clone(),
        says: match stands {
            Some(stands) => format!("{} (run {})", interlock.says, stands.run),
            None => interlock.says.clone(),
        },
        until: format!("{}{detail}", interlock.until.says),
        since: stands.map(|s| s.since),
    }
}

/// What the stack's runs say of interlocks. Reads files on a thread of its own.
async fn by_runs(interlocks: &[&Interlock], stack: &str, state: &StateDir) -> (Vec<Standing>, Vec<String>) {
    let rules: Vec<InterlockRule> =
        interlocks.iter().filter(|i| !i.raised_by.is_empty()).map(|i| rule(i)).collect();
    if rules.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let (stack, state) = (stack.to_owned(), state.clone());
    let read = tokio::task::spawn_blocking(move || {
        let (runs, unread) = runs(&state, &stack);
        (standing(runs.iter(), &rules), unread)
    });
    read.await
        .unwrap_or_else(|e| (Vec::new(), vec![format!("the runs could not be read for interlocks: {e}")]))
}

fn runs(state: &StateDir, stack: &str) -> (Vec<Run>, Vec<String>) {
    let (ids, _) = match state.run_ids() {
        Ok(ids) => ids,
        Err(why) => return (Vec::new(), vec![format!("interlocks are not known: failed to {why}")]),
    };
    let (mut runs, mut unread) = (Vec::new(), Vec::new());
    for id in ids.iter().take(MAX_RUNS) {
        match control::load(state, id.as_str()) {
            Ok(loaded) if loaded.run.plan.stack == stack => runs.push(loaded.run),
            Ok(_) => {}
            // One that is over without a word began nothing.
            Err(_) if control::is_over(state, id) => {}
            Err(why) => {
                unread.push(format!("what run {id} did is not known: failed to {}", one_line(&why, 200)));
            }
        }
    }
    let more = unread.len().saturating_sub(MAX_UNREAD);
    if more > 0 {
        unread.truncate(MAX_UNREAD);
        unread.push(format!("and of {more} more runs"));
    }
    (runs, unread)
}
