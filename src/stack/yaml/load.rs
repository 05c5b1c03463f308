//! From YAML's events to a tree.

use super::{Kind, MAX_DEPTH, MAX_NODES, Node, Scalar};
use crate::stack::diag::{Problem, Source};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Reads a file's only document; `None` when there is nothing in it.
///
/// # Errors
/// What is no YAML, what is beyond the bounds, and a second document.
pub fn load(source: &Arc<Source>) -> Result<Option<Node>, Problem> {
    let mut parser = Parser::new_from_str(&source.text);
    let mut tree = Tree { source, places: Places::new(&source.text), ..Tree::new(source) };
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|e| {
            let at = tree.places.byte(*e.marker());
            let text = crate::domain::text::one_line(e.info(), 200);
            Problem::error(source, at..at, format!("this is no YAML: {text}"))
        })?;
        let span = tree.places.range(span);
        tree.take(event, span)?;
    }
    Ok(tree.root)
}

/// From characters, which the parser counts, to bytes.
struct Places {
    /// The byte of every 64th character; empty where all are one byte long.
    marks: Vec<usize>,
    text: String,
}

impl Places {
    const STEP: usize = 64;

    fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Places { marks: Vec::new(), text: String::new() };
        }
        let marks = text.char_indices().step_by(Self::STEP).map(|(i, _)| i).collect();
        Places { marks, text: text.to_owned() }
    }

    fn byte(&self, marker: Marker) -> usize {
        let index = marker.index();
        if self.marks.is_empty() {
            return index;
        }
        let Some(mark) = self.marks.get(index / Self::STEP) else { return self.text.len() };
        let rest = self.text.get(*mark..).unwrap_or("");
        mark + rest.char_indices().nth(index % Self::STEP).map_or(rest.len(), |(i, _)| i)
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start);
        start..self.byte(span.end).max(start)
    }
}

/// A list or map that is not complete.
struct Open {
    node: Node,
    /// The key that waits for its value.
    key: Option<Node>,
    anchor: usize,
}

struct Tree<'a> {
    source: &'a Arc<Source>,
    places: Places,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
}

impl<'a> Tree<'a> {
    fn new(source: &'a Arc<Source>) -> Self {
        Tree {
            source,
            places: Places { marks: Vec::new(), text: String::new() },
            open: Vec::new(),
            anchors: BTreeMap::new(),
            root: None,
            documents: 0,
            nodes: 0,
        }
    }

    fn refuse<T>(&self, span: Range<usize>, message: impl Into<String>) -> Result<T, Problem> {
        Err(Problem::error(self.source, span, message))
    }

    fn take(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Problem> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.refuse(span, "a second document starts here, and only one is read");
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let mut plain = style == ScalarStyle::Plain;
                if let Some(tag) = &tag {
                    self.core(tag, &span)?;
                    plain &= tag.suffix != "str";
                }
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let kind = Kind::Scalar(Scalar { text: text.into_owned(), plain, block });
                self.done(Node { kind, span }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(Kind::List(Vec::new()), span, anchor, tag.as_ref())
            }
            Event::MappingStart(anchor, tag) => self.start(Kind::Map(Vec::new()), span, anchor, tag.as_ref()),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(mut open) = self.open.pop() else { return Ok(()) };
                open.node.span.end = open.node.span.end.max(span.start.min(self.source.text.len()));
                self.done(open.node, open.anchor)
            }
            Event::Alias(id) => match self.anchors.get(&id).cloned() {
                Some(mut node) => {
                    self.nodes += count(&node);
                    self.bounded(&span)?;
                    // Aliases of aliases would nest ever deeper, and trees are walked by recursion.
                    if self.open.len() + depth(&node) > MAX_DEPTH {
                        return self.too_deep(span);
                    }
                    // Mistakes in it are shown where it is used, since there it is wrong.
                    if let Kind::Scalar(_) = node.kind {
                        node.span = span;
                    }
                    self.done(node, 0)
                }
                None => self.refuse(span, "this alias stands inside of what it names"),
            },
        }
    }

    /// Only the tags of YAML's own types change nothing.
    fn core(&self, tag: &Tag, span: &Range<usize>) -> Result<(), Problem> {
        let known = ["str", "int", "float", "bool", "null", "map", "seq"];
        if tag.handle == "tag:yaml.org,2002:" && known.contains(&tag.suffix.as_str()) || tag.suffix == "!" {
            return Ok(());
        }
        self.refuse(span.clone(), "tags are not supported")
    }

    fn start(
        &mut self,
        kind: Kind,
        span: Range<usize>,
        anchor: usize,
        tag: Option<&Cow<'_, Tag>>,
    ) -> Result<(), Problem> {
        if let Some(tag) = tag {
            self.core(tag, &span)?;
        }
        if self.open.len() >= MAX_DEPTH {
            return self.too_deep(span);
        }
        self.open.push(Open { node: Node { kind, span }, key: None, anchor });
        Ok(())
    }

    fn too_deep(&self, span: Range<usize>) -> Result<(), Problem> {
        self.refuse(span, format!("lists and maps stand in one another more than {MAX_DEPTH} deep"))
    }

    fn bounded(&self, span: &Range<usize>) -> Result<(), Problem> {
        if self.nodes > MAX_NODES {
            return self
                .refuse(span.clone(), format!("the file has more than {MAX_NODES} values, aliases counted"));
        }
        Ok(())
    }

    /// Puts a complete node where it belongs.
    fn done(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.nodes += 1;
        self.bounded(&node.span)?;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
            self.nodes += count(&node);
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.node.kind {
            Kind::List(list) => list.push(node),
            Kind::Map(map) => match parent.key.take() {
                None => parent.key = Some(node),
                Some(key) => map.push((key, node)),
            },
            Kind::Scalar(_) => {}
        }
        Ok(())
    }
}

/// Lists and maps in one another, this one included.
fn depth(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(_) => 0,
        Kind::List(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Kind::Map(map) => 1 + map.iter().map(|(k, v)| depth(k).max(depth(v))).max().unwrap_or(0),
    }
}

/// Nodes below and with this one.
fn count(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar(_) => 0,
        Kind::List(list) => list.iter().map(count).sum(),
        Kind::Map(map) => map.iter().map(|(k, v)| count(k) + count(v)).sum::<usize>(),
    }
}
