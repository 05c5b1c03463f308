//! What forbids a procedure: interlocks that earlier runs raised, or that the world raises now.

use super::{Eyes, seen};
use crate::act::control;
use crate::act::rundir::StateDir;
use crate::domain::id::ProcedureId;
use crate::domain::procedure::facts::{InterlockRule, Standing, standing};
use crate::domain::procedure::proposal::Refusal;
use crate::domain::procedure::run::Run;
use crate::stack::procedure::expand::Expanded;
use crate::stack::procedure::spec::Interlock;

/// Runs whose journals are read, at most; the newest.
const MAX_READ: usize = 500;

/// What the domain must know of an interlock.
pub fn rule(interlock: &Interlock) -> InterlockRule {
    InterlockRule {
        id: interlock.id.clone(),
        raised_by: interlock.raised_by.clone(),
        verified: interlock.until.verified.clone(),
        holds_too: interlock.until.holds.is_some(),
    }
}

/// The rules of a stack.
pub fn rules(all: &[Interlock]) -> Vec<InterlockRule> {
    all.iter().map(rule).collect()
}

/// The interlocks that forbid a procedure, or one that it contains.
pub async fn standing_in_the_way(eyes: &Eyes<'_>, expanded: &Expanded) -> Vec<Refusal> {
    let blocking: Vec<&Interlock> = eyes
        .stack
        .procedures
        .interlocks
        .iter()
        .filter(|i| i.blocks.iter().any(|p| is_blocked(i, expanded, p)))
        .collect();
    if blocking.is_empty() {
        return Vec::new();
    }
    let (runs, mut out) = runs_of(eyes.state, &eyes.stack.name);
    let rules: Vec<InterlockRule> = blocking.iter().map(|i| rule(i)).collect();
    let standing = standing(runs.iter(), &rules);
    for interlock in blocking {
        let raised = standing.iter().find(|s| s.id == interlock.id);
        out.extend(one(eyes, interlock, raised).await);
    }
    out
}

/// Whether an interlock that forbids `procedure` forbids the plan: it is of that procedure, or has
/// steps of it; but then not when what lifts the interlock comes before them in the same plan.
fn is_blocked(interlock: &Interlock, expanded: &Expanded, procedure: &ProcedureId) -> bool {
    if expanded.procedure == *procedure {
        return true;
    }
    let of = |origin: &str| origin.strip_prefix(procedure.as_str()).is_some_and(|rest| rest.starts_with('.'));
    let mut before = expanded.steps.iter().map(|s| s.origin.as_str()).enumerate();
    let Some((first, _)) = before.find(|(_, origin)| of(origin)) else { return false };
    let until = &interlock.until;
    let comes_before = |v: &String| expanded.steps.iter().take(first).any(|s| s.origin == *v);
    let lifts =
        !until.verified.is_empty() && until.holds.is_none() && until.verified.iter().all(comes_before);
    !lifts
}

async fn one(eyes: &Eyes<'_>, interlock: &Interlock, raised: Option<&Standing>) -> Option<Refusal> {
    if let Some(standing) = raised {
        let open = !standing.missing.is_empty() || {
            match &interlock.until.holds {
                Some(condition) => !seen(eyes, condition).await.holds,
                None => false,
            }
        };
        if open {
            let until = match standing.missing.as_slice() {
                [] => interlock.until.says.clone(),
                missing => format!("{} (not verified since: {})", interlock.until.says, missing.join(", ")),
            };
            return Some(Refusal::Interlocked {
                id: interlock.id.clone(),
                says: format!("{} (run {})", interlock.says, standing.run),
                until,
                since: Some(standing.since),
            });
        }
    }
    let seen = seen(eyes, interlock.raised_while.as_ref()?).await;
    seen.holds.then(|| Refusal::Interlocked {
        id: interlock.id.clone(),
        says: format!("{} ({})", interlock.says, seen.says),
        until: interlock.until.says.clone(),
        since: None,
    })
}

/// The newest runs of a stack, as their journals tell them; and those that cannot be read: what
/// they left behind is not known.
fn runs_of(state: &StateDir, stack: &str) -> (Vec<Run>, Vec<Refusal>) {
    let (mut runs, mut unread) = (Vec::new(), Vec::new());
    let ids = match state.run_ids() {
        Ok((ids, _)) => ids,
        Err(why) => {
            unread.push(Refusal::Impossible {
                says: format!("what earlier runs left behind is not known: failed to {why}"),
            });
            return (runs, unread);
        }
    };
    for id in ids.iter().take(MAX_READ) {
        match control::load(state, id.as_str()) {
            Ok(loaded) if loaded.run.plan.stack == stack => runs.push(loaded.run),
            Ok(_) => {}
            Err(_) if control::is_over(state, id) => {}
            Err(why) => unread.push(Refusal::Impossible {
                says: format!("what run {id} left behind is not known: failed to {why}"),
            }),
        }
    }
    (runs, unread)
}
