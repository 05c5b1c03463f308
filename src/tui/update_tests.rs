//! Keys in, state and effects out.

use super::app::{App, Effect, Event, Mode};
use super::fixture::{app, at, seen};
use super::glyph::Glyphs;
use super::model::rows::RowId;
use super::update::update;
use crate::domain::health::Health;
use crate::domain::observation::ProbeIndex;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;

fn send(app: &mut App, keys: &str) -> Vec<Effect> {
    let mut all = Vec::new();
    for c in keys.chars() {
        let (code, modifiers) = match c {
            '\n' => (KeyCode::Enter, KeyModifiers::NONE),
            '\x1b' => (KeyCode::Esc, KeyModifiers::NONE),
            '\x03' => (KeyCode::Char('c'), KeyModifiers::CONTROL),
            c if c.is_ascii_uppercase() => (KeyCode::Char(c), KeyModifiers::SHIFT),
            c => (KeyCode::Char(c), KeyModifiers::NONE),
        };
        all.extend(update(app, at(58), Event::Key(KeyEvent::new(code, modifiers))));
    }
    all
}

fn selected(app: &App) -> RowId {
    let rows = app.rows(at(58));
    rows[super::overview_keys::position(app, &rows)]
}

#[test]
fn keys_and_what_they_ask_for() {
    let probe = |i| ProbeIndex(i);
    let table: &[(&str, Vec<Effect>)] = &[
        ("q", vec![Effect::Quit]),
        ("\x03", vec![Effect::Quit]),
        ("/q\x03", vec![Effect::Quit]),
        ("jp", vec![Effect::PollNow(vec![probe(0)])]),
        ("p", vec![Effect::PollNow(vec![probe(0), probe(1)])]),
        ("P", vec![Effect::PollAll]),
        (":quit\n", vec![Effect::Quit]),
        (":nosuch\n", vec![]),
        ("?q", vec![]),
        ("\x1b\x1b\x1b", vec![]),
        ("8", vec![]),
        ("RDC", vec![]),
    ];
    for (keys, want) in table {
        assert_eq!(&send(&mut app(Glyphs::Unicode), keys), want, "{keys:?}");
    }
}

#[test]
fn the_cursor_stays_on_its_row_when_rows_come_and_go() {
    let mut app = app(Glyphs::Unicode);
    send(&mut app, "G");
    assert_eq!(selected(&app), RowId::Probe(ProbeIndex(5)));
    send(&mut app, "!");
    assert_eq!(selected(&app), RowId::Probe(ProbeIndex(5)));
    let _ = update(&mut app, at(59), Event::Observed([seen(0, 59, Health::Up, "PONG")].into()));
    assert_eq!(selected(&app), RowId::Probe(ProbeIndex(5)));
}

#[test]
fn next_problem_goes_round_what_is_not_up() {
    let mut app = app(Glyphs::Unicode);
    let mut seen = Vec::new();
    for _ in 0..6 {
        send(&mut app, "n");
        seen.push(selected(&app));
    }
    assert_eq!(seen, [0, 1, 3, 4, 5, 0].map(|i| RowId::Probe(ProbeIndex(i))));
}

#[test]
fn a_filter_finds_by_reason_and_escape_clears_it() {
    let mut app = app(Glyphs::Unicode);
    send(&mut app, "/refused\n");
    assert_eq!(app.rows(at(58)), [RowId::Layer(0), RowId::Probe(ProbeIndex(0)), RowId::Probe(ProbeIndex(1))]);
    send(&mut app, "\x1b");
    assert_eq!(app.rows(at(58)).len(), 10);
}

#[test]
fn a_frozen_screen_keeps_what_it_showed_while_looking_goes_on() {
    let mut app = app(Glyphs::Unicode);
    send(&mut app, "f");
    let _ = update(&mut app, at(90), Event::Observed([seen(0, 90, Health::Up, "PONG")].into()));
    assert_eq!(app.matrix().shown(ProbeIndex(0), app.shown_at(at(90))).health, Health::Down);
    assert_eq!(app.shown_at(at(90)), at(58));
    send(&mut app, "f");
    assert_eq!(app.matrix().shown(ProbeIndex(0), at(90)).health, Health::Up);
}

#[test]
fn what_is_copied_says_where_when_and_why() {
    let mut app = app(Glyphs::Unicode);
    let effects = send(&mut app, "jy");
    let [Effect::Copy(text)] = &effects[..] else { panic!("{effects:?}") };
    for part in [
        "cache answers (Example at 2026-03-14T02:59:58Z)",
        "state: down for 28s",
        "connection refused by 127.0.0.1:6379",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn pasted_text_presses_no_keys() {
    let mut app = app(Glyphs::Unicode);
    assert_eq!(update(&mut app, at(58), Event::Paste("qqP\nq".into())), []);
    send(&mut app, "/");
    let _ = update(&mut app, at(58), Event::Paste("re\x1b[2Jdis\nq".into()));
    assert!(matches!(app.mode, Mode::Filter));
    assert_eq!(app.filter.value(), "re·[2Jdis q");
}

proptest! {
    /// Escape only ever backs out: pressed often enough it leads home and asks for nothing.
    #[test]
    fn escape_backs_out_and_never_acts(keys in "[a-zA-Z1-9?:/! \n]{0,20}") {
        let mut app = app(Glyphs::Unicode);
        let _ = send(&mut app, &keys);
        let effects = send(&mut app, "\x1b\x1b\x1b\x1b\x1b\x1b");
        prop_assert!(effects.is_empty());
        prop_assert!(matches!(app.mode, Mode::Normal) && !app.detail && !app.only_problems && app.filter.value().is_empty());
    }
}
