//! iptables: reading our chain rule by rule, and one command for each change of it.

use super::undo::Part;
use super::{Blocked, Closed, Filter};
use crate::act::step::tool;
use crate::act::step::{Setting, Stop};
use crate::domain::procedure::action::filter::Change;
use crate::domain::procedure::action::filter::iptables::{Rule, argv, base, comment_of, families, program};

/// A rule that is there, and the words that delete it.
type There = (Rule, Vec<String>);

/// Reads our chain in both families; one that is not there is empty.
///
/// # Errors
/// No permission or no such tool.
pub async fn read(table: &str, s: &Setting<'_>, stop: &Stop) -> Result<Filter, String> {
    let mut filter = Filter::default();
    let both = [rules(table, true, s, stop).await?, rules(table, false, s, stop).await?];
    for (rule, words) in both.iter().flatten() {
        let comment = comment_of(words).unwrap_or("").to_owned();
        match (rule.from, rule.port) {
            (Some(net), None) if rule.drops => {
                filter.blocked.push(Blocked { net, left: None, comment });
            }
            (from, Some(port)) => {
                let same = |c: &Closed| c.port == port && c.comment == comment;
                let at = filter.closed.iter().position(same).unwrap_or_else(|| {
                    filter.closed.push(Closed { port, except: Vec::new(), comment, half: false });
                    filter.closed.len() - 1
                });
                if let (Some(closed), Some(net)) = (filter.closed.get_mut(at), from) {
                    closed.except.push(net);
                }
            }
            _ => {}
        }
    }
    filter.closed.iter_mut().for_each(|c| c.except.sort_unstable());
    // Closed is what is dropped in both families.
    let drops = |c: &Closed, (rule, words): &There| {
        rule.drops
            && rule.port == Some(c.port)
            && rule.from.is_none()
            && comment_of(words) == Some(&c.comment)
    };
    let dropped = |c: &Closed| both.iter().all(|all| all.iter().any(|there| drops(c, there)));
    filter.closed.iter_mut().for_each(|c| c.half = !dropped(c));
    Ok(filter)
}

/// Our rules of one family. The whole of the filter's table is listed: of a chain that is not there,
/// each version has something else to say.
async fn rules(table: &str, v4: bool, s: &Setting<'_>, stop: &Stop) -> Result<Vec<There>, String> {
    let text = list(v4, s, stop).await?;
    let ours = |(_, words): &There| comment_of(words).is_some_and(|c| c.starts_with("quarterdeck "));
    Ok(text.lines().filter_map(|line| Rule::read(line, table)).filter(ours).collect())
}

async fn list(v4: bool, s: &Setting<'_>, stop: &Stop) -> Result<String, String> {
    let told = tool::run(s, &argv(v4, &["-S"]), None, stop).await?;
    if told.well() {
        return Ok(told.text());
    }
    let why = told.complaint();
    let hint = if why.contains("ermission denied") && !s.sudo { " (give the step sudo = true)" } else { "" };
    Err(format!("{} said: {why}{hint}", program(v4)))
}

/// Makes the changes, one after another: first what one adds, then away with what it stands in for.
pub async fn make(table: &str, parts: &[Part], s: &Setting<'_>, stop: &Stop) -> Result<(), String> {
    for part in parts {
        for v4 in families(&part.change) {
            one(table, v4, part, s, stop).await?;
        }
    }
    Ok(())
}

async fn one(table: &str, v4: bool, part: &Part, s: &Setting<'_>, stop: &Stop) -> Result<(), String> {
    let Part { change, comment, only } = part;
    let there = rules(table, v4, s, stop).await?;
    if !matches!(change, Change::Unblock { .. } | Change::Open { .. }) {
        ensure(table, v4, s, stop).await?;
    }
    let wanted = Rule::all(change, v4);
    let known = |rule: &Rule| there.iter().any(|(r, _)| r == rule);
    let whose = |words: &[String]| only.has(comment_of(words).unwrap_or(""));
    match change {
        Change::Block { .. } => {
            for rule in wanted.iter().filter(|r| !known(r)) {
                tell(v4, &["-I", table, "1"], &rule.words(comment), s, stop).await?;
            }
            Ok(())
        }
        Change::Unblock { .. } => {
            let gone = there.iter().filter(|(r, words)| wanted.contains(r) && whose(words));
            delete(table, v4, gone, s, stop).await
        }
        Change::Open { ports } => {
            // What is dropped last goes first: nobody is let in whom the rest would hold back.
            let of = |r: &Rule| r.port.is_some_and(|p| ports.contains(&p));
            let gone = there.iter().filter(|(r, words)| of(r) && whose(words));
            delete(table, v4, gone, s, stop).await
        }
        Change::Close { ports, .. } => {
            for rule in &wanted {
                tell(v4, &["-A", table], &rule.words(comment), s, stop).await?;
            }
            // Now that the new rules hold, the older ones of these ports go.
            let of = |r: &Rule| r.port.is_some_and(|p| ports.contains(&p));
            delete(table, v4, there.iter().filter(|(r, _)| of(r)), s, stop).await
        }
    }
}

/// Makes the chain and the way to it where they are missing.
async fn ensure(table: &str, v4: bool, s: &Setting<'_>, stop: &Stop) -> Result<(), String> {
    let text = list(v4, s, stop).await?;
    let here = [format!("-N {table}"), format!("-A PREROUTING -j {table}")];
    for (there, make) in here.iter().zip(base(table, v4)) {
        if !text.lines().any(|line| line.trim_end() == there) {
            run(&make, s, stop).await?;
        }
    }
    Ok(())
}

async fn delete<'r>(
    table: &str,
    v4: bool,
    all: impl Iterator<Item = &'r There>,
    s: &Setting<'_>,
    stop: &Stop,
) -> Result<(), String> {
    for (_, words) in all {
        tell(v4, &["-D", table], words, s, stop).await?;
    }
    Ok(())
}

async fn tell(v4: bool, verb: &[&str], rule: &[String], s: &Setting<'_>, stop: &Stop) -> Result<(), String> {
    let mut words = argv(v4, verb);
    words.extend(rule.iter().cloned());
    run(&words, s, stop).await
}

async fn run(words: &[String], s: &Setting<'_>, stop: &Stop) -> Result<(), String> {
    let told = tool::run(s, words, None, stop).await?;
    if told.well() {
        return Ok(());
    }
    Err(format!(
        "{} said: {}",
        crate::domain::shell::line(words.iter().map(String::as_str)),
        told.complaint()
    ))
}
