//! What a run owes, by what it did, proved and undid.

use crate::domain::procedure::level::Effect;
use crate::domain::procedure::plan::Owe;
use crate::domain::procedure::run::{Phase, Run};

impl Run {
    /// Reckons anew what is owed: every debt of a step that was intended and not undone, unless a
    /// step that settles it came to a good end after it and was not undone itself.
    pub(super) fn tally(&mut self) {
        enum Turn<'a> {
            Owes(&'a Owe),
            Settles(&'a [String]),
        }
        let mut turns: Vec<(u64, Turn<'_>)> = Vec::new();
        for (i, step) in self.plan.steps.iter().enumerate() {
            if self.undone(i) {
                continue;
            }
            let mark = &self.book.marks[i];
            if let (Some(owe), Some(n)) = (&step.owes, mark.intended.filter(|_| self.carried_out(i))) {
                turns.push((n, Turn::Owes(owe)));
            }
            if let (false, Some(n)) = (step.settles.is_empty(), self.proved_at(i)) {
                turns.push((n, Turn::Settles(&step.settles)));
            }
        }
        // A step may settle its own debt: stable, so that what it owes comes before.
        turns.sort_by_key(|(n, _)| *n);
        let mut owed: Vec<Owe> = Vec::new();
        for (_, turn) in turns {
            match turn {
                Turn::Owes(owe) if owed.iter().all(|o| o.id != owe.id) => owed.push(owe.clone()),
                Turn::Owes(_) => {}
                Turn::Settles(ids) => owed.retain(|o| !ids.contains(&o.id)),
            }
        }
        self.owed = owed;
    }

    /// Whether a step was rolled back.
    pub fn undone(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|s| matches!(s.rolled_back, Some(Ok(_))))
    }

    /// The number of the entry by which a step came to its good end, if it stands.
    pub(in crate::domain::procedure) fn proved_at(&self, step: usize) -> Option<u64> {
        let good = self.steps.get(step).is_some_and(|s| s.phase.is_good());
        self.book.marks.get(step).and_then(|m| m.proved).filter(|_| good && !self.undone(step))
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
}
