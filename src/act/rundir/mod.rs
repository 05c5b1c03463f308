//! What makes and writes the state directory of what acts: one directory for each run, the locks, the
//! approvals, and who may read and write them.
//!
//! Where what is, and what is read of it, is in [`crate::runs`], which who only looks knows as well.
//! What writes is a trait of here: nobody has it without naming this place.

mod files;
mod run;
#[cfg(test)]
mod tests;

pub use crate::runs::dir::{MAX_DOCUMENT, RunDir, StateDir};
pub use crate::runs::files::read_bounded;
pub use files::{open, sync_dir};
pub use run::WriteRun;

use super::identity::{group_id, user_name};
use crate::domain::id::RunId;
use files::admit;
use jiff::Timestamp;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Tries to find a name for a run that nobody else took in the same millisecond.
const MAX_NAMES: u32 = 1_000;

/// The state directory with the group by its name, as `operators_group` has it.
///
/// # Errors
/// There is no such group.
pub fn of_group(root: impl Into<PathBuf>, group: Option<&str>) -> Result<StateDir, String> {
    Ok(StateDir::new(root, group.map(group_id).transpose()?))
}

/// What makes a state directory, and the directories of runs in it.
pub trait WriteState {
    /// Makes what is missing: 0700, or 2770 and the group's.
    ///
    /// # Errors
    /// It cannot be made; or it is there, belongs to somebody else, and no group was named; or
    /// anybody may write into it.
    fn prepare(&self) -> Result<(), String>;

    /// Makes a run's directory, named by the time; of two in one millisecond the later one is
    /// named by the next that is free. [`WriteState::prepare`] must have been called.
    ///
    /// # Errors
    /// It cannot be made.
    fn create_run(&self, at: Timestamp) -> Result<RunDir, String>;
}

impl WriteState for StateDir {
    fn prepare(&self) -> Result<(), String> {
        if let Some(above) = self.root().parent().filter(|a| !a.exists()) {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(above)
                .map_err(|e| format!("create {}: {e}", above.display()))?;
        }
        for dir in [self.root().to_owned(), self.runs(), self.locks(), self.approvals()] {
            prepare_one(self, &dir)?;
        }
        Ok(())
    }

    fn create_run(&self, at: Timestamp) -> Result<RunDir, String> {
        let runs = self.runs();
        let told = |e: io::Error| format!("create a run in {}: {e}", runs.display());
        let mut at = at;
        for _ in 0..MAX_NAMES {
            let id = RunId::new(&at.strftime("%Y%m%d-%H%M%S-%3f").to_string());
            let path = runs.join(id.as_str());
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    admit(&path, self.group()).map_err(told)?;
                    sync_dir(&runs).map_err(told)?;
                    return self.run(id.as_str());
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    at = at.checked_add(jiff::SignedDuration::from_millis(1)).unwrap_or(at);
                }
                Err(e) => return Err(told(e)),
            }
        }
        Err(format!("create a run in {}: too many began at once", runs.display()))
    }
}

fn prepare_one(state: &StateDir, dir: &Path) -> Result<(), String> {
    let group = state.group();
    let told = |e: io::Error| format!("prepare {}: {e}", dir.display());
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {
            admit(dir, group).map_err(told)?;
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
    match group {
        None if !mine => Err(format!(
            "use {}: it belongs to user {}, and no operators_group is set",
            dir.display(),
            user_name(is.uid())
        )),
        Some(gid) if !mine && (is.gid() != gid || is.mode() & 0o070 != 0o070) => Err(format!(
            "use {}: it belongs to user {} and is not open to the operators' group",
            dir.display(),
            user_name(is.uid())
        )),
        Some(gid) if mine && (is.gid() != gid || is.mode() & 0o7777 != 0o2770) => {
            admit(dir, group).map_err(told)
        }
        None if is.mode() & 0o077 != 0 && dir != state.root() => admit(dir, None).map_err(told),
        _ => Ok(()),
    }
}
