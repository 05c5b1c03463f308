//! Alertmanager's configuration, as far as it says who is told what. Its own fields are all known
//! to Alertmanager, which has accepted the file; what is read here is read leniently.

use crate::domain::alert::routing::{Inhibit, Receiver, Route, Routing, matchers};
use crate::domain::series::{Matcher, Op};
use crate::domain::text;
use saphyr::{LoadableYamlNode, Scalar, Yaml};

/// The largest configuration looked at, in bytes.
const MAX_CONFIG: usize = 4 << 20;
/// Routes of a tree, and how deep it may go.
const MAX_ROUTES: usize = 10_000;
const MAX_DEPTH: usize = 64;
/// Spaces and signs at the beginning of a line. Every level of nesting needs at least one, and the
/// parser calls itself at every level; brackets it bounds itself.
const MAX_INDENT: usize = 400;
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
    if too_deep(config) {
        odd.push("the configuration is nested too deeply and is not looked at".to_owned());
        return None;
    }
    let documents = match Yaml::load_from_str(config) {
        Ok(documents) => documents,
        Err(e) => {
            odd.push(format!("the configuration is no YAML: {}", text::one_line(&e.to_string(), 160)));
            return None;
        }
    };
    let root = documents.first()?;
    let mut reading = Reading { odd, routes: 0 };
    let Some(route) = child(root, "route") else {
        reading.note("the configuration has no route");
        return None;
    };
    let root_route = reading.route(route, "", 0);
    let receivers = list(root, "receivers").map(receiver).collect();
    let inhibitions = list(root, "inhibit_rules").filter_map(|r| reading.inhibition(r)).collect();
    Some(Routing { root: root_route, receivers, inhibitions })
}

/// Whether a text could nest deeper than a parser's stack.
fn too_deep(config: &str) -> bool {
    let indent = |line: &str| line.bytes().take_while(|b| b" \t-?:".contains(b)).count();
    config.lines().any(|line| indent(line) > MAX_INDENT)
}

impl Reading<'_> {
    fn note(&mut self, what: &str) {
        if self.odd.len() < MAX_ODD {
            self.odd.push(text::one_line(what, 300));
        }
    }

    fn route(&mut self, node: &Yaml<'_>, above: &str, depth: usize) -> Route {
        self.routes += 1;
        let receiver = text_of(child(node, "receiver")).filter(|r| !r.is_empty());
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
            goes_on: text_of(child(node, "continue")).as_deref() == Some("true"),
            group_by: texts(node, "group_by"),
            muted: texts(node, "mute_time_intervals"),
            active: texts(node, "active_time_intervals"),
            receiver,
            routes,
        }
    }

    /// All of the matchers that three keys hold: equal values, regular expressions, and texts.
    fn matchers_of(&mut self, node: &Yaml<'_>, [equal, re, new]: [&str; 3]) -> Vec<Matcher> {
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

    fn inhibition(&mut self, node: &Yaml<'_>) -> Option<Inhibit> {
        let source = self.matchers_of(node, ["source_match", "source_match_re", "source_matchers"]);
        let target = self.matchers_of(node, ["target_match", "target_match_re", "target_matchers"]);
        (!target.is_empty()).then(|| Inhibit { source, target, equal: texts(node, "equal") })
    }
}

/// A receiver's means are its keys that end in `_configs` and hold something.
fn receiver(node: &Yaml<'_>) -> Receiver {
    let keys = node.as_mapping().into_iter().flatten();
    let means = keys.filter_map(|(key, value)| {
        let kind = key.as_str()?.strip_suffix("_configs")?;
        value.as_sequence().is_some_and(|s| !s.is_empty()).then(|| kind.to_owned())
    });
    Receiver { name: text_of(child(node, "name")).unwrap_or_default(), sends: means.collect() }
}

fn child<'a>(node: &'a Yaml<'a>, key: &str) -> Option<&'a Yaml<'a>> {
    node.as_mapping_get(key)
}

fn list<'a>(node: &'a Yaml<'a>, key: &str) -> impl Iterator<Item = &'a Yaml<'a>> {
    child(node, key).and_then(Yaml::as_sequence).into_iter().flatten()
}

fn texts(node: &Yaml<'_>, key: &str) -> Vec<String> {
    list(node, key).filter_map(|t| text_of(Some(t))).collect()
}

fn entries(node: &Yaml<'_>, key: &str) -> Vec<(String, String)> {
    let map = child(node, key).and_then(Yaml::as_mapping).into_iter().flatten();
    map.filter_map(|(name, value)| Some((text_of(Some(name))?, text_of(Some(value))?))).collect()
}

/// A scalar as text: `match: {code: 500}` compares with the text `500`.
fn text_of(node: Option<&Yaml<'_>>) -> Option<String> {
    match node? {
        Yaml::Value(Scalar::String(text)) => Some(text.clone().into_owned()),
        Yaml::Value(Scalar::Integer(n)) => Some(n.to_string()),
        Yaml::Value(Scalar::FloatingPoint(n)) => Some(n.to_string()),
        Yaml::Value(Scalar::Boolean(b)) => Some(b.to_string()),
        Yaml::Value(Scalar::Null) => Some(String::new()),
        _ => None,
    }
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

    #[test]
    fn what_is_not_understood_is_said_and_pages_nobody() {
        let mut odd = Vec::new();
        let config = "route: {receiver: a, routes: [{receiver: b, matchers: ['x=~(']}]}";
        let routing = routing(config, &mut odd).unwrap();
        assert_eq!(routing.receivers(&Labels::new([("x", "(")])), ["a"]);
        assert!(odd[0].contains("is no matcher"), "{odd:?}");
        for (bad, why) in [
            ("receivers: []".to_owned(), "has no route"),
            ("route: [".to_owned(), "is no YAML"),
            (format!("route: {{receiver: a}}\nx:\n{}", "- ".repeat(100_000)), "nested too deeply"),
            ("- ".repeat(1_000_000), "nested too deeply"),
            ("[".repeat(1_000_000), "is no YAML"),
            (" ".repeat(5 << 20), "larger than 4 MiB"),
            ("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]".to_owned(), "is no YAML"),
        ] {
            let mut odd = Vec::new();
            assert_eq!(super::routing(&bad, &mut odd), None);
            assert!(odd[0].contains(why), "{odd:?}");
        }
    }
}
