//! What each procedure of a stack needs, so that all of them can be run.

use crate::ground::Ground;
use std::time::Duration;

/// One procedure, how it is called, and what must be done before.
pub struct Case {
    pub id: &'static str,
    pub params: &'static [&'static str],
    /// Procedures and their parameters that are run to their end before.
    pub before: Calls,
    /// And afterwards, so that the world is as it was.
    pub after: Calls,
    /// And what first makes good a run that could not be brought to its end.
    pub mend: Calls,
    /// What a run says that cannot be brought to its end once its runner has died at the wrong
    /// moment.
    pub may_end: Option<&'static str>,
    /// What else is done before.
    pub first: fn(&Ground),
}

type Calls = &'static [(&'static str, &'static [&'static str])];

const fn case(id: &'static str, params: &'static [&'static str]) -> Case {
    Case { id, params, before: &[], after: &[], mend: &[], may_end: None, first: |_| () }
}

const ADDRESS: &[&str] = &["address=198.51.100.7"];

/// Those of the yard, in an order in which each leaves the world fit for the next.
pub const YARD: &[Case] = &[
    case("restart", &[]),
    case("recover", &[]),
    case("drain", &[]),
    Case { first: leave_closed, ..case("reopen", &[]) },
    case("rotate", &[]),
    Case { after: &[("restore", &[])], ..case("contain", &[]) },
    Case { before: &[("contain", &[])], ..case("restore", &[]) },
    Case { after: &[("unblock", ADDRESS)], ..case("block", ADDRESS) },
    Case { before: &[("block", ADDRESS)], ..case("unblock", ADDRESS) },
];

/// A session that is to be refused was known to the dead runner alone.
const LOST: Option<&str> = Some("its token was lost with an earlier runner");

/// What it begins is what its own preconditions forbid.
const BEGUN: Option<&str> = Some("no rotation under way");

const ROTATE: Calls = &[("rotate-secrets", &[])];

/// Those of the Tornado stack, in such an order as well.
pub const TORNADO: &[Case] = &[
    case("restart", &["back=0"]),
    case("clients-back", &["back=0"]),
    case("recover", &[]),
    case("key-reload", &[]),
    case("restart-service", &["service=users"]),
    case("restart-api", &["api=api_internal"]),
    case("restart-ipam", &[]),
    case("restart-wg-manager", &["back=0"]),
    Case { first: between_rotations, may_end: BEGUN, ..case("restart-key-rotator", &[]) },
    case("preserve", &["since=1h"]),
    case("forgo-evidence", &[]),
    case("rotation-review", &[]),
    Case { after: &[("unblock", ADDRESS)], ..case("block", ADDRESS) },
    Case { before: &[("block", ADDRESS)], ..case("unblock", ADDRESS) },
    case("restore-ingress", &[]),
    case("drain", &["remain=10000", "patience=1m"]),
    Case { may_end: LOST, mend: ROTATE, ..case("rotate-secrets", &[]) },
    Case {
        may_end: LOST,
        mend: ROTATE,
        after: &[("restore-ingress", &[])],
        ..case("contain", &["since=1h"])
    },
];

/// The rotation that the last one began comes to its end.
fn between_rotations(ground: &Ground) {
    for _ in 0..200 {
        if ground.deck.plan("restart-key-rotator", &[]).code == 0 {
            return;
        }
        std::thread::park_timeout(Duration::from_secs(1));
    }
    panic!("{}", ground.deck.plan("restart-key-rotator", &[]).text());
}

/// A drain that was stopped while people were still in.
fn leave_closed(ground: &Ground) {
    let redis = |verb: &str| {
        assert!(ground.enter(&["redis-cli", verb, "sessions", "one"]).status.success());
    };
    redis("SADD");
    ground.deck.run("drain", &[], &["--detach"]).expect(0);
    ground.deck.until("the hold", |run| run["state"] == "held");
    ground.deck.say(&["runs", "release-hold", "last", "--choice", "stop"]).expect(0);
    ground.deck.until("the end", |run| run["state"] == "ended");
    redis("SREM");
    assert_eq!(ground.deck.owed(), ["ingress"]);
}

impl Case {
    pub fn prepare(&self, ground: &Ground) {
        (self.first)(ground);
        for (procedure, params) in self.before {
            ground.deck.run(procedure, params, &[]).expect(0);
        }
    }

    pub fn tidy(&self, ground: &Ground, verified: bool) {
        let mend = self.mend.iter().filter(|_| !verified);
        for (procedure, params) in mend.chain(self.after) {
            ground.deck.run(procedure, params, &[]).expect(0);
        }
    }
}

/// Every procedure of a stack has its line, and every line a procedure.
pub fn assert_complete(ground: &Ground, cases: &[Case]) {
    let listed = ground.deck.say(&["run", "--output", "json"]).expect(0).json();
    let mut listed: Vec<&str> =
        listed["procedures"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap()).collect();
    let mut here: Vec<&str> = cases.iter().map(|c| c.id).collect();
    listed.sort_unstable();
    here.sort_unstable();
    assert_eq!(here, listed, "a procedure has no line in the table of this test, or the other way round");
}
