//! One run: what it waits for and owes, its steps, and everything about one of them.

use super::frame::{ABOVE, BELOW};
use super::paint::{Pen, columns, fit, rule, wrap, wrap_in};
use crate::clock::Now;
use crate::domain::procedure::ledger::RunState;
use crate::domain::procedure::run::Run;
use crate::domain::text::one_line;
use crate::domain::units::short_age;
use crate::tui::app::App;
use crate::tui::command::Action;
use crate::tui::model::badge::ago;
use crate::tui::model::procedures::{self, RunView};
use crate::tui::model::run_view::{self, StepLine};
use crate::tui::model::tone::{self, Tone};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Lines that the banner may take at most.
const MOST_BANNER: usize = 6;

/// The lines above the steps, wrapped to the terminal as it is.
fn banner(app: &App, run: &Run, now: Now) -> Vec<(Tone, String)> {
    let width = usize::from(app.size.0.saturating_sub(4));
    let body = usize::from(app.size.1.saturating_sub(ABOVE + BELOW));
    let most = MOST_BANNER.min((body / 3).max(3));
    let mut all = run_view::banner(&app.ledger, run, now);
    // What is to come later gives way to what is so now.
    let lines: usize = all.iter().map(|(_, text)| wrap(text, width).len().min(2)).sum();
    if lines > most {
        all.retain(|(tone, _)| *tone != Tone::Rest);
    }
    let mut out = Vec::new();
    for (at, (tone, text)) in all.iter().enumerate() {
        // Each thing is told before any has a second line, and what has no room is counted.
        let after = all.len() - at - 1;
        let left = most.max(1).saturating_sub(out.len());
        if left <= 1 && after > 0 {
            let more = format!("; and {after} more");
            let text = fit(text, width.saturating_sub(columns(&more)), app.glyphs);
            out.push((*tone, format!("{} {text}{more}", tone.sign(app.glyphs))));
            break;
        }
        let lines = left.saturating_sub(after).clamp(1, 2);
        for (i, part) in wrap_in(text, width, lines, app.glyphs).into_iter().enumerate() {
            let sign = if i == 0 { tone.sign(app.glyphs) } else { " " };
            out.push((*tone, format!("{sign} {part}")));
        }
    }
    out
}

/// The heights of the banner with its heading, of the steps, and of the details.
fn split(app: &App, view: &RunView, run: Option<&Run>, now: Now) -> (u16, u16, u16) {
    let body = app.size.1.saturating_sub(ABOVE + BELOW);
    let above = (1 + run.map_or(0, |r| banner(app, r, now).len()) as u16).min(body);
    let left = body - above;
    let steps = run.map_or(1, |r| r.steps.len()) as u16;
    if left >= 12 {
        let list = steps.min(left / 2).max(3);
        return (above, list, left - list);
    }
    if view.detail { (above, 0, left) } else { (above, left, 0) }
}

/// Steps that fit, as the terminal is now.
pub fn page_height(app: &App, now: Now) -> usize {
    let Some(view) = &app.acting.view.run else { return 0 };
    let run = run_view::find(&app.ledger, &view.id);
    usize::from(split(app, view, run.map(AsRef::as_ref), now).1)
}

/// How far the details can be scrolled.
pub fn last_scroll(app: &App, now: Now) -> usize {
    let Some(view) = &app.acting.view.run else { return 0 };
    let Some(run) = run_view::find(&app.ledger, &view.id) else { return 0 };
    let at = view.step.unwrap_or_else(|| run_view::current(run));
    let lines = run_view::of_step(&app.ledger, run, at, now).map(|(_, l)| l).unwrap_or_default();
    let room = usize::from(split(app, view, Some(run), now).2).saturating_sub(1);
    super::detail::height_of(app, &lines).saturating_sub(room)
}

pub fn draw(app: &App, now: Now, area: Rect, buf: &mut Buffer) {
    let Some(view) = &app.acting.view.run else { return };
    let Some(run) = run_view::find(&app.ledger, &view.id) else {
        missing(app, view, area, buf);
        return;
    };
    let state = run_view::state(&app.ledger, run);
    let (above, list, below) = split(app, view, Some(run), now);
    heading(app, run, state, now, area, buf);
    for (y, (tone, text)) in banner(app, run, now).iter().enumerate() {
        Pen::new(buf, area, y as u16 + 1, app.glyphs).skip(1).put(text, tone.style(&app.theme));
    }
    let here = view.step.unwrap_or_else(|| run_view::current(run));
    for (y, at) in (view.scroll..run.steps.len()).take(usize::from(list)).enumerate() {
        let place = Rect { y: area.y + above + y as u16, height: 1, ..area };
        if place.y >= area.bottom() {
            break;
        }
        if let Some(line) = run_view::step_line(run, at, state, now) {
            let name = run.plan.steps.get(at).map_or("", |s| s.name.as_str());
            step(app, run, at, name, &line, place, buf);
        }
        if at == here {
            buf.set_style(place, app.theme.selected);
        }
    }
    let top = above + list;
    if below > 0 && top < area.height {
        let place = Rect { y: area.y + top, height: below.min(area.height - top), ..area };
        let content = run_view::of_step(&app.ledger, run, here, now).unwrap_or_default();
        super::detail::pane(app, &content, view.detail_scroll, place, buf);
    }
}

/// The run, how it stands, who began it when, and the keys that are of use now.
fn heading(app: &App, run: &Run, state: RunState, now: Now, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let (tone, word) = tone::state(state);
    rule(buf, area, 0, "", app.glyphs, theme.border, theme.border);
    let mut pen = Pen::new(buf, area, 0, app.glyphs);
    let over = |style| theme.over(style);
    pen.skip(1).put(" ", over(theme.text)).put(&one_line(&run.plan.name, 60), over(theme.title));
    pen.put(&format!(" {} ", run.plan.level), over(theme.accent)).put(word, over(tone.style(theme)));
    let age = short_age(ago(run.started, now));
    pen.put(&format!(", begun {age} ago by {} ", one_line(&run.by.login, 40)), over(theme.dim));
    let keys = keys(app, run, state);
    let wide = columns(&keys) as u16 + 2;
    if !keys.is_empty() && pen.room() > wide {
        pen.to_right(wide).put(&format!(" {keys} "), over(theme.key));
    }
}

/// The keys that mean something for a run that stands like this.
fn keys(app: &App, run: &Run, state: RunState) -> String {
    let all = [
        (Action::Answer, "answer"),
        (Action::Abort, "stop"),
        (Action::Resume, "go on"),
        (Action::Rollback, "undo"),
    ];
    let taken = all.into_iter().filter(|(action, _)| run_view::takes(*action, run, state));
    let all: Vec<String> = taken
        .map(|(action, word)| (app.keymap.key_of(action), word))
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, word)| format!("{key} {word}"))
        .collect();
    all.join("  ")
}

/// Columns of a time such as `12s of 12m 30s`.
const TIME: u16 = 15;
/// Fewer columns than this tell nothing of what a step says.
const LEAST_SAID: u16 = 16;
/// Columns of a word such as `will not run`.
const WORD: u16 = 13;

/// One step: sign, word, name, time, and what there is to say where that has room.
fn step(app: &App, run: &Run, at: usize, name: &str, line: &StepLine, place: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let style = line.tone.style(theme);
    let name_style = if line.tone == Tone::Rest { theme.dim } else { theme.text };
    let time_style = if line.time.contains("over") { theme.degraded } else { theme.dim };
    let longest = run.plan.steps.iter().map(|s| columns(&s.name)).max().unwrap_or(0) as u16;
    let (name, number) = (one_line(name, 200), format!("{}.", at + 1));
    let mut pen = Pen::new(buf, place, 0, app.glyphs);
    pen.skip(1).cell(line.tone.sign(app.glyphs), 2, style);
    if place.width < 60 {
        let how = in_short(line);
        let room = pen.room().saturating_sub(4 + WORD + 1);
        pen.cell(&number, 4, theme.dim).cell(&name, room, name_style).skip(1).put(&how, style);
        return;
    }
    pen.cell(line.word, WORD + 1, style).skip(1).cell(&number, 4, theme.dim);
    // A name is worth more than half a sentence that stands below in full.
    let room = pen.room().saturating_sub(TIME + 2);
    let most = if place.width >= 100 { room.saturating_sub(2 * LEAST_SAID) } else { room };
    pen.cell(&name, longest.clamp(8, most.max(8)), name_style).skip(1);
    pen.cell(&line.time, TIME, time_style).skip(1);
    if pen.room() >= LEAST_SAID {
        pen.put(&line.says, if line.tone == Tone::Good { theme.dim } else { theme.text });
    }
}

/// How a step stands where there is little room: its word, and how long it has been under way.
fn in_short(line: &StepLine) -> String {
    let spent = line.time.split_once(" of ").map_or(line.time.as_str(), |(spent, _)| spent);
    match line.tone {
        _ if spent.contains("over") => spent.to_owned(),
        Tone::Busy => format!("{} {spent}", line.word),
        _ => line.word.to_owned(),
    }
}

/// A run of which there is no journal here, yet or at all.
fn missing(app: &App, view: &RunView, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    rule(buf, area, 0, &format!("run {}", view.id), app.glyphs, theme.border, theme.title);
    let broken = app.ledger.broken.iter().find(|(id, _)| id == view.id.as_str());
    let (text, style) = match (broken, procedures::line(&app.ledger, &view.id)) {
        (Some((_, why)), _) => (format!("its journal cannot be read: {}", one_line(why, 300)), theme.down),
        (None, Some(line)) => {
            (format!("{}: {}; reading its journal", line.name, tone::state(line.state).1), theme.dim)
        }
        (None, None) => ("reading its journal".to_owned(), theme.dim),
    };
    let room = usize::from(area.width.saturating_sub(4));
    for (y, part) in wrap(&text, room).iter().enumerate() {
        Pen::new(buf, area, y as u16 + 1, app.glyphs).skip(2).put(part, style);
    }
}
