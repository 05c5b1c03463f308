//! The nftables backend: one script for each step, which the kernel takes as a whole or not at all.
//!
//! Everything is in a table of our own. Each script begins by making it as it must be, which
//! changes nothing where it is so already; what a step adds or takes away follows.

use super::{COMMENT, Change, Net, Port, plain};
use std::fmt::Write as _;

/// The chain that sees packets first.
pub const CHAIN: &str = "incoming";
/// The sets of what is blocked: single addresses and networks, since a network may hold an address
/// that is blocked by itself.
pub const SETS: [&str; 4] = ["blocked4", "blocked6", "nets4", "nets6"];
/// The map from closed ports to their chains.
pub const CLOSED: &str = "closed";

/// The set that an address or a network belongs to.
pub fn set_of(net: &Net) -> &'static str {
    match (net.is_host(), net.is_v4()) {
        (true, true) => "blocked4",
        (true, false) => "blocked6",
        (false, true) => "nets4",
        (false, false) => "nets6",
    }
}

/// The chain of a closed port.
pub fn chain_of(port: Port) -> String {
    format!("{}_{}", port.protocol(), port.number)
}

/// The port of such a chain.
pub fn port_of(chain: &str) -> Option<Port> {
    Port::parse(&chain.replacen('_', "/", 1)).ok().filter(|p| chain_of(*p) == chain)
}

/// The script of a change, for `nft -f -`.
pub fn script(table: &str, change: &Change, comment: &str) -> String {
    script_of(table, [(change, comment)])
}

/// The script of several changes, each under its comment: taken all together.
pub fn script_of<'a>(table: &str, changes: impl IntoIterator<Item = (&'a Change, &'a str)>) -> String {
    let mut out = String::with_capacity(2048);
    base(&mut out, table);
    for (change, comment) in changes {
        // Writing to a text cannot fail.
        let _ = write(&mut out, table, change, &tag(comment));
    }
    out
}

fn write(out: &mut String, table: &str, change: &Change, tag: &str) -> std::fmt::Result {
    match change {
        Change::Block { net, seconds } => block(out, table, net, *seconds, tag),
        Change::Unblock { net } => {
            // Added first, so that taking it away works whether or not it was there.
            let element = format!("element inet {table} {} {{ {net} }}", set_of(net));
            writeln!(out, "add {element}\ndelete {element}")
        }
        Change::Close { ports, except } => {
            ports.iter().try_for_each(|port| close(out, table, *port, except, tag))
        }
        Change::Open { ports } => ports.iter().try_for_each(|port| open(out, table, *port)),
    }
}

/// A comment as it follows what it is about; what another hand made may have none.
fn tag(comment: &str) -> String {
    match comment {
        "" => String::new(),
        // Only shown.
        COMMENT => format!(" comment \"{COMMENT}\""),
        comment => format!(" comment \"{}\"", plain(comment)),
    }
}

fn base(out: &mut String, table: &str) {
    let t = format!("inet {table}");
    let lines = [
        format!("add table {t}"),
        format!("add set {t} blocked4 {{ type ipv4_addr; flags timeout; counter; }}"),
        format!("add set {t} blocked6 {{ type ipv6_addr; flags timeout; counter; }}"),
        format!("add set {t} nets4 {{ type ipv4_addr; flags interval, timeout; counter; }}"),
        format!("add set {t} nets6 {{ type ipv6_addr; flags interval, timeout; counter; }}"),
        format!("add map {t} {CLOSED} {{ type inet_proto . inet_service : verdict; }}"),
        format!("add chain {t} {CHAIN} {{ type filter hook prerouting priority -150; policy accept; }}"),
        format!("flush chain {t} {CHAIN}"),
        format!("add rule {t} {CHAIN} iifname \"lo\" accept"),
        format!("add rule {t} {CHAIN} ip saddr @blocked4 drop"),
        format!("add rule {t} {CHAIN} ip saddr @nets4 drop"),
        format!("add rule {t} {CHAIN} ip6 saddr @blocked6 drop"),
        format!("add rule {t} {CHAIN} ip6 saddr @nets6 drop"),
        format!("add rule {t} {CHAIN} fib daddr type local meta l4proto . th dport vmap @{CLOSED}"),
    ];
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
}

fn block(out: &mut String, table: &str, net: &Net, seconds: Option<u64>, tag: &str) -> std::fmt::Result {
    let element = |more: &str| format!("element inet {table} {} {{ {net}{more} }}", set_of(net));
    let timeout = seconds.map(|s| format!(" timeout {s}s")).unwrap_or_default();
    // One that is there already would keep its old end: it is taken away first, in the same breath.
    writeln!(out, "add {}\ndelete {}", element(""), element(""))?;
    writeln!(out, "add {}", element(&format!("{timeout}{tag}")))
}

/// Everything to the port is dropped, established connections too: containment closes access, it
/// does not only stop newcomers.
fn close(out: &mut String, table: &str, port: Port, except: &[Net], tag: &str) -> std::fmt::Result {
    let chain = chain_of(port);
    writeln!(out, "add chain inet {table} {chain}\nflush chain inet {table} {chain}")?;
    for net in except {
        let family = if net.is_v4() { "ip" } else { "ip6" };
        writeln!(out, "add rule inet {table} {chain} {family} saddr {net} return{tag}")?;
    }
    writeln!(out, "add rule inet {table} {chain} counter drop{tag}")?;
    let (protocol, number) = (port.protocol(), port.number);
    writeln!(out, "add element inet {table} {CLOSED} {{ {protocol} . {number} : jump {chain} }}")
}

fn open(out: &mut String, table: &str, port: Port) -> std::fmt::Result {
    let chain = chain_of(port);
    let element =
        format!("element inet {table} {CLOSED} {{ {} . {} : jump {chain} }}", port.protocol(), port.number);
    writeln!(out, "add chain inet {table} {chain}\nadd {element}\ndelete {element}")?;
    writeln!(out, "flush chain inet {table} {chain}\ndelete chain inet {table} {chain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows the table itself.
    fn tail(change: &Change) -> String {
        script("qd", change, "c").lines().skip(14).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_change_is_said_in_full() {
        let net = Net::parse("203.0.113.7").unwrap();
        let wide = Net::parse("2001:db8::/32").unwrap();
        let port = Port::parse("tcp/443").unwrap();
        let table = [
            (
                Change::Block { net, seconds: Some(3600) },
                "add element inet qd blocked4 { 203.0.113.7 }\n\
                 delete element inet qd blocked4 { 203.0.113.7 }\n\
                 add element inet qd blocked4 { 203.0.113.7 timeout 3600s comment \"c\" }",
            ),
            (
                Change::Unblock { net: wide },
                "add element inet qd nets6 { 2001:db8::/32 }\ndelete element inet qd nets6 { 2001:db8::/32 }",
            ),
            (
                Change::Close { ports: vec![port], except: vec![wide] },
                "add chain inet qd tcp_443\nflush chain inet qd tcp_443\n\
                 add rule inet qd tcp_443 ip6 saddr 2001:db8::/32 return comment \"c\"\n\
                 add rule inet qd tcp_443 counter drop comment \"c\"\n\
                 add element inet qd closed { tcp . 443 : jump tcp_443 }",
            ),
            (
                Change::Open { ports: vec![port] },
                "add chain inet qd tcp_443\nadd element inet qd closed { tcp . 443 : jump tcp_443 }\n\
                 delete element inet qd closed { tcp . 443 : jump tcp_443 }\n\
                 flush chain inet qd tcp_443\ndelete chain inet qd tcp_443",
            ),
        ];
        for (change, want) in table {
            assert_eq!(tail(&change), want, "{change:?}");
        }
    }

    #[test]
    fn a_chain_is_its_ports() {
        let port = Port::parse("udp/51820").unwrap();
        assert_eq!(port_of(&chain_of(port)), Some(port));
        for other in ["incoming", "tcp_0", "tcp_0443", "input"] {
            assert_eq!(port_of(other), None, "{other}");
        }
    }
}
