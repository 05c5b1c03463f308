//! Procedures, prompts and runs as pictures, at the sizes people have; colours apart.

use super::draw;
use crate::domain::id::RunId;
use crate::domain::procedure::event::{Entry, Event as Told, Mode};
use crate::domain::procedure::ledger::{Ledger, Unlisted};
use crate::domain::procedure::level::Level;
use crate::domain::procedure::proposal::{Proposal, Refusal};
use crate::domain::text::is_hostile;
use crate::tui::act_fixture::{app_with, full, ledger_of, now, proposal, waiting_for_second};
use crate::tui::act_runs::runs;
use crate::tui::app::{App, Event};
use crate::tui::glyph::Glyphs;
use crate::tui::model::tone::Tone;
use crate::tui::picture;
use crate::tui::theme::{self, Theme};
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

/// Presses keys at a person's pace; gives the moment after the last.
fn press(app: &mut App, keys: &str) -> crate::clock::Now {
    let mut at = now();
    for c in keys.chars() {
        at = at.plus(Duration::from_millis(100));
        let code = match c {
            '⏎' => KeyCode::Enter,
            '⇥' => KeyCode::Tab,
            '→' => KeyCode::Right,
            '↓' => KeyCode::Down,
            '⇟' => KeyCode::PageDown,
            // A moment to read.
            '…' => {
                at = at.plus(Duration::from_secs(1));
                continue;
            }
            c => KeyCode::Char(c),
        };
        let modifiers = if c.is_ascii_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        let _ = update(app, at, Event::Key(KeyEvent::new(code, modifiers)));
    }
    at
}

fn frame(app: &App) -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, app.size.0, app.size.1));
    draw(app, now(), buf.area, &mut buf);
    buf
}

const SIZES: [(u16, u16); 3] = [(40, 12), (80, 24), (120, 40)];

/// A picture at every size, in Unicode and ASCII.
fn pictures(name: &str, make: impl Fn(Glyphs, (u16, u16)) -> App) {
    for size @ (w, h) in SIZES {
        for (glyphs, signs) in [(Glyphs::Unicode, ""), (Glyphs::Ascii, "_ascii")] {
            if glyphs == Glyphs::Ascii && w != 80 {
                continue;
            }
            let mut app = make(glyphs, size);
            app.notice = None;
            let text = picture::text(&frame(&app));
            assert!(glyphs == Glyphs::Unicode || text.is_ascii(), "{text}");
            insta::assert_snapshot!(format!("act_{name}_{w}x{h}{signs}"), text);
        }
    }
}

fn with_keys(ledger: &Ledger, keys: &'static str) -> impl Fn(Glyphs, (u16, u16)) -> App {
    let ledger = ledger.clone();
    move |glyphs, (w, h)| {
        let mut app = app_with(ledger.clone(), glyphs, w, h);
        press(&mut app, keys);
        app
    }
}

/// A prompt with keys pressed in it.
fn prompt(
    proposal: Box<Proposal>,
    ledger: &Ledger,
    keys: &'static str,
) -> impl Fn(Glyphs, (u16, u16)) -> App {
    let ledger = ledger.clone();
    move |glyphs, (w, h)| {
        let mut app = app_with(Ledger::default(), glyphs, w, h);
        let key = match proposal.plan.procedure.as_str() {
            "drain" => "D",
            "contain" => "C",
            _ => "R",
        };
        press(&mut app, key);
        let _ = update(&mut app, now(), Event::Proposed(Ok(proposal.clone())));
        press(&mut app, keys);
        let _ = update(&mut app, now(), Event::Ledger(Arc::new(ledger.clone())));
        app
    }
}

#[test]
fn the_screen_of_procedures() {
    pictures("list", with_keys(&full(), "4"));
    pictures("list_down", with_keys(&full(), "4⇟⇟"));
    pictures("list_none_run", with_keys(&Ledger::default(), "4"));
    pictures("overview_badge", with_keys(&full(), ""));
    pictures("overview_owed", with_keys(&Ledger { runs: vec![], ..ledger_of("held") }, ""));
}

#[test]
fn runs_in_every_state() {
    for (name, ..) in runs() {
        // What has ended stands below the procedures.
        let keys = if name == "failed" { "4/controlled⏎↓⏎" } else { "4/controlled⏎⏎" };
        pictures(&format!("run_{name}"), with_keys(&ledger_of(name), keys));
    }
    let gone = Ledger { open: vec![], ..ledger_of("running") };
    pictures("run_not_read_yet", with_keys(&gone, "4/controlled⏎⏎"));
}

#[test]
fn prompts_by_level() {
    let calm = Ledger::default();
    for level in [Level::L0, Level::L1, Level::L2, Level::L3, Level::L4] {
        pictures(&format!("prompt_{level}"), prompt(proposal(level), &calm, ""));
    }
    pictures("prompt_scrolled", prompt(proposal(Level::L2), &calm, "⇟"));
    pictures("prompt_wrong_text", prompt(proposal(Level::L2), &calm, "…cot⏎"));
    pictures("prompt_reason", prompt(proposal(Level::L3), &calm, "…drain core 41⏎"));
    let waiting =
        Ledger { waiting: vec![waiting_for_second(proposal(Level::L4).hash, None)], ..calm.clone() };
    let typed = "…contain core 41⏎keys leaked⏎";
    pictures("prompt_second", prompt(proposal(Level::L4), &waiting, typed));
    let approved =
        Ledger { waiting: vec![waiting_for_second(proposal(Level::L4).hash, Some("ben"))], ..calm.clone() };
    pictures("prompt_second_approved", prompt(proposal(Level::L4), &approved, typed));
    pictures("prompt_breaking", prompt(proposal(Level::L4), &waiting, "…contain core 41⏎keys leaked⏎⇥⇥⏎"));
    let interlocked = Refusal::Interlocked {
        id: "contained".into(),
        says: "external access was closed by containment".into(),
        until: "the secrets have been rotated".into(),
        since: None,
    };
    let refused = Box::new(Proposal { refusals: vec![interlocked], ..*proposal(Level::L3) });
    pictures("prompt_refused", prompt(refused, &calm, ""));
}

#[test]
fn what_is_asked_before_and_during_a_run() {
    let calm = Ledger::default();
    pictures("menu", with_keys(&calm, "↓↓↓↓↓a↓"));
    pictures("form", with_keys(&calm, "4/one service⏎⏎→⇥99"));
    pictures("form_empty", with_keys(&calm, "4/block⏎⏎⏎"));
    pictures("planning", with_keys(&calm, "R"));
    pictures("question_hold", with_keys(&ledger_of("held"), "o↓"));
    pictures("question_manual", with_keys(&ledger_of("manual"), "o…↓⏎"));
    pictures("question_abort", with_keys(&ledger_of("running"), "X"));
    pictures("question_rollback", with_keys(&ledger_of("lost"), "u"));
    pictures("question_approve", with_keys(&Ledger { runs: vec![], ..full() }, "4↓↓⏎"));
    pictures("told", |glyphs, (w, h)| {
        let app = &mut prompt(proposal(Level::L2), &Ledger::default(), "…cor")(glyphs, (w, h));
        let changed = vec!["unit relay.service on core: was active, is failed".to_owned()];
        let new = Box::new(Proposal { changed, ..*proposal(Level::L2) });
        let _ = update(app, now(), Event::Proposed(Ok(new)));
        std::mem::replace(app, app_with(Ledger::default(), glyphs, w, h))
    });
}

#[test]
fn the_wallboard_shows_runs_and_debts() {
    let open = runs().into_iter().map(|(_, run, _)| Arc::new(run)).collect();
    let all = Ledger { open, ..full() };
    for (w, h) in [(40, 12), (80, 24), (120, 40)] {
        insta::assert_snapshot!(format!("act_wallboard_{w}x{h}"), wall(ledger_of("held"), w, h));
        insta::assert_snapshot!(format!("act_wallboard_full_{w}x{h}"), wall(all.clone(), w, h));
    }
}

#[test]
fn a_wallboard_tells_what_it_cannot_know_of_runs() {
    let of = |unlisted| Ledger { unlisted: Some(unlisted), ..ledger_of("held") };
    let lost = Unlisted::Lost("read /srv/state/runs:\u{1b}[2J input/output error".into());
    insta::assert_snapshot!("act_wallboard_lost_80x24", wall(of(lost.clone()), 80, 24));
    let barred = Ledger { unlisted: Some(Unlisted::Barred("/srv/state/runs".into())), ..Ledger::default() };
    insta::assert_snapshot!("act_wallboard_barred_80x24", wall(barred.clone(), 80, 24));
    // Who has no procedures misses no runs; the dashboard tells of what it lost as well.
    let mut board = wallboard(barred);
    board.expects_runs = false;
    assert!(!drawn(&board, 80, 24).contains("runs are not shown"));
    let mut app = with_keys(&of(lost), "")(Glyphs::Unicode, (120, 40));
    app.notice = None;
    assert!(picture::text(&frame(&app)).contains("RUNS UNKNOWN"));
}

fn wallboard(ledger: Ledger) -> Wallboard {
    let theme = Theme::built_in("dark").unwrap();
    let (title, environment) = ("Example".into(), "staging".into());
    let matrix = crate::tui::fixture::broken();
    let turn = Duration::from_secs(15);
    let mut board = Wallboard::new(title, environment, matrix, theme, Glyphs::Unicode, turn, now());
    board.ledger = Arc::new(ledger);
    board.expects_runs = true;
    board
}

fn drawn(board: &Wallboard, w: u16, h: u16) -> String {
    let mut buf = Buffer::empty(Rect::new(0, 0, w, h));
    super::wallboard::draw(board, now(), buf.area, &mut buf);
    picture::text(&buf)
}

fn wall(ledger: Ledger, w: u16, h: u16) -> String {
    drawn(&wallboard(ledger), w, h)
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
fn states_have_their_colours_in_every_theme_and_never_only_those() {
    for name in theme::names() {
        let theme = Theme::built_in(name).unwrap();
        let styled = |make: &dyn Fn(Glyphs, (u16, u16)) -> App| {
            let mut app = make(Glyphs::Unicode, (120, 40));
            app.theme = theme.clone();
            frame(&app)
        };
        let buf = styled(&with_keys(&full(), "4"));
        for (text, tone) in [("HELD restart", Tone::Asks), ("BROKEN", Tone::Bad), ("FORBIDS", Tone::Asks)] {
            let want =
                if text.contains("HELD") { theme.on_header(tone.style(&theme)) } else { tone.style(&theme) };
            assert_eq!(
                style_of(&buf, text).fg.unwrap_or_default(),
                want.fg.unwrap_or_default(),
                "{name}: {text}"
            );
        }
        let buf = styled(&with_keys(&ledger_of("lost"), "4/controlled⏎⏎g"));
        assert_eq!(
            style_of(&buf, "in doubt  ").fg.unwrap_or_default(),
            theme.unknown.fg.unwrap_or_default(),
            "{name}"
        );
        // Where the keys go can be seen.
        let buf = styled(&prompt(proposal(Level::L1), &Ledger::default(), ""));
        let (cancel, start) = (style_of(&buf, "[ Cancel ]"), style_of(&buf, "[ Start ]"));
        assert_ne!(
            (cancel.fg, cancel.bg, cancel.add_modifier),
            (start.fg, start.bg, start.add_modifier),
            "{name}"
        );
        if name == "sixteen" {
            for cell in buf.content() {
                assert!(!matches!(cell.fg, Color::Rgb(..) | Color::Indexed(16..)), "{name}: {:?}", cell.fg);
            }
        }
    }
}

#[test]
fn what_is_hostile_in_a_plan_or_a_journal_never_becomes_a_cell() {
    let bad = "a\x1b[2J\u{202e}b\u{9b}c\nd";
    let mut new = proposal(Level::L2);
    new.plan.title = bad.into();
    new.plan.steps[0].name = bad.into();
    new.plan.steps[0].preview = vec![bad.into()];
    new.blast[0].says = bad.into();
    new.warnings = vec![bad.into()];
    new.plan.pins[0].state = bad.into();
    let mut ledger = ledger_of("verifying");
    let run = Arc::make_mut(&mut ledger.open[0]);
    run.by.login = bad.into();
    run.plan.name = bad.into();
    run.plan.steps[1].name = bad.into();
    run.steps[1].before = bad.into();
    run.notes[0].1 = bad.into();
    ledger.tails[0].lines = vec![bad.into(), "x".repeat(5000)];
    ledger.owed[0].owe.says = bad.into();
    ledger.broken = vec![("x".into(), bad.into())];
    let apps = [
        prompt(new, &Ledger::default(), "")(Glyphs::Unicode, (120, 40)),
        with_keys(&ledger, "4/controlled⏎⏎")(Glyphs::Unicode, (120, 40)),
        with_keys(&ledger, "4")(Glyphs::Unicode, (120, 40)),
        with_keys(&ledger, "X")(Glyphs::Unicode, (120, 40)),
    ];
    for app in apps {
        let buf = frame(&app);
        for cell in buf.content() {
            assert!(!cell.symbol().chars().any(is_hostile), "{:?}\n{}", cell.symbol(), picture::text(&buf));
        }
    }
}

#[test]
fn all_of_a_plan_can_be_read_on_the_smallest_screen() {
    for (w, h) in [(40, 12), (80, 24)] {
        let mut app = prompt(proposal(Level::L2), &Ledger::default(), "")(Glyphs::Unicode, (w, h));
        let mut seen = String::new();
        for _ in 0..120 {
            seen.push_str(&picture::text(&frame(&app)));
            press(&mut app, "↓");
        }
        for part in [
            "staging",
            "staging, host",
            "drops 41 live sessions",
            "--no-ask-password",
            "step 5 of 5",
            "undone by",
            "active, running",
        ] {
            assert!(seen.contains(part), "{part} at {w}x{h}:\n{seen}");
        }
    }
}

/// Without a key: where, to whom, what to type, and that there is more.
#[test]
fn the_smallest_prompt_says_at_once_what_decides() {
    let app = prompt(proposal(Level::L3), &Ledger::default(), "")(Glyphs::Unicode, (40, 12));
    let text = picture::text(&frame(&app));
    for part in [
        "L3 Drain and recover?",
        "to whom: drops 41 live sessions",
        "Example, staging, host core",
        "type drain core 41 exactly",
        "reason:",
        "more lines: arrows, PgDn",
        "Esc leaves it undone",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn a_run_shows_what_it_left_owed_as_it_is_now() {
    for size in [(120, 40), (80, 24)] {
        let mut ledger = ledger_of("failed");
        let shown = |ledger: &Ledger| {
            picture::text(&frame(&with_keys(ledger, "4/controlled⏎↓⏎")(Glyphs::Unicode, size)))
        };
        assert!(shown(&ledger).contains("OWED for 3m: the ingress is closed"), "{}", shown(&ledger));
        // An older run left the same open before it.
        let its = std::mem::replace(&mut ledger.owed[0].run, RunId::new("older"));
        ledger.owed[0].also = vec![its];
        assert!(shown(&ledger).contains("OWED for 3m: the ingress is closed"), "{}", shown(&ledger));
        ledger.owed.clear();
        let text = shown(&ledger);
        assert!(text.contains("was owed and is settled: the ingress is closed"), "{text}");
        assert!(!text.contains("OWED"), "{text}");
    }
}

/// What is being undone, or perhaps undone, is not shown as verified.
#[test]
fn a_step_that_is_being_undone_is_shown_so() {
    let (_, mut run, _) = runs().into_iter().find(|(name, ..)| *name == "failed").unwrap();
    let (by, step) = (run.by.clone(), run.plan.steps[0].id.clone());
    let resumed = Told::Resumed { by, runner: 2, mode: Mode::Rollback, reason: None, second: None };
    for event in [resumed, Told::RollbackIntended { step, before: String::new() }] {
        run.apply(&Entry { n: run.last.0 + 1, at: now().wall, event }).unwrap();
    }
    for (alive, want, badge) in [(true, "being undone", "UNDO restart"), (false, "undo in doubt", "IN DOUBT")]
    {
        let (runs, open) = (vec![run.line(alive)], vec![Arc::new(run.clone())]);
        let ledger = Ledger { runs, open, ..ledger_of("failed") };
        let text =
            picture::text(&frame(&with_keys(&ledger, "4/controlled⏎⏎")(Glyphs::Unicode, (120, 40))));
        assert!(text.contains(want) && text.contains(badge), "{want}:\n{text}");
        let mut lines = text.lines().filter(|l| l.contains("1.  Close"));
        assert!(lines.all(|l| !l.contains("verified")), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever is pressed at whatever size: no panic, nothing outside.
    #[test]
    fn no_size_and_no_keys_break_a_frame(
        width in 0u16..200, height in 0u16..60, keys in "[a-zA-Z1-9/⏎⇥→↓⇟…]{0,16}", proposed in any::<bool>(), level in 0usize..5,
    ) {
        let mut app = app_with(full(), Glyphs::Ascii, width, height);
        if proposed {
            press(&mut app, ["R", "R", "R", "D", "C"][level]);
            let level = [Level::L0, Level::L1, Level::L2, Level::L3, Level::L4][level];
            let _ = update(&mut app, now(), Event::Proposed(Ok(proposal(level))));
        }
        press(&mut app, &keys);
        let text = picture::text(&frame(&app));
        prop_assert!(text.lines().all(|l| columns(l) <= usize::from(width)));
        prop_assert!(text.is_ascii(), "{}", text);
    }
}
