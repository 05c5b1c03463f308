//! The rows of the screen of procedures: what needs a person first, then what can be done.

use super::badge::ago;
use super::tone;
use crate::clock::Now;
use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::event::Outcome;
use crate::domain::procedure::ledger::{Ledger, Line, RunState};
use crate::domain::procedure::level::{Level, is_production};
use crate::domain::units::{long_age, short_age};
use crate::stack::procedure::spec::{Procedure, Procedures, Role};
use crate::tui::app::App;
use std::collections::BTreeMap;
use tui_input::Input;

/// What the screen remembers.
#[derive(Clone, Debug, Default)]
pub struct ProceduresView {
    pub selected: Option<ActRow>,
    /// The first line shown.
    pub scroll: usize,
    /// The details are open where there is no room for both.
    pub detail: bool,
    pub detail_scroll: usize,
    pub filter: Input,
    /// The run that is looked at, instead of the list.
    pub run: Option<RunView>,
}

/// What is remembered of the run that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunView {
    pub id: RunId,
    /// The step under the cursor; none follows what the run does.
    pub step: Option<usize>,
    pub scroll: usize,
    pub detail_scroll: usize,
    /// The details are open where there is no room for both.
    pub detail: bool,
}

impl RunView {
    pub fn of(id: RunId) -> RunView {
        RunView { id, step: None, scroll: 0, detail_scroll: 0, detail: false }
    }
}

/// A row by what it stands for, so that the cursor stays on it when rows come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActRow {
    Owed(RunId, String),
    Interlock(String),
    /// A plan that waits for a second person.
    Waiting(String),
    Run(RunId),
    Procedure(ProcedureId),
    /// A journal that cannot be read.
    Broken(String),
}

/// The heading above a row.
pub fn section(row: &ActRow, ledger: &Ledger) -> &'static str {
    match row {
        ActRow::Owed(..) | ActRow::Interlock(_) => "owed and forbidden",
        ActRow::Waiting(_) => "plans that wait for a second person",
        ActRow::Run(id) => match line(ledger, id).map(|l| l.state) {
            Some(RunState::Ended(_)) => "runs that ended",
            _ => "runs that have not ended",
        },
        ActRow::Procedure(_) => "procedures",
        ActRow::Broken(_) => "journals that cannot be read",
    }
}

pub fn line<'a>(ledger: &'a Ledger, id: &RunId) -> Option<&'a Line> {
    ledger.runs.iter().find(|l| l.id == *id)
}

/// Whether there is anything for this screen to show.
pub fn exists(procedures: &Procedures, ledger: &Ledger) -> bool {
    !procedures.all.is_empty() || !ledger.runs.is_empty() || !ledger.broken.is_empty()
}

pub fn of_role(procedures: &Procedures, role: Role) -> Option<&Procedure> {
    procedures.all.iter().find(|p| p.role == Some(role))
}

pub fn by_id<'a>(procedures: &'a Procedures, id: &ProcedureId) -> Option<&'a Procedure> {
    procedures.all.iter().find(|p| p.id == *id)
}

/// Every row, as the filter leaves them.
pub fn rows(app: &App) -> Vec<ActRow> {
    let ledger = &app.ledger;
    let ended = |l: &&Line| matches!(l.state, RunState::Ended(_));
    let mut out: Vec<ActRow> = Vec::new();
    out.extend(ledger.owed.iter().map(|o| ActRow::Owed(o.run.clone(), o.owe.id.clone())));
    out.extend(ledger.interlocks.iter().map(|i| ActRow::Interlock(i.id.clone())));
    out.extend(ledger.waiting.iter().map(|w| ActRow::Waiting(w.id.clone())));
    out.extend(ledger.runs.iter().filter(|l| !ended(l)).map(|l| ActRow::Run(l.id.clone())));
    out.extend(ledger.broken.iter().map(|(id, _)| ActRow::Broken(id.clone())));
    out.extend(app.procedures.all.iter().map(|p| ActRow::Procedure(p.id.clone())));
    out.extend(ledger.runs.iter().filter(ended).map(|l| ActRow::Run(l.id.clone())));
    let words: Vec<String> =
        app.acting.view.filter.value().to_lowercase().split_whitespace().map(str::to_owned).collect();
    out.retain(|row| {
        let text = text_of(app, row).to_lowercase();
        words.iter().all(|w| text.contains(w.as_str()))
    });
    out
}

/// What a filter is held against.
fn text_of(app: &App, row: &ActRow) -> String {
    let ledger = &app.ledger;
    match row {
        ActRow::Owed(_, id) => format!("owed {id}"),
        ActRow::Interlock(id) => format!("interlock {id}"),
        ActRow::Waiting(id) => {
            ledger.waiting.iter().find(|w| w.id == *id).map_or_else(String::new, |w| w.name.clone())
        }
        ActRow::Broken(id) => format!("broken {id}"),
        ActRow::Run(id) => line(ledger, id).map_or_else(String::new, |l| {
            format!("{} {} {} {} {}", l.id, l.procedure, l.name, l.by, tone::state(l.state).1)
        }),
        ActRow::Procedure(id) => by_id(&app.procedures, id)
            .map_or_else(String::new, |p| format!("{} {} {}", p.id, p.title(&BTreeMap::new()), p.about)),
    }
}

/// The level to show before planning: what it came to last time, else what it is at least.
pub fn level(app: &App, procedure: &Procedure) -> Level {
    let last = app.ledger.last(&procedure.id).map(|l| l.level);
    last.unwrap_or_else(|| app.procedures.least(procedure, is_production(&app.environment)))
}

/// When it was last run, and how that went.
pub fn last_run(procedure: &ProcedureId, ledger: &Ledger, now: Now) -> String {
    match ledger.last(procedure) {
        None => "never run".to_owned(),
        Some(line) => match line.state {
            RunState::Ended(how) => {
                let age = short_age(ago(line.ended.unwrap_or(line.started), now));
                format!("{} {age} ago", tone::outcome(how))
            }
            state => tone::state(state).1.to_owned(),
        },
    }
}

/// How long it usually takes.
pub fn usual(procedure: &ProcedureId, ledger: &Ledger) -> String {
    ledger.usual(procedure).map_or_else(String::new, |d| format!("takes {}", long_age(d)))
}

/// The health that a line of a run is painted as.
pub fn is_worrying(state: RunState) -> bool {
    !matches!(
        state,
        RunState::Running | RunState::Ended(Outcome::Verified | Outcome::Refused | Outcome::RolledBack)
    )
}

/// The procedures that are offered for a probe of a layer, with what the row says of their values.
pub fn for_row<'a>(
    procedures: &'a Procedures,
    probe: Option<&str>,
    layer: &str,
) -> Vec<(&'a Procedure, BTreeMap<String, String>)> {
    let fits = |p: &&Procedure| {
        p.probes.iter().any(|i| Some(i.as_str()) == probe) || p.layers.iter().any(|i| i.as_str() == layer)
    };
    let filled = |p: &Procedure| {
        let known = p.params.iter().filter_map(|param| {
            let value = probe.and_then(|id| param.fill.get(id)).or_else(|| param.fill.get(layer))?;
            Some((param.id.clone(), value.clone()))
        });
        known.collect()
    };
    procedures.all.iter().filter(fits).map(|p| (p, filled(p))).collect()
}
