//! Choosing series by a label: `=`, `!=`, `=~`, `!~`, with Prometheus' meaning.

use super::Labels;
use super::labels::Quoted;
use regex::Regex;
use std::fmt;

/// How a label's value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    Equal,
    NotEqual,
    Match,
    NoMatch,
}

/// The largest compiled regular expression, in bytes.
const MAX_REGEX: usize = 1 << 20;

/// One condition on one label. A label that a series lacks has the empty value.
#[derive(Clone)]
pub struct Matcher {
    name: String,
    op: Op,
    value: String,
    /// Anchored at both ends; there exactly for the two operators that need it.
    regex: Option<Regex>,
}

impl Matcher {
    /// # Errors
    /// `value` is no regular expression, where one is asked for.
    pub fn new(name: impl Into<String>, op: Op, value: impl Into<String>) -> Result<Self, String> {
        let value = value.into();
        let regex = match op {
            Op::Equal | Op::NotEqual => None,
            Op::Match | Op::NoMatch => Some(
                regex::RegexBuilder::new(&format!("^(?s:{value})$"))
                    .size_limit(MAX_REGEX)
                    .build()
                    .map_err(|e| crate::domain::text::one_line(&e.to_string(), 200))?,
            ),
        };
        Ok(Matcher { name: name.into(), op, value, regex })
    }

    /// The matcher `name="value"`, which cannot fail.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Matcher { name: name.into(), op: Op::Equal, value: value.into(), regex: None }
    }

    /// Reads one in Alertmanager's form: `severity="critical"`, the quotes optional.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let rest = rest.trim_start();
        let shown = crate::domain::text::one_line(text, 80);
        let ops = [("=~", Op::Match), ("!~", Op::NoMatch), ("!=", Op::NotEqual), ("=", Op::Equal)];
        let found = ops.iter().find_map(|(sign, op)| Some((rest.strip_prefix(sign)?.trim(), *op)));
        let (value, op) = match found {
            Some(found) if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) => found,
            _ => return Err(format!("expected name=\"value\", got `{shown}`")),
        };
        let value = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted).ok_or_else(|| format!("a quote of `{shown}` is never closed"))?,
            None if value.contains('"') => return Err(format!("a quote of `{shown}` is never opened")),
            None => value.to_owned(),
        };
        Self::new(name, op, value)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn op(&self) -> Op {
        self.op
    }

    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a label with this value is chosen.
    pub fn matches(&self, value: &str) -> bool {
        let found = self.regex.as_ref().map_or_else(|| self.value == value, |r| r.is_match(value));
        found == matches!(self.op, Op::Equal | Op::Match)
    }

    /// Whether a series is chosen by this matcher.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.matches(labels.get(&self.name))
    }
}

/// What stands before a closing quote that ends the text, with its escapes undone.
fn unquote(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(out),
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                c @ ('"' | '\\') => out.push(c),
                // As Alertmanager reads it: what is no escape stands for itself.
                c => out.extend(['\\', c]),
            },
            c => out.push(c),
        }
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = match self.op {
            Op::Equal => "=",
            Op::NotEqual => "!=",
            Op::Match => "=~",
            Op::NoMatch => "!~",
        };
        write!(f, "{}{op}{}", self.name, Quoted(&self.value))
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_label_is_an_empty_one_and_expressions_are_anchored() {
        let labels = Labels::new([("job", "api"), ("path", "a\nb")]);
        let table = [
            ("job", Op::Equal, "api", true),
            ("job", Op::Equal, "ap", false),
            ("job", Op::NotEqual, "x", true),
            ("job", Op::Match, "ap", false),
            ("job", Op::Match, "x|api", true),
            ("job", Op::NoMatch, "a.*", false),
            ("path", Op::Match, "a.b", true),
            ("gone", Op::Equal, "", true),
            ("gone", Op::NotEqual, "x", true),
            ("gone", Op::Match, ".+", false),
            ("gone", Op::Match, ".*", true),
        ];
        for (name, op, value, chosen) in table {
            let matcher = Matcher::new(name, op, value).unwrap();
            assert_eq!(matcher.selects(&labels), chosen, "{matcher}");
        }
        assert!(Matcher::new("job", Op::Match, "(").is_err());
    }

    #[test]
    fn matchers_are_read_as_alertmanager_writes_them() {
        let table = [
            ("severity=critical", Some(r#"severity="critical""#)),
            (r#" severity = "critical" "#, Some(r#"severity="critical""#)),
            (r#"severity=~"high|low""#, Some(r#"severity=~"high|low""#)),
            (r#"a!="x \"y\"""#, Some(r#"a!="x \"y\"""#)),
            ("a!~b.*", Some(r#"a!~"b.*""#)),
            (r#"a="""#, Some(r#"a="""#)),
            ("a=", Some(r#"a="""#)),
            ("=b", None),
            ("a", None),
            ("1a=b", None),
            (r#"a="b"#, None),
            (r#"a="b"c"#, None),
            ("a=~(", None),
        ];
        for (text, shown) in table {
            let read = Matcher::parse(text);
            assert_eq!(read.as_ref().map(ToString::to_string).ok().as_deref(), shown, "{text}: {read:?}");
        }
    }
}
