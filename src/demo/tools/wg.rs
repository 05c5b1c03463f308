//! `wg show`: interfaces and peers of the model, in the real tool's formats.

use std::fmt::Write as _;

use super::Outcome;
use crate::demo::model::Model;
use crate::demo::model::clients::{Device, Session};
use crate::demo::rng::base64;

const USAGE: &str = "Usage: wg show { <interface> | all | interfaces } [public-key | private-key | listen-port | \
                     fwmark | peers | preshared-keys | endpoints | allowed-ips | latest-handshakes | transfer | \
                     persistent-keepalive | dump]\n";

pub fn run(m: &Model, args: &[String]) -> Outcome {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let present: Vec<usize> = (0..2).filter(|i| m.interface_present(*i)).collect();
    match words.as_slice() {
        [] | ["show"] | ["show", "all"] => {
            Outcome::out(present.iter().map(|i| pretty(m, *i)).collect::<Vec<_>>().join("\n"))
        }
        ["show", "interfaces"] => {
            let names: Vec<String> = present.iter().map(|i| format!("wg{i}")).collect();
            Outcome::out(format!("{}\n", names.join(" ")))
        }
        ["show", "all", what] => {
            let mut out = String::new();
            for index in present {
                match table(m, index, what, Some(&format!("wg{index}"))) {
                    Some(text) => out.push_str(&text),
                    None => return Outcome::fail(1, format!("Invalid parameter: `{}'\n{USAGE}", clip(what))),
                }
            }
            Outcome::out(out)
        }
        ["show", name, rest @ ..] if rest.len() <= 1 => {
            let Some(index) = present.into_iter().find(|i| format!("wg{i}") == *name) else {
                return Outcome::fail(1, "Unable to access interface: No such device\n");
            };
            match rest.first() {
                None => Outcome::out(pretty(m, index)),
                Some(what) => match table(m, index, what, None) {
                    Some(text) => Outcome::out(text),
                    None => Outcome::fail(1, format!("Invalid parameter: `{}'\n{USAGE}", clip(what))),
                },
            }
        }
        ["--version" | "-v"] => {
            Outcome::out("wireguard-tools v1.0.20210914 - https://git.zx2c4.com/wireguard-tools/\n")
        }
        ["show", ..] => Outcome::fail(1, USAGE),
        [other, ..] => Outcome::fail(1, format!("Invalid subcommand: `{}'\n{USAGE}", clip(other))),
    }
}

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

fn peers(m: &Model) -> impl Iterator<Item = (&Device, &Session)> {
    m.clients.sessions().filter(|(_, s)| s.peer)
}

struct Peer {
    key: String,
    endpoint: String,
    allowed: String,
    handshake: i64,
    rx: u64,
    tx: u64,
}

fn peer(m: &Model, index: usize, device: &Device, s: &Session) -> Peer {
    let never = s.handshake == 0;
    // wg1 carries what goes through Tor: a share of the traffic.
    let share = if index == 0 { 1 } else { 5 };
    Peer {
        key: base64(&s.public_key),
        endpoint: if never {
            "(none)".into()
        } else {
            format!("{}:{}", device.address.map(|b| b.to_string()).join("."), device.port)
        },
        allowed: format!("10.{}.0.{}/32", 8 + index, u16::from(s.address) + 2),
        handshake: if never { 0 } else { m.wall(s.handshake).as_second() },
        rx: s.rx / share,
        tx: s.tx / share,
    }
}

/// Tab separated lines; with `all`, the interface's name comes first on each.
fn table(m: &Model, index: usize, what: &str, name: Option<&str>) -> Option<String> {
    let interface = &m.interfaces[index];
    let port = 51_820 + index;
    let lead = name.map_or_else(String::new, |n| format!("{n}\t"));
    let mut out = String::new();
    let (private, public) = (base64(&interface.private_key), base64(&interface.public_key));
    let own = match what {
        "public-key" => public,
        "private-key" => private,
        "listen-port" => port.to_string(),
        "fwmark" => "off".to_owned(),
        "dump" => format!("{private}\t{public}\t{port}\toff"),
        "peers"
        | "preshared-keys"
        | "endpoints"
        | "allowed-ips"
        | "latest-handshakes"
        | "transfer"
        | "persistent-keepalive" => String::new(),
        _ => return None,
    };
    if !own.is_empty() {
        let _ = writeln!(out, "{lead}{own}");
    }
    for (device, s) in peers(m) {
        let p = peer(m, index, device, s);
        let rest = match what {
            "peers" => String::new(),
            "preshared-keys" => "\t(none)".into(),
            "endpoints" => format!("\t{}", p.endpoint),
            "allowed-ips" => format!("\t{}", p.allowed),
            "latest-handshakes" => format!("\t{}", p.handshake),
            "transfer" => format!("\t{}\t{}", p.rx, p.tx),
            "persistent-keepalive" => "\toff".into(),
            "dump" => {
                format!("\t(none)\t{}\t{}\t{}\t{}\t{}\toff", p.endpoint, p.allowed, p.handshake, p.rx, p.tx)
            }
            _ => continue,
        };
        let _ = writeln!(out, "{lead}{}{rest}", p.key);
    }
    Some(out)
}

fn pretty(m: &Model, index: usize) -> String {
    let mut out = format!(
        "interface: wg{index}\n  public key: {}\n  private key: (hidden)\n  listening port: {}\n",
        base64(&m.interfaces[index].public_key),
        51_820 + index
    );
    for (device, s) in peers(m) {
        let p = peer(m, index, device, s);
        let _ = write!(out, "\npeer: {}\n", p.key);
        if s.handshake > 0 {
            let _ = writeln!(out, "  endpoint: {}", p.endpoint);
        }
        let _ = writeln!(out, "  allowed ips: {}", p.allowed);
        if s.handshake > 0 {
            let _ = writeln!(out, "  latest handshake: {} seconds ago", m.now - s.handshake);
            let _ = writeln!(
                out,
                "  transfer: {:.2} KiB received, {:.2} KiB sent",
                p.rx as f64 / 1024.0,
                p.tx as f64 / 1024.0
            );
        }
    }
    out
}
