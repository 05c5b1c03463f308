//! Series as tests write them: a metric, and values in the expanding notation `1+1x5 _x3 stale`.

use crate::domain::series::labels::NAME;
use crate::domain::series::{Labels, stale};
use std::ops::Range;

/// The most values that one series may expand to.
pub const MAX_VALUES: usize = 1_000_000;

/// A series and its values, one for each interval; `None` where there is none.
#[derive(Clone, Debug)]
pub struct Input {
    pub labels: Labels,
    pub values: Vec<Option<f64>>,
}

/// What is wrong, and with which bytes of the text.
pub type Wrong = (String, Range<usize>);

/// Reads `name{label="value"}`, `name` or `{…}`.
pub fn metric(text: &str) -> Result<Labels, Wrong> {
    let mut reader = Reader { text, at: 0 };
    reader.blank();
    let start = reader.at;
    let name = reader.while_is(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err((format!("`{name}` cannot be the name of a series"), start..reader.at));
    }
    reader.blank();
    let mut pairs: Vec<(String, String)> = Vec::new();
    if !name.is_empty() {
        pairs.push((NAME.to_owned(), name.to_owned()));
    }
    if reader.rest().is_empty() && !name.is_empty() {
        return Ok(Labels::new(pairs));
    }
    reader.expect('{')?;
    loop {
        reader.blank();
        if reader.rest().starts_with('}') {
            break;
        }
        let start = reader.at;
        let label = reader.while_is(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
        if label.is_empty() || label.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(("expected a label's name or }".to_owned(), start..reader.at));
        }
        reader.blank();
        reader.expect('=')?;
        reader.blank();
        let value = reader.quoted()?;
        pairs.push((label, value));
        reader.blank();
        if !reader.rest().starts_with('}') {
            reader.expect(',')?;
        }
    }
    reader.at += 1;
    reader.blank();
    if !reader.rest().is_empty() {
        return Err(("nothing may stand after the }".to_owned(), reader.at..text.len()));
    }
    Ok(Labels::new(pairs))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn blank(&mut self) {
        self.while_is(char::is_whitespace);
    }

    fn while_is(&mut self, is: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !is(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("")
    }

    fn expect(&mut self, c: char) -> Result<(), Wrong> {
        if self.rest().starts_with(c) {
            self.at += c.len_utf8();
            return Ok(());
        }
        Err((format!("expected {c} here"), self.at..self.text.len().min(self.at + 1)))
    }

    /// A text in double quotes or single ones, with Go's escapes, or in backticks.
    fn quoted(&mut self) -> Result<String, Wrong> {
        let start = self.at;
        let quote = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        let Some(quote) = quote else {
            return Err(("expected a value in quotes".to_owned(), start..self.text.len().min(start + 1)));
        };
        let mut escaped = false;
        let end = self.rest().char_indices().skip(1).find(|(_, c)| {
            let ends = !escaped && *c == quote;
            escaped = !escaped && *c == '\\' && quote != '`';
            ends
        });
        let Some((end, _)) = end else {
            return Err(("the value has no closing quote".to_owned(), start..self.text.len()));
        };
        let body = self.rest().get(1..end).unwrap_or("");
        self.at += end + 1;
        if quote == '`' {
            return Ok(body.to_owned());
        }
        crate::domain::text::unescape_go(body)
            .ok_or_else(|| ("the value has an escape that Go does not know".to_owned(), start..self.at))
    }
}

/// Reads values in the expanding notation.
pub fn values(text: &str) -> Result<Vec<Option<f64>>, Wrong> {
    let mut values = Vec::new();
    let mut at = 0;
    for word in text.split_inclusive([' ', '\t', '\n', '\r']) {
        let span = at..at + word.trim_end().len();
        at += word.len();
        let word = word.trim_end();
        if word.is_empty() {
            continue;
        }
        let item = item(word).map_err(|why| (why, span.clone()))?;
        let count = item.values();
        if values.len().saturating_add(count) > MAX_VALUES {
            return Err((format!("a series has at most {MAX_VALUES} values"), span));
        }
        let mut value = item.first;
        for _ in 0..count {
            values.push(value);
            value = value.map(|v| v + item.step);
        }
    }
    Ok(values)
}

/// One word of the notation.
struct Item {
    first: Option<f64>,
    step: f64,
    times: Option<usize>,
}

impl Item {
    /// `1x5` is the value and five more; `_x5` are five.
    fn values(&self) -> usize {
        match (self.first, self.times) {
            (_, None) => 1,
            (None, Some(n)) => n,
            (Some(_), Some(n)) => n.saturating_add(1),
        }
    }
}

fn item(word: &str) -> Result<Item, String> {
    let wrong = || format!("`{word}` is no value such as 1, 1x5, 1+2x5, _, _x5, stale, NaN or -Inf");
    if word == "stale" {
        return Ok(Item { first: Some(stale()), step: 0.0, times: None });
    }
    if word.contains("{{") {
        return Err("native histograms are not supported".to_owned());
    }
    let (body, times) = match word.split_once('x') {
        Some((body, times)) if times.bytes().all(|b| b.is_ascii_digit()) && !times.is_empty() => {
            (body, Some(times.parse::<usize>().map_err(|_| wrong())?))
        }
        Some(_) => return Err(wrong()),
        None => (word, None),
    };
    if body == "_" {
        return Ok(Item { first: None, step: 0.0, times });
    }
    let (first, rest) = signed(body).ok_or_else(wrong)?;
    let step = match (rest, times) {
        ("", _) => 0.0,
        (step, Some(_)) if step.starts_with(['+', '-']) => match signed(step) {
            Some((step, "")) => step,
            _ => return Err(wrong()),
        },
        _ => return Err(wrong()),
    };
    // Prometheus reads `NaNx3` as one word, which is none that it knows.
    if times.is_some() && rest.is_empty() && !body.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(wrong());
    }
    Ok(Item { first: Some(first), step, times })
}

/// A number with a sign, and what follows it.
fn signed(text: &str) -> Option<(f64, &str)> {
    let (sign, body) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    for (name, value) in [("inf", f64::INFINITY), ("nan", f64::NAN)] {
        if let Some(head) = body.get(..3).filter(|h| h.eq_ignore_ascii_case(name)) {
            return Some((sign * value, body.get(head.len()..)?));
        }
    }
    let mut before = ' ';
    let end = body
        .char_indices()
        .find(|(_, c)| {
            let exponent_sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
            before = *c;
            !(c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E') || exponent_sign)
        })
        .map_or(body.len(), |(i, _)| i);
    let (number, rest) = body.split_at(end);
    let octal =
        number.len() > 1 && number.starts_with('0') && number.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let value = if octal {
        // As Prometheus reads it, which takes it for a whole number of Go first.
        u32::from_str_radix(number, 8).ok().map(f64::from)?
    } else {
        number.parse().ok()?
    };
    Some((sign * value, rest))
}
