//! What a firewall step says to the packet filter: pure texts, the same for the preview and for the
//! filter itself.
//!
//! Both backends work before addresses are rewritten and only on packets for this host, so that
//! ports which a container publishes are closed too, and what a gateway forwards for others is not.

pub mod iptables;
pub mod nft;

use super::kinds::Firewall;
use crate::domain::text;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

/// The longest name of a table: an iptables chain has 28 bytes.
const MAX_TABLE: usize = 28;
/// The longest comment, in bytes: nftables keeps 128 with its end.
const MAX_COMMENT: usize = 127;
/// Ports and networks in one step, at most.
const MAX_EACH: usize = 256;

/// An address or a network, with nothing beyond its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Net {
    pub address: IpAddr,
    pub prefix: u8,
}

impl Net {
    /// Reads `203.0.113.7`, `198.51.100.0/24`, `2001:db8::/32`. A v4 address in v6 clothes is v4.
    ///
    /// # Errors
    /// It is none, or has bits beyond its prefix, which nobody can have meant.
    pub fn parse(text: &str) -> Result<Net, String> {
        let shown = text::one_line(text, 60);
        let no = || format!("`{shown}` is no address or network");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| no())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(p) => p.parse::<u8>().ok().filter(|n| *n <= most).ok_or_else(no)?,
        };
        let (address, prefix) = match address.to_canonical() {
            v4 @ IpAddr::V4(_) if address.is_ipv6() => (v4, prefix.checked_sub(96).ok_or_else(no)?),
            _ => (address, prefix),
        };
        let net = Net { address: masked(address, prefix), prefix };
        if net.address != address {
            return Err(format!("`{shown}` has bits beyond its prefix: {net} is the network"));
        }
        Ok(net)
    }

    pub fn is_v4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// Whether it is one address.
    pub fn is_host(&self) -> bool {
        self.prefix == if self.is_v4() { 32 } else { 128 }
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.is_v4() && masked(address, self.prefix) == self.address
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(a) => {
            Ipv4Addr::from_bits(a.to_bits() & u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0)).into()
        }
        IpAddr::V6(a) => {
            Ipv6Addr::from_bits(a.to_bits() & u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0))
                .into()
        }
    }
}

/// A port of a protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    pub udp: bool,
    pub number: u16,
}

impl Port {
    /// Reads `tcp/443`, `udp/51820`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Port, String> {
        let no = || format!("`{}` is no port: write tcp/443 or udp/51820", text::one_line(text, 40));
        let (protocol, number) = text.split_once('/').ok_or_else(no)?;
        let udp = match protocol {
            "tcp" => false,
            "udp" => true,
            _ => return Err(no()),
        };
        let number = number.parse().ok().filter(|n| *n != 0).ok_or_else(no)?;
        Ok(Port { udp, number })
    }

    pub fn protocol(self) -> &'static str {
        if self.udp { "udp" } else { "tcp" }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.protocol(), self.number)
    }
}

/// What a step changes, read from its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Block { net: Net, seconds: Option<u64> },
    Unblock { net: Net },
    Close { ports: Vec<Port>, except: Vec<Net> },
    Open { ports: Vec<Port> },
}

impl Change {
    /// Reads a step.
    ///
    /// # Errors
    /// What is wrong with it; completes "impossible: …".
    pub fn of(a: &Firewall) -> Result<Change, String> {
        use super::kinds::{FirewallBackend, FirewallVerb};
        check_table(&a.table)?;
        let net = || {
            let text = a.address.as_deref().ok_or("it names no address")?;
            Net::parse(text)
        };
        let ports = || {
            let mut all = a.ports.iter().map(|p| Port::parse(p)).collect::<Result<Vec<_>, _>>()?;
            all.sort_unstable();
            all.dedup();
            if all.is_empty() || all.len() > MAX_EACH {
                return Err(format!("it names {} ports: 1 to {MAX_EACH} are possible", all.len()));
            }
            Ok(all)
        };
        if a.expires.is_some() && (a.backend, a.verb) != (FirewallBackend::Nftables, FirewallVerb::Block) {
            return Err("only a block of nftables can expire by itself".to_owned());
        }
        Ok(match a.verb {
            FirewallVerb::Block => {
                Change::Block { net: net()?, seconds: a.expires.map(|e| e.as_secs().max(1)) }
            }
            FirewallVerb::Unblock => Change::Unblock { net: net()? },
            FirewallVerb::Open => Change::Open { ports: ports()? },
            FirewallVerb::Close => {
                let mut except = a.except.iter().map(|n| Net::parse(n)).collect::<Result<Vec<_>, _>>()?;
                except.sort_unstable();
                except.dedup();
                if except.len() > MAX_EACH {
                    return Err(format!("it excepts {} networks: {MAX_EACH} are possible", except.len()));
                }
                Change::Close { ports: ports()?, except }
            }
        })
    }
}

/// The name becomes part of a script, so nothing else may be in it.
fn check_table(name: &str) -> Result<(), String> {
    let good = name.len() <= MAX_TABLE
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if good {
        return Ok(());
    }
    Err(format!("`{}` cannot name a table or chain of ours", text::one_line(name, 40)))
}

/// By what elements and rules say whose they are.
pub fn comment(run: &str, step: &str) -> String {
    plain(&format!("quarterdeck {run} {step}"))
}

/// A comment that can end neither its quotes nor its line, and is no longer than one can be.
pub fn plain(comment: &str) -> String {
    let safe = |c: char| c == ' ' || c.is_ascii_graphic() && !"\"\\;{}$`'".contains(c);
    comment.chars().map(|c| if safe(c) { c } else { '_' }).take(MAX_COMMENT).collect()
}

/// The comment as the preview shows it, where neither run nor step has a name yet.
pub const COMMENT: &str = "quarterdeck ${run.id} STEP";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn networks_are_read_exactly() {
        let table = [
            ("203.0.113.7", Ok("203.0.113.7")),
            ("203.0.113.7/32", Ok("203.0.113.7")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("::/0", Ok("::/0")),
            ("2001:db8::/32", Ok("2001:db8::/32")),
            ("::ffff:203.0.113.7", Ok("203.0.113.7")),
            ("198.51.100.1/24", Err("beyond its prefix: 198.51.100.0/24")),
            ("1.2.3.4/33", Err("no address")),
            ("1.2.3.4; drop", Err("no address")),
            ("::ffff:0:0/90", Err("no address")),
        ];
        for (text, want) in table {
            let got = Net::parse(text).map(|n| n.to_string());
            match want {
                Ok(want) => assert_eq!(got.as_deref(), Ok(want), "{text}"),
                Err(part) => assert!(got.as_ref().is_err_and(|e| e.contains(part)), "{text}: {got:?}"),
            }
        }
    }

    #[test]
    fn ports_are_read_exactly() {
        assert_eq!(Port::parse("udp/51820").unwrap().to_string(), "udp/51820");
        for bad in ["443", "tcp/0", "tcp/65536", "sctp/1", "tcp/443 accept", "tcp/+443 "] {
            assert!(Port::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_comment_cannot_end_its_quotes() {
        let text = comment("r\"1", "outer[a;b\n]/${x}");
        assert_eq!(text, "quarterdeck r_1 outer[a_b_]/__x_");
        assert_eq!(comment("r", &"x".repeat(500)).len(), 127);
    }

    proptest! {
        #[test]
        fn a_network_holds_its_own_addresses(bits in any::<u32>(), prefix in 0u8..=32, other in any::<u32>()) {
            let address = IpAddr::from(Ipv4Addr::from_bits(bits));
            let net = Net { address: masked(address, prefix), prefix };
            prop_assert!(net.contains(address));
            let same = prefix == 0 || (bits ^ other) >> (32 - u32::from(prefix)) == 0;
            prop_assert_eq!(net.contains(Ipv4Addr::from_bits(other).into()), same);
            prop_assert_eq!(Net::parse(&net.to_string()), Ok(net));
        }
    }
}
