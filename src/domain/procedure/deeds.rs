//! What one run did that outlives it: the steps it intended, what it proved, owes and settled.

use super::plan::{Owe, Plan};
use super::run::Run;
use crate::domain::id::RunId;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What is said of a run whose journal cannot be read.
pub const UNREAD: &str = "its journal cannot be read: all that it may have left is taken as left";

/// What one run did that others ask about. Small: it is kept of every run there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Deeds {
    pub run: RunId,
    pub(super) started: Timestamp,
    /// Steps that were intended, and not known not to have happened.
    pub(super) intended: Vec<Deed>,
    /// Steps whose proof stands.
    pub(super) verified: Vec<Deed>,
    pub(super) owed: Vec<(Owe, Deed)>,
    /// Debts by id that steps settled.
    pub(super) settled: Vec<Deed>,
    /// Nothing can be read of it but, perhaps, its plan.
    pub unread: bool,
    /// Not even its plan can be read: it may have done anything.
    pub(super) anything: bool,
    /// Runs that were there when this one's runner began, and whose entries up to the number are
    /// dated later than that: they came before, whatever their time says.
    pub(super) before: BTreeMap<RunId, u64>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deed {
    /// `PROCEDURE.STEP`, or the id of a debt.
    pub what: String,
    /// The number of the entry.
    pub n: u64,
    /// For people.
    pub at: Timestamp,
    /// What is later, or earlier, than what another run did: see [`Deeds::of`].
    pub order: Timestamp,
}

impl Deeds {
    /// Those of a run whose journal could be read. An intent counts from the latest time that its
    /// journal has until then, so that a clock that went back in between makes it no earlier than
    /// it was; a proof counts from when its step began, for one that was under way proves nothing.
    pub fn of(run: &Run) -> Deeds {
        let (mut intended, mut verified, mut owed) = (vec![], vec![], vec![]);
        for (i, (step, state)) in run.plan.steps.iter().zip(&run.steps).enumerate() {
            let since = state.since.unwrap_or(run.started);
            let floor = run.floor_of(i).unwrap_or(since).max(since);
            let deed = |n, at, order| Deed { what: step.origin.clone(), n, at, order };
            if let Some(n) = run.intended_at(i) {
                intended.push(deed(n, since, floor));
            }
            if let (Some(n), Some(begun)) = (run.verified_at(i), state.since) {
                verified.push(deed(n, begun, begun));
            }
            if let Some(owe) = step.owes.as_ref().filter(|o| run.owed.iter().any(|r| r.id == o.id)) {
                owed.push((owe.clone(), deed(run.intended_at(i).unwrap_or_default(), since, floor)));
            }
        }
        Deeds {
            run: run.id.clone(),
            started: run.started,
            intended,
            verified,
            owed,
            settled: settled(run),
            unread: false,
            anything: false,
            before: run.preceded_by().clone(),
        }
    }

    /// Those of a run whose journal cannot be read: all that its plan could leave is taken as left,
    /// until `last`, when its files were last written. Without a plan, it may have done anything.
    pub fn unread(run: RunId, plan: Option<&Plan>, last: Timestamp) -> Deeds {
        let steps = plan.map(|p| p.steps.as_slice()).unwrap_or_default();
        let deed = |what: &str| Deed { what: what.to_owned(), n: 0, at: last, order: last };
        let told = |owe: &Owe| Owe { says: format!("{} ({UNREAD})", owe.says), ..owe.clone() };
        Deeds {
            run,
            started: last,
            intended: steps.iter().map(|s| deed(&s.origin)).collect(),
            verified: Vec::new(),
            owed: steps.iter().filter_map(|s| Some((told(s.owes.as_ref()?), deed(&s.origin)))).collect(),
            settled: Vec::new(),
            unread: true,
            anything: plan.is_none(),
            before: BTreeMap::new(),
        }
    }

    /// Whether a deed of another run came after one of this.
    pub(super) fn is_answered_by(&self, mine: &Deed, other: &Deeds, theirs: &Deed) -> bool {
        theirs.order >= mine.order && self.before.get(&other.run).is_none_or(|n| theirs.n > *n)
    }
}

/// The debts that a run settled: each by all the steps that settle it together, and so from the
/// earliest of them on.
fn settled(run: &Run) -> Vec<Deed> {
    let debts: BTreeSet<&String> = run.plan.steps.iter().flat_map(|s| &s.settles).collect();
    let by = |debt: &str, together: &[usize]| {
        let ends: Option<Vec<(u64, Timestamp)>> =
            together.iter().map(|i| Some((run.proved_at(*i)?, run.steps.get(*i)?.ended?))).collect();
        let ends = ends?;
        let n = ends.iter().map(|(n, _)| *n).min()?;
        let at = ends.iter().map(|(_, at)| *at).min()?;
        Some(Deed { what: debt.to_owned(), n, at, order: at })
    };
    debts
        .into_iter()
        .flat_map(|debt| run.settlers(debt).into_iter().filter_map(move |together| by(debt, &together)))
        .collect()
}
