//! Looks by sending a datagram and waiting for one back.
//!
//! Silence on this machine is the target's own, and `[ANSWERED]` is false. From elsewhere it may
//! be the network's, so it leaves the health unknown. A port that is closed says so by ICMP.

use super::{Context, Fault, Found, Phase};
use crate::domain::text;
use crate::stack::kind::common::Endpoint;
use crate::stack::kind::udp::Spec;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;

/// Kept of an answer.
const MAX_REPLY: usize = 4 << 10;

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    if !cx.transport.is_local() {
        return Err(Fault::Unknown("udp cannot go through this transport".to_owned()));
    }
    cx.phase(Phase::Connecting);
    let Endpoint::Tcp { host, port } = &spec.address else {
        return Err(Fault::Unknown("udp needs a host and a port".to_owned()));
    };
    let to = resolve(host, *port).await?;
    let socket = connected(to).await?;
    socket.send(&spec.payload).await.map_err(|e| of_io(to, &e))?;
    let mut buffer = vec![0; MAX_REPLY];
    let wait = cx.probe.timeout.saturating_sub(margin(cx.probe.timeout));
    match tokio::time::timeout(wait, socket.recv(&mut buffer)).await {
        Ok(Ok(n)) => Ok(answered(buffer.get(..n).unwrap_or(&[]))),
        Ok(Err(e)) => Err(of_io(to, &e)),
        Err(_) => silent(to),
    }
}

fn silent(to: SocketAddr) -> Result<Found, Fault> {
    match silence(to, "one datagram") {
        Fault::Down(_) => {
            let mut found = Found { summary: "silent, and not refused".to_owned(), ..Found::default() };
            found.facts.bool("ANSWERED", false);
            Ok(found)
        }
        far => Err(far),
    }
}

/// What it means that nothing came back: on this machine there is no way that could be at fault.
pub(super) fn silence(to: SocketAddr, sent: &str) -> Fault {
    let why = format!("expected an answer from {to}, got silence to {sent}");
    if to.ip().is_loopback() {
        Fault::Down(why)
    } else {
        Fault::Unreachable(format!("{why}: down, or unreachable from here"))
    }
}

/// The verdict on silence must come before the deadline that would take it from us.
fn margin(timeout: Duration) -> Duration {
    (timeout / 10).min(Duration::from_millis(50))
}

fn answered(bytes: &[u8]) -> Found {
    let text = String::from_utf8_lossy(bytes).trim_end_matches(['\r', '\n', '\0']).to_owned();
    let summary = format!("answered with {}", text::one_line(&text, 60));
    let mut found = Found { summary, evidence: text.clone(), ..Found::default() };
    found.facts.bool("ANSWERED", true);
    found.facts.text("REPLY", text);
    found
}

/// The first address of a name.
pub(super) async fn resolve(host: &str, port: u16) -> Result<SocketAddr, Fault> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let unknown = |why: &str| Fault::Unreachable(format!("no address for {host}: {why}"));
    let mut all = tokio::net::lookup_host((host, port)).await.map_err(|e| unknown(&e.to_string()))?;
    all.next().ok_or_else(|| unknown("the name has none"))
}

/// A socket on a free port that takes datagrams from `to` only.
pub(super) async fn connected(to: SocketAddr) -> Result<UdpSocket, Fault> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await.map_err(|e| of_io(to, &e))?;
    socket.connect(to).await.map_err(|e| of_io(to, &e))?;
    Ok(socket)
}

/// A closed port is the target's own answer; everything else is on the way there.
pub(super) fn of_io(to: SocketAddr, e: &io::Error) -> Fault {
    match e.kind() {
        io::ErrorKind::ConnectionRefused => Fault::Down(format!("connection refused by {to} (udp)")),
        _ => Fault::Unreachable(format!("no way to {to} from here: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_the_targets_own_only_on_this_machine() {
        for (address, own) in [("127.0.0.1:9", true), ("[::1]:9", true), ("192.0.2.1:9", false)] {
            let to: SocketAddr = address.parse().unwrap();
            assert_eq!(matches!(silence(to, "a"), Fault::Down(_)), own, "{address}");
            assert_eq!(matches!(silent(to), Err(Fault::Unreachable(_))), !own, "{address}");
        }
    }
}
