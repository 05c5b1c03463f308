//! What differs between a plan that was shown and the same plan made anew, in words.

use super::plan::{Pin, Plan, Step};
use super::proposal::{Proposal, Refusal};
use crate::domain::text::one_line;
use std::collections::{BTreeMap, BTreeSet};

/// Lines given at most; the last one counts the rest.
pub const MAX_CHANGES: usize = 30;
/// The longest line, in characters.
const MAX_LINE: usize = 300;

/// What differs, one safe line each. None means that who saw the one has seen the other: same
/// plan, same obstacles. Live values do not count: of those the policy sees to the one that is
/// typed.
pub fn differ(shown: &Proposal, fresh: &Proposal) -> Vec<String> {
    let mut out = of_plans(&shown.plan, &fresh.plan);
    if out.is_empty() && shown.hash != fresh.hash {
        out.push("the plan is another one".to_owned());
    }
    let (before, now) = (obstacles(shown), obstacles(fresh));
    out.extend(
        now.iter()
            .filter(|(k, _)| !before.contains_key(*k))
            .map(|(_, says)| format!("now in the way: {says}")),
    );
    out.extend(
        before
            .iter()
            .filter(|(k, _)| !now.contains_key(*k))
            .map(|(_, says)| format!("no longer in the way: {says}")),
    );
    bounded(out)
}

/// What differs between two plans, one safe line each.
pub fn of_plans(shown: &Plan, fresh: &Plan) -> Vec<String> {
    let mut out = Vec::new();
    if shown.stack_hash != fresh.stack_hash {
        out.push("the stack file, or what config.toml changes in it, is another one".to_owned());
    }
    let was = |what: &str, a: &str, b: &str| (a != b).then(|| format!("{what} was `{a}` and is `{b}`"));
    out.extend(was("the stack", &shown.stack, &fresh.stack));
    out.extend(was("the environment", &shown.environment, &fresh.environment));
    out.extend(was("the procedure", shown.procedure.as_str(), fresh.procedure.as_str()));
    out.extend(was("the lock", &shown.lock, &fresh.lock));
    out.extend(was("the level", &shown.level.to_string(), &fresh.level.to_string()));
    let seconds = |p: &Plan| format!("{} s", p.deadline.as_secs());
    out.extend(was("the deadline", &seconds(shown), &seconds(fresh)));
    let names: BTreeSet<&String> = shown.params.keys().chain(fresh.params.keys()).collect();
    for name in names {
        let value = |p: &Plan| p.params.get(name).cloned().unwrap_or_default();
        out.extend(was(&format!("the parameter {name}"), &value(shown), &value(fresh)));
    }
    if shown.preconditions != fresh.preconditions {
        out.push("the preconditions are other ones".to_owned());
    }
    steps(&shown.steps, &fresh.steps, &mut out);
    pins(&shown.pins, &fresh.pins, &mut out);
    bounded(out)
}

fn steps(shown: &[Step], fresh: &[Step], out: &mut Vec<String>) {
    let find = |steps: &[Step], id: &Step| steps.iter().position(|s| s.id == id.id);
    for step in shown.iter().filter(|s| find(fresh, s).is_none()) {
        out.push(format!("step `{}` is gone", step.id));
    }
    for step in fresh {
        match find(shown, step).and_then(|i| shown.get(i)) {
            None => out.push(format!("step `{}` is new: {}", step.id, step.preview.join("; "))),
            Some(before) if before.preview != step.preview => out.push(format!(
                "step `{}` was `{}` and is `{}`",
                step.id,
                before.preview.join("; "),
                step.preview.join("; ")
            )),
            Some(before) if before.host != step.host => {
                out.push(format!("step `{}` was on {} and is on {}", step.id, before.host, step.host));
            }
            Some(before) if before != step => {
                out.push(format!("step `{}` is carried out differently", step.id));
            }
            Some(_) => {}
        }
    }
    let order = |a: &[Step], b: &[Step]| -> Vec<usize> { a.iter().filter_map(|s| find(b, s)).collect() };
    if !order(shown, fresh).is_sorted() {
        out.push("the steps are in another order".to_owned());
    }
}

fn pins(shown: &[Pin], fresh: &[Pin], out: &mut Vec<String>) {
    let of = |pins: &'_ [Pin], what: &str| pins.iter().find(|p| p.what == what).map(|p| p.state.clone());
    for pin in fresh {
        match of(shown, &pin.what) {
            None => out.push(format!("{} is `{}`, and was not known", pin.what, pin.state)),
            Some(before) if before != pin.state => {
                out.push(format!("{} was `{before}` and is `{}`", pin.what, pin.state));
            }
            Some(_) => {}
        }
    }
    for pin in shown.iter().filter(|p| of(fresh, &p.what).is_none()) {
        out.push(format!("{} was `{}`, and is not known any more", pin.what, pin.state));
    }
}

/// What stands in the way, each by what makes it the same one when its details change.
fn obstacles(proposal: &Proposal) -> BTreeMap<String, String> {
    proposal
        .refusals
        .iter()
        .map(|r| {
            let key = match r {
                Refusal::Locked { scope, run, .. } => format!("lock {scope} {run}"),
                Refusal::Interlocked { id, .. } => format!("interlock {id}"),
                Refusal::Precondition { says, .. } => format!("precondition {says}"),
                Refusal::Impossible { says } => format!("impossible {says}"),
            };
            (key, r.says())
        })
        .collect()
}

fn bounded(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(MAX_CHANGES);
    if more > 0 {
        lines.truncate(MAX_CHANGES - 1);
        lines.push(format!("and {} more", more + 1));
    }
    lines.iter().map(|l| one_line(l, MAX_LINE)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::machine::worlds::{plan, step, with};
    use super::super::plan::PlanHash;
    use super::super::proposal::prompt;
    use super::*;
    use crate::clock::Now;
    use crate::domain::id::RunId;
    use std::time::Duration;

    fn proposal(change: impl FnOnce(&mut Plan)) -> Proposal {
        let mut plan = plan(vec![step("a"), step("b")]);
        plan.pins = vec![Pin { what: "unit x on here".to_owned(), state: "active".to_owned() }];
        change(&mut plan);
        Proposal {
            hash: PlanHash::of(&plan),
            looked: Now { mono: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH },
            blast: vec![],
            preconditions: vec![],
            refusals: vec![],
            prompt: prompt(&plan, &[]),
            changed: vec![],
            warnings: vec![],
            plan,
        }
    }

    #[test]
    fn every_change_has_its_words() {
        type Change = fn(&mut Plan);
        let table: &[(Change, &[&str])] = &[
            (|_| {}, &[]),
            (
                |p| p.stack_hash = "1".to_owned(),
                &["the stack file, or what config.toml changes in it, is another one"],
            ),
            (|p| p.lock = "edge".to_owned(), &["the lock was `stack` and is `edge`"]),
            (|p| p.deadline = Duration::from_secs(5), &["the deadline was `600 s` and is `5 s`"]),
            (
                |p| {
                    p.params.insert("n".to_owned(), "2".to_owned());
                },
                &["the parameter n was `` and is `2`"],
            ),
            (|p| p.pins[0].state = "failed".to_owned(), &["unit x on here was `active` and is `failed`"]),
            (|p| p.pins.clear(), &["unit x on here was `active`, and is not known any more"]),
            (|p| p.steps[1].preview = vec!["reboot".to_owned()], &["step `b` was `` and is `reboot`"]),
            (|p| p.steps[1].timeout = Duration::from_secs(1), &["step `b` is carried out differently"]),
            (|p| p.steps.reverse(), &["the steps are in another order"]),
            (
                |p| p.steps[1] = with("c", |s| s.preview = vec!["rm".to_owned()]),
                &["step `b` is gone", "step `c` is new: rm"],
            ),
            (|p| p.title = "T".to_owned(), &["the plan is another one"]),
        ];
        for (change, lines) in table {
            assert_eq!(differ(&proposal(|_| {}), &proposal(change)), *lines);
        }
    }

    #[test]
    fn obstacles_that_come_and_go_are_told_and_their_details_are_not() {
        let seen = |text: &str| Refusal::Precondition { says: "redis up".to_owned(), seen: text.to_owned() };
        let lock = Refusal::Locked {
            scope: "stack".to_owned(),
            run: RunId::new("r1"),
            by: "ann".to_owned(),
            since: jiff::Timestamp::UNIX_EPOCH,
            runner_alive: true,
        };
        let with = |refusals: Vec<Refusal>| Proposal { refusals, ..proposal(|_| {}) };
        assert!(differ(&with(vec![seen("down 3s")]), &with(vec![seen("down 4s")])).is_empty());
        let came = differ(&with(vec![]), &with(vec![lock.clone()]));
        assert!(came[0].starts_with("now in the way: run r1 of ann holds the lock"), "{came:?}");
        assert!(differ(&with(vec![lock]), &with(vec![]))[0].starts_with("no longer in the way"));
    }

    #[test]
    fn lines_are_bounded_and_safe() {
        let many = proposal(|p| {
            p.pins = (0..500).map(|i| Pin { what: i.to_string(), state: "\u{1b}[2J".to_owned() }).collect();
        });
        let lines = differ(&proposal(|_| {}), &many);
        assert_eq!(lines.len(), MAX_CHANGES);
        assert_eq!(lines.last().map(String::as_str), Some("and 472 more"));
        assert!(!lines.iter().any(|l| l.chars().any(crate::domain::text::is_hostile)));
    }
}
