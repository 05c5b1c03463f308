//! Signs, in Unicode and in ASCII. Each state has its own sign, so that colour is never needed.

use super::model::alerts::Grade;
use crate::domain::health::Health;

/// Which signs a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Glyphs {
    #[default]
    Unicode,
    Ascii,
}

impl Glyphs {
    fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self {
            Glyphs::Unicode => unicode,
            Glyphs::Ascii => ascii,
        }
    }

    /// The sign of a state, one column wide.
    pub fn health(self, health: Health) -> &'static str {
        match health {
            Health::Up => self.pick("●", "+"),
            Health::Degraded => self.pick("▲", "!"),
            Health::Down => self.pick("✖", "X"),
            Health::Unknown => "?",
        }
    }

    /// The sign of an alert's or rule's grade, one column wide.
    pub fn grade(self, grade: Grade) -> &'static str {
        match grade {
            Grade::Fine => self.pick("·", "."),
            Grade::Waiting => self.pick("○", "o"),
            Grade::Unknown => "?",
            Grade::Serious => self.pick("▲", "!"),
            Grade::Severe => self.pick("✖", "X"),
        }
    }

    /// The sign of a past outcome in a strip: healthy recedes, the rest stands out.
    pub fn outcome(self, health: Health) -> &'static str {
        match health {
            Health::Up => self.pick("·", "."),
            Health::Degraded => self.pick("▲", "!"),
            Health::Down => self.pick("×", "X"),
            Health::Unknown => "?",
        }
    }

    pub fn ellipsis(self) -> &'static str {
        self.pick("…", "~")
    }

    pub fn horizontal(self) -> &'static str {
        self.pick("─", "-")
    }

    pub fn folded(self, folded: bool) -> &'static str {
        if folded { self.pick("▸", ">") } else { self.pick("▾", "v") }
    }

    /// Text of our own in the signs this terminal has: the few signs that sentences use.
    pub fn plain(self, text: &str) -> std::borrow::Cow<'_, str> {
        if self == Glyphs::Unicode || text.is_ascii() {
            return text.into();
        }
        text.chars()
            .map(|c| match c {
                '…' => '~',
                '·' => '|',
                '→' => '>',
                '≤' => '<',
                '–' | '—' => '-',
                c if c.is_ascii() => c,
                _ => '?',
            })
            .collect::<String>()
            .into()
    }
}
