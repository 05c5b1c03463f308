//! Restart, recovery and drain that succeed, by the real components' own word; what is refused
//! before it begins; and what a failed run comes to when it is resumed.

use crate::operator::Operator;
use crate::yard::{STACK, Yard};
use serde_json::Value;

/// Which run of a unit this is, by systemd's own word.
fn invocation(yard: &Yard, unit: &str) -> String {
    let said = yard.read(&["systemctl", "show", "--value", "-p", "InvocationID", unit]);
    assert_eq!(said.len(), 32, "{unit}: {said}");
    said
}

/// The steps of the last run, each with its phase.
fn phases(deck: &Operator) -> Vec<(String, String)> {
    let run = deck.last();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    run["steps"].as_array().unwrap().iter().map(|s| (text(&s["id"]), text(&s["phase"]))).collect()
}

#[track_caller]
fn assert_phases(deck: &Operator, wanted: &[(&str, &str)]) {
    let wanted: Vec<_> = wanted.iter().map(|(s, p)| ((*s).to_owned(), (*p).to_owned())).collect();
    assert_eq!(phases(deck), wanted, "{:#}", deck.last());
}

#[test]
fn a_restart_makes_new_keys_drops_the_peers_and_is_seen_to_answer() {
    let Some(yard) = Yard::here() else { return };
    let deck = yard.operator();
    let peer = yard.must("wg genkey | wg pubkey");
    yard.must(&format!("wg set wg0 peer {peer} allowed-ips 10.8.0.2/32; redis-cli SADD sessions a b c"));
    let before = (invocation(&yard, "app.service"), yard.read(&["wg", "show", "wg0", "public-key"]));
    let others = ["redis", "postgres", "wg", "edge"].map(|u| invocation(&yard, &format!("{u}.service")));
    let starts = yard.must("wc -l <$D/run/starts").parse::<u32>().unwrap();

    let plan = deck.plan("restart", &[]).expect(0).json();
    assert_eq!(plan["blast_radius"][0]["says"], "drops 3 live sessions");
    assert_eq!(plan["preconditions"][0]["holds"], true);
    let said = deck.run("restart", &[], &[]).expect(0);
    assert!(said.out.contains("3 good in a row: app-unit is up"), "{}", said.out);

    let after = (invocation(&yard, "app.service"), yard.read(&["wg", "show", "wg0", "public-key"]));
    assert!(before.0 != after.0 && before.1 != after.1, "{before:?} {after:?}");
    assert_eq!(yard.read(&["wg", "show", "wg0", "peers"]), "", "{peer} is dropped");
    assert_eq!(yard.must("wc -l <$D/run/starts"), (starts + 1).to_string(), "once");
    assert_eq!(yard.must("status http://127.0.0.1/health"), "200");
    let now = ["redis", "postgres", "wg", "edge"].map(|u| invocation(&yard, &format!("{u}.service")));
    assert_eq!(others, now, "nothing else was touched");
    assert_eq!(yard.must("redis-cli SCARD sessions"), "3");

    // systemctl did it and never came back: the system knows, and the verification decides.
    yard.must("stand_in systemctl 'case \"$*\" in *restart*) \"$real\" \"$@\"; exec sleep 60;; esac'");
    let hasty = STACK.replace(
        "timeout = \"20s\"\nverify = { probes = [\"app-unit\"",
        "timeout = \"2s\"\nverify = { probes = [\"app-unit\"",
    );
    assert_ne!(hasty, STACK);
    let deck = yard.operator_of("hasty", &hasty);
    let said = deck.run("restart", &[], &[]).expect(0).text();
    assert!(said.contains("VERIFIED after"), "{said}");
    assert_ne!(invocation(&yard, "app.service"), after.0);
    let audit = deck.say(&["audit", "show"]).expect(0).out;
    assert!(audit.contains("restart: its time was over: not done within 2 s"), "{audit}");
    assert!(
        audit.contains("restart verified: 3 good in a row") && audit.contains("ended verified"),
        "{audit}"
    );
}

#[test]
fn a_recovery_begins_at_the_lowest_broken_layer_and_passes_healthy_ones() {
    let Some(yard) = Yard::here() else { return };
    let deck = yard.operator();
    let units = ["postgres.service", "redis.service", "app.service", "edge.service"];
    let of = |yard: &Yard| units.map(|u| invocation(yard, u));
    let steps = ["stop-app", "postgres", "redis", "app", "edge"];

    let well = of(&yard);
    deck.run("recover", &[], &[]).expect(0);
    assert_phases(&deck, &steps.map(|s| (s, "skipped")));
    assert_eq!(of(&yard), well, "what is well is left alone");
    assert!(deck.step("redis")["says"].as_str().unwrap().contains("PONG"), "with proof");

    let table = [
        ("systemctl stop redis", ["verified", "skipped", "verified", "verified", "skipped"]),
        ("systemctl kill -s KILL postgres", ["verified", "verified", "skipped", "verified", "skipped"]),
        ("systemctl stop postgres redis", ["verified", "verified", "verified", "verified", "skipped"]),
        ("systemctl stop app", ["skipped", "skipped", "skipped", "verified", "skipped"]),
        ("systemctl stop edge", ["skipped", "skipped", "skipped", "skipped", "verified"]),
    ];
    for (broken, wanted) in table {
        let before = of(&yard);
        yard.must(broken);
        deck.run("recover", &[], &[]).expect(0);
        assert_phases(&deck, &std::array::from_fn::<_, 5, _>(|i| (steps[i], wanted[i])));
        let after = of(&yard);
        for (i, unit) in units.iter().enumerate() {
            assert_eq!(before[i] != after[i], wanted[i + 1] == "verified", "{unit} after {broken}");
        }
        assert_eq!(
            yard.must("redis-cli ping; pg_isready -q -h 127.0.0.1; status http://127.0.0.1/health"),
            "PONG\n200"
        );
        // The application came up on what it needs, not before it.
        let up = |unit: &str| -> u64 {
            let at = ["systemctl", "show", "--value", "-p", "ActiveEnterTimestampMonotonic", unit];
            yard.read(&at).parse().unwrap()
        };
        assert!(up("app.service") > up("redis.service").max(up("postgres.service")), "{broken}");
    }
    deck.say(&["audit", "verify"]).expect(0);
}

#[test]
fn a_recovery_that_failed_is_resumed_where_it_stopped() {
    let Some(yard) = Yard::here() else { return };
    let deck = yard.operator();
    yard.must("systemctl stop redis; break_unit redis ExecStartPre=/bin/false");
    deck.run("recover", &[], &[]).expect(1);
    assert_eq!(deck.step("redis")["phase"], "failed");
    let postgres = invocation(&yard, "postgres.service");
    yard.must("rm -r /etc/systemd/system/redis.service.d; systemctl daemon-reload");
    let said = deck.resume("last", &[]).expect(0).text();
    assert!(said.contains("VERIFIED"), "{said}");
    assert_phases(
        &deck,
        &[
            ("stop-app", "verified"),
            ("postgres", "skipped"),
            ("redis", "verified"),
            ("app", "verified"),
            ("edge", "skipped"),
        ],
    );
    assert_eq!((&deck.step("redis")["attempts"], &deck.step("stop-app")["attempts"]), (&2.into(), &1.into()));
    assert_eq!(invocation(&yard, "postgres.service"), postgres);
    assert_eq!(yard.must("redis-cli ping; status http://127.0.0.1/health"), "PONG\n200");
}

#[test]
fn a_drain_closes_waits_for_the_sessions_and_reopens() {
    let Some(yard) = Yard::here() else { return };
    let deck = yard.operator();
    yard.must("redis-cli SADD sessions a b c");
    let plan = deck.plan("drain", &["sessions=1"]).expect(0).json();
    assert_eq!(plan["blast_radius"][0]["says"], "3 live sessions are waited for; no new ones get in");
    assert_eq!((&plan["level"], &plan["prompt"]["confirm"]), (&"L3".into(), &"drain vpn 3".into()));
    deck.run("drain", &["sessions=1"], &["--detach"]).expect(0);
    deck.until("the wait", |r| r["steps"][1]["phase"] == "running");
    assert_eq!(yard.must("status http://127.0.0.1/health; status http://127.0.0.1:8000/health"), "503200");
    assert_eq!(deck.owed(), ["ingress"]);
    yard.must("redis-cli SREM sessions a b");
    deck.say(&["runs", "follow", "last"]).expect(0);
    assert!(deck.step("wait")["says"].as_str().unwrap().contains("<= 1: 1"), "{:#}", deck.step("wait"));
    assert_eq!(yard.must("status http://127.0.0.1/health"), "200");
    yard.must("cmp $D/pristine/app $D/sites/app && [ ! -e $D/kept/app ]");
    assert!(deck.owed().is_empty());

    // They do not end: a person decides, who sees what remains, and has it waited for again.
    let hasty = STACK.replace("within = \"5s\"", "within = \"1s\"");
    let deck = yard.operator_of("hasty", &hasty);
    yard.must("redis-cli SADD sessions d");
    deck.run("drain", &[], &["--detach"]).expect(0);
    let held = deck.until("the hold", |r| r["state"] == "held");
    assert_eq!((&held["hold"]["step"], &held["hold"]["why"]), (&"wait".into(), &"failed".into()));
    let says = held["hold"]["says"].as_str().unwrap();
    assert!(says.contains("<= 0: it does not hold; 2 now"), "{says}");
    let listed = deck.say(&["runs"]).expect(0).text();
    assert!(listed.contains(" waits for you ") && listed.contains("OWED since "), "{listed}");
    yard.must("redis-cli DEL sessions");
    deck.say(&["runs", "release-hold", "last", "--choice", "again", "--note", "they left"]).expect(0);
    deck.say(&["runs", "follow", "last"]).expect(0);
    assert_eq!(deck.step("wait")["attempts"], 2);
    assert_eq!(yard.must("status http://127.0.0.1/health"), "200");
    assert!(deck.owed().is_empty());
    let audit = deck.say(&["audit", "show"]).expect(0).out;
    assert!(audit.contains("hold at wait released: again: they left"), "{audit}");
}

#[test]
fn what_cannot_or_may_not_begin_is_refused_and_changes_nothing() {
    let Some(yard) = Yard::here() else { return };
    let deck = yard.operator();
    let before = invocation(&yard, "app.service");
    let refused = |said: crate::operator::Said, why: &str| {
        let said = said.expect(2);
        assert!(said.text().contains(why), "no {why:?} in {}", said.text());
    };

    // What it was shown is not what is there now.
    let plan = deck.plan("restart", &[]).expect(0).json();
    yard.must("systemctl restart app; until_so answers http://127.0.0.1:8000/health 200");
    let between = invocation(&yard, "app.service");
    assert_ne!(before, between);
    let hash = plan["hash"].as_str().unwrap();
    refused(
        deck.say(&["run", "restart", "--approve", hash, "--confirm", "vpn"]),
        "that is not this plan's hash",
    );
    let hash = deck.plan("restart", &[]).json()["hash"].as_str().unwrap().to_owned();
    refused(deck.say(&["run", "restart", "--approve", &hash, "--confirm", "yes"]), "`vpn` must be typed");

    yard.must("systemctl stop redis");
    refused(deck.plan("restart", &[]), "connection refused by 127.0.0.1:6379");
    refused(deck.run("restart", &[], &[]), "needs PostgreSQL and Redis up");
    yard.must("systemctl start redis; mask_unit app");
    refused(deck.run("restart", &[], &[]), "app.service: it is masked");
    assert_eq!(invocation(&yard, "app.service"), between);
    assert_eq!(deck.runs()["runs"], serde_json::json!([]));
    let audit = deck.say(&["audit", "show"]).expect(0).out;
    assert_eq!(audit.matches("restart refused: ").count(), 4, "{audit}");
    deck.say(&["audit", "verify"]).expect(0);
}
