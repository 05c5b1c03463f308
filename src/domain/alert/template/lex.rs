//! Cuts a template into text and the tokens of its actions.

use super::TemplateError;
use crate::domain::text::unescape_go;
use std::ops::Range;

/// A token of an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// Literal text between actions.
    Raw(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// A bare word: a keyword, a function, `true`.
    Word(String),
    /// `.a`, without its dot.
    Field(String),
    /// `$a`, with its `$`.
    Variable(String),
    Dot,
    Text(String),
    Int(i64),
    Float(f64),
    Pipe,
    Left,
    Right,
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// White space, which separates arguments.
    Space,
}

/// A token and its place in bytes.
pub type Spanned = (Token, Range<usize>);

/// White space as Go's templates trim it.
const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

pub fn lex(text: &str) -> Result<Vec<Spanned>, TemplateError> {
    let mut lexer = Lexer { text, at: 0, out: Vec::new() };
    lexer.run()?;
    Ok(lexer.out)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    out: Vec<Spanned>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn fail<T>(&self, from: usize, message: impl Into<String>) -> Result<T, TemplateError> {
        let end = self.at.max(from).min(self.text.len());
        Err(TemplateError { message: message.into(), span: from..end })
    }

    fn push(&mut self, token: Token, from: usize) {
        self.out.push((token, from..self.at));
    }

    fn run(&mut self) -> Result<(), TemplateError> {
        // Whether the action before asked for the white space after it to go.
        let mut trim = false;
        loop {
            let from = self.at;
            let open = self.rest().find("{{");
            let mut raw = self.rest().get(..open.unwrap_or(self.rest().len())).unwrap_or("");
            self.at += raw.len();
            if trim {
                raw = raw.trim_start_matches(BLANK);
            }
            let trims_before = self.rest().strip_prefix("{{-").is_some_and(|r| r.starts_with(BLANK));
            if trims_before {
                raw = raw.trim_end_matches(BLANK);
            }
            if !raw.is_empty() {
                self.push(Token::Raw(raw.to_owned()), from);
            }
            if open.is_none() {
                return Ok(());
            }
            let start = self.at;
            self.at += if trims_before { 4 } else { 2 };
            trim = if self.rest().starts_with("/*") { self.comment(start)? } else { self.action(start)? };
        }
    }

    /// A comment; says whether it ends with a trim marker.
    fn comment(&mut self, start: usize) -> Result<bool, TemplateError> {
        let Some(end) = self.rest().find("*/") else { return self.fail(start, "the comment has no end") };
        self.at += end + 2;
        if self.close() == Some(true) {
            return Ok(true);
        }
        if self.rest().starts_with("}}") {
            self.at += 2;
            return Ok(false);
        }
        self.fail(start, "a comment must end with its action: */}}")
    }

    /// Whether a trimming end stands here, which is taken then.
    fn close(&mut self) -> Option<bool> {
        let rest = self.rest();
        let after = rest.strip_prefix(BLANK)?;
        after.starts_with("-}}").then(|| {
            self.at += 4;
            true
        })
    }

    /// The tokens of an action; says whether it ends with a trim marker.
    fn action(&mut self, start: usize) -> Result<bool, TemplateError> {
        self.out.push((Token::Open, start..self.at));
        loop {
            let from = self.at;
            if self.close() == Some(true) {
                self.push(Token::Close, from);
                return Ok(true);
            }
            if self.rest().starts_with("}}") {
                self.at += 2;
                self.push(Token::Close, from);
                return Ok(false);
            }
            let Some(c) = self.rest().chars().next() else {
                self.at = (start + 2).min(self.text.len());
                return self.fail(start, "the action has no end: }} is missing");
            };
            self.token(c)?;
        }
    }

    fn token(&mut self, c: char) -> Result<(), TemplateError> {
        let from = self.at;
        let simple = |token, len| Some((token, len));
        let single = match c {
            '|' => simple(Token::Pipe, 1),
            '(' => simple(Token::Left, 1),
            ')' => simple(Token::Right, 1),
            ',' => simple(Token::Comma, 1),
            '=' => simple(Token::Assign, 1),
            ':' if self.rest().starts_with(":=") => simple(Token::Declare, 2),
            _ => None,
        };
        if let Some((token, len)) = single {
            self.at += len;
            self.push(token, from);
            return Ok(());
        }
        match c {
            c if BLANK.contains(&c) => {
                // A blank before a trimming end belongs to that end.
                while self.rest().starts_with(BLANK) && !is_trimming_end(self.rest()) {
                    self.at += 1;
                }
                self.push(Token::Space, from);
                Ok(())
            }
            '"' => self.quoted(),
            '`' => {
                let body = self.rest().get(1..).unwrap_or("");
                let Some(end) = body.find('`') else { return self.fail(from, "the text has no closing `") };
                let text = body.get(..end).unwrap_or("").to_owned();
                self.at += end + 2;
                self.push(Token::Text(text), from);
                Ok(())
            }
            '\'' => self.character(),
            '.' if !self.rest().get(1..).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit())) => {
                self.at += 1;
                let name = self.name();
                let token = if name.is_empty() { Token::Dot } else { Token::Field(name) };
                self.push(token, from);
                Ok(())
            }
            '$' => {
                self.at += 1;
                let name = format!("${}", self.name());
                self.push(Token::Variable(name), from);
                Ok(())
            }
            c if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => self.number(),
            c if is_name(c) => {
                let word = self.name();
                self.push(Token::Word(word), from);
                Ok(())
            }
            c => {
                self.at += c.len_utf8();
                self.fail(from, format!("{c:?} means nothing in an action"))
            }
        }
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("").to_owned()
    }

    fn quoted(&mut self) -> Result<(), TemplateError> {
        let from = self.at;
        let mut escaped = false;
        let end = self.rest().char_indices().skip(1).find(|(_, c)| {
            let ends = !escaped && (*c == '"' || *c == '\n');
            escaped = !escaped && *c == '\\';
            ends
        });
        let Some((end, '"')) = end else { return self.fail(from, "the text has no closing \"") };
        let body = self.rest().get(1..end).unwrap_or("");
        self.at += end + 1;
        match unescape_go(body) {
            Some(text) => {
                self.push(Token::Text(text), from);
                Ok(())
            }
            None => self.fail(from, "the text has an escape that Go does not know"),
        }
    }

    fn character(&mut self) -> Result<(), TemplateError> {
        let from = self.at;
        let body = self.rest().get(1..).unwrap_or("");
        let skip = usize::from(body.starts_with('\\')) + 1;
        let end = body.char_indices().skip(skip).find(|(_, c)| *c == '\'').map(|(i, _)| i);
        let text = end.and_then(|end| body.get(..end)).and_then(unescape_go);
        let mut chars = text.iter().flat_map(|t| t.chars());
        let (Some(c), None, Some(end)) = (chars.next(), chars.next(), end) else {
            return self.fail(from, "this is no character constant");
        };
        self.at += end + 2;
        self.push(Token::Int(i64::from(u32::from(c))), from);
        Ok(())
    }

    fn number(&mut self) -> Result<(), TemplateError> {
        let from = self.at;
        let rest = self.rest();
        let mut before = ' ';
        let end = rest
            .char_indices()
            .find(|(i, c)| {
                let sign = matches!(c, '+' | '-') && (*i == 0 || matches!(before, 'e' | 'E'));
                before = *c;
                !(sign || c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))
            })
            .map_or(rest.len(), |(i, _)| i);
        let word = rest.get(..end).unwrap_or("");
        self.at += end;
        match number(word) {
            Some(token) => {
                self.push(token, from);
                Ok(())
            }
            None => self.fail(from, format!("{word} is no number")),
        }
    }
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_trimming_end(rest: &str) -> bool {
    rest.strip_prefix(BLANK).is_some_and(|r| r.starts_with("-}}"))
}

/// A number as Go writes it: decimal, hexadecimal, octal or binary, or with a fraction. One that is
/// whole stays an integer only without a point or an exponent, as Go decides it.
fn number(word: &str) -> Option<Token> {
    let plain = word.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let lower = digits.to_ascii_lowercase();
    let radix = |prefix: &str, radix| lower.strip_prefix(prefix).map(|d| i64::from_str_radix(d, radix));
    let whole = radix("0x", 16).or_else(|| radix("0b", 2)).or_else(|| radix("0o", 8));
    if let Some(whole) = whole {
        return whole.ok().map(|n| Token::Int(sign * n));
    }
    if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| b.is_ascii_digit()) {
        return i64::from_str_radix(&lower, 8).ok().map(|n| Token::Int(sign * n));
    }
    if lower.bytes().all(|b| b.is_ascii_digit()) {
        return lower.parse::<i64>().ok().map(|n| Token::Int(sign * n));
    }
    let starts_well = lower.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let number = lower.parse::<f64>().ok().filter(|n| starts_well && n.is_finite())?;
    Some(Token::Float(if sign < 0 { -number } else { number }))
}
