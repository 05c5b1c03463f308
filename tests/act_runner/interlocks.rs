//! What one run raised stands in the way of others: when they begin, go on, or are undone.

use crate::bench::{Bench, manual, plan, step, undo};
use quarterdeck::clock::{Clock, Now, SystemClock};
use quarterdeck::domain::id::ProcedureId;
use quarterdeck::domain::procedure::event::{Choice, Event, Hold, Mode, Outcome};
use quarterdeck::domain::procedure::level::Effect;
use quarterdeck::domain::procedure::plan::{OnFailure, Plan, Step};
use quarterdeck::domain::procedure::request::{Reply, Request};
use quarterdeck::domain::procedure::run::Phase;
use std::sync::Arc;
use std::time::Duration;

/// A plan of a procedure of the bench's stack.
fn of(procedure: &str, steps: Vec<Step>) -> Plan {
    let steps = steps
        .into_iter()
        .map(|s| Step { origin: s.origin.replace("trace.", &format!("{procedure}.")), ..s })
        .collect();
    Plan { procedure: ProcedureId::new(procedure), ..plan(steps) }
}

fn shut() -> Plan {
    of("shut", vec![step("close", "exit 1")])
}

fn prove() -> Plan {
    of("prove", vec![Step { effect: Effect::Read, ..step("seen", "true") }])
}

/// Opens, and fails at its second step for as long as there is no file `go`.
fn gated(b: &Bench) -> Plan {
    let trace = b.file("trace");
    let open = Step {
        rollback: Some(undo(&format!("echo undone >> {trace}"))),
        ..step("open", &format!("echo open >> {trace}"))
    };
    let line = format!("test -e {} && echo then >> {trace}", b.file("go"));
    let then = Step { idempotent: true, rollback: Some(undo("true")), ..step("then", &line) };
    of("gated", vec![open, then])
}

fn why(b: &Bench, id: &str) -> (Outcome, String) {
    let ended = b.load(id).run.ended.unwrap();
    (ended.outcome, ended.why)
}

#[test]
fn a_run_that_another_locked_out_begins_nothing_and_is_refused() {
    let b = Bench::new();
    let (shut, _) = b.run_here(&shut());
    // Approved before, as by a prompt that was open meanwhile.
    let (id, outcome) = b.run_here(&gated(&b));
    assert_eq!((outcome, outcome.exit_code()), (Outcome::Refused, 2));
    let (_, said) = why(&b, &id);
    let words = format!("(run {shut}); until it was proved (not verified since: prove.seen)");
    assert!(said.contains("needs interlock `closed` lifted, which stands since "), "{said}");
    assert!(said.contains(&words), "{said}");
    assert_eq!(b.lines("trace"), 0);
    // So is what only contains a step of it.
    let inside = Step { origin: "gated.open".into(), ..step("x", "true") };
    assert_eq!(b.run_here(&plan(vec![inside])).1, Outcome::Refused);
    assert_eq!(b.run_here(&prove()).1, Outcome::Verified);
    assert_eq!(b.run_here(&gated(&b)).1, Outcome::Failed);
    assert_eq!(b.lines("trace"), 1);
}

#[test]
fn a_resume_is_locked_out_both_ways_and_stays_possible() {
    for mode in [Mode::Continue, Mode::Rollback] {
        let b = Bench::new();
        let (id, outcome) = b.run_here(&gated(&b));
        assert_eq!((outcome, b.lines("trace")), (Outcome::Failed, 1));
        b.run_here(&shut());
        std::fs::write(b.file("go"), "").unwrap();
        b.resume(&id, mode, None).unwrap();
        b.until_gone(&id);
        let (outcome, said) = why(&b, &id);
        assert_eq!((outcome, b.lines("trace")), (Outcome::Failed, 1), "{mode:?}: {said}");
        assert!(said.contains("interlock `closed`"), "{mode:?}: {said}");
        assert_eq!(b.run_here(&prove()).1, Outcome::Verified);
        b.resume(&id, mode, None).unwrap();
        let done = if mode == Mode::Continue { Outcome::Verified } else { Outcome::RolledBack };
        assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, done, "{mode:?}: {}", why(&b, &id).1);
        assert_eq!(b.lines("trace"), 2, "{mode:?}");
    }
}

#[test]
fn what_a_run_raised_itself_does_not_hold_it_up_but_what_another_raised_as_well_does() {
    let b = Bench::new();
    let raised = |b: &Bench| {
        let mut plan = gated(b);
        plan.steps[0].origin = "shut.close".into();
        plan
    };
    let (id, _) = b.run_here(&raised(&b));
    b.resume(&id, Mode::Rollback, None).unwrap();
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::RolledBack);

    let b = Bench::new();
    let (id, _) = b.run_here(&raised(&b));
    b.run_here(&shut());
    b.resume(&id, Mode::Rollback, None).unwrap();
    b.until_gone(&id);
    assert!(why(&b, &id).1.starts_with("step `then` was not rolled back: needs interlock `closed`"));
    assert!(!b.entries(&id).iter().any(|e| matches!(e.event, Event::RollbackIntended { .. })));
}

#[test]
fn what_another_run_closes_while_one_waits_is_not_opened_by_it_afterwards() {
    for lifted in [false, true] {
        let b = Bench::new();
        std::fs::write(b.file("go"), "").unwrap();
        let mut waits = gated(&b);
        waits.lock = "another".into();
        waits.steps[1].hold = Some("go on?".into());
        let id = b.start(&waits, None).unwrap();
        let hold = b.until(&id, "it is held", |l| l.run.hold.is_some()).run.hold.unwrap();
        b.run_here(&shut());
        if lifted {
            assert_eq!(b.run_here(&prove()).1, Outcome::Verified);
        }
        let go_on =
            Request::Release { step: "then".into(), hold: Some(hold.n), choice: Choice::GoOn, note: None };
        assert_eq!(b.ask(&id, &go_on).unwrap(), Reply::Taken);
        b.until_gone(&id);
        let (outcome, said) = why(&b, &id);
        if lifted {
            assert_eq!((outcome, b.lines("trace")), (Outcome::Verified, 2), "{said}");
        } else {
            assert_eq!((outcome, b.lines("trace")), (Outcome::Failed, 1), "{said}");
            assert!(said.starts_with("step `then` was not begun: needs interlock `closed`"), "{said}");
        }
    }
}

/// Opens by hand, once there is a file `go`.
fn by_hand(b: &Bench) -> Plan {
    let wait = format!("while ! [ -e {} ]; do sleep 0.05; done", b.file("go"));
    let wait = Step { effect: Effect::Read, ..step("wait", &wait) };
    Plan { lock: "another".into(), ..of("gated", vec![wait, manual("open")]) }
}

#[test]
fn nobody_is_asked_to_open_by_hand_what_another_run_has_closed() {
    let b = Bench::new();
    let id = b.start(&by_hand(&b), None).unwrap();
    b.until(&id, "it waits for the file", |l| l.run.steps[0].phase == Phase::Running);
    b.run_here(&shut());
    std::fs::write(b.file("go"), "").unwrap();
    let run = b.until_gone(&id).run;
    let (outcome, said) = why(&b, &id);
    assert_eq!((outcome, run.steps[1].attempts), (Outcome::Failed, 0), "{said}");
    assert!(said.starts_with("step `open` was not asked for: needs interlock `closed`"), "{said}");
    // It can go on once that is lifted.
    b.run_here(&prove());
    b.resume(&id, Mode::Continue, None).unwrap();
    b.until(&id, "it asks", |l| l.run.hold.as_ref().is_some_and(|h| h.why == Hold::Manual));
    b.ask(&id, &Request::Abort { now: false }).unwrap();
    b.until_gone(&id);
}

#[test]
fn who_opens_by_hand_is_told_when_another_run_closes_and_what_they_did_is_written_down() {
    let b = Bench::new();
    std::fs::write(b.file("go"), "").unwrap();
    let id = b.start(&by_hand(&b), None).unwrap();
    let hold = b.until(&id, "it asks", |l| l.run.hold.is_some()).run.hold.unwrap();
    let told = |b: &Bench, start: &str| b.load(&id).run.notes.iter().any(|(_, n)| n.starts_with(start));
    b.run_here(&shut());
    let closed = "step `open` must not be done now: it needs interlock `closed` lifted";
    b.until(&id, "it is told", |_| told(&b, closed));
    b.run_here(&prove());
    b.until(&id, "that is over", |_| told(&b, "nothing stands in the way of step `open` any more"));
    b.run_here(&shut());
    let done = Request::Release { step: "open".into(), hold: Some(hold.n), choice: Choice::GoOn, note: None };
    assert_eq!(b.ask(&id, &done).unwrap(), Reply::Taken);
    b.until_gone(&id);
    assert_eq!(why(&b, &id).0, Outcome::Verified);
    assert!(told(&b, "step `open` was done by hand although it needs interlock `closed` lifted"));
}

#[test]
fn a_rollback_that_was_locked_out_leaves_the_way_forward() {
    let b = Bench::new();
    let (id, _) = b.run_here(&gated(&b));
    b.run_here(&shut());
    b.resume(&id, Mode::Rollback, None).unwrap();
    b.until_gone(&id);
    assert!(why(&b, &id).1.contains("was not rolled back"));
    b.run_here(&prove());
    std::fs::write(b.file("go"), "").unwrap();
    b.resume(&id, Mode::Continue, None).unwrap();
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::Verified, "{}", why(&b, &id).1);
}

/// An abort lets a failed step be undone, but does not open what is locked.
#[test]
fn an_aborted_step_is_not_undone_when_another_run_has_locked_that_out() {
    let b = Bench::new();
    let (go, trace) = (b.file("go"), b.file("trace"));
    let open = Step {
        on_failure: OnFailure::Rollback,
        rollback: Some(undo(&format!("echo undone >> {trace}"))),
        ..step("open", &format!("while ! [ -e {go} ]; do sleep 0.05; done; exit 1"))
    };
    let id = b.start(&Plan { lock: "another".into(), ..of("gated", vec![open]) }, None).unwrap();
    b.until(&id, "it runs", |l| l.run.steps[0].phase == Phase::Running);
    b.run_here(&shut());
    b.ask(&id, &Request::Abort { now: false }).unwrap();
    std::fs::write(&go, "").unwrap();
    b.until_gone(&id);
    let (outcome, said) = why(&b, &id);
    assert_eq!((outcome, b.lines("trace")), (Outcome::Failed, 0), "{said}");
    assert!(said.starts_with("step `open` was not rolled back: needs interlock `closed`"), "{said}");
}

/// What a person said of a step in doubt before another run closed the way makes it no less so.
#[test]
fn locked_out_before_it_is_done_again_a_step_stays_in_doubt_and_is_asked_about() {
    let b = Bench::new();
    // Loses its runner each time that there is a file `deadly`.
    let (trace, deadly) = (b.file("trace"), b.file("deadly"));
    let line = format!("echo x >> {trace}; if [ -e {deadly} ]; then rm {deadly}; kill -9 $PPID; fi");
    std::fs::write(&deadly, "").unwrap();
    let plan = Plan { lock: "another".into(), ..of("gated", vec![step("open", &line)]) };
    let id = b.start(&plan, None).unwrap();
    b.until_gone(&id);
    b.resume(&id, Mode::Continue, None).unwrap();
    let hold = b.until(&id, "it is held", |l| l.run.hold.is_some()).run.hold.unwrap();
    b.run_here(&shut());
    let again =
        Request::Release { step: "open".into(), hold: Some(hold.n), choice: Choice::Again, note: None };
    assert_eq!(b.ask(&id, &again).unwrap(), Reply::Taken);
    let run = b.until_gone(&id).run;
    let (outcome, said) = why(&b, &id);
    assert_eq!((outcome, &run.steps[0].phase), (Outcome::InDoubt, &Phase::InDoubt), "{said}");
    assert!(said.starts_with("step `open` was not begun again, and is in doubt: needs interlock"), "{said}");
    assert_eq!(b.run_here(&prove()).1, Outcome::Verified);
    b.resume(&id, Mode::Continue, None).unwrap();
    let hold = b.until(&id, "a person is asked again", |l| l.run.hold.is_some() || !l.alive).run.hold;
    assert_eq!(hold.map(|h| h.why), Some(Hold::InDoubt));
    assert_eq!(b.lines("trace"), 1);
    b.ask(&id, &Request::Abort { now: false }).unwrap();
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::InDoubt);
}

/// A clock that is wrong by as much.
struct Wrong(SystemClock, Duration);

impl Clock for Wrong {
    fn now(&self) -> Now {
        let now = self.0.now();
        Now { wall: now.wall + self.1, ..now }
    }
}

#[test]
fn a_proof_that_was_dated_ahead_lifts_nothing_that_came_after_it() {
    const HOUR: Duration = Duration::from_secs(3600);
    let ahead = |hours: u32| Arc::new(Wrong(SystemClock::new(), HOUR * hours));
    let mut b = Bench::with_clock(ahead(10));
    let (early, outcome) = b.run_here(&prove());
    assert_eq!(outcome, Outcome::Verified);
    b.clock = Arc::new(SystemClock::new());
    let (shut, _) = b.run_here(&shut());
    let preceded = b.entries(&shut).into_iter().find_map(|e| match e.event {
        Event::Preceded { runs } => Some(runs),
        _ => None,
    });
    assert!(preceded.is_some_and(|runs| runs.keys().any(|run| run.as_str() == early)));
    assert_eq!(b.run_here(&gated(&b)).1, Outcome::Refused);
    // Nor once the time that it bears has come.
    b.clock = ahead(11);
    assert_eq!(b.run_here(&gated(&b)).1, Outcome::Refused);
    assert_eq!(b.run_here(&prove()).1, Outcome::Verified);
    assert_eq!(b.run_here(&gated(&b)).1, Outcome::Failed);
    assert_eq!(b.lines("trace"), 1);
}
