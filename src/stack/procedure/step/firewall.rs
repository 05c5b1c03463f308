//! `uses = "firewall"`: block and unblock an address, close and open ports.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{Firewall, FirewallBackend, FirewallVerb};
use crate::stack::decode::Table;
use crate::stack::procedure::spec::LateOf;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long a block may last that ends by itself.
const EXPIRES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);

pub(super) fn decode(t: &Table<'_>, ctx: &Context<'_>) -> Option<Action> {
    let backend = match t.choice("backend", &["nftables", "iptables"]) {
        Some("iptables") => FirewallBackend::Iptables,
        _ => FirewallBackend::Nftables,
    };
    let verb = match super::need_choice(t, "verb", &["block", "unblock", "close", "open"]) {
        Some("block") => Some(FirewallVerb::Block),
        Some("unblock") => Some(FirewallVerb::Unblock),
        Some("close") => Some(FirewallVerb::Close),
        Some("open") => Some(FirewallVerb::Open),
        _ => None,
    };
    let address = t.str("address").map(|a| a.value);
    let list = |key| t.strings(key).unwrap_or_default().into_iter().map(|s| s.value).collect::<Vec<_>>();
    let (ports, except) = (list("ports"), list("except"));
    let expires = ctx.duration(t, "expires", EXPIRES, LateOf::Expires);
    let table = t.str("table");
    if let Some(at) = table.as_ref().filter(|at| !is_table(&at.value)) {
        let help = Some("a letter, then letters, digits, - and _, at most 28".to_owned());
        t.reader.error(at.span.clone(), "`table` expects the name of a table or chain", help);
    }
    let table = table.map_or_else(|| "quarterdeck".to_owned(), |t| t.value);
    let verb = verb?;
    let one = matches!(verb, FirewallVerb::Block | FirewallVerb::Unblock);
    let belongs = |key: &'static str, to: bool, verbs: &str| {
        if t.has(key) && !to {
            t.reader.error(t.span_of(key), format!("`{key}` belongs to {verbs}"), None);
        }
    };
    belongs("address", one, "`block` and `unblock`");
    belongs("ports", !one, "`close` and `open`");
    belongs("except", verb == FirewallVerb::Close, "`close`");
    belongs("expires", verb == FirewallVerb::Block, "`block`");
    if t.has("expires") && backend == FirewallBackend::Iptables {
        let help = Some("use nftables, or unblock it in a procedure of its own".to_owned());
        t.reader.error(t.span_of("expires"), "iptables has nothing that expires by itself", help);
    }
    if one && !t.has("address") {
        t.reader.error(t.span.clone(), "`block` and `unblock` need an `address`", None);
    }
    if !one && ports.is_empty() {
        t.reader.error(t.span_of("ports"), "`close` and `open` need `ports`, such as [\"tcp/443\"]", None);
    }
    Some(Action::Firewall(Firewall { backend, verb, address, ports, except, expires, table }))
}

/// What nftables and iptables both take as a name.
fn is_table(name: &str) -> bool {
    name.len() <= 28
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}
