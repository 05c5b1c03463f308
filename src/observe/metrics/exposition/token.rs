//! What a page is made of, byte by byte: classes of characters, ends of quoted texts.

/// May begin a metric's name.
pub const METRIC_START: u8 = 1;
/// May continue a metric's name.
pub const METRIC: u8 = 2;
/// May begin a label's name.
pub const LABEL_START: u8 = 4;
/// May continue a label's name.
pub const LABEL: u8 = 8;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let c = byte as u8;
        if c.is_ascii_alphabetic() || c == b'_' {
            table[byte] = METRIC_START | METRIC | LABEL_START | LABEL;
        } else if c == b':' {
            table[byte] = METRIC_START | METRIC;
        } else if c.is_ascii_digit() {
            table[byte] = METRIC | LABEL;
        }
        byte += 1;
    }
    table
}

/// Whether a byte, if there is one, is of a class.
#[inline]
pub fn is(byte: Option<&u8>, class: u8) -> bool {
    byte.is_some_and(|c| CLASSES[usize::from(*c)] & class != 0)
}

/// Where the run of bytes of a class that begins at `at` ends.
#[inline]
pub fn run(body: &[u8], mut at: usize, class: u8) -> usize {
    while is(body.get(at), class) {
        at += 1;
    }
    at
}

/// Where spaces and tabs end.
#[inline]
pub fn blank(body: &[u8], mut at: usize) -> usize {
    while matches!(body.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks bytes of a word that are zero; the lowest mark is exact.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// Where the next quote or backslash stands, or the body's end.
#[inline]
pub fn quote_or_backslash(body: &[u8], mut at: usize) -> usize {
    const QUOTES: u64 = LOW * b'"' as u64;
    const SLASHES: u64 = LOW * b'\\' as u64;
    // Most texts are short; a call for a vector search pays for longer ones only.
    for _ in 0..4 {
        let Some(word) = body.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        let word = u64::from_le_bytes(*word);
        let marks = zeros(word ^ QUOTES) | zeros(word ^ SLASHES);
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = body.get(at..).unwrap_or(&[]);
    memchr::memchr2(b'"', b'\\', rest).map_or(body.len(), |n| at + n)
}

/// Where the line that `at` is in ends: at its newline, or at the body's end.
#[inline]
pub fn line_end(body: &[u8], at: usize) -> usize {
    let rest = body.get(at..).unwrap_or(&[]);
    memchr::memchr(b'\n', rest).map_or(body.len(), |n| at + n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn searches_find_what_a_walk_finds(body in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), Just(b'!'), Just(b'#'), Just(b'\xa2'), Just(b']'), 97..99u8], 0..90), at in 0..40usize) {
            let walk = |wanted: &[u8]| (at..body.len()).find(|i| wanted.contains(&body[*i])).unwrap_or(body.len().max(at));
            let found = quote_or_backslash(&body, at);
            prop_assert_eq!(found.max(at), walk(b"\"\\"));
        }
    }

    #[test]
    fn names_are_made_of_what_prometheus_allows() {
        let all: Vec<u8> = (0..=255).collect();
        let of = |class| all.iter().filter(|c| is(Some(c), class)).count();
        assert_eq!((of(METRIC_START), of(METRIC), of(LABEL_START), of(LABEL)), (54, 64, 53, 63));
        assert!(!is(None, METRIC) && !is(Some(&b':'), LABEL) && !is(Some(&b'0'), METRIC_START));
        assert_eq!((run(b"ab:c-", 0, METRIC), run(b"ab:c-", 0, LABEL), blank(b" \t x", 0)), (4, 2, 3));
        assert_eq!((line_end(b"ab\ncd", 1), line_end(b"ab\ncd", 3)), (2, 5));
    }
}
