//! Every procedure of the Tornado stack against the demo, as an operator runs it: each ends verified,
//! and with the demo's faults each ends with the right outcome, exit code and debts.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "harness/demo.rs"]
mod demo;
#[expect(dead_code, reason = "no run is taken up again here")]
#[path = "harness/operator.rs"]
mod operator;

use demo::{Demo, program};
use operator::Operator;
use quarterdeck::clock::{Clock as _, SystemClock};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quarterdeck");

/// A demo, a state directory of its own for the runs, and who acts on it.
struct Ship {
    demo: Demo,
    operator: Operator,
    state: tempfile::TempDir,
}

impl std::ops::Deref for Ship {
    type Target = Operator;

    fn deref(&self) -> &Operator {
        &self.operator
    }
}

impl Ship {
    fn new(faults: &[&str]) -> Ship {
        Ship::with(faults, &[])
    }

    /// With other values for variables of the stack.
    fn with(faults: &[&str], vars: &[(&str, &str)]) -> Ship {
        let args: Vec<&str> = faults.iter().flat_map(|f| ["--fault", f]).collect();
        let demo = Demo::start(&args);
        let state = tempfile::tempdir().unwrap();
        let (config, dir) = (state.path().join("config.toml"), state.path().join("state"));
        let mut table: toml::Table = std::fs::read_to_string(&demo.config).unwrap().parse().unwrap();
        for (name, value) in vars {
            table["vars"].as_table_mut().unwrap().insert((*name).to_owned(), (*value).into());
        }
        std::fs::write(&config, table.to_string()).unwrap();
        let operator = Operator::new(move |args| {
            let mut command = program(&[]);
            command.arg("--config").arg(&config).arg("--state-dir").arg(&dir).args(args);
            command
        });
        Ship { demo, operator, state }
    }

    /// A file that the last run kept as evidence; of what is no text, what can be read of it.
    fn kept(&self, name: &str) -> String {
        let found = Command::new("find").arg(self.state.path()).args(["-name", name]).output().unwrap();
        let path = String::from_utf8(found.stdout).unwrap().lines().max().unwrap().to_owned();
        String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
    }

    /// One of the demo's own tools.
    fn tool(&self, name: &str, args: &[&str]) {
        let config: toml::Table = std::fs::read_to_string(&self.demo.config).unwrap().parse().unwrap();
        let bin = PathBuf::from(config["hosts"]["vpn"]["path"][0].as_str().unwrap());
        assert!(Command::new(bin.join(name)).args(args).status().unwrap().success(), "{name} {args:?}");
    }
}

#[test]
fn a_controlled_restart_ends_verified_and_owes_until_clients_are_back() {
    let ship = Ship::new(&[]);
    let plan = ship.plan("restart", &[]).expect(0).json();
    assert_eq!((&plan["level"], &plan["prompt"]["confirm"]), (&"L2".into(), &"vpn".into()));
    ship.run("restart", &["back=0"], &[]).expect(0);
    assert_eq!(ship.step("restart")["phase"], "verified");
    assert!(ship.owed().is_empty(), "{:?}", ship.owed());
    ship.run("clients-back", &["back=1"], &[]).expect(0);
}

#[test]
fn a_restart_that_fails_is_reported_as_that() {
    let ship = Ship::new(&["restart-fails"]);
    let said = ship.run("restart", &["back=0"], &[]).expect(1);
    assert!(said.text().contains("because of unavailable resources"), "{}", said.text());
    assert_eq!(ship.owed(), ["clients"]);
    assert_eq!(ship.step("apis")["phase"], "will-not-run");
}

#[test]
fn a_restart_that_hangs_can_be_given_up() {
    let ship = Ship::new(&["restart-hangs"]);
    ship.run("restart", &["back=0"], &["--detach"]).expect(0);
    ship.until("the restart to be under way", |run| run["steps"][0]["phase"] == "running");
    ship.say(&["runs", "abort", "last", "--now"]).expect(0);
    ship.until("the end", |run| run["state"] == "ended");
    let run = ship.last();
    assert_eq!(run["outcome"], "aborted", "{run:#}");
    assert_eq!(ship.owed(), ["clients"]);
}

#[test]
fn a_restart_that_comes_back_unhealthy_is_not_verified() {
    let ship = Ship::with(&["restart-unhealthy"], &[("settle", "15s")]);
    let said = ship.run("restart", &["back=0"], &[]).expect(1);
    assert!(said.out.contains("session"), "it says what is missing: {}", said.out);
    assert_eq!(ship.step("tunnels")["phase"], "will-not-run");
    assert_eq!(ship.owed(), ["clients"]);
}

#[test]
fn recovery_begins_at_the_lowest_layer_that_is_down() {
    let ship = Ship::new(&[]);
    // Stopped in this order, so that its supervisor does not start Redis again.
    ship.tool("systemctl", &["stop", "tornado"]);
    ship.tool("systemctl", &["stop", "redis-server"]);
    ship.tool("systemctl", &["stop", "nginx"]);
    ship.run("recover", &[], &[]).expect(0);
    for (step, phase) in
        [("postgres", "skipped"), ("redis", "verified"), ("tornado", "verified"), ("nginx", "verified")]
    {
        assert_eq!(ship.step(step)["phase"], phase, "{step}");
    }
    assert_eq!(ship.owed(), ["clients"]);
}

#[test]
fn recovery_stops_at_a_layer_that_does_not_come_back_and_says_what_it_left() {
    let ship = Ship::new(&["redis-down"]);
    ship.run("recover", &[], &[]).expect(1);
    assert_eq!(ship.step("stop")["phase"], "verified");
    assert_eq!(ship.step("tornado")["phase"], "will-not-run");
    assert_eq!(ship.owed(), ["tornado"]);
}

#[test]
fn a_drain_closes_waits_recovers_and_reopens() {
    let ship = Ship::new(&["keyspace-events-lost"]);
    let plan = ship.plan("drain", &[]).expect(0).json();
    assert_eq!(plan["level"], "L3");
    // More than there are: how they fall, heartbeat by heartbeat, is the demo's own test.
    ship.run("drain", &["remain=10000", "patience=1m"], &[]).expect(0);
    for healthy in ["recover/stop", "recover/postgres", "recover/redis", "recover/nginx"] {
        assert_eq!(ship.step(healthy)["phase"], "skipped", "{healthy}");
    }
    assert_eq!(ship.step("recover/tornado")["phase"], "verified", "lost subscriptions want a restart");
    assert_eq!(ship.owed(), ["clients"]);
}

#[test]
fn a_drain_is_not_given_more_patience_than_its_run_has() {
    let ship = Ship::new(&[]);
    let refused = ship.plan("drain", &["patience=7h"]).expect(2).text();
    let why = "step `drained`: it may take 7h, and the run ends after 6h: its deadline";
    assert!(refused.contains(why), "{refused}");
}

#[test]
fn a_drain_that_takes_too_long_holds_and_what_it_closed_is_owed() {
    let ship = Ship::new(&[]);
    ship.run("drain", &["remain=0", "patience=2s"], &["--detach"]).expect(0);
    ship.until("the hold", |run| run["state"] == "held");
    let mut owed = ship.owed();
    owed.sort();
    assert_eq!(owed, ["entry", "maintenance"]);
    ship.say(&["runs", "release-hold", "last", "--choice", "stop"]).expect(0);
    ship.until("the end", |run| run["state"] == "ended");
    assert_eq!(ship.owed().len(), 2);
    ship.run("restore-ingress", &[], &[]).expect(0);
    assert!(ship.owed().is_empty(), "{:?}", ship.owed());
}

/// T-22 from the first capture to the reopened edge. Until the old session is refused and a new login
/// accepted, every look at `restore-ingress` is refused, also once the keys are new.
#[test]
fn containment_runs_to_its_verified_end_and_only_then_may_external_access_come_back() {
    let ship = Ship::new(&[]);
    ship.run("contain", &["since=1h"], &["--detach"]).expect(0);
    let is = |run: &serde_json::Value, id: &str, phase: &str| {
        run["steps"].as_array().unwrap().iter().any(|s| s["id"] == id && s["phase"] == phase)
    };
    ship.until("external access to be closed", |run| is(run, "close", "verified"));
    assert!(ship.run("restore-ingress", &[], &[]).expect(2).text().contains("closed by a containment"));
    let (mut closed, mut rotated) = (0, 0);
    loop {
        let before = ship.last();
        let plan = ship.plan("restore-ingress", &[]).out;
        let after = ship.last();
        if is(&after, "rotate/prove", "done") || after["state"] == "ended" {
            break;
        }
        assert!(plan.contains("closed by a containment"), "{plan}\n{after:#}");
        closed += 1;
        rotated += u32::from(is(&before, "rotate/complete", "done"));
    }
    assert!(closed > 0 && rotated > 0, "looked at while closed {closed} times, while rotated {rotated}");
    ship.say(&["runs", "follow", "last"]).expect(0);
    let run = ship.last();
    assert_eq!(run["outcome"], "verified", "{run:#}");
    for (step, phase) in [
        ("close", "verified"),
        ("rotate/complete", "done"),
        ("rotate/refused", "done"),
        ("rotate/clients", "done"),
    ] {
        assert_eq!(ship.step(step)["phase"], phase, "{step}");
    }
    assert_eq!(ship.owed(), ["ingress"], "closed until a person opens it");
    let refused = ship.run("drain", &["remain=10000"], &[]).expect(2);
    assert!(refused.text().contains("a drain would open a part of it"), "{}", refused.text());
    assert_eq!(ship.owed(), ["ingress"]);
    ship.run("restore-ingress", &[], &[]).expect(0);
    assert_eq!(ship.step("open")["phase"], "verified");
    assert!(ship.owed().is_empty(), "{:?}", ship.owed());
    assert!(!ship.plan("drain", &[]).out.contains("a drain would open"));
}

/// A containment that was given up halfway blocks as well; the rotation may then be a run of its own.
#[test]
fn containment_rotates_before_external_access_may_come_back() {
    let ship = Ship::new(&[]);
    ship.run("contain", &["since=1h"], &["--detach"]).expect(0);
    ship.until("external access to be closed", |run| {
        run["steps"].as_array().unwrap().iter().any(|s| s["id"] == "close" && s["phase"] == "verified")
    });
    ship.say(&["runs", "abort", "last", "--now"]).expect(0);
    ship.until("the end", |run| run["state"] == "ended");
    let refused = ship.run("restore-ingress", &[], &[]).expect(2);
    assert!(refused.text().contains("closed by a containment"), "{}", refused.text());
    ship.run("rotate-secrets", &[], &[]).expect(0);
    assert_eq!(ship.step("refused")["phase"], "done");
    ship.run("restore-ingress", &[], &[]).expect(0);
    assert!(ship.owed().is_empty(), "{:?}", ship.owed());
}

/// Without Redis its sessions cannot be kept. A containment that stops there forbids what restarts,
/// Redis among it; who must go on says so, and it is free.
#[test]
fn while_evidence_is_owed_nothing_restarts_until_it_is_kept_or_forgone() {
    let ship = Ship::new(&["redis-down"]);
    ship.run("contain", &[], &["--detach"]).expect(0);
    let run = ship.until("the hold", |run| run["state"] == "held");
    assert_eq!((&run["hold"]["step"], &run["hold"]["why"]), (&"evidence/sessions".into(), &"failed".into()));
    ship.say(&["runs", "release-hold", "last", "--choice", "stop"]).expect(0);
    ship.until("the end", |run| run["state"] == "ended");
    assert_eq!(ship.owed(), ["evidence"]);
    for procedure in
        ["restart", "recover", "drain", "key-reload", "rotate-secrets", "restart-wg-manager", "restart-ipam"]
    {
        let plan = ship.plan(procedure, &[]);
        assert!(plan.out.contains("evidence is owed"), "{procedure}: {}", plan.out);
        assert!(plan.out.contains("or instead of them: forgo-evidence.forgo"), "{procedure}: {}", plan.out);
    }
    let kept = ship.say(&["runs", "show", "last", "--output", "json"]).out;
    assert!(kept.contains("sha256"), "{kept}");

    assert_eq!(ship.plan("forgo-evidence", &[]).expect(0).json()["level"], "L3");
    ship.run("forgo-evidence", &[], &["--detach"]).expect(0);
    ship.until("the question", |run| run["state"] == "held");
    let silent = ship.say(&["runs", "release-hold", "last"]);
    assert_ne!(silent.code, 0, "a note is needed: {}", silent.text());
    assert!(ship.plan("recover", &[]).out.contains("evidence is owed"), "not before it is said");
    ship.say(&["runs", "release-hold", "last", "--note", "Redis is gone; agreed with the lead"]).expect(0);
    ship.until("the end", |run| run["outcome"] == "verified");
    assert!(ship.owed().is_empty(), "{:?}", ship.owed());
    let plan = ship.plan("recover", &[]).out;
    assert!(!plan.contains("evidence is owed"), "{plan}");
}

/// Each piece counts: one that was gone on without leaves the evidence owed. Where nobody contains
/// anything, that is told and forbids nothing.
#[test]
fn evidence_that_lacks_a_piece_is_owed() {
    let ship = Ship::new(&["redis-down"]);
    ship.run("preserve", &[], &["--detach"]).expect(0);
    ship.until("the hold", |run| run["state"] == "held");
    ship.say(&["runs", "release-hold", "last", "--choice", "go-on"]).expect(0);
    ship.until("the end", |run| run["state"] == "ended");
    let shown = ship.say(&["runs", "show", "last"]).expect(1).out;
    assert!(shown.contains("taken as done by"), "{shown}");
    assert_eq!(ship.step("sessions")["phase"], "failed-and-passed", "{shown}");
    assert_eq!(ship.owed(), ["evidence"]);
    assert!(!ship.plan("recover", &[]).out.contains("evidence is owed"));
}

/// What was broken, or broken into, is not needed to tell of it.
#[test]
fn evidence_needs_neither_the_admin_api_nor_the_log_service() {
    let ship = Ship::new(&["admin-api-down", "log-service-down"]);
    ship.run("preserve", &["since=1h"], &[]).expect(0);
    assert_eq!(ship.step("export")["phase"], "failed-and-passed");
    for step in ["tunnels", "sessions", "journal", "logs"] {
        assert_eq!(ship.step(step)["phase"], "done", "{step}");
    }
    assert!(ship.owed().is_empty(), "{:?}", ship.owed());
}

#[test]
fn evidence_is_kept_and_hashed() {
    let ship = Ship::new(&[]);
    ship.run("preserve", &["since=1h"], &[]).expect(0);
    for (step, least) in
        [("tunnels", 1000), ("sessions", 1000), ("journal", 1000), ("logs", 10_000), ("exported", 1000)]
    {
        let output = ship.step(step)["outputs"][0].clone();
        assert!(output["bytes"].as_u64().unwrap() > least, "{step}: {output}");
        assert_eq!(output["sha256"].as_str().unwrap().len(), 64);
    }
    let sessions = ship.kept("redis.txt");
    for part in ["redis_version:", "\"vpn:session:", "\"state\",\"online\"", "\"vpn:ipam:map\"\n-1\n"] {
        assert!(sessions.contains(part), "{part}: {}", &sessions[..sessions.len().min(2000)]);
    }
    assert!(!sessions.contains("ERROR"), "{sessions}");
    assert!(ship.kept("logs.tar").contains("log/tornado/auth-service.log"));
    assert!(ship.owed().is_empty());
}

#[test]
fn keys_are_reloaded_by_signal_or_else_by_a_restart() {
    let ship = Ship::new(&["stale-pid-file"]);
    ship.run("key-reload", &[], &[]).expect(0);
    assert_eq!(ship.step("signal")["phase"], "skipped", "a stale pid file names nobody");
    assert_eq!(ship.step("restart")["phase"], "verified");
    ship.run("key-reload", &[], &[]).expect(0);
    assert_eq!(ship.step("signal")["phase"], "verified");
    assert_eq!(ship.step("restart")["phase"], "skipped");
}

/// Auth said so a moment ago, to somebody else, and this run's signal reaches nobody.
#[test]
fn an_older_reload_is_no_proof_of_this_one() {
    let ship = Ship::with(&[], &[("auth_process", "no-such-process.py")]);
    let config: toml::Table = std::fs::read_to_string(&ship.demo.config).unwrap().parse().unwrap();
    let log = PathBuf::from(config["vars"]["log_dir"].as_str().unwrap()).join("auth-service.log");
    let now = SystemClock::new().now().wall;
    let line = format!("{{\"ts\": \"{now}\", \"event\": \"jwt_keys_reloaded_via_sighup\"}}\n");
    std::fs::OpenOptions::new().append(true).open(log).unwrap().write_all(line.as_bytes()).unwrap();
    ship.run("key-reload", &[], &[]).expect(0);
    assert_eq!(ship.step("signal")["phase"], "failed-and-passed");
    assert_eq!(ship.step("restart")["phase"], "verified");
}

#[test]
fn secrets_are_not_rotated_past_a_stale_pid_file() {
    let ship = Ship::new(&["stale-pid-file"]);
    let said = ship.run("rotate-secrets", &[], &[]).expect(2);
    assert!(said.text().contains("key-reload"), "it says what to do first: {}", said.text());
}

#[test]
fn single_services_apis_and_addresses() {
    let ship = Ship::new(&[]);
    let all = |todo: &[(&str, &[&str])]| {
        for (procedure, params) in todo {
            ship.run(procedure, params, &[]).expect(0);
        }
    };
    // The filter has a lock of its own: its runs and the others do not wait for each other.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            all(&[
                ("restart-service", &["service=users"]),
                ("restart-api", &["api=api_internal"]),
                ("restart-ipam", &[]),
            ]);
        });
        all(&[
            ("block", &["address=198.51.100.7", "span=1h"]),
            ("block", &["address=203.0.113.0/24", "span=10m"]),
            ("unblock", &["address=198.51.100.7"]),
            ("unblock", &["address=203.0.113.0/24"]),
        ]);
    });
    assert!(ship.owed().is_empty());
    let own = ship.run("block", &["address=127.0.0.1"], &[]);
    assert_eq!(own.code, 2, "the host's own address: {}{}", own.out, own.err);
}

#[test]
fn services_whose_start_does_harm_say_so() {
    let ship = Ship::new(&[]);
    ship.run("restart-wg-manager", &["back=0"], &[]).expect(0);
    assert!(ship.owed().is_empty(), "{:?}", ship.owed());
    assert_eq!(ship.plan("restart-key-rotator", &[]).expect(0).json()["level"], "L3");
    ship.run("restart-key-rotator", &[], &[]).expect(0);
}

#[test]
fn an_empty_pool_keeps_the_address_service_from_being_restarted() {
    let ship = Ship::new(&["ip-pool-exhausted"]);
    let said = ship.run("restart-ipam", &[], &[]).expect(2);
    assert!(said.text().contains("offer addresses that are in use"), "{}", said.text());
}

#[test]
fn a_review_asks_for_a_finding() {
    let ship = Ship::new(&[]);
    ship.run("rotation-review", &[], &["--detach"]).expect(0);
    ship.until("the question", |run| run["state"] == "held");
    ship.say(&["runs", "release-hold", "last", "--note", "24 h and 10 min: as agreed"]).expect(0);
    ship.until("the end", |run| run["outcome"] == "verified");
}
