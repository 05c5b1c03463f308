//! Alertmanager's configuration, as far as it says who is told what. Its own fields are all known
//! to Alertmanager, which has accepted the file; what is read here is read leniently.

use crate::domain::alert::routing::{Receiver, Route, Routing, matchers};
use crate::domain::alert::rule::Inhibition;
use crate::domain::series::{Matcher, Op};
use crate::domain::text;
use crate::stack::diag::Source;
use crate::stack::yaml::{self, Node};
use std::sync::Arc;

/// The largest configuration looked at, in bytes.
const MAX_CONFIG: usize = 4 << 20;
/// Routes of a tree, and how deep it may go.
const MAX_ROUTES: usize = 10_000;
const MAX_DEPTH: usize = 64;
/// Remarks kept of one configuration.
const MAX_ODD: usize = 20;

/// What is read so far, and what was not understood.
struct Reading<'o> {
    odd: &'o mut Vec<String>,
    routes: usize,
}

/// Reads the routing tree, the receivers and the inhibitions of a configuration. What is not
/// understood is noted in `odd`; `None` when there is no routing tree to be had.
pub fn routing(config: &str, odd: &mut Vec<String>) -> Option<Routing> {
    if config.len() > MAX_CONFIG {
        odd.push("the configuration is larger than 4 MiB and is not looked at".to_owned());
        return None;
    }
    let source = Arc::new(Source { name: "configuration".to_owned(), text: config.to_owned() });
    let root = match yaml::load(&source) {
        Ok(root) => root?,
        Err(problem) => {
            let (line, _) = source.position(problem.span.start);
            let why = text::one_line(&problem.message, 160);
            odd.push(format!("the configuration is not understood, line {line}: {why}"));
            return None;
        }
    };
    let mut reading = Reading { odd, routes: 0 };
    let Some(route) = root.child("route") else {
        reading.note("the configuration has no route");
        return None;
    };
    let root_route = reading.route(route, "", 0);
    let receivers = list(&root, "receivers").map(receiver).collect();
    let inhibitions = list(&root, "inhibit_rules").filter_map(|r| reading.inhibition(r)).collect();
    Some(Routing { root: root_route, receivers, inhibitions })
}

impl Reading<'_> {
    fn note(&mut self, what: &str) {
        if self.odd.len() < MAX_ODD {
            self.odd.push(text::one_line(what, 300));
        }
    }

    fn route(&mut self, node: &Node, above: &str, depth: usize) -> Route {
        self.routes += 1;
        let receiver = text_of(node.child("receiver")).filter(|r| !r.is_empty());
        let receiver = receiver.unwrap_or_else(|| above.to_owned());
        let mut routes = Vec::new();
        for below in list(node, "routes") {
            if depth >= MAX_DEPTH || self.routes >= MAX_ROUTES {
                self.note("the routing tree is larger than what is looked at");
                break;
            }
            routes.push(self.route(below, &receiver, depth + 1));
        }
        Route {
            matchers: self.matchers_of(node, ["match", "match_re", "matchers"]),
            goes_on: node.child("continue").is_some_and(is_true),
            group_by: texts(node, "group_by"),
            muted: texts(node, "mute_time_intervals"),
            active: texts(node, "active_time_intervals"),
            receiver,
            routes,
        }
    }

    /// All of the matchers that three keys hold: equal values, regular expressions, and texts.
    fn matchers_of(&mut self, node: &Node, [equal, re, new]: [&str; 3]) -> Vec<Matcher> {
        let mut found = Vec::new();
        for (key, op) in [(equal, Op::Equal), (re, Op::Match)] {
            for (name, value) in entries(node, key) {
                match Matcher::new(name, op, value) {
                    Ok(matcher) => found.push(matcher),
                    Err(why) => self.never(&why, &mut found),
                }
            }
        }
        for text in texts(node, new) {
            match matchers(&text) {
                Ok(more) => found.extend(more),
                Err(why) => self.never(&why, &mut found),
            }
        }
        found
    }

    /// A matcher that is not understood is said, and taken for one that matches nothing: to claim
    /// that somebody is told would be worse.
    fn never(&mut self, why: &str, found: &mut Vec<Matcher>) {
        self.note(why);
        found.extend([Matcher::equal("alertname", ""), Matcher::equal("alertname", "\u{0}")]);
    }

    fn inhibition(&mut self, node: &Node) -> Option<Inhibition> {
        let source = self.matchers_of(node, ["source_match", "source_match_re", "source_matchers"]);
        let target = self.matchers_of(node, ["target_match", "target_match_re", "target_matchers"]);
        (!target.is_empty()).then(|| Inhibition { source, target, equal: texts(node, "equal") })
    }
}

/// A receiver's means are its keys that end in `_configs` and hold something.
fn receiver(node: &Node) -> Receiver {
    let means = node.entries().iter().filter_map(|(key, value)| {
        let kind = key.scalar()?.text.strip_suffix("_configs")?;
        (!value.items().is_empty()).then(|| kind.to_owned())
    });
    Receiver { name: text_of(node.child("name")).unwrap_or_default(), sends: means.collect() }
}

fn list<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = &'a Node> {
    node.child(key).into_iter().flat_map(Node::items)
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    list(node, key).filter_map(|t| text_of(Some(t))).collect()
}

fn entries(node: &Node, key: &str) -> Vec<(String, String)> {
    let map = node.child(key).into_iter().flat_map(Node::entries);
    map.filter_map(|(name, value)| Some((text_of(Some(name))?, text_of(Some(value))?))).collect()
}

/// A scalar as text: `match: {code: 500}` compares with the text `500`.
fn text_of(node: Option<&Node>) -> Option<String> {
    let node = node?;
    if node.is_null() { Some(String::new()) } else { node.scalar().map(|s| s.text.clone()) }
}

fn is_true(node: &Node) -> bool {
    node.scalar().is_some_and(|s| s.plain && matches!(s.text.as_str(), "true" | "True" | "TRUE"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::series::Labels;

    const CONFIG: &str = r#"
route:
  receiver: bin
  group_by: [alertname]
  routes:
  - match: {severity: critical, code: 500}
    match_re: {service: api|db}
    receiver: pager
    continue: true
    mute_time_intervals: [nights]
    routes:
    - matchers: ['team="db"', '{host=~"a.*",zone!=""}']
      receiver: dba
  - matchers: [ severity="warning" ]
receivers:
- name: bin
- name: pager
  pagerduty_configs: [{service_key: <secret>}]
  webhook_configs: []
- {name: dba, email_configs: [{to: a}], slack_configs: [{}]}
inhibit_rules:
- source_match: {severity: critical}
  target_match_re: {severity: warning|info}
  equal: [host]
- source_matchers: [a=b]
  target_matchers: [c=d]
"#;

    #[test]
    fn the_tree_the_receivers_and_the_inhibitions_are_read() {
        let mut odd = Vec::new();
        let routing = routing(CONFIG, &mut odd).unwrap();
        assert_eq!(odd, Vec::<String>::new());
        let to = |labels: &[(&str, &str)]| routing.receivers(&Labels::new(labels.iter().copied()));
        let critical = [("severity", "critical"), ("code", "500"), ("service", "db")];
        assert_eq!(to(&critical), ["pager"]);
        assert_eq!(to(&[&critical[..], &[("team", "db"), ("host", "ab"), ("zone", "z")]].concat()), ["dba"]);
        assert_eq!(to(&[("severity", "warning")]), ["bin"]);
        assert_eq!(["bin", "pager", "dba", "who"].map(|r| routing.sends(r)), [false, true, true, true]);
        assert_eq!(routing.receivers[2].sends, ["email", "slack"]);
        assert_eq!(
            (routing.inhibitions.len(), routing.inhibitions[0].equal.as_slice()),
            (2, &["host".to_owned()][..])
        );
        assert_eq!(routing.root.routes[0].muted, ["nights"]);
    }

    /// A map in a map, each on a line of its own.
    fn steps(bytes: usize) -> String {
        let mut text = String::new();
        while text.len() < bytes {
            text.push_str(&" ".repeat(text.lines().count()));
            text.push_str("a:\n");
        }
        text
    }

    /// Lists that hold the one before, each as deep as it may be.
    fn chain(n: usize) -> String {
        let (open, close) = ("[".repeat(60), "]".repeat(60));
        let link = |i: usize| match i {
            0 => format!("a0: &a0 {open}{close}\n"),
            i => format!("a{i}: &a{i} {open}*a{}{close}\n", i - 1),
        };
        (0..n).map(link).collect()
    }

    /// Each list holds the one before nine times.
    fn bomb() -> String {
        let link = |i: usize| format!("a{i}: &a{i} [{}]\n", format!("*a{},", i - 1).repeat(9));
        "a0: &a0 [x]\n".to_owned() + &(1..12).map(link).collect::<String>()
    }

    #[test]
    fn what_is_not_understood_is_said_and_pages_nobody() {
        let mut odd = Vec::new();
        let config = "route: {receiver: a, routes: [{receiver: b, matchers: ['x=~(']}]}";
        let routing = routing(config, &mut odd).unwrap();
        assert_eq!(routing.receivers(&Labels::new([("x", "(")])), ["a"]);
        assert!(odd[0].contains("is no matcher"), "{odd:?}");
        for (bad, why) in [
            ("receivers: []".to_owned(), "has no route"),
            ("route: [".to_owned(), "not understood, line 1: this is no YAML"),
            (format!("route: {{receiver: a}}\nx:\n{}", "- ".repeat(100_000)), "line 3: lists and maps stand"),
            ("- ".repeat(1_000_000), "more than 64 deep"),
            ("? ".repeat(1_000_000), "more than 64 deep"),
            ("[".repeat(1_000_000), "recursion limit exceeded"),
            (steps(200_000), "more than 64 deep"),
            (chain(200), "more than 64 deep"),
            (" ".repeat(5 << 20), "larger than 4 MiB"),
            (bomb(), "aliases counted"),
        ] {
            let mut odd = Vec::new();
            assert_eq!(super::routing(&bad, &mut odd), None);
            assert!(odd[0].contains(why), "{odd:?}");
        }
    }
}
