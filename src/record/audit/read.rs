//! Reads an audit log line by line, within bounds, and verifies it.

use super::chain::{self, Broken, Chain, Verdict};
use super::head::Head;
use super::line::{Line, What};
use super::{Log, MAX_LINE};
use crate::domain::id::RunId;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

/// Read of the end of a log to see what was lately, in bytes.
const RECENT: u64 = 1 << 20;

/// Bytes between two line ends.
pub(super) enum Raw {
    /// Without its line end.
    Whole(Vec<u8>),
    /// The file ends without a line end.
    Torn(Vec<u8>),
    /// More than [`MAX_LINE`] bytes without a line end.
    TooLong,
}

/// In a directory that a group shares, a name may be somebody's link to another file, or a pipe.
pub(super) fn no_links() -> i32 {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    i32::try_from(flags.bits()).unwrap_or_default()
}

/// The lines of a file.
pub(super) struct Lines<R>(BufReader<R>);

impl<R: Read> Lines<R> {
    pub fn of(from: R) -> Self {
        Lines(BufReader::with_capacity(64 * 1024, from))
    }

    /// The next one; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Raw>> {
        let mut bytes = Vec::new();
        let most = MAX_LINE as u64 + 1;
        if self.0.by_ref().take(most).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        Ok(Some(match bytes.pop_if(|b| *b == b'\n') {
            Some(_) => Raw::Whole(bytes),
            None if bytes.len() as u64 >= most => Raw::TooLong,
            None => Raw::Torn(bytes),
        }))
    }
}

/// Lines to show and what was found while reading them.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The last of those asked for, oldest first.
    pub lines: Vec<Line>,
    /// Lines that were asked for and are older than those.
    pub older: u64,
    pub verdict: Verdict,
}

impl Log {
    /// Follows the whole log, and holds it against the head beside it and, if there is one, against
    /// a head that was kept elsewhere. An absent log is an empty one.
    ///
    /// # Errors
    /// It cannot be read; completes "failed to …".
    pub fn verify(&self, elsewhere: Option<&Head>) -> Result<Verdict, String> {
        self.walk(elsewhere, &mut |_| {})
    }

    /// The last `most` lines that are wanted, verified on the way.
    ///
    /// # Errors
    /// It cannot be read; completes "failed to …".
    pub fn show(&self, most: usize, wanted: &dyn Fn(&Line) -> bool) -> Result<Shown, String> {
        let mut kept = std::collections::VecDeque::new();
        let mut older = 0;
        let verdict = self.walk(None, &mut |line| {
            if wanted(line) {
                kept.push_back(line.clone());
                if kept.len() > most {
                    kept.pop_front();
                    older += 1;
                }
            }
        })?;
        Ok(Shown { lines: kept.into(), older, verdict })
    }

    /// Whether a run has begun, by the end of the log: a run that is about to begin was approved a
    /// moment ago, so that an earlier beginning of it is not further back.
    ///
    /// # Errors
    /// It cannot be read; completes "failed to …".
    pub fn has_begun(&self, run: &RunId) -> Result<bool, String> {
        let told = |e: io::Error| format!("read {}: {e}", self.path().display());
        let opened = OpenOptions::new().read(true).custom_flags(no_links()).open(self.path());
        let mut file = match opened {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(told(e)),
        };
        let size = file.metadata().map_err(told)?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(RECENT))).map_err(told)?;
        let mut bytes = Vec::new();
        file.take(RECENT).read_to_end(&mut bytes).map_err(told)?;
        let begins = |line: &[u8]| {
            chain::parse(line)
                .is_ok_and(|whole| matches!(&whole.line.what, What::Started { run: id, .. } if id == run))
        };
        Ok(bytes.split(|b| *b == b'\n').any(begins))
    }

    fn walk(&self, elsewhere: Option<&Head>, show: &mut dyn FnMut(&Line)) -> Result<Verdict, String> {
        let name = self.path().display().to_string();
        let mut remarks = Vec::new();
        let opened = OpenOptions::new().read(true).custom_flags(no_links()).open(self.path());
        let file = match opened {
            Ok(file) => Some(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(format!("open {name}: {e}")),
        };
        let (beside, file) = match file {
            Some(file) => {
                let (beside, size) = self.moment(&file, &mut remarks)?;
                (beside, Some(file.take(size)))
            }
            None => (self.head()?, None),
        };
        let (head, of) = weightier(beside.as_ref(), elsewhere);
        let mut chain = Chain::new(head.map(|h| h.n));
        if let Some(file) = file {
            let mut lines = Lines::of(file);
            while let Some(raw) = lines.next().map_err(|e| format!("read {name}: {e}"))? {
                if !chain.take(&raw, show) {
                    break;
                }
            }
        }
        let mut verdict = chain.end(head, of);
        if head.is_none() && verdict.lines > 0 && verdict.broken.is_none() {
            let why = "nothing vouches for its end: the head beside it is missing".to_owned();
            verdict.broken = Some(Broken { line: verdict.lines, why });
        } else if beside.is_none() && verdict.lines > 0 {
            remarks.push("the head beside it is missing".to_owned());
        }
        if beside.is_some_and(|h| h.sent.is_none()) {
            remarks.push(
                "the last head was sent to no system journal: only the file beside the log vouches for its end"
                    .to_owned(),
            );
        }
        verdict.remarks.extend(remarks);
        Ok(verdict)
    }

    /// The head and the log's size of one moment, in which nobody writes. Writers are kept out for
    /// no longer than that.
    fn moment(&self, file: &File, remarks: &mut Vec<String>) -> Result<(Option<Head>, u64), String> {
        if let Err(why) = self.lock_shared(file) {
            remarks.push(format!("it may have been written to meanwhile: failed to {why}"));
        }
        let head = self.head();
        let size = file.metadata().map(|m| m.len());
        // Unlocking fails only for what is no lock.
        let _ = file.unlock();
        Ok((head?, size.map_err(|e| format!("read {}: {e}", self.path().display()))?))
    }
}

/// The head that vouches for more, and what it is called: the other one vouches for a part of that.
/// Of two that disagree, the one that was kept elsewhere is harder to forge.
fn weightier<'a>(beside: Option<&'a Head>, elsewhere: Option<&'a Head>) -> (Option<&'a Head>, &'static str) {
    match (beside, elsewhere) {
        (beside, Some(e)) if beside.is_none_or(|b| e.n >= b.n) => (Some(e), "the head kept elsewhere"),
        (beside, _) => (beside, "the head beside it"),
    }
}
