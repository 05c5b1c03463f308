//! Faults of the containment, the rotation, the restoring and the blocks: evidence that cannot be
//! taken, a packet filter that refuses or hangs, keys that cannot be written or are not taken.

use crate::case::How::{Fails, Hangs, Unseen};
use crate::case::{CASE, Case, prove_all, prove_on};
use crate::yard::{STACK, Yard};

const NOT_PERMITTED: &str =
    "stand_in nft '[ \"$1\" != -f ] || exec setpriv --reuid=65534 --clear-groups \"$real\" \"$@\"'";
const NFT_HANGS: &str = "stand_in nft '[ \"$1\" != -f ] || exec sleep 60'";
const OPEN: &str = "! nft list ruleset | grep -q 4605";
const CLOSED: &str = "nft list ruleset | grep -q 4605";
const KEY_KEPT: &str = "cmp $D/keys/jwt $D/run/jwt-before";
const OLD_KEY: &str = "break_unit app \"ExecStart=\nExecStart=/usr/sbin/nginx -c $D/app.conf\"";

pub const CASES: &[Case] = &[
    Case {
        run: "contain",
        step: "journal",
        how: Fails,
        fault: "stand_in journalctl 'echo \"Failed to open the journal: Input/output error\" >&2; exit 1'",
        says: &["Failed to open the journal: Input/output error"],
        owed: &["evidence"],
        world: OPEN,
        ..CASE
    },
    Case {
        run: "contain",
        step: "journal",
        how: Hangs,
        fault: "stand_in journalctl 'exec sleep 60'",
        says: &["not done within 1 s"],
        owed: &["evidence"],
        world: OPEN,
        ..CASE
    },
    Case {
        run: "contain",
        step: "tunnels",
        how: Fails,
        fault: "stand_in wg 'exec setpriv --reuid=65534 --clear-groups \"$real\" \"$@\"'",
        says: &["Unable to access interface"],
        owed: &["evidence"],
        world: OPEN,
        ..CASE
    },
    Case {
        run: "contain",
        step: "tunnels",
        how: Hangs,
        // The tunnel's own process answers nobody.
        fault: "systemctl kill -s STOP wg",
        says: &["not done within 1 s"],
        owed: &["evidence"],
        world: OPEN,
        ..CASE
    },
    Case {
        run: "contain",
        step: "close",
        how: Fails,
        fault: NOT_PERMITTED,
        says: &["Operation not permitted", "nothing was changed"],
        owed: &["access"],
        world: OPEN,
        ..CASE
    },
    Case {
        run: "contain",
        step: "close",
        how: Hangs,
        // The inside is as well as ever: what verifies the step cannot see that nothing was closed.
        fault: NFT_HANGS,
        says: &["not done within 1 s", "it did not happen: tcp/80 is open"],
        owed: &["access"],
        world: OPEN,
        ..CASE
    },
    Case {
        run: "contain",
        step: "close",
        how: Unseen,
        late: true,
        fault: "systemctl stop app",
        says: &["0 of 1 good", "app-unit is down"],
        owed: &["access"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "contain",
        step: "close",
        how: Unseen,
        late: true,
        fault: "systemctl stop app",
        tweak: "on_failure = 'rollback'",
        says: &["0 of 1 good", "app-unit is down"],
        rolled_back: Some(true),
        world: OPEN,
        ..CASE
    },
    Case {
        run: "contain",
        step: "close",
        how: Unseen,
        late: true,
        fault: "systemctl stop app
            stand_in nft '[ \"$1\" != -f ] || [ ! -e \"$0.closed\" ] || exec setpriv --reuid=65534 --clear-groups \"$real\" \"$@\"
            [ \"$1\" != -f ] || : >\"$0.closed\"'",
        tweak: "on_failure = 'rollback'",
        says: &["0 of 1 good", "app-unit is down"],
        rolled_back: Some(false),
        owed: &["access"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "contain",
        step: "rotate/key",
        how: Fails,
        fault: "read_only $D/keys",
        says: &["Read-only file system"],
        owed: &["access"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "contain",
        step: "rotate/restart",
        how: Fails,
        fault: "break_unit app ExecStartPre=/bin/false",
        says: &["Job for app.service failed"],
        owed: &["access"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "contain",
        step: "rotate/prove",
        how: Fails,
        fault: OLD_KEY,
        says: &["the new key is refused: 401"],
        owed: &["access"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "rotate",
        step: "key",
        how: Fails,
        before: "cp $D/keys/jwt $D/run/jwt-before",
        fault: "full $D/keys",
        says: &["No space left on device"],
        world: KEY_KEPT,
        ..CASE
    },
    Case {
        run: "rotate",
        step: "key",
        how: Hangs,
        before: "cp $D/keys/jwt $D/run/jwt-before",
        fault: "stand_in head 'exec sleep 60'",
        says: &["not done within 1 s"],
        world: KEY_KEPT,
        ..CASE
    },
    Case {
        run: "rotate",
        step: "restart",
        how: Fails,
        fault: "break_unit app ExecStartPre=/bin/false",
        says: &["Job for app.service failed"],
        ..CASE
    },
    Case {
        run: "rotate",
        step: "restart",
        how: Hangs,
        fault: "break_unit app 'ExecStartPre=/bin/sleep 60'",
        says: &["0 of 2 good", "got activating"],
        ..CASE
    },
    Case {
        run: "rotate",
        step: "restart",
        how: Unseen,
        fault: "break_unit app \"ExecStart=\nExecStart=/bin/sleep 600\"",
        says: &["0 of 2 good", "connection refused"],
        ..CASE
    },
    Case {
        run: "rotate",
        step: "prove",
        how: Fails,
        fault: OLD_KEY,
        says: &["the new key is refused: 401"],
        ..CASE
    },
    Case {
        run: "rotate",
        step: "prove",
        how: Hangs,
        late: true,
        fault: "systemctl kill -s STOP app",
        says: &["not done within 1 s"],
        ..CASE
    },
    Case {
        run: "block address=203.0.113.9",
        step: "block",
        how: Fails,
        fault: NOT_PERMITTED,
        says: &["Operation not permitted", "nothing was changed"],
        world: "! nft list ruleset | grep -q 203.0.113.9",
        ..CASE
    },
    Case {
        run: "block address=203.0.113.9",
        step: "block",
        how: Hangs,
        fault: NFT_HANGS,
        says: &["not done within 1 s"],
        world: "! nft list ruleset | grep -q 203.0.113.9",
        ..CASE
    },
    Case {
        run: "block address=203.0.113.9",
        step: "block",
        how: Hangs,
        // It is done, and its end is not heard of: on_failure undoes it.
        fault: "stand_in nft 'case \"$1\" in -f) [ -e \"$0.hung\" ] || { : >\"$0.hung\"; \"$real\" \"$@\"; exec sleep 60; };; esac'",
        tweak: "on_failure = 'rollback'",
        says: &["not done within 1 s"],
        rolled_back: Some(true),
        world: "! nft list ruleset | grep -q 203.0.113.9",
        ..CASE
    },
];

/// On a host that was contained and whose key was rotated.
pub const RESTORE: &[Case] = &[
    Case {
        run: "restore",
        step: "open",
        how: Fails,
        fault: NOT_PERMITTED,
        says: &["Operation not permitted", "nothing was changed"],
        still: &["access"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "restore",
        step: "open",
        how: Hangs,
        fault: NFT_HANGS,
        says: &["not done within 1 s", "it did not happen: tcp/80 is closed by quarterdeck"],
        still: &["access"],
        world: CLOSED,
        ..CASE
    },
    Case {
        run: "restore",
        step: "open",
        how: Unseen,
        fault: "systemctl stop edge",
        says: &["0 of 1 good", "edge is down: connection refused"],
        still: &["access"],
        world: OPEN,
        ..CASE
    },
];

/// On an address that is blocked.
pub const UNBLOCK: &[Case] = &[
    Case {
        run: "unblock address=203.0.113.9",
        step: "unblock",
        how: Fails,
        fault: NOT_PERMITTED,
        says: &["Operation not permitted", "nothing was changed"],
        world: "nft list ruleset | grep -q 203.0.113.9",
        ..CASE
    },
    Case {
        run: "unblock address=203.0.113.9",
        step: "unblock",
        how: Hangs,
        fault: NFT_HANGS,
        says: &["not done within 1 s"],
        world: "nft list ruleset | grep -q 203.0.113.9",
        ..CASE
    },
];

#[test]
fn a_containment_that_stops_says_what_is_open_closed_and_owed() {
    prove_all(CASES.iter().filter(|c| c.procedure() == "contain"));
}

#[test]
fn a_rotation_or_a_block_that_goes_wrong_is_reported_as_it_is() {
    prove_all(CASES.iter().filter(|c| c.procedure() != "contain"));
}

#[test]
fn a_restoring_is_owed_until_it_is_seen() {
    let Some(yard) = Yard::here() else { return };
    let deck = yard.operator_of("restoring", STACK);
    deck.run("contain", &[], &[]).expect(0);
    prove_on(&yard, "restoring", RESTORE);
    let deck = yard.operator_of("restoring", STACK);
    deck.run("restore", &[], &[]).expect(0);
    assert!(deck.owed().is_empty());

    deck.run("block", &["address=203.0.113.9"], &[]).expect(0);
    prove_on(&yard, "restoring", UNBLOCK);
    yard.operator_of("restoring", STACK).run("unblock", &["address=203.0.113.9"], &[]).expect(0);
    yard.must("! nft list ruleset | grep -q 203.0.113.9");
}
