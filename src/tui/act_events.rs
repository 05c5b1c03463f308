//! What comes of what was asked for: plans, runs, answers. None of it presses a key: an event can
//! open a prompt or close one, and never confirm it.

use super::app::{App, Effect, Mode, Screen};
use super::model::confirm::{Confirm, Taken};
use super::model::dialog::{Dialog, Told};
use super::model::procedures::{self, RunView};
use super::model::tone;
use crate::clock::Now;
use crate::domain::id::RunId;
use crate::domain::procedure::ledger::{Ledger, RunState};
use crate::domain::procedure::proposal::Proposal;
use crate::domain::procedure::request::Reply;
use std::sync::Arc;

fn tell(app: &mut App, now: Now, title: impl Into<String>, lines: Vec<String>) {
    let told = Told { title: title.into(), lines, scroll: 0, opened: now };
    app.mode = Mode::Act(Box::new(Dialog::Told(told)));
}

/// A plan has been made, or looked at anew.
pub fn on_proposed(app: &mut App, now: Now, result: Result<Box<Proposal>, Vec<String>>) -> Vec<Effect> {
    if let Mode::Act(dialog) = &mut app.mode
        && let Dialog::Confirm(confirm) = dialog.as_mut()
    {
        let name = confirm.proposal.plan.name.clone();
        let closes = match result {
            Ok(new) if new.plan.procedure != *confirm.procedure() => return Vec::new(),
            Ok(new) => match confirm.take(new) {
                Taken::Stays => return Vec::new(),
                Taken::Closes(lines) => lines,
            },
            Err(lines) => lines,
        };
        tell(app, now, format!("{name}: not started, since something changed"), closes);
        return vec![Effect::Withdraw];
    }
    let Some(planning) = &mut app.acting.planning else { return Vec::new() };
    match result {
        Ok(proposal) => {
            if proposal.plan.procedure == planning.procedure {
                planning.ready = Some(proposal);
                settle(app, now);
            }
        }
        Err(lines) => {
            let name = planning.name.clone();
            app.acting.planning = None;
            tell(app, now, format!("{name} cannot be planned"), lines);
        }
    }
    Vec::new()
}

/// Opens the prompt of a plan that is ready, as soon as nobody types anything else.
pub fn settle(app: &mut App, now: Now) {
    if !matches!(app.mode, Mode::Normal) {
        return;
    }
    if let Some(planning) = app.acting.planning.take_if(|p| p.ready.is_some())
        && let Some(proposal) = planning.ready
    {
        let confirm = Confirm::new(proposal, planning.params, now);
        app.mode = Mode::Act(Box::new(Dialog::Confirm(confirm)));
    }
}

/// Gives up a plan that is being made; tells whether there was one.
pub fn give_up(app: &mut App, now: Now) -> bool {
    let Some(planning) = app.acting.planning.take() else { return false };
    app.note(format!("{}: not planned any more", planning.name), now);
    true
}

pub fn on_started(app: &mut App, now: Now, result: Result<RunId, Vec<String>>) {
    let name = app.acting.starting.take().map_or_else(|| "it".to_owned(), |(name, _)| name);
    match result {
        Ok(id) => {
            app.note(format!("{name} has started: run {id}"), now);
            if matches!(app.mode, Mode::Normal) {
                app.screen = Screen::Procedures;
                app.acting.view.run = Some(RunView::of(id));
            }
        }
        Err(lines) => tell(app, now, format!("{name} was not started"), lines),
    }
}

pub fn on_replied(app: &mut App, now: Now, run: &RunId, reply: Reply) {
    match reply {
        Reply::Taken => app.note(format!("run {run} has taken it"), now),
        Reply::Refused { why } => {
            tell(app, now, format!("run {run} did not take it"), vec![format!("failed to {why}")]);
        }
    }
}

/// The runs as they are now; tells of those that came to something.
pub fn on_ledger(app: &mut App, now: Now, ledger: Arc<Ledger>) {
    let old = std::mem::replace(&mut app.ledger, ledger);
    app.note_marks();
    let news = app.ledger.runs.iter().find_map(|line| {
        let before = procedures::line(&old, &line.id)?.state;
        let differs = before != line.state && line.state != RunState::Running;
        differs.then(|| format!("{}: {}", line.name, tone::state(line.state).1))
    });
    if let Some(news) = news {
        app.note(news, now);
    }
    let outdated = match &app.mode {
        Mode::Act(dialog) => match dialog.as_ref() {
            Dialog::Question(question) => {
                question.outdated(&app.ledger).map(|why| (question.title.clone(), why))
            }
            _ => None,
        },
        _ => None,
    };
    if let Some((title, why)) = outdated {
        tell(app, now, format!("{title} no longer asked"), vec![why]);
    }
}

/// Time has passed: what an open prompt shows is looked at anew before it is too old.
pub fn on_tick(app: &mut App, now: Now) -> Vec<Effect> {
    if let Mode::Act(dialog) = &mut app.mode
        && let Dialog::Confirm(confirm) = dialog.as_mut()
        && confirm.is_due(now)
    {
        let (procedure, params) = (confirm.procedure().clone(), confirm.params.clone());
        return vec![Effect::Propose { procedure, params }];
    }
    Vec::new()
}

/// The run whose journal is wanted, when that has changed.
pub fn look_at(app: &mut App) -> Option<Effect> {
    let wanted = if app.screen == Screen::Procedures {
        app.acting.view.run.as_ref().map(|r| r.id.clone())
    } else {
        None
    };
    (wanted != app.acting.looked_at).then(|| {
        app.acting.looked_at.clone_from(&wanted);
        Effect::LookAt(wanted)
    })
}
