//! Making room: what goes when it is too old, when the clock was ahead, and when a bound is reached.

use super::tail::MAX_BYTES;
use super::track::{Keeping, Track, chunk_cost};
use super::{Store, series_cost};
use crate::domain::series::Millis;
use std::collections::HashMap;

impl Store {
    /// Drops what is older than the retention at `now`, and series that have nothing left.
    pub fn expire(&mut self, now: Millis) {
        let retention = i64::try_from(self.limits.retention.as_millis()).unwrap_or(i64::MAX);
        let oldest = now.saturating_sub(retention);
        self.each(|track| track.has_before(oldest), |track| track.drop_before(oldest));
        self.drop_empty();
        self.loosen(self.bytes());
    }

    /// Takes back all samples later than `t`: a clock that was ahead and was set back would
    /// otherwise have every sample refused as out of order until it gets there again.
    pub fn cut_after(&mut self, t: Millis) {
        let before = self.samples;
        self.each(|track| track.newest().is_some_and(|s| s.t > t), |track| track.drop_after(t));
        self.drop_empty();
        self.dropped.taken_back += before - self.samples;
    }

    pub(super) fn keeping(&self) -> Keeping {
        let quarter = i64::try_from(self.limits.retention.as_millis() / 4).unwrap_or(i64::MAX);
        Keeping { max_span: quarter, tight: self.tight }
    }

    /// Whether so many bytes and one sample more are within bounds, after dropping old chunks if
    /// need be.
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        let fits = |store: &Store| {
            store.bytes() + bytes <= store.limits.max_bytes && store.samples < store.limits.max_samples
        };
        if fits(self) {
            return true;
        }
        // All series are looked at to evict, so there must be something in it: where open chunks
        // alone fill the store, a look for every chunk that closes would take all the time.
        if self.to_evict.saturating_mul(64) > self.by_labels.len() {
            self.evict();
        }
        // With the old gone and still hardly any room, speed goes before samples do.
        let max = self.limits.max_bytes;
        if !self.tight && self.bytes() + bytes > max - max / 16 {
            self.squeeze();
        }
        fits(self)
    }

    /// Drops the oldest closed chunks of the store until a sixteenth of the bounds is free.
    fn evict(&mut self) {
        let chunks = self.slots.iter().filter_map(|s| s.series.as_ref()).flat_map(|s| s.track.closed());
        let mut ends: Vec<(Millis, usize, u16)> =
            chunks.map(|c| (c.end(), chunk_cost(c), c.count())).collect();
        ends.sort_unstable();
        let closed: usize = ends.iter().map(|(_, cost, _)| cost).sum();
        self.loosen(self.bytes().saturating_sub(closed));
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
            let goes = |end: Millis| end <= until;
            self.each(|t| t.closed().first().is_some_and(|c| goes(c.end())), |t| t.drop_closed(goes));
        }
        self.dropped.evicted += before - self.samples;
        self.to_evict = ends.iter().filter(|(end, ..)| Some(*end) > until).count();
    }

    /// Keeps samples for speed again when there is room for it beside so many bytes.
    fn loosen(&mut self, bytes: usize) {
        let room = self.limits.max_bytes / 8 * 7;
        self.tight &= bytes.saturating_add(self.by_labels.len() * MAX_BYTES) > room;
    }

    /// Compresses what was kept for speed, and all that comes, until [`Self::loosen`].
    fn squeeze(&mut self) {
        self.tight = true;
        let (keeping, mut closed) = (self.keeping(), 0);
        self.each(|_| true, |track| closed += track.squeeze(keeping));
        self.to_evict += closed;
    }

    /// Applies a change that adds no samples to the series that want it, and keeps the counts.
    fn each(&mut self, wants: impl Fn(&Track) -> bool, mut change: impl FnMut(&mut Track)) {
        for series in self.slots.iter_mut().filter_map(|s| s.series.as_mut()) {
            let track = &mut series.track;
            if wants(track) {
                let before = (track.heap(), track.samples());
                change(track);
                self.held = self.held + track.heap() - before.0;
                self.samples = self.samples + track.samples() - before.1;
            }
        }
    }

    /// Drops series that have nothing left.
    fn drop_empty(&mut self) {
        let mut gone = HashMap::new();
        for (number, slot) in (0u32..).zip(&mut self.slots) {
            if let Some(series) = slot.series.take_if(|s| s.track.is_empty()) {
                self.held -= series_cost(&series.labels) + series.track.heap();
                self.by_labels.remove(&series.labels);
                self.free.push(number);
                gone.insert(number, series.labels);
            }
        }
        if gone.is_empty() {
            return;
        }
        self.index.remove(&gone);
        if self.by_labels.is_empty() {
            (self.slots, self.free) = (Vec::new(), Vec::new());
        }
        self.by_labels.shrink_to(self.by_labels.len() * 2);
    }
}
