//! How a run, a step or a debt stands: each has a sign and a style, and a word beside them.

use crate::domain::procedure::event::Outcome;
use crate::domain::procedure::ledger::RunState;
pub use crate::domain::procedure::report::outcome;
use crate::tui::glyph::Glyphs;
use crate::tui::theme::Theme;
use ratatui::style::Style;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Came to a good end.
    Good,
    /// Is under way.
    Busy,
    /// Waits for a person, or is owed.
    Asks,
    /// Failed.
    Bad,
    /// Not known.
    Doubt,
    /// Has not begun, or will not.
    Rest,
}

impl Tone {
    pub fn style(self, theme: &Theme) -> Style {
        match self {
            Tone::Good => theme.up,
            Tone::Busy => theme.accent,
            Tone::Asks => theme.degraded,
            Tone::Bad => theme.down,
            Tone::Doubt => theme.unknown,
            Tone::Rest => theme.dim,
        }
    }

    /// One column wide.
    pub fn sign(self, glyphs: Glyphs) -> &'static str {
        match (self, glyphs) {
            (Tone::Good, Glyphs::Unicode) => "●",
            (Tone::Good, Glyphs::Ascii) => "+",
            (Tone::Busy, Glyphs::Unicode) => "▸",
            (Tone::Busy, Glyphs::Ascii) => ">",
            (Tone::Asks, Glyphs::Unicode) => "▲",
            (Tone::Asks, Glyphs::Ascii) => "!",
            (Tone::Bad, Glyphs::Unicode) => "✖",
            (Tone::Bad, Glyphs::Ascii) => "X",
            (Tone::Doubt, _) => "?",
            (Tone::Rest, Glyphs::Unicode) => "○",
            (Tone::Rest, Glyphs::Ascii) => "o",
        }
    }
}

/// How a run stands, in a word or two.
pub fn state(state: RunState) -> (Tone, &'static str) {
    match state {
        RunState::Running => (Tone::Busy, "running"),
        RunState::Held => (Tone::Asks, "waits for you"),
        RunState::Lost => (Tone::Doubt, "in doubt, runner lost"),
        RunState::Ended(how) => (
            match how {
                Outcome::Verified => Tone::Good,
                Outcome::Failed => Tone::Bad,
                Outcome::InDoubt => Tone::Doubt,
                Outcome::Refused | Outcome::Aborted | Outcome::RolledBack => Tone::Rest,
            },
            outcome(how),
        ),
    }
}
