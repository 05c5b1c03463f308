//! The series store: samples of all series in memory, bounded by series, samples, bytes and age.
//!
//! When samples or bytes reach their bound, the oldest closed chunks of the whole store go, a
//! sixteenth of the bound at a time; what cannot be made room for is refused. All of it is counted.

use super::chunk::{Chunk, MAX_SAMPLES, Open};
use super::index::Index;
use super::{Labels, Matcher, Millis, Sample, Source};
use std::collections::HashMap;
use std::time::Duration;

/// The bounds of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_series: usize,
    /// All that the store holds: samples, labels, index.
    pub max_bytes: usize,
    pub max_samples: u64,
    /// Samples go when they are older than this and all others of their chunk are: at most a
    /// quarter of this, or 120 samples, later.
    pub retention: Duration,
}

/// A series of one store, as long as it has not expired there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesId {
    slot: u32,
    /// Tells apart the series that used the slot one after the other.
    turn: u32,
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    Ok,
    /// The very sample that is the newest already.
    Duplicate,
    /// Another value for the newest sample's time: the first holds.
    Conflict,
    /// Older than the newest sample.
    OutOfOrder,
    /// A bound is reached and nothing old is left to drop.
    Full,
    /// The series has expired: [`Store::intern`] its labels again.
    Gone,
}

/// What was refused or dropped since the store was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Times that a new series was refused.
    pub series_refused: u64,
    /// Samples for which there was no room.
    pub samples_refused: u64,
    pub out_of_order: u64,
    pub conflicts: u64,
    /// Old samples that made room before their time.
    pub evicted: u64,
    /// Samples taken back because the clock was; see [`Store::cut_after`].
    pub taken_back: u64,
}

impl Dropped {
    /// What the bounds took: refused series, refused samples, evicted samples.
    pub fn by_bounds(&self) -> u64 {
        self.series_refused + self.samples_refused + self.evicted
    }
}

/// How full a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub series: usize,
    pub samples: u64,
    /// Everything included, as nearly as the allocator lets one know.
    pub bytes: usize,
    pub dropped: Dropped,
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
    /// Of labels, chunks and open chunks; what is counted by capacity is added in [`Store::bytes`].
    held: usize,
    dropped: Dropped,
    /// Given to each new series, so that none is taken for the one that had its slot before.
    next_turn: u32,
    /// Chunks closed since all of them were last looked at, or more when some were left then.
    to_evict: usize,
}

#[derive(Debug)]
struct Slot {
    turn: u32,
    series: Option<Series>,
}

#[derive(Debug)]
struct Series {
    labels: Labels,
    /// Oldest first, none overlapping.
    closed: Vec<Chunk>,
    open: Option<Open>,
}

/// The allocator's own for one allocation.
const HEAP: usize = 16;
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
        }
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Changes the bounds; the next append keeps to them.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.to_evict = usize::MAX / 64;
    }

    /// The series with these labels, made if there is none. `None` when the bounds allow no more.
    /// One that is given no sample goes with the next [`Store::expire`].
    pub fn intern(&mut self, labels: &Labels) -> Option<SeriesId> {
        if let Some(slot) = self.by_labels.get(labels) {
            return self.id_of(*slot);
        }
        if self.by_labels.len() >= self.limits.max_series || !self.has_room(series_cost(labels)) {
            self.dropped.series_refused += 1;
            return None;
        }
        let slot = self.free.pop().or_else(|| u32::try_from(self.slots.len()).ok())?;
        if slot as usize == self.slots.len() {
            if self.slots.len() == self.slots.capacity() {
                self.slots.reserve_exact((self.slots.len() / 8).max(64));
            }
            self.slots.push(Slot { turn: 0, series: None });
        }
        let series = Some(Series { labels: labels.clone(), closed: Vec::new(), open: None });
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
        let Some(newest) = self.series(id).map(Series::newest) else { return Appended::Gone };
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
        let quarter = i64::try_from(self.limits.retention.as_millis() / 4).unwrap_or(i64::MAX);
        // Making room may have dropped chunks, never the series.
        let Some(series) = self.slots.get_mut(id.slot as usize).and_then(|s| s.series.as_mut()) else {
            return Appended::Gone;
        };
        let before = series.heap();
        self.to_evict += usize::from(series.push(sample, quarter));
        self.held = self.held + series.heap() - before;
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

    /// Drops what is older than the retention at `now`, and series that have nothing left.
    pub fn expire(&mut self, now: Millis) {
        let retention = i64::try_from(self.limits.retention.as_millis()).unwrap_or(i64::MAX);
        let oldest = now.saturating_sub(retention);
        self.change_all(|series| {
            series.closed.retain(|c| c.end() >= oldest);
            series.open.take_if(|open| open.last().t < oldest);
        });
    }

    /// Takes back all samples later than `t`: a clock that was ahead and was set back would
    /// otherwise have every sample refused as out of order until it gets there again.
    pub fn cut_after(&mut self, t: Millis) {
        let before = self.samples;
        self.change_all(|series| series.cut_after(t));
        self.dropped.taken_back += before - self.samples;
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

    /// Whether so many bytes and one sample more are within bounds, after dropping old chunks if
    /// need be.
    fn has_room(&mut self, bytes: usize) -> bool {
        let fits = |store: &Store| {
            store.bytes() + bytes <= store.limits.max_bytes && store.samples < store.limits.max_samples
        };
        // All series are looked at to evict, so there must be something in it: where open chunks
        // alone fill the store, a look for every chunk that closes would take all the time.
        if !fits(self) && self.to_evict.saturating_mul(64) > self.by_labels.len() {
            self.evict();
        }
        fits(self)
    }

    /// Drops the oldest closed chunks of the store until a sixteenth of the bounds is free.
    fn evict(&mut self) {
        let chunks = self.slots.iter().filter_map(|s| s.series.as_ref()).flat_map(|s| &s.closed);
        let mut ends: Vec<(Millis, usize, u16)> =
            chunks.map(|c| (c.end(), chunk_cost(c), c.count())).collect();
        ends.sort_unstable();
        let (max_bytes, max_samples) = (self.limits.max_bytes, self.limits.max_samples);
        let mut bytes = (self.bytes() + max_bytes / 16).saturating_sub(max_bytes);
        let mut samples = (self.samples + max_samples / 16 + 1).saturating_sub(max_samples);
        let mut until = None;
        for (end, size, count) in &ends {
            if bytes == 0 && samples == 0 {
                break;
            }
            bytes = bytes.saturating_sub(*size);
            samples = samples.saturating_sub(u64::from(*count));
            until = Some(*end);
        }
        let before = self.samples;
        if let Some(until) = until {
            self.each(|series| series.closed.retain(|c| c.end() > until));
        }
        self.dropped.evicted += before - self.samples;
        self.to_evict = ends.iter().filter(|(end, ..)| Some(*end) > until).count();
    }

    /// Applies a change that only ever drops samples to every series, and keeps the counts.
    fn each(&mut self, mut change: impl FnMut(&mut Series)) {
        for series in self.slots.iter_mut().filter_map(|s| s.series.as_mut()) {
            let before = (series.heap(), series.samples());
            change(series);
            if series.closed.capacity() > series.closed.len() + 1 {
                series.closed.shrink_to_fit();
            }
            self.held = self.held + series.heap() - before.0;
            self.samples = self.samples + series.samples() - before.1;
        }
    }

    /// The same, and drops series that have nothing left.
    fn change_all(&mut self, change: impl FnMut(&mut Series)) {
        self.each(change);
        let mut gone = HashMap::new();
        for (number, slot) in (0u32..).zip(&mut self.slots) {
            if let Some(series) = slot.series.take_if(|s| s.open.is_none() && s.closed.is_empty()) {
                self.held -= series_cost(&series.labels) + series.heap();
                self.by_labels.remove(&series.labels);
                self.free.push(number);
                gone.insert(number, series.labels);
            }
        }
        if !gone.is_empty() {
            self.index.remove(&gone);
        }
        if self.by_labels.is_empty() {
            (self.slots, self.free) = (Vec::new(), Vec::new());
        }
        self.by_labels.shrink_to(self.by_labels.len() * 2);
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
            series.read(from, to, &mut scratch);
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
            let newest = series.newest();
            if newest.is_none_or(|s| s.t < from) {
                return;
            }
            let last = newest.filter(|s| s.t <= to).or_else(|| {
                scratch.clear();
                series.read(from, to, &mut scratch);
                scratch.last().copied()
            });
            if let Some(last) = last {
                visit(&series.labels, last);
            }
        });
    }
}

impl Series {
    fn newest(&self) -> Option<Sample> {
        let closed = || self.closed.last().and_then(|c| c.samples().last());
        self.open.as_ref().map(Open::last).or_else(closed)
    }

    /// Adds a later sample; whether a chunk was closed for it.
    fn push(&mut self, sample: Sample, max_span: i64) -> bool {
        let full =
            |open: &mut Open| open.count() >= MAX_SAMPLES || sample.t.saturating_sub(open.start()) > max_span;
        let mut like = None;
        if let Some(open) = self.open.take_if(full) {
            like = Some(open.kind());
            if self.closed.len() == self.closed.capacity() {
                self.closed.reserve_exact(1 + self.closed.len() / 8);
            }
            self.closed.push(open.close());
        }
        match &mut self.open {
            Some(open) => open.push(sample),
            None => self.open = Some(Open::new(sample, like)),
        }
        like.is_some()
    }

    /// Samples in `from..=to`; only chunks that overlap are decoded.
    fn read(&self, from: Millis, to: Millis, out: &mut Vec<Sample>) {
        let first = self.closed.partition_point(|c| c.end() < from);
        for chunk in self.closed.iter().skip(first).take_while(|c| c.start() <= to) {
            out.extend(chunk.samples().skip_while(|s| s.t < from).take_while(|s| s.t <= to));
        }
        if let Some(open) = self.open.as_ref().filter(|o| o.start() <= to && o.last().t >= from) {
            out.extend(open.samples().skip_while(|s| s.t < from).take_while(|s| s.t <= to));
        }
    }

    fn cut_after(&mut self, t: Millis) {
        if self.newest().is_none_or(|s| s.t <= t) {
            return;
        }
        let Some(start) =
            self.open.as_ref().map(Open::start).into_iter().chain(self.closed.iter().map(Chunk::start)).min()
        else {
            return;
        };
        // The chunk that the moment falls into is written anew.
        let whole = self.closed.iter().take_while(|c| c.end() <= t).count();
        let kept_from = self
            .closed
            .get(whole)
            .map_or_else(|| self.open.as_ref().map_or(start, Open::start), Chunk::start);
        let mut rest = Vec::new();
        self.read(kept_from, t, &mut rest);
        self.closed.truncate(whole);
        self.open = None;
        for sample in rest {
            self.push(sample, i64::MAX);
        }
    }

    fn samples(&self) -> u64 {
        let closed: u64 = self.closed.iter().map(|c| u64::from(c.count())).sum();
        closed + self.open.as_ref().map_or(0, |o| u64::from(o.count()))
    }

    /// Bytes allocated for samples.
    fn heap(&self) -> usize {
        let chunks: usize = self.closed.iter().map(|c| chunk_cost(c) - size_of::<Chunk>()).sum();
        let list = if self.closed.capacity() > 0 { HEAP } else { 0 };
        chunks
            + list
            + self.closed.capacity() * size_of::<Chunk>()
            + self.open.as_ref().map_or(0, |o| o.capacity() + HEAP)
    }
}

fn chunk_cost(chunk: &Chunk) -> usize {
    size_of::<Chunk>() + chunk.capacity() + HEAP
}

/// What a series costs before its first sample, beside its slot and its index entries.
fn series_cost(labels: &Labels) -> usize {
    // The labels' text, its two counters.
    labels.bytes() + 2 * size_of::<usize>() + HEAP + MAP_ENTRY
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
