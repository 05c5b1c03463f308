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

/// How long the escape sequence is that begins here (ECMA-48: a control sequence, a control string
/// with its text, or another one without); none when its end is not here.
fn sequence(text: &[u8]) -> Option<usize> {
    let end_of = |start: usize, last: fn(&u8) -> bool| {
        text.iter().skip(start).position(last).map(|end| start + end + 1)
    };
    match text.get(1)? {
        b'[' => end_of(2, |b| (0x40..=0x7e).contains(b)),
        // A title, a link: what it says is not shown. It ends with ESC \, or BEL as terminals take it.
        b']' | b'P' | b'X' | b'^' | b'_' => {
            let bell = end_of(2, |b| *b == 0x07);
            let st = text.windows(2).skip(2).position(|w| w == [ESC, b'\\']).map(|end| end + 4);
            bell.into_iter().chain(st).min()
        }
        _ => end_of(1, |b| (0x30..=0x7e).contains(b)),
    }
}
