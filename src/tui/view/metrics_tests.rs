//! The screens of metrics and alerts as pictures, at the sizes people have.

use super::draw;
use crate::domain::board::{Board, RemoteState};
use crate::domain::text::is_hostile;
use crate::tui::app::{App, Event};
use crate::tui::board_fixture::{answer, app_on, board, calm, families, now};
use crate::tui::glyph::Glyphs;
use crate::tui::picture;
use crate::tui::theme::Theme;
use crate::tui::update::update;
use crate::tui::view::paint::columns;
use crate::tui::wallboard::Wallboard;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use std::sync::Arc;
use std::time::Duration;

fn press(app: &mut App, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\t' => KeyCode::Tab,
            '←' => KeyCode::Left,
            '→' => KeyCode::Right,
            '↑' => KeyCode::Up,
            '↓' => KeyCode::Down,
            c => KeyCode::Char(c),
        };
        let modifiers = if c.is_ascii_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        let _ = update(app, now(), Event::Key(KeyEvent::new(code, modifiers)));
    }
}

fn frame(app: &App) -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, app.size.0, app.size.1));
    draw(app, now(), buf.area, &mut buf);
    buf
}

fn pictured(board: Board, glyphs: Glyphs, keys: &str, (width, height): (u16, u16)) -> String {
    let mut app = app_on(board, glyphs, width, height);
    press(&mut app, keys);
    app.notice = None;
    picture::text(&frame(&app))
}

const SIZES: [(u16, u16); 4] = [(40, 12), (80, 24), (120, 40), (200, 60)];

/// What the engine would publish while these are open.
fn opened(expr: &str) -> Board {
    Board { query: Some(Arc::new(answer(expr))), families: Some(Arc::new(families())), ..board() }
}

#[test]
fn every_screen_at_every_size() {
    for (name, keys) in [
        ("overview", ""),
        ("graphs", "2"),
        ("graphs_blocks", "2b"),
        ("graph", "2\n"),
        ("graph_cursor", "2\n←←←←←←←←↓↓↓"),
        ("graph_empty", "2G\n"),
        ("targets", "s"),
        ("families", "s\n↓\n"),
        ("query", "eup\n"),
        ("query_error", "esum(\n"),
        ("query_completion", "erate(relay_\t\t"),
        ("alerts", "3"),
        ("alert_detail", "3\n"),
        ("rule_detail", "3/blind\n\n"),
        ("slo_detail", "3↓↓↓↓↓↓\n"),
    ] {
        for size @ (w, h) in SIZES {
            for (glyphs, signs) in [(Glyphs::Unicode, ""), (Glyphs::Ascii, "_ascii")] {
                let text = pictured(opened("up"), glyphs, keys, size);
                assert!(glyphs == Glyphs::Unicode || text.is_ascii(), "{text}");
                insta::assert_snapshot!(format!("metrics_{name}_{w}x{h}{signs}"), text);
            }
        }
    }
}

#[test]
fn when_all_is_well_the_panel_is_small() {
    for size @ (w, h) in SIZES {
        insta::assert_snapshot!(format!("metrics_calm_{w}x{h}"), pictured(calm(), Glyphs::Unicode, "", size));
    }
}

#[test]
fn where_there_is_no_room_alerts_are_one_line() {
    let text = pictured(board(), Glyphs::Unicode, "", (40, 12));
    assert!(text.contains("5 firing (2 critical), oldest 50m"), "{text}");
    let text = pictured(board(), Glyphs::Unicode, "", (80, 24));
    for part in [
        "RelayHighServerErrorRate",
        "ack 3m",
        "paged: oncall",
        "Alertmanager silent for 58s",
        "budget 43% left",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// The style of the first cell of a text on the screen.
fn style_of(buf: &Buffer, text: &str) -> Style {
    for y in 0..buf.area.height {
        let line: String = (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect();
        if let Some(at) = line.find(text) {
            return buf[(line[..at].chars().count() as u16, y)].style();
        }
    }
    panic!("{text} is not on the screen:\n{}", picture::text(buf));
}

#[test]
fn only_what_wakes_people_up_is_red_and_the_rest_has_signs() {
    let app = app_on(board(), Glyphs::Unicode, 120, 40);
    let buf = frame(&app);
    let theme = Theme::built_in("dark").unwrap();
    assert_eq!(style_of(&buf, "critical RelayHighServer").fg, theme.down.fg);
    assert_eq!(style_of(&buf, "high     RelayNonce").fg, theme.degraded.fg);
    assert_eq!(style_of(&buf, "○ firing 15m"), style_of(&buf, "○ pending 3m"));
    let text = picture::text(&buf);
    let panel: String = text.lines().skip_while(|l| !l.contains(" alerts ")).collect();
    assert!(panel.contains("✖ firing 12m") && panel.contains("▲ firing 4m"), "{text}");
}

#[test]
fn sixteen_colours_and_none_and_light() {
    for name in ["sixteen", "mono", "light"] {
        let mut app = app_on(board(), Glyphs::Unicode, 80, 24);
        app.theme = Theme::built_in(name).unwrap();
        press(&mut app, "2\n↓");
        let buf = frame(&app);
        for cell in buf.content() {
            let few = |c: Color| match name {
                "mono" => c == Color::Reset,
                "sixteen" => !matches!(c, Color::Rgb(..) | Color::Indexed(16..)),
                _ => true,
            };
            assert!(few(cell.fg) && few(cell.bg), "{name}: {cell:?}");
        }
        let text = picture::text(&buf);
        assert!(text.contains(" a 200") && text.contains(" d 404"), "{text}");
    }
}

#[test]
fn nothing_hostile_from_labels_or_pages_becomes_a_cell() {
    let bad = "x\x1b[2J\x1b]52;c;eA==\x07\u{202e}y\u{9b}31m";
    let mut board = opened("up");
    for alert in &mut board.alerts {
        alert.name.push_str(bad);
        alert.severity.push_str(bad);
        alert.labels = crate::domain::series::Labels::new([("a", bad), (bad, "b")]);
        alert.annotations.push((bad.to_owned(), bad.to_owned()));
        alert.caveat = Some(bad.to_owned());
        alert.paged = crate::domain::alert::view::Paged::Unknown { why: bad.to_owned() };
    }
    for rule in &mut board.rules {
        for text in [&mut rule.name, &mut rule.expr, &mut rule.group, &mut rule.help, &mut rule.severity] {
            text.push_str(bad);
        }
    }
    for target in &mut board.targets {
        (target.reason, target.id, target.host) = (bad.to_owned(), bad.to_owned(), bad.to_owned());
    }
    for slo in &mut board.slos {
        (slo.name, slo.trouble) = (bad.to_owned(), Some(bad.to_owned()));
    }
    for mark in &mut board.marks {
        mark.text = bad.to_owned();
    }
    for graph in &mut board.graphs {
        let graph = Arc::make_mut(graph);
        graph.trouble = Some(bad.to_owned());
        graph.lines.iter_mut().for_each(|l| l.legend = bad.to_owned());
    }
    if let Some(remote) = &mut board.engine.alertmanager {
        (remote.url, remote.version) = (bad.to_owned(), bad.to_owned());
        remote.state = RemoteState::Silent { since: now(), why: bad.to_owned() };
    }
    board.engine.trouble = Some(bad.to_owned());
    board.names = Arc::new(vec![bad.to_owned()]);
    for keys in ["", "2", "2\n↓", "s", "s\n↓\n↓↓", "eup\n", "ex\t", "3", "3\n", "3G\n", "3↓↓↓↓↓↓\n"]
    {
        for size in [(200, 60), (80, 24)] {
            let mut app = app_on(board.clone(), Glyphs::Unicode, size.0, size.1);
            press(&mut app, keys);
            for cell in frame(&app).content() {
                assert!(!cell.symbol().chars().any(is_hostile), "{keys:?}: {:?}", cell.symbol());
            }
        }
    }
}

#[test]
fn the_wallboard_shows_alerts() {
    for (w, h) in [(40, 12), (80, 24), (120, 40)] {
        let mut wall = Wallboard::new(
            "Example".into(),
            "staging".into(),
            crate::tui::fixture::broken(),
            Theme::built_in("dark").unwrap(),
            Glyphs::Unicode,
            Duration::from_secs(15),
            now(),
        );
        wall.board = Arc::new(board());
        for page in ["layers", "problems", "alerts"] {
            let mut buf = Buffer::empty(Rect::new(0, 0, w, h));
            super::wallboard::draw(&wall, now(), buf.area, &mut buf);
            insta::assert_snapshot!(format!("metrics_wallboard_{page}_{w}x{h}"), picture::text(&buf));
            wall.key(KeyEvent::new(KeyCode::Char('n'), KeyModifiers::NONE), now());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn no_size_and_no_keys_break_a_frame(
        width in 0u16..260, height in 0u16..90, keys in "[2ase0+\\-\\[\\]/?!njkhlgGfyb:xu \t\n\x1b←→↑↓]{0,20}", ascii in any::<bool>(),
    ) {
        let glyphs = if ascii { Glyphs::Ascii } else { Glyphs::Unicode };
        let mut app = app_on(opened("up"), glyphs, width, height);
        press(&mut app, &keys);
        let text = picture::text(&frame(&app));
        prop_assert!(text.lines().all(|l| columns(l) <= usize::from(width)));
        if ascii {
            prop_assert!(text.is_ascii(), "{}", text);
        }
    }
}
