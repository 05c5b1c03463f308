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
                regex::RegexBuilder::new(&format!("^(?s:{})$", super::regex::go_regex(&value)))
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
}
