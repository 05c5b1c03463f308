//! The filter as `nft` 1.0.6 showed the same ruleset, and whom it lets in.

use serde_json::Value;

use super::*;

const RULES: &str = r#"
table inet tornado {
 set banned { type ipv4_addr; flags interval, timeout; }
 set ports { type inet_service; flags interval; comment "pp"; elements = { 80, 90-100 } }
 chain other { counter; reject; }
 chain input { type filter hook input priority -10; policy accept; iif lo accept; iifname "eth1" accept
  ip saddr @banned counter drop comment "x"; ip saddr { 1.2.3.4, 10.0.0.0/8 } tcp dport { 80, 4605 } reject with tcp reset
  udp dport 51820 drop; ct state established,related accept
  tcp dport @ports jump other
  ip6 saddr ::1 accept
  ip saddr != 192.0.2.0/24 tcp dport 8000-8010 drop
 }
}
"#;

fn ruleset() -> Ruleset {
    let mut rules = Ruleset::default();
    rules.run(RULES, 100, How::default()).unwrap();
    let add = "add element inet tornado banned { 10.251.0.2 timeout 1m comment \"hi\", 10.3.0.0/16 }";
    rules.run(add, 100, How::default()).unwrap();
    rules
}

fn list(rules: &mut Ruleset, how: How) -> String {
    rules.run("list ruleset", 101, how).unwrap()
}

#[test]
fn what_is_listed_has_the_real_tools_form() {
    let mut rules = ruleset();
    assert_eq!(
        list(&mut rules, How::default()),
        r#"table inet tornado {
	set banned {
		type ipv4_addr
		flags interval,timeout
		elements = { 10.251.0.2 timeout 1m expires 59s comment "hi", 10.3.0.0/16 }
	}

	set ports {
		type inet_service
		flags interval
		comment "pp"
		elements = { 80, 90-100 }
	}

	chain other {
		counter packets 0 bytes 0
		reject
	}

	chain input {
		type filter hook input priority filter - 10; policy accept;
		iif "lo" accept
		iifname "eth1" accept
		ip saddr @banned counter packets 0 bytes 0 drop comment "x"
		ip saddr { 1.2.3.4, 10.0.0.0/8 } tcp dport { 80, 4605 } reject with tcp reset
		udp dport 51820 drop
		ct state established,related accept
		tcp dport @ports jump other
		ip6 saddr ::1 accept
		ip saddr != 192.0.2.0/24 tcp dport 8000-8010 drop
	}
}
"#
    );
    let text =
        rules.run("list set inet tornado ports", 101, How { handles: true, ..How::default() }).unwrap();
    assert!(text.contains("\tset ports { # handle 2\n"), "{text}");
    assert_eq!(rules.run("list tables", 101, How::default()).unwrap(), "table inet tornado\n");
    // What it lists it also reads.
    let text = list(&mut rules, How::default());
    let mut again = Ruleset::default();
    again.run(&text, 101, How::default()).unwrap();
    assert_eq!(list(&mut again, How::default()), text);
}

#[test]
fn json_has_the_form_of_libnftables() {
    let mut rules = ruleset();
    let all: Value = serde_json::from_str(&list(&mut rules, How { json: true, ..How::default() })).unwrap();
    let all = all["nftables"].as_array().unwrap();
    let has = |want: &str| {
        let want: Value = serde_json::from_str(want).unwrap();
        assert!(all.contains(&want), "{want} is not in {all:#?}");
    };
    has(r#"{"table": {"family": "inet", "name": "tornado", "handle": 1}}"#);
    has(
        r#"{"set": {"family": "inet", "name": "banned", "table": "tornado", "type": "ipv4_addr", "handle": 1,
        "flags": ["interval", "timeout"], "elem": [{"elem": {"val": "10.251.0.2", "timeout": 60, "expires": 59,
        "comment": "hi"}}, {"prefix": {"addr": "10.3.0.0", "len": 16}}]}}"#,
    );
    has(r#"{"chain": {"family": "inet", "table": "tornado", "name": "input", "handle": 6, "type": "filter",
        "hook": "input", "prio": -10, "policy": "accept"}}"#);
    has(
        r#"{"rule": {"family": "inet", "table": "tornado", "chain": "input", "handle": 9, "comment": "x", "expr":
        [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@banned"}},
        {"counter": {"packets": 0, "bytes": 0}}, {"drop": null}]}}"#,
    );
    has(
        r#"{"rule": {"family": "inet", "table": "tornado", "chain": "input", "handle": 15, "expr": [{"match": {"op":
        "!=", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "192.0.2.0",
        "len": 24}}}}, {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right":
        {"range": [8000, 8010]}}}, {"drop": null}]}}"#,
    );
}

#[test]
fn packets_meet_the_rules_in_order() {
    use Protocol::{Tcp, Udp};
    let mut rules = ruleset();
    for (from, protocol, port, now, want) in [
        ([203, 0, 113, 9], Tcp, 4605, 101, true),
        ([203, 0, 113, 9], Tcp, 80, 101, false),
        ([203, 0, 113, 9], Udp, 80, 101, true),
        ([203, 0, 113, 9], Udp, 51820, 101, false),
        ([10, 9, 9, 9], Tcp, 4605, 101, false),
        ([10, 3, 9, 9], Tcp, 22, 101, false),
        ([10, 251, 0, 2], Tcp, 22, 101, false),
        ([10, 251, 0, 2], Tcp, 22, 161, true),
        ([203, 0, 113, 9], Tcp, 8003, 101, false),
        ([192, 0, 2, 7], Tcp, 8003, 101, true),
    ] {
        assert_eq!(rules.admits(from, protocol, port, now), want, "{from:?} {protocol:?} {port} at {now}");
    }
    rules
        .run(
            "add chain inet tornado late { type filter hook input priority 5; policy drop; }",
            101,
            How::default(),
        )
        .unwrap();
    assert!(!rules.admits([203, 0, 113, 9], Tcp, 4605, 101), "accepted by one chain, dropped by the next");
}

#[test]
fn adding_twice_is_adding_once_and_deleting_has_it_gone() {
    let mut rules = Ruleset::default();
    let mut run = |text: &str| rules.run(text, 50, How::default());
    for _ in 0..2 {
        run("add table inet q; add set inet q s { type ipv4_addr; flags timeout; }").unwrap();
        run("add element inet q s { 192.0.2.1 timeout 10m }").unwrap();
    }
    let text = run("list set inet q s").unwrap();
    assert_eq!(text.matches("192.0.2.1").count(), 1);
    run("add chain inet q c { type filter hook input priority filter - 5; }").unwrap();
    run("add rule inet q c ip saddr @s drop").unwrap();
    for (text, why) in [
        ("create table inet q", "File exists"),
        ("delete set inet q s", "Device or resource busy"),
        ("delete element inet q s { 192.0.2.2 }", "No such file"),
        ("list table inet nope", "No such file"),
        ("add rule inet q c ip saddr @none drop", "No such file"),
        ("add element inet q s { example.net }", "Could not resolve hostname"),
        ("add rule inet q c", "unexpected newline"),
        ("add rule inet q c tcp flags syn drop", "unexpected"),
        ("frobnicate table inet q", "syntax error"),
        ("add set inet q t { type ipv4_addr", ""),
        ("add rule inet q c comment \"never ends", "end of string"),
    ] {
        let got = run(text);
        assert!(why.is_empty() || got.clone().is_err_and(|e| e.contains(why)), "{text}: {got:?}");
    }
    // All of a script or nothing.
    assert!(run("add table inet half\nfrobnicate").is_err());
    assert!(run("list table inet half").is_err());
    run("delete element inet q s { 192.0.2.1 }").unwrap();
    assert!(!run("list ruleset").unwrap().contains("192.0.2.1"));
    run("delete table inet q").unwrap();
    assert_eq!(run("list ruleset").unwrap(), "");
}

/// The script by which a step closes a port, as it is written for the real tool.
#[test]
fn ports_closed_by_a_map_are_closed_but_for_who_is_excepted() {
    let mut rules = Ruleset::default();
    let base = "add table inet q
add set inet q blocked4 { type ipv4_addr; flags timeout; counter; }
add map inet q closed { type inet_proto . inet_service : verdict; }
add chain inet q incoming { type filter hook prerouting priority -150; policy accept; }
flush chain inet q incoming
add rule inet q incoming iifname \"lo\" accept
add rule inet q incoming ip saddr @blocked4 drop
add rule inet q incoming fib daddr type local meta l4proto . th dport vmap @closed
";
    let close = "add chain inet q tcp_4605\nflush chain inet q tcp_4605
add rule inet q tcp_4605 ip saddr 198.51.100.0/24 return comment \"c\"
add rule inet q tcp_4605 counter drop comment \"c\"
add element inet q closed { tcp . 4605 : jump tcp_4605 }
";
    let open = "add chain inet q tcp_4605\nadd element inet q closed { tcp . 4605 : jump tcp_4605 }
delete element inet q closed { tcp . 4605 : jump tcp_4605 }
flush chain inet q tcp_4605\ndelete chain inet q tcp_4605
";
    for _ in 0..2 {
        rules.run(&format!("{base}{close}"), 5, How::default()).unwrap();
        assert!(!rules.admits([203, 0, 113, 1], Protocol::Tcp, 4605, 5));
        assert!(rules.admits([198, 51, 100, 1], Protocol::Tcp, 4605, 5));
        assert!(rules.admits([203, 0, 113, 1], Protocol::Udp, 4605, 5));
    }
    let json = rules.run("list table inet q", 5, How { json: true, ..How::default() }).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    let all = json["nftables"].as_array().unwrap();
    let map = all.iter().find_map(|i| i.get("map")).unwrap();
    let want: Value =
        serde_json::from_str(r#"[[{"concat": ["tcp", 4605]}, {"jump": {"target": "tcp_4605"}}]]"#).unwrap();
    assert_eq!(map["elem"], want);
    let text = rules.run("list ruleset", 5, How::default()).unwrap();
    assert!(text.contains("fib daddr type local meta l4proto . th dport vmap @closed"), "{text}");
    assert!(rules.run("delete chain inet q tcp_4605", 5, How::default()).unwrap_err().contains("busy"));
    let mut again = Ruleset::default();
    again.run(&text, 5, How::default()).unwrap();
    assert!(!again.admits([203, 0, 113, 1], Protocol::Tcp, 4605, 5));
    for _ in 0..2 {
        rules.run(&format!("{base}{open}"), 5, How::default()).unwrap();
        assert!(rules.admits([203, 0, 113, 1], Protocol::Tcp, 4605, 5));
    }
    let only_check = How { only_check: true, ..How::default() };
    rules.run(&format!("{base}{close}"), 5, only_check).unwrap();
    assert!(rules.admits([203, 0, 113, 1], Protocol::Tcp, 4605, 5), "a check changes nothing");
}
