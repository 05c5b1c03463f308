//! The state directory of what acts: one directory for each run, the locks, the approvals, and
//! who may read and write them.

mod files;
mod run;
#[cfg(test)]
mod tests;

pub use files::{open, read_bounded, sync_dir};
pub use run::{MAX_DOCUMENT, RunDir};

use crate::domain::id::{self, RunId};
use files::admit;
use jiff::Timestamp;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Run directories looked at, at most; the newest ones.
pub const MAX_RUNS: usize = 20_000;
/// Tries to find a name for a run that nobody else took in the same millisecond.
const MAX_NAMES: u32 = 1_000;

/// Where runs, locks and approvals are kept: the user's own, or a group's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
    group: Option<u32>,
}

impl StateDir {
    /// The directory as it is to be; nothing is made or looked at yet. `group` is a group's id.
    pub fn new(root: impl Into<PathBuf>, group: Option<u32>) -> Self {
        StateDir { root: root.into(), group }
    }

    /// The same, with the group by its name, as `operators_group` has it.
    ///
    /// # Errors
    /// There is no such group.
    pub fn with_group(root: impl Into<PathBuf>, group: Option<&str>) -> Result<Self, String> {
        let group = group.map(crate::act::identity::group_id).transpose()?;
        Ok(StateDir { root: root.into(), group })
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

    /// Makes what is missing: 0700, or 2770 and the group's.
    ///
    /// # Errors
    /// It cannot be made; or it is there, belongs to somebody else, and no group was named; or
    /// anybody may write into it.
    pub fn prepare(&self) -> Result<(), String> {
        if let Some(above) = self.root.parent().filter(|a| !a.exists()) {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(above)
                .map_err(|e| format!("create {}: {e}", above.display()))?;
        }
        for dir in [self.root.clone(), self.runs(), self.locks(), self.approvals()] {
            self.prepare_one(&dir)?;
        }
        Ok(())
    }

    fn prepare_one(&self, dir: &Path) -> Result<(), String> {
        let told = |e: io::Error| format!("prepare {}: {e}", dir.display());
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Ok(()) => {
                admit(dir, self.group).map_err(told)?;
                if let Some(above) = dir.parent() {
                    sync_dir(above).map_err(told)?;
                }
                return Ok(());
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(told(e)),
        }
        let is = fs::metadata(dir).map_err(told)?;
        let mine = is.uid() == rustix::process::geteuid().as_raw();
        if !is.is_dir() {
            return Err(format!("use {}: it is no directory", dir.display()));
        }
        if is.mode() & 0o002 != 0 {
            return Err(format!("use {}: everybody may write into it", dir.display()));
        }
        match self.group {
            None if !mine => Err(format!(
                "use {}: it belongs to user {}, and no operators_group is set",
                dir.display(),
                crate::act::identity::user_name(is.uid())
            )),
            Some(gid) if !mine && (is.gid() != gid || is.mode() & 0o070 != 0o070) => Err(format!(
                "use {}: it belongs to user {} and is not open to the operators' group",
                dir.display(),
                crate::act::identity::user_name(is.uid())
            )),
            Some(gid) if mine && (is.gid() != gid || is.mode() & 0o7777 != 0o2770) => {
                admit(dir, self.group).map_err(told)
            }
            None if is.mode() & 0o077 != 0 && *dir != self.root => admit(dir, None).map_err(told),
            _ => Ok(()),
        }
    }

    /// Makes a run's directory, named by the time; of two in one millisecond the later one is
    /// named by the next that is free. [`StateDir::prepare`] must have been called.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create_run(&self, at: Timestamp) -> Result<RunDir, String> {
        let runs = self.runs();
        let told = |e: io::Error| format!("create a run in {}: {e}", runs.display());
        let mut at = at;
        for _ in 0..MAX_NAMES {
            let id = RunId::new(&at.strftime("%Y%m%d-%H%M%S-%3f").to_string());
            let path = runs.join(id.as_str());
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    admit(&path, self.group).map_err(told)?;
                    sync_dir(&runs).map_err(told)?;
                    return Ok(RunDir { id, path, group: self.group });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    at = at.checked_add(jiff::SignedDuration::from_millis(1)).unwrap_or(at);
                }
                Err(e) => return Err(told(e)),
            }
        }
        Err(format!("create a run in {}: too many began at once", runs.display()))
    }

    /// The directory of a run that there is.
    ///
    /// # Errors
    /// The text is no run's id, or there is no such run.
    pub fn run(&self, id: &str) -> Result<RunDir, String> {
        if !id::is_valid(id) {
            return Err(format!(
                "find the run {}: that is no run's id",
                crate::domain::text::one_line(id, 60)
            ));
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
