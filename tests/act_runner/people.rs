//! What people ask of a run: holds, aborts, two at once, a dead runner's lock.

use crate::bench::{Bench, check, manual, person, plan, step, undo};
use quarterdeck::act::control;
use quarterdeck::act::remains::Remains;
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::Wait;
use quarterdeck::domain::procedure::event::{Choice, Event, Hold, Mode, Outcome};
use quarterdeck::domain::procedure::ledger::RunState;
use quarterdeck::domain::procedure::level::Effect;
use quarterdeck::domain::procedure::plan::{Plan, Step};
use quarterdeck::domain::procedure::request::{Reply, Request};
use quarterdeck::domain::procedure::run::Phase;
use quarterdeck::runs::watch::Watcher;
use std::sync::Arc;
use std::time::Duration;

fn release(step: &str, hold: u64, choice: Choice) -> Request {
    Request::Release { step: step.into(), hold: Some(hold), choice, note: Some("seen \x1b[2J it".into()) }
}

#[test]
fn a_hold_waits_for_a_person_and_takes_only_its_own_answers() {
    let b = Bench::new();
    let trace = b.file("trace");
    let held = Step { hold: Some("look first".into()), ..step("a", &format!("echo x >> {trace}")) };
    let id = b.start(&plan(vec![held, manual("m")]), None).unwrap();
    let loaded = b.until(&id, "it is held", |l| l.run.hold.is_some());
    assert_eq!(loaded.run.state(loaded.alive), RunState::Held);
    let first = loaded.run.hold.unwrap().n;
    assert_eq!(b.ask(&id, &Request::Ping).unwrap(), Reply::Taken);
    for (request, why) in [
        (release("m", first, Choice::GoOn), "does not wait at step `m`"),
        (release("a", first, Choice::Again), "no such answer"),
    ] {
        assert!(matches!(b.ask(&id, &request).unwrap(), Reply::Refused { why: w } if w.contains(why)));
    }
    assert_eq!(b.lines("trace"), 0);
    assert_eq!(b.ask(&id, &release("a", first, Choice::GoOn)).unwrap(), Reply::Taken);
    let next = b.until(&id, "the next hold", |l| l.run.hold.as_ref().is_some_and(|h| h.why == Hold::Manual));
    assert_eq!(b.lines("trace"), 1);
    b.ask(&id, &release("m", next.run.hold.unwrap().n, Choice::GoOn)).unwrap();
    let loaded = b.until_gone(&id);
    assert_eq!(loaded.run.ended.unwrap().outcome, Outcome::Verified);
    let released: Vec<Event> = b.entries(&id).into_iter().map(|e| e.event).collect();
    assert!(released.iter().any(|e| matches!(e, Event::HoldReleased { by, note: Some(note), .. }
        if by.uid == person().uid && note == "seen ·[2J it")));
    assert!(b.ask(&id, &Request::Ping).unwrap_err().contains("there is none"));
}

/// A manual step has two holds when it also has one before it: whoever saw the first has not seen
/// the second.
#[test]
fn an_answer_to_one_hold_never_answers_the_next() {
    let b = Bench::new();
    let two = Step { hold: Some("look first".into()), ..manual("two") };
    let id = b.start(&plan(vec![two]), None).unwrap();
    let seen = b.until(&id, "it is held", |l| l.run.hold.is_some()).run.hold.unwrap().n;
    let replies = std::thread::scope(|all| {
        let ask = || b.ask(&id, &release("two", seen, Choice::GoOn)).unwrap();
        let both = [all.spawn(ask), all.spawn(ask)];
        both.map(|one| one.join().unwrap())
    });
    let refused: Vec<&String> = replies
        .iter()
        .filter_map(|r| match r {
            Reply::Refused { why } => Some(why),
            Reply::Taken => None,
        })
        .collect();
    assert_eq!(refused.len(), 1, "{replies:?}");
    assert!(refused[0].contains("answered already by "), "{refused:?}");
    let held =
        b.until(&id, "the manual step", |l| l.run.hold.as_ref().is_some_and(|h| h.why == Hold::Manual));
    let bare = Request::Release { step: "two".into(), hold: None, choice: Choice::GoOn, note: None };
    assert!(matches!(b.ask(&id, &bare).unwrap(), Reply::Refused { why } if why.contains("which hold")));
    let next = held.run.hold.unwrap().n;
    assert_eq!(b.ask(&id, &release("two", next, Choice::GoOn)).unwrap(), Reply::Taken);
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::Verified);
}

#[test]
fn the_first_abort_lets_the_step_finish_and_the_second_ends_it() {
    for (aborts, gentle) in [(1, true), (2, false)] {
        let b = Bench::new();
        let (begun, done) = (b.file("begun"), b.file("done"));
        let line = format!("touch {begun}; sleep 1.5; touch {done}");
        let id = b.start(&plan(vec![step("a", &line), step("b", "true")]), None).unwrap();
        b.until(&id, "it has begun", |_| std::path::Path::new(&begun).exists());
        for _ in 0..aborts {
            assert_eq!(b.ask(&id, &Request::Abort { now: false }).unwrap(), Reply::Taken);
        }
        let run = b.until_gone(&id).run;
        assert_eq!(run.ended.as_ref().unwrap().outcome, Outcome::Aborted, "{run:#?}");
        assert_eq!(std::path::Path::new(&done).exists(), gentle);
        assert_eq!(matches!(run.steps[0].phase, Phase::Done(_)), gentle, "{run:#?}");
        assert_eq!(matches!(run.steps[0].phase, Phase::Killed(_)), !gentle, "{run:#?}");
        assert!(matches!(run.steps[1].phase, Phase::WillNotRun(_)));
    }
}

/// A wait leaves nothing half done, so the first word is enough; and nothing of it reads as a failure.
#[test]
fn the_first_abort_ends_a_wait() {
    let b = Bench::new();
    let until = check("never".into(), 1, Duration::from_secs(600));
    let timeout = Duration::from_secs(630);
    let wait = Step { action: Action::Wait(Wait { until }), timeout, ..step("a", "true") };
    let id = b.start(&plan(vec![wait, step("b", "true")]), None).unwrap();
    b.until(&id, "it waits", |l| matches!(l.run.steps[0].phase, Phase::Running));
    assert_eq!(b.ask(&id, &Request::Abort { now: false }).unwrap(), Reply::Taken);
    let run = b.until_gone(&id).run;
    assert_eq!(run.ended.as_ref().unwrap().outcome, Outcome::Aborted, "{run:#?}");
    assert!(matches!(&run.steps[0].phase, Phase::Killed(why) if why.contains("ended while waiting")));
    assert!(matches!(run.steps[1].phase, Phase::WillNotRun(_)));
}

#[test]
fn a_deadline_ends_a_wait_which_begins_anew_when_the_run_is_taken_up() {
    let b = Bench::new();
    let until = check(format!("has {}", b.file("there")), 1, Duration::from_secs(600));
    let timeout = Duration::from_secs(630);
    let wait = Step {
        action: Action::Wait(Wait { until }),
        effect: Effect::Read,
        idempotent: true,
        timeout,
        ..step("a", "true")
    };
    let short = Plan { deadline: Duration::from_secs(1), ..plan(vec![wait]) };
    let id = b.start(&short, None).unwrap();
    let run = b.until_gone(&id).run;
    assert!(matches!(run.steps[0].phase, Phase::Killed(_)), "{run:#?}");
    std::fs::write(b.file("there"), "").unwrap();
    b.resume(&id, Mode::Continue, None).unwrap();
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::Verified);
}

#[test]
fn an_abort_ends_a_look_that_hangs() {
    let b = Bench::new();
    let verify = Some(check("slow".into(), 1, Duration::from_secs(600)));
    let id = b.start(&plan(vec![Step { verify, ..step("a", "true") }]), None).unwrap();
    b.until(&id, "it is verified", |l| matches!(l.run.steps[0].phase, Phase::Verifying { .. }));
    b.ask(&id, &Request::Abort { now: true }).unwrap();
    assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::Aborted);
}

#[test]
fn one_run_at_a_time_for_each_scope() {
    let b = Bench::new();
    let mut held = plan(vec![manual("m")]);
    let first = b.start(&held, None).unwrap();
    b.until(&first, "it is held", |l| l.run.hold.is_some());
    let why = b.start(&held, None).unwrap_err();
    assert!(why.contains(&format!("run {first} (trace) of ann has it")), "{why}");
    held.lock = "edge".into();
    let other = b.start(&held, None).unwrap();
    for id in [&first, &other] {
        b.until(id, "it is held", |l| l.run.hold.is_some());
        b.ask(id, &Request::Abort { now: false }).unwrap();
        b.until_gone(id);
    }
    assert_eq!(
        b.state
            .run_ids()
            .unwrap()
            .0
            .iter()
            .filter(|i| b.state.run(i.as_str()).is_ok_and(|d| d.journal().exists()))
            .count(),
        2
    );
}

#[test]
fn of_two_that_start_at_once_one_is_refused() {
    let b = Bench::new();
    let held = plan(vec![manual("m")]);
    let results: Vec<Result<String, String>> = std::thread::scope(|s| {
        let starts: Vec<_> = (0..2).map(|_| s.spawn(|| b.start(&held, None))).collect();
        starts.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let (good, bad): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (1, 1), "{good:?} {bad:?}");
    assert!(bad[0].as_ref().unwrap_err().starts_with("take the lock: "));
    let id = good[0].as_ref().unwrap();
    b.until(id, "it is held", |l| l.run.hold.is_some());
    b.ask(id, &Request::Abort { now: true }).unwrap();
    b.until_gone(id);
}

#[test]
fn a_dead_runners_lock_refuses_others_until_its_run_is_resumed_or_aborted() {
    let b = Bench::new();
    let held = plan(vec![step("a", "true"), manual("m")]);
    let id = b.start(&held, Some(4)).unwrap();
    let loaded = b.until_gone(&id);
    assert_eq!(loaded.run.state(loaded.alive), RunState::Lost);
    let why = b.start(&held, None).unwrap_err();
    assert!(why.contains("died with it; resume or abort that run first"), "{why}");
    let (owner, alive) = control::lock_of(&b.state, "yard", "stack").unwrap();
    assert_eq!((owner.run.as_str(), alive), (id.as_str(), false));

    let outcome = b.give_up(&id, &Remains::default()).unwrap();
    assert_eq!(outcome, b.load(&id).run.ended.unwrap().outcome);
    assert!(b.give_up(&id, &Remains::default()).is_err());
    assert_eq!(control::lock_of(&b.state, "yard", "stack"), None);
    let next = b.start(&held, None).unwrap();
    b.until(&next, "it is held", |l| l.run.hold.is_some());
    b.ask(&next, &Request::Abort { now: true }).unwrap();
    b.until_gone(&next);
}

#[test]
fn a_run_is_rolled_back_last_step_first() {
    let b = Bench::new();
    let trace = b.file("trace");
    let undone = |id: &str| Step {
        rollback: Some(undo(&format!("echo undo-{id} >> {trace}"))),
        ..step(id, &format!("echo {id} >> {trace}"))
    };
    let (id, outcome) = b.run_here(&plan(vec![undone("a"), undone("b"), step("c", "exit 1")]));
    assert_eq!(outcome, Outcome::Failed);
    b.resume(&id, Mode::Rollback, None).unwrap();
    let run = b.until_gone(&id).run;
    let text = std::fs::read_to_string(&trace).unwrap();
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["a", "b", "undo-b", "undo-a"], "{run:#?}");
    let why = b.resume(&id, Mode::Rollback, None);
    assert!(run.ended.is_some_and(|e| e.outcome != Outcome::RolledBack) || why.is_err());
}

#[test]
fn the_watcher_sees_runs_come_go_and_print() {
    let b = Bench::new();
    let mut watcher = Watcher::new(b.state.clone(), Some("yard"), Vec::new());
    assert!(watcher.look(&[]).is_none_or(|l| l.runs.is_empty()));
    let go = b.file("go");
    let line = format!(
        "for i in $(seq 70); do echo line $i; done; printf '\\033[2Jtail\\n'; while [ ! -e {go} ]; do sleep 0.05; done"
    );
    let id = b.start(&plan(vec![step("a", &line)]), None).unwrap();
    let mut last = watcher.ledger();
    let mut wait = |what: &str, so: &dyn Fn(&quarterdeck::domain::procedure::ledger::Ledger) -> bool| {
        b.until(&id, what, |_| {
            if let Some(ledger) = watcher.look(&[]) {
                last = ledger;
            }
            so(&last)
        });
        Arc::clone(&last)
    };
    let ledger = wait("it prints", &|l| {
        l.tails.first().is_some_and(|t| t.lines.last().is_some_and(|l| l.contains("tail")))
    });
    assert_eq!(ledger.runs[0].state, RunState::Running);
    let tail = &ledger.tails[0].lines;
    assert!(tail.len() <= 50 && !tail.iter().any(|l| l.contains('\x1b')), "{tail:?}");
    std::fs::write(&go, "").unwrap();
    let ledger = wait("it ends", &|l| l.runs[0].state == RunState::Ended(Outcome::Verified));
    assert!(ledger.open.is_empty());
    assert!(watcher.look(&[]).is_none() || watcher.look(&[]).is_none(), "an idle look changes nothing");
}
