//! An approval that was used: it lies in the directory of the one run that it let begin.

use super::files::{self, Word};
use super::{another, within};
use crate::act::rundir::{RunDir, WriteRun};
use crate::domain::procedure::event::Person;
use crate::domain::procedure::plan::PlanHash;
use jiff::Timestamp;
use std::fs;
use std::path::Path;

/// The approval's name in the directory of the run that it let begin.
const IN_RUN: &str = "second";

/// Moves the approval of a request into the run that it lets begin: it lets no other begin.
///
/// # Errors
/// It is not there: withdrawn, over, or used.
pub(in crate::act) fn spend(state_root: &Path, request: &str, dir: &RunDir) -> Result<(), String> {
    let id = files::valid(request)?;
    let approvals = state_root.join("approvals");
    let to = dir.path().join(IN_RUN);
    fs::rename(approvals.join(format!("{id}.approved")), &to)
        .map_err(|e| format!("use the approval of {id}: {e}; it is good for one run"))?;
    let _ = fs::remove_file(approvals.join(format!("{id}.request")));
    dir.sync()
}

/// Whether the approval in a run's directory is what its record says: of this plan, by this
/// person, who is another one than `by`, and given at most [`VALID`] before `at`.
///
/// # Errors
/// Why not.
pub(in crate::act) fn vouches(
    dir: &RunDir,
    request: &str,
    hash: &PlanHash,
    second: &Person,
    by: &Person,
    at: Timestamp,
) -> Result<(), String> {
    let (word, owner): (Word, u32) =
        files::read(&dir.path().join(IN_RUN)).map_err(|e| format!("read the second person's word: {e}"))?;
    another(by, second)?;
    let fits = owner == second.uid
        && word.by == *second
        && word.request == request
        && word.hash == *hash
        && within(word.at, at);
    if fits { Ok(()) } else { Err("believe the second person's word: it is not of this run".to_owned()) }
}
