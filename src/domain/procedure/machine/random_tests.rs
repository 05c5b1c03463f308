//! What holds of every run, whatever the world does and whenever its runner dies.

use super::Next;
use super::worlds::{
    Dice, World, abort, answer, asked, intended, interrupted, random_plan, released, resumed,
};
use crate::domain::id::StepId;
use crate::domain::procedure::event::{
    Choice, Effected, Entry, Event, Hold, Interruption, Mode, Outcome, Truth,
};
use crate::domain::procedure::plan::Plan;
use crate::domain::procedure::report;
use crate::domain::procedure::run::{Phase, Run};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Runs a plan in a world: people abort, runners die and are replaced, until the dice are used up;
/// from then on all goes well.
fn live(plan: Plan, throws: Vec<u8>) -> World {
    let mut dice = Dice::new(throws);
    let mut world = World::new(plan);
    for _ in 0..5_000 {
        if world.run.ended.is_some() {
            let mode = if dice.throw(4) == 3 { Mode::Rollback } else { Mode::Continue };
            if !dice.left() || world.run.may_resume(mode).is_err() {
                return world;
            }
            world.must(resumed(mode));
            continue;
        }
        if dice.left() {
            match dice.throw(20) {
                16 => {
                    let by = [Interruption::Signal, Interruption::Deadline][usize::from(dice.throw(2))];
                    world.must(interrupted(by, dice.throw(2) == 1));
                }
                18 => {
                    world.must(abort(dice.throw(2) == 1));
                }
                19 => {
                    let mode = if dice.throw(4) == 3 { Mode::Rollback } else { Mode::Continue };
                    if world.run.may_resume(mode).is_ok() {
                        world.must(resumed(mode));
                    }
                }
                17 => {
                    let (outcome, why) = world.run.given_up();
                    world.must(Event::Ended { outcome, why });
                    continue;
                }
                _ => {}
            }
        }
        let event = answer(&world.run, &mut dice);
        world.must(event);
    }
    panic!("the run does not end: {:?}", world.run.next());
}

/// Reads a journal as a stranger would, knowing nothing of the machine.
fn watch(plan: &Plan, entries: &[Entry]) {
    let (mut aborted, mut stopped, mut open) = (false, false, false);
    let mut may_again: BTreeMap<StepId, bool> = BTreeMap::new();
    let mut acting: Option<StepId> = None;
    for entry in entries {
        match &entry.event {
            Event::Preconditions { failed, .. } => open = failed.is_empty(),
            Event::Resumed { .. } => {
                open = false;
                stopped = false;
                acting = None;
            }
            Event::AbortRequested { .. } => aborted = true,
            Event::Interrupted { .. } => stopped = true,
            Event::Intended { step, .. } => {
                assert!(!aborted, "{step} started after an abort");
                assert!(!stopped, "{step} started by a runner that was told to end");
                assert!(open, "{step} started without preconditions");
                assert!(acting.is_none(), "{step} started while {acting:?} was under way");
                let spec = plan.steps.iter().find(|s| s.id == *step).unwrap();
                let safe = spec.idempotent || spec.effect == crate::domain::procedure::level::Effect::Read;
                let again = may_again.insert(step.clone(), false);
                assert!(safe || again != Some(false), "{step} was begun twice without a word");
                acting = Some(step.clone());
            }
            Event::Finished { .. } => acting = None,
            Event::Asked { step, truth: Truth::DidNot, .. }
            | Event::HoldReleased { step, choice: Choice::Again, .. }
            | Event::RollbackFinished { step, result: Effected::Done { .. } } => {
                may_again.insert(step.clone(), true);
            }
            // The person's word that, or the system's that, its rollback happened.
            Event::Asked { step, truth: Truth::Happened, .. }
            | Event::HoldReleased { step, choice: Choice::GoOn, .. }
                if entries.iter().any(|e| {
                    e.n < entry.n && matches!(&e.event, Event::RollbackIntended { step: s, .. } if s == step)
                }) =>
            {
                may_again.insert(step.clone(), true);
            }
            _ => {}
        }
    }
}

/// What a stranger reads of a step: it was begun, or its undoing, its runner was lost, and nobody
/// said since what became of it. Such a step is never told as one that was not begun, nor its run
/// as anything but in doubt.
fn watch_doubt(plan: &Plan, entries: &[Entry]) {
    // With whether it is the step itself that is in doubt, and not its undoing alone.
    let mut doubtful: BTreeMap<StepId, bool> = BTreeMap::new();
    for (i, entry) in entries.iter().enumerate() {
        match &entry.event {
            Event::Intended { step, .. } => {
                doubtful.insert(step.clone(), true);
            }
            Event::RollbackIntended { step, .. } => {
                doubtful.entry(step.clone()).or_default();
            }
            Event::RollbackFinished { step, result } => {
                let undone = matches!(result, Effected::Done { .. });
                if undone || doubtful.get(step) == Some(&false) {
                    doubtful.remove(step);
                }
            }
            Event::Finished { step, .. }
            | Event::Skipped { step, .. }
            | Event::Asked { step, truth: Truth::Happened | Truth::DidNot, .. }
            | Event::HoldReleased { step, choice: Choice::GoOn, .. } => {
                doubtful.remove(step);
            }
            Event::Ended { outcome, .. } if !doubtful.is_empty() => {
                let run = Run::fold(plan.clone(), &entries[..=i]).unwrap();
                assert_eq!(*outcome, Outcome::InDoubt, "{doubtful:?}");
                for (step, _) in doubtful.iter().filter(|(_, itself)| **itself) {
                    let phase = &run.steps[run.index_of(step).unwrap()].phase;
                    assert!(!matches!(phase, Phase::Waiting | Phase::WillNotRun(_)), "{step}: {phase:?}");
                }
            }
            _ => {}
        }
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    vec(any::<u32>(), 0..8).prop_map(|seeds| random_plan(&seeds))
}

fn random_event(plan: &Plan, a: u8, b: u8, c: u8) -> Event {
    let name = plan.steps.get(b as usize % (plan.steps.len() + 1)).map_or("ghost", |s| s.id.as_str());
    let step = StepId::new(name);
    let attempt = u32::from(c % 3);
    match a % 18 {
        0 => Event::Preconditions { failed: vec![], seen: vec![] },
        1 => Event::Skipped { step, because: String::new() },
        2 => Event::HoldEntered {
            step,
            why: [Hold::Planned, Hold::TimedOut, Hold::Failed, Hold::Manual, Hold::InDoubt][c as usize % 5],
            says: String::new(),
        },
        3 => released(name, [Choice::GoOn, Choice::Again, Choice::Stop][c as usize % 3]),
        4 | 5 => intended(name, attempt),
        6 | 7 => {
            let result = match c / 3 % 4 {
                0 => Effected::Failed { why: String::new() },
                1 => Effected::TimedOut { why: String::new() },
                2 => Effected::Killed { why: String::new() },
                _ => Effected::Done { says: String::new() },
            };
            Event::Finished { step, attempt, result, output: None }
        }
        8 => super::worlds::observed(name, attempt, u32::from(c / 3 % 3)),
        9 => Event::Verified { step, says: String::new() },
        10 => Event::Unverified { step, why: String::new() },
        11 => asked(name, [Truth::Happened, Truth::DidNot, Truth::Unknown][c as usize % 3]),
        12 => Event::RollbackIntended { step, before: String::new() },
        13 => Event::RollbackFinished { step, result: Effected::Done { says: String::new() } },
        14 => abort(c.is_multiple_of(2)),
        16 => interrupted(Interruption::Signal, c.is_multiple_of(2)),
        15 => resumed(if c.is_multiple_of(3) { Mode::Rollback } else { Mode::Continue }),
        _ => Event::Ended {
            outcome: [
                Outcome::Verified,
                Outcome::Failed,
                Outcome::Refused,
                Outcome::InDoubt,
                Outcome::Aborted,
            ][c as usize % 5],
            why: String::new(),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Every run ends; no step starts after an abort or without its preconditions; nothing that is
    /// not idempotent is begun twice without a word for it; and its journal folds to the same run.
    #[test]
    fn every_run_is_lawful_and_ends(plan in plans(), throws in vec(any::<u8>(), 0..120)) {
        let world = live(plan.clone(), throws);
        watch(&plan, &world.entries);
        watch_doubt(&plan, &world.entries);
        let stuck = |e: &Entry| matches!(&e.event, Event::Ended { why, .. } if why.contains("is stuck"));
        prop_assert!(!world.entries.iter().any(stuck));
        let folded = Run::fold(plan, &world.entries).map_err(|(i, e)| TestCaseError::fail(format!("{i}: {e}")))?;
        prop_assert_eq!(&folded, &world.run);
        prop_assert!(!report::of(&world.run, false, world.run.last.1, None).is_empty());
    }

    /// Verified means that no step is left that failed, is in doubt or did not run.
    #[test]
    fn verified_means_every_step(plan in plans(), throws in vec(any::<u8>(), 0..120)) {
        let world = live(plan, throws);
        if world.run.ended.as_ref().is_some_and(|e| e.outcome == Outcome::Verified) {
            for state in &world.run.steps {
                let fine = state.phase.is_good() || matches!(state.phase, Phase::FailedAndPassed(_));
                prop_assert!(fine, "{:?}", state.phase);
            }
        }
    }

    /// A runner that dies after any entry leaves a run that reads as in doubt at the step that was
    /// under way and nowhere else, and that can be taken over and brought to an end.
    #[test]
    fn a_run_cut_anywhere_is_in_doubt_at_the_right_step(plan in plans(), throws in vec(any::<u8>(), 0..60)) {
        let world = live(plan.clone(), throws);
        for cut in 1..=world.entries.len() {
            let entries = world.entries[..cut].to_vec();
            let run = Run::fold(plan.clone(), &entries).map_err(|(i, e)| TestCaseError::fail(format!("{i}: {e}")))?;
            let under_way: Vec<usize> =
                (0..run.steps.len()).filter(|i| run.steps[*i].phase.is_open()).collect();
            prop_assert!(under_way.len() <= 1, "two steps at once: {:?}", under_way);
            let (outcome, why) = run.given_up();
            let mut given_up = World { run: run.clone(), entries: entries.clone() };
            if run.ended.is_none() {
                given_up.must(Event::Ended { outcome, why });
                watch_doubt(&plan, &given_up.entries);
                prop_assert_eq!(outcome == Outcome::InDoubt, run.in_doubt());
            }
            let mode = if run.may_resume(Mode::Continue).is_ok() { Mode::Continue } else { Mode::Rollback };
            if run.may_resume(mode).is_err() {
                continue;
            }
            let mut taken = World { run, entries };
            taken.must(resumed(mode));
            for i in under_way {
                prop_assert_eq!(&taken.run.steps[i].phase, &Phase::InDoubt);
            }
            for _ in 0..500 {
                if taken.run.ended.is_some() {
                    break;
                }
                let event = answer(&taken.run, &mut Dice::well());
                taken.must(event);
            }
            prop_assert!(taken.run.ended.is_some(), "it does not end: {:?}", taken.run.next());
            watch(&plan, &taken.entries);
            watch_doubt(&plan, &taken.entries);
        }
    }

    /// Whatever is thrown at it, it neither panics nor changes by what it refuses, and what it
    /// takes is lawful.
    #[test]
    fn what_is_refused_changes_nothing(
        plan in plans(),
        throws in vec((any::<u8>(), any::<u8>(), any::<u8>()), 0..200),
    ) {
        let mut world = World::new(plan.clone());
        for (a, b, c) in throws {
            let before = world.run.clone();
            let event = random_event(&plan, a, b, c);
            if world.put(event).is_err() {
                prop_assert_eq!(&world.run, &before);
            }
            if let Next::Begin { step, .. } | Next::Acting { step } | Next::Verify { step } = world.run.next() {
                prop_assert!(step < plan.steps.len());
            }
        }
        watch(&plan, &world.entries);
    }
}
