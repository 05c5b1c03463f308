//! YAML as a tree with places: bounded in size, depth and aliases.
//!
//! Scalars keep their text as it was written, since what a `1` or a `yes` means is up to the key.

mod load;
mod read;

pub use load::load;
pub use read::{Document, Map};

use std::ops::Range;

/// How deeply lists and maps may stand in one another, with what aliases put in their place.
pub const MAX_DEPTH: usize = 64;
/// Nodes of one file, with every alias counted as what it stands for.
pub const MAX_NODES: usize = 500_000;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    pub kind: Kind,
    /// Bytes of the file.
    pub span: Range<usize>,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

#[derive(Clone, Debug)]
pub struct Scalar {
    pub text: String,
    /// Without quotes, so that it may be a number or nothing.
    pub plain: bool,
    /// A text of several lines after `|` or `>`.
    pub block: bool,
}

impl Node {
    /// Whether nothing is written: `key:`, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(s)
            if s.plain && matches!(s.text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The value of a map's first key of this name; nothing where this is no map. For reading what
    /// another program has accepted already: nothing is noted.
    pub fn child(&self, key: &str) -> Option<&Node> {
        let found = self.entries().iter().find(|(k, _)| k.scalar().is_some_and(|s| s.text == key));
        found.map(|(_, value)| value)
    }

    /// A list's nodes; none where this is no list.
    pub fn items(&self) -> &[Node] {
        if let Kind::List(list) = &self.kind { list } else { &[] }
    }

    /// A map's keys and values; none where this is no map.
    pub fn entries(&self) -> &[(Node, Node)] {
        if let Kind::Map(map) = &self.kind { map } else { &[] }
    }

    /// What it is, for messages.
    pub fn describe(&self) -> String {
        match &self.kind {
            _ if self.is_null() => "nothing".to_owned(),
            Kind::Scalar(s) => format!("\"{}\"", crate::domain::text::one_line(&s.text, 40)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
        }
    }

    /// Where a part of a scalar's text stands in the file; the whole scalar where escapes or folded
    /// lines make that unsure.
    pub fn place(&self, file: &str, part: &Range<usize>) -> Range<usize> {
        let Some(scalar) = self.scalar() else { return self.span.clone() };
        let start = self.at(file, scalar, part.start);
        // The end is where the last of the part's characters ends.
        let last = scalar.text.get(..part.end).and_then(|t| t.char_indices().next_back());
        let end = last
            .filter(|_| part.end > part.start)
            .and_then(|(i, c)| self.at(file, scalar, i).map(|at| at + c.len_utf8()));
        match (start, end) {
            (Some(start), Some(end)) if start < end => start..end,
            (Some(start), _) => start..start,
            _ => self.span.clone(),
        }
    }

    /// The byte of the file where a byte of the scalar's text stands.
    fn at(&self, file: &str, scalar: &Scalar, wanted: usize) -> Option<usize> {
        let mut at = self.span.start;
        let rest = file.get(at..)?;
        if scalar.block && rest.starts_with(['|', '>']) {
            at += rest.find('\n')? + 1;
        } else if !scalar.plain && !scalar.block && rest.starts_with(['"', '\'']) {
            at += 1;
        }
        for (i, c) in scalar.text.char_indices() {
            let source = file.get(at..)?;
            let written = source.chars().next()?;
            if c.is_whitespace() {
                if i >= wanted {
                    return Some(at);
                }
                // A run of blanks in the text is one in the file, perhaps a longer one.
                let next_is_blank =
                    scalar.text.get(i + c.len_utf8()..).is_some_and(|t| t.starts_with(char::is_whitespace));
                let blanks = source.find(|c: char| !c.is_whitespace()).unwrap_or(source.len());
                at += if next_is_blank { written.len_utf8().min(blanks) } else { blanks };
                continue;
            }
            let blanks = source.find(|c: char| !c.is_whitespace())?;
            let found = file.get(at + blanks..)?.chars().next()?;
            if found != c {
                return None;
            }
            at += blanks;
            if i >= wanted {
                return Some(at);
            }
            at += c.len_utf8();
        }
        Some(at)
    }
}
