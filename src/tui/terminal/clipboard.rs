//! Copying to the clipboard of the machine the terminal runs on, through OSC 52.
//!
//! Inside tmux it goes out twice: plain, which tmux takes itself under `set-clipboard on`, and
//! wrapped, which it hands to the outer terminal under `allow-passthrough on` (always, before 3.3).
//! With tmux's defaults it ignores both, and no program in it can copy this way. A terminal that
//! refuses says nothing, so that success here means "sent".

use crossterm::Command;
use crossterm::clipboard::CopyToClipboard;

/// The most bytes of text that are copied: about what terminals take in one sequence.
pub const LONGEST: usize = 64 * 1024;

/// Why nothing was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyError {
    /// The text has more than [`LONGEST`] bytes; it has this many.
    TooLong(usize),
    /// The terminal has not taken what was written before.
    Busy,
}

impl std::fmt::Display for CopyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CopyError::TooLong(bytes) => write!(f, "copy {bytes} bytes: at most {LONGEST} fit"),
            CopyError::Busy => f.write_str("copy: the terminal takes no output just now"),
        }
    }
}

impl std::error::Error for CopyError {}

/// The bytes that copy `text`.
pub(super) fn sequence(text: &str, in_tmux: bool) -> Result<String, CopyError> {
    if text.len() > LONGEST {
        return Err(CopyError::TooLong(text.len()));
    }
    let mut plain = String::with_capacity(text.len() / 3 * 4 + 16);
    // Writing into a string does not fail.
    let _ = CopyToClipboard::to_clipboard_from(text).write_ansi(&mut plain);
    if in_tmux {
        let wrapped = format!("\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b"));
        plain.push_str(&wrapped);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_kind_becomes_harmless_letters() {
        let plain = sequence("redis\x1b[2J\n", false).unwrap();
        assert!(plain.starts_with("\x1b]52;c;"), "{plain:?}");
        let data = plain.trim_start_matches("\x1b]52;c;").trim_end_matches("\x1b\\").trim_end_matches('\x07');
        assert_eq!(data, "cmVkaXMbWzJKCg==");
        let both = sequence("a", true).unwrap();
        assert!(both.contains("\x1bPtmux;\x1b\x1b]52;c;YQ=="), "{both:?}");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(sequence(&long, false), Err(CopyError::TooLong(LONGEST + 1)));
        assert!(sequence(&long[1..], true).is_ok());
    }
}
