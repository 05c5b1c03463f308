//! The series store: samples of all series in memory, bounded by series, samples, bytes and age.
//!
//! When samples or bytes reach their bound, the oldest closed chunks of the whole store go, a
//! sixteenth of the bound at a time; what cannot be made room for is refused. All of it is counted.

mod bounds;
mod room;
mod tail;
mod track;

use super::index::Index;
use super::{Labels, Matcher, Millis, Sample, Source};
pub use bounds::{Appended, Dropped, Limits, Stats};
use std::collections::HashMap;
use track::{HEAP, Track};

/// A series of one store, as long as it has not expired there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesId {
    slot: u32,
    /// Tells apart the series that used the slot one after the other.
    turn: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Store {
    limits: Limits,
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_labels: HashMap<Labels, u32>,
    index: Index,
    samples: u64,
    /// Of labels, chunks and newest samples; what is counted by capacity is added in [`Store::bytes`].
    held: usize,
    dropped: Dropped,
    /// Given to each new series, so that none is taken for the one that had its slot before.
    next_turn: u32,
    /// Chunks closed since all of them were last looked at, or more when some were left then.
    to_evict: usize,
    /// Memory is short and no old chunks are left: nearly all samples are kept compressed.
    tight: bool,
}

#[derive(Debug)]
struct Slot {
    turn: u32,
    series: Option<Series>,
}

#[derive(Debug)]
struct Series {
    labels: Labels,
    track: Track,
}

/// A series' entry in the map by labels, at worst half used.
const MAP_ENTRY: usize = 2 * (size_of::<(Labels, u32)>() + 1);

impl Store {
    pub fn new(limits: Limits) -> Self {
        Store {
            limits,
            slots: Vec::new(),
            free: Vec::new(),
            by_labels: HashMap::new(),
            index: Index::default(),
            samples: 0,
            held: 0,
            dropped: Dropped::default(),
            next_turn: 0,
            to_evict: 0,
            tight: false,
        }
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Changes the bounds; the next append keeps to them.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.to_evict = usize::MAX / 64;
        self.tight = false;
    }

    /// The series with these labels, made if there is none. `None` when the bounds allow no more.
    /// One that is given no sample goes with the next [`Store::expire`].
    pub fn intern(&mut self, labels: &Labels) -> Option<SeriesId> {
        if let Some(slot) = self.by_labels.get(labels) {
            return self.id_of(*slot);
        }
        let slots = if self.free.is_empty() && self.slots.len() == self.slots.capacity() {
            slot_growth(&self.slots) * size_of::<Slot>()
        } else {
            0
        };
        let cost = series_cost(labels) + self.index.cost_of(labels) + slots;
        if self.by_labels.len() >= self.limits.max_series || !self.has_room(cost) {
            self.dropped.series_refused += 1;
            return None;
        }
        let slot = self.free.pop().or_else(|| u32::try_from(self.slots.len()).ok())?;
        if slot as usize == self.slots.len() {
            if self.slots.len() == self.slots.capacity() {
                self.slots.reserve_exact(slot_growth(&self.slots));
            }
            self.slots.push(Slot { turn: 0, series: None });
        }
        let series = Some(Series { labels: labels.clone(), track: Track::default() });
        *self.slots.get_mut(slot as usize)? = Slot { turn: self.next_turn, series };
        self.next_turn = self.next_turn.wrapping_add(1);
        self.by_labels.insert(labels.clone(), slot);
        self.index.add(slot, labels);
        self.held += series_cost(labels);
        self.id_of(slot)
    }

    fn id_of(&self, slot: u32) -> Option<SeriesId> {
        self.slots.get(slot as usize).map(|s| SeriesId { slot, turn: s.turn })
    }

    /// Interns and appends.
    pub fn append_labels(&mut self, labels: &Labels, t: Millis, v: f64) -> Appended {
        match self.intern(labels) {
            Some(id) => self.append(id, t, v),
            None => Appended::Full,
        }
    }

    /// Adds a sample, which must be later than the series' newest.
    pub fn append(&mut self, id: SeriesId, t: Millis, v: f64) -> Appended {
        let sample = Sample { t, v };
        let Some(newest) = self.series(id).map(|s| s.track.newest()) else { return Appended::Gone };
        match newest {
            Some(last) if last == sample => return Appended::Duplicate,
            Some(last) if last.t == t => {
                self.dropped.conflicts += 1;
                return Appended::Conflict;
            }
            Some(last) if last.t > t => {
                self.dropped.out_of_order += 1;
                return Appended::OutOfOrder;
            }
            _ => {}
        }
        if !self.has_room(0) {
            self.dropped.samples_refused += 1;
            return Appended::Full;
        }
        let keeping = self.keeping();
        // Making room may have dropped chunks, never the series.
        let Some(series) = self.slots.get_mut(id.slot as usize).and_then(|s| s.series.as_mut()) else {
            return Appended::Gone;
        };
        let track = &mut series.track;
        if !track.push_within(sample) {
            let before = track.heap();
            self.to_evict += track.push(sample, keeping);
            self.held = self.held + track.heap() - before;
        }
        self.samples += 1;
        Appended::Ok
    }

    fn series(&self, id: SeriesId) -> Option<&Series> {
        self.slots.get(id.slot as usize).filter(|s| s.turn == id.turn)?.series.as_ref()
    }

    /// The labels of a series.
    pub fn labels(&self, id: SeriesId) -> Option<&Labels> {
        self.series(id).map(|s| &s.labels)
    }

    pub fn stats(&self) -> Stats {
        Stats {
            series: self.by_labels.len(),
            samples: self.samples,
            bytes: self.bytes(),
            dropped: self.dropped,
        }
    }

    fn bytes(&self) -> usize {
        self.held + self.slots.capacity() * size_of::<Slot>() + self.free.capacity() * 4 + self.index.bytes()
    }

    fn each_selected(&self, matchers: &[Matcher], mut visit: impl FnMut(&Series)) {
        let series = |slot: u32| self.slots.get(slot as usize).and_then(|s| s.series.as_ref());
        self.index.select(
            matchers,
            |slot| series(slot).map(|s| &s.labels),
            |slot| series(slot).into_iter().for_each(&mut visit),
        );
    }
}

impl Source for Store {
    fn select(
        &self,
        matchers: &[Matcher],
        from: Millis,
        to: Millis,
        visit: &mut dyn FnMut(&Labels, &[Sample]),
    ) {
        let mut scratch: Vec<Sample> = Vec::new();
        self.each_selected(matchers, |series| {
            scratch.clear();
            series.track.read(from, to, &mut scratch);
            if !scratch.is_empty() {
                visit(&series.labels, &scratch);
            }
        });
    }

    fn select_last(
        &self,
        matchers: &[Matcher],
        from: Millis,
        to: Millis,
        visit: &mut dyn FnMut(&Labels, Sample),
    ) {
        let mut scratch: Vec<Sample> = Vec::new();
        self.each_selected(matchers, |series| {
            // The newest sample needs no decoding, and is nearly always the one.
            let newest = series.track.newest();
            if newest.is_none_or(|s| s.t < from) {
                return;
            }
            let last = newest.filter(|s| s.t <= to).or_else(|| {
                scratch.clear();
                series.track.read(from, to, &mut scratch);
                scratch.last().copied()
            });
            if let Some(last) = last {
                visit(&series.labels, last);
            }
        });
    }
}

/// By how much a full list of slots grows.
fn slot_growth(slots: &[Slot]) -> usize {
    (slots.len() / 8).max(64)
}

/// What a series costs before its first sample, beside its slot and its index entries.
fn series_cost(labels: &Labels) -> usize {
    // The labels' text, its two counters.
    labels.bytes() + 2 * size_of::<usize>() + HEAP + MAP_ENTRY
}

#[cfg(test)]
mod tests;
