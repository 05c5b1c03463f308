//! The form of a journal's line: an entry, sealed by a checksum over it and all lines before it.

use crate::domain::procedure::event::{Entry, Event};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;

/// The longest line, in bytes; a longer one is not written and not read.
pub const MAX_LINE: usize = 1 << 20;
/// What stands between an entry and its checksum, and what closes the line.
const SEAL: &[u8] = b",\"sum\":\"";
const CLOSE: &[u8] = b"\"}";
/// Hexadecimal digits of a checksum.
const DIGITS: usize = 16;
/// What the first line's checksum starts from.
const SEED: &[u8] = b"quarterdeck journal 1";

/// The checksum over all lines so far, and how many there were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    sum: [u8; 32],
    lines: u64,
}

#[derive(Serialize)]
struct Written<'a> {
    n: u64,
    at: Timestamp,
    event: &'a Event,
}

#[derive(Deserialize)]
struct Found {
    n: u64,
    at: Timestamp,
    event: Event,
}

impl Chain {
    /// Before the first line.
    pub fn start() -> Chain {
        Chain { sum: Sha256::digest(SEED).into(), lines: 0 }
    }

    /// How many lines there were.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    fn over(&self, body: &[u8]) -> Chain {
        let mut hash = Sha256::new();
        hash.update(self.sum);
        hash.update(body);
        Chain { sum: hash.finalize().into(), lines: self.lines + 1 }
    }

    fn digits(&self) -> [u8; DIGITS] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut out = [b'0'; DIGITS];
        for (pair, byte) in out.chunks_exact_mut(2).zip(self.sum) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        out
    }

    /// The line of an entry, with its end, and the chain after it.
    ///
    /// # Errors
    /// It would be longer than [`MAX_LINE`].
    pub fn seal(&self, entry: &Entry) -> io::Result<(Vec<u8>, Chain)> {
        let mut line = serde_json::to_vec(&Written { n: entry.n, at: entry.at, event: &entry.event })?;
        line.pop();
        let next = self.over(&line);
        line.extend_from_slice(SEAL);
        line.extend_from_slice(&next.digits());
        line.extend_from_slice(CLOSE);
        line.push(b'\n');
        if line.len() > MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the entry is too long for a line"));
        }
        Ok((line, next))
    }

    /// The entry of a line (without its end), and the chain after it.
    ///
    /// # Errors
    /// It is not what was sealed, or not what comes next; the text is a sentence on "it".
    pub fn open(&self, line: &[u8]) -> Result<(Entry, Chain), String> {
        let body = line
            .len()
            .checked_sub(SEAL.len() + DIGITS + CLOSE.len())
            .and_then(|at| line.split_at_checked(at))
            .and_then(|(body, rest)| Some((body, rest.strip_prefix(SEAL)?.strip_suffix(CLOSE)?)));
        let Some((body, digits)) = body else {
            return Err("it does not end in a checksum".to_owned());
        };
        let next = self.over(body);
        if next.digits() != digits {
            return Err("its checksum is wrong: it, or a line before it, was changed or removed".to_owned());
        }
        let found: Found = serde_json::from_slice(line).map_err(|e| format!("it is no entry: {e}"))?;
        if found.n != next.lines {
            return Err(format!("it is numbered {}", found.n));
        }
        Ok((Entry { n: found.n, at: found.at, event: found.event }, next))
    }
}

/// What a line says, whether or not its checksum is right.
pub(super) fn unsealed(line: &[u8]) -> Option<Event> {
    serde_json::from_slice::<Found>(line).ok().map(|found| found.event)
}
