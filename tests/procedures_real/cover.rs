//! That the tables of faults leave nothing out: every step of every procedure, as it stands in a plan.

use crate::case::{Case, How};
use crate::yard::STACK;
use crate::{edge, filter, layers};
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::plan::Step;
use quarterdeck::stack::diag::Source;
use quarterdeck::stack::load::load_texts;
use quarterdeck::stack::procedure::expand::expand;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a step can go wrong. That it hangs, or is never seen to be good, is shown of a step where
/// it is written, and not again wherever that procedure stands in another.
fn ways(step: &Step) -> Vec<How> {
    let mut ways = vec![How::Fails];
    let inlined = step.id.as_str().contains('/');
    // A wait that does not come about is its failure.
    if !inlined && !matches!(step.action, Action::Wait(_)) {
        ways.push(How::Hangs);
    }
    if !inlined && step.verify.is_some() {
        ways.push(How::Unseen);
    }
    ways
}

#[test]
fn every_step_of_every_procedure_is_made_to_fail_in_every_way() {
    let source = Arc::new(Source { name: "yard.toml".into(), text: STACK.into() });
    let stack = load_texts(&source, None, &|_| None).unwrap_or_else(|p| panic!("{}", p.render(false))).stack;
    let mut wanted = BTreeSet::new();
    for procedure in &stack.procedures.all {
        let address = [("address".to_owned(), "203.0.113.9".to_owned())];
        let needs_one = procedure.params.iter().any(|p| p.id == "address");
        let params: BTreeMap<_, _> = address.into_iter().filter(|_| needs_one).collect();
        for step in expand(&stack, &procedure.id, &params).unwrap().steps {
            let id = format!("{}.{}", procedure.id, step.id);
            wanted.extend(ways(&step).into_iter().map(|how| (id.clone(), how)));
        }
    }
    let tables = [layers::CASES, edge::CASES, edge::REOPEN, filter::CASES, filter::RESTORE, filter::UNBLOCK];
    let of = |c: &Case| (format!("{}.{}", c.procedure(), c.step), c.how);
    let shown: BTreeSet<_> = tables.into_iter().flatten().map(of).collect();
    let missing: Vec<_> = wanted.difference(&shown).collect();
    assert!(missing.is_empty(), "no fault for {missing:#?}");
    let gone: Vec<_> = shown.iter().filter(|(id, _)| wanted.iter().all(|(w, _)| w != id)).collect();
    assert!(gone.is_empty(), "no such step as {gone:#?}");
}
