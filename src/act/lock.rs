//! One run for each stack and scope: an advisory lock that its runner holds, in a file that says
//! to everybody whose it is.

use super::rundir::{self, StateDir, read_bounded};
use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::event::Person;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, OFlags};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// The largest lock file that is read, in bytes.
const MAX_LOCK: usize = 16 << 10;

/// Whose a lock is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub run: RunId,
    pub procedure: ProcedureId,
    pub by: Person,
    pub since: Timestamp,
    /// Process id of the runner that took it.
    pub runner: u32,
}

/// A lock that is held until it is released. Dropped without that, it is left behind with its
/// owner's name in it: the run did not come to its end.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why a lock was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Another run has it and its runner is alive. `None`: it was just being taken.
    Held(Option<Owner>),
    /// A runner died with it: that run must be resumed or aborted first.
    Left(Owner),
    Failed(String),
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Denied::Held(Some(owner)) => {
                write!(
                    f,
                    "take the lock: run {} ({}) of {} has it",
                    owner.run, owner.procedure, owner.by.login
                )
            }
            Denied::Held(None) => f.write_str("take the lock: another run is just taking it"),
            Denied::Left(owner) => write!(
                f,
                "take the lock: the runner of run {} ({}) of {} died with it; resume or abort that run first",
                owner.run, owner.procedure, owner.by.login
            ),
            Denied::Failed(why) => write!(f, "take the lock: {why}"),
        }
    }
}

/// The file of one stack's scope. Both names are ids; anything else in them cannot leave the
/// directory.
pub fn path(state: &StateDir, stack: &str, scope: &str) -> PathBuf {
    let plain = |text: &str| -> String {
        text.chars()
            .take(100)
            .map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' })
            .collect()
    };
    state.locks().join(format!("{}.{}.lock", plain(stack), plain(scope)))
}

/// Takes a lock for a run, or says whose it is. `is_over` tells of the run that a dead runner's
/// lock names whether it has ended after all; then the lock is as good as free. It waits for
/// nothing.
///
/// # Errors
/// See [`Denied`].
pub fn take(
    state: &StateDir,
    stack: &str,
    scope: &str,
    owner: &Owner,
    is_over: impl Fn(&RunId) -> bool,
) -> Result<Lock, Denied> {
    let path = path(state, stack, scope);
    let failed = |e: io::Error| Denied::Failed(format!("{}: {e}", path.display()));
    let file = rundir::open(&path, OFlags::RDWR | OFlags::CREATE, state.group()).map_err(failed)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(Denied::Held(written_in(&path))),
        Err(e) => return Err(failed(e.into())),
    }
    if let Some(left) = written_in(&path)
        && left.run != owner.run
        && !is_over(&left.run)
    {
        return Err(Denied::Left(left));
    }
    let lock = Lock { file };
    lock.write(&serde_json::to_vec(owner).unwrap_or_default()).map_err(failed)?;
    rundir::sync_dir(&state.locks()).map_err(failed)?;
    Ok(lock)
}

/// Whose a lock is, by what is written in it. Whether the runner is alive is for
/// [`super::journal::is_being_written`] to say.
pub fn look(state: &StateDir, stack: &str, scope: &str) -> Option<Owner> {
    written_in(&path(state, stack, scope))
}

fn written_in(path: &std::path::Path) -> Option<Owner> {
    serde_json::from_slice(&read_bounded(path, MAX_LOCK).ok()?).ok()
}

impl Lock {
    /// The run has ended: takes the name out and gives the lock back.
    ///
    /// # Errors
    /// The name could not be taken out; the lock is given back anyway, and since the run's journal
    /// says that it has ended, it refuses nobody.
    pub fn release(self) -> io::Result<()> {
        self.write(b"")
    }

    fn write(&self, text: &[u8]) -> io::Result<()> {
        // Shorter first: a reader sees no owner rather than parts of two.
        self.file.set_len(0)?;
        self.file.write_all_at(text, 0)?;
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn owner(run: &str) -> Owner {
        Owner {
            run: RunId::new(run),
            procedure: ProcedureId::new("restart"),
            by: Person { uid: 1, login: "ann".to_owned(), from: None },
            since: Timestamp::UNIX_EPOCH,
            runner: 7,
        }
    }

    fn state() -> (tempfile::TempDir, StateDir) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("s"), None);
        state.prepare().unwrap();
        (dir, state)
    }

    #[test]
    fn one_run_has_it_and_others_read_whose_it_is() {
        let (_dir, state) = state();
        let open = |_: &RunId| false;
        let lock = take(&state, "shop", "stack", &owner("r1"), open).unwrap();
        assert_eq!(look(&state, "shop", "stack"), Some(owner("r1")));
        assert_eq!(
            take(&state, "shop", "stack", &owner("r2"), open).unwrap_err(),
            Denied::Held(Some(owner("r1")))
        );
        // Other scopes and other stacks do not meet it.
        take(&state, "shop", "edge", &owner("r3"), open).unwrap().release().unwrap();
        take(&state, "club", "stack", &owner("r4"), open).unwrap().release().unwrap();
        lock.release().unwrap();
        assert_eq!(look(&state, "shop", "stack"), None);
        take(&state, "shop", "stack", &owner("r2"), open).unwrap().release().unwrap();
    }

    #[test]
    fn the_lock_of_a_dead_runner_waits_for_review() {
        let (_dir, state) = state();
        let open = |_: &RunId| false;
        drop(take(&state, "shop", "stack", &owner("r1"), open).unwrap());
        assert_eq!(look(&state, "shop", "stack"), Some(owner("r1")));
        assert_eq!(take(&state, "shop", "stack", &owner("r2"), open).unwrap_err(), Denied::Left(owner("r1")));
        // The run itself may be resumed; and one that had ended after all holds nobody up.
        drop(take(&state, "shop", "stack", &owner("r1"), open).unwrap());
        take(&state, "shop", "stack", &owner("r2"), |r| r.as_str() == "r1").unwrap().release().unwrap();
    }

    #[test]
    fn names_cannot_leave_the_directory_and_links_are_not_followed() {
        let (dir, state) = state();
        let path = path(&state, "../../etc", "a/b");
        assert_eq!(path.parent().unwrap(), state.locks());
        let target = dir.path().join("precious");
        fs::write(&target, "keep").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let denied = take(&state, "../../etc", "a/b", &owner("r1"), |_| false).unwrap_err();
        assert!(matches!(denied, Denied::Failed(_)), "{denied}");
        assert_eq!(fs::read_to_string(target).unwrap(), "keep");
    }
}
