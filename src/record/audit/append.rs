//! Appends to the audit log: one writer at a time, and on disk before anybody goes on.

use super::chain::{self, Hash};
use super::elsewhere;
use super::head::Head;
use super::line::{Line, What};
use super::{FILE, MAX_LINE};
use crate::domain::procedure::event::Person;
use jiff::Timestamp;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Another writer has the log for milliseconds; one that keeps it longer is stuck or hostile.
const LOCK_TRIES: u32 = 250;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// The audit log of a state directory.
#[derive(Clone, Debug)]
pub struct Log {
    dir: PathBuf,
    /// The group that shares it.
    group: Option<u32>,
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub head: Head,
    /// What should be known; one line each. Empty when all is well.
    pub remarks: Vec<String>,
}

/// How the log ends, as it was found.
struct End {
    n: u64,
    hash: Hash,
    /// Bytes after the last line end.
    torn: Vec<u8>,
    /// Where they begin.
    whole: u64,
    /// Why the last whole line cannot be followed.
    bad: Option<String>,
}

impl Log {
    /// The log in a state directory. With a group, its members can read and append.
    pub fn new(dir: &Path, group: Option<u32>) -> Self {
        Log { dir: dir.to_owned(), group }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// Appends one line: it is on disk when this returns. A line that a crash cut off is removed
    /// first, which a line of its own says; a log that does not fit its head gets a line that says
    /// so for ever, since what goes on now must be recorded all the same.
    ///
    /// # Errors
    /// Nothing can be written, or another writer holds the log; completes "failed to …".
    pub fn append(&self, at: Timestamp, who: Option<&Person>, what: What) -> Result<Appended, String> {
        let told = |e: std::io::Error| format!("write {}: {e}", self.path().display());
        let mut file = self.open().map_err(told)?;
        self.lock(&file)?;
        let end = end_of(&mut file).map_err(told)?;
        let mut remarks = Vec::new();
        let (mut n, mut hash) = (end.n, end.hash.clone());
        // What is no line of ours stays as it is, and ends here.
        let mut bytes = if end.bad.is_some() && end.torn.is_empty() { b"\n".to_vec() } else { Vec::new() };
        let mut add = |who: Option<&Person>, what: What| -> Result<(), String> {
            let line = Line { n: n + 1, at, machine: machine(), who: who.map(bounded), what: what.bounded() };
            let (text, own) = chain::write(&line, &hash)?;
            bytes.extend(text);
            (n, hash) = (n + 1, own);
            Ok(())
        };
        if let Some(own) = self.own_words(&end) {
            remarks.push(own.says());
            add(None, own)?;
        }
        add(who, what)?;
        if !end.torn.is_empty() {
            file.set_len(end.whole).map_err(told)?;
        }
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(told)?;
        let sent = elsewhere::send(&self.path(), n, &hash);
        if let Err(why) = &sent {
            remarks.push(format!("the head was sent nowhere else: {why}"));
        }
        let head = Head { n, hash, sent: sent.ok() };
        if let Err(e) = self.set_head(&head) {
            remarks.push(format!("failed to write the head beside the log: {e}"));
        }
        Ok(Appended { head, remarks })
    }

    /// What the log has to say of itself before the next line.
    fn own_words(&self, end: &End) -> Option<What> {
        let head = self.head();
        let tampered = |head: Option<&Head>, why: String| What::Tampered {
            head_n: head.map_or(0, |h| h.n),
            head_hash: head.map_or_else(String::new, |h| h.hash.to_string()),
            found_n: end.n,
            why,
        };
        match (&end.bad, &head) {
            (Some(why), _) => return Some(tampered(head.ok().flatten().as_ref(), why.clone())),
            (None, Err(why)) => return Some(tampered(None, format!("failed to {why}"))),
            // A crash can come between the first line and the first head, and before no other.
            (None, Ok(None)) if end.n > 1 => {
                return Some(tampered(None, "the head beside it is missing".to_owned()));
            }
            (None, Ok(Some(head))) if head.n > end.n => {
                return Some(tampered(Some(head), "its end is missing".to_owned()));
            }
            (None, Ok(Some(head))) if head.n == end.n && head.hash != end.hash => {
                return Some(tampered(Some(head), "its last line is another one".to_owned()));
            }
            _ => {}
        }
        (!end.torn.is_empty())
            .then(|| What::Mended { bytes: end.torn.len() as u64, sha256: chain::digest(&end.torn) })
    }

    fn open(&self) -> std::io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(0o600).custom_flags(super::read::no_links());
        match options.clone().create_new(true).open(self.path()) {
            Ok(file) => {
                self.share(&file)?;
                // The name must be on disk as well as the lines.
                File::open(&self.dir)?.sync_all()?;
                Ok(file)
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => options.open(self.path()),
            Err(e) => Err(e),
        }
    }

    /// Gives a new file to the group, where there is one.
    pub(super) fn share(&self, file: &File) -> std::io::Result<()> {
        let Some(group) = self.group else { return Ok(()) };
        if file.metadata()?.gid() != group {
            std::os::unix::fs::fchown(file, None, Some(group))?;
        }
        file.set_permissions(std::fs::Permissions::from_mode(0o660))
    }

    /// Waits for the other writers, for a bounded time.
    fn lock(&self, file: &File) -> Result<(), String> {
        self.wait_for(|| file.try_lock())
    }

    /// The same for who only reads, and so keeps writers out.
    pub(super) fn lock_shared(&self, file: &File) -> Result<(), String> {
        self.wait_for(|| file.try_lock_shared())
    }

    fn wait_for(&self, lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), String> {
        for _ in 0..LOCK_TRIES {
            match lock() {
                Ok(()) => return Ok(()),
                // Nobody unparks this thread: it is only between two looks at the lock.
                Err(TryLockError::WouldBlock) => std::thread::park_timeout(BETWEEN_TRIES),
                Err(TryLockError::Error(e)) => {
                    return Err(format!("lock {}: {e}", self.path().display()));
                }
            }
        }
        let waited = BETWEEN_TRIES.saturating_mul(LOCK_TRIES).as_secs();
        Err(format!("lock {}: another program has held it for {waited} s", self.path().display()))
    }
}

/// Reads the last whole line and what follows it.
fn end_of(file: &mut File) -> std::io::Result<End> {
    let size = file.metadata()?.len();
    // The longest line, and the longest torn one after it.
    let from = size.saturating_sub(2 * MAX_LINE as u64 + 2);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    Read::by_ref(file).take(size - from).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let torn = bytes.split_off(whole);
    let none = End { n: 0, hash: Hash::none(), torn, whole: from + whole as u64, bad: None };
    if bytes.pop().is_none() {
        if from == 0 {
            return Ok(none);
        }
        // What does not end in all that length is no line of ours, and so nothing is cut off.
        let bad = Some("it ends in something that is no line".to_owned());
        return Ok(End { bad, torn: Vec::new(), ..none });
    }
    let last = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    Ok(match chain::parse(bytes.get(last..).unwrap_or_default()) {
        Ok(whole) => End { n: whole.line.n, hash: whole.hash, ..none },
        Err(why) => End { bad: Some(format!("its last line cannot be followed: {why}")), ..none },
    })
}

fn bounded(who: &Person) -> Person {
    let safe = |t: &str| crate::domain::text::one_line(t, 100);
    Person { uid: who.uid, login: safe(&who.login), from: who.from.as_deref().map(safe) }
}

fn machine() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    crate::domain::text::one_line(&name, 64)
}
