//! How fast keys come: what a person types comes slower than a paste, and a held key repeats.
//!
//! A terminal says neither: a paste without brackets and a key that is held down look like keys
//! that were pressed. What tells them apart is time. A slow line delivers honest keys in bursts as
//! well, so a burst is not refused by the key but when the whole text is offered: if at least half
//! of its characters came faster than anyone types, it has to be typed again. That costs a person
//! on a bad line one more try, and never lets a paste through.

use crate::clock::Now;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use std::time::Duration;

/// The same key again within this time is a held key: keyboards repeat every 25 to 50 ms, and a
/// doubled letter takes a fast typist at least 70.
const REPEATS_WITHIN: Duration = Duration::from_millis(60);

/// Two characters nearer to each other than this were not typed one by one.
const BURST: Duration = Duration::from_millis(10);

/// The keys of one dialog.
#[derive(Clone, Debug, Default)]
pub struct Tempo {
    last: Option<(KeyCode, Now)>,
    /// Characters of the text that came in bursts.
    hasty: usize,
}

impl Tempo {
    /// Takes a key in, and tells whether it is only a key that is held down.
    pub fn is_repeat(&mut self, key: KeyEvent, now: Now) -> bool {
        let repeats = key.kind == KeyEventKind::Repeat
            || self.last.is_some_and(|(code, at)| code == key.code && now.since(at) < REPEATS_WITHIN);
        if !repeats
            && matches!(key.code, KeyCode::Char(_))
            && self.last.is_some_and(|(code, at)| matches!(code, KeyCode::Char(_)) && now.since(at) < BURST)
        {
            self.hasty += 1;
        }
        // Also when it repeats: a key that is held stays one for as long as it is held.
        self.last = Some((key.code, now));
        repeats
    }

    /// Whether a text of so many characters can have been typed.
    pub fn was_typed(&self, characters: usize) -> bool {
        self.hasty == 0 || self.hasty * 2 < characters
    }

    /// The text was emptied: what is typed now is judged anew.
    pub fn reset(&mut self) {
        self.hasty = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::at;
    use crossterm::event::KeyModifiers;

    /// Types a text with so many milliseconds between keys; gives what was taken, and the judge.
    fn typed(text: &str, gap: u64) -> (String, Tempo) {
        let mut tempo = Tempo::default();
        let mut taken = String::new();
        for (i, c) in text.chars().enumerate() {
            let now = at(1).plus(Duration::from_millis(gap * i as u64));
            if !tempo.is_repeat(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), now) {
                taken.push(c);
            }
        }
        (taken, tempo)
    }

    #[test]
    fn typing_counts_and_pasting_does_not() {
        for (text, gap, want) in
            [("vpn", 80, true), ("restart vpn 41", 30, true), ("vpn", 0, false), ("restart vpn 41", 3, false)]
        {
            let (taken, tempo) = typed(text, gap);
            assert_eq!(tempo.was_typed(taken.chars().count()), want, "{text} every {gap} ms");
        }
    }

    #[test]
    fn a_held_key_types_once() {
        assert_eq!(typed("aaaaaaaa", 33).0, "a");
        assert_eq!(typed("aa", 120).0, "aa");
    }

    #[test]
    fn a_burst_on_a_slow_line_is_not_a_paste() {
        let mut tempo = Tempo::default();
        for (i, c) in "restart vpn".chars().enumerate() {
            // Three of eleven come together with the one before.
            let ms = if (4..7).contains(&i) { 300 } else { i as u64 * 100 };
            let key = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
            tempo.is_repeat(key, at(1).plus(Duration::from_millis(ms)));
        }
        assert!(tempo.was_typed(11));
    }

    #[test]
    fn what_a_terminal_calls_a_repeat_is_one() {
        let key = KeyEvent::new_with_kind(KeyCode::Enter, KeyModifiers::NONE, KeyEventKind::Repeat);
        assert!(Tempo::default().is_repeat(key, at(1)));
    }
}
