//! The screen of alerts: alerts, objectives and rules, with the details of one below.

use super::alert_panel::{Ink, alert_line, heading, severity_width, slo_line};
use super::frame::{ABOVE, BELOW};
use super::paint::Pen;
use crate::clock::Now;
use crate::domain::alert::view::{AlertView, RuleView};
use crate::tui::alerts_keys::position;
use crate::tui::app::App;
use crate::tui::model::alert_detail;
use crate::tui::model::alerts::{self, AlertRow, Grade, rule_state, safe};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::HashMap;

/// A line of the list: the heading of a section, or a row by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Heading(&'static str),
    Row(usize),
}

/// The rows with a heading before each section.
pub fn lines(rows: &[AlertRow]) -> Vec<Shown> {
    let mut out = Vec::with_capacity(rows.len() + 3);
    let mut section = "";
    for (at, row) in rows.iter().enumerate() {
        let of = match row {
            AlertRow::Alert(_) => "alerts",
            AlertRow::Slo(_) => "objectives",
            AlertRow::Rule(_) => "rules",
        };
        if of != section {
            out.push(Shown::Heading(of));
            section = of;
        }
        out.push(Shown::Row(at));
    }
    out
}

/// The heights of the list and of the details.
fn split(app: &App) -> (u16, u16) {
    let body = app.size.1.saturating_sub(ABOVE + BELOW);
    if !app.alerts.detail {
        return (body, 0);
    }
    let below = if body >= 14 { body * 3 / 5 } else { body };
    (body - below, below)
}

/// Lines of the list that fit, as the terminal is now.
pub fn page_height(app: &App) -> usize {
    usize::from(split(app).0.saturating_sub(above(app)))
}

/// The summary, and a line for what is silent.
fn above(app: &App) -> u16 {
    1 + u16::from(alerts::is_troubled(app.board()))
}

/// How far the details can be scrolled.
pub fn last_scroll(app: &App, row: Option<AlertRow>, at: Now) -> usize {
    let lines =
        row.and_then(|r| alert_detail::of_row(app.board(), r, at)).map(|(_, l)| l).unwrap_or_default();
    let room = usize::from(split(app).1).saturating_sub(1);
    super::detail::height_of(app, &lines).saturating_sub(room)
}

pub fn draw(app: &App, now: Now, area: Rect, buf: &mut Buffer) {
    let at = app.shown_at(now);
    let board = app.board();
    let rows = alerts::rows(board, &app.alerts, at);
    let (height, below) = split(app);
    let list = Rect { height: height.min(area.height), ..area };
    let here = position(app, &rows);
    if list.height > 0 {
        let (grade, text) = alerts::summary(board, at);
        let shown = usize::from(list.height.saturating_sub(above(app)));
        let count = lines(&rows).len();
        let first = app.alerts.scroll;
        let right = if count > shown && shown > 0 {
            format!("{}-{} of {count}", first + 1, (first + shown).min(count))
        } else {
            String::new()
        };
        heading(app, grade, &text, &right, list, buf);
        if above(app) > 1 {
            let said = alerts::troubles(board, at).join("; ");
            let style = app.theme.unknown;
            Pen::new(buf, list, 1, app.glyphs).skip(1).put("? ", style).put(&said, style);
        }
        if rows.is_empty() {
            let text = if app.alerts.filter.value().is_empty() {
                "nothing asks for attention"
            } else {
                "nothing matches the filter"
            };
            Pen::new(buf, list, above(app), app.glyphs).skip(3).put(text, app.theme.dim);
        }
    }
    let room = usize::from(list.height.saturating_sub(above(app)));
    let all = lines(&rows);
    let alerts: HashMap<u64, &AlertView> = board.alerts.iter().map(|a| (alerts::key(a), a)).collect();
    for (line, shown) in all.iter().skip(app.alerts.scroll).take(room).enumerate() {
        let place = Rect { y: list.y + above(app) + line as u16, height: 1, ..list };
        match shown {
            Shown::Heading(word) => {
                Pen::new(buf, place, 0, app.glyphs).skip(1).put(word, app.theme.text.patch(app.theme.title));
            }
            Shown::Row(index) => {
                if let Some(row) = rows.get(*index) {
                    let alert = if let AlertRow::Alert(key) = row { alerts.get(key).copied() } else { None };
                    draw_row(app, *row, alert, at, place, buf);
                }
                if *index == here {
                    buf.set_style(place, app.theme.selected);
                }
            }
        }
    }
    if below > 0 {
        let place = Rect { y: area.y + list.height, height: below.min(area.height - list.height), ..area };
        let content = rows.get(here).and_then(|r| alert_detail::of_row(board, *r, at)).unwrap_or_default();
        super::detail::pane(app, &content, app.alerts.detail_scroll, place, buf);
    }
}

/// A row; the alert it stands for is handed in, since finding one means looking at all.
fn draw_row(app: &App, row: AlertRow, alert: Option<&AlertView>, at: Now, place: Rect, buf: &mut Buffer) {
    let board = app.board();
    match row {
        AlertRow::Alert(_) => {
            if let Some(alert) = alert {
                alert_line(&Ink::of(app), board, alert, at, place, buf);
            }
        }
        AlertRow::Slo(index) => {
            if let Some(slo) = board.slos.get(index) {
                slo_line(&Ink::of(app), slo, place, buf);
            }
        }
        AlertRow::Rule(index) => {
            if let Some(rule) = board.rules.iter().find(|r| r.index == index) {
                rule_line(app, rule, at, place, buf);
            }
        }
    }
}

/// Its state, what would wake whom, its name, and why it is as it is; a blind rule says so first.
fn rule_line(app: &App, view: &RuleView, at: Now, place: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let (grade, word, why) = rule_state(view, at);
    let blind = view.blind.first();
    let grade = if blind.is_some() { grade.max(Grade::Unknown) } else { grade };
    let style = Ink::of(app).style(grade);
    let mut pen = Pen::new(buf, place, 0, app.glyphs);
    pen.skip(1).cell(app.glyphs.grade(grade), 2, style);
    pen.cell(if blind.is_some() { "blind" } else { word }, 9, style);
    let severity = severity_width(app.board());
    if place.width >= 60 {
        pen.cell(&safe(&view.severity), severity, theme.dim);
    }
    let name = (place.width * 2 / 5).clamp(12, 40);
    let name_style = if grade == Grade::Fine { theme.dim } else { theme.text };
    pen.cell(&safe(&view.name), name - 1, name_style).skip(1);
    match blind {
        Some(blind) => pen.put(&safe(&blind.what), theme.text),
        None => pen.put(&why, theme.dim),
    };
}
