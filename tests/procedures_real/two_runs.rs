//! Two runs at one thing: undoing the second leaves what the first has made, and is not said to
//! have failed because of that.

use crate::operator::Operator;
use crate::yard::{STACK, Yard};
use serde_json::Value;

/// The yard's stack with more of one step.
fn with(procedure: &str, id: &str, more: &str) -> String {
    let mut stack: toml::Table = STACK.parse().unwrap();
    for step in steps(&mut stack, procedure) {
        let step = step.as_table_mut().unwrap();
        if step["id"].as_str() == Some(id) {
            let more: toml::Table = more.parse().unwrap();
            let rollback = more.get("rollback_verify").cloned();
            step.extend(more.into_iter().filter(|(key, _)| key != "rollback_verify"));
            if let Some(verify) = rollback {
                step["rollback"].as_table_mut().unwrap().insert("verify".into(), verify);
            }
        }
    }
    toml::to_string(&stack).unwrap()
}

fn steps<'t>(stack: &'t mut toml::Table, procedure: &str) -> &'t mut Vec<toml::Value> {
    let all = stack["procedures"].as_array_mut().unwrap();
    let found = all.iter_mut().find(|p| p["id"].as_str() == Some(procedure)).unwrap();
    found["steps"].as_array_mut().unwrap()
}

/// What never comes to be seen, of the step and of its undoing.
const NEVER: &str = "
    verify = { exprs = ['max(probe_fact{probe=\"edge\", fact=\"STATUS\"}) == 999'], every = '200ms', within = '1s' }
    rollback_verify = { exprs = ['max(probe_fact{probe=\"edge\", fact=\"STATUS\"}) == 999'], every = '200ms', within = '1s' }
";

/// Undoes the last run; gives what the step's undoing says.
#[track_caller]
fn undo(deck: &Operator, step: &str) -> String {
    let said = deck.resume("last", &["--rollback"]);
    let undone: Value = deck.step(step)["rolled_back"].clone();
    assert_eq!(undone["done"], true, "{}\n{:#}", said.text(), deck.last());
    undone["says"].as_str().unwrap().to_owned()
}

#[test]
fn an_attacker_stays_blocked_when_a_later_block_is_undone() {
    let Some(yard) = Yard::here() else { return };
    let address = "address=203.0.113.9";
    let deck = yard.operator_of("two", STACK);
    deck.run("block", &[address, "for=24h"], &[]).expect(0);
    let first = deck.last()["id"].as_str().unwrap().to_owned();
    let rules = yard.must("rules");
    for span in ["for=1h", "for=48h"] {
        let deck = yard.operator_of("two", &with("block", "block", NEVER));
        deck.run("block", &[address, span], &[]).expect(1);
        assert_eq!(yard.must("rules") == rules, span == "for=1h");
        let says = undo(&deck, "block");
        assert!(says.contains(&first), "{says}");
        if span == "for=1h" {
            assert!(says.contains("left as it is: 203.0.113.9 is blocked for a time by"), "{says}");
            assert!(says.contains("what would prove the whole undone does not hold"), "{says}");
            assert_eq!(yard.must("rules"), rules);
        }
        assert_eq!(yard.must("blocked"), "203.0.113.9", "{says}");
        assert!(yard.must("rules").contains(&first), "in the name of the run that blocked it");
    }
}

#[test]
fn what_a_containment_closed_stays_closed_when_another_one_is_undone() {
    let Some(yard) = Yard::here() else { return };
    yard.must("outsider; read_only $D/keys");
    let first = yard.operator_of("first", STACK);
    let part = STACK.replace("ports = [\"tcp/80\", \"tcp/4605\", \"udp/51820\"]", "ports = [\"tcp/80\"]");
    assert_ne!(part, STACK);
    let first_part = yard.operator_of("part", &part);
    first_part.run("contain", &[], &[]).expect(1);
    let rules = yard.must("rules");
    assert_eq!(yard.must("from_outside 80/health; from_outside 4605/health"), "000200");

    first.run("contain", &[], &[]).expect(1);
    assert_eq!(yard.must("from_outside 80/health; from_outside 4605/health"), "000000");
    let says = undo(&first, "close");
    assert!(says.contains("tcp/4605, ") || says.contains("tcp/4605 no longer dropped"), "{says}");
    assert!(says.contains("left as it is: tcp/80 is closed by quarterdeck"), "{says}");
    assert_eq!(yard.must("from_outside 80/health; from_outside 4605/health"), "000200");
    assert_eq!(yard.must("rules"), rules, "exactly as it was");
    undo(&first_part, "close");
    assert_eq!(yard.must("from_outside 80/health; from_outside 4605/health"), "200200");
}

#[test]
fn a_maintenance_page_stays_when_a_second_drain_is_undone() {
    let Some(yard) = Yard::here() else { return };
    let stack = with("drain", "wait", "on_failure = 'stop'\ntimeout = '2s'\non_timeout = 'fail'");
    yard.must("redis-cli SADD sessions a b");
    let (first, second) = (yard.operator_of("first", &stack), yard.operator_of("second", &stack));
    first.run("drain", &[], &[]).expect(1);
    let page = yard.must("cat $D/sites/app");
    second.run("drain", &[], &[]).expect(1);
    assert!(second.step("close")["says"].is_string());
    // Its rollback is verified by the edge, which is in maintenance still.
    let says = undo(&second, "close");
    assert!(says.starts_with("left as it is: "), "{says}");
    assert_eq!(yard.must("cat $D/sites/app"), page);
    yard.must("[ -f $D/kept/app ] && answers http://127.0.0.1/ 503");
    assert!(second.owed().is_empty() && first.owed() == ["ingress"]);
    undo(&first, "close");
    yard.must("cmp $D/pristine/app $D/sites/app && [ ! -e $D/kept/app ] && answers http://127.0.0.1/ 200");
}
