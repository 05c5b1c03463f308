//! nftables: reading our table as JSON, and one script for each change.

use super::undo::Part;
use super::{Blocked, Closed, Filter};
use crate::act::step::tool::{self, argv};
use crate::act::step::{Setting, Stop};
use crate::domain::procedure::action::filter::nft::{
    CHAIN, CLOSED, SETS, chain_of, port_of, script, script_of,
};
use crate::domain::procedure::action::filter::{Change, Net};
use crate::domain::text;
use serde_json::Value;

/// Reads our table; one that is not there is empty.
///
/// # Errors
/// No permission, no such tool, or the table is somebody else's.
pub async fn read(table: &str, s: &Setting<'_>, stop: &Stop) -> Result<Filter, String> {
    let told = tool::run(s, &argv(&["nft", "-j", "list", "table", "inet", table]), None, stop).await?;
    if told.well() {
        let json = serde_json::from_slice(&told.out).map_err(|e| format!("nft answered no JSON: {e}"))?;
        return parse(&json, table);
    }
    let why = told.complaint();
    if why.contains("No such file or directory") {
        return Ok(Filter::default());
    }
    Err(help(&why, s))
}

fn help(why: &str, s: &Setting<'_>) -> String {
    let hint = if why.contains("not permitted") && !s.sudo { " (give the step sudo = true)" } else { "" };
    format!("nft said: {why}{hint}")
}

/// Takes the table apart. What is not ours in it makes it somebody else's: a change begins by
/// emptying the chain that it knows as its own.
fn parse(json: &Value, table: &str) -> Result<Filter, String> {
    let mut filter = Filter::default();
    let items = json.get("nftables").and_then(Value::as_array).ok_or("nft answered no list of a table")?;
    for item in items {
        if let Some(chain) = item.get("chain") {
            let name = text_of(chain, "name");
            match (name == CHAIN, port_of(name)) {
                (true, _) => {}
                (_, Some(port)) => {
                    filter.closed.push(Closed {
                        port,
                        except: Vec::new(),
                        comment: String::new(),
                        half: false,
                    });
                }
                _ => return Err(foreign(table, &format!("the chain {}", text::one_line(name, 40)))),
            }
        } else if let Some(set) = item.get("set") {
            let name = text_of(set, "name");
            if !SETS.contains(&name) {
                return Err(foreign(table, &format!("the set {}", text::one_line(name, 40))));
            }
            let elements = set.get("elem").and_then(Value::as_array).into_iter().flatten();
            filter.blocked.extend(elements.filter_map(element));
        } else if let Some(map) = item.get("map") {
            let name = text_of(map, "name");
            if name != CLOSED {
                return Err(foreign(table, &format!("the map {}", text::one_line(name, 40))));
            }
        }
    }
    for rule in items.iter().filter_map(|i| i.get("rule")) {
        let Some(port) = port_of(text_of(rule, "chain")) else { continue };
        let Some(closed) = filter.closed.iter_mut().find(|c| c.port == port) else { continue };
        closed.except.extend(excepted(rule));
        closed.comment = text::one_line(text_of(rule, "comment"), 130);
    }
    filter.closed.iter_mut().for_each(|c| c.except.sort_unstable());
    // A chain to which nothing leads closes nothing.
    let leads = items.iter().filter_map(|i| i.get("map")).map(ToString::to_string).collect::<String>();
    for closed in &mut filter.closed {
        closed.half = !leads.contains(&format!("\"{}\"", chain_of(closed.port)));
    }
    Ok(filter)
}

fn foreign(table: &str, what: &str) -> String {
    format!("the table inet {table} holds {what}, which is not of ours: choose another name for ours")
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

/// An element of a set: bare, or with what is told of it.
fn element(value: &Value) -> Option<Blocked> {
    let inner = value.get("elem").unwrap_or(value);
    let net = net(inner.get("val").unwrap_or(inner))?;
    let left = inner.get("timeout").map(|_| inner.get("expires").and_then(Value::as_u64).unwrap_or(0));
    Some(Blocked { net, left, comment: text::one_line(text_of(inner, "comment"), 130) })
}

fn net(value: &Value) -> Option<Net> {
    if let Some(text) = value.as_str() {
        return Net::parse(text).ok();
    }
    let prefix = value.get("prefix")?;
    let len = prefix.get("len").and_then(Value::as_u64)?;
    Net::parse(&format!("{}/{len}", text_of(prefix, "addr"))).ok()
}

/// The network that a rule lets through.
fn excepted(rule: &Value) -> Option<Net> {
    let parts = rule.get("expr")?.as_array()?;
    parts.iter().find(|p| p.get("return").is_some())?;
    net(parts.iter().find_map(|p| p.get("match"))?.get("right")?)
}

/// Has the kernel check the script without taking it.
pub async fn simulate(table: &str, change: &Change, s: &Setting<'_>) -> Result<(), String> {
    let script = script(table, change, "quarterdeck");
    let told = tool::run(s, &argv(&["nft", "-c", "-f", "-"]), Some(&script), &Stop::new()).await?;
    if told.well() { Ok(()) } else { Err(help(&told.complaint(), s)) }
}

/// Gives the script to the kernel, which takes all of it or nothing.
pub async fn make(table: &str, parts: &[Part], s: &Setting<'_>, stop: &Stop) -> Result<(), String> {
    // A set holds an address once, and a port has one chain: what is taken away is whose it was
    // found to be.
    let script = script_of(table, parts.iter().map(|part| (&part.change, part.comment.as_str())));
    let told = tool::run(s, &argv(&["nft", "-f", "-"]), Some(&script), stop).await?;
    if told.well() { Ok(()) } else { Err(format!("{}; nothing was changed", help(&told.complaint(), s))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_table_with_something_foreign_is_not_ours() {
        for item in [r#"{"chain":{"name":"input"}}"#, r#"{"set":{"name":"mine"}}"#, r#"{"map":{"name":"m"}}"#]
        {
            let json = serde_json::from_str(&format!(r#"{{"nftables":[{item}]}}"#)).unwrap();
            assert!(parse(&json, "filter").is_err_and(|e| e.contains("not of ours")), "{item}");
        }
    }

    #[test]
    fn elements_are_read_with_and_without_more() {
        let table = [
            (r#""203.0.113.7""#, Some(("203.0.113.7", None, ""))),
            (
                r#"{"elem":{"val":{"prefix":{"addr":"2001:db8::","len":32}},"timeout":60,"expires":59,"comment":"c"}}"#,
                Some(("2001:db8::/32", Some(59), "c")),
            ),
            (r#"{"elem":{"val":{"range":["1.1.1.1","1.1.1.9"]}}}"#, None),
        ];
        for (text, want) in table {
            let got = element(&serde_json::from_str(text).unwrap());
            let got = got.map(|b| (b.net.to_string(), b.left, b.comment));
            assert_eq!(got, want.map(|(n, l, c)| (n.to_owned(), l, c.to_owned())), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_taken_apart(text in "[{}\\[\\]\":a-z0-9,.]{0,80}") {
            if let Ok(json) = serde_json::from_str(&text) {
                let _ = parse(&json, "t");
            }
        }
    }
}
