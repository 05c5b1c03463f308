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

/// Why a step has its level, said of one step and of several: "interrupts", "interrupt".
type Why = (&'static str, &'static str);

const READS: Why = ("reads", "read");
const CHANGES: Why =
    ("changes something that can be changed back", "change something that can be changed back");
const INTERRUPTS: Why = ("interrupts service", "interrupt service");
const DESTROYS: Why = (
    "destroys data or credentials, or does not say what it does",
    "destroy data or credentials, or do not say what they do",
);
const ONE_ADDRESS: Why = ("changes whether one address is let in", "change whether one address is let in");
const EVERYBODY: Why = ("changes whether outsiders are let in", "change whether outsiders are let in");
const SCRIPT: Why = ("is a shell script", "are shell scripts");
const FINAL: Why = ("destroys and cannot be undone", "destroy and cannot be undone");
const HARMLESS_HERE: Why =
    ("cannot be undone, but this is not production", "cannot be undone, but this is not production");

/// Steps that are named as the reason of a level; the others are counted.
const NAMED: usize = 6;

/// What of a step makes it dangerous: known of a plan's steps and of a file's alike.
pub struct Danger<'a> {
    pub id: &'a str,
    pub effect: Effect,
    pub action: &'a Action,
    pub rollback: Option<&'a Action>,
    pub point_of_no_return: bool,
}

impl<'a> Danger<'a> {
    fn of(step: &'a Step) -> Danger<'a> {
        Danger {
            id: step.id.as_str(),
            effect: step.effect,
            action: &step.action,
            rollback: step.rollback.as_ref().map(|r| &r.action),
            point_of_no_return: step.point_of_no_return,
        }
    }
}

/// The level of one step.
pub fn of_step(step: &Step, production: bool) -> Judged {
    of_danger(&Danger::of(step), production)
}

/// The level of a step by what is dangerous in it.
pub fn of_danger(step: &Danger<'_>, production: bool) -> Judged {
    let (level, why) = judge(step, production);
    Judged { level, because: vec![because(why, &[step.id])] }
}

/// The level of one step, and what decides it.
fn judge(step: &Danger<'_>, production: bool) -> (Level, Why) {
    let (mut level, mut why) = match step.effect {
        Effect::Read => (Level::L0, READS),
        Effect::Change => (Level::L1, CHANGES),
        Effect::Interrupt => (Level::L2, INTERRUPTS),
        Effect::Destroy => (Level::L3, DESTROYS),
    };
    let mut raise = |to: Level, reason: Why| {
        if to > level {
            (level, why) = (to, reason);
        }
    };
    for action in std::iter::once(step.action).chain(step.rollback) {
        match edge(action) {
            Edge::None => {}
            Edge::Narrow => raise(Level::L2, ONE_ADDRESS),
            Edge::Wide => raise(Level::L3, EVERYBODY),
        }
    }
    let shell = |a: &Action| matches!(a, Action::Shell(_));
    if shell(step.action) || step.rollback.is_some_and(shell) {
        let up = if matches!(level, Level::L4) { level } else { level.raised().max(Level::L2) };
        if up > level {
            (level, why) = (up, SCRIPT);
        }
    }
    if step.effect == Effect::Destroy && step.point_of_no_return && step.rollback.is_none() {
        (level, why) = (Level::L4, FINAL);
    }
    if !production && level == Level::L4 {
        (level, why) = (Level::L3, HARMLESS_HERE);
    }
    (level, why)
}

/// "step `a` interrupts service", "steps `a`, `b` and 3 more interrupt service".
fn because((one, many): Why, steps: &[&str]) -> String {
    if let [step] = steps {
        return format!("step `{step}` {one}");
    }
    let shown = if steps.len() > NAMED + 1 { NAMED } else { steps.len() };
    let mut names: Vec<String> = steps.iter().take(shown).map(|s| format!("`{s}`")).collect();
    let more = steps.len() - shown;
    let last = if more > 0 { format!("{more} more") } else { names.pop().unwrap_or_default() };
    format!("steps {} and {last} {many}", names.join(", "))
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
/// `because` names the steps of that level, a line for each reason.
pub fn of_plan(steps: &[Step], declared: Option<Level>, production: bool) -> Judged {
    let judged: Vec<(&Step, Level, Why)> = steps
        .iter()
        .map(|s| {
            let (level, why) = judge(&Danger::of(s), production);
            (s, level, why)
        })
        .collect();
    let computed = judged.iter().map(|(_, level, _)| *level).max().unwrap_or(Level::L0);
    let declared = declared.map(|l| if production { l } else { l.min(Level::L3) });
    if let Some(level) = declared.filter(|l| *l > computed) {
        return Judged { level, because: vec!["the procedure says so".to_owned()] };
    }
    let mut reasons: Vec<(Why, Vec<&str>)> = Vec::new();
    for (step, level, why) in judged {
        if level < computed {
            continue;
        }
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, ids)) => ids.push(step.id.as_str()),
            None => reasons.push((why, vec![step.id.as_str()])),
        }
    }
    Judged { level: computed, because: reasons.iter().map(|(why, ids)| because(*why, ids)).collect() }
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
        assert_eq!(of_plan(&steps, None, true).because, ["step `b` interrupts service"]);
        assert_eq!(of_plan(&[], None, true).level, Level::L0);
    }

    #[test]
    fn each_reason_is_told_once_with_the_steps_that_it_is_of() {
        let close = with("close", |s| s.action = firewall(FirewallVerb::Close));
        let open = with("open", |s| s.action = firewall(FirewallVerb::Open));
        let wipe = with("wipe", |s| s.effect = Effect::Destroy);
        assert_eq!(
            of_plan(&[close, step("b"), wipe, open], None, true).because,
            [
                "steps `close` and `open` change whether outsiders are let in",
                "step `wipe` destroys data or credentials, or does not say what it does"
            ]
        );
        let many: Vec<Step> = ["a", "b", "c", "d", "e", "f", "g", "h"].map(step).into();
        assert_eq!(
            of_plan(&many, None, true).because,
            ["steps `a`, `b`, `c`, `d`, `e`, `f` and 2 more interrupt service"]
        );
        assert_eq!(
            of_plan(&many[..7], None, true).because,
            ["steps `a`, `b`, `c`, `d`, `e`, `f` and `g` interrupt service"]
        );
        assert_eq!(of_plan(&many, Some(Level::L3), true).because, ["the procedure says so"]);
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
