//! Alertmanager's routing: which receivers an alert goes to, for alerts that do not even fire yet;
//! and its matchers, in their old and new forms.

use super::rule::Inhibition;
use crate::domain::series::{Labels, Matcher, Op};
use crate::domain::text;

/// What an Alertmanager's configuration says of who is told what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Routing {
    pub root: Route,
    pub receivers: Vec<Receiver>,
    pub inhibitions: Vec<Inhibition>,
}

/// One node of the routing tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// Inherited from the route above where the file names none.
    pub receiver: String,
    /// All of them must hold; the root's are not looked at.
    pub matchers: Vec<Matcher>,
    /// Whether the routes after this one are tried although this one took the alert.
    pub goes_on: bool,
    pub routes: Vec<Route>,
    pub group_by: Vec<String>,
    /// Time intervals in which it sends nothing, and outside of which it sends nothing.
    pub muted: Vec<String>,
    pub active: Vec<String>,
}

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    pub name: String,
    /// Its means: `webhook`, `email`, `pagerduty`; without any it is a bin.
    pub sends: Vec<String>,
}

impl Routing {
    /// The routes that take an alert, in their order. Never empty.
    pub fn routes(&self, labels: &Labels) -> Vec<&Route> {
        let mut taken = Vec::new();
        self.root.below(labels, &mut taken);
        taken
    }

    /// The receivers that an alert goes to, each once, in their order.
    pub fn receivers(&self, labels: &Labels) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for route in self.routes(labels) {
            if !names.contains(&route.receiver) {
                names.push(route.receiver.clone());
            }
        }
        names
    }

    /// Whether a receiver can tell anybody. One that the configuration lacks is given the benefit
    /// of the doubt: it was asked for at another moment.
    pub fn sends(&self, receiver: &str) -> bool {
        self.receivers.iter().find(|r| r.name == receiver).is_none_or(|r| !r.sends.is_empty())
    }
}

impl Route {
    /// Adds the deepest routes that take an alert which this one has taken.
    fn below<'a>(&'a self, labels: &Labels, taken: &mut Vec<&'a Route>) {
        let before = taken.len();
        for route in &self.routes {
            if route.matchers.iter().all(|m| m.selects(labels)) {
                route.below(labels, taken);
                if !route.goes_on {
                    break;
                }
            }
        }
        if taken.len() == before {
            taken.push(self);
        }
    }
}

/// Reads one entry of a `matchers` list: `severity="critical"`, `env=~"a|b"`, several with commas,
/// with or without braces around them.
///
/// # Errors
/// In words, with the part that is wrong.
pub fn matchers(text: &str) -> Result<Vec<Matcher>, String> {
    let inner = text.trim();
    let inner = inner.strip_prefix('{').map_or(inner, |i| i.strip_suffix('}').unwrap_or(i));
    let parts = split(inner);
    parts.iter().map(|part| matcher(part)).collect()
}

/// At commas that no quotes hold; an empty end is none.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(text.get(from..at).unwrap_or(""));
                from = at + 1;
            }
            _ => {}
        }
    }
    let rest = text.get(from..).unwrap_or("");
    if !rest.trim().is_empty() {
        parts.push(rest);
    }
    parts
}

/// Reads one matcher.
fn matcher(text: &str) -> Result<Matcher, String> {
    let bad = |why: &str| format!("`{}` is no matcher: {why}", text::one_line(text, 80));
    let trimmed = text.trim();
    let (name, rest) = name(trimmed).ok_or_else(|| bad("it does not begin with a label's name"))?;
    let rest = rest.trim_start();
    let ops = [("=~", Op::Match), ("!~", Op::NoMatch), ("!=", Op::NotEqual), ("=", Op::Equal)];
    let found = ops.iter().find_map(|(sign, op)| Some((*op, rest.strip_prefix(sign)?)));
    let (op, value) = found.ok_or_else(|| bad("expected =, !=, =~ or !~ after the name"))?;
    let value = unquoted(value.trim()).map_err(bad)?;
    Matcher::new(name, op, value).map_err(|why| bad(&why))
}

/// The label's name, which may be quoted since version 0.27, and what follows.
fn name(text: &str) -> Option<(String, &str)> {
    if let Some(rest) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = rest.char_indices().find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        })?;
        let name = unquoted(text.get(..end.0 + 2)?).ok().filter(|n| !n.is_empty())?;
        return Some((name, rest.get(end.0 + 1..)?));
    }
    // Since 0.27 anything may stand here that is not special; the old form is a part of that.
    let special = |c: char| c.is_whitespace() || "{}!=~,\\\"'`".contains(c);
    let end = text.find(special).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    (!name.is_empty()).then(|| (name.to_owned(), rest))
}

/// A value with its quotes and escapes resolved; other escapes than `\n`, `\"` and `\\` stay as
/// they are.
fn unquoted(text: &str) -> Result<String, &'static str> {
    let inner = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').ok_or("the quotes are not closed")?,
        None => text,
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Err("it has a quote in the middle"),
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some(c @ ('"' | '\\')) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None if text.starts_with('"') => return Err("the quotes are not closed"),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(receiver: &str, matcher: &str, goes_on: bool, routes: Vec<Route>) -> Route {
        Route {
            receiver: receiver.into(),
            matchers: matchers(matcher).unwrap(),
            goes_on,
            routes,
            ..Route::default()
        }
    }

    #[test]
    fn an_alert_goes_down_the_tree_as_far_as_it_is_taken() {
        let pages =
            route("pager", "severity=critical", true, vec![route("db", r#"team="db""#, false, vec![])]);
        let rest = vec![
            pages,
            route("chat", "severity=~critical|warning", false, vec![]),
            route("all", "", false, vec![]),
        ];
        let routing = Routing { root: route("root", "never=taken", false, rest), ..Routing::default() };
        let table = [
            (&[("severity", "critical")][..], &["pager", "chat"][..]),
            (&[("severity", "critical"), ("team", "db")], &["db", "chat"]),
            (&[("severity", "warning"), ("team", "db")], &["chat"]),
            (&[], &["all"]),
        ];
        for (labels, want) in table {
            assert_eq!(routing.receivers(&Labels::new(labels.iter().copied())), *want, "{labels:?}");
        }
        let bare = Routing { root: route("root", "never=taken", false, vec![]), ..Routing::default() };
        assert_eq!(bare.receivers(&Labels::empty()), ["root"]);
    }

    #[test]
    fn matchers_are_read_in_every_form() {
        let table = [
            ("a=b", r#"a="b""#),
            (r#" a = "b c" "#, r#"a="b c""#),
            (r#"{a="b",c!="d,e"}"#, r#"a="b" c!="d,e""#),
            (r#"a=~"x|y", b!~z.* ,"#, r#"a=~"x|y" b!~"z.*""#),
            ("a=", r#"a="""#),
            (r#"a="q\"\\\n\d""#, r#"a="q\"\\\n\\d""#),
            (r#""b c"=d"#, r#"b c="d""#),
            ("a=b=c", r#"a="b=c""#),
            ("", ""),
        ];
        for (text, want) in table {
            let got = matchers(text).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            assert_eq!(got, want, "{text}");
        }
        for (bad, why) in [
            ("=x", "does not begin with"),
            ("a", "expected =, !="),
            (r#"a="b"#, "not closed"),
            (r#"a=b"c"#, "quote in the middle"),
            ("a=~(", "is no matcher"),
        ] {
            let said = matchers(bad).unwrap_err();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }
}
