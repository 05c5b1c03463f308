//! A person at the dashboard, for the tests of what is done from it.

use super::act_fixture::{app_with, now, proposal};
use super::app::{App, Effect, Event, Mode};
use super::glyph::Glyphs;
use super::model::dialog::Dialog;
use super::update::update;
use crate::clock::Now;
use crate::domain::id::ProcedureId;
use crate::domain::procedure::event::Second;
use crate::domain::procedure::ledger::Ledger;
use crate::domain::procedure::level::Level;
use crate::domain::procedure::proposal::Proposal;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;

/// A person at the dashboard: presses keys at the pace of a person.
pub struct Person {
    pub app: App,
    pub now: Now,
}

impl Person {
    pub fn with(ledger: Ledger) -> Person {
        Person { app: app_with(ledger, Glyphs::Unicode, 80, 24), now: now() }
    }

    pub fn wait(&mut self, span: Duration) -> &mut Person {
        self.now = self.now.plus(span);
        self
    }

    pub fn send(&mut self, event: Event) -> Vec<Effect> {
        update(&mut self.app, self.now, event)
    }

    pub fn press(&mut self, code: KeyCode, after: Duration) -> Vec<Effect> {
        self.now = self.now.plus(after);
        let shift = matches!(code, KeyCode::Char(c) if c.is_ascii_uppercase());
        let modifiers = if shift { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        self.send(Event::Key(KeyEvent::new(code, modifiers)))
    }

    /// Types at 100 ms a key; `⏎` is Enter, `⎋` Esc, `⇥` Tab, arrows are themselves.
    pub fn keys(&mut self, keys: &str) -> Vec<Effect> {
        self.paced(keys, Duration::from_millis(100))
    }

    pub fn paced(&mut self, keys: &str, gap: Duration) -> Vec<Effect> {
        keys.chars().flat_map(|c| self.press(code(c), gap)).collect()
    }

    /// Has the prompt of a plan open, long enough to have been read.
    pub fn before(level: Level) -> Person {
        Person::before_with(proposal(level), Ledger::default())
    }

    pub fn before_with(proposal: Box<Proposal>, ledger: Ledger) -> Person {
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

    pub fn dialog(&self) -> &'static str {
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
    pub fn told(&self) -> String {
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

pub fn code(c: char) -> KeyCode {
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

pub fn plan(id: &str, params: &[(&str, &str)]) -> Effect {
    let params = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Effect::Propose { procedure: ProcedureId::new(id), params }
}

pub fn approve(typed: &str, reason: Option<&str>, second: Option<Second>) -> Effect {
    Effect::Approve { typed: typed.to_owned(), reason: reason.map(str::to_owned), second }
}
