//! From keys to plans and questions, and what comes of events: states, keys and their effects.

use super::act_fixture::{ledger_of, now, proposal};
use super::act_person::{Person, approve, plan};
use super::app::{Effect, Event, Mode, Screen};
use super::model::question::Question;
use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::event::{Choice, Mode as Way};
use crate::domain::procedure::ledger::{Ledger, RunState};
use crate::domain::procedure::level::Level;
use crate::domain::procedure::plan::Rollback;
use crate::domain::procedure::request::{Reply, Request};
use crate::domain::procedure::run::Run;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn keys_that_plan_and_what_they_ask_for() {
    let table: &[(&str, Vec<Effect>, &str)] = &[
        ("R", vec![plan("restart", &[])], "none"),
        ("D", vec![plan("drain", &[])], "none"),
        ("C", vec![plan("contain", &[])], "none"),
        (":containment⏎", vec![plan("contain", &[])], "none"),
        // On the row of the cache's first probe: one procedure, its value from the row.
        ("↓a", vec![], "menu"),
        ("↓a⏎", vec![plan("restart-service", &[("service", "push")])], "none"),
        ("↓a⎋", vec![], "none"),
        // On the layer `api`: two.
        ("↓↓↓↓↓a↓⏎", vec![plan("restart-service", &[("service", "relay")])], "none"),
        // On the second probe of the cache: nothing.
        ("↓↓a", vec![], "none"),
        // From the list, what has values asks for them, known or not.
        ("4/one service⏎⏎", vec![], "form"),
        ("4/one service⏎⏎→→⏎", vec![plan("restart-service", &[("grace", "5"), ("service", "push")])], "none"),
        ("4/one service⏎⏎→⇥⌫99⏎", vec![], "form"),
        (
            "4/one service⏎⏎→⇥⌫9⏎",
            vec![plan("restart-service", &[("grace", "9"), ("service", "relay")])],
            "none",
        ),
        ("4/block⏎⏎192.0.2.300⏎", vec![], "form"),
        ("4/block⏎⏎192.0.2.7⏎", vec![plan("block", &[("address", "192.0.2.7")])], "none"),
        ("4/block⏎⏎192.0.2.7⎋", vec![], "none"),
    ];
    for (keys, want, dialog) in table {
        let mut person = Person::with(Ledger::default());
        assert_eq!(&person.keys(keys), want, "{keys}");
        assert_eq!(person.dialog(), *dialog, "{keys}");
    }
}

#[test]
fn a_stack_without_such_a_procedure_says_so() {
    for (keys, says) in
        [("R", "a controlled restart"), ("D", "drain and recover"), ("C", "emergency containment")]
    {
        let mut person = Person::with(Ledger::default());
        person.app.procedures = Arc::default();
        assert_eq!(person.keys(keys), []);
        assert!(person.told().ends_with(says), "{}", person.told());
    }
}

#[test]
fn questions_about_runs_and_their_answers() {
    let release = |run: &str, step: &str, choice, note: Option<&str>| {
        let open = ledger_of(run.trim_start_matches("20260314-")).open;
        let hold = open.iter().find(|r| r.id.as_str() == run).and_then(|r| r.hold.as_ref()).map(|h| h.n);
        let note = note.map(str::to_owned);
        Effect::Request {
            run: RunId::new(run),
            request: Request::Release { step: step.into(), hold, choice, note },
        }
    };
    let abort = |run: &str, now| Effect::Request { run: RunId::new(run), request: Request::Abort { now } };
    let resume = |run: &str, mode| Effect::Resume {
        run: RunId::new(run),
        mode,
        typed: "core".to_owned(),
        reason: None,
    };
    let table: Vec<(&str, &str, &str, Option<Effect>)> = vec![
        ("held", "o", "⏎", None),
        ("held", "o", "↓⏎", Some(release("20260314-held", "start", Choice::GoOn, None))),
        ("held", "o", "seen↓↓⏎", Some(release("20260314-held", "start", Choice::Stop, Some("seen")))),
        ("manual", "o", "↓⏎", None),
        ("manual", "o", "12 left↓⏎", Some(release("20260314-manual", "look", Choice::GoOn, Some("12 left")))),
        ("running", "o", "↓⏎", None),
        ("running", "X", "⏎", None),
        ("running", "X", "↓⏎", Some(abort("20260314-running", false))),
        ("running", "X", "↓↓⏎", Some(abort("20260314-running", true))),
        ("running", "X", "↓↓⎋", None),
        ("running", "r", "↓⏎", None),
        ("lost", "r", "↓⏎", None),
        ("lost", "r", "core↓⏎", Some(resume("20260314-lost", Way::Continue))),
        ("lost", "u", "core↓⏎", Some(resume("20260314-lost", Way::Rollback))),
        ("lost", "X", "↓⏎", Some(abort("20260314-lost", false))),
        ("failed", "4/controlled⏎↓⏎r", "core↓⏎", Some(resume("20260314-failed", Way::Continue))),
        ("failed", "4/controlled⏎↓⏎u", "core↓⏎", Some(resume("20260314-failed", Way::Rollback))),
        ("failed", "4/controlled⏎↓⏎X", "↓⏎", None),
    ];
    for (run, open, answer, want) in table {
        let mut person = Person::with(ledger_of(run));
        person.keys(open);
        person.wait(Duration::from_secs(1));
        let asked: Vec<Effect> = person.keys(answer);
        let asked: Vec<Effect> = asked.into_iter().filter(|e| !matches!(e, Effect::LookAt(_))).collect();
        assert_eq!(asked, Vec::from_iter(want), "{run} {open} {answer}");
    }
}

/// What destroys or opens the edge is not taken up again by one key, nor without a reason.
#[test]
fn taking_up_a_dangerous_run_again_needs_its_phrase_and_a_reason() {
    for (level, answer, reason) in [
        (Level::L2, "core↓⏎", Some(None)),
        (Level::L3, "core↓⏎", None),
        (Level::L3, "restart core↓⏎", None),
        (Level::L3, "restart core↓⏎⏎", None),
        (Level::L3, "restart core↓⏎it died⏎", Some(Some("it died"))),
        (Level::L3, "restart core↓⏎it died↑⏎", None),
        (Level::L4, "restart core↓⏎it died⏎", Some(Some("it died"))),
    ] {
        for (key, mode) in [("r", Way::Continue), ("u", Way::Rollback)] {
            let mut ledger = ledger_of("lost");
            Arc::make_mut(&mut ledger.open[0]).plan.level = level;
            let mut person = Person::with(ledger);
            person.keys(key);
            person.wait(Duration::from_secs(1));
            let typed = answer.split('↓').next().unwrap_or_default().to_owned();
            // To go on needs a second person, whom the command line waits for.
            let alone = level < Level::L4 || mode == Way::Rollback;
            let want = reason.filter(|_| alone).map(|reason: Option<&str>| Effect::Resume {
                run: RunId::new("20260314-lost"),
                mode,
                typed,
                reason: reason.map(str::to_owned),
            });
            let asked = person.keys(answer).into_iter().filter(|e| matches!(e, Effect::Resume { .. }));
            assert_eq!(asked.collect::<Vec<_>>(), Vec::from_iter(want), "{level} {key} {answer}");
        }
    }
}

/// Whether it can be undone afterwards is the plan's to say, step by step.
#[test]
fn the_question_to_stop_promises_no_undoing_that_the_plan_has_not() {
    let asked = |change: fn(&mut Run)| {
        let mut run = (*ledger_of("running").open[0]).clone();
        change(&mut run);
        Question::abort(&run, RunState::Running, now()).lines.join("\n")
    };
    let rollback = |run: &mut Run| {
        for step in &mut run.plan.steps {
            step.rollback = Some(Rollback {
                action: step.action.clone(),
                timeout: Duration::from_secs(1),
                verify: None,
                preview: Vec::new(),
            });
        }
    };
    let none = asked(|run| run.plan.steps.iter_mut().for_each(|s| s.rollback = None));
    assert!(none.ends_with("nothing of what was done so far can be undone afterwards"), "{none}");
    let all = asked(rollback);
    assert!(all.contains("afterwards only this can be undone: "), "{all}");
    let ahead = asked(|run| run.plan.steps.iter_mut().for_each(|s| s.point_of_no_return = true));
    assert!(ahead.ends_with("nothing of what was done so far can be undone afterwards"), "{ahead}");
}

#[test]
fn a_question_closes_when_somebody_else_has_answered_it() {
    let mut person = Person::with(ledger_of("held"));
    person.keys("o");
    assert_eq!(person.dialog(), "question");
    person.send(Event::Ledger(Arc::new(ledger_of("held"))));
    assert_eq!(person.dialog(), "question");
    let mut answered = ledger_of("held");
    for run in &mut answered.open {
        Arc::make_mut(run).hold = None;
    }
    person.send(Event::Ledger(Arc::new(answered)));
    assert_eq!(person.dialog(), "told");
    assert_eq!(person.keys("↓⏎"), []);
}

#[test]
fn a_plan_waits_until_nobody_types_elsewhere() {
    let mut person = Person::with(Ledger::default());
    person.keys("R/ca");
    person.send(Event::Proposed(Ok(proposal(Level::L0))));
    assert!(matches!(person.app.mode, Mode::Filter));
    person.wait(Duration::from_secs(2));
    assert_eq!(person.keys("che"), []);
    assert_eq!(person.app.filter.value(), "cache");
    person.keys("⏎");
    assert_eq!(person.dialog(), "confirm");
}

#[test]
fn a_plan_that_was_given_up_opens_no_prompt() {
    let mut person = Person::with(Ledger::default());
    assert_eq!(person.keys("R⎋"), [plan("restart", &[]), Effect::Withdraw]);
    person.send(Event::Proposed(Ok(proposal(Level::L1))));
    assert_eq!(person.dialog(), "none");
    // Nor does one that nobody asked for.
    person.keys("D");
    person.send(Event::Proposed(Ok(proposal(Level::L1))));
    assert_eq!(person.dialog(), "none");
    person.send(Event::Proposed(Err(vec!["no such host".into()])));
    assert_eq!((person.dialog(), person.app.acting.planning.is_none()), ("told", true));
}

#[test]
fn the_selection_moving_beneath_a_prompt_changes_nothing_of_it() {
    let mut person = Person::with(Ledger::default());
    person.keys("↓a⏎");
    let mut service = proposal(Level::L2);
    service.plan.procedure = ProcedureId::new("restart-service");
    service.plan.params = BTreeMap::from([("service".into(), "push".into())]);
    person.send(Event::Proposed(Ok(service)));
    person.app.selected = None;
    person.wait(Duration::from_secs(16));
    assert_eq!(person.send(Event::Tick), [plan("restart-service", &[("service", "push")])]);
    assert_eq!(person.send(Event::Act(super::command::Action::Down)), []);
    assert_eq!(person.keys("core⏎"), [approve("core", None, None)]);
}

#[test]
fn what_has_started_is_shown_and_its_journal_asked_for() {
    let mut person = Person::before(Level::L1);
    person.keys("→⏎");
    let id = RunId::new("20260314-running");
    assert_eq!(person.send(Event::Started(Ok(id.clone()))), [Effect::LookAt(Some(id.clone()))]);
    assert_eq!(person.app.screen, Screen::Procedures);
    assert_eq!(person.keys("⎋"), [Effect::LookAt(None)]);
    // A refusal is to be read.
    let mut person = Person::before(Level::L1);
    person.keys("→⏎");
    person.send(Event::Started(Err(vec!["the state directory cannot be written".into()])));
    assert!(person.told().contains("was not started: the state directory"), "{}", person.told());
    person.wait(Duration::from_secs(1));
    person.keys("⏎");
    person.send(Event::Replied { run: id, reply: Reply::Refused { why: "stop: it has ended".into() } });
    assert!(person.told().contains("failed to stop: it has ended"), "{}", person.told());
}

#[test]
fn news_of_runs_are_told_wherever_one_is() {
    let mut person = Person::with(ledger_of("running"));
    let mut ended = ledger_of("running");
    ended.runs[0].state = super::act_runs::runs()[5].2;
    person.send(Event::Ledger(Arc::new(ended)));
    assert_eq!(person.told(), "Controlled restart: failed");
}
