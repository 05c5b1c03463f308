//! Reading YAML strictly: every key asked for by name, every mistake noted with its place.

use super::{Kind, Node};
use crate::domain::alert::rule::parse_duration;
use crate::domain::text::nearest;
use crate::stack::diag::{Problem, Problems, Source};
use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A file being read, and what is wrong with it.
pub struct Document {
    pub source: Arc<Source>,
    problems: RefCell<Problems>,
}

impl Document {
    pub fn new(source: &Arc<Source>) -> Self {
        Document { source: Arc::clone(source), problems: RefCell::default() }
    }

    pub fn error(&self, span: Range<usize>, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem::error(&self.source, span, message));
    }

    pub fn error_with(&self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.problems.borrow_mut().push(Problem::error(&self.source, span, message).help(help));
    }

    pub fn warning(&self, span: Range<usize>, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem::warning(&self.source, span, message));
    }

    pub fn warning_with(&self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.problems.borrow_mut().push(Problem::warning(&self.source, span, message).help(help));
    }

    pub fn into_problems(self) -> Problems {
        self.problems.into_inner()
    }

    /// The maps of a list; nothing is an empty list.
    pub fn maps<'a>(&'a self, node: &'a Node, what: &'static str) -> Vec<Map<'a>> {
        self.list(node, what).iter().filter_map(|n| Map::new(self, n, what)).collect()
    }

    /// A list's nodes; nothing is an empty list.
    pub fn list<'a>(&self, node: &'a Node, what: &str) -> &'a [Node] {
        match &node.kind {
            Kind::List(list) => list,
            _ if node.is_null() => &[],
            _ => {
                self.error(node.span.clone(), format!("expected a list of {what}s, not {}", node.describe()));
                &[]
            }
        }
    }

    /// A text; nothing is an empty one.
    pub fn text<'a>(&self, node: &'a Node, what: &str) -> Option<&'a str> {
        match node.scalar() {
            _ if node.is_null() => Some(""),
            Some(scalar) => Some(&scalar.text),
            None => {
                self.error(node.span.clone(), format!("expected a text as {what}, not {}", node.describe()));
                None
            }
        }
    }

    /// A duration in Prometheus' form.
    pub fn duration(&self, node: &Node, what: &str) -> Option<Duration> {
        if node.is_null() {
            return None;
        }
        let text = self.text(node, what)?;
        match parse_duration(text) {
            Ok(d) => Some(d),
            Err(e) => {
                self.error(node.span.clone(), e);
                None
            }
        }
    }

    /// Names and texts of a map.
    pub fn texts<'a>(&self, node: &'a Node, what: &str) -> Vec<(&'a Node, &'a Node, String)> {
        let Kind::Map(entries) = &node.kind else {
            if !node.is_null() {
                self.error(node.span.clone(), format!("expected a map of {what}, not {}", node.describe()));
            }
            return Vec::new();
        };
        let mut found: Vec<(&Node, &Node, String)> = Vec::new();
        let mut names: HashSet<&str> = HashSet::new();
        for (key, value) in entries {
            let Some(name) = self.text(key, "a name") else { continue };
            if !names.insert(name) {
                self.error(key.span.clone(), format!("`{name}` is given twice"));
                continue;
            }
            if let Some(text) = self.text(value, &format!("the value of {name}")) {
                found.push((key, value, text.to_owned()));
            }
        }
        found
    }
}

/// A map being read. Call [`Map::finish`] at its end.
pub struct Map<'a> {
    pub document: &'a Document,
    entries: Vec<(&'a Node, &'a Node)>,
    /// The whole map.
    pub span: Range<usize>,
    what: &'static str,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Map<'a> {
    /// Entries that `<<` takes over stand behind those that are written.
    pub fn new(document: &'a Document, node: &'a Node, what: &'static str) -> Option<Self> {
        let Kind::Map(written) = &node.kind else {
            document.error(
                node.span.clone(),
                format!("expected a {what}, which is a map, not {}", node.describe()),
            );
            return None;
        };
        let mut entries: Vec<(&Node, &Node)> = Vec::new();
        let mut merged: Vec<&Node> = Vec::new();
        let mut names: HashSet<&str> = HashSet::new();
        for (key, value) in written {
            match key.scalar() {
                Some(scalar) if scalar.text == "<<" && scalar.plain => match &value.kind {
                    Kind::List(list) => merged.extend(list),
                    _ => merged.push(value),
                },
                Some(scalar) => {
                    if names.insert(&scalar.text) {
                        entries.push((key, value));
                    } else {
                        document.error(key.span.clone(), format!("`{}` is given twice", scalar.text));
                    }
                }
                None => document.error(key.span.clone(), format!("a key is a text, not {}", key.describe())),
            }
        }
        for node in merged {
            let Kind::Map(map) = &node.kind else {
                document.error(node.span.clone(), format!("<< takes a map, not {}", node.describe()));
                continue;
            };
            for (key, value) in map {
                if key.scalar().is_some_and(|s| names.insert(&s.text)) {
                    entries.push((key, value));
                }
            }
        }
        let span = first_line(&document.source.text, &node.span);
        Some(Map { document, entries, span, what, asked: RefCell::default() })
    }

    /// The value of a key, and that the key is known.
    pub fn get(&self, key: &'static str) -> Option<&'a Node> {
        self.asked.borrow_mut().push(key);
        self.find(key).map(|(_, value)| value)
    }

    /// Where a key stands, if it is there.
    pub fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.find(key).map(|(key, _)| key.span.clone())
    }

    fn find(&self, key: &str) -> Option<(&'a Node, &'a Node)> {
        self.entries.iter().find(|(k, _)| k.scalar().is_some_and(|s| s.text == key)).copied()
    }

    /// A text; absent and nothing are an empty one.
    pub fn text(&self, key: &'static str) -> Option<&'a str> {
        self.get(key).map_or(Some(""), |node| self.document.text(node, key))
    }

    pub fn duration(&self, key: &'static str) -> Option<Duration> {
        self.get(key).and_then(|node| self.document.duration(node, key))
    }

    /// A key that other programs know and this one refuses, with the reason.
    pub fn refuse(&self, key: &'static str, why: &str) {
        self.asked.borrow_mut().push(key);
        if let Some(span) = self.key_span(key) {
            self.document.error(span, format!("`{key}` is not supported: {why}"));
        }
    }

    /// Notes every key that nothing asked for.
    pub fn finish(self) {
        let asked = self.asked.into_inner();
        for (key, _) in self.entries {
            let Some(name) = key.scalar().map(|s| s.text.as_str()) else { continue };
            if asked.contains(&name) {
                continue;
            }
            let near = nearest(name, asked.iter().copied()).map(|n| format!("did you mean `{n}`?"));
            let help = near.or_else(|| Some(format!("a {} has {}", self.what, asked.join(", "))));
            self.document.error_with(key.span.clone(), format!("a {} has no key `{name}`", self.what), help);
        }
    }
}

/// A map's place is told by its first line: all of it would be too much to show.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let line = text.get(span.clone()).and_then(|t| t.lines().next()).map_or(0, str::len);
    span.start..span.start + line
}
