//! The words of `nft`'s language, and a reader that takes them one by one.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::Refusal;
use crate::demo::model::Second;

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Word(String),
    /// What stood in quotes.
    Quoted(String),
    /// `{ } , =` and what ends a statement: `;` for both `;` and a line's end.
    Sign(char),
}

pub type Tokens = Peekable<IntoIter<Token>>;

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | ';' => out.push(Token::Sign(';')),
            '\\' if chars.next_if_eq(&'\n').is_some() => {}
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            '{' | '}' | ',' | '=' => out.push(Token::Sign(c)),
            '"' => {
                let mut word = String::new();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\n') | None => return Err("syntax error, unexpected end of string".into()),
                        Some(c) => word.push(c),
                    }
                }
                out.push(Token::Quoted(word));
            }
            '!' if chars.next_if_eq(&'=').is_some() => out.push(Token::Word("!=".into())),
            c if c.is_whitespace() => {}
            c => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !"{},;=\"#".contains(*c)) {
                    word.push(c);
                }
                out.push(Token::Word(word));
            }
        }
    }
    Ok(out)
}

/// Takes words from the front.
pub struct Reader {
    pub rest: Tokens,
    /// What spans are counted from.
    pub now: Second,
}

impl Reader {
    pub fn new(text: &str, now: Second) -> Result<Self, Refusal> {
        Ok(Self { rest: tokens(text)?.into_iter().peekable(), now })
    }

    /// Skips what is between commands; false at the end.
    pub fn more(&mut self) -> bool {
        while self.rest.next_if_eq(&Token::Sign(';')).is_some() {}
        self.rest.peek().is_some()
    }

    pub fn unexpected<T>(&mut self) -> Result<T, Refusal> {
        Err(match self.rest.next() {
            None | Some(Token::Sign(';')) => "syntax error, unexpected newline".into(),
            Some(Token::Sign(c)) => format!("syntax error, unexpected '{c}'"),
            Some(Token::Word(w) | Token::Quoted(w)) => {
                let shown: String = w.chars().take(60).collect();
                format!(
                    "syntax error, unexpected {} (the demo's nft knows only a part)",
                    shown.escape_debug()
                )
            }
        })
    }

    pub fn word(&mut self) -> Result<String, Refusal> {
        match self.rest.next_if(|t| matches!(t, Token::Word(_))) {
            Some(Token::Word(word)) => Ok(word),
            _ => self.unexpected(),
        }
    }

    /// A name, in quotes or not.
    pub fn name(&mut self) -> Result<String, Refusal> {
        match self.rest.next_if(|t| matches!(t, Token::Word(_) | Token::Quoted(_))) {
            Some(Token::Word(name) | Token::Quoted(name)) => Ok(name),
            _ => self.unexpected(),
        }
    }

    pub fn takes(&mut self, word: &str) -> bool {
        self.rest.next_if(|t| matches!(t, Token::Word(w) if w == word)).is_some()
    }

    pub fn sign(&mut self, sign: char) -> bool {
        self.rest.next_if_eq(&Token::Sign(sign)).is_some()
    }

    pub fn need(&mut self, sign: char) -> Result<(), Refusal> {
        if self.sign(sign) { Ok(()) } else { self.unexpected() }
    }

    pub fn end(&mut self) -> Result<(), Refusal> {
        match self.rest.peek() {
            None | Some(Token::Sign(';' | '}')) => Ok(()),
            _ => self.unexpected(),
        }
    }
}

/// Whether a text is an address, or a network or range where the set takes them.
pub fn is_address(text: &str, flags: &[String]) -> bool {
    let plain = |t: &str| t.parse::<std::net::Ipv4Addr>().is_ok();
    let interval = flags.iter().any(|f| f == "interval");
    match (text.split_once('/'), text.split_once('-')) {
        (Some((net, bits)), _) => interval && plain(net) && bits.parse::<u8>().is_ok_and(|b| b <= 32),
        (_, Some((from, to))) => interval && plain(from) && plain(to),
        _ => plain(text),
    }
}

/// A span such as `1h30m`, or plain seconds.
pub fn span(text: &str) -> Result<Second, Refusal> {
    let bad = || format!("invalid time {}", text.escape_debug());
    let (mut total, mut number) = (0u64, String::new());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let millis = c == 'm' && chars.next_if_eq(&'s').is_some();
        let factor = match c {
            _ if millis => 0,
            'w' => 604_800,
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(bad()),
        };
        total += u64::from(std::mem::take(&mut number).parse::<u32>().map_err(|_| bad())?) * factor;
    }
    if !number.is_empty() {
        total += u64::from(number.parse::<u32>().map_err(|_| bad())?);
    }
    if text.is_empty() { Err(bad()) } else { Ok(total) }
}
