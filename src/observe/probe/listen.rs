//! Looks for a bound port in the kernel's socket tables, without connecting to it.

use super::{Context, Fault, Found, host};
use crate::domain::fact::Fact;
use crate::stack::kind::listen::{Protocol, Spec};
use crate::transport::files::FileError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Read of one table: some seven thousand sockets. The kernel lists listening sockets first, so
/// that the connections of a busy host do not push them out.
const MAX_TABLE: usize = 1 << 20;
/// Addresses told at most.
const MAX_ADDRESSES: usize = 100;

/// What one table of `/proc/net` says of bound sockets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bound {
    pub sockets: Vec<SocketAddr>,
    /// The table went on to sockets that are connected, so every listening one was seen.
    pub complete: bool,
}

/// Reads `/proc/net/tcp`, `tcp6`, `udp` or `udp6`: the local addresses of sockets in the state
/// given (`0A` listening for TCP, `07` unconnected for UDP).
pub fn parse_proc_net(table: &str, state: &str) -> Bound {
    let mut bound = Bound::default();
    for line in table.lines().skip(1) {
        let mut words = line.split_whitespace().skip(1);
        let (Some(local), Some(_), Some(has)) = (words.next(), words.next(), words.next()) else { continue };
        if has != state {
            bound.complete = true;
        } else if let Some(address) = parse_address(local) {
            bound.sockets.push(address);
        }
    }
    bound
}

/// `0100007F:1F90`: an address as the kernel keeps it, in words of the machine's byte order.
/// Every machine that this runs on today is little-endian; a big-endian host is not understood.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_le_bytes);
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (i, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(i * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Whether a socket bound to `bound` takes what is sent to `wanted`. A socket on `::` counts for
/// IPv4 too, although one may refuse that.
fn covers(bound: IpAddr, wanted: IpAddr) -> bool {
    let plain = bound.to_canonical();
    plain == wanted || (bound.is_unspecified() && (bound.is_ipv6() || wanted.is_ipv4()))
}

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let (tables, state) = match spec.protocol {
        Protocol::Tcp => (["/proc/net/tcp", "/proc/net/tcp6"], "0A"),
        Protocol::Udp => (["/proc/net/udp", "/proc/net/udp6"], "07"),
    };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let mut cut = None;
    for table in tables {
        let bytes = match cx.transport.read_file(table, MAX_TABLE).await {
            Ok(bytes) => bytes,
            // A kernel without IPv6 has no such table.
            Err(FileError::NotFound) if table.ends_with('6') => continue,
            Err(e) => return Err(host::unreadable(table, e)),
        };
        let bound = parse_proc_net(&String::from_utf8_lossy(&bytes), state);
        if bytes.len() >= MAX_TABLE && !(bound.complete && spec.protocol == Protocol::Tcp) {
            cut = Some(table);
        }
        addresses.extend(bound.sockets.into_iter().filter(|a| a.port() == spec.port));
    }
    addresses.sort_unstable();
    addresses.dedup();
    let bound = addresses.iter().any(|a| spec.address.is_none_or(|ip| covers(a.ip(), ip)));
    if !bound && let Some(table) = cut {
        return Err(Fault::Unknown(format!(
            "{table} is longer than {MAX_TABLE} bytes and has no such socket before that"
        )));
    }
    let shown: Vec<String> = addresses.iter().take(MAX_ADDRESSES).map(ToString::to_string).collect();
    let list = if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
    let mut found = Found { summary: list.clone(), ..Found::default() };
    found.evidence = format!("{}: bound to {list}", spec.target());
    found.facts.bool("BOUND", bound);
    found.facts.set("ADDRESSES", Fact::Json(shown.into()));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1455 1 0 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1455 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 1455 1 0 100 0 0 10 0
";
    const UDP6: &str = "  sl  local_address                         remote_address                        st
  10: 00000000000000000000000000000000:CA6C 00000000000000000000000000000000:0000 07 0 0 0
  11: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 0 0 0
  12: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 07 0 0 0
";

    #[test]
    fn listening_sockets_are_read_and_connections_are_not() {
        let tcp = parse_proc_net(TCP, "0A");
        assert_eq!(
            tcp.sockets.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["127.0.0.1:8080", "0.0.0.0:22"]
        );
        assert!(tcp.complete);
        let udp = parse_proc_net(UDP6, "07");
        assert_eq!(
            udp.sockets.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["[::]:51820", "[::1]:53", "[::ffff:127.0.0.1]:80"]
        );
        assert!(!udp.complete);
    }

    #[test]
    fn an_address_is_covered_by_itself_and_by_all() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let table = [
            ("127.0.0.1", "127.0.0.1", true),
            ("0.0.0.0", "127.0.0.1", true),
            ("::", "127.0.0.1", true),
            ("::", "::1", true),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("0.0.0.0", "::1", false),
            ("127.0.0.1", "10.0.0.1", false),
            ("127.0.0.1", "0.0.0.0", false),
        ];
        for (bound, wanted, want) in table {
            assert_eq!(covers(ip(bound), ip(wanted)), want, "{bound} {wanted}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(([0-9A-F:]{0,40}|\\PC{0,5})[ \n]){0,60}") {
            let _ = (parse_proc_net(&text, "0A"), parse_address(&text));
        }

        #[test]
        fn an_address_is_read_as_the_kernel_writes_it(a: [u8; 4], port: u16) {
            let kernel = format!("{:08X}:{port:04X}", u32::from_le_bytes(a));
            prop_assert_eq!(parse_address(&kernel), Some(SocketAddr::new(IpAddr::from(a), port)));
        }
    }
}
