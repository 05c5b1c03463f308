//! `uses = "firewall"` in a network of its own: what is blocked and closed is so for real packets,
//! twice is once, and the inverse leaves what was there before.

use crate::bench::Bench;
use crate::harness::{Server, need, until};
use crate::said::{done, failed};
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::action::kinds::{Firewall, FirewallBackend, FirewallVerb};
use quarterdeck::domain::procedure::event::Truth;
use quarterdeck::domain::procedure::plan::Certainty;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const HERE: &str = "10.251.0.1";
pub const THERE: &str = "10.251.0.2";

/// Two machines on one wire; the first has servers on two ports.
pub struct Net {
    pub name: String,
    pub bench: Bench,
    pub tools: tempfile::TempDir,
    servers: Vec<Server>,
}

fn sh(line: &str) -> std::process::Output {
    Command::new("bash").args(["-euo", "pipefail", "-c", line]).stdin(Stdio::null()).output().unwrap()
}

pub fn must(line: &str) -> String {
    let output = sh(line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Net {
    pub fn new() -> Option<Net> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        need("nft", "nftables")?;
        need("iptables", "iptables")?;
        need("ip", "iproute2")?;
        let redis = need("redis-server", "redis-server")?;
        if !crate::harness::is_root() {
            println!("skipped: no network namespaces without root");
            return None;
        }
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("qdf{}n{n}", std::process::id());
        must(&format!(
            "ip netns add {name}a; ip netns add {name}b\n\
             ip -n {name}a link add eth0 type veth peer name eth0 netns {name}b\n\
             ip -n {name}a addr add {HERE}/24 dev eth0; ip -n {name}b addr add {THERE}/24 dev eth0\n\
             ip -n {name}a link set eth0 up; ip -n {name}b link set eth0 up; ip -n {name}a link set lo up"
        ));
        let tools = tempfile::tempdir().unwrap();
        for tool in ["nft", "iptables", "ip6tables", "ip"] {
            let real = need(tool, "nftables").unwrap();
            let script = format!("#!/bin/sh\nexec ip netns exec {name}a {} \"$@\"\n", real.display());
            // `ip` itself must not find its stand-in again.
            let script =
                script.replacen("exec ip", &format!("exec {}", need("ip", "iproute2").unwrap().display()), 1);
            let file = tools.path().join(tool);
            std::fs::write(&file, script).unwrap();
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let mut net = Net { bench: Bench::local(&[tools.path()]), name, tools, servers: Vec::new() };
        for port in [8443, 8080] {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", &format!("{}a", net.name)]).arg(&redis);
            command.args([
                "--port",
                &port.to_string(),
                "--bind",
                "0.0.0.0",
                "--protected-mode",
                "no",
                "--save",
                "",
            ]);
            let inside = net.name.clone() + "a";
            let server = Server::start(command.stdout(Stdio::null()), || opens(&inside, "127.0.0.1", port));
            net.servers.push(server);
        }
        Some(net)
    }

    /// Whether the other machine gets a connection.
    pub fn let_in(&self, port: u16) -> bool {
        opens(&format!("{}b", self.name), HERE, port)
    }

    pub fn rules(&self) -> String {
        let inside = format!("ip netns exec {}a", self.name);
        // Counters, times and handles change by themselves.
        must(&format!(
            "{inside} nft list ruleset | sed -E 's/packets [0-9]+ bytes [0-9]+//; s/expires [0-9a-z]+//'"
        ))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.servers.clear();
        let _ = sh(&format!("ip netns del {0}a; ip netns del {0}b", self.name));
    }
}

fn opens(namespace: &str, address: &str, port: u16) -> bool {
    let line =
        format!("ip netns exec {namespace} timeout 0.7 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null");
    sh(&line).status.success()
}

pub fn step(backend: FirewallBackend, verb: FirewallVerb) -> Firewall {
    Firewall {
        backend,
        verb,
        address: None,
        ports: vec![],
        except: vec![],
        expires: None,
        table: "quarterdeck".into(),
    }
}

pub fn about(backend: FirewallBackend, verb: FirewallVerb, address: &str) -> Action {
    Action::Firewall(Firewall { address: Some(address.into()), ..step(backend, verb) })
}

pub fn ports(backend: FirewallBackend, verb: FirewallVerb, ports: &[&str], except: &[&str]) -> Action {
    let texts = |all: &[&str]| all.iter().map(|t| (*t).to_owned()).collect();
    Action::Firewall(Firewall { ports: texts(ports), except: texts(except), ..step(backend, verb) })
}

pub use FirewallBackend::{Iptables, Nftables};
use FirewallVerb::{Block, Close, Open, Unblock};

#[test]
fn an_address_is_blocked_once_and_let_in_again() {
    for backend in [Nftables, Iptables] {
        let Some(net) = Net::new() else { return };
        let (block, unblock) = (about(backend, Block, THERE), about(backend, Unblock, THERE));
        // The inverse of nothing leaves our own empty room.
        done(&net.bench.perform(&unblock));
        done(&net.bench.perform(&about(backend, Block, "203.0.113.9")));
        done(&net.bench.perform(&about(backend, Unblock, "203.0.113.9")));
        let empty = net.rules();
        assert!(net.let_in(8443));

        let target = net.bench.target(&block);
        assert_eq!((target.impossible.as_deref(), &*target.state), (None, "10.251.0.2 is not blocked"));
        assert_eq!(target.certainty == Certainty::Simulated, backend == Nftables);
        assert_eq!(target.blast, ["10.251.0.2 is dropped, without an end"]);
        assert_eq!(net.rules(), empty, "looking changes nothing");
        assert_eq!(net.bench.ask(&block, "").truth, Truth::DidNot);

        assert_eq!(done(&net.bench.perform(&block)), "10.251.0.2 is dropped, without an end");
        assert!(!net.let_in(8443) && !net.let_in(8080), "{}", net.rules());
        let blocked = net.rules();
        let by = format!("10.251.0.2 is blocked without an end by quarterdeck {} s", net.bench.run);
        assert_eq!(net.bench.target(&unblock).state, by);
        assert_eq!(net.bench.ask(&block, "").truth, Truth::Happened);
        assert_eq!(net.bench.ask(&unblock, "").truth, Truth::DidNot);
        let again = net.bench.perform(&block);
        assert!(
            done(&again).starts_with("nothing to do: 10.251.0.2 is blocked without an end by"),
            "{again:?}"
        );
        assert_eq!(net.rules(), blocked, "twice is once");

        done(&net.bench.perform(&unblock));
        assert!(net.let_in(8443));
        assert_eq!(net.rules(), empty, "the exact inverse");
        assert!(done(&net.bench.perform(&unblock)).contains("nothing to do"));
        assert_eq!(net.bench.ask(&unblock, "").truth, Truth::Happened);
    }
}

#[test]
fn ports_are_closed_to_everybody_outside_and_opened_again() {
    for backend in [Nftables, Iptables] {
        let Some(net) = Net::new() else { return };
        let close = ports(backend, Close, &["tcp/8443", "udp/51820"], &[]);
        let open = ports(backend, Open, &["tcp/8443", "udp/51820"], &[]);
        done(&net.bench.perform(&close));
        done(&net.bench.perform(&open));
        let empty = net.rules();

        let target = net.bench.target(&close);
        assert_eq!(target.state, "tcp/8443 is open, udp/51820 is open");
        assert!(target.impossible.is_none(), "{target:?}");
        let left = net.bench.perform(&close);
        assert!(
            done(&left).contains("dropped for everybody but loopback, established connections too"),
            "{left:?}"
        );
        assert!(!net.let_in(8443) && net.let_in(8080));
        assert!(opens(&format!("{}a", net.name), "127.0.0.1", 8443), "loopback stays");
        assert!(opens(&format!("{}a", net.name), HERE, 8443), "the host itself stays");
        let closed = net.rules();
        assert!(done(&net.bench.perform(&close)).contains("nothing to do"));
        assert_eq!(net.rules(), closed, "twice is once");
        assert_eq!(net.bench.ask(&close, "").truth, Truth::Happened);
        assert_eq!(net.bench.ask(&open, "").truth, Truth::DidNot);

        // The same ports, and somebody is let in.
        let but = ports(backend, Close, &["tcp/8443", "udp/51820"], &["10.251.0.0/24", "2001:db8::/32"]);
        assert_eq!(net.bench.ask(&but, "").truth, Truth::DidNot);
        done(&net.bench.perform(&but));
        assert!(net.let_in(8443), "{}", net.rules());
        done(&net.bench.perform(&close));
        assert!(!net.let_in(8443));

        done(&net.bench.perform(&open));
        assert!(net.let_in(8443));
        assert_eq!(net.rules(), empty, "the exact inverse");
        assert_eq!(net.bench.ask(&open, "").truth, Truth::Happened);
    }
}

#[test]
fn a_connection_that_is_there_is_cut_too() {
    let Some(net) = Net::new() else { return };
    let script = format!(
        "exec 3<>/dev/tcp/{HERE}/8443; printf 'PING\\r\\n' >&3; read -r -t 2 a <&3; echo \"$a\"; read -r go\n\
         printf 'PING\\r\\n' >&3; read -r -t 1 b <&3 && echo \"$b\" || echo cut"
    );
    let mut child = Command::new("ip")
        .args(["netns", "exec", &format!("{}b", net.name), "bash", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line.trim(), "+PONG");
    done(&net.bench.perform(&ports(Nftables, Close, &["tcp/8443"], &[])));
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"go\n").unwrap();
    line.clear();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line.trim(), "cut");
    child.wait().unwrap();
}

#[test]
fn a_block_with_an_end_ends_by_itself_and_never_shortens_another() {
    let Some(net) = Net::new() else { return };
    let for_a = |seconds| {
        let verb = step(Nftables, Block);
        let expires = Some(Duration::from_secs(seconds));
        Action::Firewall(Firewall { address: Some(THERE.into()), expires, ..verb })
    };
    done(&net.bench.perform(&for_a(2)));
    assert!(!net.let_in(8443));
    assert!(net.bench.target(&for_a(60)).state.contains("is blocked for a time by quarterdeck"));
    until("the block to end", || net.let_in(8443));
    assert_eq!(net.bench.ask(&for_a(2), "").truth, Truth::DidNot);

    done(&net.bench.perform(&for_a(60)));
    done(&net.bench.perform(&for_a(3600)));
    assert!(net.rules().contains("timeout 1h"), "{}", net.rules());
    done(&net.bench.perform(&about(Nftables, Block, THERE)));
    assert!(!net.rules().contains("timeout 1h"));
    let kept = net.bench.perform(&for_a(60));
    assert!(done(&kept).contains("nothing to do: 10.251.0.2 is blocked without an end"), "{kept:?}");
}

#[test]
fn networks_of_both_families_are_blocked_beside_addresses_within_them() {
    for backend in [Nftables, Iptables] {
        let Some(net) = Net::new() else { return };
        for address in ["198.51.100.0/24", "198.51.100.7", "2001:db8::/32", "2001:db8::1"] {
            done(&net.bench.perform(&about(backend, Block, address)));
        }
        for address in ["198.51.100.0/24", "198.51.100.7", "2001:db8::/32", "2001:db8::1"] {
            assert_eq!(
                net.bench.ask(&about(backend, Block, address), "").truth,
                Truth::Happened,
                "{address}"
            );
        }
        done(&net.bench.perform(&about(backend, Unblock, "198.51.100.0/24")));
        assert_eq!(net.bench.ask(&about(backend, Block, "198.51.100.7"), "").truth, Truth::Happened);
    }
}

#[test]
fn what_would_lock_the_host_out_is_refused() {
    let Some(net) = Net::new() else { return };
    let table = [
        (about(Nftables, Block, "10.251.0.0/24"), "10.251.0.0/24 holds 10.251.0.1, which is the host's own"),
        (about(Iptables, Block, HERE), "10.251.0.1, which is the host's own"),
        (about(Nftables, Block, "0.0.0.0/0"), "the host's own"),
        (about(Nftables, Block, "::/0"), "the host's own"),
        (about(Nftables, Block, "203.0.113.1/24"), "bits beyond its prefix"),
        (about(Nftables, Block, "somebody"), "no address"),
        (ports(Nftables, Close, &["tcp/https"], &[]), "no port"),
        (ports(Nftables, Close, &[], &[]), "0 ports"),
        (
            Action::Firewall(Firewall { table: "a; flush ruleset".into(), ..step(Nftables, Open) }),
            "cannot name a table",
        ),
        (
            Action::Firewall(Firewall {
                address: Some(THERE.into()),
                expires: Some(Duration::from_secs(60)),
                ..step(Iptables, Block)
            }),
            "only a block of nftables can expire",
        ),
    ];
    for (action, part) in table {
        let why = net.bench.target(&action).impossible;
        assert!(why.as_ref().is_some_and(|w| w.contains(part)), "{action:?}: {why:?}");
        let left = net.bench.perform(&action);
        assert!(failed(&left).contains(part), "{left:?}");
    }
    assert_eq!(net.rules(), "");
}

#[test]
fn what_the_filter_refuses_changes_nothing_and_says_why() {
    let Some(net) = Net::new() else { return };
    done(&net.bench.perform(&about(Nftables, Block, "198.51.100.0/24")));
    let before = net.rules();
    let overlapping = about(Nftables, Block, "198.51.0.0/16");
    let target = net.bench.target(&overlapping);
    assert!(target.impossible.as_ref().is_some_and(|w| w.contains("nft said:")), "{target:?}");
    assert!(failed(&net.bench.perform(&overlapping)).contains("nothing was changed"));
    assert_eq!(net.rules(), before);

    must(&format!("ip netns exec {}a nft add table inet theirs", net.name));
    must(&format!("ip netns exec {}a nft add chain inet theirs input", net.name));
    let theirs = Action::Firewall(Firewall {
        address: Some(THERE.into()),
        table: "theirs".into(),
        ..step(Nftables, Block)
    });
    let why = net.bench.target(&theirs).impossible.unwrap();
    assert_eq!(
        why,
        "the table inet theirs holds the chain input, which is not of ours: choose another name for ours"
    );
    assert!(failed(&net.bench.perform(&theirs)).contains("not of ours"));
}

#[test]
fn a_table_that_others_fill_is_left_alone() {
    let Some(net) = Net::new() else { return };
    must(&format!(
        "ip netns exec {0}a iptables -t mangle -N quarterdeck; ip netns exec {0}a iptables -t mangle -A quarterdeck -s 192.0.2.1 -j DROP",
        net.name
    ));
    let unblock = about(Iptables, Unblock, "192.0.2.1");
    assert!(done(&net.bench.perform(&unblock)).contains("nothing to do"));
    assert!(net.rules().contains("192.0.2.1"));
}

#[test]
fn without_permission_it_says_so() {
    let Some(net) = Net::new() else { return };
    need("setpriv", "util-linux").unwrap();
    let file = net.tools.path().join("nft");
    std::fs::write(&file, "#!/bin/sh\nexec setpriv --reuid=nobody --clear-groups /usr/sbin/nft \"$@\"\n")
        .unwrap();
    let target = net.bench.target(&about(Nftables, Block, THERE));
    let why = target.impossible.unwrap();
    assert!(why.contains("not permitted") && why.contains("sudo = true"), "{why}");
    assert_eq!(net.bench.ask(&about(Nftables, Block, THERE), "").truth, Truth::Unknown);
}
