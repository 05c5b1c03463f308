//! What is true at this moment of what a plan would touch: its targets, its preconditions, its
//! blast radius.

use super::Eyes;
use super::together::together;
use crate::act::sight::Looking;
use crate::act::step::{self, Setting, Target};
use crate::domain::id::RunId;
use crate::domain::procedure::check::Seen;
use crate::domain::procedure::plan::{Pin, Plan, Step};
use crate::domain::procedure::proposal::{Blast, Refusal};
use crate::domain::text::one_line;
use crate::stack::procedure::spec::BlastLine;
use crate::stack::spec::Stack;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the look at one condition or value may take.
const LOOK: Duration = Duration::from_secs(60);
/// The longest line of a finding, in characters.
const MAX_LINE: usize = 300;
/// Lines of each kind that are kept of what targets say.
const MAX_LINES: usize = 50;

/// What was found beside what goes into the plan.
#[derive(Default)]
pub struct Found {
    /// What follows for others, as targets say.
    pub blast: Vec<String>,
    pub impossible: Vec<Refusal>,
    pub warnings: Vec<String>,
}

/// The target of each step, in their order. The same action on the same host is looked at once.
pub async fn targets(stack: &Stack, steps: &[Step], eyes: &Eyes<'_>) -> Vec<Target> {
    let run = RunId::new("plan");
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let mut which = Vec::with_capacity(steps.len());
    let mut looks: Vec<Looking<'_, Target>> = Vec::new();
    for step in steps {
        let action = serde_json::to_string(&step.action).unwrap_or_default();
        let key = format!("{} {} {action}", step.host, step.sudo);
        let index = *first.entry(key).or_insert(looks.len());
        if index == looks.len() {
            looks.push(Box::pin(target(stack, step, &run, eyes)));
        }
        which.push(index);
    }
    let seen = together(looks).await;
    which.into_iter().filter_map(|i| seen.get(i).cloned()).collect()
}

async fn target(stack: &Stack, step: &Step, run: &RunId, eyes: &Eyes<'_>) -> Target {
    let Some(transport) = eyes.ways.get(&step.host) else {
        return Target::unknown("").but_impossible(format!("there is no way to the host {}", step.host));
    };
    let setting = Setting {
        stack,
        run,
        step: &step.id,
        attempt: 1,
        host: &step.host,
        transport,
        sudo: step.sudo,
        access: eyes.access,
        sight: eyes.sight,
        clock: eyes.clock,
        dir: eyes.state.root(),
    };
    step::target(&step.action, &setting).await
}

/// Puts what was found of the targets into the plan: how sure each step is, and the pins.
pub fn complete(plan: &mut Plan, targets: Vec<Target>, found: &mut Found) {
    let mut pins: Vec<Pin> = Vec::new();
    let mut torn: Vec<String> = Vec::new();
    for (step, target) in plan.steps.iter_mut().zip(targets) {
        step.certainty = target.certainty;
        let line = |says: &str| one_line(&format!("step `{}`: {says}", step.id), MAX_LINE);
        found.warnings.extend(target.warnings.iter().filter(|w| !w.is_empty()).map(|w| line(w)));
        found.impossible.extend(target.impossible.iter().map(|why| Refusal::Impossible { says: line(why) }));
        for says in target.blast.iter().map(|b| one_line(b, MAX_LINE)) {
            if !found.blast.contains(&says) {
                found.blast.push(says);
            }
        }
        if target.what.is_empty() || target.state.is_empty() {
            continue;
        }
        match pins.iter().find(|p| p.what == target.what) {
            // Two kinds of step read one thing differently: neither can be held against it.
            Some(pin) if pin.state != target.state => torn.push(target.what),
            Some(_) => {}
            None => pins.push(Pin { what: target.what, state: target.state }),
        }
    }
    pins.retain(|p| !torn.contains(&p.what));
    plan.pins = pins;
    found.warnings.dedup();
    found.warnings.truncate(MAX_LINES);
    found.blast.truncate(MAX_LINES);
}

/// What was found of each precondition, in their order.
pub async fn preconditions(plan: &Plan, eyes: &Eyes<'_>) -> Vec<(String, Seen)> {
    let looks: Vec<Looking<'_, Seen>> = plan
        .preconditions
        .iter()
        .map(|p| -> Looking<'_, Seen> { Box::pin(condition(&p.what, eyes)) })
        .collect();
    let seen = together(looks).await;
    plan.preconditions.iter().map(|p| p.says.clone()).zip(seen).collect()
}

/// Looks at one condition; one that is not answered in time does not hold.
pub async fn condition(what: &crate::domain::procedure::check::Condition, eyes: &Eyes<'_>) -> Seen {
    match tokio::time::timeout(LOOK, eyes.sight.check(what)).await {
        Ok(seen) => Seen { says: one_line(&seen.says, MAX_LINE), ..seen },
        Err(_) => Seen { holds: false, says: format!("no answer within {} s", LOOK.as_secs()) },
    }
}

pub fn unmet(preconditions: &[(String, Seen)]) -> Vec<Refusal> {
    preconditions
        .iter()
        .filter(|(_, seen)| !seen.holds)
        .map(|(says, seen)| Refusal::Precondition { says: says.clone(), seen: seen.says.clone() })
        .collect()
}

/// The blast radius: the file's lines with their live values, then what the targets say.
pub async fn blast(lines: &[BlastLine], of_targets: Vec<String>, eyes: &Eyes<'_>) -> Vec<Blast> {
    let looks: Vec<Looking<'_, Option<Result<f64, String>>>> = lines
        .iter()
        .map(|line| -> Looking<'_, Option<Result<f64, String>>> {
            Box::pin(value(line.value.as_deref(), eyes))
        })
        .collect();
    let values = together(looks).await;
    let mut out: Vec<Blast> = lines.iter().zip(values).map(|(line, value)| in_words(line, value)).collect();
    out.extend(of_targets.into_iter().map(|says| Blast { says, value: None }));
    out
}

async fn value(expr: Option<&str>, eyes: &Eyes<'_>) -> Option<Result<f64, String>> {
    let expr = expr?;
    Some(match tokio::time::timeout(LOOK, eyes.sight.value(expr)).await {
        Ok(Ok(value)) if value.is_finite() => Ok(value),
        Ok(Ok(value)) => Err(format!("the value is {value}")),
        Ok(Err(why)) => Err(one_line(&why, MAX_LINE)),
        Err(_) => Err(format!("no answer within {} s", LOOK.as_secs())),
    })
}

fn in_words(line: &BlastLine, value: Option<Result<f64, String>>) -> Blast {
    let says = match &value {
        None => line.says.clone(),
        Some(Ok(value)) => line.says.replace("{}", &number(*value)),
        Some(Err(why)) => format!("{} (not known: {why})", line.says.replace("{}", "an unknown number of")),
    };
    Blast { says: one_line(&says, MAX_LINE), value }
}

/// Whole numbers without a fraction, others with one digit.
fn number(value: f64) -> String {
    if (value - value.round()).abs() < 1e-9 { format!("{value:.0}") } else { format!("{value:.1}") }
}
