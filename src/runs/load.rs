//! One run, as its directory tells it: its plan, and what its journal makes of it.

use super::dir::{RunDir, StateDir};
use super::files;
use super::journal::{self, ReadError, Torn, has_runner};
use crate::domain::id::RunId;
use crate::domain::procedure::event::{Entry, Event};
use crate::domain::procedure::plan::Plan;
use crate::domain::procedure::run::Run;
use crate::domain::text::one_line_bytes;

/// The longest word of why a run was set aside, in characters.
const MAX_WORD: usize = 500;

/// A run as its directory tells it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub run: Run,
    /// What is there of a last line that was not written to its end.
    pub torn: Option<Torn>,
    /// Whether it has a runner at this moment.
    pub alive: bool,
}

/// Reads a run.
///
/// # Errors
/// There is none, or its plan or its journal cannot be read; completes "failed to …".
pub fn load(state: &StateDir, id: &str) -> Result<Loaded, String> {
    let dir = state.run(id)?;
    // Asked first: a runner that ends meanwhile has then written all that is read.
    let alive = has_runner(&dir);
    let plan = plan_of(&dir)?;
    let read = journal::read(&dir.journal()).map_err(|e| match word_on(&dir) {
        Some(word) => format!("{e}; {word}"),
        None => e.to_string(),
    })?;
    let run = fold(plan, &read.entries)?;
    Ok(Loaded { run, torn: read.torn, alive })
}

/// The plan of a run, as its directory has it.
///
/// # Errors
/// It is not there or is no plan.
pub fn plan_of(dir: &RunDir) -> Result<Plan, String> {
    serde_json::from_str(&dir.read("plan.json")?)
        .map_err(|e| format!("read the plan of run {}: {e}", dir.id()))
}

/// A run out of its plan and its entries.
///
/// # Errors
/// An entry cannot follow those before it; its line is named.
pub fn fold(plan: Plan, entries: &[Entry]) -> Result<Run, String> {
    Run::fold(plan, entries)
        .map_err(|(at, why)| ReadError::Damaged { line: at as u64 + 1, why: why.to_string() }.to_string())
}

/// Whether a run need not be waited for: it has ended, it never began, it was set aside, or it is
/// not there any more.
pub fn is_over(state: &StateDir, id: &RunId) -> bool {
    let Ok(dir) = state.run(id.as_str()) else { return true };
    if word_on(&dir).is_some() {
        return true;
    }
    match journal::read(&dir.journal()) {
        Ok(read) => match read.entries.last() {
            None => !has_runner(&dir) && !has_lost_all(&dir),
            Some(last) => matches!(last.event, Event::Ended { .. }),
        },
        Err(why) => why.is_not_found(),
    }
}

/// What is said of a journal without its first line.
pub(super) const LOST_ALL: &str = "read the journal: not even its first line is there";

/// Whether a journal without a first line is not that of a run which is just beginning: a runner
/// has it locked from the start, and nothing is begun before that line is on disk. One that died
/// right there leaves the same, and is looked at once more by a person.
pub(super) fn has_lost_all(dir: &RunDir) -> bool {
    !has_runner(dir) && dir.journal().exists()
}

/// Who set a run aside, and when.
pub(super) fn word_on(dir: &RunDir) -> Option<String> {
    let bytes = files::read_bounded(&dir.set_aside(), MAX_WORD * 4).ok()?;
    Some(one_line_bytes(&bytes, MAX_WORD))
}
