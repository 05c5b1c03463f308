//! Keys on the screen of procedures, and in the view of one run.

use super::act_keys::begin;
use super::app::{App, Effect, Mode, Screen};
use super::command::Action;
use super::metrics_keys::moved;
use super::model::dialog::Dialog;
use super::model::procedures::{self, ActRow, RunView};
use super::model::question::Question;
use super::model::run_view;
use super::view;
use crate::clock::Now;
use crate::domain::units::second;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Lines that one key scrolls the details by.
const DETAIL_STEP: usize = 4;

pub fn act(app: &mut App, now: Now, action: Action) -> Vec<Effect> {
    if app.acting.view.run.is_some() { act_on_run(app, now, action) } else { act_on_list(app, now, action) }
}

/// The row under the cursor.
pub fn selected(app: &App) -> Option<ActRow> {
    let rows = procedures::rows(app);
    rows.get(position(app, &rows)).cloned()
}

/// Where the cursor is: on what was selected, or at the top when that is gone.
pub fn position(app: &App, rows: &[ActRow]) -> usize {
    let selected = app.acting.view.selected.as_ref();
    selected.and_then(|s| rows.iter().position(|r| r == s)).unwrap_or(0)
}

fn act_on_list(app: &mut App, now: Now, action: Action) -> Vec<Effect> {
    let rows = procedures::rows(app);
    let here = position(app, &rows);
    let page = view::procedures::page_height(app).saturating_sub(1);
    if let Some(to) = moved(here, rows.len(), page, action) {
        app.acting.view.selected = rows.get(to).cloned();
        app.acting.view.detail_scroll = 0;
        return Vec::new();
    }
    match action {
        Action::Open => return open(app, now, rows.get(here)),
        Action::DetailDown => {
            let last = view::procedures::last_scroll(app, now);
            app.acting.view.detail_scroll = (app.acting.view.detail_scroll + DETAIL_STEP).min(last);
        }
        Action::DetailUp => {
            app.acting.view.detail_scroll = app.acting.view.detail_scroll.saturating_sub(DETAIL_STEP);
        }
        Action::Fold => app.acting.view.detail = !app.acting.view.detail,
        Action::Back if app.acting.view.detail => app.acting.view.detail = false,
        Action::Back if !app.acting.view.filter.value().is_empty() => app.acting.view.filter.reset(),
        Action::Back => app.screen = Screen::Overview,
        _ => {}
    }
    Vec::new()
}

/// Enter on a row: plans a procedure, shows a run, shows the plan that waits.
fn open(app: &mut App, now: Now, row: Option<&ActRow>) -> Vec<Effect> {
    let ledger = Arc::clone(&app.ledger);
    match row {
        Some(ActRow::Procedure(id)) => return begin(app, now, id, BTreeMap::new(), true),
        Some(ActRow::Run(id)) => app.acting.view.run = Some(RunView::of(id.clone())),
        Some(ActRow::Owed(run, id)) => {
            let by =
                ledger.owed.iter().find(|o| o.owe.id == *id && o.run == *run).and_then(|o| o.owe.by.clone());
            match by {
                Some(by) => return begin(app, now, &by, BTreeMap::new(), true),
                None => app.acting.view.run = Some(RunView::of(run.clone())),
            }
        }
        Some(ActRow::Interlock(id)) => {
            if let Some(raised) = ledger.interlocks.iter().find(|i| i.id == *id) {
                app.acting.view.run = Some(RunView::of(raised.run.clone()));
            }
        }
        Some(ActRow::Waiting(id)) => {
            let Some(waiting) = ledger.waiting.iter().find(|w| w.id == *id) else { return Vec::new() };
            if app.acting.me == Some(waiting.uid) {
                app.note("your own plan: another person approves it, under their own user", now);
            } else if let Some(by) = &waiting.approved {
                app.note(format!("{by} has approved it already"), now);
            } else {
                app.mode = Mode::Act(Box::new(Dialog::Question(Question::approve(waiting, now))));
            }
        }
        Some(ActRow::Broken(_)) => app.acting.view.detail = true,
        None => {}
    }
    Vec::new()
}

fn act_on_run(app: &mut App, now: Now, action: Action) -> Vec<Effect> {
    let ledger = Arc::clone(&app.ledger);
    let Some(view) = app.acting.view.run.clone() else { return Vec::new() };
    let run = run_view::find(&ledger, &view.id);
    let count = run.map_or(0, |r| r.steps.len());
    let here = view.step.or_else(|| run.map(|r| run_view::current(r))).unwrap_or(0);
    let page = view::run::page_height(app, now).saturating_sub(1);
    let last = view::run::last_scroll(app, now);
    let to = moved(here, count, page, action);
    let Some(view) = &mut app.acting.view.run else { return Vec::new() };
    if let Some(to) = to {
        (view.step, view.detail_scroll) = (Some(to), 0);
        return Vec::new();
    }
    match action {
        Action::Open | Action::Fold => view.detail = !view.detail,
        Action::DetailDown => view.detail_scroll = (view.detail_scroll + DETAIL_STEP).min(last),
        Action::DetailUp => view.detail_scroll = view.detail_scroll.saturating_sub(DETAIL_STEP),
        Action::Back if view.detail => view.detail = false,
        // The cursor follows the run again before the view is left.
        Action::Back if view.step.is_some() => view.step = None,
        Action::Back => app.acting.view.run = None,
        Action::Copy => {
            let Some(run) = run else { return Vec::new() };
            let state = run_view::state(&ledger, run);
            let at = second(now.wall);
            let mut text = format!("{} run {} ({} at {at})\n", run.plan.name, run.id, app.title);
            for (_, said) in run_view::banner(&ledger, run, now) {
                let _ = writeln!(text, "  {said}");
            }
            for (at, step) in run.plan.steps.iter().enumerate() {
                if let Some(line) = run_view::step_line(run, at, state, now) {
                    let _ = writeln!(
                        text,
                        "  {}. {}: {} {} {}",
                        at + 1,
                        step.name,
                        line.word,
                        line.time,
                        line.says
                    );
                }
            }
            app.note("copied", now);
            return vec![Effect::Copy(text)];
        }
        _ => {}
    }
    Vec::new()
}

/// Moves the windows so that what is under the cursor is in them.
pub fn keep_in_view(app: &mut App, now: Now) {
    if app.acting.view.run.is_some() {
        let ledger = Arc::clone(&app.ledger);
        let height = view::run::page_height(app, now).max(1);
        let Some(view) = &mut app.acting.view.run else { return };
        let Some(run) = run_view::find(&ledger, &view.id) else { return };
        let count = run.steps.len();
        view.step = view.step.map(|s| s.min(count.saturating_sub(1)));
        let here = view.step.unwrap_or_else(|| run_view::current(run));
        // The step that comes next is seen, too, where there is room for three.
        let ahead = usize::from(height >= 3);
        view.scroll = view
            .scroll
            .clamp((here + 1 + ahead).saturating_sub(height), here)
            .min(count.saturating_sub(height.min(count)));
        return;
    }
    let rows = procedures::rows(app);
    let lines = view::procedures::lines(&rows, &app.ledger);
    let here = position(app, &rows);
    let line = lines.iter().position(|l| *l == view::procedures::Shown::Row(here)).unwrap_or(0);
    let height = view::procedures::page_height(app).max(1);
    // The heading above the first row comes along.
    let top = if line == 1 && height > 1 { 0 } else { line };
    app.acting.view.scroll = app
        .acting
        .view
        .scroll
        .clamp((line + 1).saturating_sub(height).min(top), top)
        .min(lines.len().saturating_sub(height.min(lines.len())));
}
