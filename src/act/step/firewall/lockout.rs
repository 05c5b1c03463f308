//! Refusing a change that would lock out who makes it, or the host itself.

use crate::act::step::Setting;
use crate::domain::procedure::action::filter::{Change, Net, Port};
use crate::transport::Command;
use std::net::IpAddr;

/// The ssh session through which the host is reached, as the host sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Session {
    client: IpAddr,
    port: u16,
}

/// Why the change must not be made, and what could not be made sure of.
pub async fn check(change: &Change, s: &Setting<'_>) -> (Option<String>, Vec<String>) {
    let mut warnings = Vec::new();
    let session = match session(s).await {
        Ok(session) => session,
        Err(why) => {
            warnings.push(format!("where your ssh session comes from is not known: {why}"));
            None
        }
    };
    let own = if let Change::Block { .. } = change {
        own_addresses(s).await.unwrap_or_else(|why| {
            warnings.push(format!("the addresses of {} are not known: {why}", s.host));
            Vec::new()
        })
    } else {
        Vec::new()
    };
    (judge(change, session, &own), warnings)
}

fn judge(change: &Change, session: Option<Session>, own: &[IpAddr]) -> Option<String> {
    match change {
        Change::Block { net, .. } => {
            if let Some(session) = session.filter(|session| net.contains(session.client)) {
                return Some(format!(
                    "{net} holds {}, from where your own ssh session comes",
                    session.client
                ));
            }
            let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)];
            let hit = own.iter().chain(&loopback).find(|a| net.contains(**a))?;
            Some(format!("{net} holds {hit}, which is the host's own"))
        }
        Change::Close { ports, except } => {
            let session = session?;
            let is_ssh = |p: &Port| !p.udp && p.number == session.port;
            let let_in = except.iter().any(|net: &Net| net.contains(session.client));
            let near = session.client.is_loopback();
            (ports.iter().any(is_ssh) && !let_in && !near).then(|| {
                format!(
                    "tcp/{} is where your own ssh session from {} comes in: except its network",
                    session.port, session.client
                )
            })
        }
        Change::Unblock { .. } | Change::Open { .. } => None,
    }
}

/// The session that this program was started from, or the one by which it reaches another host.
async fn session(s: &Setting<'_>) -> Result<Option<Session>, String> {
    let text = if s.transport.is_local() {
        std::env::var("SSH_CONNECTION").unwrap_or_default()
    } else {
        let command = Command::new(["sh", "-c", "printf %s \"$SSH_CONNECTION\""]);
        let output = s.transport.run(&command).await.map_err(|e| e.to_string())?;
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    if text.trim().is_empty() { Ok(None) } else { parse_session(&text).map(Some) }
}

/// Client address and port, server address and port.
fn parse_session(text: &str) -> Result<Session, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [client, _, _, port] = words.as_slice() else { return Err("SSH_CONNECTION has another form".into()) };
    // A link-local address has its interface behind it.
    let client = client.split('%').next().unwrap_or("").parse::<IpAddr>();
    let client = client.map_err(|_| "SSH_CONNECTION names no address".to_owned())?.to_canonical();
    let port = port.parse().map_err(|_| "SSH_CONNECTION names no port".to_owned())?;
    Ok(Session { client, port })
}

async fn own_addresses(s: &Setting<'_>) -> Result<Vec<IpAddr>, String> {
    let output = s.transport.run(&Command::new(["ip", "-o", "address", "show"])).await;
    let output = output.map_err(|e| e.to_string())?;
    if output.status != 0 {
        return Err(format!("ip ended with status {}", output.status));
    }
    Ok(parse_addresses(&String::from_utf8_lossy(&output.stdout)))
}

/// Lines such as `2: eth0    inet 10.0.0.5/24 brd …`.
fn parse_addresses(text: &str) -> Vec<IpAddr> {
    let of = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|w| *w != "inet" && *w != "inet6").skip(1);
        words.next()?.split('/').next()?.parse().ok()
    };
    text.lines().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(net: &str) -> Change {
        Change::Block { net: Net::parse(net).unwrap(), seconds: None }
    }

    fn close(ports: &[&str], except: &[&str]) -> Change {
        Change::Close {
            ports: ports.iter().map(|p| Port::parse(p).unwrap()).collect(),
            except: except.iter().map(|n| Net::parse(n).unwrap()).collect(),
        }
    }

    #[test]
    fn who_makes_the_change_is_not_locked_out() {
        let session = parse_session("::ffff:192.0.2.9 50000 10.0.0.5 22").unwrap();
        assert_eq!(session, Session { client: [192, 0, 2, 9].into(), port: 22 });
        let own = parse_addresses(
            "1: lo    inet 127.0.0.1/8 scope host lo\n2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0\n\
             2: eth0    inet6 fe80::1/64 scope link\n",
        );
        assert_eq!(own.len(), 3);
        let table = [
            (block("203.0.113.7"), None),
            (block("192.0.2.9"), Some("your own ssh session")),
            (block("192.0.0.0/16"), Some("192.0.2.9")),
            (block("10.0.0.0/8"), Some("10.0.0.5, which is the host's own")),
            (block("::/0"), Some("host's own")),
            (block("127.0.0.0/8"), Some("host's own")),
            (close(&["tcp/443"], &[]), None),
            (close(&["tcp/22"], &[]), Some("except its network")),
            (close(&["udp/22"], &[]), None),
            (close(&["tcp/22"], &["192.0.2.0/24"]), None),
        ];
        for (change, want) in table {
            let got = judge(&change, Some(session), &own);
            match want {
                None => assert_eq!(got, None, "{change:?}"),
                Some(part) => assert!(got.as_ref().is_some_and(|w| w.contains(part)), "{change:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_session_of_another_form_is_not_guessed_at() {
        for bad in ["", "1.2.3.4", "x 1 y 22", "1.2.3.4 1 5.6.7.8 ssh"] {
            assert!(parse_session(bad).is_err(), "{bad}");
        }
    }
}
