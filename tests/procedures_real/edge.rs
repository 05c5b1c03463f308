//! Faults of the drain and of the reopening: nginx that refuses, hangs or does not take the page,
//! directories that take nothing, sessions that do not end.

use crate::case::How::{Fails, Hangs, Unseen};
use crate::case::{CASE, Case, prove_all, prove_on};
use crate::yard::{STACK, Yard};

const BROKEN: &str = "echo nonsense >$D/sites/broken";
const RELOAD_HANGS: &str = "stand_in nginx 'case \"$*\" in *reload*) exec sleep 60;; esac'";
const RELOAD_LIES: &str = "stand_in nginx 'case \"$*\" in *reload*) exit 0;; esac'";
const AS_IT_WAS: &str =
    "cmp $D/pristine/app $D/sites/app && [ ! -e $D/kept/app ] && answers http://127.0.0.1/ 200";
const CLOSED: &str = "[ -f $D/kept/app ] && answers http://127.0.0.1/ 503";
const REFUSED: &[&str] =
    &["nginx refuses the configuration", "[emerg]", "sites/broken", "every file is as it was"];

pub const CASES: &[Case] = &[
    Case {
        run: "drain",
        step: "close",
        how: Fails,
        fault: BROKEN,
        says: REFUSED,
        owed: &["ingress"],
        world: AS_IT_WAS,
        ..CASE
    },
    Case {
        run: "drain",
        step: "close",
        how: Fails,
        fault: "read_only $D/kept",
        says: &["Read-only file system"],
        owed: &["ingress"],
        world: AS_IT_WAS,
        ..CASE
    },
    Case {
        run: "drain",
        step: "close",
        how: Fails,
        fault: "full $D/kept",
        says: &["No space left on device"],
        owed: &["ingress"],
        world: AS_IT_WAS,
        ..CASE
    },
    Case {
        run: "drain",
        step: "close",
        how: Hangs,
        fault: RELOAD_HANGS,
        says: &["not done within 1 s", "every file is as it was", "it did not happen"],
        owed: &["ingress"],
        world: AS_IT_WAS,
        ..CASE
    },
    Case {
        run: "drain",
        step: "close",
        how: Unseen,
        fault: RELOAD_LIES,
        says: &["0 of 2 good", "it does not hold", "200"],
        owed: &["ingress"],
        world: "[ -f $D/kept/app ] && answers http://127.0.0.1/ 200",
        ..CASE
    },
    Case {
        run: "drain",
        step: "close",
        how: Unseen,
        fault: RELOAD_LIES,
        tweak: "on_failure = 'rollback'",
        says: &["0 of 2 good"],
        rolled_back: Some(true),
        world: AS_IT_WAS,
        ..CASE
    },
    Case {
        run: "drain",
        step: "close",
        how: Unseen,
        fault: "stand_in nginx 'case \"$*\" in *reload*) : >\"$0.lied\"; exit 0;; esac
            [ ! -e \"$0.lied\" ] || { echo \"nginx: [emerg] no memory\" >&2; exit 1; }'",
        tweak: "on_failure = 'rollback'",
        says: &["0 of 2 good"],
        rolled_back: Some(false),
        owed: &["ingress"],
        world: "[ -f $D/kept/app ] && answers http://127.0.0.1/ 200",
        ..CASE
    },
    Case {
        run: "drain",
        step: "wait",
        how: Fails,
        before: "redis-cli SADD sessions a b",
        tweak: "with.within = '1s'",
        says: &["not so within 1s (0 of 2 good)", "it does not hold; 2 now"],
        owed: &["ingress"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "drain",
        step: "wait",
        how: Fails,
        late: true,
        fault: "systemctl stop redis",
        tweak: "with.within = '1s'",
        says: &["not so within 1s (0 of 2 good)"],
        owed: &["ingress"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "drain",
        step: "recover/stop-app",
        how: Fails,
        late: true,
        fault: "systemctl stop redis
            stand_in systemctl 'case \"$*\" in *stop*) echo \"Failed to stop\" >&2; exit 1;; esac'",
        says: &["Failed to stop"],
        owed: &["ingress"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "drain",
        step: "recover/postgres",
        how: Fails,
        late: true,
        fault: "systemctl stop postgres; break_unit postgres ExecStartPre=/bin/false",
        says: &["Job for postgres.service failed"],
        owed: &["ingress"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "drain",
        step: "recover/redis",
        how: Fails,
        late: true,
        fault: "systemctl stop redis; break_unit redis ExecStartPre=/bin/false",
        says: &["Job for redis.service failed"],
        owed: &["ingress"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "drain",
        step: "recover/app",
        how: Fails,
        late: true,
        fault: "systemctl stop app; break_unit app ExecStartPre=/bin/false",
        says: &["Job for app.service failed"],
        owed: &["ingress"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "drain",
        step: "recover/edge",
        how: Fails,
        late: true,
        fault: "systemctl stop edge; break_unit edge ExecStartPre=/bin/false",
        says: &["Job for edge.service failed"],
        owed: &["ingress"],
        world: "[ -f $D/kept/app ] && answers http://127.0.0.1/ 000",
        ..CASE
    },
    Case {
        run: "drain",
        step: "open",
        how: Fails,
        late: true,
        fault: BROKEN,
        says: REFUSED,
        owed: &["ingress"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "drain",
        step: "open",
        how: Hangs,
        late: true,
        fault: RELOAD_HANGS,
        says: &["not done within 1 s", "it did not happen"],
        owed: &["ingress"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "drain",
        step: "open",
        how: Unseen,
        late: true,
        fault: RELOAD_LIES,
        says: &["0 of 2 good", "edge is down: expected status == 200, got 503"],
        owed: &["ingress"],
        world: "cmp $D/pristine/app $D/sites/app && answers http://127.0.0.1/ 503",
        ..CASE
    },
];

/// On what a drain has left closed.
pub const REOPEN: &[Case] = &[
    Case {
        run: "reopen",
        step: "open",
        how: Fails,
        fault: BROKEN,
        says: REFUSED,
        still: &["ingress"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "reopen",
        step: "open",
        how: Hangs,
        fault: RELOAD_HANGS,
        says: &["not done within 1 s", "it did not happen"],
        still: &["ingress"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "reopen",
        step: "open",
        how: Unseen,
        fault: RELOAD_LIES,
        says: &["0 of 2 good", "got 503"],
        still: &["ingress"],
        world: "cmp $D/pristine/app $D/sites/app && answers http://127.0.0.1/ 503",
        ..CASE
    },
];

#[test]
fn a_drain_that_cannot_close_or_does_not_empty_owes_the_ingress() {
    prove_all(CASES.iter().filter(|c| !c.late));
}

#[test]
fn a_drain_that_stops_halfway_leaves_the_ingress_closed_and_owed() {
    prove_all(CASES.iter().filter(|c| c.late));
}

#[test]
fn a_reopening_is_owed_until_it_is_seen_to_be_open() {
    let Some(yard) = Yard::here() else { return };
    yard.must("redis-cli SADD sessions a b");
    let drained = CASES.iter().find(|c| c.step == "wait").unwrap();
    prove_on(&yard, "reopening", [drained]);
    prove_on(&yard, "reopening", REOPEN);
    let deck = yard.operator_of("reopening", STACK);
    deck.run("reopen", &[], &[]).expect(0);
    assert!(deck.owed().is_empty());
    yard.must("answers http://127.0.0.1/ 200");
    let runs = deck.runs();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 5, "{runs:#}");
}
