//! What the runs of a state directory left behind, read from their plans and journals.

use super::dir::{MAX_DOCUMENT, RunDir, StateDir};
use super::seal::MAX_LINE;
use super::{files, journal, load};
use crate::domain::id::RunId;
use crate::domain::procedure::deeds::Deeds;
use crate::domain::procedure::facts::InterlockRule;
use crate::domain::procedure::plan::Owe;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Plans and journals read at one look, at most, in bytes.
pub const MAX_BYTES: u64 = 1 << 30;

/// Read of the end of a journal, in bytes: as much as its longest line.
const MAX_END: u64 = MAX_LINE as u64;

/// What runs left behind, and why more of it is not known, a line for each reason.
#[derive(Debug, Default)]
pub struct Left {
    pub deeds: Vec<Deeds>,
    pub unknown: Vec<String>,
}

/// The part of a plan that tells whether its journal is worth reading.
#[derive(Deserialize)]
struct Outline {
    stack: String,
    steps: Vec<OutlineStep>,
}

#[derive(Deserialize)]
struct OutlineStep {
    origin: String,
    owes: Option<Owe>,
    settles: Vec<String>,
}

impl Left {
    /// Of all runs of a stack, as far as these interlocks ask. Where there is more than can be
    /// read that is told, never passed over.
    pub fn read(state: &StateDir, stack: &str, rules: &[InterlockRule]) -> Left {
        let asked = |origin: &str| rules.iter().any(|r| r.names(origin));
        let mut left = Left::default();
        let (ids, older) = match state.run_ids() {
            Ok(found) => found,
            Err(why) => {
                left.unknown.push(format!("what earlier runs left behind is not known: failed to {why}"));
                return left;
            }
        };
        if older > 0 {
            left.unknown.push(too_many(state, older));
        }
        let mut bytes = 0;
        for (i, id) in ids.iter().enumerate() {
            let Ok(dir) = state.run(id.as_str()) else { continue };
            bytes += size(&dir.plan());
            let outline = outline(&dir);
            if outline.as_ref().is_some_and(|o| o.stack != stack || !o.steps.iter().any(|s| asked(&s.origin)))
            {
                continue;
            }
            bytes += size(&dir.journal());
            if bytes > MAX_BYTES {
                left.unknown.push(too_many(state, ids.len() - i + older));
                break;
            }
            left.add(state, &dir);
        }
        left
    }

    fn add(&mut self, state: &StateDir, dir: &RunDir) {
        match deeds(dir) {
            Ok(deeds) => self.deeds.extend(deeds),
            Err(why) => {
                if !load::is_over(state, dir.id()) {
                    let id = dir.id();
                    self.unknown.push(format!("what run {id} left behind is not known: failed to {why}"));
                }
                self.deeds.push(unread(dir));
            }
        }
    }
}

/// What is said where runs are beyond what can be read.
pub fn too_many(state: &StateDir, older: usize) -> String {
    format!(
        "there are more runs than can be read, and what the oldest {older} left behind is not known; when \
         nothing is left of them, move them out of {}",
        state.runs().display()
    )
}

/// Whether a run may be of a stack and leave, settle or prove anything that is asked about; for a
/// plan that cannot be read it may.
pub fn may_matter(dir: &RunDir, stack: Option<&str>, rules: &[InterlockRule]) -> bool {
    let asked = |s: &OutlineStep| {
        s.owes.is_some() || !s.settles.is_empty() || rules.iter().any(|r| r.names(&s.origin))
    };
    outline(dir).is_none_or(|o| stack.is_none_or(|s| s == o.stack) && o.steps.iter().any(asked))
}

fn outline(dir: &RunDir) -> Option<Outline> {
    let bytes = files::read_bounded(&dir.plan(), MAX_DOCUMENT).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// What a run did; none when it never began.
///
/// # Errors
/// Its plan or its journal cannot be read; then see [`unread`].
pub fn deeds(dir: &RunDir) -> Result<Option<Deeds>, String> {
    let plan = load::plan_of(dir);
    let read = match journal::read(&dir.journal()) {
        Ok(read) if read.entries.is_empty() && !load::has_lost_all(dir) => return Ok(None),
        Err(why) if why.is_not_found() => return Ok(None),
        Ok(read) if read.entries.is_empty() => Err(load::LOST_ALL.to_owned()),
        Ok(read) => Ok(read),
        Err(why) => Err(why.to_string()),
    };
    let run = read.and_then(|read| load::fold(plan.clone()?, &read.entries));
    run.map(|run| Some(Deeds::of(&run)))
}

/// Other runs whose journals have entries that are dated later than `now`: the clock went back
/// since they were written. With the number of the last of them.
pub fn dated_later(state: &StateDir, own: &RunId, now: Timestamp) -> BTreeMap<RunId, u64> {
    let Ok((ids, _)) = state.run_ids() else { return BTreeMap::new() };
    let last = |id: &RunId| {
        let dir = state.run(id.as_str()).ok()?;
        // A journal is never older than its last entry, so that nearly none has to be read.
        written(&dir.journal()).filter(|at| *at > now || id > own)?;
        let read = journal::read(&dir.journal()).ok()?;
        read.entries.iter().rev().find(|e| e.at > now).map(|e| e.n)
    };
    ids.iter().filter(|id| *id != own).filter_map(|id| Some((id.clone(), last(id)?))).collect()
}

/// All that a run whose journal cannot be read may have left.
pub fn unread(dir: &RunDir) -> Deeds {
    let last = [dir.plan(), dir.journal()].iter().filter_map(|p| written(p)).max().unwrap_or_default();
    Deeds::unread(RunId::clone(dir.id()), load::plan_of(dir).ok().as_ref(), last)
}

/// When a file was last written.
fn written(path: &Path) -> Option<Timestamp> {
    fs::symlink_metadata(path).ok()?.modified().ok()?.try_into().ok()
}

/// Bytes of a run's plan and journal.
pub fn size_of(dir: &RunDir) -> u64 {
    size(&dir.plan()) + size(&dir.journal())
}

/// Whether the last line of a run's journal is that of its end; for a list, where nothing depends
/// on it: the checksums are not looked at.
pub fn has_ended(dir: &RunDir) -> bool {
    let tail = || -> std::io::Result<Vec<u8>> {
        let file = files::open(&dir.journal())?;
        let len = file.metadata()?.len();
        let mut tail = vec![0; usize::try_from(len.min(MAX_END)).unwrap_or_default()];
        file.read_exact_at(&mut tail, len.saturating_sub(MAX_END))?;
        Ok(tail)
    };
    let Ok(tail) = tail() else { return false };
    let last = tail.strip_suffix(b"\n").and_then(|t| t.rsplit(|b| *b == b'\n').next());
    last.is_some_and(|l| memchr::memmem::find(l, b"\"is\":\"ended\"").is_some())
}

fn size(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |is| is.len())
}
