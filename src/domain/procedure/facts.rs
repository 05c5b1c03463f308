//! What runs leave behind: debts that were not settled since, and interlocks that still stand.

use super::deeds::{Deed, Deeds};
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
    /// `PROCEDURE.STEP`: one of these, verified after that, stands for all of `verified`.
    pub or_verified: Vec<String>,
    /// A condition must hold as well before it is lifted, so that runs alone never lift it.
    pub holds_too: bool,
}

impl InterlockRule {
    /// Whether what became of this step (`PROCEDURE.STEP`) raises it or may lift it.
    pub fn names(&self, step: &str) -> bool {
        [&self.raised_by, &self.verified, &self.or_verified].into_iter().flatten().any(|s| s == step)
    }
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
    /// The run's journal cannot be read, and it may not have raised it at all.
    pub unread: bool,
}

/// What runs leave behind.
pub struct Facts;

impl Facts {
    /// What is owed and what stands, by all runs of a stack, in any order.
    pub fn of<'a>(
        runs: impl Iterator<Item = &'a Run>,
        interlocks: &[InterlockRule],
    ) -> (Vec<Owed>, Vec<Raised>) {
        let deeds: Vec<Deeds> = runs.map(Deeds::of).collect();
        Facts::of_deeds(deeds.iter(), interlocks)
    }

    /// The same, by what the runs did.
    pub fn of_deeds<'a>(
        runs: impl Iterator<Item = &'a Deeds>,
        interlocks: &[InterlockRule],
    ) -> (Vec<Owed>, Vec<Raised>) {
        let runs = in_order(runs);
        let raised = standing_of(&runs, interlocks, None)
            .into_iter()
            .map(|s| Raised { id: s.id, run: s.run, since: s.since })
            .collect();
        (owed(&runs), raised)
    }
}

/// The interlocks that runs raised and that nothing is known to have lifted; those that `except`
/// raised are not told.
pub fn standing<'a>(
    runs: impl Iterator<Item = &'a Deeds>,
    interlocks: &[InterlockRule],
    except: Option<&RunId>,
) -> Vec<Standing> {
    standing_of(&in_order(runs), interlocks, except)
}

fn in_order<'a>(runs: impl Iterator<Item = &'a Deeds>) -> Vec<&'a Deeds> {
    let mut runs: Vec<&Deeds> = runs.collect();
    runs.sort_by(|a, b| (a.started, &a.run).cmp(&(b.started, &b.run)));
    runs
}

/// One debt by its id, from the oldest run that still owes it, with the others that do.
fn owed(runs: &[&Deeds]) -> Vec<Owed> {
    let mut out: Vec<Owed> = Vec::new();
    for run in runs {
        for (owe, deed) in &run.owed {
            let settles = |other: &&Deeds| {
                other.run != run.run
                    && other.settled.iter().any(|s| s.what == owe.id && run.is_answered_by(deed, other, s))
            };
            if runs.iter().any(settles) {
                continue;
            }
            match out.iter_mut().find(|o| o.owe.id == owe.id) {
                Some(older) if older.is_by(&run.run) => {}
                Some(older) => older.also.push(run.run.clone()),
                None => {
                    let (owe, run) = (owe.clone(), run.run.clone());
                    out.push(Owed { owe, run, since: deed.at, also: Vec::new() });
                }
            }
        }
    }
    out
}

fn standing_of(runs: &[&Deeds], interlocks: &[InterlockRule], except: Option<&RunId>) -> Vec<Standing> {
    interlocks.iter().filter_map(|rule| standing_by(runs, rule, except)).collect()
}

/// The latest raising of an interlock that was not answered. Each run's is looked at: where clocks
/// went back, the latest by its time need not be the last.
fn standing_by(runs: &[&Deeds], rule: &InterlockRule, except: Option<&RunId>) -> Option<Standing> {
    for run in runs.iter().rev().filter(|r| Some(&r.run) != except) {
        let Some(raised) = last_raised(run, rule) else { continue };
        let proved = |step: &String| verified_since(runs, step, run, &raised);
        let missing: Vec<String> = if rule.or_verified.iter().any(proved) {
            Vec::new()
        } else {
            rule.verified.iter().filter(|step| !proved(step)).cloned().collect()
        };
        if missing.is_empty() && !rule.verified.is_empty() && !rule.holds_too {
            continue;
        }
        let (id, unread) = (rule.id.clone(), run.unread);
        return Some(Standing { id, run: run.run.clone(), since: raised.at, missing, unread });
    }
    None
}

/// The last intent of a run that raised an interlock.
fn last_raised(run: &Deeds, rule: &InterlockRule) -> Option<Deed> {
    if run.anything && !rule.raised_by.is_empty() {
        return Some(Deed { what: String::new(), n: 0, at: run.started, order: run.started });
    }
    // Within one run its entries are in order, whatever the clock did.
    run.intended.iter().filter(|d| rule.raised_by.contains(&d.what)).max_by_key(|d| d.n).cloned()
}

/// Whether a step was verified after it was raised.
fn verified_since(runs: &[&Deeds], origin: &str, raiser: &Deeds, raised: &Deed) -> bool {
    runs.iter().rev().any(|run| {
        run.verified.iter().filter(|proof| proof.what == origin).any(|proof| {
            if run.run == raiser.run {
                return proof.n > raised.n;
            }
            raiser.is_answered_by(raised, run, proof)
        })
    })
}
