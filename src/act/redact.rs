//! Takes every known secret out of what is kept and shown, in the forms in which programs write
//! them down, also when a secret comes in two pieces or with colours in its midst.

mod escapes;
mod forms;

use crate::transport::fetch::access::Access;
use escapes::Begins;
use secrecy::{ExposeSecret, SecretString};

/// What stands where a secret was.
pub const REDACTED: &[u8] = b"[redacted]";
/// Values shorter than this, in bytes, are not looked for: they would be found by chance.
pub const MIN_SECRET: usize = 4;

/// Takes secrets out of a stream of bytes. It holds back what could be the beginning of a secret:
/// at most as much as the longest form of one, and what `escapes` allows between its bytes.
pub struct Redactor {
    /// Every form of every secret, by its first two bytes.
    needles: Vec<Vec<u8>>,
    /// For each pair of first bytes, whether a needle begins so.
    pairs: Vec<u64>,
    /// For each byte, whether a needle begins with it.
    firsts: [bool; 256],
    held: Vec<u8>,
    /// How much of the front of `held` belongs to a secret that was found.
    covered: usize,
    /// The last thing that was given out stands for a secret.
    after_secret: bool,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} forms)", self.needles.len())
    }
}

impl Redactor {
    /// For every secret that is known now, fetched or given out by a login.
    pub fn of(access: &Access) -> Redactor {
        Redactor::new(&access.known())
    }

    pub fn new(secrets: &[SecretString]) -> Redactor {
        let values = secrets.iter().map(ExposeSecret::expose_secret).filter(|v| v.len() >= MIN_SECRET);
        let mut needles: Vec<Vec<u8>> =
            values.flat_map(forms::of).filter(|n| n.len() >= MIN_SECRET).collect();
        needles.sort_unstable();
        needles.dedup();
        let (mut pairs, mut firsts) = (vec![0u64; 1024], [false; 256]);
        for needle in &needles {
            if let [a, b, ..] = needle.as_slice() {
                let pair = usize::from(*a) << 8 | usize::from(*b);
                if let Some(word) = pairs.get_mut(pair >> 6) {
                    *word |= 1 << (pair & 63);
                }
                if let Some(first) = firsts.get_mut(usize::from(*a)) {
                    *first = true;
                }
            }
        }
        Redactor { needles, pairs, firsts, held: Vec::new(), covered: 0, after_secret: false }
    }

    /// Takes the next piece and appends to `out` what is certain of it.
    pub fn push(&mut self, new: &[u8], out: &mut Vec<u8>) {
        if self.needles.is_empty() {
            out.extend_from_slice(new);
            return;
        }
        self.held.extend_from_slice(new);
        let held = std::mem::take(&mut self.held);
        let mut at = 0;
        while at < held.len() {
            match self.found(held.get(at..).unwrap_or(&[])) {
                Found::Whole { longest, perhaps_longer } => {
                    self.covered = self.covered.max(at + longest);
                    if perhaps_longer {
                        break;
                    }
                }
                Found::Perhaps => break,
                Found::Nothing => {}
            }
            self.give(&held, at, out);
            at += 1;
        }
        self.held = held.get(at..).unwrap_or(&[]).to_vec();
        self.covered = self.covered.saturating_sub(at);
    }

    /// Gives out what was held back: nothing follows, so it is no secret unless it was found to be.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        for at in 0..held.len() {
            // Whole secrets behind a mere beginning of another one.
            if let Found::Whole { longest, .. } = self.found(held.get(at..).unwrap_or(&[])) {
                self.covered = self.covered.max(at + longest);
            }
            self.give(&held, at, out);
        }
        self.covered = 0;
        self.after_secret = false;
    }

    /// Forgets what was held back; how many bytes that were. For output that is cut here: what was
    /// held may be the beginning of a secret.
    pub fn cut(&mut self) -> usize {
        self.covered = 0;
        self.after_secret = false;
        std::mem::take(&mut self.held).len()
    }

    /// A whole text at once.
    pub fn text(&mut self, text: &str) -> String {
        let mut out = Vec::with_capacity(text.len());
        self.push(text.as_bytes(), &mut out);
        self.finish(&mut out);
        // Forms are of whole characters or of ASCII, so what remains is text.
        String::from_utf8_lossy(&out).into_owned()
    }

    /// What begins at the front of `rest`.
    fn found(&self, rest: &[u8]) -> Found {
        match rest {
            [] => return Found::Nothing,
            [a] => {
                let known = self.firsts.get(usize::from(*a)).copied().unwrap_or(false);
                return if known { Found::Perhaps } else { Found::Nothing };
            }
            // A colour begins behind the first byte.
            [a, escapes::ESC, ..] => {
                if !self.firsts.get(usize::from(*a)).copied().unwrap_or(false) {
                    return Found::Nothing;
                }
            }
            [a, b, ..] => {
                let pair = usize::from(*a) << 8 | usize::from(*b);
                if self.pairs.get(pair >> 6).is_none_or(|word| word & (1 << (pair & 63)) == 0) {
                    return Found::Nothing;
                }
            }
        }
        let sure = if rest.get(1) == Some(&escapes::ESC) { 1 } else { 2 };
        let head = rest.get(..sure).unwrap_or(rest);
        let from = self.needles.partition_point(|n| n.get(..sure).unwrap_or(n) < head);
        let (mut longest, mut perhaps_longer) = (0, false);
        for needle in self.needles.iter().skip(from).take_while(|n| n.starts_with(head)) {
            match escapes::begins_with(rest, needle) {
                Begins::Yes(len) => longest = longest.max(len),
                Begins::Perhaps => perhaps_longer = true,
                Begins::No => {}
            }
        }
        match (longest, perhaps_longer) {
            (0, true) => Found::Perhaps,
            (0, false) => Found::Nothing,
            _ => Found::Whole { longest, perhaps_longer },
        }
    }

    /// Gives out one byte, or for the first byte of a secret what stands for it.
    fn give(&mut self, held: &[u8], at: usize, out: &mut Vec<u8>) {
        if at < self.covered {
            if !self.after_secret {
                out.extend_from_slice(REDACTED);
            }
            self.after_secret = true;
        } else {
            out.extend(held.get(at));
            self.after_secret = false;
        }
    }
}

/// What begins at a place.
enum Found {
    Nothing,
    /// All that there is could be the beginning of a secret.
    Perhaps,
    Whole {
        longest: usize,
        perhaps_longer: bool,
    },
}

#[cfg(test)]
mod tests;
