//! The way from a key to a plan, from a plan to its prompt, and from the prompt to an approval.
//! Everything here is asked for: nothing acts, and Esc leads out of all of it.

use super::app::{App, Effect, Mode, Screen};
use super::command::Action;
use super::model::confirm;
use super::model::dialog::{Dialog, Menu, Planning};
use super::model::form::{self, Form};
use super::model::procedures::{self, ActRow, RunView};
use super::model::question::{self, Question};
use super::model::rows::RowId;
use super::model::run_view;
use super::{overview_keys, procedure_keys, view};
use crate::clock::Now;
use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::event::Mode as Way;
use crate::domain::procedure::ledger::RunState;
use crate::stack::procedure::spec::Role;
use crossterm::event::{KeyCode, KeyEvent};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Commands that open something to be confirmed; they mean the same on every screen.
pub fn act(app: &mut App, now: Now, action: Action) -> Vec<Effect> {
    if let Some(role) = action.role() {
        if let Some(id) = procedures::of_role(&app.procedures, role).map(|p| p.id.clone()) {
            return begin(app, now, &id, BTreeMap::new(), false);
        }
        let what = match role {
            Role::Restart => "a controlled restart",
            Role::Drain => "drain and recover",
            Role::Contain => "emergency containment",
        };
        app.note(format!("this stack's file has no procedure for {what}"), now);
        return Vec::new();
    }
    match action {
        Action::Applies => return applies(app, now),
        Action::Answer | Action::Abort | Action::Resume | Action::Rollback => ask(app, now, action),
        _ => {}
    }
    Vec::new()
}

/// Plans a procedure, or asks for the values that it lacks. `always` shows the form also when
/// every value is known.
pub fn begin(
    app: &mut App,
    now: Now,
    id: &ProcedureId,
    known: BTreeMap<String, String>,
    always: bool,
) -> Vec<Effect> {
    let Some(procedure) = procedures::by_id(&app.procedures, id) else {
        app.note(format!("this stack's file has no procedure {id}"), now);
        return Vec::new();
    };
    let lacks = procedure.params.iter().any(|p| p.default.is_none() && !known.contains_key(&p.id));
    if lacks || (always && !procedure.params.is_empty()) {
        app.mode = Mode::Act(Box::new(Dialog::Form(Form::new(procedure, &known))));
        return Vec::new();
    }
    let name = procedure.title(&known);
    propose(app, now, id.clone(), name, known)
}

fn propose(
    app: &mut App,
    now: Now,
    procedure: ProcedureId,
    name: String,
    params: BTreeMap<String, String>,
) -> Vec<Effect> {
    app.notice = None;
    app.acting.planning = Some(Planning {
        procedure: procedure.clone(),
        name,
        params: params.clone(),
        since: now,
        ready: None,
    });
    vec![Effect::Propose { procedure, params }]
}

/// What applies to the selected row.
fn applies(app: &mut App, now: Now) -> Vec<Effect> {
    if app.screen == Screen::Procedures {
        return procedure_keys::act(app, now, Action::Open);
    }
    if app.screen != Screen::Overview {
        app.note("select a row on the overview first", now);
        return Vec::new();
    }
    let rows = app.rows(now);
    let matrix = app.matrix();
    let (probe, layer, about) = match rows.get(overview_keys::position(app, &rows)) {
        Some(RowId::Probe(index)) => match matrix.probe(*index) {
            Some((meta, _)) => {
                let layer = matrix.layers().get(meta.layer).map_or("", |l| l.id.as_str());
                (Some(meta.id.as_str().to_owned()), layer.to_owned(), meta.name.clone())
            }
            None => return Vec::new(),
        },
        Some(RowId::Layer(index)) => match matrix.layers().get(*index) {
            Some(layer) => (None, layer.id.as_str().to_owned(), layer.name.clone()),
            None => return Vec::new(),
        },
        None => return Vec::new(),
    };
    let found = procedures::for_row(&app.procedures, probe.as_deref(), &layer);
    let items: Vec<_> = found.into_iter().map(|(p, known)| (p.id.clone(), known)).collect();
    if items.is_empty() {
        app.note(format!("no procedure of this stack is for {about}"), now);
        return Vec::new();
    }
    app.mode = Mode::Act(Box::new(Dialog::Menu(Menu { about, items, at: 0 })));
    Vec::new()
}

/// The run that a command is for: the one that is looked at, else the only one that it can be for.
fn run_for(app: &App, fits: impl Fn(RunState) -> bool) -> Option<RunId> {
    if app.screen == Screen::Procedures {
        if let Some(run) = &app.acting.view.run {
            return Some(run.id.clone());
        }
        if let Some(ActRow::Run(id)) = procedure_keys::selected(app) {
            return Some(id);
        }
    }
    let mut fitting = app.ledger.runs.iter().filter(|l| fits(l.state));
    let first = fitting.next()?.id.clone();
    fitting.next().is_none().then_some(first)
}

/// Opens the question that a command of runs stands for.
fn ask(app: &mut App, now: Now, action: Action) {
    let fits = |state: RunState| match action {
        Action::Answer => state == RunState::Held,
        Action::Abort => matches!(state, RunState::Running | RunState::Held | RunState::Lost),
        _ => state == RunState::Lost,
    };
    let Some(id) = run_for(app, fits) else {
        let key = app.keymap.key_of(Action::ShowProcedures);
        app.note(format!("which run? {key} lists them"), now);
        return;
    };
    let ledger = Arc::clone(&app.ledger);
    app.screen = Screen::Procedures;
    if app.acting.view.run.as_ref().is_none_or(|r| r.id != id) {
        app.acting.view.run = Some(RunView::of(id.clone()));
    }
    let Some(run) = run_view::find(&ledger, &id) else {
        app.note("its journal is being read: once more in a moment", now);
        return;
    };
    let state = run_view::state(&ledger, run);
    let ended = matches!(state, RunState::Ended(_));
    let found = match action {
        Action::Answer => Question::hold(run, now).ok_or_else(|| "it waits for nobody".to_owned()),
        Action::Abort if ended => Err("it has ended".to_owned()),
        Action::Abort => Ok(Question::abort(run, state, now)),
        Action::Rollback => run_view::may_resume(run, state, Way::Rollback)
            .map(|()| Question::resume(run, Way::Rollback, now)),
        _ => run_view::may_resume(run, state, Way::Continue)
            .map(|()| Question::resume(run, Way::Continue, now)),
    };
    match found {
        Ok(question) => app.mode = Mode::Act(Box::new(Dialog::Question(question))),
        Err(why) => app.note(why, now),
    }
}

/// A key while something stands over the screen.
pub fn on_key(app: &mut App, now: Now, key: KeyEvent) -> Vec<Effect> {
    let extent = view::confirm::extent(app, now);
    let ledger = Arc::clone(&app.ledger);
    let Mode::Act(dialog) = &mut app.mode else { return Vec::new() };
    match dialog.as_mut() {
        Dialog::Told(told) => {
            match key.code {
                // The view stops at the last line.
                KeyCode::Down => told.scroll = (told.scroll + 1).min(told.lines.len() * 4),
                KeyCode::Up => told.scroll = told.scroll.saturating_sub(1),
                _ => {}
            }
            let leaves = matches!(key.code, KeyCode::Enter | KeyCode::Esc | KeyCode::Char('q'));
            if leaves && now.since(told.opened) >= confirm::UNREAD {
                app.mode = Mode::Normal;
            } else if matches!(key.code, KeyCode::Char(_) | KeyCode::Enter) {
                // The rest of what was being typed into the prompt that has closed: as long as that
                // goes on, this was not read, and what is below must not take it for commands.
                told.opened = now;
            }
        }
        Dialog::Menu(menu) => return on_menu_key(app_menu(menu, key), app, now),
        Dialog::Form(form) => match form.key(key) {
            form::Said::Nothing => {}
            form::Said::Closed => app.mode = Mode::Normal,
            form::Said::Given(values) => {
                let (id, name) = (form.procedure.clone(), form.title());
                app.mode = Mode::Normal;
                return propose(app, now, id, name, values);
            }
        },
        Dialog::Question(question) => match question.key(key, now) {
            question::Said::Nothing => {}
            question::Said::Closed => app.mode = Mode::Normal,
            question::Said::Asked(effect) => {
                app.mode = Mode::Normal;
                return vec![effect];
            }
        },
        Dialog::Confirm(confirm) => {
            let said = confirm.key(key, &ledger, extent, now);
            return on_said(app, now, said);
        }
    }
    Vec::new()
}

/// What a key did in the menu: `Err` moves, `Ok(None)` closes, `Ok(Some)` chooses.
type Chosen = Result<Option<(ProcedureId, BTreeMap<String, String>)>, ()>;

fn app_menu(menu: &mut Menu, key: KeyEvent) -> Chosen {
    match key.code {
        KeyCode::Esc | KeyCode::Char('q') => return Ok(None),
        KeyCode::Enter => return Ok(menu.items.get(menu.at).cloned()),
        KeyCode::Up | KeyCode::Char('k') => menu.at = menu.at.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => menu.at = (menu.at + 1).min(menu.items.len().saturating_sub(1)),
        _ => {}
    }
    Err(())
}

fn on_menu_key(chosen: Chosen, app: &mut App, now: Now) -> Vec<Effect> {
    match chosen {
        Err(()) => Vec::new(),
        Ok(None) => {
            app.mode = Mode::Normal;
            Vec::new()
        }
        Ok(Some((id, known))) => {
            app.mode = Mode::Normal;
            begin(app, now, &id, known, false)
        }
    }
}

/// What came of a key in the prompt.
fn on_said(app: &mut App, now: Now, said: confirm::Said) -> Vec<Effect> {
    let Mode::Act(dialog) = &app.mode else { return Vec::new() };
    let Dialog::Confirm(confirm) = dialog.as_ref() else { return Vec::new() };
    let (procedure, name) = (confirm.procedure().clone(), confirm.proposal.plan.name.clone());
    let params = confirm.params.clone();
    match said {
        confirm::Said::Nothing => Vec::new(),
        confirm::Said::Closed => {
            app.mode = Mode::Normal;
            app.note(format!("{name}: not started"), now);
            vec![Effect::Withdraw]
        }
        confirm::Said::LookAgain => vec![Effect::Propose { procedure, params }],
        confirm::Said::AskSecond { typed, reason } => vec![Effect::AskSecond { typed, reason }],
        confirm::Said::Approved { typed, reason, second } => {
            app.mode = Mode::Normal;
            app.acting.starting = Some((name, now));
            vec![Effect::Approve { typed, reason, second }]
        }
    }
}

/// Text was pasted while something stands over the screen.
pub fn paste(dialog: &mut Dialog, line: &str) {
    match dialog {
        Dialog::Form(form) => form.paste(line),
        Dialog::Question(question) => question.paste(line),
        Dialog::Confirm(confirm) => confirm.paste(line),
        Dialog::Menu(_) | Dialog::Told(_) => {}
    }
}
