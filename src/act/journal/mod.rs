//! The journal of a run: one JSON line for each entry, each line sealed by a checksum over all
//! lines before it. What is intended is on disk before it is done.

use super::rundir::{self, RunDir};
use crate::domain::procedure::event::{Entry, Event};
use crate::runs::journal::{MAX_JOURNAL, Read, ReadError, read};
use crate::runs::seal::Chain;
use jiff::Timestamp;
use rustix::fs::{FallocateFlags, FlockOperation, OFlags};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Kept free on the disk for the lines that tell how a step ended, in bytes: an intent is only
/// written while there is that much.
const RESERVE: u64 = 64 << 10;
/// A wall clock that goes back by less is slewing, and not worth a note. In milliseconds.
const SLEW_MS: i64 = 1_000;

/// Why a journal cannot be read or written. Completes "failed to …".
#[derive(Debug)]
pub enum JournalError {
    /// What is there of it cannot be read.
    Read(ReadError),
    /// Another runner has it.
    Busy(PathBuf),
    Io {
        doing: &'static str,
        path: PathBuf,
        error: io::Error,
    },
    /// An earlier write may or may not be on disk: nothing more is written.
    Spoilt(String),
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Read(why) => write!(f, "{why}"),
            JournalError::Busy(path) => write!(f, "write {}: another runner has it", path.display()),
            JournalError::Io { doing, path, error } => write!(f, "{doing} {}: {error}", path.display()),
            JournalError::Spoilt(why) => write!(f, "write the journal: an earlier write failed: {why}"),
        }
    }
}

impl std::error::Error for JournalError {}

impl From<ReadError> for JournalError {
    fn from(why: ReadError) -> Self {
        JournalError::Read(why)
    }
}

/// A journal that is being written. While it is open its file is locked: that is how others know
/// that the run has a runner.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// What it is called until its first line is on disk.
    unborn: Option<PathBuf>,
    chain: Chain,
    /// When the last entry was written, by the wall clock.
    last: Option<Timestamp>,
    /// Length of what is known to be whole lines.
    len: u64,
    /// Up to where the disk is ours.
    reserved: u64,
    spoilt: Option<String>,
}

impl Journal {
    /// Makes the journal of a run that has none. It gets its name with its first line: one that is
    /// empty would be taken for one that was emptied.
    ///
    /// # Errors
    /// There is one already, or it cannot be made.
    pub fn create(dir: &RunDir) -> Result<Journal, JournalError> {
        let path = dir.journal();
        let unborn = dir.path().join("journal.new");
        let told = |error| JournalError::Io { doing: "create", path: dir.journal(), error };
        if path.symlink_metadata().is_ok() {
            return Err(told(io::ErrorKind::AlreadyExists.into()));
        }
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL;
        let file = rundir::open(&unborn, flags, dir.group()).map_err(told)?;
        hold(&file, &unborn)?;
        let (unborn, chain) = (Some(unborn), Chain::start());
        Ok(Journal { file, path, unborn, chain, last: None, len: 0, reserved: 0, spoilt: None })
    }

    /// Gives it its name, on disk. Who has one of that name already keeps it.
    fn name(&mut self) -> io::Result<()> {
        let Some(unborn) = &self.unborn else { return Ok(()) };
        // Not by renaming, which would put it in the place of another.
        std::fs::hard_link(unborn, &self.path)?;
        std::fs::remove_file(unborn)?;
        self.unborn = None;
        self.path.parent().map_or(Ok(()), rundir::sync_dir)
    }

    /// Opens the journal of a run that has lost its runner. A torn last line is cut off; what it
    /// was is in what is given back.
    ///
    /// # Errors
    /// There is none, it is damaged, another runner has it, or it cannot be written.
    pub fn open(dir: &RunDir) -> Result<(Journal, Read), JournalError> {
        let path = dir.journal();
        let told = |doing, error| JournalError::Io { doing, path: dir.journal(), error };
        let file = rundir::open(&path, OFlags::RDWR | OFlags::APPEND, None).map_err(|e| told("open", e))?;
        hold(&file, &path)?;
        let read = read(&path)?;
        if read.torn.is_some() {
            file.set_len(read.len).and_then(|()| file.sync_all()).map_err(|e| told("repair", e))?;
        }
        let journal = Journal {
            file,
            path,
            unborn: None,
            chain: read.chain.clone(),
            last: read.entries.last().map(|e| e.at),
            len: read.len,
            reserved: 0,
            spoilt: None,
        };
        Ok((journal, read))
    }

    /// Writes one entry; all but observations are on disk when it returns.
    ///
    /// # Errors
    /// It could not be written, or the disk has no room for what must follow it. The journal is
    /// then as it was before, and readable.
    pub fn append(&mut self, event: Event, at: Timestamp) -> Result<Entry, JournalError> {
        if let Some(why) = &self.spoilt {
            return Err(JournalError::Spoilt(why.clone()));
        }
        let path = self.path.clone();
        let told = |doing, error| JournalError::Io { doing, path: path.clone(), error };
        let entry = Entry { n: self.chain.lines() + 1, at, event };
        let (line, chain) = self.chain.seal(&entry).map_err(|e| told("write", e))?;
        let after = self.len + line.len() as u64;
        let bound = if must_be_kept(&entry.event) { MAX_JOURNAL } else { MAX_JOURNAL / 4 * 3 };
        if after > bound {
            return Err(told("write", io::Error::new(io::ErrorKind::FileTooLarge, "it is at its bound")));
        }
        if begins_an_effect(&entry.event) {
            self.reserve(after + RESERVE).map_err(|e| told("reserve room for the end of a step in", e))?;
        }
        if let Err(error) = self.file.write_all(&line) {
            self.take_back(false);
            return Err(told("write", error));
        }
        if !matches!(entry.event, Event::Observed { .. })
            && let Err(error) = self.file.sync_data()
        {
            // What the kernel has thrown away it does not write again: nothing can follow.
            let failure = told("write", error);
            self.take_back(true);
            self.spoilt = Some(failure.to_string());
            return Err(failure);
        }
        if let Err(error) = self.name() {
            let failure = told("create", error);
            self.spoilt = Some(failure.to_string());
            return Err(failure);
        }
        self.chain = chain;
        self.len = after;
        self.last = Some(at);
        Ok(entry)
    }

    /// What must be noted before an entry of this time: that the wall clock went back since the
    /// last one. Entries keep their order by number.
    pub fn went_back(&self, at: Timestamp) -> Option<Event> {
        self.last.and_then(|last| went_back(last, at)).map(|says| Event::Note { says })
    }

    /// Number of the last entry; 0 when there is none.
    pub fn last_number(&self) -> u64 {
        self.chain.lines()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that the disk has room up to `to`, where the file system can promise that.
    fn reserve(&mut self, to: u64) -> io::Result<()> {
        if to <= self.reserved {
            return Ok(());
        }
        let goal = to + RESERVE;
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.len, goal - self.len) {
            Ok(()) => self.reserved = goal,
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => self.reserved = u64::MAX,
            Err(e) => return Err(e.into()),
        }
        Ok(())
    }

    /// Cuts off what was written of a line that failed.
    fn take_back(&mut self, sync: bool) {
        let cut = self.file.set_len(self.len);
        if sync || cut.is_err() {
            let _ = self.file.sync_all();
        }
        // Cutting gives the reserve back to the disk.
        self.reserved = self.reserved.min(self.len);
        if let Err(e) = cut {
            self.spoilt = Some(format!("a torn line could not be cut off: {e}"));
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Some(unborn) = &self.unborn {
            let _ = std::fs::remove_file(unborn);
        }
    }
}

/// Marks the file as being written. Who looks whether it is holds it for some microseconds.
fn hold(file: &File, path: &Path) -> Result<(), JournalError> {
    const TRIES: u32 = 50;
    let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
    for _ in 0..TRIES {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let _ = rustix::event::poll(&mut [], Some(&pause));
            }
            Err(e) => return Err(JournalError::Io { doing: "lock", path: path.to_owned(), error: e.into() }),
        }
    }
    Err(JournalError::Busy(path.to_owned()))
}

fn begins_an_effect(event: &Event) -> bool {
    matches!(event, Event::Intended { .. } | Event::RollbackIntended { .. })
}

fn must_be_kept(event: &Event) -> bool {
    !matches!(event, Event::Observed { .. } | Event::Note { .. })
}

fn went_back(last: Timestamp, at: Timestamp) -> Option<String> {
    let back = last.duration_since(at).as_millis();
    (back >= i128::from(SLEW_MS)).then(|| {
        format!("the clock went back by {}.{:03} s; entries keep their order", back / 1000, back % 1000)
    })
}

#[cfg(test)]
mod tests;
