//! One run for each stack and scope: an advisory lock that its runner holds, in a file that says
//! to everybody whose it is.

use super::rundir::{self, StateDir};
use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::event::Person;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, OFlags};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The largest lock file that is read, in bytes.
const MAX_LOCK: usize = 16 << 10;
/// Looks at one that says nothing sensible, at most.
const LOOKS: usize = 50;

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
    /// A run of this stack and scope has not ended, although the lock does not name it.
    Open(Open),
    /// There is something in the lock that names no run.
    Damaged(PathBuf),
    Failed(String),
}

/// A run that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub run: RunId,
    pub procedure: ProcedureId,
    /// Whether it has a runner.
    pub alive: bool,
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
            Denied::Open(open) if open.alive => write!(
                f,
                "take the lock: run {} ({}) goes on, although the lock does not name it",
                open.run, open.procedure
            ),
            Denied::Open(open) => write!(
                f,
                "take the lock: run {} ({}) has not ended, although the lock does not name it; resume or abort that run first",
                open.run, open.procedure
            ),
            Denied::Damaged(path) => write!(
                f,
                "take the lock: a run that is not known may have it, {} is damaged; when `quarterdeck runs` shows that none goes on, remove that file",
                path.display()
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
/// lock names whether it has ended after all; then the lock is as good as free. `others` looks for
/// another run of this stack and scope that has not ended, so that a lock which was emptied is not
/// taken for one that was given back. It waits for nothing.
///
/// # Errors
/// See [`Denied`].
pub fn take(
    state: &StateDir,
    stack: &str,
    scope: &str,
    owner: &Owner,
    is_over: impl Fn(&RunId) -> bool,
    others: impl Fn() -> Option<Open>,
) -> Result<Lock, Denied> {
    let path = path(state, stack, scope);
    let failed = |e: io::Error| Denied::Failed(format!("{}: {e}", path.display()));
    let file = rundir::open(&path, OFlags::RDWR | OFlags::CREATE, state.group()).map_err(failed)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(Denied::Held(written_in(&path).owner())),
        Err(e) => return Err(failed(e.into())),
    }
    let found = written_in(&path);
    if let Written::Owner(left) = &found
        && left.run != owner.run
        && !is_over(&left.run)
    {
        return Err(Denied::Left(left.clone()));
    }
    if let Some(open) = others() {
        return Err(Denied::Open(open));
    }
    let lock = Lock { file };
    match found {
        Written::Owner(left) if left.run == owner.run => return Ok(lock),
        // A run that is taken up again, and is the only one of its scope, is the one that had it.
        Written::Damaged if is_over(&owner.run) => return Err(Denied::Damaged(path)),
        _ => {}
    }
    lock.write(&serde_json::to_vec(owner).unwrap_or_default()).map_err(failed)?;
    rundir::sync_dir(&state.locks()).map_err(failed)?;
    Ok(lock)
}

/// Whose a lock is, by what is written in it. Whether the runner is alive is for
/// [`crate::runs::journal::has_runner`] to say.
pub fn look(state: &StateDir, stack: &str, scope: &str) -> Option<Owner> {
    written_in(&path(state, stack, scope)).owner()
}

/// What a lock's file says.
enum Written {
    Nothing,
    Owner(Owner),
    Damaged,
}

impl Written {
    fn owner(self) -> Option<Owner> {
        if let Written::Owner(owner) = self { Some(owner) } else { None }
    }
}

fn written_in(path: &Path) -> Written {
    // A look may fall into a write.
    (0..LOOKS)
        .map(|look| {
            if look > 0 {
                // Who writes may have been stopped in the middle of it.
                std::thread::yield_now();
            }
            seen_in(path)
        })
        .find(|found| !matches!(found, Written::Damaged))
        .unwrap_or(Written::Damaged)
}

fn seen_in(path: &Path) -> Written {
    // In one go, so that it is not put together from two owners.
    let read = || {
        let mut text = vec![0; MAX_LOCK];
        let len = rundir::open(path, OFlags::RDONLY, None)?.read_at(&mut text, 0)?;
        text.truncate(len);
        Ok::<_, io::Error>(text)
    };
    match read() {
        Ok(text) if text.trim_ascii().is_empty() => Written::Nothing,
        Ok(text) => serde_json::from_slice(&text).map_or(Written::Damaged, Written::Owner),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Written::Nothing,
        Err(_) => Written::Damaged,
    }
}

impl Lock {
    /// The run has ended: takes the name out and gives the lock back.
    ///
    /// # Errors
    /// The name could not be taken out; the lock is given back anyway, and since the run's journal
    /// says that it has ended, it refuses nobody.
    pub fn release(self) -> io::Result<()> {
        self.write(b"")?;
        // A program that is just being started has it open until it runs: closing is not enough.
        Ok(rustix::fs::flock(&self.file, FlockOperation::Unlock)?)
    }

    fn write(&self, text: &[u8]) -> io::Result<()> {
        // In one go over all that is there, and cut only then: at no time is it empty, whoever reads
        // it or whatever ends this program.
        let mut over = text.to_vec();
        let old = usize::try_from(self.file.metadata()?.len()).unwrap_or(MAX_LOCK).min(MAX_LOCK);
        over.resize(old.max(text.len()), b' ');
        self.file.write_all_at(&over, 0)?;
        self.file.set_len(text.len() as u64)?;
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::rundir::WriteState;
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

    /// Tries until nobody holds it: a child that another test has just forked holds all that is
    /// open here for a moment.
    fn given(take: impl Fn() -> Result<Lock, Denied>) -> Result<Lock, Denied> {
        let held = |taken: &Result<Lock, Denied>| matches!(taken, Err(Denied::Held(_)));
        (0..100_000)
            .map(|_| {
                std::thread::yield_now();
                take()
            })
            .find(|taken| !held(taken))
            .unwrap()
    }

    fn none() -> Option<Open> {
        None
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
        let lock = take(&state, "shop", "stack", &owner("r1"), open, none).unwrap();
        assert_eq!(look(&state, "shop", "stack"), Some(owner("r1")));
        assert_eq!(
            take(&state, "shop", "stack", &owner("r2"), open, none).unwrap_err(),
            Denied::Held(Some(owner("r1")))
        );
        // Other scopes and other stacks do not meet it.
        take(&state, "shop", "edge", &owner("r3"), open, none).unwrap().release().unwrap();
        take(&state, "club", "stack", &owner("r4"), open, none).unwrap().release().unwrap();
        lock.release().unwrap();
        assert_eq!(look(&state, "shop", "stack"), None);
        take(&state, "shop", "stack", &owner("r2"), open, none).unwrap().release().unwrap();
    }

    #[test]
    fn the_lock_of_a_dead_runner_waits_for_review() {
        let (_dir, state) = state();
        let open = |_: &RunId| false;
        drop(take(&state, "shop", "stack", &owner("r1"), open, none).unwrap());
        assert_eq!(look(&state, "shop", "stack"), Some(owner("r1")));
        assert_eq!(
            take(&state, "shop", "stack", &owner("r2"), open, none).unwrap_err(),
            Denied::Left(owner("r1"))
        );
        // The run itself may be resumed; and one that had ended after all holds nobody up.
        drop(take(&state, "shop", "stack", &owner("r1"), open, none).unwrap());
        take(&state, "shop", "stack", &owner("r2"), |r| r.as_str() == "r1", none).unwrap().release().unwrap();
    }

    #[test]
    fn a_lock_that_was_emptied_or_cut_is_not_taken_for_a_free_one() {
        let (_dir, state) = state();
        let begun = |r: &RunId| r.as_str() != "r1";
        let path = path(&state, "shop", "stack");
        drop(take(&state, "shop", "stack", &owner("r1"), begun, none).unwrap());
        let whole = fs::read(&path).unwrap();
        let one = Open { run: RunId::new("r1"), procedure: ProcedureId::new("restart"), alive: false };
        for text in [&b""[..], b"   ", &whole[..20], b"\0\0\0\0"] {
            fs::write(&path, text).unwrap();
            let denied = given(|| take(&state, "shop", "stack", &owner("r2"), begun, || Some(one.clone())))
                .unwrap_err();
            assert_eq!(denied, Denied::Open(one.clone()));
            assert!(denied.to_string().ends_with("resume or abort that run first"));
            assert_eq!(fs::read(&path).unwrap(), text, "who is refused writes nothing");
            // Without any run that goes on, only one that names nobody is free.
            let taken = given(|| take(&state, "shop", "stack", &owner("r2"), begun, none));
            assert_eq!(taken.is_ok(), text.trim_ascii().is_empty(), "{text:?}");
            drop(taken);
            fs::write(&path, text).unwrap();
            // The run itself is taken up again whatever became of its lock.
            given(|| take(&state, "shop", "stack", &owner("r1"), begun, none)).unwrap();
            assert_eq!(look(&state, "shop", "stack"), Some(owner("r1")));
        }
    }

    /// Whoever reads it while it is written sees one owner or the other, and never nobody.
    #[test]
    fn readers_never_see_an_empty_lock_while_it_is_written() {
        let (_dir, state) = state();
        let lock = take(&state, "shop", "stack", &owner("r1"), |_| false, none).unwrap();
        let texts = ["r1", "a-much-longer-one"].map(|r| serde_json::to_vec(&owner(r)).unwrap());
        std::thread::scope(|scope| {
            let written = scope.spawn(|| (0..400).try_for_each(|i| lock.write(&texts[i % 2])));
            while !written.is_finished() {
                assert!(look(&state, "shop", "stack").is_some());
            }
            written.join().unwrap().unwrap();
        });
        // Taken again by the same run it is not written at all.
        lock.write(&texts[0]).unwrap();
        drop(lock);
        let again = Owner { runner: 8, ..owner("r1") };
        drop(take(&state, "shop", "stack", &again, |_| false, none).unwrap());
        assert_eq!(look(&state, "shop", "stack"), Some(owner("r1")));
    }

    #[test]
    fn names_cannot_leave_the_directory_and_links_are_not_followed() {
        let (dir, state) = state();
        let path = path(&state, "../../etc", "a/b");
        assert_eq!(path.parent().unwrap(), state.locks());
        let target = dir.path().join("precious");
        fs::write(&target, "keep").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let denied = take(&state, "../../etc", "a/b", &owner("r1"), |_| false, none).unwrap_err();
        assert!(matches!(denied, Denied::Failed(_)), "{denied}");
        assert_eq!(fs::read_to_string(target).unwrap(), "keep");
    }
}
