//! The samples of one series: closed chunks, the chunk that is written to, and the newest as they
//! are, so that what is asked for most is not decoded.

use super::tail::{self, Tail};
use crate::domain::series::chunk::{Chunk, MAX_SAMPLES, Open};
use crate::domain::series::{Millis, Sample};

/// The allocator's own for one allocation.
pub const HEAP: usize = 16;

/// See the module. Each part is later than the one before; all of them may be empty.
#[derive(Debug, Default)]
pub struct Track {
    /// Oldest first, none overlapping.
    closed: Vec<Chunk>,
    open: Option<Open>,
    tail: Tail,
}

/// What a chunk costs in a list of them.
pub fn chunk_cost(chunk: &Chunk) -> usize {
    size_of::<Chunk>() + chunk.capacity() + HEAP
}

/// How samples are to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// Milliseconds that one chunk may reach.
    pub max_span: Millis,
    /// Memory is short: only a few samples stay as they are.
    pub tight: bool,
}

impl Track {
    pub fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.open.is_none() && self.closed.is_empty()
    }

    pub fn newest(&self) -> Option<Sample> {
        // Only after a cut there is something, but nothing at hand.
        let closed = || self.closed.last().and_then(|c| c.samples().last());
        self.tail.last().or_else(|| self.open.as_ref().map(Open::last)).or_else(closed)
    }

    /// Chunks that are complete.
    pub fn closed(&self) -> &[Chunk] {
        &self.closed
    }

    /// Adds a later sample if that takes no more memory, which most do not.
    pub fn push_within(&mut self, sample: Sample) -> bool {
        self.tail.push_within(sample)
    }

    /// Adds a later sample; how many chunks were closed for it.
    pub fn push(&mut self, sample: Sample, keeping: Keeping) -> usize {
        let most = if keeping.tight { tail::BATCH } else { tail::MAX };
        let closed = self.settle(self.tail.surplus(sample.t, most), keeping.max_span);
        self.tail.grow(sample);
        closed
    }

    /// Compresses all but the last few samples; how many chunks were closed for it.
    pub fn squeeze(&mut self, keeping: Keeping) -> usize {
        let count = self.tail.len().saturating_sub(1) / tail::BATCH * tail::BATCH;
        self.settle(count, keeping.max_span)
    }

    /// Moves the oldest samples of the tail to the open chunk.
    fn settle(&mut self, count: usize, max_span: Millis) -> usize {
        let before = self.closed.len();
        let (open, closed) = (&mut self.open, &mut self.closed);
        self.tail.take_front(count, |sample| compress(open, closed, sample, max_span));
        self.closed.len() - before
    }

    /// Adds the samples in `from..=to`; only chunks that overlap are decoded.
    #[inline]
    pub fn read(&self, from: Millis, to: Millis, out: &mut Vec<Sample>) {
        if self.tail.start().is_none_or(|start| start > from) {
            self.read_chunks(from, to, out);
        }
        self.tail.read(from, to, out);
    }

    fn read_chunks(&self, from: Millis, to: Millis, out: &mut Vec<Sample>) {
        let first = self.closed.partition_point(|c| c.end() < from);
        for chunk in self.closed.iter().skip(first).take_while(|c| c.start() <= to) {
            out.extend(chunk.samples().skip_while(|s| s.t < from).take_while(|s| s.t <= to));
        }
        if let Some(open) = self.open.as_ref().filter(|o| o.start() <= to && o.last().t >= from) {
            out.extend(open.samples().skip_while(|s| s.t < from).take_while(|s| s.t <= to));
        }
    }

    /// Whether there is something that [`Self::drop_before`] would drop.
    pub fn has_before(&self, t: Millis) -> bool {
        let chunk = self.closed.first().map(Chunk::end).or_else(|| self.open.as_ref().map(|o| o.last().t));
        chunk.or_else(|| self.tail.start()).is_some_and(|oldest| oldest < t)
    }

    /// Drops chunks that are older altogether, and older samples of the tail.
    pub fn drop_before(&mut self, t: Millis) {
        self.drop_closed(|end| end < t);
        self.open.take_if(|open| open.last().t < t);
        self.tail.drop_before(t);
    }

    /// Drops the closed chunks whose end is such.
    pub fn drop_closed(&mut self, goes: impl Fn(Millis) -> bool) {
        self.closed.retain(|c| !goes(c.end()));
        if self.closed.capacity() > self.closed.len() + 1 {
            self.closed.shrink_to_fit();
        }
    }

    /// Drops all samples later than `t`.
    pub fn drop_after(&mut self, t: Millis) {
        let in_tail = self.tail.start().is_some_and(|start| start <= t);
        self.tail.drop_after(t);
        if in_tail || self.newest().is_none_or(|s| s.t <= t) {
            return;
        }
        // The chunk that the moment falls into is written anew.
        let whole = self.closed.iter().take_while(|c| c.end() <= t).count();
        let start = self.closed.get(whole).map(Chunk::start).or_else(|| self.open.as_ref().map(Open::start));
        let mut rest = Vec::new();
        self.read_chunks(start.unwrap_or(t), t, &mut rest);
        self.closed.truncate(whole);
        self.closed.shrink_to(whole + 1);
        self.open = None;
        for sample in rest {
            compress(&mut self.open, &mut self.closed, sample, Millis::MAX);
        }
    }

    pub fn samples(&self) -> u64 {
        let closed: u64 = self.closed.iter().map(|c| u64::from(c.count())).sum();
        closed + self.open.as_ref().map_or(0, |o| u64::from(o.count())) + self.tail.len() as u64
    }

    /// Bytes allocated for samples.
    pub fn heap(&self) -> usize {
        let chunks: usize = self.closed.iter().map(|c| chunk_cost(c) - size_of::<Chunk>()).sum();
        let own = |bytes: usize| if bytes > 0 { bytes + HEAP } else { 0 };
        chunks
            + own(self.closed.capacity() * size_of::<Chunk>())
            + own(self.open.as_ref().map_or(0, Open::capacity))
            + own(self.tail.capacity())
    }
}

/// Adds a later sample to the open chunk, or to a new one when that is full or too long.
fn compress(open: &mut Option<Open>, closed: &mut Vec<Chunk>, sample: Sample, max_span: Millis) {
    let full =
        |open: &mut Open| open.count() >= MAX_SAMPLES || sample.t.saturating_sub(open.start()) > max_span;
    let mut like = None;
    if let Some(open) = open.take_if(full) {
        like = Some(open.kind());
        if closed.len() == closed.capacity() {
            closed.reserve_exact(1 + closed.len() / 8);
        }
        closed.push(open.close());
    }
    match open {
        Some(open) => open.push(sample),
        None => *open = Some(Open::new(sample, like)),
    }
}
