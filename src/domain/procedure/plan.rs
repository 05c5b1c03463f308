//! A plan: a procedure with everything resolved and frozen. Its hash is what is approved.

use super::action::Action;
use super::check::{Check, Condition};
use super::level::{Effect, Level};
use super::millis;
use crate::domain::id::{HostId, LayerId, ProcedureId, StepId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The form of the plans and journals written now.
pub const FORMAT: u32 = 1;

/// A procedure with every parameter and target resolved. It holds nothing that changes by itself,
/// neither time nor live values, so that making it twice of an unchanged world gives one hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub format: u32,
    pub stack: String,
    /// The stack's title, for people.
    pub title: String,
    pub environment: String,
    /// SHA-256 of the stack file and of what config.toml changes in it, in hexadecimal digits.
    pub stack_hash: String,
    pub procedure: ProcedureId,
    pub name: String,
    pub params: BTreeMap<String, String>,
    /// One run of the stack at a time for each scope.
    pub lock: String,
    /// For the whole run, holds not counted.
    #[serde(with = "millis")]
    pub deadline: Duration,
    pub level: Level,
    /// Why it is that level, one line each.
    pub level_because: Vec<String>,
    pub preconditions: Vec<Precondition>,
    pub steps: Vec<Step>,
    /// State of the targets when it was made: if one differs at the start, the plan is refused.
    pub pins: Vec<Pin>,
}

impl Plan {
    /// The hosts that it reaches, each once, in the order of its steps.
    pub fn hosts(&self) -> Vec<&str> {
        let mut out: Vec<&str> = Vec::new();
        for step in &self.steps {
            if !out.contains(&step.host.as_str()) {
                out.push(step.host.as_str());
            }
        }
        out
    }

    /// `Example, environment staging, host core`: where it acts, in words.
    pub fn place(&self) -> String {
        let hosts = self.hosts();
        let word = if hosts.len() == 1 { "host" } else { "hosts" };
        format!("{}, environment {}, {word} {}", self.title, self.environment, hosts.join(", "))
    }
}

/// What must hold before the first step, and again when a run is resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    /// What it means, in words: it completes "needs …".
    pub says: String,
    pub what: Condition,
}

/// The state of one target, as one short text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// What: `unit nginx.service on vpn`.
    pub what: String,
    pub state: String,
}

/// One step, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub id: StepId,
    /// `PROCEDURE.STEP` of the stack file: what interlocks name.
    pub origin: String,
    pub name: String,
    pub host: HostId,
    /// The layer that it recovers, for the screen.
    pub layer: Option<LayerId>,
    /// Through `sudo -n`.
    pub sudo: bool,
    pub action: Action,
    pub effect: Effect,
    /// Doing it twice is as good as once.
    pub idempotent: bool,
    #[serde(with = "millis")]
    pub timeout: Duration,
    pub on_timeout: OnTimeout,
    pub on_failure: OnFailure,
    pub verify: Option<Check>,
    pub rollback: Option<Rollback>,
    /// Waits for a person before it, saying this.
    pub hold: Option<String>,
    /// From here on there is no rolling back.
    pub point_of_no_return: bool,
    /// Passed over, with proof, when this holds …
    pub unless: Option<Check>,
    /// … and none of these earlier steps was carried out.
    pub after: Vec<StepId>,
    /// What is owed from the moment its effect is intended.
    pub owes: Option<Owe>,
    /// Debts that are settled once it is verified, by id; also those of earlier runs.
    pub settles: Vec<String>,
    /// The round of a `for_each` that it belongs to.
    pub round: Option<Round>,
    pub level: Level,
    pub certainty: Certainty,
    /// Exact argv or request, one line each, as it is shown and journalled.
    pub preview: Vec<String>,
}

/// The longest that a single part of a step may take: its effect, its wait or its verification. A
/// person's own time is none of it, as a run's deadline does not count that either.
pub fn longest(action: &Action, timeout: Duration, verify: Option<&Check>) -> Duration {
    let effect = match action {
        Action::Manual(_) => Duration::ZERO,
        Action::Wait(wait) => wait.until.within.min(timeout),
        _ => timeout,
    };
    verify.map_or(effect, |check| effect.max(check.within))
}

/// What happens when a step's time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnTimeout {
    /// The verification decides: seen good, it is done; else it failed.
    Verify,
    Fail,
    /// A hold that shows what remains; released, the run goes on as if it were done.
    Hold,
}

/// What happens when a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The run ends; its rollback is offered, and what is owed is listed.
    Stop,
    /// The step's own rollback is carried out, then the run ends.
    Rollback,
    /// A hold: the person says whether to try again, to go on, or to stop.
    Hold,
    /// Noted, and the run goes on. For steps whose failure a later one makes good.
    Continue,
}

/// How a step is undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    pub action: Action,
    #[serde(with = "millis")]
    pub timeout: Duration,
    pub verify: Option<Check>,
    pub preview: Vec<String>,
}

/// Something left open that must not be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owe {
    pub id: String,
    /// What is owed, in words: "the ingress is closed".
    pub says: String,
    /// The procedure that settles it, if another does.
    pub by: Option<ProcedureId>,
}

/// One round of a `for_each`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The id of the step that became rounds.
    pub of: StepId,
    pub item: String,
    /// Rounds that may fail before the run stops.
    pub max_failures: u32,
}

/// How sure the preview is of what a step will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Its target was looked at just now.
    Probed,
    /// The tool itself was asked what it would do.
    Simulated,
    /// Nothing is known in advance.
    Unknown,
}

/// SHA-256 of a plan, in hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlanHash(String);

impl PlanHash {
    /// Hexadecimal digits of a hash.
    pub const DIGITS: usize = 64;
    /// As many of them, from its beginning, mean a hash.
    pub const LEAST: usize = 12;

    /// Of the plan's JSON with its keys in order.
    pub fn of(plan: &Plan) -> PlanHash {
        use sha2::{Digest, Sha256};
        // Struct fields are written in the order of the type and maps are sorted, so that one plan
        // has one text. Nothing in a plan can fail to be written.
        let text = serde_json::to_vec(plan).unwrap_or_default();
        let digest = Sha256::digest(&text);
        PlanHash(
            digest
                .iter()
                .flat_map(|b| [b >> 4, b & 15])
                .filter_map(|d| char::from_digit(d.into(), 16))
                .collect(),
        )
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first twelve digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..PlanHash::LEAST).unwrap_or(&self.0)
    }

    /// Whether a person's text means this hash: all of it, or at least its first twelve digits.
    pub fn is_meant_by(&self, text: &str) -> bool {
        text.len() >= PlanHash::LEAST && self.0.starts_with(text)
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}
