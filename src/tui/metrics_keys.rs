//! Keys on the metrics screen and in its prompt: what they change and what they ask for.

use super::app::{App, Effect, Mode, Screen};
use super::command::Action;
use super::model::metrics::{self, FamilyRow, Page};
use super::model::prompt::Prompt;
use super::typing::{MAX_EXPRESSION, edit};
use super::view;
use super::widget::canvas::Form;
use crate::clock::Now;
use crate::domain::text::one_line;
use crossterm::event::{KeyCode, KeyEvent};
use std::fmt::Write as _;

/// Opens the prompt on what is at hand: the graph, the family under the cursor, the last expression.
pub fn open_prompt(app: &mut App) {
    let m = &app.metrics;
    let text = match (app.screen, m.page) {
        (Screen::Metrics, Page::Graph) => {
            app.graphs.get(m.graph).and_then(|g| g.lines.first()).map(|l| l.expr.text().to_owned())
        }
        (Screen::Metrics, Page::Families) => selected_family(app).map(metrics::expression_for),
        _ => m.query.clone(),
    };
    app.screen = Screen::Metrics;
    app.metrics.page = Page::Query;
    app.mode = Mode::Prompt(Box::new(Prompt::with(text.as_deref().unwrap_or_default())));
}

fn selected_family(app: &App) -> Option<&crate::domain::board::Family> {
    let rows = metrics::family_rows(app);
    let (FamilyRow::Family(at) | FamilyRow::Series(at, _)) = *rows.get(app.metrics.family)?;
    metrics::shown_families(app, app.board())?.list.get(at)
}

pub fn on_prompt_key(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    let board = std::sync::Arc::clone(app.board());
    let Mode::Prompt(prompt) = &mut app.mode else { return Vec::new() };
    match key.code {
        // The first Esc puts the offer away, the next the prompt.
        KeyCode::Esc if prompt.completion.is_some() => prompt.completion = None,
        KeyCode::Esc => app.mode = Mode::Normal,
        KeyCode::Tab => prompt.complete(&board.names, &board.labels, true),
        KeyCode::BackTab => prompt.complete(&board.names, &board.labels, false),
        KeyCode::Up => prompt.recall(&app.metrics.history, true),
        KeyCode::Down => prompt.recall(&app.metrics.history, false),
        KeyCode::Enter if prompt.input.value().trim().is_empty() => {
            app.metrics.query = None;
            app.mode = Mode::Normal;
        }
        KeyCode::Enter => {
            if let Some(expr) = prompt.accept() {
                app.metrics.remember(&expr);
                (app.metrics.query, app.metrics.line, app.metrics.cursor) = (Some(expr), None, None);
                app.mode = Mode::Normal;
            }
        }
        _ => {
            if edit(&mut prompt.input, key, MAX_EXPRESSION) {
                prompt.changed();
            }
        }
    }
    Vec::new()
}

/// What any page of the screen does with the keys of time, and the ways between pages.
pub fn act(app: &mut App, now: Now, action: Action) -> Vec<Effect> {
    let at = app.shown_at(now).wall.as_millisecond();
    let m = &mut app.metrics;
    match action {
        Action::ZoomIn | Action::ZoomOut | Action::Earlier | Action::Later => {
            match action {
                Action::ZoomIn => m.zoom_in(at),
                Action::ZoomOut => m.zoom_out(),
                Action::Earlier => m.earlier(at),
                _ => m.later(at),
            }
            m.hold_cursor(at);
        }
        Action::ToNow => (m.end, m.cursor) = (None, None),
        Action::NextPage => {
            m.page = match m.page {
                Page::Graphs | Page::Graph => Page::Targets,
                Page::Targets | Page::Families => Page::Query,
                Page::Query => Page::Graphs,
            };
            (m.cursor, m.line) = (None, None);
            m.filter.reset();
        }
        Action::Copy => return copy(app, now),
        action => match m.page {
            Page::Graphs => act_on_grid(app, action),
            Page::Graph | Page::Query => act_on_graph(app, at, action),
            Page::Targets => act_on_targets(app, action),
            Page::Families => act_on_families(app, action),
        },
    }
    Vec::new()
}

/// Blocks where there was Braille, and back.
pub fn next_form(app: &mut App) {
    app.metrics.form = if app.metrics.form == Form::Braille { Form::Block } else { Form::Braille };
}

/// A place in a list after a key of movement; `None` for other keys.
pub fn moved(at: usize, count: usize, page: usize, action: Action) -> Option<usize> {
    let last = count.saturating_sub(1);
    let to = match action {
        Action::Up => at.saturating_sub(1),
        Action::Down => at + 1,
        Action::PageUp => at.saturating_sub(page.max(1)),
        Action::PageDown => at + page.max(1),
        Action::First => 0,
        Action::Last => last,
        _ => return None,
    };
    Some(to.min(last))
}

fn act_on_grid(app: &mut App, action: Action) {
    let listed = metrics::listed(app);
    let grid = view::metrics::grid(app);
    let at = listed.iter().position(|g| *g == app.metrics.graph).unwrap_or(0);
    let last = listed.len().saturating_sub(1);
    let to = match action {
        Action::Left => Some(at.saturating_sub(1)),
        Action::Right => Some(at + 1),
        Action::Up if at >= grid.across => Some(at - grid.across),
        Action::Down if at + grid.across <= last => Some(at + grid.across),
        // A last row that is not full: from above it, down is to its end.
        Action::Down if at / grid.across < last / grid.across => Some(last),
        Action::PageUp => Some(at.saturating_sub(grid.across * grid.rows)),
        Action::PageDown => Some(at + grid.across * grid.rows),
        Action::First => Some(0),
        Action::Last => Some(last),
        _ => None,
    };
    if let Some(graph) = to.and_then(|to| listed.get(to.min(last))) {
        app.metrics.graph = *graph;
        return;
    }
    let m = &mut app.metrics;
    match action {
        Action::Open if !listed.is_empty() => {
            // What the filter hid is not what is opened.
            m.graph = listed.get(at).copied().unwrap_or(m.graph);
            m.page = Page::Graph;
            (m.line, m.cursor) = (None, None);
        }
        Action::Back if !m.filter.value().is_empty() => m.filter.reset(),
        Action::Back => app.screen = Screen::Overview,
        _ => {}
    }
}

/// The number of lines of the graph in full size.
fn lines(app: &App) -> usize {
    let board = app.board();
    match app.metrics.page {
        Page::Query => view::query::answer(app).map_or(0, |a| a.lines.len()),
        _ => board.graphs.iter().find(|g| g.index.0 == app.metrics.graph).map_or(0, |g| g.lines.len()),
    }
}

fn act_on_graph(app: &mut App, now: i64, action: Action) {
    let count = lines(app).min(super::widget::graph::MAX_LINES);
    let (from, to) = view::metrics::shown_range(app, now);
    let step = (to - from) / i64::from(view::metrics::cells(app.size.0).max(1));
    let m = &mut app.metrics;
    match action {
        Action::Left => m.cursor = Some(m.cursor.map_or(to, |c| c - step).clamp(from, to)),
        Action::Right => m.cursor = Some(m.cursor.map_or(from, |c| c + step).clamp(from, to)),
        Action::First => m.cursor = Some(from),
        Action::Last => m.cursor = Some(to),
        Action::Down => m.line = Some(m.line.map_or(0, |l| l + 1)).map(|l| l.min(count.max(1) - 1)),
        Action::Up => m.line = m.line.and_then(|l| l.checked_sub(1)),
        Action::PageDown | Action::PageUp if m.page == Page::Graph => {
            let listed = metrics::listed(app);
            let at = listed.iter().position(|g| *g == app.metrics.graph).unwrap_or(0);
            let to = if action == Action::PageDown { at + 1 } else { at.saturating_sub(1) };
            if let Some(graph) = listed.get(to) {
                app.metrics.graph = *graph;
                app.metrics.line = None;
            }
        }
        Action::Open if m.page == Page::Query => open_prompt(app),
        Action::Back if m.cursor.is_some() => m.cursor = None,
        Action::Back if m.line.is_some() => m.line = None,
        Action::Back => m.page = Page::Graphs,
        _ => {}
    }
}

fn act_on_targets(app: &mut App, action: Action) {
    let count = app.board().targets.len();
    let page = view::body_height(app).saturating_sub(3);
    if let Some(to) = moved(app.metrics.target, count, page, action) {
        app.metrics.target = to;
        return;
    }
    let m = &mut app.metrics;
    match action {
        Action::Open if count > 0 => {
            m.page = Page::Families;
            m.family = 0;
            m.open.clear();
            m.filter.reset();
        }
        Action::Back => m.page = Page::Graphs,
        _ => {}
    }
}

fn act_on_families(app: &mut App, action: Action) {
    let rows = metrics::family_rows(app);
    let page = view::body_height(app).saturating_sub(3);
    if let Some(to) = moved(app.metrics.family, rows.len(), page, action) {
        app.metrics.family = to;
        return;
    }
    match action {
        Action::Open | Action::Fold | Action::Left | Action::Right => {
            let Some(name) = selected_family(app).map(|f| f.name.clone()) else { return };
            if !app.metrics.open.remove(&name) {
                app.metrics.open.insert(name.clone());
            }
            // Closing takes the cursor back to the family.
            let board = std::sync::Arc::clone(app.board());
            let is_it = |row: &FamilyRow| matches!(row, FamilyRow::Family(at) if metrics::shown_families(app, &board).and_then(|f| f.list.get(*at)).is_some_and(|f| f.name == name));
            app.metrics.family = metrics::family_rows(app).iter().position(is_it).unwrap_or(0);
        }
        Action::Back if !app.metrics.filter.value().is_empty() => app.metrics.filter.reset(),
        Action::Back => app.metrics.page = Page::Targets,
        _ => {}
    }
}

/// What is looked at as text: the lines of the graph with their values, or the family.
fn copy(app: &mut App, now: Now) -> Vec<Effect> {
    let at = app.shown_at(now);
    let m = &app.metrics;
    let mut text = format!("{} at {}\n", app.title, at.wall.strftime("%Y-%m-%dT%H:%M:%SZ"));
    match m.page {
        Page::Graphs | Page::Graph => {
            let Some(graph) = app.graphs.get(m.graph) else { return Vec::new() };
            let Some(data) = app.board().graphs.iter().find(|g| g.index.0 == m.graph) else {
                return Vec::new();
            };
            text.push_str(&graph.title);
            text.push('\n');
            for drawn in &data.lines {
                let end = m.cursor.unwrap_or(data.to);
                let value = super::widget::trace::value_at(&drawn.line.samples, end, data.step);
                let value = value.map_or("-".to_owned(), |v| v.to_string());
                let _ = writeln!(text, "  {} {value}", one_line(&drawn.legend, 200));
            }
        }
        Page::Query => {
            let Some(answer) = view::query::answer(app) else { return Vec::new() };
            text.push_str(&answer.expr);
            text.push('\n');
            for line in &answer.lines {
                let end = m.cursor.unwrap_or(answer.to);
                let value = super::widget::trace::value_at(&line.samples, end, answer.step);
                let value = value.map_or("-".to_owned(), |v| v.to_string());
                let _ = writeln!(text, "  {} {value}", one_line(&line.labels.to_string(), 400));
            }
        }
        Page::Targets => {
            let Some(target) = app.board().targets.get(m.target) else { return Vec::new() };
            let _ = writeln!(
                text,
                "{} {}: {}",
                one_line(&target.id, 80),
                one_line(&target.url, 200),
                one_line(&target.reason, 300)
            );
        }
        Page::Families => {
            let Some(family) = selected_family(app) else { return Vec::new() };
            let _ = writeln!(
                text,
                "{} ({}) {}",
                one_line(&family.name, 200),
                one_line(&family.kind, 40),
                one_line(&family.help, 300)
            );
            for (labels, value) in &family.series {
                let _ = writeln!(text, "  {} {}", one_line(labels, 400), one_line(value, 200));
            }
        }
    }
    app.note("copied", now);
    vec![Effect::Copy(text)]
}

/// Moves the windows so that what is under the cursor is in them.
pub fn keep_in_view(app: &mut App) {
    let listed = metrics::listed(app);
    let grid = view::metrics::grid(app);
    let at = listed.iter().position(|g| *g == app.metrics.graph).unwrap_or(0);
    let row = at / grid.across.max(1);
    let rows = listed.len().div_ceil(grid.across.max(1));
    let most = rows.saturating_sub(grid.rows);
    app.metrics.scroll = app.metrics.scroll.clamp((row + 1).saturating_sub(grid.rows), row).min(most);
    app.metrics.target = app.metrics.target.min(app.board().targets.len().saturating_sub(1));
    let families = metrics::family_rows(app).len();
    if families > 0 {
        app.metrics.family = app.metrics.family.min(families - 1);
    }
}
