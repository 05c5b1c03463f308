//! The view of all runs: reads what their journals gained since the last look, and nothing else.

mod old;
mod tail;

use super::dir::{RunDir, StateDir};
use super::journal::{Follow, ReadError, has_runner};
use super::left;
use super::load::{fold, has_lost_all, is_over, plan_of, word_on};
use crate::domain::id::RunId;
use crate::domain::procedure::deeds::{Deeds, UNREAD};
use crate::domain::procedure::facts::{Facts, InterlockRule};
use crate::domain::procedure::ledger::{Ledger, MAX_LISTED, Tail, Unlisted, Waiting};
use crate::domain::procedure::run::Run;
use old::Old;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

/// How often [`Watcher::look`] should be called: then a run that changed is shown that much later.
/// A look at which nothing changed costs some system calls for each open run, and one for the
/// directory.
pub const EVERY: Duration = Duration::from_millis(250);
/// The newest runs that ended are looked at for a resume at each look: a call of `stat` each.
const NEWEST: usize = 32;
/// The others that rarely: every so many looks.
const REST: u32 = 8;
/// Runs that are kept in full at most, with those that are open; of older ones what they left.
pub const MAX_KEPT: usize = MAX_LISTED;
/// Broken journals that are told, at most.
const MAX_BROKEN: usize = 50;

/// Reads all runs, incrementally.
#[derive(Debug)]
pub struct Watcher {
    state: StateDir,
    stack: Option<String>,
    rules: Vec<InterlockRule>,
    known: BTreeMap<RunId, Known>,
    old: Old,
    older: usize,
    /// How the directory of runs was when it was listed.
    listed: Option<Stamp>,
    looks: u32,
    /// The run that is looked at, open or not.
    chosen: Option<RunId>,
    /// Whether the end of what is printed is read.
    tails: bool,
    /// Whether the directory of runs could be read once.
    met: bool,
    unlisted: Option<Unlisted>,
    ledger: Arc<Ledger>,
}

/// What a file or a directory looked like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    mtime: (i64, i64),
}

#[derive(Debug)]
struct Known {
    dir: RunDir,
    follow: Follow,
    run: Option<Arc<Run>>,
    broken: Option<String>,
    /// What it did, or may have done where its journal cannot be read; and of which stack it is,
    /// as far as that is known.
    deeds: Option<Deeds>,
    stack: Option<String>,
    journal: Option<Stamp>,
    alive: bool,
    tail: Option<Tail>,
    tail_of: Option<Stamp>,
}

impl Watcher {
    /// Of all runs of one stack, or of all stacks.
    pub fn new(state: StateDir, stack: Option<&str>, rules: Vec<InterlockRule>) -> Watcher {
        Watcher {
            state,
            stack: stack.map(str::to_owned),
            rules,
            known: BTreeMap::new(),
            old: Old::default(),
            older: 0,
            listed: None,
            looks: 0,
            chosen: None,
            tails: true,
            met: false,
            unlisted: None,
            ledger: Arc::default(),
        }
    }

    /// For who does not show what steps print.
    #[must_use]
    pub fn without_tails(self) -> Watcher {
        Watcher { tails: false, ..self }
    }

    /// Which run is kept in full although it has ended.
    pub fn choose(&mut self, run: Option<RunId>) {
        if self.chosen != run {
            self.chosen = run;
            self.ledger = Arc::new(self.compose(Vec::new()));
        }
    }

    /// What is known now, by the last look.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }

    /// Looks again. `Some` when anything changed. `waiting` is for who knows the approvals. Reads
    /// files, and so blocks for as long as the disk takes.
    pub fn look(&mut self, waiting: &[Waiting]) -> Option<Arc<Ledger>> {
        self.looks = self.looks.wrapping_add(1);
        let mut changed = self.list();
        let rest = self.looks.is_multiple_of(REST);
        // What cannot be looked at has not lost its runner by that.
        let known = if self.unlisted.is_none() { Some(&mut self.known) } else { None };
        for (i, known) in known.into_iter().flat_map(|all| all.values_mut().rev()).enumerate() {
            let open = known.run.as_ref().is_none_or(|r| r.ended.is_none());
            if open || known.alive || ((rest || i < NEWEST) && known.has_changed()) {
                changed |= known.look(self.tails);
            }
        }
        if rest && self.unlisted.is_none() && self.old.look(&left_of(self.stack.as_deref(), &self.rules)) {
            // One of them may be open again.
            self.listed = None;
            self.list();
            changed = true;
        }
        changed |= self.ledger.waiting != waiting;
        if !changed {
            return None;
        }
        self.ledger = Arc::new(self.compose(waiting.to_vec()));
        Some(self.ledger())
    }

    /// Lists the runs anew, when there are others than before.
    fn list(&mut self) -> bool {
        let stamp = fs::metadata(self.state.runs()).ok().as_ref().map(Stamp::of);
        if stamp == self.listed && self.looks > 1 {
            return false;
        }
        let found = self.state.run_ids().map_err(|why| self.not_listed(why)).and_then(|found| {
            // It is made with the first run, and nothing of this program removes it.
            let gone = stamp.is_none() && !self.known.is_empty();
            let why = || format!("find {}, which is gone", self.state.runs().display());
            if gone { Err(Unlisted::Lost(why())) } else { Ok(found) }
        });
        let (ids, older) = match found {
            Ok(found) => found,
            Err(why) => {
                self.listed = None;
                return self.unlisted.replace(why) != self.unlisted;
            }
        };
        let mut changed = self.unlisted.take().is_some();
        self.met |= stamp.is_some();
        self.listed = stamp;
        let (ids, old) = ids.split_at(ids.len().min(MAX_KEPT));
        self.old.list(&self.state, old, older, &left_of(self.stack.as_deref(), &self.rules));
        let open = self.old.open();
        self.older = older + old.len() - open.len();
        let ids: Vec<RunId> = ids.iter().cloned().chain(open).collect();
        let before = self.known.len();
        self.known.retain(|id, _| ids.contains(id));
        changed |= self.known.len() != before;
        for id in &ids {
            if !self.known.contains_key(id)
                && let Ok(dir) = self.state.run(id.as_str())
            {
                self.known.insert(id.clone(), Known::new(dir));
                changed = true;
            }
        }
        changed
    }

    fn not_listed(&self, why: String) -> Unlisted {
        let place = self.state.runs();
        let barred = fs::read_dir(&place).is_err_and(|e| e.kind() == io::ErrorKind::PermissionDenied);
        if barred && !self.met { Unlisted::Barred(place.display().to_string()) } else { Unlisted::Lost(why) }
    }

    fn compose(&self, waiting: Vec<Waiting>) -> Ledger {
        let mine = |run: &Run| self.stack.as_ref().is_none_or(|s| run.plan.stack == *s);
        let mut ledger = Ledger { older: self.older, waiting, ..Ledger::default() };
        ledger.unlisted.clone_from(&self.unlisted);
        let runs: Vec<(&Known, &Arc<Run>)> = self
            .known
            .values()
            .rev()
            .filter_map(|k| Some((k, k.run.as_ref()?)))
            .filter(|(_, run)| mine(run))
            .collect();
        (ledger.owed, ledger.interlocks) = Facts::of_deeds(self.deeds(), &self.rules);
        for (known, run) in runs {
            ledger.runs.push(run.line(known.alive));
            if run.ended.is_none() || self.chosen.as_ref() == Some(&run.id) {
                ledger.open.push(Arc::clone(run));
                ledger.tails.extend(known.tail.clone());
            }
        }
        ledger.broken = self
            .known
            .iter()
            .rev()
            .filter_map(|(id, k)| Some((id.to_string(), k.broken.clone()?)))
            .take(MAX_BROKEN)
            .collect();
        if self.old.beyond > 0 {
            ledger.broken.push(("older runs".to_owned(), left::too_many(&self.state, self.old.beyond)));
        }
        ledger
    }

    /// What all runs of the stack did; one of which not even the plan can be read may be of it.
    fn deeds(&self) -> impl Iterator<Item = &Deeds> {
        let mine = |k: &&Known| match (&k.stack, &self.stack) {
            (Some(its), Some(mine)) => its == mine,
            _ => true,
        };
        let kept = |id: &RunId| self.known.contains_key(id);
        self.known.values().filter(mine).filter_map(|k| k.deeds.as_ref()).chain(self.old.deeds(kept))
    }

    /// Whether a run stands in nobody's way.
    pub fn is_over(&self, run: &RunId) -> bool {
        is_over(&self.state, run)
    }
}

/// How what an older run left is read.
fn left_of<'a>(
    stack: Option<&'a str>,
    rules: &'a [InterlockRule],
) -> impl Fn(&RunDir) -> Option<Deeds> + use<'a> {
    move |dir| {
        if !left::may_matter(dir, stack, rules) {
            return None;
        }
        left::deeds(dir).unwrap_or_else(|_| Some(left::unread(dir)))
    }
}

impl Stamp {
    fn of(is: &fs::Metadata) -> Stamp {
        Stamp { inode: is.ino(), size: is.size(), mtime: (is.mtime(), is.mtime_nsec()) }
    }
}

impl Known {
    fn new(dir: RunDir) -> Known {
        Known {
            dir,
            follow: Follow::new(),
            run: None,
            broken: None,
            deeds: None,
            stack: None,
            journal: None,
            alive: false,
            tail: None,
            tail_of: None,
        }
    }

    /// Whether its journal is not as it was read.
    fn has_changed(&self) -> bool {
        fs::symlink_metadata(self.dir.journal()).ok().as_ref().map(Stamp::of) != self.journal
    }

    /// Reads what was added. Whether anything is different from before.
    fn look(&mut self, tails: bool) -> bool {
        // Asked first, so that the last lines of a runner that ends meanwhile are read.
        let alive = has_runner(&self.dir);
        let mut changed = alive != self.alive;
        // Until then its first line may still have come.
        let unbegun = changed && !alive && self.run.is_none();
        self.alive = alive;
        let stamp = fs::symlink_metadata(self.dir.journal()).ok().as_ref().map(Stamp::of);
        if stamp.is_some() && (stamp != self.journal || unbegun) {
            self.journal = stamp;
            self.read();
            changed = true;
        }
        changed | (tails && self.look_at_tail())
    }

    fn read(&mut self) {
        let before = self.broken.take();
        match self.more() {
            Ok(()) => {}
            // It may have been cut back by its runner between two looks: once from the start.
            Err(ReadError::Damaged { .. }) if before.is_none() && self.follow.entries() > 0 => {
                (self.follow, self.run) = (Follow::new(), None);
                if let Err(why) = self.more() {
                    self.broken = Some(self.in_words(&why));
                }
            }
            Err(why) => self.broken = Some(self.in_words(&why)),
        }
        self.reckon();
    }

    /// What it did, by what was read of it just now.
    fn reckon(&mut self) {
        (self.stack, self.deeds) = match (&self.broken, &self.run) {
            (None, Some(run)) => (Some(run.plan.stack.clone()), Some(Deeds::of(run))),
            (None, None) => (None, None),
            (Some(_), _) => {
                let stack = plan_of(&self.dir).ok().map(|plan| plan.stack);
                (stack, Some(left::unread(&self.dir)))
            }
        };
    }

    fn in_words(&self, why: &ReadError) -> String {
        match word_on(&self.dir) {
            Some(word) => format!("{why}; {word}; {UNREAD}"),
            None => format!("{why}; {UNREAD}"),
        }
    }

    fn more(&mut self) -> Result<(), ReadError> {
        let entries = self.follow.more(&self.dir.journal())?;
        if entries.is_empty() {
            let lost = self.run.is_none() && !self.alive && has_lost_all(&self.dir);
            let why = "not even its first line is there".to_owned();
            return if lost { Err(ReadError::Damaged { line: 1, why }) } else { Ok(()) };
        }
        let line = self.follow.entries() - entries.len() as u64;
        let illegal = |at: u64, why: String| ReadError::Damaged { line: at, why };
        if let Some(run) = &mut self.run {
            let run = Arc::make_mut(run);
            for entry in &entries {
                run.apply(entry).map_err(|e| illegal(entry.n, e.0))?;
            }
            return Ok(());
        }
        let plan = plan_of(&self.dir).map_err(|e| illegal(line + 1, e))?;
        self.run = Some(Arc::new(fold(plan, &entries).map_err(|e| illegal(line + 1, e))?));
        Ok(())
    }

    /// The end of what the current step prints.
    fn look_at_tail(&mut self) -> bool {
        let run = self.run.as_ref().filter(|r| r.ended.is_none());
        let printed = run.and_then(|r| Some((r.id.clone(), tail::current(&self.dir, r)?)));
        let file = printed.as_ref().map(|(_, (_, file))| file);
        let stamp = file.and_then(|f| fs::symlink_metadata(f).ok()).as_ref().map(Stamp::of);
        if stamp == self.tail_of {
            return false;
        }
        self.tail_of = stamp;
        let tail = printed
            .map(|(run, (step, file))| Tail { run, step, lines: tail::read(&file) })
            .filter(|tail| !tail.lines.is_empty());
        let changed = tail != self.tail;
        self.tail = tail;
        changed
    }
}

#[cfg(test)]
mod tests;
