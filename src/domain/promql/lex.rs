//! Words of an expression as Prometheus 2.42 reads them, before the parser crate sees them. The
//! crate reads some texts otherwise than Prometheus (numbers without a unit where a duration must
//! stand, `017e1`, durations that overflow, `or` between matchers), panics on others, and builds a
//! tree as deep as the text says. So the words are read here, checked and bounded, and written
//! again in a form that can be read in one way only.

use super::table::{self, AGGREGATIONS, Func};
use super::{MAX_OPERATORS, MAX_TEXT, ParseError};
use std::fmt::Write;
use std::ops::Range;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    Name(String),
    Number(f64),
    Duration(String),
    Text(String),
    Sign(&'static str),
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub word: Word,
    pub span: Range<usize>,
}

/// How deep brackets may be nested.
const MAX_NESTING: usize = 100;

/// The longest duration, in milliseconds: what fits Prometheus' nanoseconds in 64 bits.
const MAX_DURATION: u64 = 9_223_372_036_854;

/// Written before names that the crate takes for words of a newer grammar. No name of a metric
/// or label can begin so in a text, because such a name is refused here.
pub(super) const GUARD: &str = "__quarterdeck_";

/// Names that are words of the grammar to the crate and plain names to Prometheus 2.42.
const NEWER_WORDS: &[&str] =
    &["smoothed", "anchored", "fill", "fill_left", "fill_right", "limitk", "limit_ratio"];

/// Longer signs before those that they begin with.
const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "=~", "!~", "+", "-", "*", "/", "%", "^", "<", ">", "=", "(", ")", "{", "}", "[",
    "]", ",", ":", "@",
];

pub(super) fn error(message: impl Into<String>, span: Range<usize>) -> ParseError {
    ParseError { message: message.into(), span }
}

/// The words of a text.
///
/// # Errors
/// What is no word, and what is over a bound.
pub(super) fn words(text: &str) -> Result<Vec<Token>, ParseError> {
    if text.len() > MAX_TEXT {
        return Err(error(format!("the expression is longer than {MAX_TEXT} bytes"), 0..text.len()));
    }
    let mut tokens: Vec<Token> = Vec::new();
    let mut open: Vec<&'static str> = Vec::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or("");
        if matches!(c, ' ' | '\t' | '\n' | '\r') {
            at += 1;
            continue;
        }
        if c == '#' {
            at += rest.find(['\n', '\r']).unwrap_or(rest.len());
            continue;
        }
        let in_braces = open.last() == Some(&"{");
        let (word, len) = word(rest, in_braces).map_err(|m| error(m, at..at + c.len_utf8()))?;
        let span = at..at + len;
        if let Word::Sign(sign) = word {
            nest(&mut open, sign).map_err(|m| error(m, span.clone()))?;
        }
        at += len;
        tokens.push(Token { word, span });
    }
    if let Some(sign) = open.last() {
        return Err(error(format!("{sign} is never closed"), 0..text.len()));
    }
    if tokens.is_empty() {
        return Err(error("the expression is empty", 0..text.len()));
    }
    Ok(tokens)
}

fn nest(open: &mut Vec<&'static str>, sign: &'static str) -> Result<(), String> {
    let opener = match sign {
        "(" | "{" | "[" => {
            open.push(sign);
            return if open.len() > MAX_NESTING {
                Err(format!("brackets are nested more than {MAX_NESTING} deep"))
            } else {
                Ok(())
            };
        }
        ")" => "(",
        "}" => "{",
        "]" => "[",
        _ => return Ok(()),
    };
    if open.pop() == Some(opener) { Ok(()) } else { Err(format!("{sign} closes nothing")) }
}

fn word(rest: &str, in_braces: bool) -> Result<(Word, usize), String> {
    let first = rest.chars().next().unwrap_or(' ');
    let second = rest.chars().nth(1).unwrap_or(' ');
    if first.is_ascii_digit() || (first == '.' && second.is_ascii_digit()) {
        return number_or_duration(rest);
    }
    // Inside braces a colon is no part of a name.
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == ':' && !in_braces);
    let starts_name = first.is_ascii_alphabetic()
        || first == '_'
        || (first == ':' && !in_braces && name_after_colon(second));
    if starts_name {
        let len = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let name = rest.get(..len).unwrap_or("");
        if name.starts_with(GUARD) {
            return Err(format!("names that begin with {GUARD} are kept for the program itself"));
        }
        let number = match name.to_ascii_lowercase().as_str() {
            "inf" if !in_braces => Some(f64::INFINITY),
            "nan" if !in_braces => Some(f64::NAN),
            _ => None,
        };
        return Ok((number.map_or_else(|| Word::Name(name.to_owned()), Word::Number), len));
    }
    if matches!(first, '"' | '\'' | '`') {
        return super::quote::unquote(rest).map(|(text, len)| (Word::Text(text), len));
    }
    SIGNS.iter().find(|s| rest.starts_with(**s)).map(|s| (Word::Sign(s), s.len())).ok_or_else(|| {
        format!("`{}` has no meaning here", crate::domain::text::one_line(&first.to_string(), 4))
    })
}

/// A colon begins a name (`:up`), and stands in a subquery's brackets (`[5m:1m]`, `[5m:]`).
fn name_after_colon(second: char) -> bool {
    second.is_ascii_alphabetic() || second == '_' || second == ':'
}

fn number_or_duration(rest: &str) -> Result<(Word, usize), String> {
    let hex = rest.starts_with("0x") || rest.starts_with("0X");
    let bytes = rest.as_bytes();
    let digits = |mut i: usize, hex: bool| {
        while bytes.get(i).is_some_and(|b| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() }) {
            i += 1;
        }
        i
    };
    let mut end = digits(if hex { 2 } else { 0 }, hex);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1, hex);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        end += 1;
        if matches!(bytes.get(end), Some(b'+' | b'-')) {
            end += 1;
        }
        end = digits(end, false);
    }
    let goes_on =
        |i: usize| bytes.get(i).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
    if !goes_on(end) {
        let text = rest.get(..end).unwrap_or("");
        return number(text).map(|v| (Word::Number(v), end)).ok_or_else(|| format!("{text} is no number"));
    }
    while goes_on(end) {
        end += 1;
    }
    let text = rest.get(..end).unwrap_or("");
    duration(text).map(|_| (Word::Duration(text.to_owned()), end))
}

/// A number as Prometheus reads it: first as an integer of base 8, 10 or 16, then as a float.
fn number(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(|v| v as f64);
    }
    let octal = (lower.len() > 1).then(|| lower.strip_prefix('0')).flatten();
    if let Some(v) = octal.and_then(|o| i64::from_str_radix(o, 8).ok()) {
        return Some(v as f64);
    }
    // Prometheus refuses what is too large for a float, where Rust gives infinity.
    lower.parse().ok().filter(|v: &f64| v.is_finite())
}

/// A duration in milliseconds: whole numbers with units from years down to milliseconds.
///
/// # Errors
/// Unit missing, unknown or out of order, zero, or more than fits.
pub(super) fn duration(text: &str) -> Result<i64, String> {
    const UNITS: &[(&str, u64)] = &[
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let bad = || format!("{text} is no duration (as in 90s, 5m, 1h30m)");
    let (mut rest, mut total, mut units) = (text, 0u64, UNITS);
    while !rest.is_empty() {
        let split = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (count, after) = rest.split_at(split);
        let unit_len = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let place = units.iter().position(|(u, _)| *u == unit).ok_or_else(bad)?;
        let millis = units.get(place).map_or(0, |(_, m)| *m);
        units = units.get(place + 1..).unwrap_or(&[]);
        let count: u64 = count.parse().map_err(|_| bad())?;
        total = count.checked_mul(millis).and_then(|v| v.checked_add(total)).unwrap_or(u64::MAX);
        rest = after;
    }
    match total {
        0 => Err("a duration must be greater than 0".to_owned()),
        1..=MAX_DURATION => Ok(total.cast_signed()),
        _ => Err(format!("{text} is longer than 292 years")),
    }
}

/// Checks what the crate does not, and writes the words again for it. With `as_minus`, a plus
/// before an operand is written as a minus: the crate forgets such a plus, and with it that its
/// operand must be a scalar or a vector.
///
/// # Errors
/// What Prometheus 2.42 refuses and the crate takes; functions that are not there.
pub(super) fn rewrite(tokens: &[Token], as_minus: bool) -> Result<String, ParseError> {
    let mut out = String::new();
    let mut operators = 0;
    let mut place = Place::default();
    for (i, token) in tokens.iter().enumerate() {
        let next = tokens.get(i + 1).map(|t| &t.word);
        place.check(token, next)?;
        if place.in_braces && matcher(&mut out, token, place.last[0].as_ref(), next) {
            place.pass(token);
            continue;
        }
        out.push(' ');
        match &token.word {
            Word::Name(name) => {
                operators += usize::from(is_operator(name));
                let guarded = NEWER_WORDS.contains(&name.to_ascii_lowercase().as_str()) && !place.in_braces;
                if guarded {
                    out.push_str(GUARD);
                }
                let called = next == Some(&Word::Sign("(")) && !place.in_braces && name == "holt_winters";
                out.push_str(if called { "double_exponential_smoothing" } else { name });
            }
            Word::Number(v) if v.is_infinite() => out.push_str("Inf"),
            Word::Number(v) => {
                let _ = write!(out, "{v:?}");
            }
            Word::Duration(text) => out.push_str(text),
            Word::Text(text) => super::quote::quote(&mut out, text),
            Word::Sign(sign) => {
                operators += usize::from(!matches!(*sign, "(" | ")" | "{" | "}" | "[" | "]" | "," | ":"));
                out.push_str(if as_minus && *sign == "+" && place.before_operand() { "-" } else { sign });
            }
        }
        if operators > MAX_OPERATORS {
            return Err(error(
                format!("the expression has more than {MAX_OPERATORS} operators"),
                token.span.clone(),
            ));
        }
        place.pass(token);
    }
    Ok(out)
}

/// The operators of matchers, each with the letter that says it to [`super::lower`].
pub(super) const MATCHERS: &[(&str, char)] = &[("=", '='), ("!=", '!'), ("=~", '~'), ("!~", '^')];

/// Writes a word between braces, if it is one of a matcher: as an equality whose value says in its
/// first letter what the operator was. The crate so compiles no regular expression, because it
/// refuses some that Prometheus takes, and has no bound on their size.
fn matcher(out: &mut String, token: &Token, before: Option<&Word>, next: Option<&Word>) -> bool {
    let operator = |word: Option<&Word>| match word {
        Some(Word::Sign(sign)) => MATCHERS.iter().find(|(s, _)| s == sign).map(|(_, letter)| *letter),
        _ => None,
    };
    let listed = |word: Option<&Word>| matches!(word, Some(Word::Sign("{" | "," | "}")));
    match &token.word {
        Word::Sign(_) if operator(Some(&token.word)).is_some() && matches!(next, Some(Word::Text(_))) => {
            out.push('=');
            true
        }
        Word::Text(text) => {
            let (letter, name) = match operator(before) {
                Some(letter) => (letter, ""),
                // A quoted name of a metric by itself.
                None if listed(before) && listed(next) => ('=', "__name__="),
                None => return false,
            };
            out.push_str(name);
            super::quote::quote(out, &format!("{letter}{text}"));
            true
        }
        _ => false,
    }
}

/// Where in the text a word stands, as far as checking needs it.
#[derive(Default)]
struct Place {
    in_braces: bool,
    in_brackets: bool,
    /// The two words before, the nearer one first.
    last: [Option<Word>; 2],
}

impl Place {
    fn after(&self, name: &str) -> bool {
        matches!(&self.last[0], Some(Word::Name(n)) if n.eq_ignore_ascii_case(name))
    }

    /// Whether an operand, not an operator, comes next.
    fn before_operand(&self) -> bool {
        match &self.last[0] {
            None => true,
            Some(Word::Sign(sign)) => !matches!(*sign, ")" | "}" | "]"),
            Some(Word::Name(name)) => is_operator(name),
            Some(_) => false,
        }
    }

    fn check(&self, token: &Token, next: Option<&Word>) -> Result<(), ParseError> {
        let refuse = |message: String| Err(error(message, token.span.clone()));
        let after_offset = self.after("offset")
            || (self.last[0] == Some(Word::Sign("-"))
                && matches!(&self.last[1], Some(Word::Name(n)) if n.eq_ignore_ascii_case("offset")));
        match &token.word {
            Word::Number(_) if self.in_brackets || after_offset => {
                refuse("a duration must have a unit (as in 90s, 5m, 1h30m)".to_owned())
            }
            Word::Duration(text) if !self.in_brackets && !after_offset => {
                refuse(format!("the duration {text} stands where a number must"))
            }
            Word::Sign("+") if self.after("offset") => refuse("offset takes no plus".to_owned()),
            Word::Sign("+" | "-" | "@") if self.in_brackets => {
                refuse("brackets hold a duration, with a step after a colon in a subquery".to_owned())
            }
            Word::Name(name) if self.in_braces && is_or(name) && self.after_text() => {
                refuse("matchers cannot be joined with `or`".to_owned())
            }
            Word::Name(name) if !self.in_braces && next == Some(&Word::Sign("(")) => {
                self.check_call(name, token)
            }
            _ => Ok(()),
        }
    }

    fn after_text(&self) -> bool {
        matches!(self.last[0], Some(Word::Text(_)))
    }

    fn check_call(&self, name: &str, token: &Token) -> Result<(), ParseError> {
        let lower = name.to_ascii_lowercase();
        let pin = matches!(lower.as_str(), "start" | "end") && self.last[0] == Some(Word::Sign("@"));
        let is_word = is_operator(&lower)
            || AGGREGATIONS.contains(&lower.as_str())
            || ["by", "without", "on", "ignoring", "group_left", "group_right"].contains(&lower.as_str());
        if pin || is_word || Func::of(name).is_some() {
            return Ok(());
        }
        let message = if lower.starts_with("fill") && NEWER_WORDS.contains(&lower.as_str()) {
            format!("{name} is not supported: experimental")
        } else {
            table::unknown(name)
        };
        Err(error(message, token.span.clone()))
    }

    fn pass(&mut self, token: &Token) {
        match token.word {
            Word::Sign("{") => self.in_braces = true,
            Word::Sign("}") => self.in_braces = false,
            Word::Sign("[") => self.in_brackets = true,
            Word::Sign("]") => self.in_brackets = false,
            _ => {}
        }
        self.last.swap(0, 1);
        self.last[0] = Some(token.word.clone());
    }
}

fn is_or(name: &str) -> bool {
    name.eq_ignore_ascii_case("or")
}

fn is_operator(name: &str) -> bool {
    ["and", "or", "unless", "atan2", "bool"].iter().any(|o| name.eq_ignore_ascii_case(o))
}

/// Whether Prometheus 2.42 takes a text as a label's name.
pub(super) fn is_label(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
