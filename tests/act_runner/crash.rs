//! Runners killed at every point of their journals: nothing that must not be is done twice, and
//! what became of the run is told.

use crate::bench::{Bench, check, needs, plan, step, undo};
use quarterdeck::act::control;
use quarterdeck::domain::procedure::event::{Choice, Event, Hold, Mode, Outcome};
use quarterdeck::domain::procedure::ledger::RunState;
use quarterdeck::domain::procedure::plan::{Plan, Step};
use quarterdeck::domain::procedure::request::{Reply, Request};
use quarterdeck::domain::procedure::run::Phase;
use std::fs;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(10);

/// Three steps that must not happen twice and one that may.
fn traces(b: &Bench) -> Plan {
    let append = |id: &str| {
        let file = b.file(id);
        Step {
            verify: Some(check(format!("lines {file} 1"), 2, WITHIN)),
            ..step(id, &format!("echo x >> {file}"))
        }
    };
    let again = b.file("again");
    let mut plan = plan(vec![
        append("first"),
        Step { idempotent: true, ..step("again", &format!("touch {again}")) },
        Step { hold: Some("go on?".into()), ..append("second") },
        Step { rollback: Some(undo("true")), ..append("third") },
    ]);
    needs(&mut plan, "a directory", format!("has {}", b.dir.path().display()));
    plan
}

/// Answers holds as a person would who looks: whether the effect is there.
fn see_through(b: &Bench, id: &str) {
    loop {
        let loaded = b.until(id, "it waits or has ended", |l| l.run.hold.is_some() || !l.alive);
        let Some(held) = loaded.run.hold else { return };
        if !loaded.alive {
            return;
        }
        let choice = match held.why {
            Hold::InDoubt if b.lines(held.step.as_str()) == 0 => Choice::Again,
            _ => Choice::GoOn,
        };
        let request =
            Request::Release { step: held.step.to_string(), hold: Some(held.n), choice, note: None };
        match b.ask(id, &request) {
            // Two looks may see the same hold; and the runner may have died meanwhile.
            Ok(Reply::Taken | Reply::Refused { .. }) | Err(_) => {}
        }
    }
}

fn assert_once(b: &Bench, what: &str) {
    for name in ["first", "second", "third"] {
        assert_eq!(b.lines(name), 1, "{what}: {name}");
    }
}

#[test]
fn killed_after_any_entry_a_run_resumes_to_its_end_and_does_nothing_twice() {
    let whole = {
        let b = Bench::new();
        let id = b.start(&traces(&b), None).unwrap();
        see_through(&b, &id);
        assert_eq!(b.until_gone(&id).run.ended.unwrap().outcome, Outcome::Verified);
        b.entries(&id)
    };
    assert!(whole.len() > 15);
    for entry in &whole {
        // Observations are only progress: nothing is told of them, and no one can be killed by them.
        if matches!(entry.event, Event::Observed { .. } | Event::Ended { .. }) {
            continue;
        }
        let b = Bench::new();
        let what = format!("killed after entry {} {:?}", entry.n, entry.event);
        let started = b.start(&traces(&b), Some(entry.n));
        let id = started.unwrap_or_else(|_| b.state.run_ids().unwrap().0[0].to_string());
        see_through(&b, &id);
        let loaded = b.until_gone(&id);
        assert_eq!(loaded.run.state(false), RunState::Lost, "{what}");
        assert_eq!(loaded.run.last.0, entry.n, "{what}");
        if let Event::Intended { step, .. } = &entry.event {
            let index = loaded.run.index_of(step).unwrap();
            assert_eq!(loaded.run.steps[index].phase, Phase::Running, "{what}: in doubt at its step");
            assert_eq!(loaded.run.given_up().0, Outcome::InDoubt, "{what}");
        }
        b.resume(&id, Mode::Continue, None).unwrap_or_else(|e| panic!("{what}: {e}"));
        see_through(&b, &id);
        let run = b.until_gone(&id).run;
        assert_eq!(run.ended.as_ref().map(|e| e.outcome), Some(Outcome::Verified), "{what}: {run:#?}");
        assert_once(&b, &what);
    }
}

#[test]
fn killed_again_and_again_it_still_does_nothing_twice() {
    let b = Bench::new();
    let plan = traces(&b);
    let mut die_at = 4;
    let id = b.start(&plan, Some(die_at)).unwrap();
    loop {
        see_through(&b, &id);
        let run = b.until_gone(&id).run;
        if let Some(ended) = &run.ended {
            assert_eq!(ended.outcome, Outcome::Verified, "{run:#?}");
            break;
        }
        die_at = run.last.0 + 3;
        let _ = b.resume(&id, Mode::Continue, Some(die_at));
        assert!(die_at < 300, "it gets nowhere: {run:#?}");
    }
    assert_once(&b, "killed again and again");
}

#[test]
fn killed_between_the_effect_and_its_line_it_is_in_doubt_and_a_person_decides() {
    for (choice, lines) in [(Choice::GoOn, 1), (Choice::Stop, 1)] {
        let b = Bench::new();
        let file = b.file("once");
        // The step kills the process that runs it, once it is done.
        let line = format!("echo x >> {file}; [ -e {file}.dead ] || {{ touch {file}.dead; kill -9 $PPID; }}");
        let id = b.start(&plan(vec![step("once", &line), step("after", "true")]), None).unwrap();
        let loaded = b.until_gone(&id);
        assert_eq!(loaded.run.state(false), RunState::Lost);
        assert_eq!(loaded.run.steps[0].phase, Phase::Running);
        b.resume(&id, Mode::Continue, None).unwrap();
        let held = b.until(&id, "it asks a person", |l| l.run.hold.is_some()).run.hold.unwrap();
        assert_eq!(held.why, Hold::InDoubt);
        b.ask(&id, &Request::Release { step: "once".into(), hold: Some(held.n), choice, note: None })
            .unwrap();
        let run = b.until_gone(&id).run;
        let outcome = if choice == Choice::GoOn { Outcome::Verified } else { Outcome::InDoubt };
        assert_eq!(run.ended.as_ref().map(|e| e.outcome), Some(outcome), "{run:#?}");
        assert_eq!(b.lines("once"), lines);
    }
}

#[test]
fn an_intent_cut_in_half_counts_as_an_intent() {
    let b = Bench::new();
    let plan = traces(&b);
    let id = b.start(&plan, Some(3)).unwrap();
    b.until_gone(&id);
    let journal = b.state.run(&id).unwrap().journal();
    assert!(matches!(b.entries(&id).last().unwrap().event, Event::Intended { .. }));
    // Its effect had happened, as far as anybody knows.
    fs::write(b.file("first"), "x\n").unwrap();
    let text = fs::read(&journal).unwrap();
    fs::write(&journal, &text[..text.len() - 60]).unwrap();
    assert!(b.load(&id).torn.unwrap().says().contains("torn"));
    b.resume(&id, Mode::Continue, None).unwrap();
    see_through(&b, &id);
    let run = b.until_gone(&id).run;
    assert_eq!(run.ended.as_ref().map(|e| e.outcome), Some(Outcome::Verified), "{run:#?}");
    assert_once(&b, "a torn intent");
    assert!(b.entries(&id).iter().any(|e| matches!(&e.event, Event::Note { says } if says.contains("torn"))));
}

#[test]
fn a_journal_damaged_in_the_middle_is_refused_with_its_line_and_can_be_set_aside() {
    let b = Bench::new();
    let plan = traces(&b);
    let id = b.start(&plan, Some(4)).unwrap();
    b.until_gone(&id);
    let journal = b.state.run(&id).unwrap().journal();
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replacen("\"n\":2", "\"n\":3", 1)).unwrap();
    let why = control::load(&b.state, &id).unwrap_err();
    assert!(why.contains("damaged at line 2"), "{why}");
    let why = b.resume(&id, Mode::Continue, None).unwrap_err();
    assert!(why.contains("damaged at line 2"), "{why}");
    assert!(b.start(&plan, None).unwrap_err().contains("resume or abort that run first"));
    control::set_aside(&b.state, &id, &crate::bench::person(), b.clock.now().wall).unwrap();
    assert!(control::load(&b.state, &id).unwrap_err().contains("set aside by ann"));
    let next = b.start(&plan, None).unwrap();
    see_through(&b, &next);
    b.until_gone(&next);
}

#[test]
fn a_runner_that_cannot_begin_says_why_and_leaves_nothing() {
    let b = Bench::new();
    let mut launch = b.launch(None);
    launch.args = vec!["--no-such-flag".into()];
    let why = control::start(&b.state, &b.approved(&traces(&b)), &launch, b.clock.now().wall).unwrap_err();
    assert!(why.starts_with("start a runner: "), "{why}");
    launch.program = "/nonexistent/quarterdeck".into();
    let why = control::start(&b.state, &b.approved(&traces(&b)), &launch, b.clock.now().wall).unwrap_err();
    assert!(why.contains("No such file"), "{why}");
    assert_eq!(control::lock_of(&b.state, "yard", "stack"), None);
}
