//! How lines are bound together, and how a break is found. Pure: bytes in, verdict out.
//!
//! A line is `{"prev":"HASH",…,"hash":"HASH"}`: `prev` is the hash of the line before, and `hash` is
//! the SHA-256 of every byte of the line before `,"hash":`. It is read byte by byte, not as JSON, so
//! that no two texts mean the same line.

use super::head::Head;
use super::line::{Line, What};
use super::{MAX_LINE, read};
use crate::domain::text;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};

const PREV: &[u8] = br#"{"prev":""#;
const HASH: &[u8] = br#","hash":""#;
const END: &[u8] = br#""}"#;
const DIGITS: usize = 64;

/// The hash of a line: 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Hash(String);

impl Hash {
    /// What the first line has before it.
    pub fn none() -> Self {
        Hash("0".repeat(DIGITS))
    }

    fn of(bytes: &[u8]) -> Self {
        let digits = Sha256::digest(bytes).iter().fold(String::with_capacity(DIGITS), |mut all, b| {
            let _ = write!(all, "{b:02x}");
            all
        });
        Hash(digits)
    }

    /// Reads one; `None` when the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == DIGITS && text.bytes().all(is_digit)).then(|| Hash(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first twelve digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Hash::parse(&text).ok_or("expected 64 hexadecimal digits")
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// SHA-256 of some bytes, in hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    Hash::of(bytes).0
}

/// The first break in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Counted from 1, as an editor counts.
    pub line: u64,
    /// What is wrong, as one safe line.
    pub why: String,
}

/// The end of a line without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    pub line: u64,
    pub bytes: u64,
    /// What can be said of how it came about.
    pub why: String,
}

/// What was found in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whole and sound lines from the start up to the first break.
    pub lines: u64,
    /// The hash of the last of them.
    pub last: Hash,
    pub broken: Option<Broken>,
    /// A line that a crash cut off: not a break.
    pub torn: Option<Torn>,
    /// Lines that say of themselves that the log before them had been tampered with.
    pub confessed: Vec<u64>,
    /// What should be known besides; one line each.
    pub remarks: Vec<String>,
}

impl Verdict {
    pub fn is_sound(&self) -> bool {
        self.broken.is_none() && self.confessed.is_empty()
    }
}

/// Makes the bytes of a line, its line end included.
///
/// # Errors
/// It would be longer than [`MAX_LINE`].
pub(super) fn write(line: &Line, prev: &Hash) -> Result<(Vec<u8>, Hash), String> {
    let json = serde_json::to_string(line).map_err(|e| format!("write the audit line: {e}"))?;
    // An object that is not empty: its first brace makes room for what binds it.
    let inner = json.strip_prefix('{').and_then(|j| j.strip_suffix('}')).unwrap_or_default();
    let mut bytes = Vec::with_capacity(json.len() + 2 * DIGITS + 32);
    bytes.extend_from_slice(PREV);
    bytes.extend_from_slice(prev.as_str().as_bytes());
    bytes.extend_from_slice(br#"","#);
    bytes.extend_from_slice(inner.as_bytes());
    let hash = Hash::of(&bytes);
    bytes.extend_from_slice(HASH);
    bytes.extend_from_slice(hash.as_str().as_bytes());
    bytes.extend_from_slice(END);
    bytes.push(b'\n');
    if bytes.len() > MAX_LINE {
        return Err(format!("write an audit line of {} bytes: at most {MAX_LINE} are kept", bytes.len()));
    }
    Ok((bytes, hash))
}

/// A line that is sound in itself.
pub(super) struct Whole {
    pub line: Line,
    pub prev: Hash,
    pub hash: Hash,
}

/// Reads one line, without its line end.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Whole, String> {
    let tail = HASH.len() + DIGITS + END.len();
    let split = bytes.len().checked_sub(tail).ok_or("it is no line of an audit log")?;
    let (body, tail) = bytes.split_at(split);
    let text = |b: &[u8]| std::str::from_utf8(b).ok().and_then(Hash::parse);
    let own = tail.strip_prefix(HASH).and_then(|t| t.strip_suffix(END)).and_then(text);
    let own = own.ok_or("it does not end with its hash")?;
    let prev = body.strip_prefix(PREV).and_then(|b| b.get(..DIGITS)).and_then(text);
    let prev = prev.ok_or("it does not begin with the hash of the line before")?;
    if Hash::of(body) != own {
        return Err("it was changed: its hash is not that of its text".to_owned());
    }
    let line = serde_json::from_slice(bytes).map_err(|e| format!("it cannot be read: {e}"))?;
    Ok(Whole { line, prev, hash: own })
}

/// Follows a log from its first line to its last.
pub(super) struct Chain {
    verdict: Verdict,
    /// The hash of the line that the head vouches for, once it was met.
    vouched: Option<Hash>,
    head_n: Option<u64>,
}

impl Chain {
    /// `head_n` is the number of the line that a head vouches for.
    pub fn new(head_n: Option<u64>) -> Self {
        let verdict = Verdict {
            lines: 0,
            last: Hash::none(),
            broken: None,
            torn: None,
            confessed: Vec::new(),
            remarks: Vec::new(),
        };
        Chain { verdict, vouched: None, head_n }
    }

    /// Takes the next line. `false` when the log is broken here: what follows cannot be trusted.
    pub fn take(&mut self, raw: &read::Raw, show: &mut dyn FnMut(&Line)) -> bool {
        let number = self.verdict.lines + 1;
        match raw {
            read::Raw::Whole(bytes) => match self.bind(bytes, number) {
                Ok(whole) => {
                    if matches!(whole.line.what, What::Tampered { .. }) {
                        self.verdict.confessed.push(number);
                    }
                    if self.head_n == Some(number) {
                        self.vouched = Some(whole.hash.clone());
                    }
                    show(&whole.line);
                    self.verdict.lines = number;
                    self.verdict.last = whole.hash;
                    true
                }
                Err(why) => self.stop(number, &why),
            },
            read::Raw::TooLong => self.stop(number, &format!("it is longer than {MAX_LINE} bytes")),
            read::Raw::Torn(bytes) => {
                let why = "it has no line end".to_owned();
                self.verdict.torn = Some(Torn { line: number, bytes: bytes.len() as u64, why });
                false
            }
        }
    }

    fn bind(&self, bytes: &[u8], number: u64) -> Result<Whole, String> {
        let whole = parse(bytes)?;
        if whole.line.n != number {
            let n = whole.line.n;
            return Err(format!("expected line {number}, got line {n}: lines were removed or reordered"));
        }
        if whole.prev != self.verdict.last {
            return Err("it does not follow the line before: one of the two was replaced".to_owned());
        }
        Ok(whole)
    }

    fn stop(&mut self, line: u64, why: &str) -> bool {
        self.verdict.broken = Some(Broken { line, why: text::reason(why) });
        false
    }

    /// Holds what was read against a head: a log cannot show by itself that its end is missing.
    pub fn end(mut self, head: Option<&Head>, name: &str) -> Verdict {
        let lines = self.verdict.lines;
        let Some(head) = head else { return self.verdict };
        if self.verdict.broken.is_some() {
            return self.verdict;
        }
        if head.n > lines {
            let missing = head.n - lines;
            let (is, word) = if missing == 1 { ("is", "line") } else { ("are", "lines") };
            let end = match self.verdict.torn.take() {
                // The head is written when its line is on disk, so that this was no crash.
                Some(torn) => format!("; of the first, {} bytes are left", torn.bytes),
                None => String::new(),
            };
            let why = format!("{missing} {word} that {name} vouches for {is} missing at the end{end}");
            self.stop(lines + 1, &why);
        } else if head.n > 0 && self.vouched.as_ref() != Some(&head.hash) {
            let why = format!("it is not the line that {name} vouches for");
            self.stop(head.n, &why);
        } else if let Some(torn) = &mut self.verdict.torn {
            torn.why = format!("a write that a crash cut off: {name} never vouched for it");
        }
        if head.n < lines && self.verdict.broken.is_none() {
            let more = lines - head.n;
            let remark = format!("{name} is {more} behind the log: it was not written or is an old one");
            self.verdict.remarks.push(remark);
        }
        self.verdict
    }
}
