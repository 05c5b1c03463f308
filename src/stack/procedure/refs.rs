//! Names that procedures use of each other: steps, procedures, debts. They are looked up once all
//! of them are read, so that the order of the file does not matter.

use super::params::Values;
use super::read::ProcedureDraft;
use super::spec::Uses;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Alertmanager;
use crate::domain::procedure::param::Param;
use crate::domain::text;
use crate::stack::decode::{At, Reader};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What a name is to be found among.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    Procedure,
    /// A procedure whose steps stand in this place.
    Inlined,
    /// What a step owes.
    Debt,
    /// A step of this procedure that makes a silence.
    Silence,
    /// A step of this procedure before the one of this number.
    Earlier(usize),
}

/// A name that is to be looked up.
#[derive(Clone, Debug)]
pub struct Reference {
    pub to: To,
    pub name: At<String>,
}

/// What one procedure names and defines, in the order of the file.
#[derive(Debug, Default)]
pub struct References {
    all: RefCell<Vec<Reference>>,
    steps: RefCell<Vec<At<String>>>,
    debts: RefCell<Vec<String>>,
}

impl References {
    pub fn push(&self, reference: Reference) {
        self.all.borrow_mut().push(reference);
    }

    /// A step begins. Known also when the rest of it is wrong, so that nothing is told twice.
    pub fn step(&self, id: &At<String>) {
        self.steps.borrow_mut().push(id.clone());
    }

    pub fn debt(&self, id: &str) {
        self.debts.borrow_mut().push(id.to_owned());
    }

    /// The number of the step that began last.
    pub fn current(&self) -> usize {
        self.steps.borrow().len().saturating_sub(1)
    }

    pub fn steps(&self) -> Vec<At<String>> {
        self.steps.borrow().clone()
    }

    /// The procedures whose steps it takes in.
    pub fn inlined(&self) -> Vec<At<String>> {
        let all = self.all.borrow();
        all.iter().filter(|r| r.to == To::Inlined).map(|r| r.name.clone()).collect()
    }
}

/// Looks every name up, and notes what leads nowhere.
pub fn check(reader: &Reader, drafts: &[ProcedureDraft]) {
    let ids: Vec<&str> = drafts.iter().filter_map(|d| d.id.as_ref()).map(|i| i.value.as_str()).collect();
    unique(reader, "procedure", drafts.iter().filter_map(|d| d.id.as_ref()));
    let debts: BTreeSet<String> = drafts.iter().flat_map(|d| d.refs.debts.borrow().clone()).collect();
    for draft in drafts {
        let steps = draft.refs.steps();
        unique(reader, "step of this procedure", steps.iter());
        for Reference { to, name } in draft.refs.all.borrow().iter() {
            match to {
                To::Procedure | To::Inlined => found(reader, "procedure", name, ids.iter().copied()),
                To::Debt => found(reader, "debt", name, debts.iter().map(String::as_str)),
                To::Silence => silence(reader, draft, name, &steps),
                To::Earlier(before) => earlier(reader, name, &steps, *before),
            }
        }
    }
    for draft in drafts {
        inlined_params(reader, draft, drafts);
    }
    circles(reader, drafts);
}

/// Notes what another procedure is told and does not take, and what it needs and is not told.
fn inlined_params(reader: &Reader, draft: &ProcedureDraft, drafts: &[ProcedureDraft]) {
    for step in draft.every_step() {
        let Uses::Procedure { id, params } = &step.step.uses else { continue };
        let of = drafts.iter().find(|d| d.id.as_ref().is_some_and(|i| i.value == id.as_str()));
        let Some(inner) = of.and_then(|d| d.procedure.as_ref()) else { continue };
        // What parameters make of a value is seen when a run is planned.
        let later = |name: &String| params.get(name).is_some_and(|v| !super::fill::names(v).is_empty());
        let known: Vec<Param> = inner.params.iter().filter(|p| !later(&p.id)).cloned().collect();
        let is_one = |name: &String| inner.params.iter().any(|p| p.id == *name);
        let given = params.iter().filter(|(name, _)| !later(name) || !is_one(name));
        let given = given.map(|(name, value)| (name.clone(), value.clone())).collect();
        for why in Values::new(&known, &given).err().unwrap_or_default() {
            reader.error(step.at.with.clone(), format!("for `{id}`: {why}"), None);
        }
    }
}

/// Notes each name that was taken before.
pub fn unique<'a>(reader: &Reader, what: &str, ids: impl Iterator<Item = &'a At<String>>) {
    let mut first: BTreeMap<&str, &At<String>> = BTreeMap::new();
    for id in ids {
        let Some(before) = first.get(id.value.as_str()) else {
            first.insert(&id.value, id);
            continue;
        };
        let (line, column) = reader.source().position(before.span.start);
        let help = format!("the first stands at {}:{line}:{column}", reader.source().name);
        let several = if let Some((one, rest)) = what.split_once(' ') {
            format!("{one}s {rest}")
        } else {
            format!("{what}s")
        };
        reader.error(id.span.clone(), format!("two {several} are called `{}`", id.value), Some(help));
    }
}

/// Notes a name that is none of these, with the nearest.
pub fn found<'a>(
    reader: &Reader,
    what: &str,
    name: &At<String>,
    valid: impl Iterator<Item = &'a str> + Clone,
) {
    if valid.clone().any(|v| v == name.value) {
        return;
    }
    let help = match text::nearest(&name.value, valid.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if valid.clone().next().is_none() => format!("there is no {what} at all"),
        None => format!("there are {}", text::one_line(&valid.collect::<Vec<_>>().join(", "), 300)),
    };
    let shown = text::one_line(&name.value, 60);
    let message = match what {
        "debt" => format!("no step owes anything called `{shown}`"),
        _ => format!("no {what} is called `{shown}`"),
    };
    reader.error(name.span.clone(), message, Some(help));
}

fn earlier(reader: &Reader, name: &At<String>, steps: &[At<String>], before: usize) {
    if let Some(at) = steps.iter().position(|s| s.value == name.value) {
        if at >= before {
            let which = if at == before { "itself" } else { "a later step" };
            let shown = text::one_line(&name.value, 60);
            let help = Some("`after` names steps that come before this one".to_owned());
            reader.error(name.span.clone(), format!("`after` names {which}: `{shown}`"), help);
        }
        return;
    }
    let valid = steps.iter().take(before).map(|s| s.value.as_str());
    found(reader, "earlier step of this procedure", name, valid);
}

fn silence(reader: &Reader, draft: &ProcedureDraft, name: &At<String>, steps: &[At<String>]) {
    let before = steps.iter().position(|s| s.span.start > name.span.start).unwrap_or(steps.len());
    earlier_silence(reader, name, steps.get(..before).unwrap_or_default());
    let makes = |step: &super::spec::Step| match &step.uses {
        Uses::Action(a) => matches!(&**a, Action::Alertmanager(Alertmanager::Silence { .. })),
        _ => false,
    };
    let step = draft.every_step().into_iter().find(|d| d.step.id == name.value);
    if step.is_some_and(|d| !makes(&d.step)) {
        let message = format!("the step `{}` makes no silence", name.value);
        reader.error(name.span.clone(), message, None);
    }
}

fn earlier_silence(reader: &Reader, name: &At<String>, before: &[At<String>]) {
    // The step that names it is itself among those that began before.
    let valid = before.iter().take(before.len().saturating_sub(1)).map(|s| s.value.as_str());
    found(reader, "earlier step of this procedure", name, valid);
}

/// Notes every way on which a procedure comes to contain itself, once.
fn circles(reader: &Reader, drafts: &[ProcedureDraft]) {
    let mut done: BTreeSet<String> = BTreeSet::new();
    for draft in drafts {
        let Some(id) = &draft.id else { continue };
        let mut path = Vec::new();
        if let Some((circle, closing)) = circle(drafts, &id.value, &mut path, &mut done) {
            let first = circle.first().cloned().unwrap_or_default();
            let message =
                format!("a procedure contains itself: {} contains {first}", circle.join(" contains "));
            reader.error(closing.span, message, Some("its steps would never end".to_owned()));
        }
    }
}

fn circle(
    drafts: &[ProcedureDraft],
    at: &str,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<(Vec<String>, At<String>)> {
    if !done.insert(at.to_owned()) {
        return None;
    }
    path.push(at.to_owned());
    let draft = drafts.iter().find(|d| d.id.as_ref().is_some_and(|i| i.value == at))?;
    for next in draft.refs.inlined() {
        if let Some(start) = path.iter().position(|p| *p == next.value) {
            return Some((path.get(start..).unwrap_or_default().to_vec(), next));
        }
        if let Some(found) = circle(drafts, &next.value, path, done) {
            return Some(found);
        }
    }
    path.pop();
    None
}
