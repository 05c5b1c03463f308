//! Undoing a step of `uses = "firewall"`, with real filters: what was there before the step, by
//! another run or by a person, is there after its undoing, and only what it added itself is gone.

use crate::firewall::{Iptables, Net, Nftables, THERE, about, must, ports, step};
use crate::harness::until;
use crate::said::{done, failed};
use quarterdeck::act::step::Left;
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::Firewall;
use quarterdeck::domain::procedure::action::kinds::FirewallVerb::{Block, Close, Open, Unblock};
use quarterdeck::domain::procedure::event::Truth;
use std::time::Duration;

fn for_a(seconds: u64) -> Action {
    let expires = Some(Duration::from_secs(seconds));
    Action::Firewall(Firewall { address: Some(THERE.into()), expires, ..step(Nftables, Block) })
}

/// Undone, with something left as it was before.
#[track_caller]
fn spared(left: &Left) -> &str {
    assert!(left.spared, "{left:?}");
    done(left)
}

/// Undone as a whole.
#[track_caller]
fn undone(left: &Left) -> &str {
    assert!(!left.spared, "{left:?}");
    done(left)
}

#[test]
fn a_block_that_another_run_made_stays() {
    for backend in [Nftables, Iptables] {
        let Some(mut net) = Net::new() else { return };
        let (block, unblock) = (about(backend, Block, THERE), about(backend, Unblock, THERE));
        done(&net.bench.perform(&block));
        let (theirs, by) = (net.rules(), net.bench.run.clone());

        let first = net.bench.next_run();
        assert!(done(&net.bench.perform(&block)).starts_with("nothing to do"));
        assert_eq!(net.bench.ask_undone(&block, &unblock).truth, Truth::Happened, "nothing of it is there");
        let left = net.bench.undo(&block, &unblock);
        let says = format!("left as it is: 10.251.0.2 is blocked without an end by quarterdeck {by} s");
        assert_eq!(spared(&left), says);
        assert_eq!(net.rules(), theirs);
        assert!(!net.let_in(8443));

        // Its own run undoes it, and a step forward takes away whatever is there.
        let second = net.bench.turn_to(first);
        assert_eq!(net.bench.ask_undone(&block, &unblock).truth, Truth::DidNot);
        assert_eq!(undone(&net.bench.undo(&block, &unblock)), "10.251.0.2 is no longer dropped");
        assert!(net.let_in(8443));
        assert!(undone(&net.bench.undo(&block, &unblock)).starts_with("nothing to undo"));
        done(&net.bench.perform(&block));
        net.bench.turn_to(second);
        assert_eq!(undone(&net.bench.perform(&unblock)), "10.251.0.2 is no longer dropped");
        assert!(net.let_in(8443));
    }
}

#[test]
fn a_block_that_was_made_longer_is_given_back_the_time_that_it_had_left() {
    let Some(mut net) = Net::new() else { return };
    let unblock = about(Nftables, Unblock, THERE);
    done(&net.bench.perform(&for_a(600)));
    let by = net.bench.run.clone();
    net.bench.next_run();
    done(&net.bench.perform(&for_a(3600)));
    done(&net.bench.perform(&for_a(7200)));
    assert!(net.rules().contains("timeout 2h"), "{}", net.rules());
    let left = net.bench.undo(&for_a(7200), &unblock);
    assert!(spared(&left).ends_with(&format!(", as before this step by quarterdeck {by} s")), "{left:?}");
    let rules = net.rules();
    let time = rules.split("timeout ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(time == "10m" || time.starts_with("9m"), "{rules}");
    assert!(rules.contains(&format!("comment \"quarterdeck {by} s\"")), "{rules}");
    assert_eq!(net.bench.ask_undone(&for_a(7200), &unblock).truth, Truth::Happened);
    spared(&net.bench.undo(&for_a(7200), &unblock));
    assert!(net.rules().contains(by.as_str()), "twice is once");

    // One that has ended meanwhile does not come back.
    done(&net.bench.perform(&unblock));
    done(&net.bench.perform(&for_a(1)));
    net.bench.next_run();
    done(&net.bench.perform(&for_a(3600)));
    let later = Firewall { address: Some("203.0.113.5".into()), ..step(Nftables, Block) };
    done(&net.bench.perform(&Action::Firewall(Firewall { expires: Some(Duration::from_secs(1)), ..later })));
    until("a block to end that was made later", || !net.rules().contains("203.0.113.5"));
    undone(&net.bench.undo(&for_a(3600), &unblock));
    assert!(net.let_in(8443), "{}", net.rules());
}

#[test]
fn of_some_ports_only_those_are_opened_that_the_step_has_closed() {
    for backend in [Nftables, Iptables] {
        let Some(mut net) = Net::new() else { return };
        let theirs = ports(backend, Close, &["tcp/8443"], &[]);
        let (close, open) = (
            ports(backend, Close, &["tcp/8443", "tcp/8080"], &[]),
            ports(backend, Open, &["tcp/8443", "tcp/8080"], &[]),
        );
        done(&net.bench.perform(&theirs));
        let (before, by) = (net.rules(), net.bench.run.clone());
        net.bench.next_run();
        assert!(done(&net.bench.perform(&close)).starts_with("tcp/8080 dropped"));
        assert!(!net.let_in(8443) && !net.let_in(8080));
        assert_eq!(net.bench.ask(&close, "").truth, Truth::Happened);
        assert_eq!(net.bench.ask_undone(&close, &open).truth, Truth::DidNot);
        let left = net.bench.undo(&close, &open);
        let says =
            format!("tcp/8080 no longer dropped; left as it is: tcp/8443 is closed by quarterdeck {by} s");
        assert_eq!(spared(&left), says);
        assert!(!net.let_in(8443) && net.let_in(8080));
        assert_eq!(net.rules(), before, "exactly as it was");
        assert_eq!(net.bench.ask_undone(&close, &open).truth, Truth::Happened);
    }
}

#[test]
fn a_closing_that_was_replaced_comes_back_with_its_exceptions() {
    for backend in [Nftables, Iptables] {
        let Some(mut net) = Net::new() else { return };
        let theirs = ports(backend, Close, &["tcp/8443"], &["10.251.0.0/24", "2001:db8::/32"]);
        let (close, open) =
            (ports(backend, Close, &["tcp/8443"], &[]), ports(backend, Open, &["tcp/8443"], &[]));
        done(&net.bench.perform(&theirs));
        let before = net.rules();
        assert!(net.let_in(8443));
        net.bench.next_run();
        done(&net.bench.perform(&close));
        assert!(!net.let_in(8443));
        spared(&net.bench.undo(&close, &open));
        assert!(net.let_in(8443), "{}", net.rules());
        assert_eq!(net.rules(), before, "exactly as it was");
        spared(&net.bench.undo(&close, &open));
        assert_eq!(net.rules(), before, "twice is once");
    }
}

#[test]
fn undoing_an_opening_closes_only_what_it_has_opened() {
    for backend in [Nftables, Iptables] {
        let Some(mut net) = Net::new() else { return };
        let theirs = ports(backend, Close, &["tcp/8443"], &["192.0.2.0/24"]);
        let (open, close) = (
            ports(backend, Open, &["tcp/8443", "tcp/8080"], &[]),
            ports(backend, Close, &["tcp/8443", "tcp/8080"], &[]),
        );
        done(&net.bench.perform(&theirs));
        let (before, by) = (net.rules(), net.bench.run.clone());
        net.bench.next_run();
        // Undone before it did anything.
        spared(&net.bench.undo(&open, &close));
        assert_eq!(net.rules(), before);
        assert_eq!(done(&net.bench.perform(&open)), "tcp/8443 no longer dropped");
        assert!(net.let_in(8443));
        assert_eq!(net.bench.ask_undone(&open, &close).truth, Truth::DidNot);
        let left = net.bench.undo(&open, &close);
        let says = spared(&left);
        assert!(says.contains(&format!("as before this step by quarterdeck {by} s")), "{says}");
        assert!(says.contains("left as it is: tcp/8080 was not closed before this step"), "{says}");
        assert!(!net.let_in(8443) && net.let_in(8080));
        assert_eq!(net.rules(), before, "exactly as it was");
        assert_eq!(net.bench.ask_undone(&open, &close).truth, Truth::Happened);

        let (unblock, block) = (about(backend, Unblock, THERE), about(backend, Block, THERE));
        spared(&net.bench.undo(&unblock, &block));
        assert_eq!(net.rules(), before, "nobody was blocked");
    }
}

#[test]
fn undoing_an_unblocking_gives_back_the_time_that_was_left() {
    let Some(mut net) = Net::new() else { return };
    done(&net.bench.perform(&for_a(600)));
    let by = net.bench.run.clone();
    net.bench.next_run();
    let unblock = about(Nftables, Unblock, THERE);
    done(&net.bench.perform(&unblock));
    undone(&net.bench.undo(&unblock, &for_a(86400)));
    let rules = net.rules();
    assert!(rules.contains("timeout 10m") || rules.contains("timeout 9m"), "{rules}");
    assert!(rules.contains(by.as_str()), "{rules}");
    assert!(undone(&net.bench.undo(&unblock, &for_a(86400))).starts_with("nothing to undo"));
}

#[test]
fn what_a_person_put_there_stays_and_so_does_what_others_put_there_since() {
    let Some(mut net) = Net::new() else { return };
    let (block, unblock) = (about(Nftables, Block, THERE), about(Nftables, Unblock, THERE));
    done(&net.bench.perform(&block));
    done(&net.bench.perform(&unblock));
    let add = "nft add element inet quarterdeck blocked4 '{ 10.251.0.2 timeout 1h }'";
    must(&format!("ip netns exec {}a {add}", net.name));
    let by_hand = net.rules();
    done(&net.bench.perform(&block));
    assert!(net.bench.target(&block).state.contains("without an end by"));
    spared(&net.bench.undo(&block, &unblock));
    let rules = net.rules();
    assert!(!rules.contains("comment") && !net.let_in(8443), "{by_hand} {rules}");
    assert_eq!(spared(&net.bench.undo(&block, &unblock)), "left as it is: 10.251.0.2 is blocked for a time");

    // Blocked by this run, let in by a person, blocked by another run.
    done(&net.bench.perform(&block));
    must(&format!(
        "ip netns exec {}a nft delete element inet quarterdeck blocked4 '{{ {THERE} }}'",
        net.name
    ));
    let first = net.bench.next_run();
    done(&net.bench.perform(&block));
    net.bench.turn_to(first);
    spared(&net.bench.undo(&block, &unblock));
    assert!(!net.let_in(8443));
}

#[test]
fn a_step_that_another_hand_did_is_undone_by_what_its_run_put_there() {
    for backend in [Nftables, Iptables] {
        let Some(mut net) = Net::new() else { return };
        let (block, unblock) = (about(backend, Block, THERE), about(backend, Unblock, THERE));
        let other = Action::Manual(quarterdeck::domain::procedure::action::kinds::Manual {
            instruction: "look".into(),
            note: false,
        });
        done(&net.bench.perform(&block));
        // Of the same run, by another step.
        net.bench.step = quarterdeck::domain::id::StepId::new("later");
        done(&net.bench.perform(&block));
        spared(&net.bench.undo(&block, &unblock));
        assert!(!net.let_in(8443), "it was the earlier step's");
        undone(&net.bench.undo(&other, &unblock));
        assert!(net.let_in(8443));
    }
}

#[test]
fn a_change_of_iptables_that_was_cut_short_is_undone_as_a_whole() {
    let Some(mut net) = Net::new() else { return };
    let theirs = ports(Iptables, Close, &["tcp/8443"], &["10.251.0.0/24"]);
    let (close, open) =
        (ports(Iptables, Close, &["tcp/8443"], &[]), ports(Iptables, Open, &["tcp/8443"], &[]));
    done(&net.bench.perform(&theirs));
    let (before, by) = (net.rules(), net.bench.run.clone());
    net.bench.next_run();
    // The way to ip6tables is lost after iptables was told, and in iptables before theirs were gone.
    for (program, verb) in [("ip6tables", "-A"), ("iptables", "-D")] {
        let tool = net.tools.path().join(program);
        let whole = std::fs::read_to_string(&tool).unwrap();
        let cut = whole.replacen("exec", &format!("case \"$*\" in *\" {verb} \"*) exit 1;; esac\nexec"), 1);
        std::fs::write(&tool, cut).unwrap();
        failed(&net.bench.perform(&close));
        std::fs::write(&tool, whole).unwrap();
        assert_ne!(net.rules(), before);
        assert_eq!(net.bench.ask(&close, "").truth, Truth::DidNot);
        assert_eq!(net.bench.ask_undone(&close, &open).truth, Truth::DidNot);
        spared(&net.bench.undo(&close, &open));
        assert_eq!(net.rules(), before, "exactly as it was");
        assert!(net.bench.target(&theirs).state.contains(by.as_str()));
    }
}

#[test]
fn an_older_block_is_not_taken_for_one_that_was_to_be_made() {
    let Some(mut net) = Net::new() else { return };
    done(&net.bench.perform(&for_a(60)));
    net.bench.next_run();
    // Its runner was lost before it did anything, or after.
    assert_eq!(net.bench.ask(&for_a(3600), "").truth, Truth::DidNot);
    assert_eq!(net.bench.ask(&for_a(30), "").truth, Truth::Happened, "nothing is left to do");
    done(&net.bench.perform(&for_a(3600)));
    let list = format!("ip netns exec {}a nft list ruleset", net.name);
    until("its time to go by", || must(&list).contains("expires 59m"));
    assert_eq!(net.bench.ask(&for_a(3600), "").truth, Truth::Happened, "though its time goes by");
}
