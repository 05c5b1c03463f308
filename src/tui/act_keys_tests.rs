//! From keys to plans, from prompts to approvals: states, keys and the effects they have.

use super::act_fixture::{app_with, full, ledger_of, now, proposal, waiting_for_second};
use super::app::{App, Effect, Event, Mode, Screen};
use super::glyph::Glyphs;
use super::model::dialog::Dialog;
use super::update::update;
use crate::clock::Now;
use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::event::{Choice, Mode as Way, Second};
use crate::domain::procedure::ledger::Ledger;
use crate::domain::procedure::level::Level;
use crate::domain::procedure::proposal::{Proposal, Refusal};
use crate::domain::procedure::request::{Reply, Request};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// A person at the dashboard: presses keys at the pace of a person.
struct Person {
    app: App,
    now: Now,
}

impl Person {
    fn with(ledger: Ledger) -> Person {
        Person { app: app_with(ledger, Glyphs::Unicode, 80, 24), now: now() }
    }

    fn wait(&mut self, span: Duration) -> &mut Person {
        self.now = self.now.plus(span);
        self
    }

    fn send(&mut self, event: Event) -> Vec<Effect> {
        update(&mut self.app, self.now, event)
    }

    fn press(&mut self, code: KeyCode, after: Duration) -> Vec<Effect> {
        self.now = self.now.plus(after);
        let shift = matches!(code, KeyCode::Char(c) if c.is_ascii_uppercase());
        let modifiers = if shift { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        self.send(Event::Key(KeyEvent::new(code, modifiers)))
    }

    /// Types at 100 ms a key; `⏎` is Enter, `⎋` Esc, `⇥` Tab, arrows are themselves.
    fn keys(&mut self, keys: &str) -> Vec<Effect> {
        self.paced(keys, Duration::from_millis(100))
    }

    fn paced(&mut self, keys: &str, gap: Duration) -> Vec<Effect> {
        keys.chars().flat_map(|c| self.press(code(c), gap)).collect()
    }

    /// Has the prompt of a plan open, long enough to have been read.
    fn before(level: Level) -> Person {
        Person::before_with(proposal(level), Ledger::default())
    }

    fn before_with(proposal: Box<Proposal>, ledger: Ledger) -> Person {
        let mut person = Person::with(ledger);
        let key = match proposal.plan.procedure.as_str() {
            "drain" => "D",
            "contain" => "C",
            _ => "R",
        };
        assert_eq!(person.keys(key).len(), 1);
        person.send(Event::Proposed(Ok(proposal)));
        person.wait(Duration::from_secs(1));
        person
    }

    fn dialog(&self) -> &'static str {
        match &self.app.mode {
            Mode::Act(dialog) => match dialog.as_ref() {
                Dialog::Menu(_) => "menu",
                Dialog::Form(_) => "form",
                Dialog::Confirm(_) => "confirm",
                Dialog::Question(_) => "question",
                Dialog::Told(_) => "told",
            },
            _ => "none",
        }
    }

    /// What the open dialog says.
    fn told(&self) -> String {
        match &self.app.mode {
            Mode::Act(dialog) => match dialog.as_ref() {
                Dialog::Confirm(c) => c.word.clone().unwrap_or_default(),
                Dialog::Question(q) => q.word.clone().unwrap_or_default(),
                Dialog::Told(t) => format!("{}: {}", t.title, t.lines.join("; ")),
                _ => String::new(),
            },
            _ => self.app.notice.as_ref().map(|n| n.text.clone()).unwrap_or_default(),
        }
    }
}

fn code(c: char) -> KeyCode {
    match c {
        '⏎' => KeyCode::Enter,
        '⎋' => KeyCode::Esc,
        '⇥' => KeyCode::Tab,
        '←' => KeyCode::Left,
        '→' => KeyCode::Right,
        '↑' => KeyCode::Up,
        '↓' => KeyCode::Down,
        '⌫' => KeyCode::Backspace,
        c => KeyCode::Char(c),
    }
}

fn plan(id: &str, params: &[(&str, &str)]) -> Effect {
    let params = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Effect::Propose { procedure: ProcedureId::new(id), params }
}

fn approve(typed: &str, reason: Option<&str>, second: Option<Second>) -> Effect {
    Effect::Approve { typed: typed.to_owned(), reason: reason.map(str::to_owned), second }
}

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
                assert_eq!(person.keys("e⏎"), []);
                person.wait(Duration::from_secs(1));
                person.keys("⏎");
                assert_eq!(person.dialog(), "none");
            }
        }
    }
}

#[test]
fn a_live_value_in_the_phrase_must_be_typed_as_it_is_now() {
    let mut person = Person::before(Level::L3);
    person.keys("drain core 41⇥because");
    let mut new = proposal(Level::L3);
    new.prompt.type_this = Some("drain core 40".into());
    assert_eq!(person.send(Event::Proposed(Ok(new))), []);
    assert_eq!(person.told(), "the values have changed: now type drain core 40");
    assert_eq!(person.keys("⏎"), []);
    assert_eq!(person.keys("⌫0⏎"), [approve("drain core 40", Some("because"), None)]);
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

#[test]
fn questions_about_runs_and_their_answers() {
    let release = |run: &str, step: &str, choice, note: Option<&str>| Effect::Request {
        run: RunId::new(run),
        request: Request::Release { step: step.into(), choice, note: note.map(str::to_owned) },
    };
    let abort = |run: &str, now| Effect::Request { run: RunId::new(run), request: Request::Abort { now } };
    let resume = |run: &str, mode| Effect::Resume { run: RunId::new(run), mode };
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
        ("lost", "r", "restart↓⏎", Some(resume("20260314-lost", Way::Continue))),
        ("lost", "u", "restart↓⏎", Some(resume("20260314-lost", Way::Rollback))),
        ("lost", "X", "↓⏎", Some(abort("20260314-lost", false))),
        ("failed", "4/controlled⏎↓⏎r", "restart↓⏎", Some(resume("20260314-failed", Way::Continue))),
        ("failed", "4/controlled⏎↓⏎u", "restart↓⏎", Some(resume("20260314-failed", Way::Rollback))),
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
    ended.runs[0].state = super::act_fixture::runs()[5].2;
    person.send(Event::Ledger(Arc::new(ended)));
    assert_eq!(person.told(), "Controlled restart: failed");
}

/// Approvals that the property below has seen: none at all would prove nothing.
static APPROVED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Whether an effect has anything done to the world.
fn acts(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Approve { .. }
            | Effect::AskSecond { .. }
            | Effect::ApproveOther { .. }
            | Effect::Resume { .. }
    )
}

#[derive(Clone, Debug)]
enum Doing {
    Key(char, u64),
    /// A whole answer, at some pace.
    Type(&'static str, u64),
    Paste(String),
    Tick,
    Ledger,
    Again(u8),
    /// Asks for a plan, gets it, and reads it.
    Open(u8),
    /// All that it takes, with one character of it changed, or none.
    Whole(u8, Option<(usize, char)>),
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        6 => (proptest::sample::select("core drain41⏎⎋⇥←→↑↓⌫RDCaXoruyY4q".chars().collect::<Vec<_>>()), 0u64..400)
            .prop_map(|(c, gap)| Doing::Key(c, gap)),
        4 => (
            proptest::sample::select(vec!["core⏎", "cor", "drain core 41⏎", "because⏎", "drain core 40⏎", "contain core 41"]),
            proptest::sample::select(vec![0u64, 2, 40, 100]),
        )
            .prop_map(|(text, gap)| Doing::Type(text, gap)),
        1 => proptest::sample::select(vec!["core", "drain core 41", "contain core 41\n", "\n"])
            .prop_map(|t| Doing::Paste(t.to_owned())),
        1 => Just(Doing::Tick),
        1 => Just(Doing::Ledger),
        2 => (0u8..5).prop_map(Doing::Again),
        2 => (0u8..3).prop_map(Doing::Open),
        3 => (0u8..3, proptest::option::of((0usize..15, proptest::sample::select(vec!['x', 'C', ' ', '1']))))
            .prop_map(|(n, change)| Doing::Whole(n, change)),
    ]
}

/// What must be typed for L2, L3 and L4.
const TEXTS: [&str; 3] = ["core", "drain core 41", "contain core 41"];

impl Person {
    /// Leaves whatever is open.
    fn leave(&mut self) {
        self.wait(Duration::from_secs(1));
        for _ in 0..6 {
            let _ = self.press(KeyCode::Esc, Duration::from_millis(500));
        }
    }

    fn open(&mut self, n: u8) -> Vec<Effect> {
        let (key, level) = [("R", Level::L2), ("D", Level::L3), ("C", Level::L4)][usize::from(n)];
        let mut effects = self.keys(key);
        let looked = self.now;
        effects.extend(self.send(Event::Proposed(Ok(Box::new(Proposal { looked, ..*proposal(level) })))));
        self.wait(Duration::from_secs(1));
        effects
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever is pressed, pasted and sent in whatever order: nothing of L2 and above is
    /// approved without exactly its text having been typed key by key, at the pace of a person.
    fn typed_exactly(all in proptest::collection::vec(doing(), 0..40)) {
        let mut person = Person::with(full());
        // What a person could have typed: keys that came slowly enough.
        let mut typed = String::new();
        for one in all {
            let effects = match one {
                Doing::Key(c, gap) => {
                    if !"⏎⎋⇥←→↑↓⌫".contains(c) {
                        typed.push(c);
                    }
                    person.press(code(c), Duration::from_millis(gap))
                }
                Doing::Type(text, gap) => {
                    if gap > 2 {
                        typed.push_str(text);
                    }
                    person.paced(text, Duration::from_millis(gap))
                }
                Doing::Paste(text) => person.send(Event::Paste(text)),
                Doing::Tick => person.send(Event::Tick),
                Doing::Ledger => person.send(Event::Ledger(Arc::new(full()))),
                Doing::Open(n) => person.open(n),
                Doing::Whole(n, change) => {
                    person.leave();
                    let mut effects = person.open(n);
                    let mut text: Vec<char> = TEXTS[usize::from(n)].chars().collect();
                    if let Some((at, c)) = change && at < text.len() {
                        text[at] = c;
                    }
                    let text: String = text.into_iter().collect();
                    effects.extend(person.keys(&format!("{text}⏎because⏎")));
                    let asked = effects.iter().any(|e| {
                        matches!(e, Effect::Approve { .. } | Effect::AskSecond { .. })
                    });
                    prop_assert_eq!(asked, text == TEXTS[usize::from(n)], "{}: {:?}", text, effects);
                    typed.push_str(&text);
                    effects
                }
                Doing::Again(n) => {
                    let level = [Level::L2, Level::L3, Level::L4, Level::L2, Level::L3][usize::from(n)];
                    person.send(Event::Proposed(Ok(proposal(level))))
                }
            };
            for effect in effects {
                match &effect {
                    Effect::Approve { typed: text, .. } | Effect::AskSecond { typed: text, .. } => {
                        APPROVED.fetch_add(1, Relaxed);
                        let letters: String = text.clone();
                        prop_assert!(TEXTS.contains(&text.as_str()));
                        // Each of its characters was a key, in this order.
                        let mut keys = typed.chars();
                        prop_assert!(letters.chars().all(|c| keys.any(|k| k == c)), "{text} of {typed}");
                    }
                    _ => prop_assert!(!acts(&effect), "{effect:?}"),
                }
            }
        }
    }

    /// Esc leads out of everything that can be open, and does nothing to the world.
    #[test]
    fn escape_leaves_everything_undone(keys in proptest::collection::vec(doing(), 0..30)) {
        let mut person = Person::with(full());
        for one in keys {
            let _ = match one {
                Doing::Key(c, gap) => person.press(code(c), Duration::from_millis(gap)),
                Doing::Open(n) | Doing::Whole(n, _) => person.open(n),
                Doing::Again(_) => person.send(Event::Proposed(Ok(proposal(Level::L3)))),
                _ => person.send(Event::Tick),
            };
        }
        person.wait(Duration::from_secs(2));
        for _ in 0..10 {
            for effect in person.press(KeyCode::Esc, Duration::from_millis(500)) {
                prop_assert!(matches!(effect, Effect::Withdraw | Effect::LookAt(None)), "{effect:?}");
            }
        }
        prop_assert!(matches!(person.app.mode, Mode::Normal) && person.app.screen == Screen::Overview);
    }
}

#[test]
fn nothing_is_approved_without_the_exact_text() {
    typed_exactly();
    assert!(APPROVED.load(Relaxed) > 20, "approved {} times", APPROVED.load(Relaxed));
}
