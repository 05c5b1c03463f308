//! The state directory of what acts, and the directory of each run in it: where what is, and what
//! runs there are.

use super::files::read_bounded;
use crate::domain::id::{self, RunId};
use crate::domain::text::one_line;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Run directories looked at, at most; the newest ones.
pub const MAX_RUNS: usize = 20_000;
/// The largest plan or approval that is read, in bytes.
pub const MAX_DOCUMENT: usize = 4 << 20;

/// Where runs, locks and approvals are kept: the user's own, or a group's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
    group: Option<u32>,
}

impl StateDir {
    /// The directory as it is to be; nothing is made or looked at yet. One that is named from the
    /// directory that this program is in stays that one, and has one above it. `group` is a group's
    /// id, for who writes into it.
    pub fn new(root: impl Into<PathBuf>, group: Option<u32>) -> Self {
        let root = root.into();
        StateDir { root: std::path::absolute(&root).unwrap_or(root), group }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whose members take part; `None` when it is the user's alone.
    pub fn group(&self) -> Option<u32> {
        self.group
    }

    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    pub fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    pub fn approvals(&self) -> PathBuf {
        self.root.join("approvals")
    }

    /// The directory of a run that there is.
    ///
    /// # Errors
    /// The text is no run's id, or there is no such run.
    pub fn run(&self, id: &str) -> Result<RunDir, String> {
        if !id::is_valid(id) {
            return Err(format!("find the run {}: that is no run's id", one_line(id, 60)));
        }
        let path = self.runs().join(id);
        match fs::symlink_metadata(&path) {
            Ok(is) if is.is_dir() => Ok(RunDir { id: RunId::new(id), path, group: self.group }),
            Ok(_) => Err(format!("find the run {id}: {} is no directory", path.display())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(format!("find the run {id}: there is none")),
            Err(e) => Err(format!("find the run {id}: {}: {e}", path.display())),
        }
    }

    /// All runs, newest first, at most [`MAX_RUNS`], and how many older ones there are.
    ///
    /// # Errors
    /// The directory is there and cannot be read.
    pub fn run_ids(&self) -> Result<(Vec<RunId>, usize), String> {
        let dir = self.runs();
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
            Err(e) => return Err(format!("read {}: {e}", dir.display())),
        };
        let mut ids: Vec<RunId> = entries
            .flatten()
            .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
            .filter_map(|e| e.file_name().into_string().ok().filter(|n| id::is_valid(n)))
            .map(|n| RunId::new(&n))
            .collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let older = ids.len().saturating_sub(MAX_RUNS);
        ids.truncate(MAX_RUNS);
        Ok((ids, older))
    }
}

/// The directory of one run: `plan.json`, `approval.json`, `journal`, outputs, `control.sock`,
/// `runner.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    id: RunId,
    path: PathBuf,
    group: Option<u32>,
}

impl RunDir {
    pub fn id(&self) -> &RunId {
        &self.id
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn group(&self) -> Option<u32> {
        self.group
    }

    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    pub fn approval(&self) -> PathBuf {
        self.path.join("approval.json")
    }

    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    pub fn socket(&self) -> PathBuf {
        self.path.join("control.sock")
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("runner.log")
    }

    /// The state directory that it is in.
    pub fn state_root(&self) -> &Path {
        self.path.parent().and_then(Path::parent).unwrap_or(Path::new("/"))
    }

    /// Why the run was set aside without a journal that says so, and by whom.
    pub fn set_aside(&self) -> PathBuf {
        self.path.join("set-aside")
    }

    /// The user that made it.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn owner(&self) -> Result<u32, String> {
        fs::symlink_metadata(&self.path)
            .map(|is| is.uid())
            .map_err(|e| format!("look at {}: {e}", self.path.display()))
    }

    /// The text of one of its documents, at most [`MAX_DOCUMENT`] bytes.
    ///
    /// # Errors
    /// It cannot be read, is no plain file, is larger, or is no text.
    pub fn read(&self, name: &str) -> Result<String, String> {
        let path = self.path.join(name);
        read_bounded(&path, MAX_DOCUMENT)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text")))
            .map_err(|e| format!("read {}: {e}", path.display()))
    }
}
