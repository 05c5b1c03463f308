//! Keys on the screen of alerts.

use super::app::{App, Effect, Screen};
use super::command::Action;
use super::metrics_keys::moved;
use super::model::alert_detail;
use super::model::alerts::{self, AlertRow};
use super::model::detail::Line;
use super::view;
use crate::clock::Now;
use crate::domain::units::second;

/// Lines that one key scrolls the details by.
const DETAIL_STEP: usize = 4;

pub fn act(app: &mut App, now: Now, action: Action) -> Vec<Effect> {
    let at = app.shown_at(now);
    let rows = alerts::rows(app.board(), &app.alerts, at);
    let here = position(app, &rows);
    let page = view::alerts::page_height(app).saturating_sub(1);
    let mut to = moved(here, rows.len(), page, action);
    if action == Action::NextProblem {
        let found = (1..=rows.len()).map(|step| (here + step) % rows.len());
        let board = app.board();
        to = { found }.find(|i| rows.get(*i).is_some_and(|r| alerts::is_problem(board, *r, at)));
        if to.is_none() {
            app.note("nothing here asks for attention", now);
        }
    }
    if let Some(to) = to {
        app.alerts.selected = rows.get(to).copied();
        app.alerts.detail_scroll = 0;
        return Vec::new();
    }
    let selected = rows.get(here).copied();
    match action {
        Action::Open => app.alerts.detail = !app.alerts.detail,
        Action::DetailDown if app.alerts.detail => {
            let last = view::alerts::last_scroll(app, selected, at);
            app.alerts.detail_scroll = (app.alerts.detail_scroll + DETAIL_STEP).min(last);
        }
        Action::DetailUp => app.alerts.detail_scroll = app.alerts.detail_scroll.saturating_sub(DETAIL_STEP),
        Action::OnlyProblems => {
            app.alerts.only_problems = !app.alerts.only_problems;
            let word = if app.alerts.only_problems { "only what asks for attention" } else { "everything" };
            app.note(word, now);
        }
        Action::Back => back(app),
        Action::Copy => return copy(app, now, selected),
        _ => {}
    }
    Vec::new()
}

/// Closes the innermost thing that is open.
fn back(app: &mut App) {
    if app.alerts.detail {
        app.alerts.detail = false;
    } else if !app.alerts.filter.value().is_empty() {
        app.alerts.filter.reset();
    } else if app.alerts.only_problems {
        app.alerts.only_problems = false;
    } else {
        app.screen = Screen::Overview;
    }
}

fn copy(app: &mut App, now: Now, selected: Option<AlertRow>) -> Vec<Effect> {
    let at = app.shown_at(now);
    let Some((name, lines)) = selected.and_then(|row| alert_detail::of_row(app.board(), row, at)) else {
        return Vec::new();
    };
    let mut text = format!("{name} ({} at {})\n", app.title, second(at.wall));
    for line in lines {
        let line = match line {
            Line::Title(t) => format!("{t}:"),
            Line::Field(name, value, _) => format!("  {name}: {value}"),
            Line::Text(t) | Line::Raw(t) => format!("  {t}"),
        };
        text.push_str(&line);
        text.push('\n');
    }
    app.note("copied", now);
    vec![Effect::Copy(text)]
}

/// Where the cursor is among the rows: on what was selected, or at the top when that is gone.
pub fn position(app: &App, rows: &[AlertRow]) -> usize {
    app.alerts.selected.and_then(|s| rows.iter().position(|r| *r == s)).unwrap_or(0)
}

/// Moves the window so that the cursor is in it.
pub fn keep_in_view(app: &mut App, now: Now) {
    let at = app.shown_at(now);
    let rows = alerts::rows(app.board(), &app.alerts, at);
    let lines = view::alerts::lines(&rows);
    let here = position(app, &rows);
    let line = lines.iter().position(|l| *l == view::alerts::Shown::Row(here)).unwrap_or(0);
    let height = view::alerts::page_height(app).max(1);
    // The heading above the first row of a section comes along.
    let top = if line == 1 && height > 1 { 0 } else { line };
    app.alerts.scroll = app
        .alerts
        .scroll
        .clamp((line + 1).saturating_sub(height), top)
        .min(lines.len().saturating_sub(height.min(lines.len())));
}
