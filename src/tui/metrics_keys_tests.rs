//! Keys of the metrics and alerts screens: what they change, and what is asked of the engine.

use super::app::{App, Effect, Event, Mode, Screen};
use super::board_fixture::{app_on, board, calm, families, graphs, now};
use super::glyph::Glyphs;
use super::model::alerts::{self, AlertRow};
use super::model::metrics::{Page, to_ask};
use super::update::update;
use crate::domain::board::{Ask, Board, GraphIndex, TargetIndex};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

fn send(app: &mut App, keys: &str) -> Vec<Effect> {
    let mut all = Vec::new();
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\t' => KeyCode::Tab,
            '\x08' => KeyCode::Backspace,
            '←' => KeyCode::Left,
            '→' => KeyCode::Right,
            '↑' => KeyCode::Up,
            '↓' => KeyCode::Down,
            c => KeyCode::Char(c),
        };
        let modifiers = if c.is_ascii_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        all.extend(update(app, now(), Event::Key(KeyEvent::new(code, modifiers))));
    }
    all
}

fn on(board: Board) -> App {
    app_on(board, Glyphs::Unicode, 80, 24)
}

/// Graphs, minutes, and whether they are of the past.
type Watched = (Vec<usize>, u64, bool);

fn watched(effects: &[Effect]) -> Vec<Watched> {
    let each = effects.iter().filter_map(|e| match e {
        Effect::Ask(Ask::Watch { graphs, span, end, .. }) => {
            Some((graphs.iter().map(|g| g.0).collect(), span.as_secs() / 60, end.is_some()))
        }
        _ => None,
    });
    each.collect()
}

fn asks(effects: &[Effect]) -> Vec<&Ask> {
    effects.iter().filter_map(|e| if let Effect::Ask(a) = e { Some(a) } else { None }).collect()
}

#[test]
fn only_what_is_open_is_asked_for() {
    let mut app = on(board());
    // Two columns and two rows of graphs; then the next ones; then one; another span; the past.
    let table: &[(&str, Vec<Watched>)] = &[
        ("2", vec![(vec![0, 1, 2, 3], 60, false)]),
        ("↓", vec![]),
        ("↓", vec![(vec![2, 3, 4, 5], 60, false)]),
        ("\n", vec![(vec![4], 60, false)]),
        ("+", vec![(vec![4], 30, false)]),
        ("--", vec![(vec![4], 60, false), (vec![4], 180, false)]),
        ("[", vec![(vec![4], 180, true)]),
        ("0", vec![(vec![4], 180, false)]),
        ("←", vec![]),
        ("\x1b", vec![]),
        ("\x1b", vec![(vec![2, 3, 4, 5], 180, false)]),
    ];
    for (keys, want) in table {
        assert_eq!(&watched(&send(&mut app, keys)), want, "{keys:?}");
    }
    assert_eq!(asks(&send(&mut app, "9")), [&Ask::Rest]);
    assert_eq!(send(&mut app, "j"), []);
}

#[test]
fn targets_and_expressions_take_the_place_of_graphs() {
    let mut app = on(board());
    send(&mut app, "2");
    assert_eq!(asks(&send(&mut app, "s")), [&Ask::Rest]);
    let effects = send(&mut app, "↓\n");
    assert_eq!(asks(&effects), [&Ask::Explore { target: TargetIndex(1) }]);
    let effects = send(&mut app, "eup\n");
    let [Ask::Rest, Ask::Query { expr, span, end: None, columns }] = asks(&effects)[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((expr.as_str(), *span), ("up", Duration::from_secs(3600)));
    assert!((100..=160).contains(columns), "{columns}");
    assert_eq!(watched(&send(&mut app, "\x1b")), [(vec![0, 1, 2, 3], 60, false)]);
}

#[test]
fn the_overview_asks_for_its_key_graphs_where_it_has_room_for_them() {
    let mut app = on(board());
    assert_eq!(app.asked, []);
    let effects = update(&mut app, now(), Event::Resize(120, 40));
    assert_eq!(watched(&effects), [(vec![0, 1, 2], 60, false)]);
    assert_eq!(asks(&send(&mut app, "\n")), [&Ask::Rest], "details take their place");
}

proptest! {
    /// The engine keeps one of each kind until it is told to rest.
    #[test]
    fn what_the_engine_holds_is_what_is_wanted(steps in proptest::collection::vec(0u8..16, 1..12)) {
        let all = |bits: u8| {
            let mut wanted = Vec::new();
            if bits & 1 > 0 {
                let graphs = vec![GraphIndex(usize::from(bits >> 3))];
                wanted.push(Ask::Watch { graphs, span: Duration::from_secs(60), end: None, columns: 70 });
            }
            if bits & 2 > 0 {
                let expr = format!("up{}", bits >> 3);
                wanted.push(Ask::Query { expr, span: Duration::from_secs(60), end: None, columns: 70 });
            }
            if bits & 4 > 0 {
                wanted.push(Ask::Explore { target: TargetIndex(0) });
            }
            wanted
        };
        let (mut held, mut before): (Vec<Ask>, Vec<Ask>) = (Vec::new(), Vec::new());
        for step in steps {
            let wanted = all(step);
            for ask in to_ask(&before, &wanted) {
                if ask == Ask::Rest {
                    held.clear();
                } else {
                    held.retain(|h| std::mem::discriminant(h) != std::mem::discriminant(&ask));
                    held.push(ask);
                }
            }
            for ask in &wanted {
                prop_assert!(held.contains(ask));
            }
            prop_assert_eq!(held.len(), wanted.len());
            before = wanted;
        }
    }
}

#[test]
fn a_screen_without_anything_to_show_does_not_exist() {
    let mut app = super::fixture::app(Glyphs::Unicode);
    for keys in ["2", "3", "s", "e"] {
        assert_eq!(send(&mut app, keys), []);
        assert!(app.screen == Screen::Overview && matches!(app.mode, Mode::Normal), "{keys}");
    }
    let mut app = super::fixture::app(Glyphs::Unicode);
    let _ = update(&mut app, now(), Event::Board(Arc::new(calm())));
    send(&mut app, "2");
    assert_eq!(app.screen, Screen::Overview);
    send(&mut app, "3");
    assert_eq!(app.screen, Screen::Alerts);
}

#[test]
fn escape_backs_out_one_thing_at_a_time_and_never_acts() {
    let mut app = on(Board { families: Some(Arc::new(families())), ..board() });
    send(&mut app, "2\n↓←");
    let m = |app: &App| (app.screen, app.metrics.page, app.metrics.cursor.is_some(), app.metrics.line);
    assert_eq!(m(&app), (Screen::Metrics, Page::Graph, true, Some(0)));
    for want in [
        (Screen::Metrics, Page::Graph, false, Some(0)),
        (Screen::Metrics, Page::Graph, false, None),
        (Screen::Metrics, Page::Graphs, false, None),
        (Screen::Overview, Page::Graphs, false, None),
        (Screen::Overview, Page::Graphs, false, None),
    ] {
        send(&mut app, "\x1b");
        assert_eq!(m(&app), want);
    }
    send(&mut app, "s\n/relay_http\n\x1b");
    assert_eq!((app.metrics.page, app.metrics.filter.value()), (Page::Families, ""));
    send(&mut app, "\x1b");
    assert_eq!(app.metrics.page, Page::Targets);
}

#[test]
fn the_prompt_recalls_completes_and_keeps_what_is_wrong_in_sight() {
    let mut app = on(board());
    send(&mut app, "eup\n");
    send(&mut app, "e");
    assert_eq!(typed(&app), "up", "the last expression is there to be changed");
    send(&mut app, "\x08\x08time()\n");
    send(&mut app, "e\x08\x08\x08\x08\x08\x08vec");
    for (keys, want) in [
        ("↑", "time()"),
        ("↑", "up"),
        ("↑", "up"),
        ("↓", "time()"),
        ("↓", "vec"),
        ("\t", "vector"),
        ("(1", "vector(1"),
    ] {
        send(&mut app, keys);
        assert_eq!(typed(&app), want, "{keys:?}");
    }
    assert_eq!(send(&mut app, "\n"), [], "it is no expression yet");
    let Mode::Prompt(prompt) = &app.mode else { panic!("the prompt is gone") };
    assert!(prompt.error.is_some());
    assert_eq!(asks(&send(&mut app, ")\n")).len(), 1);
    assert_eq!(app.metrics.query.as_deref(), Some("vector(1)"));
    // Tab goes round what fits, in the middle of the text as well.
    send(&mut app, "esum(relay_");
    send(&mut app, "\t");
    assert!(typed(&app).ends_with("sum(relay_http_in_flight_requests"), "{}", typed(&app));
    send(&mut app, "\t");
    assert!(typed(&app).ends_with("sum(relay_http_requests_total"), "{}", typed(&app));
    send(&mut app, "{st\t");
    assert!(typed(&app).ends_with("relay_http_requests_total{status"), "{}", typed(&app));
}

fn typed(app: &App) -> String {
    if let Mode::Prompt(prompt) = &app.mode {
        prompt.input.value().to_owned()
    } else {
        "(no prompt)".to_owned()
    }
}

#[test]
fn keys_of_the_screen_are_text_in_the_prompt_and_pasted_lines_are_one() {
    let mut app = on(board());
    assert_eq!(send(&mut app, "eq/2:"), []);
    assert_eq!(typed(&app), "q/2:");
    let _ = update(&mut app, now(), Event::Paste("a\x1b[2J\nq\n".into()));
    assert_eq!(typed(&app), "q/2:a·[2J q");
    send(&mut app, "\x1b");
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn the_prompt_starts_with_what_is_under_the_cursor() {
    let mut app = on(Board { families: Some(Arc::new(families())), ..board() });
    send(&mut app, "s\n↓e");
    assert_eq!(typed(&app), "rate(relay_http_requests_total[5m])");
    send(&mut app, "\x1b2\ne");
    assert_eq!(typed(&app), graphs()[0].lines[0].expr.text());
}

#[test]
fn a_frozen_screen_keeps_its_board() {
    let mut app = on(board());
    send(&mut app, "f");
    let _ = update(&mut app, now(), Event::Board(Arc::new(calm())));
    assert_eq!(app.board().alerts.len(), board().alerts.len());
    send(&mut app, "f");
    assert_eq!(app.board().alerts.len(), 0);
}

#[test]
fn the_cursor_stays_on_its_alert_when_others_come_and_go() {
    let mut app = on(board());
    send(&mut app, "3↓↓");
    let chosen = alerts::key(&board().alerts[2]);
    assert_eq!(app.alerts.selected, Some(AlertRow::Alert(chosen)));
    let fewer = Board { alerts: board().alerts.split_off(1), ..board() };
    let _ = update(&mut app, now(), Event::Board(Arc::new(fewer)));
    send(&mut app, "↓↑");
    assert_eq!(app.alerts.selected, Some(AlertRow::Alert(chosen)));
}

#[test]
fn alerts_are_found_by_words_and_copied_with_why_nobody_is_paged() {
    let mut app = on(board());
    send(&mut app, "3/inhibited\n");
    let effects = send(&mut app, "y");
    let [Effect::Copy(text)] = &effects[..] else { panic!("{effects:?}") };
    for part in [
        "RelayRateLimitRejectSpike (Example at 2026-03-14T02:59:58Z)",
        "paged: no: inhibited by RelayHighServerErrorRate",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    send(&mut app, "\x1b!");
    let rows = alerts::rows(app.board(), &app.alerts, now());
    let rules = rows.iter().filter(|r| matches!(r, AlertRow::Rule(_))).count();
    assert_eq!(rules, 7, "not the inactive one and not the recorded one");
}

#[test]
fn a_cursor_moves_by_what_can_be_seen_and_stays_in_sight() {
    let mut app = on(board());
    send(&mut app, "2\n←");
    let end = now().wall.as_millisecond();
    assert_eq!(app.metrics.cursor, Some(end));
    send(&mut app, "←");
    let moved = end - app.metrics.cursor.unwrap();
    assert!((45_000..=55_000).contains(&moved), "{moved}");
    send(&mut app, "g←");
    assert_eq!(app.metrics.cursor, Some(end - 3_600_000));
    send(&mut app, "G→");
    assert_eq!(app.metrics.cursor, Some(end));
}

#[test]
fn a_cursor_is_never_outside_the_times_shown() {
    let mut app = on(board());
    let end = now().wall.as_millisecond();
    let shown = |app: &App| {
        let (from, to) = app.metrics.range(end);
        app.metrics.cursor.is_some_and(|at| (from..=to).contains(&at))
    };
    send(&mut app, "2\n←g");
    let at = app.metrics.cursor;
    send(&mut app, "+");
    assert_eq!(app.metrics.cursor, at, "the window comes to the cursor");
    assert!(shown(&app), "{:?} {:?}", app.metrics.cursor, app.metrics.range(end));
    for key in ["+", "-", "-", "]", "]", "]", "[", "[", "[", "[", "+"] {
        send(&mut app, key);
        assert!(shown(&app), "{key}: {:?} {:?}", app.metrics.cursor, app.metrics.range(end));
    }
}
