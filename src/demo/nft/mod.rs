//! The packet filter of the demo's host: tables, sets, chains and rules, and who they let in.
//!
//! Nothing here touches this machine's own filter. What `nft` is told is kept as the real one keeps it
//! and decides which of the modelled clients can reach the stack.

mod objects;
mod parse;
mod show;
mod words;

#[cfg(test)]
mod tests;

use super::model::Second;

/// Tables, and objects of each kind in one, at most.
const OBJECTS: usize = 64;
/// Elements of one set, at most.
const ELEMENTS: usize = 4096;
/// How deep chains may jump.
const DEPTH: usize = 8;

/// Why a command was refused, as `nft` says it after "Error: ".
type Refusal = String;

/// All tables.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    tables: Vec<Table>,
    handles: u64,
}

#[derive(Clone, Debug)]
struct Table {
    family: String,
    name: String,
    handle: u64,
    sets: Vec<Set>,
    chains: Vec<Chain>,
    /// Handles count within a table.
    handles: u64,
}

#[derive(Clone, Debug)]
struct Set {
    name: String,
    handle: u64,
    /// Such as `ipv4_addr`, or `inet_proto . inet_service`.
    of: String,
    /// A map: its elements lead to verdicts.
    leads: bool,
    flags: Vec<String>,
    /// Of elements that have none of their own, in seconds.
    timeout: Option<Second>,
    comment: Option<String>,
    elements: Vec<Element>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Element {
    key: String,
    timeout: Option<Second>,
    expires: Option<Second>,
    comment: Option<String>,
    /// Of a map.
    to: Option<Verdict>,
}

#[derive(Clone, Debug)]
struct Chain {
    name: String,
    handle: u64,
    base: Option<Base>,
    rules: Vec<Rule>,
}

/// What makes a chain see packets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Base {
    of: String,
    hook: String,
    priority: i32,
    /// Unless a rule says otherwise, packets are dropped.
    drops: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    handle: u64,
    parts: Vec<Part>,
    comment: Option<String>,
}

/// One part of a rule; they are looked at from left to right.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Match {
        what: What,
        not: bool,
        values: Values,
    },
    Counter,
    Verdict(Verdict),
    /// `meta l4proto . th dport vmap @MAP`
    ByPort(String),
}

/// What of a packet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Iif,
    Iifname,
    IpSource,
    Ip6Source,
    TcpPort,
    UdpPort,
    State,
    L4Protocol,
    NfProtocol,
    /// `fib daddr type`
    Destination,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Values {
    /// One, or the members of an anonymous set.
    Given {
        all: Vec<String>,
        braces: bool,
    },
    Named(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Accept,
    Drop,
    /// With what, if it was said.
    Reject(Option<String>),
    Return,
    Jump(String),
    Goto(String),
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

/// A packet that opens something new, from outside.
struct Packet {
    from: [u8; 4],
    protocol: Protocol,
    port: u16,
}

/// How a chain ended.
enum End {
    Accept,
    Drop,
    /// Nothing in it applied.
    Through,
}

impl Ruleset {
    /// Carries out one call of `nft`: its arguments without options, or a script. All of it or nothing.
    ///
    /// # Errors
    /// What `nft` prints after "Error: ".
    pub fn run(&mut self, text: &str, now: Second, how: How) -> Result<String, Refusal> {
        self.expire(now);
        let mut next = self.clone();
        let out = parse::run(&mut next, text, now, how)?;
        if !how.only_check {
            *self = next;
        }
        Ok(out)
    }

    /// Whether a new packet of a client gets to a port of this host.
    pub fn admits(&self, from: [u8; 4], protocol: Protocol, port: u16, now: Second) -> bool {
        let packet = Packet { from, protocol, port };
        let mut bases: Vec<(&Table, &Chain, &Base)> = self
            .tables
            .iter()
            .filter(|t| t.family == "inet" || t.family == "ip")
            .flat_map(|t| t.chains.iter().filter_map(move |c| Some((t, c, c.base.as_ref()?))))
            .filter(|(.., base)| base.of == "filter" && ["input", "prerouting"].contains(&base.hook.as_str()))
            .collect();
        bases.sort_by_key(|(.., base)| (base.hook != "prerouting", base.priority));
        // Each base chain has its say; the first that drops decides.
        bases.iter().all(|(table, chain, base)| match table.walk(chain, &packet, now, 0) {
            End::Accept => true,
            End::Drop => false,
            End::Through => !base.drops,
        })
    }

    /// True while nothing filters: asking for each client is then not needed.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    fn expire(&mut self, now: Second) {
        for set in self.tables.iter_mut().flat_map(|t| &mut t.sets) {
            set.elements.retain(|e| e.expires.is_none_or(|at| at > now));
        }
    }

    fn table(&mut self, family: &str, name: &str) -> Result<&mut Table, Refusal> {
        self.tables.iter_mut().find(|t| t.family == family && t.name == name).ok_or_else(missing)
    }
}

/// What `nft` says of what is not there.
fn missing() -> Refusal {
    "No such file or directory".to_owned()
}

/// How a call of `nft` wants to be answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    pub json: bool,
    pub handles: bool,
    /// Show no elements and no counters.
    pub stateless: bool,
    pub only_check: bool,
}

impl Table {
    fn next_handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    fn set(&mut self, name: &str) -> Result<&mut Set, Refusal> {
        self.sets.iter_mut().find(|s| s.name == name).ok_or_else(missing)
    }

    fn chain(&mut self, name: &str) -> Result<&mut Chain, Refusal> {
        self.chains.iter_mut().find(|c| c.name == name).ok_or_else(missing)
    }

    /// Whether a rule or a map leads to a chain.
    fn leads_to(&self, chain: &str) -> bool {
        let there = |v: &Verdict| matches!(v, Verdict::Jump(to) | Verdict::Goto(to) if to == chain);
        let of_rule = |p: &Part| matches!(p, Part::Verdict(v) if there(v));
        self.chains.iter().flat_map(|c| &c.rules).any(|r| r.parts.iter().any(of_rule))
            || self.sets.iter().flat_map(|s| &s.elements).any(|e| e.to.as_ref().is_some_and(there))
    }

    /// Whether a rule asks a set or map.
    fn asks(&self, set: &str) -> bool {
        let of_rule = |p: &Part| match p {
            Part::Match { values: Values::Named(name), .. } | Part::ByPort(name) => name == set,
            _ => false,
        };
        self.chains.iter().flat_map(|c| &c.rules).any(|r| r.parts.iter().any(of_rule))
    }

    fn walk(&self, chain: &Chain, packet: &Packet, now: Second, depth: usize) -> End {
        for rule in &chain.rules {
            for part in &rule.parts {
                let verdict = match part {
                    Part::Counter => continue,
                    Part::Match { what, not, values } => {
                        if self.matches(*what, values, packet, now) == *not {
                            break;
                        }
                        continue;
                    }
                    Part::Verdict(verdict) => verdict,
                    Part::ByPort(map) => match self.led_to(map, packet) {
                        Some(verdict) => verdict,
                        None => break,
                    },
                };
                match verdict {
                    Verdict::Accept => return End::Accept,
                    Verdict::Drop | Verdict::Reject(_) => return End::Drop,
                    Verdict::Return => return End::Through,
                    Verdict::Jump(name) | Verdict::Goto(name) if depth < DEPTH => {
                        let Some(to) = self.chains.iter().find(|c| c.name == *name) else { continue };
                        match self.walk(to, packet, now, depth + 1) {
                            End::Through if matches!(verdict, Verdict::Jump(_)) => {}
                            end => return end,
                        }
                    }
                    Verdict::Jump(_) | Verdict::Goto(_) => {}
                }
            }
        }
        End::Through
    }

    /// What a map of ports says of a packet.
    fn led_to(&self, map: &str, packet: &Packet) -> Option<&Verdict> {
        let protocol = if packet.protocol == Protocol::Tcp { "tcp" } else { "udp" };
        let key = format!("{protocol} . {}", packet.port);
        let map = self.sets.iter().find(|s| s.leads && s.name == map)?;
        map.elements.iter().find(|e| e.key == key)?.to.as_ref()
    }

    fn matches(&self, what: What, values: &Values, packet: &Packet, now: Second) -> bool {
        let is = |value: &str| match what {
            What::IpSource => covers(value, packet.from),
            What::TcpPort => packet.protocol == Protocol::Tcp && has_port(value, packet.port),
            What::UdpPort => packet.protocol == Protocol::Udp && has_port(value, packet.port),
            What::L4Protocol => value == if packet.protocol == Protocol::Tcp { "tcp" } else { "udp" },
            What::NfProtocol => value == "ipv4",
            What::Destination => value == "local",
            What::State => value == "new",
            // Clients come in from outside, and by IPv4.
            What::Iif | What::Iifname => value == "eth0",
            What::Ip6Source => false,
        };
        // A port of the other protocol, or an address of the other family, never matches, `!=` or not.
        match values {
            Values::Given { all, .. } => all.iter().any(|v| is(v)),
            Values::Named(name) => self
                .sets
                .iter()
                .filter(|s| s.name == *name)
                .any(|s| s.elements.iter().any(|e| e.expires.is_none_or(|at| at > now) && is(&e.key))),
        }
    }
}

/// Whether an address, `A/N` or `A-B` covers an address.
fn covers(value: &str, address: [u8; 4]) -> bool {
    let number = |text: &str| text.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
    let address = u32::from_be_bytes(address);
    if let Some((from, to)) = value.split_once('-') {
        return number(from).zip(number(to)).is_some_and(|(from, to)| (from..=to).contains(&address));
    }
    let (net, bits) = value.split_once('/').unwrap_or((value, "32"));
    let bits = bits.parse::<u32>().ok().filter(|b| *b <= 32);
    number(net).zip(bits).is_some_and(|(net, bits)| {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        net & mask == address & mask
    })
}

fn has_port(value: &str, port: u16) -> bool {
    let number = |text: &str| match text {
        "http" => Some(80),
        "https" => Some(443),
        "ssh" => Some(22),
        _ => text.parse::<u16>().ok(),
    };
    match value.split_once('-') {
        Some((from, to)) => {
            number(from).zip(number(to)).is_some_and(|(from, to)| (from..=to).contains(&port))
        }
        None => number(value) == Some(port),
    }
}
