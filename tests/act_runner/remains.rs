//! Steps that act on although their runner is gone: others must not begin beside them unseen.

use crate::bench::{Bench, plan, step, undo};
use quarterdeck::act::control::{self, Loaded};
use quarterdeck::act::remains::Remains;
use quarterdeck::domain::procedure::event::{Choice, Hold, Mode, Outcome};
use quarterdeck::domain::procedure::ledger::RunState;
use quarterdeck::domain::procedure::plan::{Owe, Rollback, Step};
use quarterdeck::domain::procedure::request::{Reply, Request};
use quarterdeck::domain::procedure::run::Phase;
use rustix::process::{Pid, Signal, kill_process};

/// Loses its runner the first time, and sleeps on; a second time leaves a trace.
fn survivor(b: &Bench) -> Step {
    let (pid, again) = (b.file("pid"), b.file("again"));
    let line = format!(
        "if [ -e {pid} ]; then echo x >> {again}; exit 0; fi; echo $$ > {pid}; kill -9 $PPID; exec sleep 86371"
    );
    Step { idempotent: true, ..step("once", &line) }
}

fn alive(pid: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).is_ok_and(|s| !s.contains(") Z "))
}

fn lost(b: &Bench) -> (String, Pid) {
    let id = b.start(&plan(vec![survivor(b)]), None).unwrap();
    b.until_gone(&id);
    let pid = std::fs::read_to_string(b.file("pid")).unwrap();
    (id, Pid::from_raw(pid.trim().parse().unwrap()).unwrap())
}

#[test]
fn what_still_runs_is_named_and_ended_before_a_run_is_given_up() {
    let b = Bench::new();
    let (id, pid) = lost(&b);
    let found = b.remains(&id, false);
    let named = format!("STILL RUNS: 1 process ({} sleep)", pid.as_raw_nonzero());
    assert!(!found.are_gone());
    assert!(found.words().join("; ").ends_with(&named), "{:?}", found.words());
    assert!(alive(pid));
    // What nobody can look at is not gone either.
    assert!(!Remains::unknown(&b.load(&id).run, "no stack").are_gone());

    let ended = b.remains(&id, true);
    assert!(ended.are_gone(), "{ended:?}");
    assert!(!alive(pid));
    assert_eq!(b.give_up(&id, &ended).unwrap(), Outcome::InDoubt);
    let why = b.load(&id).run.ended.unwrap().why;
    assert!(why.contains("told to end: 1 process"), "{why}");
}

#[test]
fn what_could_not_be_ended_is_told_in_the_runs_last_line() {
    let b = Bench::new();
    let (id, pid) = lost(&b);
    assert_eq!(b.give_up(&id, &b.remains(&id, false)).unwrap(), Outcome::InDoubt);
    assert!(b.load(&id).run.ended.unwrap().why.contains("STILL RUNS"));
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_second_attempt_waits_for_the_first_to_be_gone() {
    let b = Bench::new();
    let (id, pid) = lost(&b);
    b.resume(&id, Mode::Continue, None).unwrap();
    b.until(&id, "it says that it waits", |l| {
        l.run.notes.iter().any(|(_, says)| says.contains("waits to be begun again: an earlier attempt"))
    });
    assert_eq!(b.lines("again"), 0);
    kill_process(pid, Signal::KILL).unwrap();
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::Verified);
    assert_eq!(b.lines("again"), 1);
}

/// A run whose step is undone by something slow, which has lost its runner.
fn lost_while_undone(b: &Bench) -> (String, Pid) {
    let Step { action, .. } = survivor(b);
    let undo = Rollback { action, ..undo("true") };
    let steps = vec![Step { rollback: Some(undo), ..step("one", "true") }, step("two", "exit 1")];
    let id = b.start(&plan(steps), None).unwrap();
    b.until_gone(&id);
    b.resume(&id, Mode::Rollback, None).unwrap();
    b.until_gone(&id);
    let pid = std::fs::read_to_string(b.file("pid")).unwrap();
    b.resume(&id, Mode::Rollback, None).unwrap();
    (id, Pid::from_raw(pid.trim().parse().unwrap()).unwrap())
}

fn release(b: &Bench, id: &str, choice: Choice) {
    let hold = b.until(id, "it is held", |l| l.run.hold.is_some()).run.hold.unwrap();
    assert_eq!(hold.why, Hold::InDoubt);
    let request = Request::Release { step: hold.step.to_string(), hold: Some(hold.n), choice, note: None };
    assert_eq!(b.ask(id, &request).unwrap(), Reply::Taken);
}

#[test]
fn a_second_undoing_waits_for_the_first_to_be_gone() {
    let b = Bench::new();
    let (id, pid) = lost_while_undone(&b);
    release(&b, &id, Choice::Again);
    b.until(&id, "it says that it waits", |l| {
        l.run
            .notes
            .iter()
            .any(|(_, says)| says.contains("`one` waits to be undone again: an earlier attempt"))
    });
    assert_eq!(b.lines("again"), 0);
    kill_process(pid, Signal::KILL).unwrap();
    assert!(b.until_gone(&id).run.undone(0));
    assert_eq!(b.lines("again"), 1);
}

/// A person's word that a step is done does not end what still runs of it.
#[test]
fn what_comes_after_a_step_that_is_taken_as_done_waits_until_that_is_gone() {
    for killed in [false, true] {
        let b = Bench::new();
        let first = Step { idempotent: false, ..survivor(&b) };
        let id = b
            .start(&plan(vec![first, step("next", &format!("echo x >> {}", b.file("next")))]), None)
            .unwrap();
        b.until_gone(&id);
        let pid = std::fs::read_to_string(b.file("pid")).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        b.resume(&id, Mode::Continue, None).unwrap();
        let hold = b.until(&id, "it is held", |l| l.run.hold.is_some()).run.hold.unwrap();
        let named = format!("it still runs: 1 process ({} sleep)", pid.as_raw_nonzero());
        assert!(hold.says.ends_with(&named), "{}", hold.says);
        release(&b, &id, Choice::GoOn);
        let waits = "step `once` waits to be gone on from: an earlier attempt at it still runs";
        b.until(&id, "it says that it waits", |l| {
            l.run.notes.iter().any(|(_, says)| says.starts_with(waits))
        });
        assert_eq!(b.lines("next"), 0);
        if killed {
            // The next runner looks as well, and so does who gives the run up.
            let runner = Pid::from_raw(i32::try_from(b.load(&id).run.runner).unwrap()).unwrap();
            kill_process(runner, Signal::KILL).unwrap();
            b.until_gone(&id);
            assert!(b.remains(&id, false).act_on());
            b.resume(&id, Mode::Continue, None).unwrap();
            let twice =
                |l: &Loaded| l.run.notes.iter().filter(|(_, says)| says.starts_with(waits)).count() == 2;
            b.until(&id, "it waits again", twice);
        }
        kill_process(pid, Signal::KILL).unwrap();
        let run = b.until_gone(&id).run;
        assert_eq!((run.ended.unwrap().outcome, b.lines("next")), (Outcome::Verified, 1));
    }
}

#[test]
fn given_up_while_an_undoing_waits_to_be_tried_again_that_is_in_doubt() {
    let b = Bench::new();
    let (id, pid) = lost_while_undone(&b);
    release(&b, &id, Choice::Again);
    b.until(&id, "it waits", |l| l.run.notes.iter().any(|(_, says)| says.contains("undone again")));
    b.ask(&id, &Request::Abort { now: false }).unwrap();
    assert_eq!(b.until_gone(&id).run.state(false), RunState::Lost);
    let ended = b.remains(&id, true);
    assert!(ended.are_gone() && !alive(pid), "{ended:?}");
    assert_eq!(b.give_up(&id, &ended).unwrap(), Outcome::InDoubt);
}

#[test]
fn aborted_while_it_waits_a_run_does_not_end_beside_its_own_step() {
    let b = Bench::new();
    let (id, pid) = lost(&b);
    b.resume(&id, Mode::Continue, None).unwrap();
    b.until(&id, "it waits", |l| !l.run.notes.is_empty());
    b.ask(&id, &Request::Abort { now: false }).unwrap();
    let loaded = b.until_gone(&id);
    assert_eq!(loaded.run.state(loaded.alive), RunState::Lost);
    assert!(control::lock_of(&b.state, "yard", "stack").is_some());
    let ended = b.remains(&id, true);
    assert!(ended.are_gone() && !alive(pid), "{ended:?}");
    // How far the first attempt came is as unknown as before.
    assert_eq!(b.give_up(&id, &ended).unwrap(), Outcome::InDoubt);
    assert_eq!(b.load(&id).run.steps[0].phase, Phase::InDoubt);
    assert_eq!((control::lock_of(&b.state, "yard", "stack"), b.lines("again")), (None, 0));
}

#[test]
fn a_lost_run_holds_its_scope_although_its_lock_was_emptied() {
    let b = Bench::new();
    let (id, _) = lost(&b);
    let path = quarterdeck::act::lock::path(&b.state, "yard", "stack");
    let whole = std::fs::read(&path).unwrap();
    for text in [&b""[..], &whole[..30]] {
        std::fs::write(&path, text).unwrap();
        let why = b.start(&plan(vec![step("other", "true")]), None).unwrap_err();
        assert!(why.contains(&format!("run {id} (trace) has not ended")), "{why}");
        let (owner, alive) = control::lock_of(&b.state, "yard", "stack").unwrap();
        assert_eq!((owner.run.as_str(), alive), (id.as_str(), false));
    }
    std::fs::remove_file(&path).unwrap();
    b.start(&plan(vec![step("other", "true")]), None).unwrap_err();
    let ended = b.remains(&id, true);
    b.give_up(&id, &ended).unwrap();
    b.start(&plan(vec![step("other", "true")]), None).unwrap();
}

/// Undoing cannot undo what still happens: the run stays open, with its debt and its lock.
#[test]
fn rolled_back_a_run_does_not_end_while_its_step_acts() {
    let b = Bench::new();
    let owes = Step {
        owes: Some(Owe { id: "clients".into(), says: "clients reconnect".into(), by: None }),
        ..survivor(&b)
    };
    let id = b.start(&plan(vec![owes]), None).unwrap();
    b.until_gone(&id);
    b.resume(&id, Mode::Rollback, None).unwrap();
    let loaded = b.until_gone(&id);
    assert_eq!((loaded.run.state(false), loaded.run.owed.len()), (RunState::Lost, 1));
    assert!(loaded.run.notes.iter().any(|(_, says)| says.contains("STILL RUNS: 1 process")));
    assert!(control::lock_of(&b.state, "yard", "stack").is_some());
    assert!(b.remains(&id, true).are_gone());
    b.resume(&id, Mode::Rollback, None).unwrap();
    let run = b.until_gone(&id).run;
    assert_eq!((run.ended.unwrap().outcome, run.owed.len()), (Outcome::InDoubt, 1));
}
