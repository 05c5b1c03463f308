//! Values that several kinds take and check in the same way: absolute paths, patterns, names.

use crate::domain::text;
use crate::stack::decode::{At, Table};
use regex::Regex;
use std::ops::Range;

/// The largest compiled pattern, in bytes; a file cannot ask for more memory than this.
const MAX_PATTERN: usize = 1 << 20;

/// An absolute path without control characters, which a tool's answer could not be split at.
pub fn need_path(t: &Table<'_>, key: &'static str) -> Option<String> {
    t.need_str(key).and_then(|found| path(t, key, found))
}

/// As [`need_path`], for a key that may be absent.
pub fn opt_path(t: &Table<'_>, key: &'static str) -> Option<String> {
    t.str(key).and_then(|found| path(t, key, found))
}

fn path(t: &Table<'_>, key: &str, found: At<String>) -> Option<String> {
    if found.value.starts_with('/') && !found.value.contains(char::is_control) {
        return Some(found.value);
    }
    refuse(t, key, &found, "an absolute path", None);
    None
}

/// A regular expression, which may match anywhere.
pub fn opt_pattern(t: &Table<'_>, key: &'static str) -> Option<Regex> {
    let found = t.str(key)?;
    match regex::RegexBuilder::new(&found.value).size_limit(MAX_PATTERN).build() {
        Ok(pattern) => Some(pattern),
        Err(e) => {
            let why = text::one_line(e.to_string().lines().last().unwrap_or("it cannot be read"), 120);
            refuse(t, key, &found, "a regular expression", Some(why));
            None
        }
    }
}

/// A name of one word: of a user, an interface, a process.
pub fn opt_word(t: &Table<'_>, key: &'static str, what: &str, max: usize) -> Option<String> {
    t.str(key).and_then(|found| word(t, key, found, what, max))
}

/// As [`opt_word`], for a key that must be there.
pub fn need_word(t: &Table<'_>, key: &'static str, what: &str, max: usize) -> Option<String> {
    t.need_str(key).and_then(|found| word(t, key, found, what, max))
}

fn word(t: &Table<'_>, key: &str, found: At<String>, what: &str, max: usize) -> Option<String> {
    let good = !found.value.is_empty()
        && found.value.len() <= max
        && !found.value.starts_with('-')
        && !found.value.contains(|c: char| c.is_control() || c.is_whitespace() || c == '/');
    if good {
        return Some(found.value);
    }
    refuse(t, key, &found, what, None);
    None
}

/// Whether a name may stand for an environment variable.
pub fn is_variable(name: &str) -> bool {
    name.len() <= 256
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Notes that a key's value is not what it has to be.
pub fn refuse(t: &Table<'_>, key: &str, found: &At<String>, expected: &str, help: Option<String>) {
    let shown = text::one_line(&found.value, 60);
    let span: Range<usize> = found.span.clone();
    t.reader.error(span, format!("`{key}` expects {expected}, got \"{shown}\""), help);
}
