//! Runs beyond those that are kept in full: what they left is known of all of them, so that nothing
//! is forgotten because of what came after it.

use super::Stamp;
use crate::domain::id::RunId;
use crate::domain::procedure::deeds::Deeds;
use crate::runs::dir::{RunDir, StateDir};
use crate::runs::left;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Such runs that have not ended and are kept in full all the same, at most.
const MAX_OPEN: usize = 200;

/// What those runs left.
#[derive(Debug, Default)]
pub(super) struct Old {
    runs: BTreeMap<RunId, One>,
    /// Bytes of plans and journals that were read for them.
    bytes: u64,
    /// Runs that are not read, since there are too many, or too large ones.
    pub beyond: usize,
}

#[derive(Debug)]
struct One {
    dir: RunDir,
    journal: Option<Stamp>,
    deeds: Option<Deeds>,
    open: bool,
}

impl Old {
    /// Takes in what is new among these, newest first; `unlisted` are even older.
    pub fn list(
        &mut self,
        state: &StateDir,
        ids: &[RunId],
        unlisted: usize,
        look: &impl Fn(&RunDir) -> Option<Deeds>,
    ) {
        let listed: BTreeSet<&RunId> = ids.iter().collect();
        self.runs.retain(|id, _| listed.contains(id));
        if self.runs.is_empty() {
            self.bytes = 0;
        }
        self.beyond = unlisted;
        for (i, id) in ids.iter().enumerate() {
            if self.runs.contains_key(id) {
                continue;
            }
            let Ok(dir) = state.run(id.as_str()) else { continue };
            self.bytes += left::size_of(&dir);
            if self.bytes > left::MAX_BYTES {
                self.beyond += ids.len() - i;
                return;
            }
            let mut one = One { dir, journal: None, deeds: None, open: false };
            one.read(look);
            self.runs.insert(id.clone(), one);
        }
    }

    /// Reads again what changed: one may have been resumed. Whether any did.
    pub fn look(&mut self, look: &impl Fn(&RunDir) -> Option<Deeds>) -> bool {
        let mut changed = false;
        for one in self.runs.values_mut() {
            if one.stamp() != one.journal {
                one.read(look);
                changed = true;
            }
        }
        changed
    }

    /// Those that have not ended, newest first.
    pub fn open(&self) -> Vec<RunId> {
        self.runs.iter().rev().filter(|(_, o)| o.open).take(MAX_OPEN).map(|(id, _)| id.clone()).collect()
    }

    /// What those of them did that are not kept in full.
    pub fn deeds<'a>(&'a self, kept: impl Fn(&RunId) -> bool + 'a) -> impl Iterator<Item = &'a Deeds> {
        self.runs.iter().filter(move |(id, _)| !kept(id)).filter_map(|(_, one)| one.deeds.as_ref())
    }
}

impl One {
    fn stamp(&self) -> Option<Stamp> {
        fs::symlink_metadata(self.dir.journal()).ok().as_ref().map(Stamp::of)
    }

    fn read(&mut self, look: &impl Fn(&RunDir) -> Option<Deeds>) {
        self.journal = self.stamp();
        self.open = self.journal.is_some() && !left::has_ended(&self.dir);
        self.deeds = look(&self.dir);
    }
}
