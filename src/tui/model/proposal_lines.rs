//! A plan as lines to read before it is confirmed: what, where, to whom, and exactly how.

use super::confirm::refusal;
use super::detail::{Line, name_once};
use crate::clock::Now;
use crate::domain::health::Health;
use crate::domain::id::ProbeId;
use crate::domain::procedure::check::{Check, Condition};
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::plan::{Certainty, OnFailure, OnTimeout, Plan, Step};
use crate::domain::procedure::proposal::Proposal;
use crate::domain::text::one_line;
use crate::domain::units::{exact, short_age};

/// The longest line of a plan that is shown, in characters.
const MAX: usize = 4000;

fn safe(text: &str) -> String {
    one_line(text, MAX)
}

/// `Example, environment staging, host core`: in words, in every prompt.
pub fn place(plan: &Plan) -> String {
    safe(&plan.place())
}

/// Everything about a plan, what decides first; without the place where that is shown already.
pub fn of_proposal(p: &Proposal, with_place: bool, now: Now) -> Vec<Line> {
    let plan = &p.plan;
    let mut out = Vec::new();
    for refused in &p.refusals {
        out.push(Line::Field("refused", safe(&refusal(refused)), Some(Health::Down)));
    }
    if with_place {
        out.push(Line::Field("where", place(plan), None));
    }
    for blast in &p.blast {
        let health = match &blast.value {
            Some(Err(_)) => Some(Health::Unknown),
            Some(Ok(_)) => Some(Health::Degraded),
            None => None,
        };
        out.push(Line::Field("to whom", safe(&blast.says), health));
    }
    for (says, seen) in &p.preconditions {
        let health = if seen.holds { Health::Up } else { Health::Down };
        out.push(Line::Field("needs", safe(&format!("{says}: {}", seen.says)), Some(health)));
    }
    if !plan.params.is_empty() {
        let all: Vec<String> = plan.params.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        out.push(Line::Field("with", safe(&all.join(", ")), None));
    }
    for warning in &p.warnings {
        out.push(Line::Field("warning", safe(warning), Some(Health::Degraded)));
    }
    let looked = short_age(now.since(p.looked));
    out.push(Line::Field("seen", format!("{looked} ago: to whom, needs and targets"), None));
    let because = plan.level_because.join("; ");
    out.push(Line::Field("level", safe(&format!("{}: {because}", plan.level)), None));
    out.extend(plan.steps.iter().enumerate().map(in_short));
    for (at, step) in plan.steps.iter().enumerate() {
        of_step(step, at, plan.steps.len(), &mut out);
    }
    out.push(Line::Title("plan".to_owned()));
    out.push(Line::Field("hash", p.hash.to_string(), None));
    let scope = format!("one run at a time for `{}`; ends after {}", plan.lock, exact(plan.deadline));
    out.push(Line::Field("bounds", safe(&scope), None));
    for pin in &plan.pins {
        out.push(Line::Field("found", safe(&format!("{}: {}", pin.what, pin.state)), None));
    }
    name_once(&mut out);
    out
}

/// A step in one line: all of them are known before their details are read.
fn in_short((at, step): (usize, &Step)) -> Line {
    let more = match step.effect {
        Effect::Read => String::new(),
        more => format!(" ({})", effect(more)),
    };
    Line::Field("steps", safe(&format!("{}. {}{more}", at + 1, step.name)), None)
}

fn of_step(step: &Step, at: usize, of: usize, out: &mut Vec<Line>) {
    out.push(Line::Title(safe(&format!("step {} of {of}: {}", at + 1, step.name))));
    let sure = match step.certainty {
        Certainty::Probed => "its target was looked at just now",
        Certainty::Simulated => "the tool was asked what it would do",
        Certainty::Unknown => "nothing is known in advance",
    };
    let sudo = if step.sudo { " as root" } else { "" };
    out.push(Line::Field(
        "effect",
        safe(&format!("{} on {}{sudo}, {}; {sure}", effect(step.effect), step.host, step.level)),
        None,
    ));
    if let Some(hold) = &step.hold {
        out.push(Line::Field("waits", safe(&format!("for you first: {hold}")), Some(Health::Degraded)));
    }
    if let Some(unless) = &step.unless {
        out.push(Line::Field("unless", safe(&check(unless)), None));
    }
    out.extend(step.preview.iter().map(|l| Line::Text(safe(l))));
    let late = match step.on_timeout {
        OnTimeout::Verify => "then its verification decides",
        OnTimeout::Fail => "then it has failed",
        OnTimeout::Hold => "then it waits for you",
    };
    let failed = match step.on_failure {
        OnFailure::Stop => "the run stops",
        OnFailure::Rollback => "it is undone and the run stops",
        OnFailure::Hold => "it waits for you",
        OnFailure::Continue => "the run goes on",
    };
    out.push(Line::Field(
        "timeout",
        format!("{}, {late}; when it fails, {failed}", exact(step.timeout)),
        None,
    ));
    match &step.verify {
        Some(verify) => out.push(Line::Field("verified", safe(&check(verify)), None)),
        None if step.effect > Effect::Read => {
            out.push(Line::Field("verified", "by nothing".to_owned(), Some(Health::Degraded)));
        }
        None => {}
    }
    match &step.rollback {
        Some(back) => {
            out.push(Line::Field("undone by", safe(&back.preview.join("; ")), None));
        }
        None if step.effect > Effect::Read => {
            out.push(Line::Field("undone by", "nothing".to_owned(), None));
        }
        None => {}
    }
    if step.point_of_no_return {
        let text = "from here on there is no undoing".to_owned();
        out.push(Line::Field("note", text, Some(Health::Degraded)));
    }
    if let Some(owes) = &step.owes {
        let by = owes.by.as_ref().map_or_else(String::new, |by| format!(", until {by} is done"));
        out.push(Line::Field("owes", safe(&format!("{}{by}", owes.says)), Some(Health::Degraded)));
    }
}

/// What a step does to the world, in words.
pub fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "reads",
        Effect::Change => "changes something",
        Effect::Interrupt => "interrupts service",
        Effect::Destroy => "destroys something",
    }
}

/// A condition in one line.
pub fn condition(what: &Condition) -> String {
    let mut parts = Vec::new();
    if !what.probes.is_empty() {
        let names: Vec<&str> = what.probes.iter().map(ProbeId::as_str).collect();
        let up = if what.or_degraded { "up or degraded" } else { "up" };
        parts.push(format!("{} {up}", names.join(", ")));
    }
    parts.extend(what.exprs.iter().cloned());
    parts.join("; ")
}

/// A check in one line: what, how often in a row, by when.
pub fn check(check: &Check) -> String {
    format!(
        "{}: {} in a row, every {}, within {}",
        condition(&check.what),
        check.good,
        exact(check.every),
        exact(check.within)
    )
}
