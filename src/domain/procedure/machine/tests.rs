//! The machine's rules, as stories: what comes next, and what may not.

use super::Next;
use super::worlds::{
    World, abort, asked, at, at_step, check, failed, finished, hold_at, intended, interrupted, manual,
    observed, outcome, person, plan, released, resumed, rollback, step, two, with,
};
use crate::domain::id::StepId;
use crate::domain::procedure::check::Seen;
use crate::domain::procedure::event::{
    Choice, Effected, Entry, Event, Hold, Interruption, Mode, Outcome, Truth,
};
use crate::domain::procedure::ledger::RunState;
use crate::domain::procedure::plan::{OnFailure, OnTimeout};
use crate::domain::procedure::report;
use crate::domain::procedure::run::{Phase, Run, Stopper};

#[test]
fn a_good_run_is_verified_step_by_step() {
    let mut w = World::new(two());
    assert_eq!(w.run.next(), Next::CheckPreconditions);
    w.well();
    assert_eq!((outcome(&w), w.run.line(false).steps), (Outcome::Verified, (2, 2)));
    assert_eq!(w.run.ended.as_ref().unwrap().why, "2 verified");
    assert_eq!(w.run.state(true), RunState::Ended(Outcome::Verified));
}

#[test]
fn what_must_never_be_is_refused() {
    let failed_look = Event::Preconditions { failed: vec!["redis up".to_owned()], seen: vec![] };
    let look = Event::Preconditions { failed: vec![], seen: vec![] };
    let verified = |s: &str| Event::Verified { step: StepId::new(s), says: String::new() };
    let done = Effected::Done { says: String::new() };
    let one_more = Event::Observed {
        step: StepId::new("a"),
        seen: Seen { holds: false, says: String::new() },
        streak: 2,
        needed: 2,
    };
    let table: Vec<(&str, Vec<Event>, Event)> = vec![
        ("without preconditions", vec![], intended("a", 1)),
        ("with failed preconditions", vec![failed_look], intended("a", 1)),
        ("before its turn", vec![look.clone()], intended("b", 1)),
        ("unknown step", vec![look.clone()], intended("c", 1)),
        ("wrong attempt", vec![look.clone()], intended("a", 2)),
        ("twice at once", vec![look.clone(), intended("a", 1)], intended("a", 2)),
        ("after an abort", vec![look.clone(), abort(false)], intended("a", 1)),
        ("end of what did not begin", vec![look.clone()], finished("a", 1, done.clone())),
        ("end of another attempt", vec![look.clone(), intended("a", 1)], finished("a", 2, done.clone())),
        (
            "killed by nobody",
            vec![look.clone(), intended("a", 1)],
            finished("a", 1, Effected::Killed { why: String::new() }),
        ),
        (
            "verified unseen",
            vec![look.clone(), intended("a", 1), finished("a", 1, done.clone())],
            verified("a"),
        ),
        (
            "verified too early",
            vec![look.clone(), intended("a", 1), finished("a", 1, done.clone()), observed("a", 1, 2)],
            verified("a"),
        ),
        (
            "a streak out of nothing",
            vec![look.clone(), intended("a", 1), finished("a", 1, done.clone())],
            observed("a", 2, 2),
        ),
        (
            "a streak of bad ones",
            vec![look.clone(), intended("a", 1), finished("a", 1, done.clone()), observed("a", 1, 2)],
            one_more,
        ),
        (
            "passed over without an unless",
            vec![look.clone()],
            Event::Skipped { step: StepId::new("a"), because: String::new() },
        ),
        ("asked of what is not in doubt", vec![look.clone()], asked("a", Truth::Happened)),
        ("released without a hold", vec![look.clone()], released("a", Choice::GoOn)),
        (
            "rolled back for nothing",
            vec![look.clone()],
            Event::RollbackIntended { step: StepId::new("a"), before: String::new() },
        ),
        (
            "said to be verified",
            vec![look.clone()],
            Event::Ended { outcome: Outcome::Verified, why: String::new() },
        ),
        (
            "failed with an effect under way",
            vec![look.clone(), intended("a", 1)],
            Event::Ended { outcome: Outcome::Failed, why: String::new() },
        ),
        (
            "refused after an effect",
            vec![look.clone(), intended("a", 1), finished("a", 1, failed())],
            Event::Ended { outcome: Outcome::Refused, why: String::new() },
        ),
        ("looked at twice", vec![look.clone()], look),
    ];
    for (name, before, wrong) in table {
        let mut w = World::new(two());
        for event in before {
            w.must(event);
        }
        let was = w.run.clone();
        assert!(w.put(wrong).is_err(), "{name}");
        assert_eq!(w.run, was, "{name}");
    }
}

#[test]
fn nothing_follows_the_end_but_a_resume() {
    let mut w = World::new(two());
    w.well();
    for event in [
        Event::Note { says: "x".to_owned() },
        abort(false),
        intended("a", 2),
        resumed(Mode::Continue),
        resumed(Mode::Rollback),
    ] {
        assert!(w.put(event.clone()).is_err(), "{event:?}");
    }
}

#[test]
fn entries_have_no_gaps_and_a_plan_has_its_hash() {
    let mut w = World::new(two());
    let event = Event::Note { says: String::new() };
    for n in [0, 1, 3, u64::MAX] {
        assert!(w.run.apply(&Entry { n, at: at(9), event: event.clone() }).is_err(), "{n}");
    }
    let mut other = two();
    other.lock = "else".to_owned();
    assert!(Run::open(other, &w.entries[0]).is_err());
    assert!(Run::fold(two(), &[]).is_err());
    let twice = [w.entries[0].clone(), Entry { n: 2, ..w.entries[0].clone() }];
    assert_eq!(Run::fold(two(), &twice).map_err(|e| e.0), Err(1));
    w.must(event);
}

#[test]
fn failed_preconditions_refuse_a_run_that_began_nothing() {
    let mut w = World::new(two());
    w.must(Event::Preconditions { failed: vec!["redis up".to_owned()], seen: vec![] });
    assert_eq!(w.run.next(), Next::End { outcome: Outcome::Refused, why: "needs redis up".to_owned() });
    w.well();
    assert_eq!(outcome(&w), Outcome::Refused);
    assert!(w.run.may_resume(Mode::Continue).is_err());
}

/// What a failure leads to, by `on_failure` and `on_timeout`.
#[test]
fn failures_lead_where_the_step_says() {
    let timed_out = || Effected::TimedOut { why: "slow".to_owned() };
    let hold = |why| Next::EnterHold { step: 0, why, says: String::new() };
    let end = || Next::End { outcome: Outcome::Failed, why: String::new() };
    let b = || Next::Begin { step: 1, may_pass: false };
    let verify = || Next::Verify { step: 0 };
    let table: Vec<(OnFailure, OnTimeout, bool, Effected, Next)> = vec![
        (OnFailure::Stop, OnTimeout::Verify, true, failed(), end()),
        (OnFailure::Hold, OnTimeout::Verify, true, failed(), hold(Hold::Failed)),
        (OnFailure::Continue, OnTimeout::Verify, true, failed(), b()),
        (OnFailure::Rollback, OnTimeout::Verify, true, failed(), Next::RollBack { step: 0 }),
        (OnFailure::Stop, OnTimeout::Verify, true, timed_out(), verify()),
        (OnFailure::Stop, OnTimeout::Verify, false, timed_out(), end()),
        (OnFailure::Stop, OnTimeout::Fail, true, timed_out(), end()),
        (OnFailure::Continue, OnTimeout::Fail, true, timed_out(), b()),
        (OnFailure::Stop, OnTimeout::Hold, true, timed_out(), hold(Hold::TimedOut)),
    ];
    for (on_failure, on_timeout, verified, result, next) in table {
        let first = with("a", |s| {
            s.on_failure = on_failure;
            s.on_timeout = on_timeout;
            s.verify = verified.then(|| check(1));
            s.rollback = Some(rollback());
        });
        let mut w = World::new(plan(vec![first, step("b")]));
        w.well_until(at_step(0)).must(intended("a", 1)).must(finished("a", 1, result.clone()));
        let came = match w.run.next() {
            Next::EnterHold { step, why, .. } => hold_at(step, why),
            Next::End { outcome, .. } => Next::End { outcome, why: String::new() },
            other => other,
        };
        assert_eq!(came, next, "{on_failure:?} {on_timeout:?} {result:?}");
    }
}

#[test]
fn a_failed_hold_is_answered_three_ways() {
    let make = || {
        let mut w = World::new(plan(vec![with("a", |s| s.on_failure = OnFailure::Hold), step("b")]));
        w.well_until(at_step(0)).must(intended("a", 1)).must(finished("a", 1, failed())).well();
        assert_eq!(w.run.state(true), RunState::Held);
        assert_eq!(w.run.state(false), RunState::Lost);
        // What a person is asked stands in the step's own line, and how to answer below it.
        let shown = report::of(&w.run, true, w.run.last.1, None).join("\n");
        let told = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told(&shown).contains("1 WAITS 0s a a for you (it failed)"), "{shown}");
        let n = w.run.hold.as_ref().unwrap().n;
        let answer = format!("quarterdeck runs release-hold r1 --hold {n} --choice go-on|again|stop");
        assert!(shown.contains(&answer), "{shown}");
        let lost = report::of(&w.run, false, w.run.last.1, None).join("\n");
        assert!(
            told(&lost).contains("1 FAILED 1s a a broke"),
            "a run without a runner waits for nobody: {lost}"
        );
        w
    };
    let mut again = make();
    again.must(released("a", Choice::Again));
    assert_eq!(again.run.next(), Next::Begin { step: 0, may_pass: false });
    again.must(intended("a", 2)).must(finished("a", 2, Effected::Done { says: String::new() })).well();
    assert_eq!(outcome(&again), Outcome::Verified);

    let mut stop = make();
    stop.must(released("a", Choice::Stop)).well();
    assert_eq!(outcome(&stop), Outcome::Failed);
    assert!(matches!(stop.phase(1), Phase::WillNotRun(_)));

    // "Take it as done": its verification decides; what failed and who said so stays to be read.
    let mut seen = make();
    seen.must(released("a", Choice::GoOn)).well();
    assert_eq!(outcome(&seen), Outcome::Verified);
    assert_eq!(
        seen.phase(0),
        &Phase::Verified("failed: broke; taken as done by bob: seen; then seen".to_owned())
    );
    let why = &seen.run.ended.as_ref().unwrap().why;
    assert_eq!(why, "2 verified, 1 of them taken as done by a person's word: a");

    // What fails that is never called verified.
    let mut on = make();
    on.must(released("a", Choice::GoOn));
    assert_eq!(on.run.next(), Next::Verify { step: 0 });
    on.must(Event::Unverified { step: StepId::new("a"), why: "no".to_owned() }).well();
    on.must(released("a", Choice::GoOn)).well();
    assert!(matches!(on.phase(0), Phase::FailedAndPassed(_)));
    assert_eq!(outcome(&on), Outcome::Failed);
}

#[test]
fn a_time_over_is_gone_on_from_by_a_person_only() {
    let first = with("a", |s| {
        s.on_timeout = OnTimeout::Hold;
        s.verify = None;
    });
    let mut w = World::new(plan(vec![first, step("b")]));
    w.well_until(at_step(0)).must(intended("a", 1));
    w.must(finished("a", 1, Effected::TimedOut { why: "7 sessions remain".to_owned() })).well();
    assert_eq!(w.run.hold.as_ref().unwrap().says, "the time of step `a` is over: 7 sessions remain");
    w.must(released("a", Choice::GoOn)).well();
    let said = "its time was over: 7 sessions remain; taken as done by bob: seen";
    assert_eq!(w.phase(0), &Phase::Done(said.to_owned()));
    assert!(matches!(w.phase(1), Phase::Verified(_)), "the run went on");
    assert_eq!(outcome(&w), Outcome::Failed, "a word proves nothing");
    assert_eq!(w.run.ended.as_ref().unwrap().why, format!("step `a` was never verified: {said}"));
}

#[test]
fn holds_and_manual_steps_wait_for_a_person() {
    let first = with("a", |s| {
        s.hold = Some("look".to_owned());
        s.action = manual(true);
        s.verify = None;
    });
    let mut w = World::new(plan(vec![first]));
    w.well();
    assert_eq!(w.run.hold.as_ref().map(|h| h.why), Some(Hold::Planned));
    assert!(w.put(released("a", Choice::Again)).is_err());
    w.must(released("a", Choice::GoOn)).well();
    assert_eq!(w.run.hold.as_ref().map(|h| h.why), Some(Hold::Manual));
    let silent = Event::HoldReleased {
        step: StepId::new("a"),
        by: person("bob"),
        choice: Choice::GoOn,
        note: Some(" ".to_owned()),
    };
    assert!(w.put(silent).is_err(), "a note is needed");
    w.must(released("a", Choice::GoOn)).well();
    assert_eq!(w.phase(0), &Phase::Done("done by bob: seen".to_owned()));

    let mut stopped = World::new(plan(vec![with("a", |s| s.hold = Some("look".to_owned()))]));
    stopped.well().must(released("a", Choice::Stop)).well();
    assert_eq!(outcome(&stopped), Outcome::Aborted);
}

#[test]
fn a_step_is_passed_over_with_proof_unless_what_it_follows_was_carried_out() {
    let second = with("b", |s| {
        s.unless = Some(check(1));
        s.after = vec![StepId::new("a")];
    });
    let first = with("a", |s| s.unless = Some(check(1)));
    let skip = |s: &str| Event::Skipped { step: StepId::new(s), because: "healthy".to_owned() };
    let mut w = World::new(plan(vec![first.clone(), second.clone()]));
    w.well_until(at_step(0)).must(skip("a"));
    assert_eq!(w.run.next(), Next::Begin { step: 1, may_pass: true });
    w.must(skip("b")).well();
    assert_eq!((outcome(&w), w.run.line(false).steps), (Outcome::Verified, (2, 2)));

    let mut w = World::new(plan(vec![first, second]));
    w.well_until(at_step(1));
    assert_eq!(w.run.next(), Next::Begin { step: 1, may_pass: false });
    assert!(w.put(skip("b")).is_err());
}

#[test]
fn what_stops_a_run_without_a_persons_word_lets_a_later_runner_go_on() {
    for (by, now, how, says) in [
        (Interruption::Signal, false, Outcome::Aborted, "interrupted by SIGTERM before step `b`"),
        (Interruption::Signal, true, Outcome::Aborted, "interrupted by SIGTERM in the middle of step `a`"),
        (Interruption::Deadline, false, Outcome::Failed, "its deadline of 10m was over before step `b`"),
    ] {
        let mut w = World::new(two());
        w.well_until(at_step(0)).must(intended("a", 1)).must(interrupted(by, now));
        assert_eq!(w.run.next(), Next::Acting { step: 0 });
        if now {
            w.must(finished("a", 1, Effected::Killed { why: "it is gone".to_owned() }));
        }
        w.well();
        assert_eq!(outcome(&w), how);
        assert!(w.run.ended.as_ref().unwrap().why.starts_with(says), "{:?}", w.run.ended);
        assert!(matches!(w.phase(1), Phase::WillNotRun(_)));
        w.must(resumed(Mode::Continue)).well();
        assert_eq!(outcome(&w), Outcome::Verified);
    }
    // What came to its end before it was to stop is what it is.
    let mut last = World::new(two());
    last.well_until(at_step(1)).must(intended("b", 1)).must(interrupted(Interruption::Signal, false)).well();
    assert_eq!(outcome(&last), Outcome::Verified);
}

/// Only people abort, and only their second request ends the step that runs.
#[test]
fn a_persons_word_counts_whatever_else_stops_the_run() {
    let signal = || interrupted(Interruption::Signal, false);
    for events in [[abort(false), signal()], [signal(), abort(false)]] {
        let mut w = World::new(two());
        w.well_until(at_step(0)).must(intended("a", 1));
        for event in events {
            w.must(event);
        }
        let abort_of = w.run.abort.as_ref().unwrap();
        assert!(!abort_of.now && abort_of.by == Stopper::Person(person("ann")));
        let mut twice = World { run: w.run.clone(), entries: w.entries.clone() };
        twice.must(abort(false));
        assert!(twice.run.abort.as_ref().unwrap().now);
        w.well();
        assert_eq!(outcome(&w), Outcome::Aborted);
        assert!(w.run.may_resume(Mode::Continue).is_err());
    }
}

#[test]
fn an_abort_lets_the_step_that_runs_end_and_starts_no_other() {
    let mut w = World::new(two());
    w.well_until(at_step(0)).must(intended("a", 1)).must(abort(false));
    assert_eq!(w.run.next(), Next::Acting { step: 0 });
    w.well();
    assert_eq!(outcome(&w), Outcome::Aborted);
    assert!(matches!(w.phase(0), Phase::Verified(_)));
    assert!(matches!(w.phase(1), Phase::WillNotRun(_)));
    assert!(w.run.may_resume(Mode::Continue).is_err(), "no step starts after an abort, ever");
    w.run.may_resume(Mode::Rollback).unwrap();

    let mut now = World::new(two());
    now.well_until(at_step(0)).must(intended("a", 1)).must(abort(false)).must(abort(false));
    assert!(now.run.abort.as_ref().unwrap().now, "a second request ends the step");
    now.must(finished("a", 1, Effected::Killed { why: "one process still runs".to_owned() })).well();
    assert_eq!(outcome(&now), Outcome::Aborted);
    assert!(now.run.ended.as_ref().unwrap().why.contains("one process still runs"));
}
