//! A string of bits: what compressed samples are written to and read from.

/// Bits in the order they were put, the first in the highest bit of the first byte.
#[derive(Clone, Debug, Default)]
pub struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are not used yet.
    free: u8,
}

/// The widths of signed numbers: one of `widths[n]` bits follows `n` ones and a zero (the zero is
/// left out after the last). The first width is zero and stands for the number zero; the last is 64.
pub type Widths = [u32];

impl Bits {
    /// Appends the low `count` bits of `value`, at most 64.
    pub fn put(&mut self, value: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.grow();
                self.bytes.push(0);
                self.free = 8;
            }
            let take = left.min(u32::from(self.free));
            let part = (value >> (left - take)) & ((1 << take) - 1);
            self.free -= take as u8;
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part as u8) << self.free;
            }
            left -= take;
        }
    }

    /// Appends a number in the narrowest of the widths that holds it.
    pub fn put_signed(&mut self, widths: &Widths, value: i64) {
        let last = widths.len() - 1;
        let fits = |w: u32| w == 64 || (w == 0 && value == 0) || (w > 0 && fits_in(value, w));
        let class = widths.iter().position(|w| fits(*w)).unwrap_or(last);
        let (ones, count) = (class as u32, if class < last { class + 1 } else { last } as u32);
        self.put(if class < last { ((1 << ones) - 1) << 1 } else { (1 << ones) - 1 }, count);
        self.put(value as u64, widths.get(class).copied().unwrap_or(64));
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that are allocated.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub fn into_boxed(self) -> Box<[u8]> {
        self.bytes.into_boxed_slice()
    }

    /// Doubling would waste half of every small buffer, and there is one for each series.
    fn grow(&mut self) {
        if self.bytes.len() == self.bytes.capacity() {
            self.bytes.reserve_exact((self.bytes.len() / 4).max(16));
        }
    }
}

fn fits_in(value: i64, width: u32) -> bool {
    let half = 1i64 << (width - 1);
    (-half..half).contains(&value)
}

/// Reads what [`Bits`] wrote. Past the end there are zeros, so damaged input cannot panic.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    /// The next 57 bits or more, in the high bits.
    #[inline]
    fn peek(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or(&[]);
        let word = if let Some(eight) = rest.first_chunk::<8>() {
            u64::from_be_bytes(*eight)
        } else {
            let mut eight = [0; 8];
            for (to, from) in eight.iter_mut().zip(rest) {
                *to = *from;
            }
            u64::from_be_bytes(eight)
        };
        word << (self.at % 8)
    }

    /// The next `count` bits, at most 64.
    #[inline]
    pub fn take(&mut self, count: u32) -> u64 {
        if count == 0 {
            return 0;
        }
        if count > 56 {
            let high = self.take(count - 32);
            return high << 32 | self.take(32);
        }
        let value = self.peek() >> (64 - count);
        self.at += count as usize;
        value
    }

    #[inline]
    pub fn take_signed(&mut self, widths: &Widths) -> i64 {
        let last = widths.len() - 1;
        let ones = (self.peek().leading_ones() as usize).min(last);
        self.at += if ones < last { ones + 1 } else { last };
        let width = widths.get(ones).copied().unwrap_or(64);
        if width == 0 {
            return 0;
        }
        let value = self.take(width);
        // Carry the sign up.
        (value << (64 - width)).cast_signed() >> (64 - width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WIDTHS: &Widths = &[0, 3, 7, 20, 64];

    #[derive(Clone, Debug)]
    enum Put {
        Raw(u64, u32),
        Signed(i64),
    }

    proptest! {
        #[test]
        fn what_is_put_is_taken(puts in proptest::collection::vec(prop_oneof![
            (any::<u64>(), 1..=64u32).prop_map(|(v, n)| Put::Raw(v & (u64::MAX >> (64 - n)), n)),
            (any::<i64>(), 0..64u32).prop_map(|(v, n)| Put::Signed(v >> n)),
        ], 0..60)) {
            let mut bits = Bits::default();
            for put in &puts {
                match put {
                    Put::Raw(v, n) => bits.put(*v, *n),
                    Put::Signed(v) => bits.put_signed(WIDTHS, *v),
                }
            }
            let mut reader = Reader::new(bits.bytes());
            for put in &puts {
                match put {
                    Put::Raw(v, n) => prop_assert_eq!(reader.take(*n), *v),
                    Put::Signed(v) => prop_assert_eq!(reader.take_signed(WIDTHS), *v),
                }
            }
        }
    }

    #[test]
    fn past_the_end_there_are_zeros() {
        let mut reader = Reader::new(&[0xff]);
        assert_eq!((reader.take(12), reader.take(64), reader.take_signed(WIDTHS)), (0xff0, 0, 0));
    }
}
