//! `${param.NAME}` and `${each}` in the texts of a procedure: which stand there, and filling them
//! so that a value stays one value. What a text is made of (`PromQL`, JSON, SQL, a path …) says
//! how: inside quotes a value is escaped, outside only plain numbers may stand.

mod quotes;

use crate::domain::procedure::param::Kind;
use crate::domain::units;
use crate::domain::{id, text};
use quotes::Quote;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;

/// What a text is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// Words for people, or data that nobody takes apart.
    Text,
    /// Nothing may be filled in but the run's id: a program, a script.
    Fixed,
    /// One argument of a command.
    Argument,
    /// An absolute path.
    Path,
    Url,
    Json,
    /// A body: JSON when it reads as JSON.
    Body,
    Sql,
    /// `PromQL`.
    Expr,
    /// `name="value"`.
    Matcher,
    /// `[STATUS] == 200`, on an answer.
    Condition,
    /// A word that the target checks: a unit, a user, an address, a port.
    Word,
}

/// What one placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    Param(&'a str),
    Each,
    Run(&'a str),
    Secret(&'a str),
}

/// A value to be filled in, and of what kind it is; the item of a round has none.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    pub text: &'a str,
    pub kind: Option<&'a Kind>,
}

/// The longest text after filling, in bytes.
pub const MAX_FILLED: usize = 1 << 20;

/// The placeholders of a text, in order. Others, such as a shell's own `${HOME}`, are none.
pub fn names(text: &str) -> Vec<(Name<'_>, Range<usize>)> {
    let mut out = Vec::new();
    let mut from = 0;
    while let Some(start) = text.get(from..).and_then(|rest| rest.find("${")).map(|at| from + at) {
        let inner = text.get(start + 2..).unwrap_or("");
        let Some((name, _)) = inner.split_once('}') else { break };
        let end = start + 2 + name.len() + 1;
        let found = match name.split_once('.') {
            _ if name == "each" => Some(Name::Each),
            Some(("param", id)) => Some(Name::Param(id)),
            Some(("run", part)) => Some(Name::Run(part)),
            Some(("secret", id)) => Some(Name::Secret(id)),
            _ => None,
        };
        // `${a${each}}`: the inner one is one all the same.
        from = if found.is_some() { end } else { start + 2 };
        out.extend(found.map(|name| (name, start..end)));
    }
    out
}

/// Fills parameters and the item of a round; the run's id and secrets stay.
///
/// # Errors
/// A value that may not stand there, or one that is not known; it completes "failed to fill: …".
pub fn fill<'v>(
    template: &str,
    lang: Lang,
    value: &dyn Fn(Name<'_>) -> Option<Value<'v>>,
) -> Result<String, String> {
    let mut out = String::with_capacity(template.len());
    let mut from = 0;
    let lang = if lang == Lang::Body { of_body(template) } else { lang };
    for (name, range) in names(template) {
        let shown = template.get(range.clone()).unwrap_or("");
        if matches!(name, Name::Run(_) | Name::Secret(_)) {
            continue;
        }
        let found = value(name).ok_or_else(|| format!("nothing is known of {shown}"))?;
        out.push_str(template.get(from..range.start).unwrap_or(""));
        let before = template.get(..range.start).unwrap_or("");
        let here = placed(lang, before, found)
            .map_err(|why| format!("{shown} stands for \"{}\", and {why}", text::one_line(found.text, 60)))?;
        out.push_str(&here);
        from = range.end;
        if out.len() > MAX_FILLED {
            return Err(format!("what is filled in is longer than {MAX_FILLED} bytes"));
        }
    }
    out.push_str(template.get(from..).unwrap_or(""));
    Ok(out)
}

/// A text for people before anything is planned: the values that are known and, in the place of each
/// other, what it is called: "Restart UNIT".
pub fn sketch(template: &str, known: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut from = 0;
    for (name, range) in names(template) {
        out.push_str(template.get(from..range.start).unwrap_or(""));
        match name {
            Name::Param(id) => match known.get(id).filter(|v| !v.is_empty()) {
                Some(value) => out.push_str(value),
                None => out.push_str(&id.to_uppercase()),
            },
            Name::Each => out.push_str("EACH"),
            Name::Run(_) => out.push_str("RUN"),
            Name::Secret(_) => out.push_str("SECRET"),
        }
        from = range.end;
    }
    out.push_str(template.get(from..).unwrap_or(""));
    out
}

/// A body that reads as JSON with a word in each place is filled as JSON.
fn of_body(template: &str) -> Lang {
    let mut plain = String::new();
    let mut from = 0;
    for (_, range) in names(template) {
        plain.push_str(template.get(from..range.start).unwrap_or(""));
        plain.push('1');
        from = range.end;
    }
    plain.push_str(template.get(from..).unwrap_or(""));
    if serde_json::from_str::<serde::de::IgnoredAny>(&plain).is_ok() { Lang::Json } else { Lang::Text }
}

/// A value as it is written after `before`.
fn placed(lang: Lang, before: &str, value: Value<'_>) -> Result<String, String> {
    let plain = || Ok(value.text.to_owned());
    match lang {
        Lang::Fixed => Err("no value may stand here".to_owned()),
        Lang::Argument if before.is_empty() && value.text.starts_with('-') && !value.is_number() => {
            Err("an argument that begins with - would be an option".to_owned())
        }
        Lang::Text | Lang::Word | Lang::Body | Lang::Argument => plain(),
        Lang::Path => {
            let whole = before.is_empty() && matches!(value.kind, Some(Kind::Path) | None);
            if whole || matches!(value.kind, Some(Kind::Choice { .. })) || !value.text.contains('/') {
                plain()
            } else {
                Err("a value is one part of a path and has no / in it".to_owned())
            }
        }
        Lang::Url => in_url(before, value.text),
        Lang::Json | Lang::Sql | Lang::Expr | Lang::Matcher | Lang::Condition => {
            let quote = quotes::at_end(lang, before)?;
            match quote {
                Quote::None => outside(lang, value),
                Quote::In(..) => quotes::escape(lang, quote, value.text),
            }
        }
    }
}

/// Where no quotes are, only what cannot be anything but one value.
fn outside(lang: Lang, value: Value<'_>) -> Result<String, String> {
    let number = value.is_number();
    let fits = match lang {
        Lang::Expr => number || value.is_span(),
        Lang::Matcher | Lang::Condition => {
            !value.text.is_empty()
                && value.text.chars().all(|c| c.is_ascii_alphanumeric() || "._:/@-".contains(c))
        }
        _ => number,
    };
    if !fits {
        return Err("outside quotes only a number may stand here".to_owned());
    }
    // `a -${x}` must not become a comment of SQL, nor change what is taken first.
    let negative = value.text.starts_with('-') && matches!(lang, Lang::Sql | Lang::Expr);
    Ok(if negative { format!("({})", value.text) } else { value.text.to_owned() })
}

fn in_url(before: &str, value: &str) -> Result<String, String> {
    let in_path = before.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?']));
    if !in_path {
        let host = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        let whole = value.chars().all(host);
        return if whole { Ok(value.to_owned()) } else { Err("it is no name of a host".to_owned()) };
    }
    if value.chars().all(|c| c == '.') {
        return Err("it would climb out of the path".to_owned());
    }
    let mut out = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Ok(out)
}

impl Value<'_> {
    fn is_number(&self) -> bool {
        let of_kind = matches!(self.kind, Some(Kind::Int { .. }) | None);
        of_kind && self.text.parse::<i64>().is_ok()
    }

    /// A duration as `PromQL` writes it.
    fn is_span(&self) -> bool {
        let of_kind = matches!(self.kind, Some(Kind::Duration) | None);
        let whole = self.text.chars().all(|c| c.is_ascii_digit() || "mshdwy".contains(c));
        of_kind && whole && units::parse_duration(self.text).is_some()
    }
}

/// A value of each kind that is surely one, to try a text with.
pub fn sample(kind: &Kind) -> String {
    match kind {
        Kind::Ip => "192.0.2.1".to_owned(),
        Kind::Cidr => "192.0.2.0/24".to_owned(),
        Kind::Unit => "sample.service".to_owned(),
        Kind::Service | Kind::User | Kind::Regex { .. } => "sample".to_owned(),
        Kind::Path => "/sample".to_owned(),
        Kind::Int { min, .. } => min.to_string(),
        Kind::Duration => "1m".to_owned(),
        Kind::Choice { values } => values.first().cloned().unwrap_or_default(),
    }
}

/// The text with the run's id and secrets replaced by words, so that its form can be checked.
pub fn neutral(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (name, range) in names(text) {
        out.push_str(text.get(from..range.start).unwrap_or(""));
        out.push_str(match name {
            Name::Run(_) => "run",
            Name::Secret(_) => "secret",
            Name::Param(_) | Name::Each => "x",
        });
        from = range.end;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    out
}

/// Whether a name of a secret or parameter could be one.
pub fn is_id(name: &str) -> bool {
    id::is_valid(name)
}

#[cfg(test)]
mod tests;
