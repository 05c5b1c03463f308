//! What forbids a procedure: interlocks that earlier runs raised, or that the world raises now.

use super::seen;
use crate::act::rundir::StateDir;
use crate::act::sight::Sight;
use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::deeds::UNREAD;
use crate::domain::procedure::event::Mode;
use crate::domain::procedure::facts::{InterlockRule, Standing, standing};
use crate::domain::procedure::plan::Step;
use crate::domain::procedure::proposal::Refusal;
use crate::domain::procedure::run::Run;
use crate::domain::units::second;
use crate::runs::left::Left;
use crate::stack::procedure::spec::Interlock;
use crate::stack::spec::Stack;

/// What the domain must know of an interlock.
pub fn rule(interlock: &Interlock) -> InterlockRule {
    InterlockRule {
        id: interlock.id.clone(),
        raised_by: interlock.raised_by.clone(),
        verified: interlock.until.verified.clone(),
        or_verified: interlock.until.or_verified.clone(),
        holds_too: interlock.until.holds.is_some(),
    }
}

/// The rules of a stack.
pub fn rules(all: &[Interlock]) -> Vec<InterlockRule> {
    all.iter().map(rule).collect()
}

/// A plan that an interlock may forbid.
#[derive(Clone, Debug)]
pub struct Subject {
    procedure: ProcedureId,
    /// The origin of each step, and whether it is still to be carried out.
    steps: Vec<(String, bool)>,
    /// The run that carries it out already: what it raised itself does not hold it up.
    run: Option<RunId>,
    /// What raises an interlock for as long as it is so counts, too.
    conditions: bool,
}

impl Subject {
    /// A plan that nobody carries out yet.
    pub fn planned(procedure: &ProcedureId, steps: &[Step]) -> Subject {
        let steps = steps.iter().map(|s| (s.origin.clone(), true)).collect();
        Subject { procedure: procedure.clone(), steps, run: None, conditions: true }
    }

    /// The plan of a run, as far as it has come. Where it is undone nothing is to come that could
    /// lift an interlock on the way.
    pub fn of(run: &Run) -> Subject {
        let going_on = run.mode == Mode::Continue;
        let to_come = |i: usize| going_on && run.steps.get(i).is_some_and(|s| !s.phase.is_good());
        let steps = run.plan.steps.iter().enumerate();
        Subject {
            procedure: run.plan.procedure.clone(),
            steps: steps.map(|(i, s)| (s.origin.clone(), to_come(i))).collect(),
            run: Some(run.id.clone()),
            conditions: true,
        }
    }

    /// Asks only for what other runs raised, and not how the world is: of that nobody can tell
    /// whether it is of the run's own making.
    #[must_use]
    pub fn but_for_conditions(self) -> Subject {
        Subject { conditions: false, ..self }
    }

    /// Whether an interlock that forbids `procedure` forbids the plan: it is of that procedure, or
    /// has steps of it; but then not when what lifts the interlock comes before them in the same
    /// plan.
    fn is_of(&self, interlock: &Interlock, procedure: &ProcedureId) -> bool {
        if self.procedure == *procedure {
            return true;
        }
        let of =
            |origin: &str| origin.strip_prefix(procedure.as_str()).is_some_and(|rest| rest.starts_with('.'));
        let Some(first) = self.steps.iter().position(|(origin, _)| of(origin)) else { return false };
        let until = &interlock.until;
        let comes_before =
            |v: &String| self.steps.iter().take(first).any(|(origin, to_come)| origin == v && *to_come);
        let proved = until.verified.iter().all(comes_before) || until.or_verified.iter().any(comes_before);
        let lifts = !until.verified.is_empty() && until.holds.is_none() && proved;
        !lifts
    }
}

/// The interlocks that forbid a plan, or a procedure that it contains. Reads what all runs left,
/// in a thread of its own; the looks at conditions are bounded.
pub async fn standing_in_the_way(
    stack: &Stack,
    state: &StateDir,
    sight: &dyn Sight,
    subject: &Subject,
) -> Vec<Refusal> {
    let all = stack.procedures.interlocks.iter();
    let blocking: Vec<&Interlock> = all.filter(|i| i.blocks.iter().any(|p| subject.is_of(i, p))).collect();
    if blocking.is_empty() {
        return Vec::new();
    }
    let rules: Vec<InterlockRule> = blocking.iter().map(|i| rule(i)).collect();
    let (state, name, except) = (state.clone(), stack.name.clone(), subject.run.clone());
    let read = tokio::task::spawn_blocking(move || {
        let left = Left::read(&state, &name, &rules);
        (standing(left.deeds.iter(), &rules, except.as_ref()), left.unknown)
    });
    let unknown = |says: String| Refusal::Impossible { says };
    let Ok((standing, left)) = read.await else {
        return vec![unknown(
            "what earlier runs left behind is not known: reading it ended early".to_owned(),
        )];
    };
    let mut out: Vec<Refusal> = left.into_iter().map(unknown).collect();
    for interlock in blocking {
        let raised = standing.iter().find(|s| s.id == interlock.id);
        out.extend(one(sight, interlock, raised, subject.conditions).await);
    }
    out
}

/// What a plan needs, because this stands in its way; it completes "needs …".
pub fn as_a_need(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Interlocked { id, says, until, since } => {
            let since = since.map_or(String::new(), |s| format!(" since {}", second(s)));
            format!("interlock `{id}` lifted, which stands{since}: {says}; until {until}")
        }
        other => format!("what was left behind known: {}", other.says()),
    }
}

async fn one(
    sight: &dyn Sight,
    interlock: &Interlock,
    raised: Option<&Standing>,
    conditions: bool,
) -> Option<Refusal> {
    if let Some(standing) = raised {
        let open = !standing.missing.is_empty() || {
            match &interlock.until.holds {
                Some(condition) => !seen(sight, condition).await.holds,
                None => false,
            }
        };
        if open {
            let until = match standing.missing.as_slice() {
                [] => interlock.until.says.clone(),
                missing => {
                    let or = match interlock.until.or_verified.as_slice() {
                        [] => String::new(),
                        any => format!("; or instead of them: {}", any.join(" or ")),
                    };
                    format!("{} (not verified since: {}{or})", interlock.until.says, missing.join(", "))
                }
            };
            let unread = if standing.unread { format!("; {UNREAD}") } else { String::new() };
            return Some(Refusal::Interlocked {
                id: interlock.id.clone(),
                says: format!("{} (run {}{unread})", interlock.says, standing.run),
                until,
                since: Some(standing.since),
            });
        }
    }
    let seen = seen(sight, interlock.raised_while.as_ref().filter(|_| conditions)?).await;
    seen.holds.then(|| Refusal::Interlocked {
        id: interlock.id.clone(),
        says: format!("{} ({})", interlock.says, seen.says),
        until: interlock.until.says.clone(),
        since: None,
    })
}
