//! Comparing past the escape sequences with which programs colour what they print.

/// What an escape sequence begins with.
pub(super) const ESC: u8 = 0x1b;
/// Bytes of escape sequences that may stand between two bytes of a secret.
const MAX_GAP: usize = 64;

/// Whether a text begins with another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// With so many of its bytes.
    Yes(usize),
    /// There is not enough of it to say.
    Perhaps,
    No,
}

/// Whether `rest` begins with `needle`, with or without escape sequences in its midst.
pub(super) fn begins_with(rest: &[u8], needle: &[u8]) -> Begins {
    let (mut at, mut gap) = (0, 0);
    for (i, want) in needle.iter().enumerate() {
        loop {
            match rest.get(at) {
                None => return Begins::Perhaps,
                Some(is) if is == want => break,
                Some(&ESC) if i > 0 => {}
                Some(_) => return Begins::No,
            }
            let bound = at + MAX_GAP.saturating_sub(gap);
            match sequence(rest.get(at..rest.len().min(bound)).unwrap_or(&[])) {
                Some(len) => (at, gap) = (at + len, gap + len),
                None if rest.len() < bound => return Begins::Perhaps,
                None => return Begins::No,
            }
        }
        (at, gap) = (at + 1, 0);
    }
    Begins::Yes(at)
}

/// How long the control sequence, or other escape sequence without a text of its own (ECMA-48), is
/// that begins here; none when its end is not here.
fn sequence(text: &[u8]) -> Option<usize> {
    let (start, last) = if text.get(1) == Some(&b'[') { (2, 0x40..=0x7e) } else { (1, 0x30..=0x7e) };
    let end = text.iter().skip(start).position(|b| last.contains(b))?;
    Some(start + end + 1)
}
