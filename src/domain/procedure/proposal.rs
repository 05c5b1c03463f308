//! A plan as it is shown to the person who is to confirm it.

use super::action::Action;
use super::action::kinds::SignalTarget;
use super::event::Mode;
use super::level::{Effect, Level};
use super::plan::{Plan, PlanHash, Step};
use super::run::Run;
use crate::clock::Now;
use crate::domain::id::{HostId, RunId};
use crate::domain::units::second;
use std::collections::BTreeSet;

/// A plan, what it means at this moment, and what must be said to have it run.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    pub plan: Plan,
    pub hash: PlanHash,
    /// When targets, preconditions and blast radius were last looked at.
    pub looked: Now,
    pub blast: Vec<Blast>,
    /// What was found of the preconditions, in their order.
    pub preconditions: Vec<(String, super::check::Seen)>,
    /// What stands in its way: locks, interlocks, preconditions. None means that it may run.
    pub refusals: Vec<Refusal>,
    pub prompt: Prompt,
    /// What differs from the plan that was shown before, one line each.
    pub changed: Vec<String>,
    /// Findings about single steps that do not stop it.
    pub warnings: Vec<String>,
}

/// One line of the blast radius.
#[derive(Clone, Debug, PartialEq)]
pub struct Blast {
    /// What it means, with the value put in: "drops 41 live sessions".
    pub says: String,
    /// The live value, if it is of one; `Err` says why it is not known.
    pub value: Option<Result<f64, String>>,
}

/// What must be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub level: Level,
    /// What must be typed; `None` where a key is enough.
    pub type_this: Option<String>,
    /// The live count at its end, if it has one.
    pub count: Option<i64>,
    pub needs_reason: bool,
    pub needs_second: bool,
}

/// Why a plan may not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another run holds the lock.
    Locked {
        scope: String,
        run: RunId,
        by: String,
        since: jiff::Timestamp,
        runner_alive: bool,
    },
    /// An interlock forbids it until something else is so.
    Interlocked {
        id: String,
        says: String,
        until: String,
        since: Option<jiff::Timestamp>,
    },
    Precondition {
        says: String,
        seen: String,
    },
    /// A step cannot be carried out at all.
    Impossible {
        says: String,
    },
}

impl Refusal {
    /// In words, as one line; it completes "refused: …".
    pub fn says(&self) -> String {
        match self {
            Refusal::Locked { scope, run, by, since, runner_alive: true } => {
                format!("run {run} of {by} holds the lock `{scope}` since {}", second(*since))
            }
            Refusal::Locked { scope, run, by, since, runner_alive: false } => format!(
                "run {run} of {by} left the lock `{scope}`, taken {}, and its runner is gone: resume or abort that run",
                second(*since)
            ),
            Refusal::Interlocked { id, says, until, since } => {
                let since = since.map_or(String::new(), |s| format!(" since {}", second(s)));
                format!("interlock `{id}`{since}: {says}; until {until}")
            }
            Refusal::Precondition { says, seen } => format!("needs {says}: {seen}"),
            Refusal::Impossible { says } => format!("impossible: {says}"),
        }
    }
}

/// A live count may move by this part of itself, or by [`STEADY`], before it is another one.
const TENTH: u64 = 10;
/// Where a tenth is less than one would notice.
const STEADY: u64 = 3;

impl Prompt {
    /// Whether this is what must be typed. The count in it may be one that was true a moment ago:
    /// where clients come and go all the time, nobody could type the one that is true now.
    pub fn takes(&self, typed: &str) -> bool {
        let Some(text) = &self.type_this else { return true };
        let counted = || {
            let count = self.count?;
            let words = text.strip_suffix(&count.to_string())?;
            let was: i64 = typed.strip_prefix(words)?.parse().ok()?;
            let near = was.abs_diff(count) <= (count.unsigned_abs() / TENTH).max(STEADY);
            // Nobody hit and somebody hit are different things to confirm.
            Some(near && (was == 0) == (count == 0))
        };
        typed == text || counted() == Some(true)
    }
}

/// What must be said to have a plan run. At L2 the host, or where there are several, the unit or
/// service; from L3 on a phrase: `PROCEDURE HOST N`, with the first live count that is known.
pub fn prompt(plan: &Plan, blast: &[Blast]) -> Prompt {
    let (type_this, count) = match plan.level {
        Level::L0 | Level::L1 => (None, None),
        Level::L2 => (Some(what_is_hit(plan)), None),
        Level::L3 | Level::L4 => {
            let count = count(blast);
            (Some(phrase(plan, count)), count)
        }
    };
    Prompt {
        level: plan.level,
        type_this,
        count,
        needs_reason: plan.level >= Level::L3,
        needs_second: plan.level >= Level::L4,
    }
}

/// What must be said to have a run taken up again, or undone: what was said to begin it, but for the
/// count, which was of another moment. A second person is needed again while what made the plan so
/// grave is still to come: what they approved was the deed of a moment, and that is over.
pub fn resume_prompt(run: &Run, mode: Mode) -> Prompt {
    let steps = &run.plan.steps;
    let said = !steps.iter().any(|s| s.level >= Level::L4);
    let grave = |s: &Step| s.level >= Level::L4 || said && s.effect != Effect::Read;
    let to_come = steps.iter().zip(&run.steps).any(|(s, is)| grave(s) && !is.phase.is_good());
    let prompt = prompt(&run.plan, &[]);
    let needs_second = prompt.needs_second && mode == Mode::Continue && to_come;
    Prompt { needs_second, ..prompt }
}

/// The steps that change something; of a plan that only reads, all.
fn acting(plan: &Plan) -> Vec<&Step> {
    let acting: Vec<&Step> = plan.steps.iter().filter(|s| s.effect != Effect::Read).collect();
    if acting.is_empty() { plan.steps.iter().collect() } else { acting }
}

fn what_is_hit(plan: &Plan) -> String {
    let steps = acting(plan);
    let hosts: BTreeSet<&HostId> = steps.iter().map(|s| &s.host).collect();
    let services: BTreeSet<&str> = steps.iter().filter_map(|s| service(&s.action)).collect();
    let only =
        |set: &BTreeSet<&str>| (set.len() == 1).then(|| set.first().map(|s| (*s).to_owned())).flatten();
    match hosts.first() {
        Some(host) if hosts.len() == 1 => host.as_str().to_owned(),
        _ => only(&services).unwrap_or_else(|| plan.procedure.as_str().to_owned()),
    }
}

/// The unit or service that an action is about.
fn service(action: &Action) -> Option<&str> {
    match action {
        Action::Systemd(s) => Some(&s.unit),
        Action::Compose(c) => c.services.first().filter(|_| c.services.len() == 1).map(String::as_str),
        Action::Signal(s) => match &s.to {
            SignalTarget::Unit(unit) => Some(unit),
            SignalTarget::PidFile(_) => None,
        },
        _ => None,
    }
}

fn phrase(plan: &Plan, count: Option<i64>) -> String {
    let hosts: BTreeSet<&HostId> = acting(plan).into_iter().map(|s| &s.host).collect();
    let host = match hosts.first() {
        Some(host) if hosts.len() == 1 => host.as_str().to_owned(),
        Some(_) => format!("{}-hosts", hosts.len()),
        None => plan.stack.clone(),
    };
    match count {
        Some(count) => format!("{} {host} {count}", plan.procedure),
        None => format!("{} {host}", plan.procedure),
    }
}

/// The first live count that is known.
fn count(blast: &[Blast]) -> Option<i64> {
    blast.iter().find_map(|b| match b.value {
        // Counts only: a phrase with a fraction in it would be a riddle.
        Some(Ok(value)) if value.is_finite() && value.abs() < 1e15 => Some(value.round() as i64),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::action::kinds::{Systemd, SystemdVerb};
    use super::super::machine::worlds::{plan, step, with};
    use super::*;

    fn unit(id: &str, host: &str, unit: &str) -> Step {
        with(id, |s| {
            s.host = HostId::new(host);
            s.action =
                Action::Systemd(Systemd { verb: SystemdVerb::Restart, unit: unit.to_owned(), signal: None });
        })
    }

    #[test]
    fn what_is_typed_grows_with_the_level() {
        type Case = (Level, Vec<Step>, Vec<Blast>, Option<&'static str>);
        let blast = |value: Option<Result<f64, String>>| Blast { says: "x".to_owned(), value };
        let unknown = blast(Some(Err("nobody knows".to_owned())));
        let known = blast(Some(Ok(41.0)));
        let one = vec![unit("a", "vpn", "x.service")];
        let same = vec![unit("a", "vpn", "x.service"), unit("b", "db", "x.service")];
        let both = vec![unit("a", "vpn", "x.service"), unit("b", "db", "y.service")];
        let reads = with("r", |s| {
            s.effect = Effect::Read;
            s.host = HostId::new("elsewhere");
        });
        let mut read_first = vec![reads];
        read_first.extend(one.clone());
        let table: Vec<Case> = vec![
            (Level::L0, one.clone(), vec![], None),
            (Level::L1, one.clone(), vec![], None),
            (Level::L2, one.clone(), vec![known.clone()], Some("vpn")),
            (Level::L2, read_first, vec![], Some("vpn")),
            (Level::L2, same, vec![], Some("x.service")),
            (Level::L2, both.clone(), vec![], Some("p")),
            (Level::L3, one.clone(), vec![], Some("p vpn")),
            (Level::L3, one.clone(), vec![unknown, known.clone()], Some("p vpn 41")),
            (Level::L4, both, vec![known], Some("p 2-hosts 41")),
            (Level::L3, one, vec![blast(Some(Ok(f64::NAN)))], Some("p vpn")),
        ];
        for (level, steps, blast, typed) in table {
            let mut made = plan(steps);
            made.level = level;
            let prompt = prompt(&made, &blast);
            assert_eq!(prompt.type_this.as_deref(), typed, "{level}");
            assert_eq!(prompt.needs_reason, level >= Level::L3);
            assert_eq!(prompt.needs_second, level == Level::L4);
        }
        assert_eq!(prompt(&plan(vec![step("a")]), &[]).type_this.as_deref(), Some("here"));
    }

    #[test]
    fn a_count_that_moves_a_little_is_the_one_that_was_typed() {
        let at = |count: f64| {
            let blast = [Blast { says: "{}".to_owned(), value: Some(Ok(count)) }];
            prompt(&Plan { level: Level::L3, ..plan(vec![unit("a", "7", "x.service")]) }, &blast)
        };
        for (now, typed, takes) in [
            (88.0, "p 7 88", true),
            (88.0, "p 7 96", true),
            (88.0, "p 7 97", false),
            (88.0, "p 7 80", true),
            (88.0, "p 7 79", false),
            (2.0, "p 7 5", true),
            (2.0, "p 7 6", false),
            (2.0, "p 7 0", false),
            (0.0, "p 7 1", false),
            (0.0, "p 7 0", true),
            (88.0, "p 8 88", false),
            (88.0, "p 7", false),
            (88.0, "p 7 88 ", false),
            (88.0, "", false),
        ] {
            assert_eq!(at(now).takes(typed), takes, "{typed:?} when it is {now}");
        }
        // A number that is a name is no count.
        let named = prompt(&Plan { level: Level::L3, ..plan(vec![unit("a", "7", "x.service")]) }, &[]);
        assert!(named.takes("p 7") && !named.takes("p 8"));
    }
}
