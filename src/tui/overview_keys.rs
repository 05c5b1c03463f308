//! Keys on the overview: the cursor among layers and probes, folds, details, copies.

use super::app::{App, Effect, Screen};
use super::command::Action;
use super::model::detail;
use super::model::rows::{self, RowId};
use super::view;
use crate::clock::Now;
use crate::domain::observation::ProbeIndex;
use crate::domain::units::second;

/// Lines that one key scrolls the details by.
const DETAIL_STEP: usize = 4;

pub fn act(app: &mut App, now: Now, action: Action) -> Vec<Effect> {
    let rows = app.rows(now);
    let at = position(app, &rows);
    let page = view::overview::page_height(app).max(2) - 1;
    let target = match action {
        Action::Up => Some(at.saturating_sub(1)),
        Action::Down => Some(at + 1),
        Action::PageUp => Some(at.saturating_sub(page)),
        Action::PageDown => Some(at + page),
        Action::First => Some(0),
        Action::Last => Some(usize::MAX),
        Action::NextProblem => {
            let next = rows::next_problem(app, &rows, at, now);
            if next.is_none() {
                app.note("nothing here is failing", now);
            }
            next
        }
        _ => None,
    };
    if let Some(target) = target {
        app.selected = rows.get(target.min(rows.len().saturating_sub(1))).copied();
        app.detail_scroll = 0;
        return Vec::new();
    }
    let selected = rows.get(at).copied();
    match action {
        Action::Back => back(app),
        Action::Open if app.screen == Screen::Overview => app.detail = !app.detail,
        // The view stops at the last line; what is beyond it is taken back here.
        Action::DetailDown if app.detail => {
            let last = view::detail::last_scroll(app, selected, now);
            app.detail_scroll = (app.detail_scroll + DETAIL_STEP).min(last);
        }
        Action::DetailUp => app.detail_scroll = app.detail_scroll.saturating_sub(DETAIL_STEP),
        Action::OnlyProblems => {
            app.only_problems = !app.only_problems;
            app.note(if app.only_problems { "only what is not up" } else { "everything" }, now);
        }
        Action::Fold | Action::Left | Action::Right => fold(app, selected),
        Action::FoldAll => {
            let all = app.matrix().layers().len();
            app.folded = if app.folded.is_empty() { (0..all).collect() } else { [].into() };
        }
        Action::PollNow => return poll(app, now, selected),
        Action::Copy => return copy(app, now, selected),
        _ => {}
    }
    Vec::new()
}

/// Closes the innermost thing that is open; with nothing open it does nothing.
fn back(app: &mut App) {
    if app.screen != Screen::Overview {
        app.screen = Screen::Overview;
    } else if app.detail {
        app.detail = false;
    } else if !app.filter.value().is_empty() {
        app.filter.reset();
    } else {
        app.only_problems = false;
    }
}

fn fold(app: &mut App, selected: Option<RowId>) {
    let layer = match selected {
        Some(RowId::Layer(l)) => l,
        Some(RowId::Probe(p)) => match app.matrix().probe(p) {
            Some((meta, _)) => meta.layer,
            None => return,
        },
        None => return,
    };
    if !app.folded.remove(&layer) {
        app.folded.insert(layer);
        app.selected = Some(RowId::Layer(layer));
    }
}

fn poll(app: &mut App, now: Now, selected: Option<RowId>) -> Vec<Effect> {
    let probes: Vec<ProbeIndex> = match selected {
        Some(RowId::Probe(p)) => vec![p],
        Some(RowId::Layer(l)) => app.matrix().of_layer(l).collect(),
        None => return Vec::new(),
    };
    let what = match selected {
        Some(RowId::Probe(p)) => app.matrix().probe(p).map_or(String::new(), |(m, _)| m.name.clone()),
        Some(RowId::Layer(l)) => app.matrix().layers().get(l).map_or(String::new(), |m| m.name.clone()),
        None => String::new(),
    };
    app.note(format!("looking at {what}"), now);
    vec![Effect::PollNow(probes)]
}

fn copy(app: &mut App, now: Now, selected: Option<RowId>) -> Vec<Effect> {
    let at = app.shown_at(now);
    let matrix = app.matrix();
    let (name, lines) = match selected {
        Some(RowId::Probe(p)) => {
            (matrix.probe(p).map_or("", |(m, _)| m.name.as_str()), detail::of_probe(matrix, p, at))
        }
        Some(RowId::Layer(l)) => {
            (matrix.layers().get(l).map_or("", |m| m.name.as_str()), detail::of_layer(matrix, l, at))
        }
        None => return Vec::new(),
    };
    let mut text = format!("{name} ({} at {})\n", app.title, second(at.wall));
    for line in lines {
        let line = match line {
            detail::Line::Title(t) => format!("{t}:"),
            detail::Line::Field(name, value, _) => format!("  {name}: {value}"),
            detail::Line::Text(t) | detail::Line::Raw(t) => format!("  {t}"),
        };
        text.push_str(&line);
        text.push('\n');
    }
    app.note("copied", now);
    vec![Effect::Copy(text)]
}

/// Where the cursor is among the rows: on what was selected, or where that was last seen.
pub fn position(app: &App, rows: &[RowId]) -> usize {
    match app.selected {
        None => 0,
        Some(id) => {
            rows.iter().position(|r| *r == id).unwrap_or_else(|| app.scroll.min(rows.len().saturating_sub(1)))
        }
    }
}

/// Moves the window so that the cursor is in it.
pub fn keep_in_view(app: &mut App, now: Now) {
    let rows = app.rows(now);
    let at = position(app, &rows);
    let height = view::overview::page_height(app).max(1);
    app.scroll = app
        .scroll
        .clamp((at + 1).saturating_sub(height), at)
        .min(rows.len().saturating_sub(height.min(rows.len())));
}
