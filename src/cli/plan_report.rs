//! A plan as it is printed: what will be done, to whom, and what must be said to have it done.

use super::args_act::Output;
use crate::domain::procedure::check::Check;
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::plan::{Certainty, OnFailure, OnTimeout, Plan, Step};
use crate::domain::procedure::proposal::{Proposal, Refusal};
use crate::domain::text::one_line;
use crate::domain::units;
use crate::tui::model::proposal_lines::condition;
use crate::tui::view::paint::wrap;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::IsTerminal;

/// The version of the JSON shape; it grows by one when a reader of the old shape would err.
pub const JSON_VERSION: u32 = 1;
/// The longest line, in characters.
const MAX_LINE: usize = 1000;
/// How far the rest of a broken line is moved in, in columns.
const HANG: usize = 2;
/// A terminal that says it is narrower has no size.
const LEAST: usize = 20;

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    hash: &'a str,
    level: String,
    /// Nothing stands in its way.
    may_run: bool,
    /// RFC 3339, UTC: when targets, preconditions and blast radius were looked at.
    looked: String,
    prompt: PromptReport<'a>,
    refusals: Vec<RefusalReport<'a>>,
    preconditions: Vec<PreconditionReport<'a>>,
    blast_radius: Vec<BlastReport<'a>>,
    warnings: &'a [String],
    /// What differs from the plan whose hash was given.
    changed: &'a [String],
    plan: &'a Plan,
}

#[derive(Serialize)]
struct PromptReport<'a> {
    /// What `--confirm` must be; null where nothing must be typed.
    confirm: Option<&'a str>,
    needs_reason: bool,
    needs_second_person: bool,
}

#[derive(Serialize)]
struct RefusalReport<'a> {
    kind: &'static str,
    says: String,
    /// Of `locked`: the run that has the lock.
    run: Option<&'a str>,
    /// Of `interlocked`: the interlock.
    interlock: Option<&'a str>,
}

#[derive(Serialize)]
struct PreconditionReport<'a> {
    needs: &'a str,
    holds: bool,
    seen: &'a str,
}

#[derive(Serialize)]
struct BlastReport<'a> {
    says: &'a str,
    /// Null where the line has no value, or it is not known.
    value: Option<f64>,
    unknown: Option<&'a str>,
}

/// Prints it.
pub fn print(proposal: &Proposal, output: Output) -> String {
    match output {
        Output::Text => as_text(proposal, width()),
        Output::Json => as_json(proposal),
    }
}

fn as_json(proposal: &Proposal) -> String {
    let refusals = proposal.refusals.iter().map(|r| {
        let (kind, run, interlock) = match r {
            Refusal::Locked { run, .. } => ("locked", Some(run.as_str()), None),
            Refusal::Interlocked { id, .. } => ("interlocked", None, Some(id.as_str())),
            Refusal::Precondition { .. } => ("precondition", None, None),
            Refusal::Impossible { .. } => ("impossible", None, None),
        };
        RefusalReport { kind, says: one_line(&r.says(), MAX_LINE), run, interlock }
    });
    let preconditions = proposal.preconditions.iter();
    let preconditions = preconditions.map(|(says, seen)| PreconditionReport {
        needs: says,
        holds: seen.holds,
        seen: &seen.says,
    });
    let blast = proposal.blast.iter().map(|b| BlastReport {
        says: &b.says,
        value: b.value.as_ref().and_then(|v| v.as_ref().ok()).copied().filter(|v| v.is_finite()),
        unknown: b.value.as_ref().and_then(|v| v.as_ref().err()).map(String::as_str),
    });
    let prompt = &proposal.prompt;
    let report = Report {
        version: JSON_VERSION,
        hash: proposal.hash.as_str(),
        level: proposal.plan.level.to_string(),
        may_run: proposal.refusals.is_empty(),
        looked: proposal.looked.wall.to_string(),
        prompt: PromptReport {
            confirm: prompt.type_this.as_deref(),
            needs_reason: prompt.needs_reason,
            needs_second_person: prompt.needs_second,
        },
        refusals: refusals.collect(),
        preconditions: preconditions.collect(),
        blast_radius: blast.collect(),
        warnings: &proposal.warnings,
        changed: &proposal.changed,
        plan: &proposal.plan,
    };
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

/// Columns of the terminal that it is printed on; `None` when it is read by something else, which
/// may look for whole lines.
fn width() -> Option<usize> {
    let out = std::io::stdout();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns >= LEAST)
}

/// A line of words, broken between words and hung below its beginning where there is a width.
fn put(out: &mut String, indent: usize, words: &str, width: Option<usize>) {
    let words = one_line(words, MAX_LINE);
    let room = width.map_or(usize::MAX, |w| w.saturating_sub(indent + HANG).max(1));
    for (i, part) in wrap(&words, room).iter().enumerate() {
        let indent = if i == 0 { indent } else { indent + HANG };
        let _ = writeln!(out, "{:indent$}{part}", "");
    }
}

/// Exactly what is done: never broken, and indented as it is.
fn exact(out: &mut String, indent: usize, words: &str) {
    let own = words.chars().take_while(|c| *c == ' ').count().min(40);
    let _ = writeln!(out, "{:indent$}{:own$}{}", "", "", one_line(words, MAX_LINE));
}

fn as_text(proposal: &Proposal, width: Option<usize>) -> String {
    let plan = &proposal.plan;
    let mut out = String::new();
    let line = |out: &mut String, indent: usize, words: &str| put(out, indent, words, width);
    line(&mut out, 0, &format!("{} ({}) on {}, {}", plan.name, plan.procedure, plan.title, plan.environment));
    for (name, value) in &plan.params {
        line(&mut out, 2, &format!("{name} = {value}"));
    }
    line(&mut out, 0, &format!("level {}", plan.level));
    plan.level_because.iter().for_each(|why| line(&mut out, 2, why));
    if !proposal.blast.is_empty() {
        line(&mut out, 0, "blast radius");
        proposal.blast.iter().for_each(|b| line(&mut out, 2, &b.says));
    }
    if !proposal.preconditions.is_empty() {
        line(&mut out, 0, "preconditions");
        for (says, seen) in &proposal.preconditions {
            let word = if seen.holds { "holds" } else { "FAILS" };
            line(&mut out, 2, &format!("{word} {says}: {}", seen.says));
        }
    }
    line(&mut out, 0, &format!("steps, {} at most", units::exact(plan.deadline)));
    for (i, step) in plan.steps.iter().enumerate() {
        step_lines(i, step, &mut out, width);
    }
    proposal.warnings.iter().for_each(|w| line(&mut out, 0, &format!("warning: {w}")));
    if !proposal.changed.is_empty() {
        line(&mut out, 0, "changed since the plan that was shown");
        proposal.changed.iter().for_each(|c| line(&mut out, 2, c));
    }
    exact(&mut out, 0, &format!("plan {}", proposal.hash));
    proposal.refusals.iter().for_each(|r| line(&mut out, 0, &format!("REFUSED: {}", r.says())));
    if proposal.refusals.is_empty() {
        exact(&mut out, 0, &format!("run it with: {}", command(proposal)));
        if proposal.prompt.needs_second {
            line(&mut out, 0, "a second person must approve it: quarterdeck approve");
        }
    }
    out
}

/// The command line that runs what is shown.
fn command(proposal: &Proposal) -> String {
    let quote = crate::domain::shell::quote;
    let mut words = vec!["quarterdeck".to_owned(), "run".to_owned(), proposal.plan.procedure.to_string()];
    for (name, value) in &proposal.plan.params {
        words.extend(["--param".to_owned(), quote(&format!("{name}={value}"))]);
    }
    words.extend(["--approve".to_owned(), proposal.hash.short().to_owned()]);
    if let Some(text) = &proposal.prompt.type_this {
        words.extend(["--confirm".to_owned(), quote(text)]);
    }
    if proposal.prompt.needs_reason {
        words.extend(["--reason".to_owned(), "…".to_owned()]);
    }
    words.join(" ")
}

fn step_lines(i: usize, step: &Step, out: &mut String, width: Option<usize>) {
    let effect = format!("{:?}", step.effect).to_lowercase();
    let sure = match step.certainty {
        Certainty::Probed => "probed",
        Certainty::Simulated => "simulated",
        Certainty::Unknown => "unknown in advance",
    };
    let head = format!("{}. {}: {} [{effect}, on {}, {sure}]", i + 1, step.id, step.name, step.host);
    put(out, 2, &head, width);
    let detail = |out: &mut String, words: &str| put(out, 5, words, width);
    if let Some(hold) = &step.hold {
        detail(out, &format!("waits first: {hold}"));
    }
    step.preview.iter().for_each(|p| exact(out, 5, p));
    if let Some(unless) = &step.unless {
        detail(out, &format!("passed over if {}", check(unless)));
    }
    let late = match step.on_timeout {
        OnTimeout::Verify => "then its verification decides",
        OnTimeout::Fail => "then it has failed",
        OnTimeout::Hold => "then a person decides",
    };
    let failed = match step.on_failure {
        OnFailure::Stop => "the run stops",
        OnFailure::Rollback => "it is undone and the run stops",
        OnFailure::Hold => "a person decides",
        OnFailure::Continue => "the run goes on",
    };
    detail(out, &format!("timeout {}, {late}; when it fails, {failed}", units::exact(step.timeout)));
    match &step.verify {
        Some(verify) => detail(out, &format!("verified by {}", check(verify))),
        None if step.effect == Effect::Read => {}
        None => detail(out, "not verified"),
    }
    if let Some(rollback) = &step.rollback {
        detail(out, "undone by");
        rollback.preview.iter().for_each(|p| exact(out, 7, p));
    }
    if step.point_of_no_return {
        detail(out, "from here on there is no way back");
    }
    if let Some(owe) = &step.owes {
        detail(out, &format!("leaves owed: {}", owe.says));
    }
}

fn check(check: &Check) -> String {
    let times = if check.good > 1 { format!(", {} times in a row", check.good) } else { String::new() };
    format!("{}{times}, within {}", condition(&check.what), units::exact(check.within))
}
