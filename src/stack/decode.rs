//! Reading TOML tables strictly: every key asked for by name and type, every mistake noted with
//! its place, and nothing lost because of an earlier mistake.
//!
//! Why not plain serde: it stops at the first error, and a person who fixes a file at 3 am wants
//! them all. The readers remember which keys were asked for, so an unknown key gets the nearest
//! valid name without a second list that could go stale.

mod later;
mod reader;

pub use later::{Part, Span};
pub use reader::{Asked, At, MAX_FILE, Reader};

use crate::domain::condition::Condition;
use crate::domain::{id, text, units};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// One table being read. Call [`Table::finish`] at its end.
pub struct Table<'a> {
    pub reader: &'a Reader,
    entries: &'a DeTable<'a>,
    /// Where the table stands, for what is missing from it.
    pub span: Range<usize>,
    /// What it is, for messages: `probe`, `layer`.
    what: &'a str,
    asked: RefCell<Vec<&'a str>>,
}

impl<'a> Table<'a> {
    pub fn new(reader: &'a Reader, table: &'a DeTable<'a>, span: Range<usize>, what: &'a str) -> Self {
        Table { reader, entries: table, span, what, asked: RefCell::default() }
    }

    fn get(&self, key: &'a str) -> Option<(&'a DeValue<'a>, Range<usize>)> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.entries.get(key).map(|v| (v.get_ref(), v.span()))
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The place of a key's value, or of the table when the key is absent.
    pub fn span_of(&self, key: &str) -> Range<usize> {
        self.entries.get(key).map_or_else(|| self.span.clone(), toml::Spanned::span)
    }

    fn wrong(&self, key: &str, span: Range<usize>, expected: &str, got: &DeValue<'_>) {
        let got = match got {
            DeValue::String(s) => format!("the text \"{}\"", text::one_line(s, 40)),
            DeValue::Integer(n) => format!("the number {}", n.as_str()),
            DeValue::Float(n) => format!("the number {}", n.as_str()),
            DeValue::Boolean(b) => b.to_string(),
            other => format!("a value of type {}", other.type_str()),
        };
        self.reader.error(span, format!("`{key}` expects {expected}, got {got}"), None);
    }

    fn missing(&self, key: &str, expected: &str) {
        self.reader.error(
            self.span.clone(),
            format!("this {} has no `{key}`; it needs {expected}", self.what),
            None,
        );
    }

    pub fn str(&self, key: &'a str) -> Option<At<String>> {
        match self.get(key)? {
            (DeValue::String(s), span) => Some(At { value: self.reader.fill(s, &span), span }),
            (other, span) => {
                self.wrong(key, span, "a text", other);
                None
            }
        }
    }

    pub fn need_str(&self, key: &'a str) -> Option<At<String>> {
        let value = self.str(key);
        if value.is_none() && !self.has(key) {
            self.missing(key, "a text");
        }
        value
    }

    /// A text with a default.
    pub fn str_or(&self, key: &'a str, default: &str) -> String {
        self.str(key).map_or_else(|| default.to_owned(), |s| s.value)
    }

    /// An id: see [`id::is_valid`].
    pub fn need_id(&self, key: &'a str) -> Option<At<String>> {
        let found = self.need_str(key)?;
        if id::is_valid(&found.value) {
            return Some(found);
        }
        let help = format!("lower-case letters, digits, - _ and ., at most {} of them", id::MAX_ID);
        self.reader.error(
            found.span,
            format!("`{}` is no valid id", text::one_line(&found.value, 60)),
            Some(help),
        );
        None
    }

    pub fn bool_or(&self, key: &'a str, default: bool) -> bool {
        self.bool(key).unwrap_or(default)
    }

    pub fn bool(&self, key: &'a str) -> Option<bool> {
        match self.get(key)? {
            (DeValue::Boolean(b), _) => Some(*b),
            (other, span) => {
                self.wrong(key, span, "true or false", other);
                None
            }
        }
    }

    /// A whole number within bounds. A text is accepted too, so that a `${variable}` can give it.
    pub fn int(&self, key: &'a str, bounds: RangeInclusive<i64>) -> Option<i64> {
        let (value, span) = self.get(key)?;
        let number = match value {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok(),
            DeValue::String(s) => self.reader.fill(s, &span).parse().ok(),
            _ => None,
        };
        if let Some(n) = number.filter(|n| bounds.contains(n)) {
            return Some(n);
        }
        self.wrong(key, span, &format!("a whole number from {} to {}", bounds.start(), bounds.end()), value);
        None
    }

    pub fn int_or(&self, key: &'a str, default: i64, bounds: RangeInclusive<i64>) -> i64 {
        self.int(key, bounds).unwrap_or(default)
    }

    /// A finite number, whole or not. A text is accepted too, so that a `${variable}` can give it.
    pub fn number(&self, key: &'a str) -> Option<f64> {
        let (value, span) = self.get(key)?;
        let number: Option<f64> = match value {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok().map(|n| n as f64),
            DeValue::Float(n) => n.as_str().replace('_', "").parse().ok(),
            DeValue::String(s) => self.reader.fill(s, &span).parse().ok(),
            _ => None,
        };
        if let Some(n) = number.filter(|n| n.is_finite()) {
            return Some(n);
        }
        self.wrong(key, span, "a number", value);
        None
    }

    /// A duration with its unit, within bounds.
    pub fn duration(&self, key: &'a str, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        let (value, span) = self.get(key)?;
        let parsed = match value {
            DeValue::String(s) => units::parse_duration(&self.reader.fill(s, &span)),
            _ => None,
        };
        if let Some(d) = parsed.filter(|d| bounds.contains(d)) {
            return Some(d);
        }
        let (low, high) = (units::exact(*bounds.start()), units::exact(*bounds.end()));
        self.wrong(key, span, &format!("a duration from {low} to {high}, such as \"5s\""), value);
        None
    }

    pub fn duration_or(&self, key: &'a str, default: Duration, bounds: RangeInclusive<Duration>) -> Duration {
        self.duration(key, bounds).unwrap_or(default)
    }

    /// A number of bytes, whole or with its unit, within bounds.
    pub fn size(&self, key: &'a str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let (value, span) = self.get(key)?;
        let parsed = match value {
            DeValue::Integer(n) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
            DeValue::String(s) => units::parse_quantity(&self.reader.fill(s, &span))
                .filter(|q| matches!(q.unit, units::Unit::Bytes | units::Unit::None) && q.value >= 0.0)
                .map(|q| q.value as u64),
            _ => None,
        };
        if let Some(n) = parsed.filter(|n| bounds.contains(n)) {
            return Some(n);
        }
        let (low, high) = (units::bytes(*bounds.start() as f64), units::bytes(*bounds.end() as f64));
        self.wrong(key, span, &format!("a size from {low} to {high}, such as \"1MiB\""), value);
        None
    }

    /// One of a few words.
    pub fn choice(&self, key: &'a str, words: &[&'static str]) -> Option<&'static str> {
        let found = self.str(key)?;
        if let Some(word) = words.iter().find(|w| **w == found.value) {
            return Some(word);
        }
        let help =
            text::nearest(&found.value, words.iter().copied()).map(|n| format!("did you mean \"{n}\"?"));
        let got = text::one_line(&found.value, 40);
        self.reader.error(
            found.span,
            format!("`{key}` expects one of {}, got \"{got}\"", words.join(", ")),
            help,
        );
        None
    }

    /// A list of texts; a single text is a list of one.
    pub fn strings(&self, key: &'a str) -> Option<Vec<At<String>>> {
        let (value, span) = self.get(key)?;
        match value {
            DeValue::String(s) => Some(vec![At { value: self.reader.fill(s, &span), span }]),
            DeValue::Array(items) => {
                let mut out = Vec::new();
                for item in items {
                    match item.get_ref() {
                        DeValue::String(s) => {
                            out.push(At { value: self.reader.fill(s, &item.span()), span: item.span() });
                        }
                        other => self.wrong(key, item.span(), "a list of texts", other),
                    }
                }
                Some(out)
            }
            other => {
                self.wrong(key, span, "a list of texts", other);
                None
            }
        }
    }

    /// An argv: a list with at least the program. A single text is refused: no shell splits it.
    pub fn argv(&self, key: &'a str) -> Option<Vec<String>> {
        if let Some((DeValue::String(s), span)) = self.get(key) {
            let words: Vec<String> = s.split_whitespace().map(|w| format!("\"{w}\"")).collect();
            let help = format!("no shell splits it; write {key} = [{}]", words.join(", "));
            self.reader.error(
                span,
                format!("`{key}` expects a list of texts, one for each argument"),
                Some(help),
            );
            return None;
        }
        let argv: Vec<String> = self.strings(key)?.into_iter().map(|s| s.value).collect();
        if argv.first().is_none_or(String::is_empty) {
            self.reader.error(
                self.span_of(key),
                format!("`{key}` expects at least the program to run"),
                None,
            );
            return None;
        }
        Some(argv)
    }

    pub fn conditions(&self, key: &'a str) -> Vec<At<Condition>> {
        let mut out = Vec::new();
        for found in self.strings(key).unwrap_or_default() {
            match found.value.parse::<Condition>() {
                Ok(condition) => out.push(At { value: condition, span: found.span }),
                Err(e) => {
                    let place = found.value.get(e.at..).filter(|r| !r.is_empty());
                    let help = place.map(|r| format!("at `{}`", text::one_line(r, 40)));
                    self.reader.error(found.span, format!("not a condition: {}", e.message), help);
                }
            }
        }
        out
    }

    /// A table below this one.
    pub fn table(&self, key: &'a str, what: &'a str) -> Option<Table<'a>> {
        match self.get(key)? {
            (DeValue::Table(t), span) => Some(Table::new(self.reader, t, span, what)),
            (other, span) => {
                self.wrong(key, span, "a table", other);
                None
            }
        }
    }

    /// `[[key]]`: a list of tables.
    pub fn tables(&self, key: &'a str, what: &'a str) -> Vec<Table<'a>> {
        let Some((value, span)) = self.get(key) else { return Vec::new() };
        let DeValue::Array(items) = value else {
            self.wrong(key, span, &format!("a list of tables, written [[{key}]]"), value);
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(t) => out.push(Table::new(self.reader, t, item.span(), what)),
                other => self.wrong(key, item.span(), "a table", other),
            }
        }
        out
    }

    /// The tables below this one, by name: `[hosts.vpn]`.
    pub fn named_tables(&self, key: &'a str, what: &'a str) -> Vec<(At<String>, Table<'a>)> {
        let Some(parent) = self.table(key, what) else { return Vec::new() };
        let mut out = Vec::new();
        for (name, value) in parent.entries {
            let at = At { value: name.get_ref().to_string(), span: name.span() };
            match value.get_ref() {
                DeValue::Table(t) => out.push((at, Table::new(self.reader, t, name.span(), what))),
                other => self.wrong(name.get_ref(), value.span(), &format!("a table for the {what}"), other),
            }
        }
        out
    }

    /// Names and texts; numbers and booleans are taken as they are written.
    pub fn text_map(&self, key: &'a str) -> BTreeMap<String, At<String>> {
        let Some(parent) = self.table(key, key) else { return BTreeMap::new() };
        let mut out = BTreeMap::new();
        for (name, value) in parent.entries {
            let text = match value.get_ref() {
                DeValue::String(s) => self.reader.fill(s, &value.span()),
                DeValue::Integer(n) => n.as_str().to_owned(),
                DeValue::Float(n) => n.as_str().to_owned(),
                DeValue::Boolean(b) => b.to_string(),
                other => {
                    self.wrong(name.get_ref(), value.span(), "a text", other);
                    continue;
                }
            };
            out.insert(name.get_ref().to_string(), At { value: text, span: name.span() });
        }
        out
    }

    /// `{ secret = "name" }`: a secret by reference. A text is refused, so that none is written here.
    pub fn secret(&self, key: &'a str) -> Option<id::SecretId> {
        match self.get(key)? {
            (DeValue::Table(t), span) => {
                let inner = Table::new(self.reader, t, span, "secret reference");
                let name = inner.need_id("secret");
                inner.finish();
                let name = name.map(|n| At { value: id::SecretId::new(&n.value), span: n.span });
                self.reader.secrets.borrow_mut().extend(name.clone());
                name.map(|n| n.value)
            }
            (_, span) => {
                let help =
                    format!("write {key} = {{ secret = \"NAME\" }} and define [secrets.NAME] in config.toml");
                let message = format!("`{key}` is a secret and must not stand in a file");
                self.reader.error_hiding(span, message, help);
                None
            }
        }
    }

    /// The keys that stand here and where, in the order of the file. Listing them does not make
    /// them known: each must still be asked for.
    pub fn keys(&self) -> Vec<(&'a str, Range<usize>)> {
        let mut keys: Vec<(&str, Range<usize>)> =
            self.entries.keys().map(|k| (k.get_ref().as_ref(), k.span())).collect();
        keys.sort_by_key(|(_, span)| span.start);
        keys
    }

    /// Whether the value of a key is a table.
    pub fn is_table(&self, key: &str) -> bool {
        matches!(self.entries.get(key).map(toml::Spanned::get_ref), Some(DeValue::Table(_)))
    }

    /// Notes every key that nobody asked for.
    pub fn finish(self) {
        self.check_keys();
    }

    /// As [`Table::finish`], where the table is still needed.
    pub fn check_keys(&self) {
        let asked = self.asked.borrow().clone();
        self.reader.asked.borrow_mut().push(Asked {
            what: self.what.to_owned(),
            asked: asked.iter().map(|k| (*k).to_owned()).collect(),
            present: self.entries.keys().map(|k| k.get_ref().to_string()).collect(),
        });
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            if asked.contains(&name) {
                continue;
            }
            let mut valid = asked.clone();
            valid.sort_unstable();
            let help = match text::nearest(name, valid.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("valid here: {}", valid.join(", ")),
            };
            let shown = text::one_line(name, 60);
            self.reader.error(key.span(), format!("unknown key `{shown}` in this {}", self.what), Some(help));
        }
    }
}
