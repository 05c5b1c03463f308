//! What runs leave behind: debts that were not settled since, and interlocks that still stand.

use super::ledger::{Owed, Raised};
use super::run::Run;
use crate::domain::id::RunId;
use jiff::Timestamp;

/// What the runs say of one interlock of the stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterlockRule {
    pub id: String,
    /// `PROCEDURE.STEP`: raised as soon as one of these is intended.
    pub raised_by: Vec<String>,
    /// `PROCEDURE.STEP`: each verified after that lifts it. None means that no run lifts it: a
    /// condition does, which only who can look knows.
    pub verified: Vec<String>,
    /// A condition must hold as well before it is lifted, so that runs alone never lift it.
    pub holds_too: bool,
}

/// An interlock that a run raised, and what is still to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub id: String,
    pub run: RunId,
    pub since: Timestamp,
    /// `PROCEDURE.STEP`s that were not verified since. None left means that only the interlock's
    /// condition is in question.
    pub missing: Vec<String>,
}

/// What runs leave behind.
pub struct Facts;

impl Facts {
    /// What is owed and what stands, by all runs of a stack, in any order.
    pub fn of<'a>(
        runs: impl Iterator<Item = &'a Run>,
        interlocks: &[InterlockRule],
    ) -> (Vec<Owed>, Vec<Raised>) {
        let runs = in_order(runs);
        let raised = standing_of(&runs, interlocks)
            .into_iter()
            .map(|s| Raised { id: s.id, run: s.run, since: s.since })
            .collect();
        (owed(&runs), raised)
    }
}

/// The interlocks that runs raised and that nothing is known to have lifted.
pub fn standing<'a>(runs: impl Iterator<Item = &'a Run>, interlocks: &[InterlockRule]) -> Vec<Standing> {
    standing_of(&in_order(runs), interlocks)
}

fn in_order<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<&'a Run> {
    let mut runs: Vec<&Run> = runs.collect();
    runs.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
    runs
}

/// One debt by its id, from the oldest run that still owes it.
fn owed(runs: &[&Run]) -> Vec<Owed> {
    let mut out: Vec<Owed> = Vec::new();
    for run in runs {
        for owe in &run.owed {
            let since = run
                .plan
                .steps
                .iter()
                .zip(&run.steps)
                .filter(|(plan, _)| plan.owes.as_ref().is_some_and(|o| o.id == owe.id))
                .filter_map(|(_, state)| state.since)
                .max()
                .unwrap_or(run.started);
            let settled = runs.iter().filter(|r| r.id != run.id).any(|r| settles_after(r, &owe.id, since));
            if !settled && out.iter().all(|o| o.owe.id != owe.id) {
                out.push(Owed { owe: owe.clone(), run: run.id.clone(), since });
            }
        }
    }
    out
}

/// Whether a run settled a debt after a moment, and the settling stands.
fn settles_after(run: &Run, owe: &str, since: Timestamp) -> bool {
    run.settlers(owe).iter().any(|together| {
        together.iter().all(|i| {
            run.proved_at(*i).is_some()
                && run.steps.get(*i).and_then(|s| s.ended).is_some_and(|at| at >= since)
        })
    })
}

fn standing_of(runs: &[&Run], interlocks: &[InterlockRule]) -> Vec<Standing> {
    let mut out = Vec::new();
    for rule in interlocks {
        let Some((at, run, since)) = last_raised(runs, rule) else { continue };
        let missing: Vec<String> = rule
            .verified
            .iter()
            .filter(|step| !verified_since(runs, step, at, run, since))
            .cloned()
            .collect();
        if missing.is_empty() && !rule.verified.is_empty() && !rule.holds_too {
            continue;
        }
        out.push(Standing { id: rule.id.clone(), run: run.id.clone(), since, missing });
    }
    out
}

/// The last intent that raised an interlock: its entry's number, its run and its time.
fn last_raised<'a>(runs: &[&'a Run], rule: &InterlockRule) -> Option<(u64, &'a Run, Timestamp)> {
    let mut last: Option<(u64, &Run, Timestamp)> = None;
    for run in runs {
        for (i, step) in run.plan.steps.iter().enumerate() {
            let Some(n) = run.intended_at(i).filter(|_| rule.raised_by.contains(&step.origin)) else {
                continue;
            };
            let since = run.steps.get(i).and_then(|s| s.since).unwrap_or(run.started);
            // Runs are in order; within one, its entries are, whatever the clock did.
            let later = last.is_none_or(|(m, r, t)| if r.id == run.id { n > m } else { since >= t });
            if later {
                last = Some((n, run, since));
            }
        }
    }
    last
}

/// Whether a step was verified after entry `at` of `raiser`, which was written at `since`.
fn verified_since(runs: &[&Run], origin: &str, at: u64, raiser: &Run, since: Timestamp) -> bool {
    runs.iter().any(|run| {
        run.plan.steps.iter().enumerate().any(|(i, step)| {
            let Some(n) = run.verified_at(i).filter(|_| step.origin == origin) else { return false };
            if run.id == raiser.id {
                return n > at;
            }
            // It must have begun after it, too: proof that was under way proves nothing new.
            run.steps.get(i).and_then(|s| s.since).is_some_and(|begun| begun >= since)
        })
    })
}
