//! What stands over a screen while something is about to be done.

use super::confirm::{self, field};
use super::paint::{Pen, columns, rule, window, wrap};
use crate::clock::Now;
use crate::domain::text::one_line;
use crate::stack::procedure::params::describe;
use crate::tui::app::App;
use crate::tui::model::dialog::{Dialog, Menu, Told};
use crate::tui::model::form::Form;
use crate::tui::model::procedures;
use crate::tui::model::question::Question;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A line of parts with their styles, and whether it is under the cursor.
type Row = (Vec<(String, Style)>, bool);

pub fn draw(app: &App, dialog: &Dialog, now: Now, area: Rect, buf: &mut Buffer) {
    match dialog {
        Dialog::Confirm(open) => confirm::draw(app, open, now, area, buf),
        Dialog::Menu(menu) => of_menu(app, menu, area, buf),
        Dialog::Form(form) => of_form(app, form, area, buf),
        Dialog::Question(question) => of_question(app, question, area, buf),
        Dialog::Told(told) => of_told(app, told, area, buf),
    }
}

/// Columns inside the window.
fn inside(area: Rect) -> u16 {
    area.width.min(84).saturating_sub(2)
}

/// A window as high as its lines; the line under the cursor stays in it.
fn boxed(app: &App, title: &str, (rows, scroll): (&[Row], usize), foot: &str, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let width = area.width.min(84);
    // On a low screen the frame says what the keys do: the line is worth more to the rows.
    let low = confirm::is_low(app);
    let height = (rows.len() as u16 + if low { 2 } else { 3 }).min(area.height.saturating_sub(1));
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + 1, width, height };
    let inner = window(buf, place, &one_line(title, 200), app.glyphs, theme.border, theme.title, theme.text);
    let room = usize::from(inner.height.saturating_sub(u16::from(!low)));
    let at = rows.iter().rposition(|(_, here)| *here).unwrap_or(0);
    let first = (at + 1).saturating_sub(room).max(scroll.min(rows.len().saturating_sub(room)));
    for (y, (parts, _)) in rows.iter().skip(first).take(room).enumerate() {
        let mut pen = Pen::new(buf, inner, y as u16, app.glyphs);
        for (text, style) in parts {
            pen.put(text, *style);
        }
    }
    let hidden = rows.len().saturating_sub(first + room);
    if low {
        let foot = fitting(foot, usize::from(place.width).saturating_sub(4));
        rule(
            buf,
            place,
            place.height.saturating_sub(1),
            foot,
            app.glyphs,
            theme.border,
            theme.over(theme.dim),
        );
    } else {
        let foot = fitting(foot, usize::from(inner.width));
        Pen::new(buf, inner, inner.height.saturating_sub(1), app.glyphs).put(foot, theme.dim);
    }
    if hidden > 0 {
        let note = format!(" {hidden} more ");
        let mut pen = Pen::new(buf, place, place.height.saturating_sub(1), app.glyphs);
        pen.to_right(columns(&note) as u16 + 1).put(&note, theme.over(theme.accent));
    }
}

/// A line without its last clause.
fn cut_at_clause(foot: &str) -> Option<&str> {
    foot.rfind("; ").max(foot.rfind(", ")).and_then(|at| foot.get(..at))
}

/// As many whole clauses of a line as there is room for.
fn fitting(mut foot: &str, room: usize) -> &str {
    while columns(foot) > room {
        let Some(shorter) = cut_at_clause(foot) else { break };
        foot = shorter;
    }
    foot
}

fn text_rows(text: &str, width: u16, style: Style) -> impl Iterator<Item = Row> {
    indented("", text, width, style)
}

/// The lines of a text, each behind the same spaces.
fn indented(indent: &'static str, text: &str, width: u16, style: Style) -> impl Iterator<Item = Row> {
    let parts = wrap(&one_line(text, 2000), usize::from(width).saturating_sub(indent.len()));
    parts.into_iter().map(move |part| (vec![(format!("{indent}{part}"), style)], false))
}

fn of_menu(app: &App, menu: &Menu, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let mut rows: Vec<Row> = Vec::new();
    for (at, (id, known)) in menu.items.iter().enumerate() {
        let Some(procedure) = procedures::by_id(&app.procedures, id) else { continue };
        let here = at == menu.at;
        let values: Vec<String> = known.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        let level = procedures::level(app, procedure);
        let name = format!("{level:<3} {}", one_line(&procedure.title(known), 60));
        let style = if here { theme.selected.patch(theme.accent) } else { theme.text };
        let more =
            if values.is_empty() { String::new() } else { format!("  {}", one_line(&values.join(", "), 80)) };
        rows.push((vec![(name, style), (more, theme.dim)], here));
        if here {
            rows.extend(text_rows(&procedure.about, inside(area), theme.dim).take(3));
        }
    }
    let title = format!("for {}", menu.about);
    boxed(app, &title, (&rows, 0), "Enter shows the plan, Esc leaves", area, buf);
}

fn of_form(app: &App, form: &Form, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let width = inside(area);
    let mut rows: Vec<Row> =
        text_rows(&form.about, width, theme.dim).take(if area.height < 16 { 0 } else { 3 }).collect();
    let longest = form.fields.iter().map(|f| columns(&f.param.id)).max().unwrap_or(0).min(20);
    for (at, value) in form.fields.iter().enumerate() {
        let here = at == form.at;
        let label = format!("{:<longest$} : ", value.param.id);
        rows.push((field(app, &label, &value.input, here, width), here));
        let wrong = value.wrong().filter(|_| form.tried || !value.input.value().is_empty());
        match wrong {
            Some(wrong) => {
                rows.extend(indented("  ", &wrong, width, theme.down).map(|(p, _)| (p, here)));
            }
            None if here => {
                let how = if value.turns() { "; left and right choose" } else { "" };
                let about = format!("{}; {}{how}", value.param.about, describe(&value.param.kind));
                rows.extend(indented("  ", &about, width, theme.dim).map(|(p, _)| (p, here)));
            }
            None => {}
        }
    }
    let foot = "Enter plans it, Esc leaves, Tab moves; nothing happens before you confirm";
    boxed(app, &form.title(), (&rows, 0), foot, area, buf);
}

/// What it is about above, as much as there is room for; what can be typed and answered below it,
/// always.
fn of_question(app: &App, question: &Question, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let width = inside(area);
    let about: Vec<Row> = question.lines.iter().flat_map(|line| text_rows(line, width, theme.text)).collect();
    let mut below: Vec<Row> = Vec::new();
    if let Some(want) = question.type_this.as_ref().filter(|_| !question.confirmed) {
        let label = format!("type {want}: ");
        below.push((field(app, &label, &question.typed, true, width), false));
    } else if let Some(note) = &question.note {
        let label = format!("{}: ", note.label);
        below.push((field(app, &label, &note.input, true, width), false));
    }
    if let Some(word) = &question.word {
        below.extend(text_rows(word, width, theme.degraded));
    }
    for (at, (words, _)) in question.answers.iter().enumerate() {
        let here = at == question.at;
        let style = if here { theme.selected.patch(theme.accent) } else { theme.text };
        // An answer that was cut might be taken for another.
        let parts = wrap(&format!("[ {words} ]"), usize::from(width).saturating_sub(2));
        let indent = |i| if i == 0 { "" } else { "  " };
        below.extend(
            parts.iter().enumerate().map(|(i, p)| (vec![(format!("{}{p}", indent(i)), style)], here)),
        );
    }
    // The window's frame, its foot unless that is in the frame, and the row above it.
    let around = if confirm::is_low(app) { 3 } else { 4 };
    let room = usize::from(area.height.saturating_sub(around)).saturating_sub(below.len());
    let mut rows = part(app, about, question.scroll, room);
    rows.extend(below);
    boxed(app, &question.title, (&rows, 0), "Enter takes, Esc leaves, arrows choose", area, buf);
}

/// As many of the rows as there is room for, and how many there are besides.
fn part(app: &App, rows: Vec<Row>, scroll: usize, room: usize) -> Vec<Row> {
    if rows.len() <= room {
        return rows;
    }
    let room = room.saturating_sub(1);
    let (all, first) = (rows.len(), scroll.min(rows.len() - room));
    let mut shown: Vec<Row> = rows.into_iter().skip(first).take(room).collect();
    let rest = match (first, all - first - room) {
        (above, 0) => format!("{above} more lines above: PgUp"),
        (0, below) => format!("{below} more lines: PgDn"),
        (above, below) => format!("{below} more lines: PgDn; {above} above: PgUp"),
    };
    shown.push((vec![(rest, app.theme.accent)], false));
    shown
}

fn of_told(app: &App, told: &Told, area: Rect, buf: &mut Buffer) {
    let width = inside(area);
    let mut rows: Vec<Row> = Vec::new();
    for line in &told.lines {
        rows.extend(text_rows(line, width, app.theme.degraded));
    }
    boxed(app, &told.title, (&rows, told.scroll), "Enter or Esc closes, arrows scroll", area, buf);
}
