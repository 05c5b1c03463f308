//! Runners of every real procedure, killed at every point of their journals: the run reads as in
//! doubt at the right step, nothing is done twice that must not be, and it is resumed to its end.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "procedures_crash/deadly.rs"]
mod deadly;
#[path = "harness/demo.rs"]
mod demo;
#[path = "procedures_crash/ground.rs"]
mod ground;
#[path = "harness/host.rs"]
mod host;
#[expect(dead_code, reason = "steps are read off the journal here")]
#[path = "harness/operator.rs"]
mod operator;
#[path = "procedures_crash/places.rs"]
mod places;
#[path = "procedures_crash/record.rs"]
mod record;
#[path = "procedures_crash/relay.rs"]
mod relay;
#[path = "harness/systemd.rs"]
mod systemd;
#[path = "procedures_crash/table.rs"]
mod table;
#[path = "procedures_crash/trial.rs"]
mod trial;
#[expect(dead_code, reason = "it is tidied by its own procedures here")]
#[path = "harness/yard.rs"]
mod yard;

use ground::{Counts, Ground};
use std::time::Duration;
use table::{Case, TORNADO, YARD};

const PROGRAM: &str = env!("CARGO_BIN_EXE_quarterdeck");

/// Procedures whose runners die all along the way. No step says that it may be done twice, and what
/// they do to the world is what they do when nobody dies.
fn again_and_again(which: fn(&Case) -> bool) {
    let Some(ground) = places::yard(true) else { return };
    table::assert_complete(&ground, YARD);
    for case in YARD.iter().filter(|c| which(c)) {
        to_the_end(&ground, case);
    }
}

/// What one procedure does to the world when its runner dies all along the way is what it does
/// when that lives; only what a step says may be done twice may have been.
fn to_the_end(ground: &Ground, case: &Case) {
    let plain = trial::undisturbed(ground, case);
    let killed = trial::killed_again_and_again(ground, case);
    println!("{}: {} entries, {} deaths, {:?}", case.id, killed.entries, killed.deaths, killed.explained);
    assert!(killed.deaths > 1, "{}: {killed:?}", case.id);
    if killed.verified {
        let whats = |counts: &Counts| counts.keys().cloned().collect::<Vec<_>>();
        assert_eq!(whats(&killed.done), whats(&plain.done), "{}: {}", case.id, ground.told(&killed.id));
        assert_eq!(killed.strictly(), plain.strictly(), "{}: {}", case.id, ground.told(&killed.id));
    }
    for (what, n) in killed.strictly() {
        assert!(
            Some(&n) <= plain.done.get(&what),
            "{}: {what} {n} times: {}",
            case.id,
            ground.told(&killed.id)
        );
    }
}

/// Those of the demo that are soon done: among them steps of which nothing tells whether they
/// happened, and that must not happen twice.
const SOON: [&str; 6] =
    ["restart-service", "restart-api", "restart-ipam", "block", "unblock", "rotation-review"];

fn again_and_again_in_the_demo(which: fn(&Case) -> bool) {
    let (_demo, ground) = places::demo();
    table::assert_complete(&ground, TORNADO);
    for case in TORNADO.iter().filter(|c| which(c)) {
        to_the_end(&ground, case);
    }
}

#[test]
fn killed_again_and_again_the_demos_short_procedures_do_nothing_twice() {
    again_and_again_in_the_demo(|c| SOON.contains(&c.id));
}

#[test]
#[ignore = "takes many minutes; run by hand"]
fn killed_again_and_again_the_demos_long_procedures_do_nothing_twice() {
    again_and_again_in_the_demo(|c| !SOON.contains(&c.id) && c.may_end.is_none());
}

#[test]
#[ignore = "takes many minutes; run by hand"]
fn killed_again_and_again_the_demos_rotations_do_nothing_twice_or_say_why_they_cannot_end() {
    again_and_again_in_the_demo(|c| c.may_end.is_some());
}

#[test]
fn killed_again_and_again_recoveries_do_nothing_twice() {
    again_and_again(|c| ["restart", "recover", "drain", "reopen"].contains(&c.id));
}

#[test]
fn killed_again_and_again_containments_do_nothing_twice() {
    again_and_again(|c| !["restart", "recover", "drain", "reopen"].contains(&c.id));
}

/// A run for every entry of every procedure's journal: its runner dies at once after it, and, in
/// another run, in the midst of what follows it.
fn at_every_entry(strict: bool) {
    let Some(ground) = places::yard(strict) else { return };
    for case in YARD {
        let plain = trial::undisturbed(&ground, case);
        let mut runs = Vec::new();
        for lag in [0, 40] {
            for at in 1..=plain.entries + 5 {
                let lag = Duration::from_millis(lag);
                let Some(killed) = trial::killed_once(&ground, case, at, lag) else { break };
                if strict {
                    assert_eq!(killed.done, plain.done, "{} at {at}: {}", case.id, ground.told(&killed.id));
                }
                runs.push((at, killed));
            }
        }
        let count = |so: fn(&(u64, trial::Result)) -> bool| runs.iter().filter(|r| so(r)).count();
        println!(
            "{} (strict: {strict}): {} entries, {} deaths, {} right after the entry meant, {} in doubt, {} explained stops; all verified",
            case.id,
            plain.entries,
            runs.len(),
            count(|(at, run)| run.died_at == *at),
            count(|(_, run)| run.in_doubt),
            runs.iter().map(|(_, run)| run.explained.len()).sum::<usize>(),
        );
        assert!(runs.len() >= 3);
    }
}

#[test]
#[ignore = "takes many minutes; run by hand"]
fn killed_at_every_entry_where_nothing_may_be_done_twice() {
    at_every_entry(true);
}

#[test]
#[ignore = "takes many minutes; run by hand"]
fn killed_at_every_entry_as_the_procedures_are() {
    at_every_entry(false);
}
