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

/// What of a step makes it dangerous: known of a plan's steps and of a file's alike.
pub struct Danger<'a> {
    pub id: &'a str,
    pub effect: Effect,
    pub action: &'a Action,
    pub rollback: Option<&'a Action>,
    pub point_of_no_return: bool,
}

/// The level of one step.
pub fn of_step(step: &Step, production: bool) -> Judged {
    let danger = Danger {
        id: step.id.as_str(),
        effect: step.effect,
        action: &step.action,
        rollback: step.rollback.as_ref().map(|r| &r.action),
        point_of_no_return: step.point_of_no_return,
    };
    of_danger(&danger, production)
}

/// The level of a step by what is dangerous in it.
pub fn of_danger(step: &Danger<'_>, production: bool) -> Judged {
    let id = step.id;
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
    for action in std::iter::once(step.action).chain(step.rollback) {
        match edge(action) {
            Edge::None => {}
            Edge::Narrow => raise(Level::L2, "changes who is let in: one address"),
            Edge::Wide => raise(Level::L3, "changes who is let in: everybody outside"),
        }
    }
    let shell = |a: &Action| matches!(a, Action::Shell(_));
    if shell(step.action) || step.rollback.is_some_and(shell) {
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

#[cfg(test)]
mod tests {
    use super::super::action::kinds::{Firewall, FirewallBackend, FirewallVerb, Nginx, Shell};
    use super::super::machine::worlds::{rollback, step, with};
    use super::*;
    use std::collections::BTreeMap;

    fn firewall(verb: FirewallVerb) -> Action {
        Action::Firewall(Firewall {
            backend: FirewallBackend::Nftables,
            verb,
            address: None,
            ports: vec![],
            except: vec![],
            expires: None,
            table: "t".to_owned(),
        })
    }

    fn shell() -> Action {
        Action::Shell(Shell { script: "x".to_owned(), args: vec![], env: BTreeMap::new(), stdin: None })
    }

    fn nginx(maintenance: Switch) -> Action {
        Action::Nginx(Nginx {
            maintenance,
            site: "/a".to_owned(),
            keep_in: "/b".to_owned(),
            page: None,
            test: vec![],
            reload: vec![],
        })
    }

    #[test]
    fn a_step_is_as_dangerous_as_what_it_does() {
        use Effect::{Change, Destroy, Interrupt, Read};
        let plain = || step("s").action;
        let table: Vec<(Effect, Action, Level)> = vec![
            (Read, plain(), Level::L0),
            (Change, plain(), Level::L1),
            (Interrupt, plain(), Level::L2),
            (Destroy, plain(), Level::L3),
            (Change, firewall(FirewallVerb::Block), Level::L2),
            (Change, firewall(FirewallVerb::Unblock), Level::L2),
            (Change, firewall(FirewallVerb::Close), Level::L3),
            (Read, firewall(FirewallVerb::Open), Level::L3),
            (Change, nginx(Switch::On), Level::L3),
            (Change, nginx(Switch::Off), Level::L3),
            (Read, shell(), Level::L2),
            (Change, shell(), Level::L2),
            (Interrupt, shell(), Level::L3),
            (Destroy, shell(), Level::L3),
        ];
        for (effect, action, level) in table {
            let s = with("s", |s| (s.effect, s.action) = (effect, action.clone()));
            assert_eq!(of_step(&s, true).level, level, "{effect:?} {action:?}");
        }
    }

    #[test]
    fn what_cannot_be_undone_needs_two_people_in_production() {
        let s = with("s", |s| {
            s.effect = Effect::Destroy;
            s.point_of_no_return = true;
        });
        assert_eq!(of_step(&s, true).level, Level::L4);
        assert_eq!(of_step(&s, false).level, Level::L3);
        let undoable = with("s", |u| {
            u.effect = Effect::Destroy;
            u.point_of_no_return = true;
            u.rollback = Some(rollback());
        });
        assert_eq!(of_step(&undoable, true).level, Level::L3);
    }

    #[test]
    fn a_file_raises_a_level_and_never_lowers_it() {
        let steps = [with("a", |s| s.effect = Effect::Change), step("b")];
        for (declared, production, level) in [
            (None, true, Level::L2),
            (Some(Level::L0), true, Level::L2),
            (Some(Level::L3), true, Level::L3),
            (Some(Level::L4), true, Level::L4),
            (Some(Level::L4), false, Level::L3),
        ] {
            let judged = of_plan(&steps, declared, production);
            assert_eq!(judged.level, level, "{declared:?} {production}");
            assert!(!judged.because.is_empty());
        }
        assert_eq!(of_plan(&steps, None, true).because, ["L2: step `b` interrupts service"]);
        assert_eq!(of_plan(&[], None, true).level, Level::L0);
    }

    #[test]
    fn what_is_not_known_to_be_harmless_is_production() {
        for serious in ["production", "prod-eu", "live", "", "blue", "test-prod", "contest", "labour"] {
            assert!(is_production(serious), "{serious}");
        }
        for harmless in ["demo", "Staging", "dev", "test_2", "eu-staging", "lab"] {
            assert!(!is_production(harmless), "{harmless}");
        }
    }
}
