//! What `nft list` prints: the ruleset as text, or as JSON in the form of libnftables.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{Base, Chain, Element, How, Part, Rule, Set, Table, Values, Verdict, What};
use crate::demo::model::Second;

/// How much of a table is shown.
pub enum Shown {
    /// All of it, or its name only.
    Table {
        bare: bool,
    },
    Set(String),
    Chain(String),
}

impl Shown {
    pub fn is_in(&self, table: &Table) -> bool {
        match self {
            Shown::Table { .. } => true,
            Shown::Set(name) => table.sets.iter().any(|s| s.name == *name),
            Shown::Chain(name) => table.chains.iter().any(|c| c.name == *name),
        }
    }

    fn whole(&self) -> bool {
        matches!(self, Shown::Table { bare: false })
    }

    fn sets<'t>(&'t self, table: &'t Table) -> impl Iterator<Item = &'t Set> {
        table.sets.iter().filter(|s| self.whole() || matches!(self, Shown::Set(n) if *n == s.name))
    }

    fn chains<'t>(&'t self, table: &'t Table) -> impl Iterator<Item = &'t Chain> {
        table.chains.iter().filter(|c| self.whole() || matches!(self, Shown::Chain(n) if *n == c.name))
    }
}

pub fn show(all: &[(&Table, Shown)], how: How, now: Second) -> String {
    if how.json {
        let about = json!({"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1});
        let mut list = vec![json!({ "metainfo": about })];
        for (table, shown) in all {
            as_json(table, shown, how, now, &mut list);
        }
        return format!("{}\n", json!({ "nftables": list }));
    }
    let mut out = String::new();
    for (table, shown) in all {
        as_text(table, shown, how, now, &mut out);
    }
    out
}

fn as_text(table: &Table, shown: &Shown, how: How, now: Second, out: &mut String) {
    let handle = |n: u64| if how.handles { format!(" # handle {n}") } else { String::new() };
    if matches!(shown, Shown::Table { bare: true }) {
        let _ = writeln!(out, "table {} {}", table.family, table.name);
        return;
    }
    let _ = writeln!(out, "table {} {} {{{}", table.family, table.name, handle(table.handle));
    let mut gap = "";
    for set in shown.sets(table) {
        let (kind, to) = if set.leads { ("map", " : verdict") } else { ("set", "") };
        let _ = write!(out, "{gap}\t{kind} {} {{{}\n\t\ttype {}{to}\n", set.name, handle(set.handle), set.of);
        if !set.flags.is_empty() {
            let _ = writeln!(out, "\t\tflags {}", set.flags.join(","));
        }
        if let Some(timeout) = set.timeout {
            let _ = writeln!(out, "\t\ttimeout {}", span(timeout));
        }
        if let Some(comment) = &set.comment {
            let _ = writeln!(out, "\t\tcomment \"{comment}\"");
        }
        if !set.elements.is_empty() && !how.stateless {
            let all: Vec<String> = set.elements.iter().map(|e| element_text(e, now)).collect();
            let _ = writeln!(out, "\t\telements = {{ {} }}", all.join(", "));
        }
        out.push_str("\t}\n");
        gap = "\n";
    }
    for chain in shown.chains(table) {
        let _ = writeln!(out, "{gap}\tchain {} {{{}", chain.name, handle(chain.handle));
        if let Some(base) = &chain.base {
            let policy = if base.drops { "drop" } else { "accept" };
            let (of, hook) = (&base.of, &base.hook);
            let _ = writeln!(
                out,
                "\t\ttype {of} hook {hook} priority {}; policy {policy};",
                priority(base.priority)
            );
        }
        for rule in &chain.rules {
            let _ = writeln!(out, "\t\t{}{}", rule_text(rule, how), handle(rule.handle));
        }
        out.push_str("\t}\n");
        gap = "\n";
    }
    out.push_str("}\n");
}

fn priority(p: i32) -> String {
    match p {
        0 => "filter".into(),
        -10..0 => format!("filter - {}", -p),
        1..=10 => format!("filter + {p}"),
        _ => p.to_string(),
    }
}

fn element_text(e: &Element, now: Second) -> String {
    let mut text = e.key.clone();
    if let Some(timeout) = e.timeout {
        let _ = write!(text, " timeout {}", span(timeout));
    }
    if let Some(expires) = e.expires {
        let _ = write!(text, " expires {}", span(expires.saturating_sub(now)));
    }
    if let Some(comment) = &e.comment {
        let _ = write!(text, " comment \"{comment}\"");
    }
    if let Some(to) = &e.to {
        let _ = write!(text, " : {}", verdict_text(to));
    }
    text
}

fn span(seconds: Second) -> String {
    let mut text = String::new();
    let mut rest = seconds;
    for (name, size) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if rest >= size {
            let _ = write!(text, "{}{name}", rest / size);
            rest %= size;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

impl What {
    fn text(self) -> &'static str {
        match self {
            What::Iif => "iif",
            What::Iifname => "iifname",
            What::IpSource => "ip saddr",
            What::Ip6Source => "ip6 saddr",
            What::TcpPort => "tcp dport",
            What::UdpPort => "udp dport",
            What::State => "ct state",
            What::L4Protocol => "meta l4proto",
            What::NfProtocol => "meta nfproto",
            What::Destination => "fib daddr type",
        }
    }

    fn json(self) -> Value {
        let payload =
            |protocol: &str, field: &str| json!({"payload": {"protocol": protocol, "field": field}});
        match self {
            What::IpSource => payload("ip", "saddr"),
            What::Ip6Source => payload("ip6", "saddr"),
            What::TcpPort => payload("tcp", "dport"),
            What::UdpPort => payload("udp", "dport"),
            What::State => json!({"ct": {"key": "state"}}),
            What::Iif => json!({"meta": {"key": "iif"}}),
            What::Iifname => json!({"meta": {"key": "iifname"}}),
            What::L4Protocol => json!({"meta": {"key": "l4proto"}}),
            What::NfProtocol => json!({"meta": {"key": "nfproto"}}),
            What::Destination => json!({"fib": {"result": "type", "flags": ["daddr"]}}),
        }
    }
}

fn rule_text(rule: &Rule, how: How) -> String {
    let mut parts: Vec<String> = rule.parts.iter().map(|p| part_text(p, how)).collect();
    parts.extend(rule.comment.as_ref().map(|c| format!("comment \"{c}\"")));
    parts.join(" ")
}

fn verdict_text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".into(),
        Verdict::Drop => "drop".into(),
        Verdict::Return => "return".into(),
        Verdict::Reject(None) => "reject".into(),
        Verdict::Reject(Some(with)) => format!("reject with {with}"),
        Verdict::Jump(to) => format!("jump {to}"),
        Verdict::Goto(to) => format!("goto {to}"),
    }
}

fn part_text(part: &Part, how: How) -> String {
    match part {
        Part::Counter if how.stateless => "counter".into(),
        // Nobody sends packets through this filter: what it decides is asked of it.
        Part::Counter => "counter packets 0 bytes 0".into(),
        Part::Verdict(verdict) => verdict_text(verdict),
        Part::ByPort(map) => format!("meta l4proto . th dport vmap @{map}"),
        Part::Match { what, not, values } => {
            let quoted = |v: &String| match what {
                What::Iif | What::Iifname => format!("\"{v}\""),
                _ => v.clone(),
            };
            let values = match values {
                Values::Named(set) => format!("@{set}"),
                Values::Given { all, braces: true } => {
                    format!("{{ {} }}", all.iter().map(quoted).collect::<Vec<_>>().join(", "))
                }
                Values::Given { all, .. } => all.iter().map(quoted).collect::<Vec<_>>().join(","),
            };
            format!("{} {}{values}", what.text(), if *not { "!= " } else { "" })
        }
    }
}

fn as_json(table: &Table, shown: &Shown, how: How, now: Second, list: &mut Vec<Value>) {
    let (family, name) = (&table.family, &table.name);
    if matches!(shown, Shown::Table { .. }) {
        list.push(json!({"table": {"family": family, "name": name, "handle": table.handle}}));
    }
    for set in shown.sets(table) {
        let mut map = Map::new();
        for (key, value) in [("family", family), ("name", &set.name), ("table", name)] {
            map.insert(key.into(), json!(value));
        }
        let types: Vec<&str> = set.of.split(" . ").collect();
        map.insert("type".into(), if types.len() == 1 { json!(set.of) } else { json!(types) });
        if set.leads {
            map.insert("map".into(), "verdict".into());
        }
        map.insert("handle".into(), set.handle.into());
        map.extend(set.comment.as_ref().map(|c| ("comment".to_owned(), json!(c))));
        if !set.flags.is_empty() {
            map.insert("flags".into(), json!(set.flags));
        }
        map.extend(set.timeout.map(|t| ("timeout".to_owned(), json!(t))));
        if !set.elements.is_empty() && !how.stateless {
            let all: Vec<Value> = set.elements.iter().map(|e| element_json(e, now)).collect();
            map.insert("elem".into(), all.into());
        }
        list.push(if set.leads { json!({ "map": map }) } else { json!({ "set": map }) });
    }
    for chain in shown.chains(table) {
        let mut map = json!({"family": family, "table": name, "name": chain.name, "handle": chain.handle});
        if let (Some(Base { of, hook, priority, drops }), Some(map)) = (&chain.base, map.as_object_mut()) {
            map.insert("type".into(), json!(of));
            map.insert("hook".into(), json!(hook));
            map.insert("prio".into(), json!(priority));
            map.insert("policy".into(), json!(if *drops { "drop" } else { "accept" }));
        }
        list.push(json!({ "chain": map }));
    }
    for chain in shown.chains(table) {
        for rule in &chain.rules {
            let expr: Vec<Value> = rule.parts.iter().map(|p| part_json(p, how)).collect();
            let mut map =
                json!({"family": family, "table": name, "chain": chain.name, "handle": rule.handle});
            if let Some(map) = map.as_object_mut() {
                map.extend(rule.comment.as_ref().map(|c| ("comment".to_owned(), json!(c))));
                map.insert("expr".into(), expr.into());
            }
            list.push(json!({ "rule": map }));
        }
    }
}

fn element_json(e: &Element, now: Second) -> Value {
    let parts: Vec<Value> = e.key.split(" . ").map(value_json).collect();
    let val = if parts.len() == 1 { value_json(&e.key) } else { json!({ "concat": parts }) };
    if let Some(to) = &e.to {
        return json!([val, verdict_json(to)]);
    }
    if e.timeout.is_none() && e.comment.is_none() {
        return val;
    }
    let mut map = Map::new();
    map.insert("val".into(), val);
    map.extend(e.timeout.map(|t| ("timeout".to_owned(), json!(t))));
    map.extend(e.expires.map(|t| ("expires".to_owned(), json!(t.saturating_sub(now)))));
    map.extend(e.comment.as_ref().map(|c| ("comment".to_owned(), json!(c))));
    json!({ "elem": map })
}

/// An address, a port, a prefix or a range as JSON has them.
fn value_json(text: &str) -> Value {
    let plain = |t: &str| t.parse::<u64>().map_or_else(|_| json!(t), |n| json!(n));
    if let Some((addr, len)) = text.split_once('/')
        && let Ok(len) = len.parse::<u8>()
    {
        return json!({"prefix": {"addr": addr, "len": len}});
    }
    match text.split_once('-') {
        Some((from, to)) if !from.is_empty() => json!({"range": [plain(from), plain(to)]}),
        _ => plain(text),
    }
}

fn verdict_json(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Accept => json!({ "accept": null }),
        Verdict::Drop => json!({ "drop": null }),
        Verdict::Return => json!({ "return": null }),
        Verdict::Jump(to) => json!({"jump": {"target": to}}),
        Verdict::Goto(to) => json!({"goto": {"target": to}}),
        Verdict::Reject(Some(with)) if with == "tcp reset" => json!({"reject": {"type": "tcp reset"}}),
        Verdict::Reject(_) => json!({"reject": {"type": "icmpx", "expr": "port-unreachable"}}),
    }
}

fn part_json(part: &Part, how: How) -> Value {
    match part {
        Part::Counter if how.stateless => json!({ "counter": null }),
        Part::Counter => json!({"counter": {"packets": 0, "bytes": 0}}),
        Part::Verdict(verdict) => verdict_json(verdict),
        Part::ByPort(map) => {
            let port = json!({"payload": {"protocol": "th", "field": "dport"}});
            let key = json!({"concat": [{"meta": {"key": "l4proto"}}, port]});
            json!({"vmap": {"key": key, "data": format!("@{map}")}})
        }
        Part::Match { what, not, values } => {
            let right = match values {
                Values::Named(set) => json!(format!("@{set}")),
                Values::Given { all, braces } => {
                    let each: Vec<Value> = all.iter().map(|v| value_json(v)).collect();
                    match (braces, each.len()) {
                        (true, _) => json!({ "set": each }),
                        (false, 1) => each.into_iter().next().unwrap_or(Value::Null),
                        (false, _) => each.into(),
                    }
                }
            };
            let op = match (not, *what == What::State) {
                (true, _) => "!=",
                (false, true) => "in",
                (false, false) => "==",
            };
            json!({"match": {"op": op, "left": what.json(), "right": right}})
        }
    }
}
