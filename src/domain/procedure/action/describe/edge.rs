//! What keeps strangers out or lets them in: the packet filter and a site's maintenance.

use super::local::full_argv;
use crate::domain::procedure::action::filter::{COMMENT, Change, iptables, nft};
use crate::domain::procedure::action::kinds::{Firewall, FirewallBackend, Nginx, Switch};
use crate::domain::procedure::action::maintenance::{Places, commands};
use crate::domain::shell;
use std::collections::BTreeMap;

fn line(argv: &[String], sudo: bool) -> String {
    shell::line(full_argv(argv, sudo, &BTreeMap::new()).iter().map(String::as_str))
}

pub(super) fn firewall(a: &Firewall, sudo: bool) -> Vec<String> {
    let change = match Change::of(a) {
        Ok(change) => change,
        Err(why) => return vec![format!("firewall: cannot be done: {why}")],
    };
    match a.backend {
        FirewallBackend::Nftables => {
            let argv = ["nft", "-f", "-"].map(str::to_owned);
            let script = nft::script(&a.table, &change, COMMENT);
            let head = [line(&argv, sudo), "  reads, and takes as a whole or not at all:".to_owned()];
            head.into_iter().chain(script.lines().map(|l| format!("    {l}"))).collect()
        }
        FirewallBackend::Iptables => {
            let mut out: Vec<String> = Vec::new();
            for argv in iptables::preview(&a.table, &change, COMMENT) {
                out.push(line(&argv, sudo));
                if argv.iter().any(|w| w == "-N" || w == "PREROUTING") {
                    out.push("  unless it is there".to_owned());
                }
            }
            match change {
                Change::Open { .. } => out.push("  -D for each rule of ours on these ports".to_owned()),
                Change::Close { .. } => {
                    out.push("  then -D for each older rule of ours on these ports".to_owned());
                }
                _ => {}
            }
            out
        }
    }
}

pub(super) fn nginx(a: &Nginx, sudo: bool) -> Vec<String> {
    let places = match Places::of(a) {
        Ok(places) => places,
        Err(why) => return vec![format!("nginx: cannot be done: {why}")],
    };
    let mut out = Vec::new();
    for argv in commands(a, &places) {
        let writes = argv.first().is_some_and(|w| w == "tee");
        out.push(line(&argv, sudo));
        if let (true, Some(page)) = (writes, &a.page) {
            out.push("  reads:".to_owned());
            out.extend(places.text(page, "${run.id}").lines().map(|l| format!("    {l}")));
        }
    }
    out.push(line(&a.test, sudo));
    out.push("  refused: every file is put back, and nothing is reloaded".to_owned());
    out.push(line(&a.reload, sudo));
    if a.maintenance == Switch::Off {
        out.push(line(&["rm", "-f", "--", &places.page].map(str::to_owned), sudo));
    }
    out
}
