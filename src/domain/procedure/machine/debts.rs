//! What a run owes, by what it did, proved and undid.

use crate::domain::id::RunId;
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::plan::Owe;
use crate::domain::procedure::run::{Phase, Run};
use std::collections::BTreeSet;

impl Run {
    /// Reckons anew what is owed: every debt of a step that was intended and not undone, unless a
    /// step that settles it came to a good end after it and was not undone itself.
    pub(super) fn tally(&mut self) {
        enum Turn<'a> {
            Owes(&'a Owe),
            Settles(&'a str),
        }
        let mut turns: Vec<(u64, Turn<'_>)> = Vec::new();
        let mut debts: BTreeSet<&str> = BTreeSet::new();
        for (i, step) in self.plan.steps.iter().enumerate() {
            debts.extend(step.settles.iter().map(String::as_str));
            let intended = self.book.marks[i].intended.filter(|_| self.carried_out(i) && !self.undone(i));
            if let (Some(owe), Some(n)) = (&step.owes, intended) {
                turns.push((n, Turn::Owes(owe)));
            }
        }
        for debt in debts {
            for together in self.settlers(debt) {
                let proved: Option<Vec<u64>> = together.iter().map(|i| self.proved_at(*i)).collect();
                if let Some(n) = proved.and_then(|all| all.into_iter().max()) {
                    turns.push((n, Turn::Settles(debt)));
                }
            }
        }
        // A step may settle its own debt: stable, so that what it owes comes before.
        turns.sort_by_key(|(n, _)| *n);
        let mut owed: Vec<Owe> = Vec::new();
        for (_, turn) in turns {
            match turn {
                Turn::Owes(owe) if owed.iter().all(|o| o.id != owe.id) => owed.push(owe.clone()),
                Turn::Owes(_) => {}
                Turn::Settles(debt) => owed.retain(|o| o.id != debt),
            }
        }
        self.owed = owed;
    }

    /// The steps that settle a debt, those together that must all be good for it: several are parts
    /// of one whole, such as pieces of evidence, until a step owes the same anew.
    pub(in crate::domain::procedure) fn settlers(&self, debt: &str) -> Vec<Vec<usize>> {
        let mut all: Vec<Vec<usize>> = vec![Vec::new()];
        for (i, step) in self.plan.steps.iter().enumerate() {
            if step.owes.as_ref().is_some_and(|o| o.id == debt) {
                all.push(Vec::new());
            }
            if let Some(last) = all.last_mut().filter(|_| step.settles.iter().any(|s| s == debt)) {
                last.push(i);
            }
        }
        all.retain(|together| !together.is_empty());
        all
    }

    /// Whether a step was rolled back.
    pub fn undone(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|s| matches!(s.rolled_back, Some(Ok(_))))
    }

    /// The number of the entry by which a step came to its good end, if it stands. A person's word
    /// against what was seen of it is none.
    pub(in crate::domain::procedure) fn proved_at(&self, step: usize) -> Option<u64> {
        let good = self.steps.get(step).is_some_and(|s| s.phase.is_good());
        let mark = self.book.marks.get(step).filter(|m| m.word.as_ref().is_none_or(|w| !w.against));
        mark.and_then(|m| m.proved).filter(|_| good && !self.undone(step))
    }

    /// The same, where it is proof: seen by its verification, or a read that succeeded by itself.
    /// Proof that a step was not needed does not count, nor does a person's word for its end.
    pub(in crate::domain::procedure) fn verified_at(&self, step: usize) -> Option<u64> {
        let read = self.plan.steps.get(step).is_some_and(|s| s.effect == Effect::Read);
        let by_word = self.book.marks.get(step).is_some_and(|m| m.word.is_some());
        let proved = self.steps.get(step).is_some_and(|s| match s.phase {
            Phase::Verified(_) => true,
            Phase::Done(_) => read && !by_word,
            _ => false,
        });
        self.proved_at(step).filter(|_| proved)
    }

    /// The number of the entry of a step's last intent, unless it is known not to have happened.
    pub(in crate::domain::procedure) fn intended_at(&self, step: usize) -> Option<u64> {
        self.book.marks.get(step).and_then(|m| m.intended).filter(|_| self.carried_out(step))
    }

    /// The latest time that the journal had when a step was last intended.
    pub(in crate::domain::procedure) fn floor_of(&self, step: usize) -> Option<jiff::Timestamp> {
        self.book.marks.get(step).and_then(|m| m.floor)
    }

    /// Runs that came before this one up to an entry, whatever their dates say.
    pub(in crate::domain::procedure) fn preceded_by(&self) -> &std::collections::BTreeMap<RunId, u64> {
        &self.book.before
    }
}
