//! Reading a journal: whole, or only what was added since the last look.

use super::dir::RunDir;
use super::files;
use super::seal::{Chain, MAX_LINE, unsealed};
use crate::domain::procedure::event::{Entry, Event};
use crate::domain::text::one_line_bytes;
use rustix::fs::FlockOperation;
use std::fmt;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The largest journal, in bytes. Notes and observations stop being written at three quarters of
/// it, so that there is room for what must be written.
pub const MAX_JOURNAL: u64 = 256 << 20;

/// Characters kept of a torn line, for people.
const MAX_TORN: usize = 200;
/// Why a journal cannot be read. Completes "failed to …".
#[derive(Debug)]
pub enum ReadError {
    /// A line that was written in full is not what was written. Lines count from 1.
    Damaged {
        line: u64,
        why: String,
    },
    Io {
        path: PathBuf,
        error: io::Error,
    },
}

impl ReadError {
    /// Whether there is no journal at all: the run never began.
    pub fn is_not_found(&self) -> bool {
        matches!(self, ReadError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Damaged { line, why } => {
                write!(f, "read the journal: it is damaged at line {line}: {why}")
            }
            ReadError::Io { path, error } => write!(f, "read {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for ReadError {}

/// A journal as it was found.
#[derive(Clone, Debug)]
pub struct Read {
    pub entries: Vec<Entry>,
    /// What is there of a last line that was not written to its end.
    pub torn: Option<Torn>,
    /// Length of the whole lines, in bytes.
    pub len: u64,
    /// Over its whole lines.
    pub chain: Chain,
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

/// Reads a whole journal.
///
/// # Errors
/// It cannot be read, is larger than [`MAX_JOURNAL`], or is damaged before its last line.
pub fn read(path: &Path) -> Result<Read, ReadError> {
    let mut follow = Follow::new();
    let entries = follow.more(path)?;
    Ok(Read { entries, torn: follow.torn, len: follow.offset, chain: follow.chain })
}

/// Whether the run has a runner at this moment: whether its journal is being written by one, who
/// has it locked. To ask is to share that lock for some microseconds where nobody has it; of all
/// that is done here that is the only thing which others can notice, and they wait for it.
pub fn has_runner(dir: &RunDir) -> bool {
    let Ok(file) = files::open(&dir.journal()) else {
        return false;
    };
    matches!(
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared),
        Err(rustix::io::Errno::WOULDBLOCK)
    )
}

/// Whether the last line of a journal is the end of its run, by that line alone: for a search
/// through many.
pub fn ends_with_its_end(path: &Path) -> bool {
    let last = || -> io::Result<bool> {
        let mut file = files::open(path)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(MAX_LINE as u64 + 1)))?;
        let mut end = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, MAX_LINE as u64 + 1), &mut end)?;
        let Some(whole) = end.strip_suffix(b"\n") else { return Ok(false) };
        let line = whole.rsplit(|b| *b == b'\n').next().unwrap_or(whole);
        Ok(matches!(unsealed(line), Some(Event::Ended { .. })))
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
        self.chain.lines()
    }

    /// The entries after those that were read. When an error comes of a journal that was cut back
    /// and written anew, start again with a new one.
    ///
    /// # Errors
    /// As for [`read`]; and when it has become shorter than what was read.
    pub fn more(&mut self, path: &Path) -> Result<Vec<Entry>, ReadError> {
        let told = |error| ReadError::Io { path: path.to_owned(), error };
        let mut file = files::open(path).map_err(told)?;
        let len = file.metadata().map_err(told)?.len();
        if len > MAX_JOURNAL {
            return Err(told(io::Error::new(io::ErrorKind::FileTooLarge, "it is beyond its bound")));
        }
        if len < self.offset {
            let why = "it is gone".to_owned();
            return Err(ReadError::Damaged { line: self.chain.lines(), why });
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
                    return Err(ReadError::Damaged { line: self.chain.lines() + 1, why });
                }
                let text = one_line_bytes(&line, MAX_TORN);
                self.torn = Some(Torn { bytes: count as u64, text });
                return Ok(entries);
            };
            let (entry, chain) = self
                .chain
                .open(whole)
                .map_err(|why| ReadError::Damaged { line: self.chain.lines() + 1, why })?;
            self.chain = chain;
            self.offset += count as u64;
            entries.push(entry);
        }
    }
}
