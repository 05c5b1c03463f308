//! Containment, rotation, restoring and blocks that succeed, seen by another machine; and the
//! interlocks between them.

use crate::operator::{Operator, Said};
use crate::yard::Yard;
use serde_json::Value;

#[track_caller]
fn refused(said: Said, why: &str) {
    let said = said.expect(2);
    assert!(said.text().contains(why), "no {why:?} in {}", said.text());
}

fn interlocks(deck: &Operator) -> Vec<String> {
    let runs = deck.runs();
    let all = runs["interlocks"].as_array().unwrap();
    all.iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect()
}

/// The evidence that a step kept: its text, which is whole by its own hash.
fn evidence(yard: &Yard, deck: &Operator, run: &Value, step: &str) -> String {
    let kept = deck.step(step)["outputs"][0].clone();
    let file = kept["file"].as_str().unwrap();
    let path = format!("$D/operators/all/state/runs/{}/{file}", run["id"].as_str().unwrap());
    let sum = yard.must(&format!("sha256sum <{path}"));
    assert_eq!(sum.split(' ').next().unwrap(), kept["sha256"], "{kept:#}");
    assert_eq!(yard.must(&format!("wc -c <{path}")), kept["bytes"].to_string());
    yard.must(&format!("cat {path}"))
}

#[test]
fn a_containment_keeps_evidence_closes_the_outside_and_rotates() {
    let Some(yard) = Yard::here() else { return };
    yard.must("outsider");
    let deck = yard.operator();
    assert_eq!(yard.must("from_outside 80/health; from_outside 4605/health"), "200200");
    let key = yard.read(&["wg", "show", "wg0", "public-key"]);
    yard.must("cp $D/keys/jwt $D/run/old");
    assert_eq!(yard.must("with_key $D/run/old"), "200");

    let plan = deck.plan("contain", &[]).expect(0).json();
    assert_eq!((&plan["level"], &plan["prompt"]["needs_reason"]), (&"L3".into(), &true.into()));
    deck.run("contain", &[], &[]).expect(0);
    let run = deck.last();
    assert_eq!(deck.owed(), ["access"]);

    // Evidence of how it was before anything was touched.
    let tunnels = evidence(&yard, &deck, &run, "tunnels");
    assert!(tunnels.contains(&format!("public key: {key}")), "{tunnels}");
    let journal = evidence(&yard, &deck, &run, "journal");
    assert!(journal.contains("_SYSTEMD_UNIT=") || journal.contains("UNIT=app.service"), "{journal}");
    let at = |step: &str, key: &str| deck.step(step)[key].as_str().unwrap().to_owned();
    assert!(at("journal", "ended") <= at("tunnels", "since"));
    assert!(at("tunnels", "ended") <= at("close", "since"));

    // Closed for everybody outside, TCP and UDP; open inside.
    assert_eq!(yard.must("from_outside 80/health; from_outside 4605/health"), "000000");
    yard.must("ip netns exec outside bash -c 'echo knock >/dev/udp/10.77.0.1/51820'");
    yard.must("until_so sh -c \"nft list ruleset | grep -A3 'chain udp_51820' | grep -q 'packets [1-9]'\"");
    assert_eq!(yard.must("status http://127.0.0.1/health; status http://10.77.0.1:4605/health"), "200200");

    // Rotated: the old key opens nothing, the new one does.
    assert_eq!(yard.must("with_key $D/run/old; with_key $D/keys/jwt"), "401200");
    assert_ne!(yard.read(&["wg", "show", "wg0", "public-key"]), key);

    deck.run("restore", &[], &[]).expect(0);
    assert_eq!(yard.must("from_outside 80/health; from_outside 4605/health"), "200200");
    assert!(deck.owed().is_empty() && interlocks(&deck).is_empty());
    deck.say(&["audit", "verify"]).expect(0);
}

#[test]
fn what_was_contained_is_not_restored_before_the_key_is_proven_to_be_new() {
    let Some(yard) = Yard::here() else { return };
    yard.must("outsider");
    let deck = yard.operator();
    // The application keeps its old key.
    yard.must("break_unit app \"ExecStart=\nExecStart=/usr/sbin/nginx -c $D/app.conf\"");
    deck.run("contain", &[], &[]).expect(1);
    assert_eq!(deck.step("rotate/prove")["phase"], "failed");
    assert_eq!((deck.owed(), interlocks(&deck)), (vec!["access".to_owned()], vec!["contained".to_owned()]));

    let why = "external access was closed by containment";
    refused(deck.plan("restore", &[]), why);
    refused(deck.run("restore", &[], &[]), "not verified since: rotate.prove");
    assert_eq!(yard.must("from_outside 80/health"), "000", "still closed");
    let listed = deck.say(&["runs"]).expect(0).text();
    assert!(listed.contains("INTERLOCK contained since"), "{listed}");

    // A rotation that fails lifts nothing; one that is proven does.
    deck.run("rotate", &[], &[]).expect(1);
    refused(deck.run("restore", &[], &[]), why);
    yard.must("calm");
    assert_eq!(yard.must("from_outside 80/health"), "000", "still closed");
    deck.run("rotate", &[], &[]).expect(0);
    assert!(interlocks(&deck).is_empty());
    deck.run("restore", &[], &[]).expect(0);
    assert_eq!(yard.must("from_outside 80/health; from_outside 4605/health"), "200200");
    assert!(deck.owed().is_empty());
    let audit = deck.say(&["audit", "show"]).expect(0).out;
    assert_eq!(audit.matches("restore refused: ").count(), 2, "{audit}");
}

#[test]
fn nothing_is_restarted_while_evidence_is_owed() {
    let Some(yard) = Yard::here() else { return };
    let deck = yard.operator();
    let before = yard.read(&["systemctl", "show", "--value", "-p", "InvocationID", "app.service"]);
    yard.must("stand_in wg 'echo no permission >&2; exit 1'");
    deck.run("contain", &[], &[]).expect(1);
    assert_eq!(deck.owed(), ["evidence"]);
    for procedure in ["restart", "recover", "drain"] {
        refused(deck.run(procedure, &[], &[]), "evidence is owed");
    }
    assert_eq!(interlocks(&deck), ["evidence"]);
    assert_eq!(yard.read(&["systemctl", "show", "--value", "-p", "InvocationID", "app.service"]), before);
    // A block is not forbidden by it.
    deck.run("block", &["address=203.0.113.9"], &[]).expect(0);
    // The evidence is taken: what was forbidden may be done.
    yard.must("calm");
    deck.run("contain", &[], &[]).expect(0);
    assert_eq!(deck.owed(), ["access"]);
    assert_eq!(interlocks(&deck), <[&str; 0]>::default());
    deck.run("restart", &[], &[]).expect(0);
}

#[test]
fn a_block_keeps_one_address_out_and_ends_by_itself() {
    let Some(yard) = Yard::here() else { return };
    yard.must("outsider");
    let deck = yard.operator();
    let (address, other) = ("address=10.77.0.2", "address=203.0.113.9");
    deck.run("block", &[other], &[]).expect(0);
    let before = yard.must("rules");

    let plan = deck.plan("block", &[address]).expect(0).json();
    assert_eq!((&plan["level"], &plan["plan"]["lock"]), (&"L2".into(), &"firewall".into()));
    deck.run("block", &[address], &[]).expect(0);
    assert_eq!(yard.must("from_outside 80/health; status http://127.0.0.1/health"), "000200");
    assert_eq!(yard.must("blocked | sort"), "10.77.0.2\n203.0.113.9");
    let id = deck.last()["id"].as_str().unwrap().to_owned();
    assert!(yard.must("rules").contains(&id), "its comment names the run");
    let once = yard.must("rules");
    // Again, and for no longer: nothing is added.
    deck.run("block", &[address, "for=10m"], &[]).expect(0);
    assert!(deck.step("block")["says"].as_str().unwrap().contains("nothing to do"));
    assert_eq!(yard.must("rules"), once);

    deck.run("unblock", &[address], &[]).expect(0);
    assert_eq!(yard.must("from_outside 80/health"), "200");
    assert_eq!(yard.must("rules"), before, "the exact inverse");
    deck.run("unblock", &[address], &[]).expect(0);
    assert!(deck.step("unblock")["says"].as_str().unwrap().contains("nothing to do"));

    deck.run("block", &[address, "for=3s"], &[]).expect(0);
    assert_eq!(yard.must("from_outside 80/health"), "000");
    yard.must("until_so ping_from_outside");
    assert_eq!(yard.must("rules"), before, "its time is over");
    // Its own rollback, asked for by a person.
    deck.run("block", &[address], &[]).expect(0);
    refused(deck.run("block", &["address=10.77.0.1"], &[]), "the host's own");
}

#[test]
fn a_containment_is_undone_only_as_far_as_it_can_be() {
    let Some(yard) = Yard::here() else { return };
    yard.must("outsider");
    // The rotation cannot begin, and the operator decides to undo what was done.
    let deck = yard.operator();
    yard.must("read_only $D/keys");
    deck.run("contain", &[], &[]).expect(1);
    assert_eq!(
        (deck.step("rotate/key")["phase"].as_str(), yard.must("from_outside 80/health")),
        (Some("failed"), "000".to_owned())
    );
    let said = deck.resume("last", &["--rollback"]);
    let run = deck.last();
    assert_eq!(run["mode"], "rollback", "{run:#}");
    assert_eq!(deck.step("close")["rolled_back"]["done"], true, "{run:#}");
    assert_eq!(yard.must("from_outside 80/health; from_outside 4605/health"), "200200");
    assert!(deck.owed().is_empty(), "{}", said.text());
    // What it kept stays.
    assert!(!evidence(&yard, &deck, &run, "tunnels").is_empty());
}
