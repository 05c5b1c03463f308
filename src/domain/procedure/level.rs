//! How dangerous a plan is, and so how it is confirmed.

use super::action::kinds::Switch;
use super::action::{Action, Edge};
use super::plan::Step;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a step does to the world, from mild to severe. Not said means `Destroy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Read,
    Change,
    Interrupt,
    Destroy,
}

/// How much must be said before it is done; see the design's table of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Reads.
    L0,
    /// Reversible and narrow: a preview and one key.
    L1,
    /// Interrupts service: the host or the service is typed.
    L2,
    /// Destroys data or credentials, or changes the security edge: a phrase and a reason.
    L3,
    /// The same, and cannot be undone or hits everyone: and a second person.
    L4,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::L0 => "L0",
            Level::L1 => "L1",
            Level::L2 => "L2",
            Level::L3 => "L3",
            Level::L4 => "L4",
        })
    }
}

/// A level and why, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub level: Level,
    pub because: Vec<String>,
}

impl Level {
    /// The next one up, but never L4: that is for what cannot be undone.
    fn raised(self) -> Level {
        match self {
            Level::L0 => Level::L1,
            Level::L1 => Level::L2,
            Level::L2 | Level::L3 => Level::L3,
            Level::L4 => Level::L4,
        }
    }
}

/// The level of one step.
pub fn of_step(step: &Step, production: bool) -> Judged {
    let id = &step.id;
    let (mut level, why) = match step.effect {
        Effect::Read => (Level::L0, "reads"),
        Effect::Change => (Level::L1, "changes something that can be changed back"),
        Effect::Interrupt => (Level::L2, "interrupts service"),
        Effect::Destroy => (Level::L3, "destroys data or credentials, or does not say what it does"),
    };
    let mut because = vec![format!("{level}: step `{id}` {why}")];
    let mut raise = |to: Level, why: &str| {
        if to > level {
            level = to;
            because.push(format!("{level}: step `{id}` {why}"));
        }
    };
    for action in std::iter::once(&step.action).chain(step.rollback.as_ref().map(|r| &r.action)) {
        match edge(action) {
            Edge::None => {}
            Edge::Narrow => raise(Level::L2, "changes who is let in: one address"),
            Edge::Wide => raise(Level::L3, "changes who is let in: everybody outside"),
        }
    }
    let shell = |a: &Action| matches!(a, Action::Shell(_));
    if shell(&step.action) || step.rollback.as_ref().is_some_and(|r| shell(&r.action)) {
        let up = if matches!(level, Level::L4) { level } else { level.raised().max(Level::L2) };
        if up > level {
            level = up;
            because.push(format!("{level}: step `{id}` is a shell script"));
        }
    }
    if step.effect == Effect::Destroy && step.point_of_no_return && step.rollback.is_none() {
        level = Level::L4;
        because.push(format!("{level}: step `{id}` destroys and cannot be undone"));
    }
    if !production && level == Level::L4 {
        level = Level::L3;
        because.push(format!("{level}: not in production"));
    }
    Judged { level, because }
}

/// How far an action reaches of what keeps strangers out, a site's maintenance page among it.
fn edge(action: &Action) -> Edge {
    match action {
        Action::Nginx(n) => match n.maintenance {
            Switch::On | Switch::Off => Edge::Wide,
        },
        other => other.edge(),
    }
}

/// The level of a plan: that of its worst step, or what its procedure declares if that is higher.
/// `because` names every step of that level.
pub fn of_plan(steps: &[Step], declared: Option<Level>, production: bool) -> Judged {
    let judged: Vec<Judged> = steps.iter().map(|s| of_step(s, production)).collect();
    let computed = judged.iter().map(|j| j.level).max().unwrap_or(Level::L0);
    let declared = declared.map(|l| if production { l } else { l.min(Level::L3) });
    if let Some(level) = declared.filter(|l| *l > computed) {
        return Judged { level, because: vec![format!("{level}: the procedure says so")] };
    }
    let mut because: Vec<String> = judged
        .into_iter()
        .filter(|j| j.level == computed)
        .filter_map(|j| j.because.last().cloned())
        .collect();
    because.dedup();
    Judged { level: computed, because }
}

/// Words by which an environment says that nobody depends on it.
const HARMLESS: &[&str] = &[
    "demo",
    "dev",
    "devel",
    "development",
    "test",
    "testing",
    "qa",
    "ci",
    "lab",
    "local",
    "sandbox",
    "staging",
    "stage",
];

/// Whether people depend on an environment. What is not known to be harmless is production.
pub fn is_production(environment: &str) -> bool {
    let environment = environment.to_lowercase();
    let words: Vec<&str> =
        environment.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let serious = words.iter().any(|w| w.starts_with("prod") || *w == "live");
    serious || !words.iter().any(|w| HARMLESS.contains(w))
}
