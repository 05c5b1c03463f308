//! What holds whatever is pressed, pasted and sent: nothing is approved by accident.

use super::act_fixture::{full, proposal};
use super::act_person::{Person, code};
use super::app::{Effect, Event, Mode, Screen};
use crate::domain::procedure::level::Level;
use crate::domain::procedure::proposal::Proposal;
use crossterm::event::KeyCode;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

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
