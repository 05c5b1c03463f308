//! What confirms a plan at each level, and what does not.

use super::act_fixture::{now, proposal, waiting_for_second};
use super::act_person::{Person, approve, plan};
use super::app::{Effect, Event};
use crate::domain::id::RunId;
use crate::domain::procedure::event::Second;
use crate::domain::procedure::ledger::Ledger;
use crate::domain::procedure::level::Level;
use crate::domain::procedure::proposal::{Proposal, Refusal};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn each_level_is_confirmed_by_what_it_asks_for_and_by_nothing_less() {
    let table: &[(Level, &str, Vec<Effect>)] = &[
        (Level::L0, "⏎", vec![approve("", None, None)]),
        // Cancel has the focus.
        (Level::L1, "⏎", vec![Effect::Withdraw]),
        (Level::L1, "→⏎", vec![approve("", None, None)]),
        (Level::L1, "y", vec![]),
        (Level::L2, "⏎", vec![]),
        (Level::L2, "cor⏎", vec![]),
        (Level::L2, "Core⏎", vec![]),
        (Level::L2, "core ⏎", vec![]),
        (Level::L2, "core⏎", vec![approve("core", None, None)]),
        (Level::L2, "cort⌫e⏎", vec![approve("core", None, None)]),
        (Level::L2, "core⎋", vec![Effect::Withdraw]),
        (Level::L3, "drain core 41⏎", vec![]),
        (Level::L3, "drain core 41⏎   ⏎", vec![]),
        (Level::L3, "drain core 40⇥because⏎", vec![]),
        (Level::L3, "drain core 41⏎it leaks⏎", vec![approve("drain core 41", Some("it leaks"), None)]),
        (Level::L4, "contain core 41⏎⏎", vec![]),
        (
            Level::L4,
            "contain core 41⏎it leaks⏎",
            vec![Effect::AskSecond { typed: "contain core 41".into(), reason: "it leaks".into() }],
        ),
    ];
    for (level, keys, want) in table {
        let mut person = Person::before(*level);
        assert_eq!(&person.keys(keys), want, "{level} {keys}");
        // What was approved is approved once.
        if matches!(want.first(), Some(Effect::Approve { .. })) {
            assert_eq!(person.keys("⏎⏎"), [], "{level} {keys}");
        }
    }
}

#[test]
fn a_held_key_an_early_key_and_a_paste_do_not_confirm() {
    // Enter before anybody can have read it.
    let mut person = Person::with(Ledger::default());
    person.keys("R");
    person.send(Event::Proposed(Ok(proposal(Level::L0))));
    assert_eq!(person.press(KeyCode::Enter, Duration::from_millis(100)), []);
    // … and Enter that has been held down since then.
    for _ in 0..40 {
        assert_eq!(person.press(KeyCode::Enter, Duration::from_millis(33)), []);
    }
    assert_eq!(person.press(KeyCode::Enter, Duration::from_millis(300)).len(), 1);

    let mut person = Person::before(Level::L2);
    person.send(Event::Paste("core".into()));
    assert_eq!(person.told(), "pasted text does not confirm: type it");
    assert_eq!(person.keys("⏎"), []);
    // A terminal without brackets around a paste: the same, by its pace.
    assert_eq!(person.paced("core", Duration::from_millis(1)), []);
    assert_eq!(person.keys("⏎"), []);
    assert!(person.told().contains("faster than anyone types"), "{}", person.told());
    // It was emptied: typed by hand it counts.
    assert_eq!(person.keys("core⏎"), [approve("core", None, None)]);

    let mut person = Person::before(Level::L1);
    person.keys("→");
    let held = KeyEvent::new_with_kind(KeyCode::Enter, KeyModifiers::NONE, KeyEventKind::Repeat);
    person.wait(Duration::from_secs(1));
    assert_eq!(person.send(Event::Key(held)), []);
    assert_eq!(person.told(), "a held key counts once");
}

#[test]
fn a_reason_may_be_pasted() {
    let mut person = Person::before(Level::L3);
    person.keys("drain core 41⏎");
    person.send(Event::Paste("ticket\x1b[2J 4711".into()));
    assert_eq!(person.keys("⏎"), [approve("drain core 41", Some("ticket·[2J 4711"), None)]);
}

fn locked() -> Refusal {
    Refusal::Locked {
        scope: "stack".into(),
        run: RunId::new("r1"),
        by: "ben".into(),
        since: now().wall,
        runner_alive: true,
    }
}

#[test]
fn what_is_refused_cannot_be_confirmed() {
    for level in [Level::L0, Level::L1, Level::L2, Level::L3, Level::L4] {
        let refused = Box::new(Proposal { refusals: vec![locked()], ..*proposal(level) });
        for keys in ["→⏎", "⇥⏎", "⇥⇥⏎", "core⏎", "drain core 41⏎x⏎"] {
            let mut person = Person::before_with(refused.clone(), Ledger::default());
            let effects = person.keys(keys);
            assert!(effects.is_empty() || effects == [Effect::Withdraw], "{level} {keys}: {effects:?}");
        }
    }
    // A proposal that asks for nothing although it interrupts service is a mistake, not a key's way in.
    let mut bare = proposal(Level::L2);
    bare.prompt.type_this = None;
    assert_eq!(Person::before_with(bare, Ledger::default()).keys("→⏎"), [Effect::Withdraw]);
}

/// What comes of looking at a plan anew.
type Looked = Result<Box<Proposal>, Vec<String>>;

#[test]
fn the_prompt_closes_by_itself_when_what_was_read_is_no_longer_so() {
    let same = || proposal(Level::L2);
    let mut other = same();
    other.plan.stack_hash = "01".into();
    other.hash = crate::domain::procedure::plan::PlanHash::of(&other.plan);
    let table: Vec<(Looked, Option<&str>)> = vec![
        (Ok(same()), None),
        (Ok(other), Some("the plan was")),
        (
            Ok(Box::new(Proposal { changed: vec!["unit relay.service is failed".into()], ..*same() })),
            Some("is failed"),
        ),
        (Ok(Box::new(Proposal { refusals: vec![locked()], ..*same() })), Some("holds the lock `stack`")),
        (Err(vec!["host core is not reached".into()]), Some("host core is not reached")),
    ];
    for (event, says) in table {
        let mut person = Person::before(Level::L2);
        person.keys("cor");
        let effects = person.send(Event::Proposed(event));
        match says {
            None => {
                assert_eq!((effects, person.dialog()), (vec![], "confirm"));
                assert_eq!(person.keys("e⏎"), [approve("core", None, None)]);
            }
            Some(says) => {
                assert_eq!((effects, person.dialog()), (vec![Effect::Withdraw], "told"));
                assert!(person.told().contains(says), "{}", person.told());
                // What is typed on goes nowhere, and the Enter of the confirmation does not act.
                assert_eq!(person.keys("eq and more⏎"), []);
                assert_eq!(person.dialog(), "told");
                person.wait(Duration::from_secs(1));
                person.keys("⏎");
                assert_eq!(person.dialog(), "none");
            }
        }
    }
}

#[test]
fn a_live_value_in_the_phrase_must_be_typed_as_it_is_about_now() {
    let mut person = Person::before(Level::L3);
    person.keys("drain core 41⇥because");
    let mut new = proposal(Level::L3);
    let before = person.told();
    (new.prompt.type_this, new.prompt.count) = (Some("drain core 38".into()), Some(38));
    assert_eq!(person.send(Event::Proposed(Ok(new.clone()))), []);
    assert_eq!(person.told(), before, "a little less is no news");
    (new.prompt.type_this, new.prompt.count) = (Some("drain core 30".into()), Some(30));
    assert_eq!(person.send(Event::Proposed(Ok(new))), []);
    assert_eq!(person.told(), "the values have changed: now type drain core 30");
    assert_eq!(person.keys("⏎"), []);
    assert_eq!(person.keys("⌫⌫30⏎"), [approve("drain core 30", Some("because"), None)]);
}

#[test]
fn what_was_looked_at_too_long_ago_is_looked_at_again_first() {
    let mut person = Person::before(Level::L3);
    person.keys("drain core 41⇥because");
    // The screen asks for a new look by itself; when none comes, Enter does.
    person.wait(Duration::from_secs(20));
    assert_eq!(person.send(Event::Tick), [plan("drain", &[])]);
    assert_eq!(person.send(Event::Tick), []);
    person.wait(Duration::from_secs(20));
    assert_eq!(person.keys("⏎"), [plan("drain", &[])]);
    let looked = person.now;
    person.send(Event::Proposed(Ok(Box::new(Proposal { looked, ..*proposal(Level::L3) }))));
    assert_eq!(person.keys("⏎"), [approve("drain core 41", Some("because"), None)]);
}

#[test]
fn the_highest_level_waits_for_a_second_person_or_breaks_the_glass() {
    let hash = proposal(Level::L4).hash;
    let ledger = |approved| {
        let waiting = vec![waiting_for_second(hash.clone(), approved)];
        Event::Ledger(Arc::new(Ledger { waiting, ..Ledger::default() }))
    };
    let asking = || {
        let mut person = Person::before(Level::L4);
        assert_eq!(person.keys("contain core 41⏎keys leaked⏎").len(), 1);
        person.send(ledger(None));
        person
    };
    let mut person = asking();
    assert_eq!(person.keys("⇥⏎"), []);
    assert_eq!(person.told(), "nobody has approved it yet");
    person.send(ledger(Some("ben")));
    assert_eq!(person.keys("⏎"), [approve("contain core 41", Some("keys leaked"), None)]);

    // Another plan's approval is none.
    let mut person = asking();
    let other = waiting_for_second(proposal(Level::L3).hash, Some("ben"));
    person.send(Event::Ledger(Arc::new(Ledger { waiting: vec![other], ..Ledger::default() })));
    let effects = person.keys("⇥⏎");
    assert!(matches!(effects[..], [Effect::AskSecond { .. }]), "{effects:?}");

    // Alone: a minute, then the word again. The preflight has become too old meanwhile.
    let mut person = asking();
    assert_eq!(person.keys("⇥⇥⏎⇥⏎"), []);
    assert!(person.told().ends_with("to go"), "{}", person.told());
    person.wait(Duration::from_secs(60));
    let looked = person.now;
    person.send(Event::Proposed(Ok(Box::new(Proposal { looked, ..*proposal(Level::L4) }))));
    let effects = person.keys("⏎");
    assert!(
        matches!(&effects[..], [Effect::Approve { second: Some(Second::BreakGlass { waited_s: 60.. }), .. }]),
        "{effects:?}"
    );
    assert_eq!(asking().keys("⎋"), [Effect::Withdraw]);
}

#[test]
fn the_plan_of_another_is_approved_by_typing_what_it_is() {
    let hash = proposal(Level::L4).hash;
    let waiting = vec![waiting_for_second(hash.clone(), None)];
    let ledger = || Ledger { waiting: waiting.clone(), ..Ledger::default() };
    let want = Effect::ApproveOther { id: "a1".into(), hash };
    let mut person = Person::with(ledger());
    person.app.acting.me = Some(1001);
    person.keys("4⏎");
    person.wait(Duration::from_secs(1));
    assert_eq!(person.keys("↓⏎"), []);
    assert_eq!(person.told(), "type contain first");
    assert_eq!(person.keys("contain⏎"), [want]);
    // One's own is not.
    let mut person = Person::with(ledger());
    person.app.acting.me = Some(1000);
    assert_eq!(person.keys("4⏎"), []);
    assert_eq!(person.dialog(), "none");
}
