//! Runners of every real procedure, killed at every point of their journals: the run reads as in
//! doubt at the right step, nothing is done twice that must not be, and it is resumed to its end.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "procedures_crash/deadly.rs"]
mod deadly;
#[path = "procedures_crash/ground.rs"]
mod ground;
#[path = "harness/host.rs"]
mod host;
#[path = "harness/operator.rs"]
mod operator;
#[path = "procedures_crash/places.rs"]
mod places;
#[path = "procedures_crash/record.rs"]
mod record;
#[path = "harness/systemd.rs"]
mod systemd;
#[path = "procedures_crash/table.rs"]
mod table;
#[path = "procedures_crash/trial.rs"]
mod trial;
#[path = "harness/yard.rs"]
mod yard;

use table::{Case, YARD};

const NEEDS: [(&str, &str); 8] = [
    ("systemd", "systemd"),
    ("unshare", "util-linux"),
    ("redis-server", "redis-server"),
    ("pg_isready", "postgresql"),
    ("nginx", "nginx"),
    ("wireguard-go", "wireguard-go"),
    ("wg", "wireguard-tools"),
    ("nft", "nftables"),
];

/// Procedures whose runners die all along the way. No step says that it may be done twice, and what
/// they do to the world is what they do when nobody dies.
fn again_and_again(which: fn(&Case) -> bool) {
    if !host::real(&NEEDS) {
        return;
    }
    let (_yard, ground) = places::yard(true);
    table::assert_complete(&ground, YARD);
    for case in YARD.iter().filter(|c| which(c)) {
        let plain = trial::undisturbed(&ground, case);
        let killed = trial::killed_again_and_again(&ground, case);
        println!("{}: {} entries, {} deaths, {:?}", case.id, killed.entries, killed.deaths, killed.explained);
        assert!(killed.deaths > 1, "{}: {killed:?}", case.id);
        assert_eq!(killed.done, plain.done, "{}: {}", case.id, ground.told(&killed.id));
    }
}

#[test]
fn killed_again_and_again_recoveries_do_nothing_twice() {
    again_and_again(|c| ["restart", "recover", "drain", "reopen"].contains(&c.id));
}

#[test]
fn killed_again_and_again_containments_do_nothing_twice() {
    again_and_again(|c| !["restart", "recover", "drain", "reopen"].contains(&c.id));
}

/// A run for every entry of every procedure's journal. Takes long.
#[test]
#[ignore = "takes many minutes; run by hand"]
fn killed_at_every_entry() {
    if !host::real(&NEEDS) {
        return;
    }
    for strict in [true, false] {
        let (_yard, ground) = places::yard(strict);
        for case in YARD {
            let plain = trial::undisturbed(&ground, case);
            let (mut points, mut explained) = (0, 0);
            for at in 1..=plain.entries + 5 {
                let Some(killed) = trial::killed_once(&ground, case, at) else { break };
                points += 1;
                explained += killed.explained.len();
                if strict {
                    assert_eq!(killed.done, plain.done, "{} at {at}: {}", case.id, ground.told(&killed.id));
                }
            }
            println!(
                "{} (strict: {strict}): {points} points of {}, all verified; {explained} explained stops before",
                case.id, plain.entries
            );
            assert!(points >= 3);
        }
    }
}
