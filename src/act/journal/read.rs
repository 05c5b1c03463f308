//! Reading a journal: whole, or only what was added since the last look.

use super::{JournalError, MAX_JOURNAL, MAX_LINE};
use crate::act::rundir;
use crate::domain::procedure::event::{Entry, Event};
use crate::domain::text::one_line_bytes;
use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

/// Characters kept of a torn line, for people.
const MAX_TORN: usize = 200;
/// What stands between an entry and its checksum, and what closes the line.
const SEAL: &[u8] = b",\"sum\":\"";
const CLOSE: &[u8] = b"\"}";
/// Hexadecimal digits of a checksum.
const DIGITS: usize = 16;
/// What the first line's checksum starts from.
const SEED: &[u8] = b"quarterdeck journal 1";

/// A journal as it was found.
#[derive(Clone, Debug)]
pub struct Read {
    pub entries: Vec<Entry>,
    /// What is there of a last line that was not written to its end.
    pub torn: Option<Torn>,
    /// Length of the whole lines, in bytes.
    pub len: u64,
    pub(super) chain: Chain,
}

/// A last line without its end. It was never known to be on disk, so nothing that had to follow
/// it has begun; what it may have been is still worth asking about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    pub bytes: u64,
    /// Its beginning, as one safe line.
    pub text: String,
}

impl Torn {
    /// For a person.
    pub fn says(&self) -> String {
        format!("the journal's last line was torn after {} bytes: {}", self.bytes, self.text)
    }

    /// Whether it can have been an entry of this kind, by as much of it as is there.
    pub fn may_be(&self, kind: &str) -> bool {
        match self.text.split_once("\"is\":\"") {
            None => true,
            Some((_, found)) => found.starts_with(kind) || kind.starts_with(found),
        }
    }
}

/// The checksum over all lines so far, and how many there were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    sum: [u8; 32],
    pub(super) lines: u64,
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
    pub(super) fn start() -> Chain {
        Chain { sum: Sha256::digest(SEED).into(), lines: 0 }
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
    pub(super) fn seal(&self, entry: &Entry) -> io::Result<(Vec<u8>, Chain)> {
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
    fn open(&self, line: &[u8]) -> Result<(Entry, Chain), String> {
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

/// Reads a whole journal.
///
/// # Errors
/// It cannot be read, is larger than [`MAX_JOURNAL`], or is damaged before its last line.
pub fn read(path: &Path) -> Result<Read, JournalError> {
    let mut follow = Follow::new();
    let entries = follow.more(path)?;
    Ok(Read { entries, torn: follow.torn, len: follow.offset, chain: follow.chain })
}

/// Whether the last line of a journal is the end of its run, by that line alone: for a search
/// through many.
pub fn ends_with_its_end(path: &Path) -> bool {
    let last = || -> io::Result<bool> {
        let mut file = rundir::open(path, OFlags::RDONLY, None)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(MAX_LINE as u64 + 1)))?;
        let mut end = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, MAX_LINE as u64 + 1), &mut end)?;
        let Some(whole) = end.strip_suffix(b"\n") else { return Ok(false) };
        let line = whole.rsplit(|b| *b == b'\n').next().unwrap_or(whole);
        Ok(serde_json::from_slice::<Found>(line).is_ok_and(|f| matches!(f.event, Event::Ended { .. })))
    };
    last().unwrap_or(false)
}

/// Reads a journal that is being written: each time what was added.
#[derive(Clone, Debug)]
pub struct Follow {
    offset: u64,
    chain: Chain,
    torn: Option<Torn>,
}

impl Default for Follow {
    fn default() -> Self {
        Self::new()
    }
}

impl Follow {
    pub fn new() -> Follow {
        Follow { offset: 0, chain: Chain::start(), torn: None }
    }

    /// A last line that is not whole: torn, or just being written.
    pub fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }

    /// Entries that were read so far.
    pub fn entries(&self) -> u64 {
        self.chain.lines
    }

    /// The entries after those that were read. When an error comes of a journal that was cut back
    /// and written anew, start again with a new one.
    ///
    /// # Errors
    /// As for [`read`]; and when it has become shorter than what was read.
    pub fn more(&mut self, path: &Path) -> Result<Vec<Entry>, JournalError> {
        let told = |error| JournalError::Io { doing: "read", path: path.to_owned(), error };
        let mut file = rundir::open(path, OFlags::RDONLY, None).map_err(told)?;
        let len = file.metadata().map_err(told)?.len();
        if len > MAX_JOURNAL {
            return Err(told(io::Error::new(io::ErrorKind::FileTooLarge, "it is beyond its bound")));
        }
        if len < self.offset {
            let why = "it is gone".to_owned();
            return Err(JournalError::Damaged { line: self.chain.lines, why });
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(told)?;
        let mut reader = BufReader::with_capacity(64 << 10, io::Read::take(file, len - self.offset));
        let (mut entries, mut line) = (Vec::new(), Vec::new());
        self.torn = None;
        loop {
            line.clear();
            let bound = MAX_LINE as u64 + 1;
            let count = io::Read::take(&mut reader, bound).read_until(b'\n', &mut line).map_err(told)?;
            if count == 0 {
                return Ok(entries);
            }
            let Some(whole) = line.strip_suffix(b"\n") else {
                if count as u64 >= bound {
                    let why = format!("it is longer than {MAX_LINE} bytes");
                    return Err(JournalError::Damaged { line: self.chain.lines + 1, why });
                }
                let text = one_line_bytes(&line, MAX_TORN);
                self.torn = Some(Torn { bytes: count as u64, text });
                return Ok(entries);
            };
            let (entry, chain) = self
                .chain
                .open(whole)
                .map_err(|why| JournalError::Damaged { line: self.chain.lines + 1, why })?;
            self.chain = chain;
            self.offset += count as u64;
            entries.push(entry);
        }
    }
}
