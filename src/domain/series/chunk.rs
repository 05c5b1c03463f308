//! A run of one series' samples, compressed bit by bit and exactly: times as differences of
//! differences, values as whole numbers of a decimal unit where they are such, else as XOR.

use super::bits::{Bits, Reader, Widths};
use super::{Millis, Sample};

/// A chunk is closed at this many samples.
pub const MAX_SAMPLES: u16 = 120;

const TIMES: &Widths = &[0, 4, 7, 12, 20, 64];
const VALUES: &Widths = &[0, 3, 6, 10, 16, 26, 40, 64];

/// Powers of ten that values are tried as multiples of the inverse of: down to a millionth.
const TENS: [f64; 7] = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The bits that differ from the value before, as Gorilla has it: any value at all.
    Xor,
    /// Multiples of 10^-n as the difference to the one before: gauges.
    Delta(u8),
    /// The same as the difference of differences: counters.
    Double(u8),
}

impl Kind {
    /// What suits a first value best, as far as one value can tell.
    fn of(value: f64) -> Kind {
        (0..TENS.len() as u8).find(|n| units(value, *n).is_some()).map_or(Kind::Xor, Kind::Double)
    }

    fn can_hold(self, value: f64) -> bool {
        match self {
            Kind::Xor => true,
            Kind::Delta(n) | Kind::Double(n) => units(value, n).is_some(),
        }
    }
}

/// How many times 10^-n a value is, if it is a whole number of times and comes back bit by bit.
fn units(value: f64, n: u8) -> Option<i64> {
    let ten = TENS.get(usize::from(n)).copied()?;
    let whole = (value * ten).round();
    // Beyond 2^53 neighbouring whole numbers share a float; NaN is not less than it either.
    if whole.abs() < 9_007_199_254_740_992.0 && from_units(whole as i64, n).to_bits() == value.to_bits() {
        Some(whole as i64)
    } else {
        None
    }
}

fn from_units(whole: i64, n: u8) -> f64 {
    whole as f64 / TENS.get(usize::from(n)).copied().unwrap_or(1.0)
}

/// What both directions remember of the sample before.
#[derive(Clone, Copy, Debug)]
struct Before {
    t: Millis,
    dt: i64,
    /// The bits of the float, or the whole number.
    v: u64,
    dv: i64,
    /// Of the last XOR window: leading zeros and significant bits; none yet if these are zero.
    zeros: u8,
    width: u8,
}

impl Before {
    fn at(t: Millis) -> Self {
        Before { t, dt: 0, v: 0, dv: 0, zeros: 0, width: 0 }
    }

    fn value(&self, kind: Kind) -> f64 {
        match kind {
            Kind::Xor => f64::from_bits(self.v),
            Kind::Delta(n) | Kind::Double(n) => from_units(self.v.cast_signed(), n),
        }
    }
}

/// A chunk that is still written to.
#[derive(Clone, Debug)]
pub struct Open {
    start: Millis,
    before: Before,
    bits: Bits,
    count: u16,
    kind: Kind,
}

impl Open {
    /// Begins with a first sample; `like` is how the chunk before was written.
    pub fn new(first: Sample, like: Option<Kind>) -> Self {
        let kind = match like {
            Some(Kind::Double(n) | Kind::Delta(n)) if Kind::Double(n).can_hold(first.v) => Kind::Double(n),
            _ => Kind::of(first.v),
        };
        let mut open = Self::empty(first.t, kind);
        open.write(first);
        open
    }

    fn empty(start: Millis, kind: Kind) -> Self {
        Open { start, before: Before::at(start), bits: Bits::default(), count: 0, kind }
    }

    pub fn start(&self) -> Millis {
        self.start
    }

    pub fn count(&self) -> u16 {
        self.count
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The newest sample, which needs no decoding.
    pub fn last(&self) -> Sample {
        Sample { t: self.before.t, v: self.before.value(self.kind) }
    }

    /// Bytes that are allocated.
    pub fn capacity(&self) -> usize {
        self.bits.capacity()
    }

    /// Adds a sample that is later than the last.
    pub fn push(&mut self, sample: Sample) {
        if !self.kind.can_hold(sample.v) {
            let wider = match Kind::of(sample.v) {
                Kind::Double(n) if self.samples().all(|s| Kind::Double(n).can_hold(s.v)) => Kind::Double(n),
                _ => Kind::Xor,
            };
            *self = self.rewritten(wider);
        }
        self.write(sample);
    }

    /// Closed in whichever way is shortest.
    pub fn close(self) -> Chunk {
        let mut best = self;
        if let Kind::Double(n) = best.kind {
            for other in [Kind::Delta(n), Kind::Xor] {
                let rewritten = best.rewritten(other);
                if rewritten.bits.bytes().len() < best.bits.bytes().len() {
                    best = rewritten;
                }
            }
        }
        Chunk {
            start: best.start,
            end: best.before.t,
            count: best.count,
            kind: best.kind,
            bits: best.bits.into_boxed(),
        }
    }

    pub fn samples(&self) -> Samples<'_> {
        Samples::new(self.start, self.kind, self.count, self.bits.bytes())
    }

    fn rewritten(&self, kind: Kind) -> Open {
        let mut other = Self::empty(self.start, kind);
        self.samples().for_each(|s| other.write(s));
        other
    }

    fn write(&mut self, sample: Sample) {
        let b = &mut self.before;
        let dt = sample.t.wrapping_sub(b.t);
        if self.count > 0 {
            self.bits.put_signed(TIMES, dt.wrapping_sub(b.dt));
        }
        (b.t, b.dt) = (sample.t, dt);
        match self.kind {
            Kind::Xor => write_xor(&mut self.bits, b, sample.v.to_bits(), self.count == 0),
            Kind::Delta(n) | Kind::Double(n) => {
                let whole = units(sample.v, n).unwrap_or(0);
                let dv = whole.wrapping_sub(b.v.cast_signed());
                let guess = if matches!(self.kind, Kind::Double(_)) { b.dv } else { 0 };
                self.bits.put_signed(VALUES, dv.wrapping_sub(guess));
                // The first difference is the value itself and says nothing of the next.
                (b.v, b.dv) = (whole.cast_unsigned(), if self.count == 0 { 0 } else { dv });
            }
        }
        self.count += 1;
    }
}

/// `0`: as before. `10`: within the last window. `11`, 6 bits of leading zeros, 6 of width less
/// one: a window of its own. The first value is written as it is.
fn write_xor(bits: &mut Bits, b: &mut Before, value: u64, first: bool) {
    let xor = value ^ b.v;
    b.v = value;
    if first {
        bits.put(value, 64);
        return;
    }
    if xor == 0 {
        bits.put(0, 1);
        return;
    }
    let (zeros, tail) = (xor.leading_zeros() as u8, xor.trailing_zeros() as u8);
    let width = 64 - zeros - tail;
    let inside = b.width > 0 && zeros >= b.zeros && 64 - tail <= b.zeros + b.width;
    // A far too wide window costs more than a new one does.
    if inside && b.width <= width + 12 {
        bits.put(0b10, 2);
        bits.put(xor >> (64 - b.zeros - b.width), u32::from(b.width));
    } else {
        bits.put(0b11, 2);
        bits.put(u64::from(zeros), 6);
        bits.put(u64::from(width - 1), 6);
        bits.put(xor >> tail, u32::from(width));
        (b.zeros, b.width) = (zeros, width);
    }
}

fn read_xor(bits: &mut Reader<'_>, b: &mut Before, first: bool) {
    if first {
        b.v = bits.take(64);
        return;
    }
    if bits.take(1) == 0 {
        return;
    }
    if bits.take(1) == 1 {
        b.zeros = bits.take(6) as u8;
        b.width = bits.take(6) as u8 + 1;
    }
    let shift = 64u32.saturating_sub(u32::from(b.zeros) + u32::from(b.width));
    b.v ^= bits.take(u32::from(b.width)) << shift;
}

/// A chunk that is complete.
#[derive(Clone, Debug)]
pub struct Chunk {
    start: Millis,
    end: Millis,
    bits: Box<[u8]>,
    count: u16,
    kind: Kind,
}

impl Chunk {
    pub fn start(&self) -> Millis {
        self.start
    }

    pub fn end(&self) -> Millis {
        self.end
    }

    pub fn count(&self) -> u16 {
        self.count
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes that are allocated beside the chunk's own.
    pub fn capacity(&self) -> usize {
        self.bits.len()
    }

    pub fn samples(&self) -> Samples<'_> {
        Samples::new(self.start, self.kind, self.count, &self.bits)
    }
}

/// The samples of a chunk, oldest first.
#[derive(Clone, Debug)]
pub struct Samples<'a> {
    before: Before,
    bits: Reader<'a>,
    kind: Kind,
    first: bool,
    left: u16,
}

impl<'a> Samples<'a> {
    fn new(start: Millis, kind: Kind, count: u16, bytes: &'a [u8]) -> Self {
        Samples { before: Before::at(start), bits: Reader::new(bytes), kind, first: true, left: count }
    }
}

impl Iterator for Samples<'_> {
    type Item = Sample;

    #[inline]
    fn next(&mut self) -> Option<Sample> {
        self.left = self.left.checked_sub(1)?;
        let (b, first) = (&mut self.before, self.first);
        if !first {
            b.dt = b.dt.wrapping_add(self.bits.take_signed(TIMES));
            b.t = b.t.wrapping_add(b.dt);
        }
        match self.kind {
            Kind::Xor => read_xor(&mut self.bits, b, first),
            Kind::Delta(_) | Kind::Double(_) => {
                let guess = if matches!(self.kind, Kind::Double(_)) { b.dv } else { 0 };
                let dv = self.bits.take_signed(VALUES).wrapping_add(guess);
                b.v = b.v.cast_signed().wrapping_add(dv).cast_unsigned();
                b.dv = if first { 0 } else { dv };
            }
        }
        self.first = false;
        Some(Sample { t: b.t, v: b.value(self.kind) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (-1000i64..1000).prop_map(|i| i as f64),
            (any::<i32>(), 0..7i32).prop_map(|(i, n)| f64::from(i) / 10f64.powi(n)),
            Just(super::super::stale()),
            Just(f64::INFINITY),
            Just(-0.0),
            Just(f64::from_bits(0x7ff8_0000_0000_0001)),
        ]
    }

    proptest! {
        /// Open or closed, in whatever way they came to be written, samples come back bit by bit.
        #[test]
        fn samples_come_back_bit_by_bit(
            runs in proptest::collection::vec((value(), 1..30usize, any::<bool>()), 1..6),
            odd in proptest::collection::vec(value(), 0..4),
            steps in proptest::collection::vec(prop_oneof![Just(15_000i64), 14_990..15_010i64, 1..i64::MAX / 200], 160),
            start in any::<i64>(),
        ) {
            let values = runs.iter().flat_map(|(v, n, counts)| {
                (0..*n).map(move |i| if *counts { v + i as f64 * 7.0 } else { *v })
            }).chain(odd.iter().copied());
            let mut t = start;
            let samples: Vec<Sample> = values.zip(&steps).map(|(v, step)| {
                t = t.wrapping_add(*step);
                Sample { t, v }
            }).collect();
            let mut open: Option<Open> = None;
            for s in &samples {
                match &mut open {
                    Some(open) => open.push(*s),
                    None => open = Some(Open::new(*s, None)),
                }
                prop_assert_eq!(open.as_ref().map(Open::last), Some(*s));
            }
            let open = open.unwrap();
            prop_assert_eq!(open.samples().collect::<Vec<_>>(), samples.clone());
            let chunk = open.close();
            prop_assert_eq!(chunk.samples().collect::<Vec<_>>(), samples.clone());
            prop_assert_eq!((chunk.start(), chunk.end()), (samples[0].t, samples[samples.len() - 1].t));
            // The next chunk takes over the way, if it can.
            let next = Open::new(Sample { t, v: odd.first().copied().unwrap_or(0.5) }, Some(chunk.kind()));
            prop_assert_eq!(next.samples().collect::<Vec<_>>(), vec![next.last()]);
        }
    }

    #[test]
    fn the_way_of_writing_fits_the_values() {
        let closed = |values: &dyn Fn(u32) -> f64| {
            let sample = |i: u32| Sample { t: i64::from(i) * 15_000, v: values(i) };
            let mut open = Open::new(sample(0), None);
            (1..120).for_each(|i| open.push(sample(i)));
            let chunk = open.close();
            (chunk.kind(), chunk.capacity())
        };
        let (kind, size) = closed(&|i| f64::from(i) * 250.0);
        assert_eq!(kind, Kind::Double(0), "a steady counter");
        assert!(size < 45, "{size} bytes for 120 samples");
        assert!(
            matches!(
                closed(&|i| 20.5 + f64::from(i.wrapping_mul(i).wrapping_mul(2_654_435_761) >> 24) / 100.0).0,
                Kind::Delta(2)
            ),
            "a gauge in hundredths"
        );
        assert_eq!(closed(&|i| f64::from(i).sqrt()).0, Kind::Xor, "no decimal number");
        assert_eq!(closed(&|_| f64::NAN), (Kind::Xor, closed(&|_| f64::INFINITY).1));
    }
}
