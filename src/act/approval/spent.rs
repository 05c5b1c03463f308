//! An approval that was used: it lies in the directory of the one run that it let begin.

use super::files::{self, Word};
use super::{another, within};
use crate::act::rundir::{RunDir, WriteRun};
use crate::domain::procedure::event::Person;
use crate::domain::procedure::plan::PlanHash;
use jiff::Timestamp;
use std::fs;
use std::path::Path;

/// The name of the approval in the directory of the run that it let begin.
pub(in crate::act) const TO_BEGIN: &str = "second";

/// The name of one that let a run be taken up again.
pub(in crate::act) fn to_go_on(request: &str) -> String {
    format!("second-{request}")
}

/// Moves the approval of a request into the run that it lets begin or go on: it is good for no other.
///
/// # Errors
/// It is not there: withdrawn, over, or used.
pub(in crate::act) fn spend(
    state_root: &Path,
    request: &str,
    dir: &RunDir,
    name: &str,
) -> Result<(), String> {
    let id = files::valid(request)?;
    let approvals = state_root.join("approvals");
    let to = dir.path().join(name);
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
    (name, request): (&str, &str),
    hash: &PlanHash,
    second: &Person,
    (by, at): (&Person, Timestamp),
) -> Result<(), String> {
    let (word, owner): (Word, u32) =
        files::read(&dir.path().join(name)).map_err(|e| format!("read the second person's word: {e}"))?;
    another(by, second)?;
    let fits = owner == second.uid
        && word.by == *second
        && word.request == request
        && word.hash == *hash
        && within(word.at, at);
    if fits { Ok(()) } else { Err("believe the second person's word: it is not of this run".to_owned()) }
}
