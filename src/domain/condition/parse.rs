//! From text to a condition.

use super::{Compare, Condition, Function, Literal, Op, Segment};
use crate::domain::units::{self, Unit};

/// The longest condition, in bytes.
pub const MAX_LEN: usize = 512;

/// Why a text is no condition, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Byte offset into the text.
    pub at: usize,
    pub message: String,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

impl std::str::FromStr for Condition {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.len() > MAX_LEN {
            return Err(ParseError {
                at: 0,
                message: format!("a condition is at most {MAX_LEN} bytes long"),
            });
        }
        let mut p = Parser { text, at: 0 };
        let (function, name, path) = p.operand()?;
        let op = p.op(function)?;
        p.skip_space();
        if p.at < text.len() {
            return Err(p.error(&format!(
                "expected the end of the condition, got `{}`; put texts with spaces in quotes",
                p.rest()
            )));
        }
        Ok(Condition { text: text.trim().to_owned(), function, name, path, op })
    }
}

type Operand = (Function, String, Vec<Segment>);

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn error(&self, message: &str) -> ParseError {
        ParseError { at: self.at, message: message.to_owned() }
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or("")
    }

    fn operand(&mut self) -> Result<Operand, ParseError> {
        self.skip_space();
        let start = self.at;
        let word = self.take_while(|c| c.is_ascii_alphabetic());
        let function = match word {
            "" => Function::None,
            "len" => Function::Len,
            "has" => Function::Has,
            "letters" => Function::Letters,
            other => {
                self.at = start;
                let hint = if other.chars().all(|c| c.is_ascii_uppercase()) {
                    format!("; names stand in brackets: [{other}]")
                } else {
                    String::new()
                };
                return Err(self
                    .error(&format!("expected [NAME], len(…), has(…) or letters(…), got `{other}`{hint}")));
            }
        };
        if function != Function::None && !self.eat("(") {
            return Err(self.error(&format!("expected ( after {}", function.name())));
        }
        let (name, path) = self.reference()?;
        if function != Function::None && !self.eat(")") {
            return Err(self.error("expected )"));
        }
        Ok((function, name, path))
    }

    fn reference(&mut self) -> Result<(String, Vec<Segment>), ParseError> {
        if !self.eat("[") {
            return Err(self.error("expected a name in brackets, such as [STATUS]"));
        }
        let name = self.take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if name.is_empty() || !self.eat("]") {
            return Err(self.error("expected capital letters and ], such as [STATUS]"));
        }
        let mut path = Vec::new();
        loop {
            if self.eat(".") {
                let key = if self.rest().starts_with('"') {
                    self.quoted()?
                } else {
                    self.take_while(|c| c.is_alphanumeric() || "_-:/".contains(c)).to_owned()
                };
                if key.is_empty() {
                    return Err(self.error("expected a key after the dot"));
                }
                path.push(Segment::Key(key));
            } else if self.eat("[*]") {
                path.push(Segment::Every);
            } else if self.eat("[") {
                let digits = self.take_while(|c| c.is_ascii_digit());
                let index =
                    digits.parse().map_err(|_| self.error("expected a position or *, such as [0] or [*]"))?;
                if !self.eat("]") {
                    return Err(self.error("expected ]"));
                }
                path.push(Segment::Index(index));
            } else {
                return Ok((name.to_owned(), path));
            }
        }
    }

    fn op(&mut self, function: Function) -> Result<Op, ParseError> {
        self.skip_space();
        let compare = [
            ("==", Compare::Eq),
            ("!=", Compare::Ne),
            ("<=", Compare::Le),
            (">=", Compare::Ge),
            ("<", Compare::Lt),
            (">", Compare::Gt),
        ];
        for (token, compare) in compare {
            if self.eat(token) {
                let at = self.at;
                let literal = self.literal()?;
                let literal = match (function, literal) {
                    (Function::Letters, Literal::Text(t)) => Literal::Text(super::eval::letters(&t)),
                    (Function::Has, l) if !matches!(l, Literal::Bool(_)) => {
                        self.at = at;
                        return Err(self.error("has(…) is compared with true or false"));
                    }
                    (_, l) => l,
                };
                let ordered = !matches!(compare, Compare::Eq | Compare::Ne);
                if ordered && !matches!(literal, Literal::Number(..)) {
                    self.at = at;
                    return Err(self.error(&format!("{token} needs a number")));
                }
                return Ok(Op::Compare(compare, literal));
            }
        }
        let start = self.at;
        match self.take_while(|c| c.is_ascii_alphabetic()) {
            "contains" => Ok(Op::Contains(self.text_literal()?)),
            "matches" => {
                let at = self.at;
                let pattern = self.text_literal()?;
                let regex = regex::RegexBuilder::new(&pattern).size_limit(1 << 20).build();
                regex.map(Op::Matches).map_err(|e| ParseError {
                    at,
                    message: format!("bad regex: {}", last_line(&e.to_string())),
                })
            }
            "in" => self.set(),
            other => {
                self.at = start;
                let got = if other.is_empty() { self.rest() } else { other };
                Err(self
                    .error(&format!("expected ==, !=, <, <=, >, >=, contains, matches or in, got `{got}`")))
            }
        }
    }

    fn set(&mut self) -> Result<Op, ParseError> {
        self.skip_space();
        if self.eat("(") {
            let mut all = Vec::new();
            loop {
                all.push(self.literal()?);
                self.skip_space();
                if self.eat(")") {
                    return Ok(Op::OneOf(all));
                }
                if !self.eat(",") {
                    return Err(self.error("expected , or )"));
                }
            }
        }
        let start = self.at;
        let word = self.take_while(|c| !c.is_whitespace());
        let range = word.split_once("..").and_then(|(low, high)| {
            let (low, high) = (units::parse_quantity(low)?, units::parse_quantity(high)?);
            let unit = if low.unit == Unit::None { high.unit } else { low.unit };
            let agree = [low.unit, high.unit].iter().all(|u| *u == unit || *u == Unit::None);
            (agree && low.value <= high.value).then_some(Op::Within(low.value, high.value, unit))
        });
        range.ok_or_else(|| {
            self.at = start;
            self.error("expected a list such as (200, 204) or a range such as 200..299 after in")
        })
    }

    fn text_literal(&mut self) -> Result<String, ParseError> {
        self.skip_space();
        let text = if self.rest().starts_with('"') {
            self.quoted()?
        } else {
            self.take_while(|c| !c.is_whitespace()).to_owned()
        };
        if text.is_empty() { Err(self.error("expected a text")) } else { Ok(text) }
    }

    fn literal(&mut self) -> Result<Literal, ParseError> {
        self.skip_space();
        if self.rest().starts_with('"') {
            return self.quoted().map(Literal::Text);
        }
        let word = self.take_while(|c| !c.is_whitespace() && !",)".contains(c));
        Ok(match word {
            "" => return Err(self.error("expected a value to compare with")),
            "true" => Literal::Bool(true),
            "false" => Literal::Bool(false),
            "null" => Literal::Null,
            other => match units::parse_quantity(other) {
                Some(q) => Literal::Number(q.value, q.unit),
                None => Literal::Text(other.to_owned()),
            },
        })
    }

    fn quoted(&mut self) -> Result<String, ParseError> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        let mut escaped = false;
        for c in self.rest().chars() {
            self.at += c.len_utf8();
            match c {
                // Only the quote and the backslash are escaped, so that a regex reads as it is.
                '"' | '\\' if escaped => {
                    out.push(c);
                    escaped = false;
                }
                _ if escaped => {
                    out.push('\\');
                    out.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => return Ok(out),
                _ => out.push(c),
            }
        }
        self.at = start;
        Err(self.error("this quote is never closed"))
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ")
}
