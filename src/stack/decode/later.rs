//! Reading values whose parts are filled in later, and values of free form: what the steps of a
//! procedure need beside what all tables have.

use super::{At, Table};
use crate::domain::units;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;
use toml::de::DeValue;

/// How deep a free value may be nested.
const MAX_DEPTH: usize = 16;

/// A part of a key's value, for its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// An element of a list.
    Item(usize),
    /// An entry of a table.
    Name(String),
}

/// A duration, or a text that becomes one once its parameters are known.
#[derive(Clone, Debug)]
pub enum Span {
    Known(Duration),
    Later(At<String>),
}

impl<'a> Table<'a> {
    /// What the table is, for messages.
    pub fn what(&self) -> &'a str {
        self.what
    }

    /// Makes a key known that is not read, because what is wrong with it is told otherwise.
    pub fn ask(&self, key: &'a str) {
        self.get(key);
    }

    /// The place of a part of a key's value, or of the whole where there is no such part.
    pub fn span_of_part(&self, key: &str, part: &Part) -> Range<usize> {
        let found = match (part, self.entries.get(key).map(toml::Spanned::get_ref)) {
            (Part::Item(i), Some(DeValue::Array(items))) => items.get(*i).map(toml::Spanned::span),
            (Part::Name(name), Some(DeValue::Table(t))) => t.get(name.as_str()).map(toml::Spanned::span),
            _ => None,
        };
        found.unwrap_or_else(|| self.span_of(key))
    }

    /// A duration, which a parameter or the item of a round may give.
    pub fn duration_or_later(&self, key: &'a str, bounds: RangeInclusive<Duration>) -> Option<Span> {
        let (value, span) = self.get(key)?;
        if let DeValue::String(s) = value {
            let text = self.reader.fill(s, &span);
            if text.contains("${") {
                return Some(Span::Later(At { value: text, span }));
            }
            if let Some(d) = units::parse_duration(&text).filter(|d| bounds.contains(d)) {
                return Some(Span::Known(d));
            }
        }
        // Reports what is wrong.
        self.duration(key, bounds).map(Span::Known)
    }

    /// A value of free form as JSON text: tables and lists as they are, a text as a JSON string.
    pub fn json(&self, key: &'a str) -> Option<At<String>> {
        let (value, span) = self.get(key)?;
        let json = self.as_json(key, value, &span, 0)?;
        Some(At { value: json.to_string(), span })
    }

    /// A list of whole numbers within bounds; one number is a list of one.
    pub fn ints(&self, key: &'a str, bounds: RangeInclusive<i64>) -> Option<Vec<i64>> {
        let (value, span) = self.get(key)?;
        let one = |value: &DeValue<'_>| match value {
            DeValue::Integer(n) => {
                i64::from_str_radix(n.as_str(), n.radix()).ok().filter(|n| bounds.contains(n))
            }
            _ => None,
        };
        let all = match value {
            DeValue::Array(items) => items.iter().map(|i| one(i.get_ref())).collect(),
            other => one(other).map(|n| vec![n]),
        };
        if all.is_none() {
            let (low, high) = (bounds.start(), bounds.end());
            self.wrong(key, span, &format!("whole numbers from {low} to {high}"), value);
        }
        all
    }

    /// A text; a whole number is taken as it is written.
    pub fn str_or_number(&self, key: &'a str) -> Option<At<String>> {
        match self.get(key)? {
            (DeValue::Integer(n), span) => {
                Some(At { value: i64::from_str_radix(n.as_str(), n.radix()).ok()?.to_string(), span })
            }
            _ => self.str(key),
        }
    }

    /// Whether the value of a key is a text.
    pub fn is_text(&self, key: &str) -> bool {
        matches!(self.entries.get(key).map(toml::Spanned::get_ref), Some(DeValue::String(_)))
    }

    fn as_json(
        &self,
        key: &str,
        value: &DeValue<'_>,
        span: &Range<usize>,
        depth: usize,
    ) -> Option<serde_json::Value> {
        use serde_json::Value;
        if depth > MAX_DEPTH {
            let message = format!("`{key}` is nested more than {MAX_DEPTH} deep");
            self.reader.error(span.clone(), message, None);
            return None;
        }
        Some(match value {
            DeValue::String(s) => Value::String(self.reader.fill(s, span)),
            DeValue::Integer(n) => Value::from(i64::from_str_radix(n.as_str(), n.radix()).ok()?),
            DeValue::Float(n) => Value::from(n.as_str().replace('_', "").parse::<f64>().ok()?),
            DeValue::Boolean(b) => Value::Bool(*b),
            DeValue::Array(items) => {
                let each =
                    |i: &toml::Spanned<DeValue<'_>>| self.as_json(key, i.get_ref(), &i.span(), depth + 1);
                Value::Array(items.iter().map(each).collect::<Option<_>>()?)
            }
            DeValue::Table(t) => {
                let each = |(k, v): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                    let name: &std::borrow::Cow<'_, str> = k.get_ref();
                    Some((name.to_string(), self.as_json(key, v.get_ref(), &v.span(), depth + 1)?))
                };
                Value::Object(t.iter().map(each).collect::<Option<_>>()?)
            }
            DeValue::Datetime(_) => {
                self.wrong(key, span.clone(), "what JSON can say; write dates as texts", value);
                return None;
            }
        })
    }
}
