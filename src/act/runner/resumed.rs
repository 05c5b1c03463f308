//! The word that a run is to be resumed, from who asks to the runner that does it.

use crate::act::approval::{self, MAX_REASON};
use crate::act::policy::Resumption;
use crate::act::rundir::{self, RunDir};
use crate::domain::procedure::event::{Mode, Second};
use rustix::fs::{FlockOperation, OFlags};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

/// The largest such file, in bytes: every character of a reason may be written as an escape.
const MAX: usize = 256 + 12 * MAX_REASON;

/// What whoever asked gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Given {
    pub mode: Mode,
    pub reason: Option<String>,
    #[serde(default)]
    pub second: Option<Second>,
    /// The request that the second person approved.
    #[serde(default)]
    pub request: Option<String>,
}

impl Given {
    fn of(word: &Resumption) -> Given {
        let second = word.second();
        Given {
            mode: word.mode(),
            reason: word.reason().map(str::to_owned),
            second: second.map(|s| s.second().clone()),
            request: second.and_then(|s| s.request().map(str::to_owned)),
        }
    }
}

/// Word that was left for a runner. As long as this is held nobody else leaves another.
#[derive(Debug)]
pub struct Word {
    _file: File,
}

/// Leaves word for the runner that is started next. Who asks is whoever starts it.
///
/// # Errors
/// It cannot be written; or somebody else has left word and waits for their runner.
pub fn ask_to_resume(dir: &RunDir, given: &Resumption) -> Result<Word, String> {
    let path = path(dir);
    let told = |e: io::Error| format!("write {}: {e}", path.display());
    let given = Given::of(given);
    let text = serde_json::to_vec(&given).map_err(|e| told(e.into()))?;
    // Not cut before it is ours: what another asker wrote is for their runner.
    let flags = OFlags::WRONLY | OFlags::CREATE;
    let mut file = rundir::open(&path, flags, dir.group()).map_err(told)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(format!("resume run {}: somebody else is just doing that", dir.id()));
        }
        Err(e) => return Err(told(e.into())),
    }
    file.set_len(0).and_then(|()| file.write_all(&text)).map_err(told)?;
    if let Some(request) = &given.request {
        approval::spend(dir.state_root(), request, dir, &approval::to_go_on(request))?;
    }
    Ok(Word { _file: file })
}

/// Whether word was left and not taken yet.
pub fn is_asked_to_resume(dir: &RunDir) -> bool {
    path(dir).exists()
}

/// Takes the word, so that it is good for one runner.
pub(super) fn take(dir: &RunDir) -> Result<Option<Given>, String> {
    let path = path(dir);
    let told = |e: io::Error| format!("read {}: {e}", path.display());
    let text = match rundir::read_bounded(&path, MAX) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(told(e)),
    };
    fs::remove_file(&path).map_err(told)?;
    serde_json::from_slice(&text).map(Some).map_err(|e| told(e.into()))
}

fn path(dir: &RunDir) -> PathBuf {
    dir.path().join("resume")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::identity;
    use crate::act::policy;
    use crate::act::rundir::{StateDir, WriteState};
    use crate::domain::procedure::machine::worlds::{World, plan};
    use crate::domain::procedure::run::Run;
    use jiff::Timestamp;

    fn run_of_none() -> Run {
        World::new(plan(vec![])).run
    }

    fn reason(why: &str) -> policy::Given {
        policy::Given { reason: Some(why.to_owned()), ..policy::Given::default() }
    }

    #[test]
    fn the_longest_reason_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("s"), None);
        state.prepare().unwrap();
        let run = state.create_run(Timestamp::UNIX_EPOCH).unwrap();
        for long in ["\u{10ffff}".repeat(MAX_REASON), "\"".repeat(MAX_REASON), "\u{85}".repeat(MAX_REASON)] {
            let word =
                policy::resume(&run_of_none(), Mode::Continue, &reason(&long), &identity::me()).unwrap();
            drop(ask_to_resume(&run, &word).unwrap());
            assert_eq!(take(&run).unwrap(), Some(Given::of(&word)));
        }
    }

    #[test]
    fn two_who_ask_at_once_do_not_change_each_others_word() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("s"), None);
        state.prepare().unwrap();
        let run = state.create_run(Timestamp::UNIX_EPOCH).unwrap();
        let word =
            |mode| policy::resume(&run_of_none(), mode, &reason("a \u{1} reason"), &identity::me()).unwrap();
        let (back, on) = (word(Mode::Rollback), word(Mode::Continue));
        let taken = |word: &Resumption| Some(Given::of(word));
        let first = ask_to_resume(&run, &back).unwrap();
        let why = ask_to_resume(&run, &on).unwrap_err();
        assert!(why.ends_with("somebody else is just doing that"), "{why}");
        assert_eq!(take(&run).unwrap(), taken(&back));
        drop(first);
        // What was left by one who died is written over.
        drop(ask_to_resume(&run, &back).unwrap());
        let _second = ask_to_resume(&run, &on).unwrap();
        assert_eq!((take(&run).unwrap(), take(&run).unwrap()), (taken(&on), None));
    }
}
