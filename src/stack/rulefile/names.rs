//! Names and labels of rules, as Prometheus allows them.

use crate::domain::series::labels::NAME;
use crate::stack::yaml::{Document, Node};
use std::collections::BTreeMap;

/// Looks at a value that is a template.
pub type Check<'a> = &'a dyn Fn(&Node, &str);

/// Labels by name; values are looked at with `check` where they are templates.
pub fn labels(document: &Document, node: &Node, check: Option<Check<'_>>) -> BTreeMap<String, String> {
    entries(document, node, "label", check)
}

pub fn annotations(document: &Document, node: &Node, check: Option<Check<'_>>) -> BTreeMap<String, String> {
    entries(document, node, "annotation", check)
}

fn entries(
    document: &Document,
    node: &Node,
    what: &str,
    check: Option<Check<'_>>,
) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for (key, value, text) in document.texts(node, &format!("{what}s")) {
        let name = key.scalar().map_or("", |s| s.text.as_str());
        if !is_label(name) || (what == "label" && name == NAME) {
            document
                .error(key.span.clone(), format!("`{name}` cannot be the name of a{} {what}", article(what)));
            continue;
        }
        if let Some(check) = check {
            check(value, &text);
        }
        map.insert(name.to_owned(), text);
    }
    map
}

fn article(what: &str) -> &'static str {
    if what.starts_with('a') { "n" } else { "" }
}

/// Notes a recorded series' name that is none.
pub fn record(document: &Document, node: Option<&Node>, name: &str) {
    if let Some(node) = node.filter(|_| !is_metric(name)) {
        document.error(node.span.clone(), format!("`{name}` cannot be the name of a series"));
    }
}

/// Whether a label may be called so: letters, digits and `_`, and no digit first.
pub fn is_label(name: &str) -> bool {
    is_metric(name) && !name.contains(':')
}

fn is_metric(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !name.is_empty() && name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit())
}
