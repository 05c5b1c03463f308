//! The labels of a series: sorted, immutable, cheap to copy, compare and hash.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The label that holds a series' metric name.
pub const NAME: &str = "__name__";

/// All labels of a series in one block: each name and value with its length before it, names
/// ascending. One allocation a series, and equality and hash are those of the block. A label with
/// an empty value is the same as none, so it is never stored.
///
/// Lengths are written six bits to a byte, low bits first, `0x40` saying that more follow: every
/// byte is ASCII, so the block stays a `str` and its parts need no second check.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

impl Labels {
    /// No labels at all.
    pub fn empty() -> Self {
        Labels(Arc::from(""))
    }

    /// From pairs in any order; of two with one name the later one holds.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut pairs: Vec<(N, V)> = pairs.into_iter().collect();
        // Stable, so that the last of equal names is the last one given.
        pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        let mut block = String::new();
        for (i, (name, value)) in pairs.iter().enumerate() {
            let again = pairs.get(i + 1).is_some_and(|next| next.0.as_ref() == name.as_ref());
            if !again && !value.as_ref().is_empty() {
                put(&mut block, name.as_ref());
                put(&mut block, value.as_ref());
            }
        }
        Labels(Arc::from(block))
    }

    /// Names ascending, with their values.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.0 }
    }

    /// The value of a label; empty when there is none, which means the same.
    pub fn get(&self, name: &str) -> &str {
        self.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v)
    }

    /// The metric's name; empty when there is none.
    pub fn name(&self) -> &str {
        self.get(NAME)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// The same with one label set, or removed when `value` is empty.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        Labels::new(self.iter().chain([(name, value)]))
    }

    /// Only the labels for which `keep` holds.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let mut block = String::new();
        for (name, value) in self.iter().filter(|(n, _)| keep(n)) {
            put(&mut block, name);
            put(&mut block, value);
        }
        Labels(Arc::from(block))
    }

    /// Writes the labels for which `keep` holds as [`Self::filtered`] would hold them: equal texts
    /// for equal labels, without an allocation of their own.
    pub fn write_filtered(&self, block: &mut String, keep: impl Fn(&str) -> bool) {
        for (name, value) in self.iter().filter(|(n, _)| keep(n)) {
            put(block, name);
            put(block, value);
        }
    }

    /// All but the metric's name.
    #[must_use]
    pub fn without_name(&self) -> Self {
        self.filtered(|n| n != NAME)
    }

    /// Bytes of the block.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// See [`Labels::iter`].
#[derive(Clone)]
pub struct Iter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        Some((take(&mut self.rest), take(&mut self.rest)))
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

fn put(block: &mut String, part: &str) {
    let mut len = part.len();
    loop {
        let more = if len >= 0x40 { 0x40 } else { 0 };
        block.push(char::from((len & 0x3f) as u8 | more));
        len >>= 6;
        if more == 0 {
            break;
        }
    }
    block.push_str(part);
}

fn take<'a>(rest: &mut &'a str) -> &'a str {
    let (mut len, mut shift, mut head) = (0usize, 0, 0);
    for byte in rest.bytes() {
        head += 1;
        len |= usize::from(byte & 0x3f) << shift;
        shift += 6;
        if byte & 0x40 == 0 {
            break;
        }
    }
    let (part, after) = (rest.get(head..head + len).unwrap_or(""), rest.get(head + len..).unwrap_or(""));
    *rest = after;
    part
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    /// By name and value, pair by pair, as Prometheus sorts.
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl fmt::Display for Labels {
    /// `name{a="b"}`, as Prometheus writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let mut others = self.iter().filter(|(n, _)| *n != NAME).peekable();
        if others.peek().is_none() {
            return if self.name().is_empty() { f.write_str("{}") } else { Ok(()) };
        }
        f.write_str("{")?;
        for (i, (name, value)) in others.enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{name}={}", Quoted(value))?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text in double quotes with what would end it escaped.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn labels_are_the_map_without_its_empty_values(
            pairs in proptest::collection::vec((".{0,90}", ".{0,5000}|"), 0..6),
            name in ".{0,3}",
        ) {
            let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
            let labels = Labels::new(pairs);
            let expected: Vec<_> =
                map.iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| (n.as_str(), v.as_str())).collect();
            prop_assert_eq!(labels.iter().collect::<Vec<_>>(), expected);
            prop_assert_eq!(labels.get(&name), map.get(&name).map_or("", String::as_str));
            let (without, with) = (labels.with(&name, ""), labels.with(&name, "x").with(&name, "y"));
            prop_assert_eq!((without.get(&name), with.get(&name)), ("", "y"));
            let mut back = map.clone();
            back.retain(|_, v| !v.is_empty());
            prop_assert_eq!(Labels::new(back.into_iter().rev()), labels);
        }
    }

    #[test]
    fn they_are_written_as_prometheus_writes_them() {
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[], "{}"),
            (&[(NAME, "up")], "up"),
            (&[("b", "2"), ("a", "1")], r#"{a="1", b="2"}"#),
            (&[("job", "a\"\\\n"), (NAME, "up")], r#"up{job="a\"\\\n"}"#),
        ];
        for (pairs, text) in table {
            assert_eq!(Labels::new(pairs.iter().copied()).to_string(), *text);
        }
    }
}
