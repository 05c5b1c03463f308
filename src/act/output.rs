//! Output that is kept in a run's directory: redacted, bounded, hashed, and on disk before it is
//! spoken of; and its last lines, safe to show.

use super::redact::Redactor;
use super::step::Setting;
use crate::domain::procedure::event::Captured;
use crate::domain::text;
use crate::runs::outputs::{file_name, file_of, folder_beside};
use crate::transport::fetch::access::Access;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Kept of one output, in bytes.
pub const MAX_KEPT: u64 = 64 << 20;
/// Where evidence is, within a run's directory.
pub const EVIDENCE: &str = "evidence";
/// Last lines remembered.
const MAX_LINES: usize = 20;
/// The longest of them, in bytes; what is longer is cut.
const MAX_LINE: usize = 1 << 10;
/// Files of one name at most.
const MAX_SAME: u32 = 100;

/// The folder of this name within a run's directory that is ours to write. What another operator's
/// runner made is closed to us: who takes a run over keeps outputs in a folder beside it.
pub fn folder_of(dir: &Path, name: &str) -> String {
    let me = rustix::process::geteuid().as_raw();
    match std::fs::symlink_metadata(dir.join(name)) {
        Ok(there) if there.uid() != me => folder_beside(name, me),
        _ => name.to_owned(),
    }
}

/// Where an output goes.
pub struct Sink {
    redactor: Redactor,
    file: Option<File>,
    name: String,
    max: u64,
    hash: Sha256,
    bytes: u64,
    dropped: u64,
    /// Why no more of it is kept.
    trouble: Option<String>,
    ready: Vec<u8>,
    lines: Lines,
}

impl Sink {
    /// Opens the file of a step's output.
    ///
    /// # Errors
    /// When there is no such file to be had; it completes "failed: …".
    pub fn of_step(s: &Setting<'_>) -> Result<Sink, String> {
        Sink::create(s, &file_of(s.step.as_str(), s.attempt), MAX_KEPT)
    }

    /// Opens a file of evidence. A name that is taken already gets a number: evidence is never
    /// written over.
    ///
    /// # Errors
    /// As [`Sink::of_step`].
    pub fn evidence(s: &Setting<'_>, name: &str, max: u64) -> Result<Sink, String> {
        Sink::create(s, &format!("{EVIDENCE}/{}", file_name(name)), max)
    }

    fn create(s: &Setting<'_>, name: &str, max: u64) -> Result<Sink, String> {
        let (file, name) =
            create(s.dir, name).map_err(|e| format!("cannot keep its output in {name}: {e}"))?;
        Ok(Sink {
            redactor: Redactor::of(s.access),
            file: Some(file),
            name,
            max,
            hash: Sha256::new(),
            bytes: 0,
            dropped: 0,
            trouble: None,
            ready: Vec::new(),
            lines: Lines::default(),
        })
    }

    /// Looks from now on for what is known by now, and for more. For one that nothing was pushed to.
    pub fn relearn(&mut self, access: &Access, more: Vec<SecretString>) {
        let mut all = access.known();
        all.extend(more);
        self.redactor = Redactor::new(&all);
    }

    /// Takes a piece. Never fails: what cannot be kept is counted, since whoever writes it must
    /// not be blocked.
    pub fn push(&mut self, new: &[u8]) {
        if self.file.is_none() || self.bytes >= self.max {
            if self.bytes >= self.max {
                self.dropped += self.redactor.cut() as u64;
            }
            self.dropped += new.len() as u64;
            return;
        }
        let mut ready = std::mem::take(&mut self.ready);
        self.redactor.push(new, &mut ready);
        self.keep(&ready);
        ready.clear();
        self.ready = ready;
    }

    fn keep(&mut self, ready: &[u8]) {
        let Some(mut file) = self.file.take() else {
            self.dropped += ready.len() as u64;
            return;
        };
        let room = usize::try_from(self.max - self.bytes).unwrap_or(usize::MAX).min(ready.len());
        let (now, over) = ready.split_at(room);
        self.lines.push(now);
        self.dropped += over.len() as u64;
        // In pieces, so that what is counted and hashed is what is there when the disk is full.
        for piece in now.chunks(8 << 10) {
            if self.trouble.is_some() {
                self.dropped += piece.len() as u64;
                continue;
            }
            match write_some(&mut file, piece) {
                (n, None) => self.kept(piece.get(..n).unwrap_or(&[])),
                (n, Some(e)) => {
                    self.kept(piece.get(..n).unwrap_or(&[]));
                    self.dropped += (piece.len() - n) as u64;
                    self.trouble = Some(format!("its output could not be kept: {e}"));
                }
            }
        }
        self.file = Some(file).filter(|_| self.trouble.is_none());
    }

    fn kept(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.bytes += piece.len() as u64;
    }

    /// Ends it; it is on disk when this returns.
    pub async fn finish(mut self) -> Kept {
        let mut ready = Vec::new();
        if self.bytes >= self.max {
            self.dropped += self.redactor.cut() as u64;
        } else {
            self.redactor.finish(&mut ready);
            self.keep(&ready);
        }
        if let Some(file) = self.file.take() {
            // A slow disk must not hold up whoever listens for an abort meanwhile.
            let synced = tokio::task::spawn_blocking(move || file.sync_all()).await;
            match synced {
                Ok(Ok(())) => {}
                Ok(Err(e)) => self.trouble = Some(format!("its output may not be on disk: {e}")),
                Err(e) => self.trouble = Some(format!("its output may not be on disk: {e}")),
            }
        }
        let sha256 = hex(&self.hash.finalize());
        Kept {
            captured: Captured { file: self.name, bytes: self.bytes, dropped: self.dropped, sha256 },
            trouble: self.trouble,
            lines: self.lines.finish(),
        }
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// What was kept of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub captured: Captured,
    /// Why not all that the bound allows is there.
    pub trouble: Option<String>,
    /// Its last lines, safe to show.
    pub lines: Vec<String>,
}

fn write_some(file: &mut File, mut piece: &[u8]) -> (usize, Option<io::Error>) {
    let all = piece.len();
    while !piece.is_empty() {
        match file.write(piece) {
            Ok(0) => return (all - piece.len(), Some(io::ErrorKind::WriteZero.into())),
            Ok(n) => piece = piece.get(n..).unwrap_or(&[]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (all - piece.len(), Some(e)),
        }
    }
    (all, None)
}

/// Makes a new file that only we can read, with a number before its end where the name is taken.
fn create(dir: &Path, name: &str) -> io::Result<(File, String)> {
    let (folder, name) = name.split_once('/').unwrap_or((".", name));
    let folder = folder_of(dir, folder);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir.join(&folder))?;
    let name = format!("{folder}/{name}");
    let (stem, end) = match name.rsplit_once('.') {
        Some((stem, end)) if !end.contains('/') => (stem, format!(".{end}")),
        _ => (name.as_str(), String::new()),
    };
    for n in 1..=MAX_SAME {
        let name = if n == 1 { name.clone() } else { format!("{stem}-{n}{end}") };
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.join(&name)) {
            Ok(file) => return Ok((file, name)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other(format!("there are {MAX_SAME} files of that name")))
}

/// The last lines of an output, made safe when they are complete.
#[derive(Debug, Default)]
pub struct Lines {
    last: VecDeque<String>,
    open: Vec<u8>,
}

impl Lines {
    pub fn push(&mut self, new: &[u8]) {
        // Of a large piece only the end can still be seen.
        let far = new.len().saturating_sub(MAX_LINES * MAX_LINE);
        let new = if far > 0 {
            self.open.clear();
            new.get(far..).unwrap_or(&[])
        } else {
            new
        };
        for part in new.split_inclusive(|b| *b == b'\n') {
            let room = (MAX_LINE - self.open.len().min(MAX_LINE)).min(part.len());
            self.open.extend_from_slice(part.get(..room).unwrap_or(&[]));
            if part.ends_with(b"\n") {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        let line = text::one_line_bytes(&std::mem::take(&mut self.open), MAX_LINE);
        if !line.is_empty() {
            if self.last.len() >= MAX_LINES {
                self.last.pop_front();
            }
            self.last.push_back(line);
        }
    }

    pub fn finish(mut self) -> Vec<String> {
        self.close();
        self.last.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_the_directory() {
        let table = [
            ("restart", "output/restart-1.out"),
            ("each[a/b]/x", "output/each_a_b__x-1.out"),
            ("../../etc", "output/_.._.._etc-1.out"),
        ];
        for (step, want) in table {
            assert_eq!(file_of(step, 1), want);
        }
    }

    #[test]
    fn nothing_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..3).map(|_| create(dir.path(), "output/a-1.out").unwrap().1).collect();
        assert_eq!(names, ["output/a-1.out", "output/a-1-2.out", "output/a-1-3.out"]);
    }

    #[test]
    fn who_takes_a_run_over_has_a_folder_of_their_own() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root to make another user's folder");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), "output/a-1.out").unwrap();
        std::os::unix::fs::chown(dir.path().join("output"), Some(65_534), None).unwrap();
        assert_eq!(create(dir.path(), "output/b-1.out").unwrap().1, "output-0/b-1.out");
        assert_eq!(create(dir.path(), "output/b-1.out").unwrap().1, "output-0/b-1-2.out");
    }

    #[test]
    fn last_lines_are_safe_and_bounded() {
        let mut lines = Lines::default();
        for i in 0..100 {
            lines.push(format!("line {i}\x1b[2J\n\n").as_bytes());
        }
        lines.push(&vec![b'x'; 100_000]);
        let last = lines.finish();
        assert_eq!((last.len(), last[18].as_str()), (MAX_LINES, "line 99·[2J"));
        assert!(last[19].chars().count() <= MAX_LINE);
    }
}
