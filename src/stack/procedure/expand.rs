//! A procedure with its parameters filled in and every round and inlined procedure written out:
//! the steps of a plan, before anything of the world is known.

mod steps;
#[cfg(test)]
mod tests;

use super::fill::{Lang, fill};
use super::params::Values;
use super::spec::{BlastLine, Items, Procedure, Procedures, Step, Uses};
use crate::domain::id::{HostId, ProcedureId};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Manual;
use crate::domain::procedure::level::{Effect, Level};
use crate::domain::procedure::plan;
use crate::domain::text;
use crate::stack::spec::Stack;
use std::collections::BTreeMap;
use std::time::Duration;

/// Steps of one plan.
pub const MAX_STEPS: usize = 500;

/// A procedure, resolved as far as the stack file goes. In its steps, `level` is `L0`, `certainty`
/// unknown: the planner completes them.
#[derive(Clone, Debug)]
pub struct Expanded {
    pub procedure: ProcedureId,
    pub name: String,
    /// Each parameter, defaults included.
    pub params: BTreeMap<String, String>,
    pub lock: String,
    pub deadline: Duration,
    /// What the file declares, of this procedure and of those inside it: the worst.
    pub level: Option<Level>,
    pub preconditions: Vec<plan::Precondition>,
    /// Its own lines and those of the procedures inside it.
    pub blast: Vec<BlastLine>,
    pub steps: Vec<plan::Step>,
}

/// Writes a procedure out with these parameters.
///
/// # Errors
/// Everything that is wrong with the parameters, or with what they make of the texts that they
/// fill. Each completes "failed to plan: …".
pub fn expand(
    stack: &Stack,
    procedure: &ProcedureId,
    params: &BTreeMap<String, String>,
) -> Result<Expanded, Vec<String>> {
    let first = stack.hosts.first().map_or_else(|| HostId::new("local"), |h| h.id.clone());
    expand_in(&stack.procedures, &first, procedure, params)
}

/// As [`expand`], of procedures that are not part of a whole stack yet.
///
/// # Errors
/// See [`expand`].
pub fn expand_in(
    all: &Procedures,
    first_host: &HostId,
    procedure: &ProcedureId,
    params: &BTreeMap<String, String>,
) -> Result<Expanded, Vec<String>> {
    let found = find(all, procedure).map_err(|why| vec![why])?;
    let values = Values::new(&found.params, params)?;
    let mut maker = Maker {
        all,
        first_host,
        steps: Vec::new(),
        blast: Vec::new(),
        level: found.level,
        deadline: found.deadline,
        within: vec![procedure.clone()],
        wrong: Vec::new(),
    };
    maker.blast_of(found, &values);
    let preconditions = maker.preconditions(found, &values);
    let scope = Scope { procedure: found, values: &values, prefix: "", host: None, round: None };
    maker.list(&found.steps, &scope, &mut BTreeMap::new());
    let name = maker.words(&found.name, &values);
    maker.unique();
    if !maker.wrong.is_empty() {
        return Err(maker.wrong);
    }
    Ok(Expanded {
        procedure: procedure.clone(),
        name,
        params: values.to_map(),
        lock: found.lock.clone(),
        deadline: found.deadline,
        level: maker.level,
        preconditions,
        blast: maker.blast,
        steps: maker.steps,
    })
}

fn find<'p>(all: &'p Procedures, id: &ProcedureId) -> Result<&'p Procedure, String> {
    all.all.iter().find(|p| p.id == *id).ok_or_else(|| {
        let ids = || all.all.iter().map(|p| p.id.as_str());
        let help = match text::nearest(id.as_str(), ids()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if all.all.is_empty() => "this stack has none".to_owned(),
            None => format!("there are {}", text::one_line(&ids().collect::<Vec<_>>().join(", "), 300)),
        };
        format!("no procedure is called `{}`: {help}", text::one_line(id.as_str(), 60))
    })
}

/// Where a list of steps stands.
#[derive(Clone, Copy)]
struct Scope<'s> {
    procedure: &'s Procedure,
    values: &'s Values<'s>,
    /// Before the ids of its steps: `outer/`, `each[item]/`.
    prefix: &'s str,
    /// Where the round runs.
    host: Option<&'s HostId>,
    round: Option<&'s plan::Round>,
}

/// For each step of the file, the steps of the plan that it became.
type Became = BTreeMap<String, Vec<crate::domain::id::StepId>>;

struct Maker<'p> {
    all: &'p Procedures,
    first_host: &'p HostId,
    steps: Vec<plan::Step>,
    blast: Vec<BlastLine>,
    level: Option<Level>,
    /// Of the whole run.
    deadline: Duration,
    /// The procedures that stand inside each other here.
    within: Vec<ProcedureId>,
    wrong: Vec<String>,
}

impl Maker<'_> {
    fn wrong(&mut self, scope: &Scope<'_>, step: &Step, why: &str) {
        self.wrong.push(format!("step `{}{}`: {why}", scope.prefix, step.id));
    }

    /// A text for people.
    fn words(&mut self, text: &str, values: &Values<'_>) -> String {
        fill(text, Lang::Text, &|name| values.get(name)).unwrap_or_else(|why| {
            self.wrong.push(why);
            text.to_owned()
        })
    }

    fn blast_of(&mut self, procedure: &Procedure, values: &Values<'_>) {
        for line in &procedure.blast_radius {
            let value = line.value.as_ref().map(|v| self.expr(v, values));
            let says = self.words(&line.says, values);
            if !self.blast.iter().any(|b| b.says == says && b.value == value) {
                self.blast.push(BlastLine { value, says });
            }
        }
    }

    fn expr(&mut self, expr: &str, values: &Values<'_>) -> String {
        let filled = fill(expr, Lang::Expr, &|name| values.get(name))
            .and_then(|filled| super::sound::expr("expression", &filled).map(|()| filled));
        filled.unwrap_or_else(|why| {
            self.wrong.push(why);
            expr.to_owned()
        })
    }

    fn preconditions(&mut self, procedure: &Procedure, values: &Values<'_>) -> Vec<plan::Precondition> {
        let mut out = Vec::new();
        for precondition in &procedure.preconditions {
            let mut what = precondition.what.clone();
            for expr in &mut what.exprs {
                *expr = self.expr(expr, values);
            }
            out.push(plan::Precondition { says: self.words(&precondition.says, values), what });
        }
        out
    }

    /// The steps of a list, those inside them too.
    fn list(&mut self, steps: &[Step], scope: &Scope<'_>, became: &mut Became) {
        for step in steps {
            if self.steps.len() >= MAX_STEPS {
                let message = format!("the plan would have more than {MAX_STEPS} steps");
                if !self.wrong.contains(&message) {
                    self.wrong.push(message);
                }
                return;
            }
            let from = self.steps.len();
            match &step.uses {
                Uses::Action(action) => match steps::resolve(step, action, scope, self.first_host, became) {
                    Ok(made) => {
                        if let Some(why) = steps::beyond(step, &made, self.deadline) {
                            self.wrong(scope, step, &why);
                        }
                        self.steps.push(made);
                    }
                    Err(wrong) => wrong.iter().for_each(|why| self.wrong(scope, step, why)),
                },
                Uses::ForEach(rounds) => self.rounds(step, rounds, scope, became),
                Uses::Procedure { id, params } => self.inlined(step, (id, params), scope),
            }
            let made = self.steps.iter().skip(from).map(|s| s.id.clone()).collect();
            became.insert(step.id.clone(), made);
            if !matches!(step.uses, Uses::Action(_)) {
                self.hold_before(from, step, scope);
            }
        }
    }

    /// A hold of a step that became several is before the first of them. Where proof may pass that
    /// one over, and its hold with it, the hold is a step of its own.
    fn hold_before(&mut self, from: usize, step: &Step, scope: &Scope<'_>) {
        let Some(hold) = &step.hold else { return };
        let hold = self.words(hold, scope.values);
        let name = self.words(&step.name, scope.values);
        let Some(first) = self.steps.get_mut(from) else { return };
        if first.unless.is_none() {
            first.hold = Some(match &first.hold {
                Some(own) => format!("{hold}; {own}"),
                None => hold,
            });
            return;
        }
        let action = Action::Manual(Manual { instruction: hold, note: false });
        let asked = plan::Step {
            id: crate::domain::id::StepId::new(&format!("{}{}", scope.prefix, step.id)),
            origin: format!("{}.{}", scope.procedure.id, step.id),
            name,
            preview: action.describe(false),
            action,
            layer: None,
            sudo: false,
            effect: Effect::Read,
            idempotent: true,
            on_timeout: plan::OnTimeout::Verify,
            on_failure: plan::OnFailure::Stop,
            verify: None,
            rollback: None,
            hold: None,
            point_of_no_return: false,
            unless: None,
            after: Vec::new(),
            owes: None,
            settles: Vec::new(),
            round: scope.round.cloned(),
            ..first.clone()
        };
        self.steps.insert(from, asked);
    }

    fn rounds(&mut self, step: &Step, rounds: &super::spec::ForEach, scope: &Scope<'_>, became: &mut Became) {
        let items: Vec<(String, Option<&HostId>)> = match &rounds.items {
            Items::Hosts(hosts) => hosts.iter().map(|h| (h.as_str().to_owned(), Some(h))).collect(),
            Items::List(items) => items.iter().map(|i| (self.words(i, scope.values), None)).collect(),
        };
        let of = crate::domain::id::StepId::new(&format!("{}{}", scope.prefix, step.id));
        let mut all: Became = BTreeMap::new();
        for (item, host) in items {
            if item.is_empty() || item.len() > 255 || item.chars().any(text::is_hostile) {
                self.wrong(scope, step, "an item of a round is empty, too long or not one line");
                continue;
            }
            let values = scope.values.with_each(&item);
            let prefix = format!("{of}[{item}]/");
            let round = plan::Round { of: of.clone(), item, max_failures: rounds.max_failures };
            let inner = Scope {
                values: &values,
                prefix: &prefix,
                host: host.or(scope.host),
                round: Some(&round),
                ..*scope
            };
            let mut here = became.clone();
            self.list(&rounds.steps, &inner, &mut here);
            for (id, made) in here.into_iter().filter(|(id, _)| !became.contains_key(id)) {
                all.entry(id).or_default().extend(made);
            }
        }
        became.extend(all);
    }

    fn inlined(
        &mut self,
        step: &Step,
        (id, params): (&ProcedureId, &BTreeMap<String, String>),
        scope: &Scope<'_>,
    ) {
        if self.within.contains(id) {
            self.wrong(scope, step, &format!("the procedure `{id}` contains itself"));
            return;
        }
        let all = self.all;
        let inner = match find(all, id) {
            Ok(inner) => inner,
            Err(why) => return self.wrong(scope, step, &why),
        };
        let mut given = BTreeMap::new();
        for (name, value) in params {
            given.insert(name.clone(), self.words(value, scope.values));
        }
        let values = match Values::new(&inner.params, &given) {
            Ok(values) => values,
            Err(wrong) => return wrong.iter().for_each(|why| self.wrong(scope, step, why)),
        };
        self.level = self.level.max(inner.level);
        self.blast_of(inner, &values);
        self.within.push(id.clone());
        let prefix = format!("{}{}/", scope.prefix, step.id);
        let scope = Scope { procedure: inner, values: &values, prefix: &prefix, ..*scope };
        self.list(&inner.steps, &scope, &mut BTreeMap::new());
        self.within.pop();
    }

    /// Two rounds with one item, or names that run together.
    fn unique(&mut self) {
        let mut seen = std::collections::BTreeSet::new();
        for step in &self.steps {
            if !seen.insert(step.id.as_str()) {
                self.wrong.push(format!("two steps of the plan would be called `{}`", step.id));
            }
        }
    }
}
