//! Runs as JSON: for `runs`, and for the end of `run`.

use crate::domain::procedure::event::{Captured, Hold, Interruption, Mode, Outcome, Person, Second};
use crate::domain::procedure::ledger::{Ledger, Line, Raised, RunState};
use crate::domain::procedure::run::{Phase, Run, Stopper};
use crate::domain::procedure::{proposal, report};
use serde::Serialize;

/// The version of the JSON shapes; it grows by one when a reader of the old shape would err.
pub const JSON_VERSION: u32 = 1;

#[derive(Serialize)]
struct RunReport<'a> {
    version: u32,
    id: &'a str,
    procedure: &'a str,
    name: &'a str,
    stack: &'a str,
    environment: &'a str,
    level: String,
    params: &'a std::collections::BTreeMap<String, String>,
    plan: &'a str,
    by: &'a Person,
    reason: Option<&'a str>,
    second: Option<&'a Second>,
    started: String,
    /// `running`, `held`, `lost` or `ended`.
    state: &'static str,
    outcome: Option<Outcome>,
    why: Option<&'a str>,
    ended: Option<String>,
    /// What `run` and `follow` give for it; null while it runs.
    exit_code: Option<u8>,
    /// Process id of the runner that wrote last, which may be gone.
    runner: u32,
    mode: Mode,
    hold: Option<HoldReport<'a>>,
    abort: Option<AbortReport<'a>>,
    steps: Vec<StepReport<'a>>,
    owed: &'a [crate::domain::procedure::plan::Owe],
    notes: Vec<NoteReport<'a>>,
    /// How it can be taken up again; null when it cannot.
    resume: Option<ResumeReport>,
    /// What a journal ended in that was cut off; null when it is whole.
    torn: Option<&'a str>,
}

#[derive(Serialize)]
struct HoldReport<'a> {
    n: u64,
    step: &'a str,
    why: Hold,
    says: &'a str,
    since: String,
    choices: Vec<&'static str>,
}

#[derive(Serialize)]
struct ResumeReport {
    modes: Vec<Mode>,
    /// What `--confirm` must say; null where nothing must.
    confirm: Option<String>,
    needs_reason: bool,
    /// To go on with it, not to undo it.
    needs_second: bool,
}

#[derive(Serialize)]
struct AbortReport<'a> {
    /// Null where no person asked for it.
    by: Option<&'a Person>,
    interruption: Option<Interruption>,
    now: bool,
    at: String,
}

#[derive(Serialize)]
struct StepReport<'a> {
    id: &'a str,
    name: &'a str,
    host: &'a str,
    /// `waiting`, `running`, `verifying`, `verified`, `done`, `skipped`, `failed`,
    /// `failed-and-passed`, `in-doubt`, `killed` or `will-not-run`.
    phase: &'static str,
    says: Option<String>,
    /// Good observations in a row and how many are needed, while it is verified.
    streak: Option<[u32; 2]>,
    attempts: u32,
    since: Option<String>,
    ended: Option<String>,
    rolled_back: Option<RolledBack<'a>>,
    /// `running` or `in-doubt` while its rollback has no end; whatever the phase says.
    rollback: Option<&'static str>,
    outputs: &'a [Captured],
}

#[derive(Serialize)]
struct RolledBack<'a> {
    done: bool,
    says: &'a str,
}

#[derive(Serialize)]
struct NoteReport<'a> {
    at: String,
    says: &'a str,
}

#[derive(Serialize)]
struct LedgerReport<'a> {
    version: u32,
    runs: Vec<LineReport<'a>>,
    /// Runs beyond those listed.
    older: usize,
    owed: Vec<OwedReport<'a>>,
    /// Null where no stack can be loaded.
    interlocks: Option<Vec<RaisedReport<'a>>>,
    broken: Vec<BrokenReport<'a>>,
}

#[derive(Serialize)]
struct LineReport<'a> {
    id: &'a str,
    procedure: &'a str,
    name: &'a str,
    level: String,
    by: &'a str,
    started: String,
    state: &'static str,
    outcome: Option<Outcome>,
    ended: Option<String>,
    steps_done: usize,
    steps_total: usize,
}

#[derive(Serialize)]
struct OwedReport<'a> {
    id: &'a str,
    says: &'a str,
    settled_by: Option<&'a str>,
    run: &'a str,
    since: String,
}

#[derive(Serialize)]
struct RaisedReport<'a> {
    id: &'a str,
    run: &'a str,
    since: String,
}

#[derive(Serialize)]
struct BrokenReport<'a> {
    run: &'a str,
    why: &'a str,
}

fn state(state: RunState) -> (&'static str, Option<Outcome>) {
    match state {
        RunState::Running => ("running", None),
        RunState::Held => ("held", None),
        RunState::Lost => ("lost", None),
        RunState::Ended(outcome) => ("ended", Some(outcome)),
    }
}

/// How a run stands, in a word or two.
pub fn state_word(of: RunState) -> &'static str {
    match of {
        RunState::Running => "running",
        RunState::Held => "waits for you",
        RunState::Lost => "LOST",
        RunState::Ended(outcome) => report::outcome(outcome),
    }
}

/// What a run that does not go on gives as an exit code. One without a runner is in doubt.
pub fn exit_code(of: RunState) -> Option<u8> {
    match of {
        RunState::Ended(outcome) => Some(outcome.exit_code()),
        RunState::Lost => Some(Outcome::InDoubt.exit_code()),
        RunState::Running | RunState::Held => None,
    }
}

/// One run, in full.
pub fn run(run: &Run, alive: bool, torn: Option<&str>) -> String {
    let stands = run.state(alive);
    let (word, outcome) = state(stands);
    let report = RunReport {
        version: JSON_VERSION,
        id: run.id.as_str(),
        procedure: run.plan.procedure.as_str(),
        name: &run.plan.name,
        stack: &run.plan.stack,
        environment: &run.plan.environment,
        level: run.plan.level.to_string(),
        params: &run.plan.params,
        plan: run.hash.as_str(),
        by: &run.by,
        reason: run.confirmed.reason.as_deref(),
        second: run.confirmed.second.as_ref(),
        started: run.started.to_string(),
        state: word,
        outcome,
        why: run.ended.as_ref().map(|e| e.why.as_str()),
        ended: run.ended.as_ref().map(|e| e.at.to_string()),
        exit_code: exit_code(stands),
        runner: run.runner,
        mode: run.mode,
        hold: run.hold.as_ref().map(|h| HoldReport {
            n: h.n,
            step: h.step.as_str(),
            why: h.why,
            says: &h.says,
            since: h.since.to_string(),
            choices: h.choices.iter().map(|c| report::choice(*c)).collect(),
        }),
        abort: run.abort.as_ref().map(|abort| AbortReport {
            by: match &abort.by {
                Stopper::Person(by) => Some(by),
                Stopper::Interruption(_) => None,
            },
            interruption: run.interruption(),
            now: abort.now,
            at: abort.at.to_string(),
        }),
        steps: (0..run.steps.len()).filter_map(|i| step(run, i, alive)).collect(),
        owed: &run.owed,
        notes: run.notes.iter().map(|(at, says)| NoteReport { at: at.to_string(), says }).collect(),
        resume: resume(run, alive),
        torn,
    };
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

fn resume(run: &Run, alive: bool) -> Option<ResumeReport> {
    let modes = report::resumable(run, alive);
    let prompt = proposal::resume_prompt(run, Mode::Continue);
    (!modes.is_empty()).then_some(ResumeReport {
        modes,
        confirm: prompt.type_this.filter(|_| prompt.needs_reason),
        needs_reason: prompt.needs_reason,
        needs_second: prompt.needs_second,
    })
}

fn step(run: &Run, i: usize, alive: bool) -> Option<StepReport<'_>> {
    let (plan, state) = (run.plan.steps.get(i)?, run.steps.get(i)?);
    let (_, says) = report::phase(&state.phase);
    let phase = match &state.phase {
        Phase::Waiting if run.waits_in_doubt(i) => "in-doubt",
        Phase::Waiting => "waiting",
        Phase::Running => "running",
        Phase::Verifying { .. } => "verifying",
        Phase::Verified(_) => "verified",
        Phase::Done(_) => "done",
        Phase::Skipped(_) => "skipped",
        Phase::Failed(_) => "failed",
        Phase::FailedAndPassed(_) => "failed-and-passed",
        Phase::InDoubt => "in-doubt",
        Phase::Killed(_) => "killed",
        Phase::WillNotRun(_) => "will-not-run",
    };
    let streak = match &state.phase {
        Phase::Verifying { streak, needed, .. } => Some([*streak, *needed]),
        _ => None,
    };
    let rollback = run.is_rollback_open(i).then(|| match run.rolling_back() {
        Some(at) if at == i && alive => "running",
        _ => "in-doubt",
    });
    Some(StepReport {
        id: plan.id.as_str(),
        name: &plan.name,
        host: plan.host.as_str(),
        phase,
        says,
        streak,
        attempts: state.attempts,
        since: state.since.map(|t| t.to_string()),
        ended: state.ended.map(|t| t.to_string()),
        rolled_back: state.rolled_back.as_ref().map(|r| match r {
            Ok(says) => RolledBack { done: true, says },
            Err(why) => RolledBack { done: false, says: why },
        }),
        rollback,
        outputs: &state.outputs,
    })
}

/// All runs, in a line each.
pub fn ledger(ledger: &Ledger, interlocks: Option<&[Raised]>) -> String {
    let line = |l: &Line| -> (&'static str, Option<Outcome>) { state(l.state) };
    let report = LedgerReport {
        version: JSON_VERSION,
        runs: ledger
            .runs
            .iter()
            .map(|l| {
                let (word, outcome) = line(l);
                LineReport {
                    id: l.id.as_str(),
                    procedure: l.procedure.as_str(),
                    name: &l.name,
                    level: l.level.to_string(),
                    by: &l.by,
                    started: l.started.to_string(),
                    state: word,
                    outcome,
                    ended: l.ended.map(|t| t.to_string()),
                    steps_done: l.steps.0,
                    steps_total: l.steps.1,
                }
            })
            .collect(),
        older: ledger.older,
        owed: ledger
            .owed
            .iter()
            .map(|o| OwedReport {
                id: &o.owe.id,
                says: &o.owe.says,
                settled_by: o.owe.by.as_ref().map(crate::domain::id::ProcedureId::as_str),
                run: o.run.as_str(),
                since: o.since.to_string(),
            })
            .collect(),
        interlocks: interlocks.map(|all| {
            all.iter()
                .map(|r| RaisedReport { id: &r.id, run: r.run.as_str(), since: r.since.to_string() })
                .collect()
        }),
        broken: ledger.broken.iter().map(|(run, why)| BrokenReport { run, why }).collect(),
    };
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}
