//! The newest samples of a series, at hand without decoding: twelve bytes each.

use crate::domain::series::{Millis, Sample};

/// Samples are moved to the compressed chunk, and room is made, so many at a time.
pub const BATCH: usize = 8;

/// The most samples of a tail: five minutes of one every five seconds, and the batch that is next.
pub const MAX: usize = 72;

/// What a tail should reach back: the lookback of instant selectors and the window of most rates,
/// five minutes, and the moment that evaluation may be behind the newest sample.
const SPAN: Millis = 315_000;

/// See the module. Empty, or its samples are later than all that the series has elsewhere.
#[derive(Debug, Default)]
pub struct Tail {
    /// Not later than the first point.
    base: Millis,
    points: Vec<Point>,
}

/// A sample; in words of four bytes so that none is lost to alignment.
#[derive(Clone, Copy, Debug)]
struct Point {
    /// Milliseconds after the base: up to 49 days.
    after: u32,
    /// The float's bits, the high half first.
    bits: [u32; 2],
}

/// The most memory of a tail.
pub const MAX_BYTES: usize = MAX * size_of::<Point>();

impl Point {
    fn sample(self, base: Millis) -> Sample {
        let [high, low] = self.bits;
        Sample { t: self.time(base), v: f64::from_bits(u64::from(high) << 32 | u64::from(low)) }
    }

    fn time(self, base: Millis) -> Millis {
        base.wrapping_add(i64::from(self.after))
    }
}

impl Tail {
    pub fn len(&self) -> usize {
        self.points.len()
    }

    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The oldest sample's time.
    pub fn start(&self) -> Option<Millis> {
        self.points.first().map(|p| p.time(self.base))
    }

    pub fn last(&self) -> Option<Sample> {
        self.points.last().map(|p| p.sample(self.base))
    }

    /// Bytes that are allocated.
    pub fn capacity(&self) -> usize {
        self.points.capacity() * size_of::<Point>()
    }

    /// Adds a later sample if that takes no more memory.
    pub fn push_within(&mut self, sample: Sample) -> bool {
        let Some(after) = self.reach(sample.t).filter(|_| self.points.len() < self.points.capacity()) else {
            return false;
        };
        let bits = sample.v.to_bits();
        self.points.push(Point { after, bits: [(bits >> 32) as u32, bits as u32] });
        true
    }

    /// How many of the oldest must move before a later sample can be added with [`Self::grow`];
    /// `most` is how many may stay at all.
    pub fn surplus(&self, t: Millis, most: usize) -> usize {
        let (len, base) = (self.points.len(), self.base);
        if self.reach(t).is_none() {
            return len;
        }
        let oldest = t.saturating_sub(SPAN);
        let spare = self.points.partition_point(|p| p.time(base) < oldest);
        let needed = (len + 1).saturating_sub(most.max(1)).next_multiple_of(BATCH);
        (spare - spare % BATCH).max(needed).min(len)
    }

    /// Adds a later sample, after what [`Self::surplus`] asked for was moved.
    pub fn grow(&mut self, sample: Sample) {
        if self.points.is_empty() {
            self.base = sample.t;
        }
        if self.points.len() == self.points.capacity() {
            self.points.reserve_exact(BATCH);
        }
        self.push_within(sample);
    }

    /// A moment after the base, if it is near enough for a point.
    fn reach(&self, t: Millis) -> Option<u32> {
        t.checked_sub(self.base).and_then(|d| u32::try_from(d).ok())
    }

    /// Gives the oldest away, and memory that so many fewer do not need.
    pub fn take_front(&mut self, count: usize, mut take: impl FnMut(Sample)) {
        let base = self.base;
        self.points.drain(..count.min(self.points.len())).for_each(|p| take(p.sample(base)));
        if self.points.capacity() > self.points.len() + 2 * BATCH {
            self.points.shrink_to((self.points.len() + 1).next_multiple_of(BATCH));
        }
        // The base must not stay behind for good: it would come out of reach.
        let ahead = self.points.first().map_or(0, |p| p.after);
        if ahead > u32::MAX / 2 {
            self.points.iter_mut().for_each(|p| p.after -= ahead);
            self.base = base.wrapping_add(i64::from(ahead));
        }
    }

    pub fn drop_before(&mut self, t: Millis) {
        let base = self.base;
        let count = self.points.partition_point(|p| p.time(base) < t);
        self.take_front(count, |_| {});
    }

    pub fn drop_after(&mut self, t: Millis) {
        let base = self.base;
        self.points.truncate(self.points.partition_point(|p| p.time(base) <= t));
    }

    /// Adds the samples in `from..=to`.
    #[inline]
    pub fn read(&self, from: Millis, to: Millis, out: &mut Vec<Sample>) {
        let base = self.base;
        let first = self.points.partition_point(|p| p.time(base) < from);
        let end = match self.points.last() {
            Some(last) if last.time(base) <= to => self.points.len(),
            _ => self.points.partition_point(|p| p.time(base) <= to),
        };
        out.extend(self.points.get(first..end).unwrap_or(&[]).iter().map(|p| p.sample(base)));
    }
}
