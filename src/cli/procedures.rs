//! The procedures of a stack, in a list: what each is for, how dangerous it says it is, and how it
//! went last.

use super::acting::{self, Acting};
use super::args_act::Output;
use super::run_json;
use crate::domain::procedure::ledger::{Ledger, Line, RunState};
use crate::domain::procedure::level::{self, Level};
use crate::domain::text::one_line;
use crate::domain::units;
use crate::stack::procedure::params::describe;
use crate::stack::procedure::spec::{Procedure, Role};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    stack: &'a str,
    environment: &'a str,
    procedures: Vec<ProcedureReport<'a>>,
}

#[derive(Serialize)]
struct ProcedureReport<'a> {
    id: &'a str,
    /// Parameters stand in it by their ids, in capitals.
    name: String,
    about: &'a str,
    /// `restart`, `drain`, `contain` or null.
    role: Option<&'static str>,
    /// What a plan of it has at least.
    least_level: String,
    rows: &'a [String],
    steps: usize,
    params: Vec<ParamReport<'a>>,
    last: Option<LastReport<'a>>,
    /// Median of the verified runs; null when there is none.
    usual_seconds: Option<f64>,
}

#[derive(Serialize)]
struct ParamReport<'a> {
    name: &'a str,
    about: &'a str,
    /// In words.
    takes: String,
    default: Option<&'a str>,
}

#[derive(Serialize)]
struct LastReport<'a> {
    run: &'a str,
    /// As in `runs`, or the outcome once it has ended.
    state: &'static str,
    started: String,
}

/// Prints the list.
pub(super) fn list(acting: &Acting, output: Output) -> String {
    let ledger = acting::ledger(&acting.state);
    let all = &acting.stack.procedures.all;
    match output {
        Output::Json => as_json(acting, all, &ledger),
        Output::Text if all.is_empty() => "this stack has no procedures\n".to_owned(),
        Output::Text => as_text(acting, all, &ledger),
    }
}

fn last_word(line: &Line) -> &'static str {
    match line.state {
        RunState::Ended(_) => run_json::state_word(line.state),
        RunState::Running => "running",
        RunState::Held => "held",
        RunState::Lost => "lost",
    }
}

fn least(acting: &Acting, procedure: &Procedure) -> Level {
    let production = level::is_production(&acting.stack.environment);
    acting.stack.procedures.least(procedure, production)
}

fn as_text(acting: &Acting, all: &[Procedure], ledger: &Ledger) -> String {
    let wide = all.iter().map(|p| p.id.as_str().len()).max().unwrap_or(0);
    let mut out = String::new();
    for procedure in all {
        let level = least(acting, procedure);
        let last = ledger.last(&procedure.id).map_or_else(
            || "never run here".to_owned(),
            |l| format!("last {}: {}", l.started.strftime("%Y-%m-%d %H:%MZ"), last_word(l)),
        );
        let usual = ledger.usual(&procedure.id);
        let usual = usual.map(|u| format!(", usually {}", units::long_age(u))).unwrap_or_default();
        let name = one_line(&procedure.title(&BTreeMap::new()), 60);
        let _ = writeln!(out, "{:wide$}  {level}  {name}; {last}{usual}", procedure.id.as_str());
        for param in &procedure.params {
            let default =
                param.default.as_ref().map_or_else(|| "needed".to_owned(), |d| format!("default {d}"));
            let takes = one_line(&describe(&param.kind), 120);
            let _ = writeln!(out, "{:wide$}      --param {}=…  {takes}, {default}", "", param.id);
        }
    }
    out.push_str("a plan may have a higher level than is shown here: --plan\n");
    out
}

fn as_json(acting: &Acting, all: &[Procedure], ledger: &Ledger) -> String {
    let stack = &acting.stack;
    let procedures = all.iter().map(|p| ProcedureReport {
        id: p.id.as_str(),
        name: p.title(&BTreeMap::new()),
        about: &p.about,
        role: p.role.map(|r| match r {
            Role::Restart => "restart",
            Role::Drain => "drain",
            Role::Contain => "contain",
        }),
        least_level: least(acting, p).to_string(),
        rows: &p.rows,
        steps: p.steps.len(),
        params: p
            .params
            .iter()
            .map(|param| ParamReport {
                name: &param.id,
                about: &param.about,
                takes: describe(&param.kind),
                default: param.default.as_deref(),
            })
            .collect(),
        last: ledger.last(&p.id).map(|l| LastReport {
            run: l.id.as_str(),
            state: last_word(l),
            started: l.started.to_string(),
        }),
        usual_seconds: ledger.usual(&p.id).map(|u| u.as_secs_f64()),
    });
    let report = Report {
        version: run_json::JSON_VERSION,
        stack: &stack.name,
        environment: &stack.environment,
        procedures: procedures.collect(),
    };
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}
