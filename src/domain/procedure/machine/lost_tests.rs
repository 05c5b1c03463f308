//! What becomes of lost and failed runs: doubt, resuming, rolling back.

use super::Next;
use super::worlds::{
    World, abort, asked, at_step, check, failed, finished, hold_at, intended, observed, outcome, plan,
    released, resumed, rollback, round, step, two, with,
};
use crate::domain::id::StepId;
use crate::domain::procedure::event::{Choice, Effected, Event, Hold, Mode, Outcome, Truth};
use crate::domain::procedure::report;
use crate::domain::procedure::run::Phase;

/// What a new runner makes of a step that a lost one had intended.
#[test]
fn a_lost_step_is_asked_about_before_anything_is_done_twice() {
    let table: Vec<(bool, Truth, Next)> = vec![
        (false, Truth::Happened, Next::Verify { step: 0 }),
        (false, Truth::DidNot, Next::Begin { step: 0, may_pass: false }),
        (false, Truth::Unknown, hold_at(0, Hold::InDoubt)),
        (true, Truth::Unknown, Next::Begin { step: 0, may_pass: false }),
    ];
    for (idempotent, truth, next) in table {
        let mut w = World::new(plan(vec![with("a", |s| s.idempotent = idempotent), step("b")]));
        w.well_until(at_step(0)).must(intended("a", 1));
        assert_eq!(w.run.given_up().0, Outcome::InDoubt);
        w.must(resumed(Mode::Continue));
        assert_eq!(w.phase(0), &Phase::InDoubt);
        assert!(w.put(asked("a", truth)).is_err(), "preconditions come first");
        w.well_until(|n| *n == Next::Ask { step: 0 });
        assert!(w.put(intended("a", 2)).is_err());
        w.must(asked("a", truth));
        let came = match w.run.next() {
            Next::EnterHold { step, why, .. } => hold_at(step, why),
            other => other,
        };
        assert_eq!(came, next, "{idempotent} {truth:?}");
    }
}

#[test]
fn a_person_decides_about_doubt() {
    let make = || {
        let mut w = World::new(two());
        w.well_until(at_step(0)).must(intended("a", 1)).must(resumed(Mode::Continue));
        w.well_until(|n| *n == Next::Ask { step: 0 }).must(asked("a", Truth::Unknown)).well();
        w
    };
    let mut on = make();
    on.must(released("a", Choice::GoOn));
    assert_eq!(on.run.next(), Next::Verify { step: 0 });
    on.well();
    assert_eq!(
        on.phase(0),
        &Phase::Verified("was in doubt; taken as done by bob: seen; then seen".to_owned())
    );
    assert_eq!(outcome(&on), Outcome::Verified);
    let why = &on.run.ended.as_ref().unwrap().why;
    assert!(why.ends_with("1 of them taken as done by a person's word: a"), "{why}");
    let mut again = make();
    again.must(released("a", Choice::Again)).must(intended("a", 2));
    let mut stop = make();
    stop.must(released("a", Choice::Stop)).well();
    assert_eq!(outcome(&stop), Outcome::InDoubt);
    stop.must(resumed(Mode::Continue)).well_until(|n| *n == Next::Ask { step: 0 });
}

/// That a step is to be done once more makes nothing known of what it did before.
#[test]
fn a_doubt_lasts_until_the_step_is_begun_again() {
    for idempotent in [false, true] {
        let make = || {
            let mut w = World::new(plan(vec![with("a", |s| s.idempotent = idempotent), step("b")]));
            w.well_until(at_step(0)).must(intended("a", 1)).must(resumed(Mode::Continue));
            w.well_until(|n| *n == Next::Ask { step: 0 }).must(asked("a", Truth::Unknown));
            if !idempotent {
                w.well().must(released("a", Choice::Again));
            }
            assert_eq!(w.run.next(), Next::Begin { step: 0, may_pass: false });
            assert!(w.run.in_doubt());
            w
        };
        let mut aborted = make();
        aborted.must(abort(false)).well();
        assert_eq!((outcome(&aborted), aborted.phase(0)), (Outcome::InDoubt, &Phase::InDoubt));
        let mut given_up = make();
        let (outcome, why) = given_up.run.given_up();
        assert_eq!(why, "given up; step `a` was intended and its outcome is not known");
        given_up.must(Event::Ended { outcome, why });
        for mut taken in [make(), given_up] {
            taken.must(resumed(Mode::Continue));
            assert_eq!(taken.phase(0), &Phase::InDoubt);
            taken.well_until(|n| *n == Next::Ask { step: 0 });
        }
        let mut begun = make();
        begun.must(intended("a", 2)).must(finished("a", 2, failed()));
        assert!(!begun.run.in_doubt());
        // As journals go on in which the doubt was forgotten.
        let mut old = make();
        old.must(resumed(Mode::Continue)).well_until(|n| *n == Next::Ask { step: 0 });
        old.must(intended("a", 2));
        let mut old = make();
        old.must(abort(false)).must(Event::Ended { outcome: Outcome::Aborted, why: String::new() });
    }
}

/// That its verification decides does not hide that it was ended in the middle.
#[test]
fn a_step_whose_time_was_over_says_so_at_its_good_end() {
    let mut w = World::new(two());
    let late = Effected::TimedOut { why: "not done within 60 s".to_owned() };
    w.well_until(at_step(0)).must(intended("a", 1)).must(finished("a", 1, late)).well();
    let said = "its time was over: not done within 60 s; then seen".to_owned();
    assert_eq!((outcome(&w), w.phase(0)), (Outcome::Verified, &Phase::Verified(said)));
    let why = &w.run.ended.as_ref().unwrap().why;
    assert_eq!(why, "2 verified, 1 of them not done within its time: a");
}

#[test]
fn a_failed_run_goes_on_at_the_step_that_failed() {
    for (idempotent, next) in
        [(true, Next::Begin { step: 1, may_pass: false }), (false, Next::Ask { step: 1 })]
    {
        let mut w = World::new(plan(vec![step("a"), with("b", |s| s.idempotent = idempotent), step("c")]));
        w.well_until(at_step(1)).must(intended("b", 1)).must(finished("b", 1, failed())).well();
        assert_eq!(outcome(&w), Outcome::Failed);
        w.must(resumed(Mode::Continue));
        assert_eq!(w.phase(2), &Phase::Waiting);
        assert!(matches!(w.phase(0), Phase::Verified(_)));
        w.well_until(|n| !matches!(n, Next::CheckPreconditions));
        assert_eq!(w.run.next(), next);
        w.well();
        assert_eq!(outcome(&w), Outcome::Verified);
    }
}

#[test]
fn a_run_lost_while_verifying_is_verified_again() {
    let mut w = World::new(two());
    w.well_until(|n| *n == Next::Verify { step: 0 }).must(observed("a", 1, 2)).must(resumed(Mode::Continue));
    assert_eq!(w.phase(0), &Phase::Verifying { streak: 0, needed: 2, last: None });
    w.well();
    assert_eq!((outcome(&w), w.run.steps[0].attempts), (Outcome::Verified, 1));
}

#[test]
fn rolling_back_goes_last_first_and_not_across_the_point_of_no_return() {
    let undoable = |id: &str| with(id, |s| s.rollback = Some(rollback()));
    let steps = vec![
        undoable("a"),
        with("b", |s| {
            s.point_of_no_return = true;
            s.rollback = Some(rollback());
        }),
        undoable("c"),
        step("d"),
        undoable("e"),
        step("f"),
    ];
    let mut w = World::new(plan(steps));
    w.well_until(at_step(5)).must(intended("f", 1)).must(finished("f", 1, failed())).well();
    w.must(resumed(Mode::Rollback)).well();
    let undone: Vec<&str> = w
        .entries
        .iter()
        .filter_map(|e| match &e.event {
            Event::RollbackIntended { step, .. } => Some(step.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(undone, ["e", "c"]);
    assert_eq!(outcome(&w), Outcome::Failed, "what is half undone is not rolled back");
    assert_eq!(w.run.ended.as_ref().unwrap().why, "partly undone: c, e; NOT undone: a, b, d, f");
    assert!(w.run.may_resume(Mode::Continue).is_err());
}

#[test]
fn a_rollback_that_undid_nothing_leaves_the_way_forward() {
    let make = || {
        let undoable = |id: &str| with(id, |s| s.rollback = Some(rollback()));
        let mut w = World::new(plan(vec![undoable("a"), undoable("b")]));
        w.well_until(at_step(1)).must(intended("b", 1)).must(resumed(Mode::Rollback));
        w
    };
    for truth in [Truth::Happened, Truth::DidNot, Truth::Unknown] {
        let mut w = make();
        w.must(asked("b", truth));
        let (outcome, why) = w.run.given_up();
        w.must(Event::Ended { outcome, why }).must(resumed(Mode::Continue));
        w.well();
        assert_eq!(super::worlds::outcome(&w), Outcome::Verified, "{truth:?}");
    }
    let mut undone = make();
    undone
        .must(asked("b", Truth::DidNot))
        .must(Event::RollbackIntended { step: StepId::new("a"), before: String::new() });
    assert!(undone.run.may_resume(Mode::Continue).is_err());
}

/// That it was done stands in the journal: nobody is asked whether it happened.
#[test]
fn a_step_that_was_done_and_not_verified_is_not_told_as_one_that_perhaps_did_not_happen() {
    let mut w = World::new(plan(vec![with("a", |s| s.verify = Some(check(1)))]));
    w.well_until(at_step(0)).must(intended("a", 1));
    w.must(finished("a", 1, Effected::Done { says: "exit status 0".to_owned() }));
    w.must(Event::Unverified { step: StepId::new("a"), why: "it was never seen up".to_owned() }).well();
    assert_eq!(outcome(&w), Outcome::Failed);
    w.must(resumed(Mode::Continue)).well_until(|n| *n == Next::Ask { step: 0 });
    w.must(asked("a", Truth::Unknown)).well();
    let says = &w.run.hold.as_ref().unwrap().says;
    assert_eq!(says, "step `a` was done and not seen to be good, and it must not happen twice");
}

#[test]
fn a_lost_rollback_is_asked_about_too() {
    let make = || {
        let mut w = World::new(plan(vec![with("a", |s| s.rollback = Some(rollback())), step("b")]));
        w.well_until(at_step(1)).must(intended("b", 1)).must(finished("b", 1, failed())).well();
        w.must(resumed(Mode::Rollback)).well_until(|n| *n == Next::RollBack { step: 0 });
        w.must(Event::RollbackIntended { step: StepId::new("a"), before: String::new() });
        assert_eq!(w.run.next(), Next::Acting { step: 0 });
        assert_eq!(w.run.given_up().0, Outcome::InDoubt);
        w.must(resumed(Mode::Rollback));
        assert_eq!(w.run.next(), Next::AskRollBack { step: 0 });
        w
    };
    let mut did_not = make();
    did_not.must(asked("a", Truth::DidNot));
    assert_eq!(did_not.run.next(), Next::RollBack { step: 0 });
    let mut unknown = make();
    unknown.must(asked("a", Truth::Unknown)).well();
    assert_eq!(unknown.run.hold.as_ref().map(|h| h.why), Some(Hold::InDoubt));
    assert!(unknown.run.is_held_by_undoing());
    unknown.must(released("a", Choice::Again));
    assert_eq!(unknown.run.next(), Next::RollBack { step: 0 });
    let mut happened = make();
    happened.must(asked("a", Truth::Happened)).well();
    // The step that failed may have left something, and it cannot be undone.
    assert_eq!(outcome(&happened), Outcome::Failed);
    assert_eq!(happened.run.ended.as_ref().unwrap().why, "partly undone: a; NOT undone: b");

    let mut all = World::new(plan(vec![with("a", |s| s.rollback = Some(rollback())), step("b")]));
    all.well_until(at_step(1)).must(abort(false)).well().must(resumed(Mode::Rollback)).well();
    assert_eq!(outcome(&all), Outcome::RolledBack);
    assert_eq!(all.run.ended.as_ref().unwrap().why, "undone: a");
}

#[test]
fn rounds_go_on_as_long_as_few_enough_fail() {
    let item = |id: &str, item: &str, max: u32| with(id, |s| s.round = Some(round(item, max)));
    for (max, last) in [(1, true), (0, false)] {
        let steps =
            vec![item("x1", "x", max), item("x2", "x", max), item("y1", "y", max), item("y2", "y", max)];
        let mut w = World::new(plan(steps));
        w.well_until(at_step(0)).must(intended("x1", 1)).must(finished("x1", 1, failed())).well();
        assert!(matches!(w.phase(1), Phase::WillNotRun(_)));
        assert_eq!(w.phase(3).is_good(), last, "{max}");
        // A failed round is a failure, even when it was allowed.
        assert_eq!(outcome(&w), Outcome::Failed);
        // Where every round was gone through there is nothing to go on with.
        assert_eq!(w.run.may_resume(Mode::Continue).is_err(), last, "{max}");
    }
}

/// A step that is being undone is not told as verified, and what is in doubt is its undoing.
#[test]
fn a_rollback_without_an_end_is_told_as_one() {
    let mut w = World::new(plan(vec![with("a", |s| s.rollback = Some(rollback())), step("b")]));
    w.well_until(at_step(1)).must(intended("b", 1)).must(finished("b", 1, failed())).well();
    w.must(resumed(Mode::Rollback)).well_until(|n| *n == Next::RollBack { step: 0 });
    w.must(Event::RollbackIntended { step: StepId::new("a"), before: String::new() });
    let told = |w: &World, alive| report::of(&w.run, alive, w.run.last.1, None).join("\n");
    let runs = told(&w, true);
    for part in ["  1  undoing  ", "\n      its rollback is under way", "\nruns, undoing step a"] {
        assert!(runs.contains(part), "{part}: {runs}");
    }
    let doubt = "the rollback of step `a` was intended and its outcome is not known";
    assert_eq!(w.run.given_up(), (Outcome::InDoubt, format!("given up; {doubt}")));
    let lost = told(&w, false);
    assert!(lost.contains("  1  UNDO DOUBT  ") && lost.contains(doubt), "{lost}");
    assert!(!lost.contains("1  verified"), "{lost}");
    assert!(report::summary(&w.run, false).join("\n").contains("UNDO DOUBT"));
}
