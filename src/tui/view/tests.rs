//! Each view as a picture, at the sizes people have, in Unicode and ASCII; colours apart.

use super::draw;
use crate::domain::health::Health;
use crate::domain::observation::ProbeIndex;
use crate::tui::app::{App, Event, Screen, Switch};
use crate::tui::fixture::{app, at, broken, empty, seen};
use crate::tui::glyph::Glyphs;
use crate::tui::model::rows::RowId;
use crate::tui::picture;
use crate::tui::theme::Theme;
use crate::tui::update::update;
use crate::tui::view::paint::columns;
use crate::tui::wallboard::Wallboard;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;

fn press(app: &mut App, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        let modifiers = if c.is_ascii_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        let _ = update(app, at(58), Event::Key(KeyEvent::new(code, modifiers)));
    }
}

fn frame(app: &mut App, width: u16, height: u16) -> Buffer {
    let _ = update(app, at(58), Event::Resize(width, height));
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    draw(app, at(58), buf.area, &mut buf);
    buf
}

fn picture(glyphs: Glyphs, keys: &str, width: u16, height: u16) -> String {
    let mut app = app(glyphs);
    press(&mut app, keys);
    picture::text(&frame(&mut app, width, height))
}

const SIZES: [(u16, u16); 4] = [(40, 12), (80, 24), (120, 40), (200, 60)];

#[test]
fn overview() {
    for (w, h) in SIZES {
        for (glyphs, name) in [(Glyphs::Unicode, "unicode"), (Glyphs::Ascii, "ascii")] {
            insta::assert_snapshot!(format!("overview_{w}x{h}_{name}"), picture(glyphs, "", w, h));
        }
    }
}

#[test]
fn overlays_and_panes() {
    for (name, keys) in [
        ("detail", "j\n"),
        ("layer_detail", "\n"),
        ("help", "?"),
        ("palette", ":po"),
        ("filter", "/cache\n"),
        ("problems", "!"),
        ("folded", "z"),
    ] {
        for (w, h) in SIZES {
            for (glyphs, signs) in [(Glyphs::Unicode, ""), (Glyphs::Ascii, "_ascii")] {
                insta::assert_snapshot!(format!("{name}_{w}x{h}{signs}"), picture(glyphs, keys, w, h));
            }
        }
    }
}

#[test]
fn wallboard() {
    for (w, h) in [(80, 24), (120, 40), (200, 60)] {
        let theme = Theme::built_in("dark").unwrap();
        let mut board = Wallboard::new(
            "Example".into(),
            "staging".into(),
            broken(),
            theme,
            Glyphs::Unicode,
            Duration::from_secs(15),
            at(58),
        );
        for page in 1..=board.pages(at(58)).len() {
            let mut buf = Buffer::empty(Rect::new(0, 0, w, h));
            super::wallboard::draw(&board, at(58), buf.area, &mut buf);
            insta::assert_snapshot!(format!("wallboard_{w}x{h}_page{page}"), picture::text(&buf));
            board.key(KeyEvent::new(KeyCode::Char('n'), KeyModifiers::NONE), at(58));
        }
    }
}

#[test]
fn the_worst_state_is_said_in_words_where_nothing_else_fits() {
    let text = picture(Glyphs::Ascii, "", 30, 3);
    assert!(text.starts_with("down: Cache down for 28s"), "{text}");
}

/// The style of the first cell of a text on the screen.
fn style_of(buf: &Buffer, text: &str) -> ratatui::style::Style {
    for y in 0..buf.area.height {
        let line: String = (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect();
        if let Some(at) = line.find(text) {
            return buf[(line[..at].chars().count() as u16, y)].style();
        }
    }
    panic!("{text} is not on the screen:\n{}", picture::text(buf));
}

#[test]
fn states_have_their_colours_and_the_cursor_its_own() {
    let mut app = app(Glyphs::Unicode);
    press(&mut app, "j");
    let buf = frame(&mut app, 120, 40);
    let theme = Theme::built_in("dark").unwrap();
    for (text, want) in [
        ("✖ 2 down of 2", theme.down),
        ("degraded health", theme.degraded),
        ("unknown  certificate", theme.unknown),
        ("likely cause", theme.accent),
    ] {
        assert_eq!(style_of(&buf, text).fg, want.fg, "{text}");
    }
    assert_eq!(style_of(&buf, "cache answers       core").bg, theme.selected.bg);
    assert_ne!(style_of(&buf, "keyspace events").bg, theme.selected.bg);
}

#[test]
fn what_is_hostile_in_a_reason_never_becomes_a_cell() {
    let mut matrix = empty();
    matrix.apply(seen(
        0,
        55,
        Health::Down,
        &crate::domain::text::reason("a\x1b[2J\x1b]52;c;eA==\x07\u{202e}b"),
    ));
    let mut app = app(Glyphs::Unicode);
    let _ = update(
        &mut app,
        at(58),
        Event::Observed(
            [seen(0, 56, Health::Down, &crate::domain::text::reason("x\x1b[31m\x07\u{9b}y"))].into(),
        ),
    );
    press(&mut app, "j\n");
    let buf = frame(&mut app, 120, 40);
    for cell in buf.content() {
        assert!(!cell.symbol().chars().any(crate::domain::text::is_hostile), "{:?}", cell.symbol());
    }
}

#[test]
fn switches_and_log_have_their_screens() {
    let mut app = app(Glyphs::Unicode);
    let switch = Switch { name: "cache-down".into(), about: "the cache is gone".into(), on: false };
    let _ = update(&mut app, at(58), Event::Switches(vec![switch]));
    press(&mut app, "8\n");
    assert_eq!(app.screen, Screen::Switches);
    insta::assert_snapshot!("switches_80x24", picture::text(&frame(&mut app, 80, 24)));
    press(&mut app, "9");
    assert!(picture::text(&frame(&mut app, 80, 24)).contains("own log"));
    press(&mut app, "\x1b");
    assert_eq!(app.screen, Screen::Overview);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever is pressed at whatever size: no panic, nothing outside, cursor in view.
    #[test]
    fn no_size_and_no_keys_break_a_frame(
        width in 0u16..320, height in 0u16..110, keys in "[a-zA-Z1-9?:/! \n\x1b]{0,14}", ascii in any::<bool>(),
    ) {
        let mut app = app(if ascii { Glyphs::Ascii } else { Glyphs::Unicode });
        let _ = update(&mut app, at(58), Event::Resize(width, height));
        press(&mut app, &keys);
        let buf = frame(&mut app, width, height);
        let text = picture::text(&buf);
        prop_assert!(text.lines().all(|l| columns(l) <= usize::from(width)));
        if ascii {
            prop_assert!(text.is_ascii(), "{}", text);
        }
        if app.selected == Some(RowId::Probe(ProbeIndex(5))) && width >= 40 && height >= 12 && app.screen == Screen::Overview {
            prop_assert!(app.scroll <= 9);
        }
    }
}

/// A wallboard frame of that matrix, after turning so many pages.
fn board(matrix: crate::domain::matrix::Matrix, turns: usize, width: u16, height: u16) -> String {
    let theme = Theme::built_in("dark").unwrap();
    let (title, environment) = ("Example".into(), "staging".into());
    let turn = Duration::from_secs(15);
    let mut board = Wallboard::new(title, environment, matrix, theme, Glyphs::Unicode, turn, at(58));
    for _ in 0..turns {
        board.key(KeyEvent::new(KeyCode::Char('n'), KeyModifiers::NONE), at(58));
    }
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    super::wallboard::draw(&board, at(58), buf.area, &mut buf);
    picture::text(&buf)
}

/// Twenty layers of one probe each, or one layer of twenty: the tenth is degraded, the fifteenth
/// down, the last two not known, and the others up.
fn crowded(layers: usize) -> crate::domain::matrix::Matrix {
    use crate::domain::id::{LayerId, ProbeId};
    use crate::domain::matrix::{Layer, Matrix};
    let model = empty().probe(ProbeIndex(0)).unwrap().0.clone();
    let layer = |i| Layer { id: LayerId::new(&format!("l{i}")), name: format!("Layer {i}"), needs: vec![] };
    let probes = (1..=20).map(|i| crate::domain::matrix::Probe {
        id: ProbeId::new(&format!("p{i}")),
        name: format!("probe {i}"),
        layer: if layers == 1 { 0 } else { i - 1 },
        ..model.clone()
    });
    let mut matrix = Matrix::new((1..=layers).map(layer).collect(), probes.collect());
    for second in [50, 55] {
        for i in 1..=20 {
            let health = match i {
                10 => Health::Degraded,
                15 => Health::Down,
                19 | 20 => Health::Unknown,
                _ => Health::Up,
            };
            matrix.apply(seen(i - 1, second, health, "as it is"));
        }
    }
    matrix
}

#[test]
fn a_small_wallboard() {
    for page in 1..=5 {
        insta::assert_snapshot!(format!("wallboard_40x12_page{page}"), board(broken(), page - 1, 40, 12));
    }
}

#[test]
fn a_wallboard_without_room_for_all_shows_the_worst_and_counts_the_others() {
    for (name, layers, turns) in [("layers", 20, 0), ("problems", 20, 1), ("layer", 1, 2)] {
        insta::assert_snapshot!(format!("crowded_{name}_40x12"), board(crowded(layers), turns, 40, 12));
    }
    // Two lines for cells, then one: what is hidden is counted by state.
    let text = board(crowded(20), 0, 40, 5);
    let cells: Vec<&str> = text.lines().skip(2).collect();
    assert!(cells[0].contains("Layer 15 DOWN") && cells[1].contains("Layer 10 DEGRADED"), "{text}");
    assert_eq!(cells[2].trim(), "+18 more: 2 unknown, 16 up");
    let text = board(crowded(20), 0, 40, 3);
    assert!(text.contains("\n +20 more: 1 down, 1 degraded, "), "{text}");
    // With room for all, they keep the order of the stack file.
    let text = board(crowded(20), 0, 40, 22);
    assert!(!text.contains("more:") && text.find("Layer 1 UP") < text.find("Layer 15 DOWN"), "{text}");
    // Problems: the last line counts those that are not told.
    let text = board(crowded(20), 1, 40, 6);
    assert!(text.trim_end().ends_with("+3 more: 1 degraded, 2 unknown"), "{text}");
}

#[test]
fn the_smallest_wallboards_name_the_stack_and_the_worst_state() {
    assert!(board(broken(), 0, 40, 1).starts_with("Example down: Cache down for 28s"));
    let narrow = board(broken(), 0, 24, 2);
    assert!(narrow.starts_with(" Example  staging\n ✖ Cache down"), "{narrow}");
    assert!(!board(broken(), 0, 34, 12).contains("page"), "the page is dropped, not the name");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// At whatever size, a wallboard with a body hides nothing without saying so.
    #[test]
    fn no_size_breaks_a_wallboard(width in 0u16..200, height in 0u16..60, turns in 0usize..6) {
        let text = board(crowded(20), turns, width, height);
        prop_assert!(text.lines().all(|l| columns(l) <= usize::from(width)));
        if turns == 0 && width >= 40 && height >= 3 {
            let shown = text.lines().skip(2).map(|l| l.matches("Layer ").count()).sum::<usize>();
            prop_assert!(shown == 20 || text.contains(&format!("+{} more", 20 - shown)), "{}", text);
        }
    }
}
