//! Graphs as pictures, in every form, and the styles of their cells.

use super::*;
use crate::domain::series::Sample;
use crate::tui::picture;
use crate::tui::widget::legend;
use proptest::prelude::*;

const MINUTE: i64 = 60_000;

fn start() -> i64 {
    "2026-03-14T02:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// A line of one point a minute for an hour.
fn hour(f: impl Fn(i64) -> f64) -> Vec<Sample> {
    (0..=60).map(|m| Sample { t: start() + m * MINUTE, v: f(m) }).filter(|s| s.v > f64::MIN).collect()
}

fn scene<'a>(traces: &'a [Trace<'a>], thresholds: &'a [Threshold], marks: &'a [Mark]) -> Scene<'a> {
    Scene {
        traces,
        from: start(),
        to: start() + 60 * MINUTE,
        step: MINUTE,
        unit: Unit::None,
        bounds: (None, None),
        thresholds,
        marks,
        cursor: None,
        selected: None,
    }
}

fn picture(scene: &Scene<'_>, form: Form, width: u16, height: u16) -> (String, Buffer) {
    let theme = Theme::built_in("dark").unwrap();
    let glyphs = if form == Form::Ascii { Glyphs::Ascii } else { Glyphs::Unicode };
    let look = Look { theme: &theme, glyphs, form };
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height + 2));
    draw(scene, &look, Rect::new(0, 0, width, height), &mut buf);
    legend::flow(scene, &look, Rect::new(0, height, width, 1), &mut buf);
    legend::changes(scene, &look, Rect::new(0, height + 1, width, 1), &mut buf);
    (picture::text(&buf), buf)
}

const FORMS: [(Form, &str); 3] = [(Form::Braille, "braille"), (Form::Block, "block"), (Form::Ascii, "ascii")];

#[test]
fn several_lines_with_a_threshold_changes_and_a_gap() {
    let ok = hour(|m| if (20..28).contains(&m) { f64::MIN } else { 420.0 + (m % 7) as f64 * 9.0 });
    let bad = hour(|m| if m < 35 { 4.0 } else { (m - 35) as f64 * 11.0 });
    let traces = [Trace { name: "200", samples: &ok }, Trace { name: "503", samples: &bad }];
    let thresholds = [Threshold { value: 250.0, label: "page".into() }];
    let mark = |m: i64, kind, text: &str| Mark {
        at: jiff::Timestamp::from_millisecond(start() + m * MINUTE).unwrap(),
        kind,
        text: text.into(),
    };
    let marks = [mark(18, MarkKind::Restart, "relay restarted"), mark(50, MarkKind::Alert, "HighErrorRate")];
    let mut scene = scene(&traces, &thresholds, &marks);
    for (form, name) in FORMS {
        insta::assert_snapshot!(format!("lines_{name}"), picture(&scene, form, 72, 12).0);
    }
    scene.cursor = Some(start() + 40 * MINUTE);
    scene.selected = Some(1);
    insta::assert_snapshot!("lines_cursor", picture(&scene, Form::Braille, 72, 12).0);
    insta::assert_snapshot!("lines_small", picture(&scene, Form::Braille, 36, 6).0);
    insta::assert_snapshot!("lines_tiny", picture(&scene, Form::Braille, 16, 2).0);
}

#[test]
fn odd_data_reads_well() {
    let nothing: Vec<Sample> = Vec::new();
    let flat = hour(|_| 5.0);
    let zero = hour(|_| 0.0);
    let below = hour(|m| -3.0 - (m % 10) as f64);
    let single = vec![Sample { t: start() + 30 * MINUTE, v: 7.0 }];
    let infinite = hour(|m| if m % 20 == 10 { f64::INFINITY } else { m as f64 });
    let small = hour(|m| 1e-9 * (m % 30) as f64);
    let large = hour(|m| 1e18 + 1e17 * m as f64);
    let near = hour(|m| 1e9 + (m % 3) as f64);
    for (name, samples, unit) in [
        ("nothing", &nothing, Unit::None),
        ("flat", &flat, Unit::PerSecond),
        ("zero", &zero, Unit::Ratio),
        ("negative", &below, Unit::Percent),
        ("single", &single, Unit::None),
        ("infinite", &infinite, Unit::None),
        ("small", &small, Unit::Seconds),
        ("large", &large, Unit::Bytes),
        ("near", &near, Unit::None),
    ] {
        let traces = [Trace { name, samples }];
        let scene = Scene { unit, ..scene(&traces, &[], &[]) };
        insta::assert_snapshot!(format!("odd_{name}"), picture(&scene, Form::Braille, 50, 7).0);
    }
}

#[test]
fn a_threshold_far_from_the_data_does_not_press_it_flat_and_is_still_said() {
    let low = hour(|m| (m / 12).min(4) as f64);
    let traces = [Trace { name: "x", samples: &low }];
    let far = [Threshold { value: 200.0, label: "page".into() }];
    let near = [Threshold { value: 12.0, label: "page".into() }];
    let none = hour(|_| 0.0);
    let idle = [Trace { name: "x", samples: &none }];
    assert_eq!(value_range(&scene(&traces, &far, &[])), (0.0, 4.0));
    assert_eq!(value_range(&scene(&traces, &near, &[])), (0.0, 12.0));
    assert_eq!(value_range(&scene(&idle, &far, &[])), (0.0, 200.0));
    assert!(picture(&scene(&traces, &far, &[]), Form::Braille, 50, 7).0.contains("↑ page 200"));
}

#[test]
fn lines_are_told_apart_by_letters_and_the_selected_one_stands_out() {
    let (one, two) = (hour(|_| 1.0), hour(|_| 9.0));
    let traces = [Trace { name: "one", samples: &one }, Trace { name: "two", samples: &two }];
    let mut scene = scene(&traces, &[], &[]);
    let theme = Theme::built_in("dark").unwrap();
    let (text, buf) = picture(&scene, Form::Braille, 60, 10);
    let at = |sign: &str| buf.content().iter().find(|c| c.symbol() == sign).unwrap().clone();
    assert!(text.matches('a').count() > 2 && text.matches('b').count() > 2, "{text}");
    assert_eq!(Some(at("a").fg), theme.line(0).fg);
    assert_ne!(at("a").fg, at("b").fg);
    scene.selected = Some(1);
    let (_, buf) = picture(&scene, Form::Braille, 60, 10);
    let dots = |fg| {
        buf.content()
            .iter()
            .filter(|c| c.symbol() >= "\u{2801}" && c.symbol() <= "\u{28ff}" && c.style().fg == fg)
            .count()
    };
    assert!(dots(theme.line(1).fg) > 30 && dots(theme.line(0).fg) == 0);
}

#[test]
fn hostile_names_never_become_cells() {
    let one = hour(|_| 1.0);
    let traces = [Trace { name: "a\x1b[2J\u{202e}b", samples: &one }];
    let thresholds = [Threshold { value: 0.5, label: "x\x07\u{9b}y".into() }];
    let marks = [Mark {
        at: jiff::Timestamp::from_millisecond(start() + MINUTE).unwrap(),
        kind: MarkKind::Deploy,
        text: "v\x1b]0;t\x072".into(),
    }];
    let (_, buf) = picture(&scene(&traces, &thresholds, &marks), Form::Braille, 60, 10);
    for cell in buf.content() {
        assert!(!cell.symbol().chars().any(crate::domain::text::is_hostile), "{:?}", cell.symbol());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_data_and_no_size_break_a_graph(
        values in proptest::collection::vec(proptest::collection::vec(any::<f64>(), 0..30), 0..6),
        width in 0u16..90, height in 0u16..20, limit in any::<f64>(), span in -10i64..1_000_000_000,
        bounds in (proptest::option::of(any::<f64>()), proptest::option::of(-1e9f64..1e9)), ascii in any::<bool>(),
    ) {
        let lines: Vec<Vec<Sample>> = values
            .iter()
            .map(|v| v.iter().zip(0..).map(|(v, i)| Sample { t: start() + i * MINUTE, v: *v }).collect())
            .collect();
        let traces: Vec<Trace<'_>> = lines.iter().map(|l| Trace { name: "日本語", samples: l }).collect();
        let thresholds = [Threshold { value: limit, label: "x".into() }];
        let scene = Scene { to: start() + span, bounds, ..scene(&traces, &thresholds, &[]) };
        let form = if ascii { Form::Ascii } else { Form::Braille };
        let (text, _) = picture(&scene, form, width, height);
        prop_assert!(text.lines().all(|l| columns(l) <= usize::from(width)));
    }
}
