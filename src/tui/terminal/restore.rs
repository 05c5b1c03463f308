//! The way back: what leaves the screen, kept where a panic can reach it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::termios::Termios;

use super::hangup;
use super::tty::Tty;

/// What enters and what leaves the screen; the second undoes the first, in reverse.
#[derive(Clone, Debug)]
pub(super) struct Passage {
    hello: String,
    again: String,
    farewell: String,
}

impl Passage {
    /// Focus reports and keyboard protocols stay off. `alternate` is whether the terminal has a
    /// second screen; on one without, the only screen is wiped before it is handed back.
    pub fn new(mouse: bool, alternate: bool) -> Self {
        let mut on = String::from("\x1b[?25l\x1b[?2004h");
        let mut farewell = String::new();
        if mouse {
            on.push_str("\x1b[?1000h\x1b[?1006h");
            farewell.push_str("\x1b[?1006l\x1b[?1000l");
        }
        farewell.push_str("\x1b[?2004l\x1b[m");
        if !alternate {
            farewell.push_str("\x1b[H\x1b[J");
        }
        // 1049 brings back the style that was saved with the cursor, so the reset comes last.
        farewell.push_str("\x1b[?25h\x1b[?1049l\x1b[m");
        // 1049 saves the cursor, which must not happen twice; 47 only switches.
        let (hello, again) = (format!("\x1b[?1049h{on}"), format!("\x1b[?47h{on}"));
        Passage { hello, again, farewell }
    }
}

struct Entered {
    tty: Arc<Tty>,
    settings: Termios,
    farewell: String,
}

static ENTERED: Mutex<Option<Entered>> = Mutex::new(None);

/// Raw mode, the second screen, no cursor, pastes marked. From here on [`leave`] undoes it.
///
/// # Errors
/// The terminal is gone or does not take it; it is left as it was.
pub(super) fn enter(tty: &Arc<Tty>, passage: &Passage) -> io::Result<()> {
    let settings = tty.make_raw()?;
    let entered = Entered { tty: Arc::clone(tty), settings, farewell: passage.farewell.clone() };
    *ENTERED.lock().unwrap_or_else(PoisonError::into_inner) = Some(entered);
    tty.write_all(passage.hello.as_bytes()).inspect_err(|_| {
        leave();
    })
}

/// Enters again after a stop, during which the shell may have changed anything. Keys typed in the
/// meantime stay, and the settings to go back to are the ones first found.
///
/// # Errors
/// As [`enter`].
pub(super) fn enter_again(tty: &Arc<Tty>, passage: &Passage) -> io::Result<()> {
    if !is_entered() {
        return enter(tty, passage);
    }
    tty.make_raw()?;
    tty.write_all(passage.again.as_bytes())
}

/// Puts the terminal back as it was found, and returns whether it can be written to; does nothing the second time, and nothing to a
/// terminal that is gone. Takes at most about 200 ms on one that takes no output.
pub(super) fn leave() -> bool {
    let entered = ENTERED.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Entered { tty, settings, farewell }) = entered else { return !hangup::is_gone() };
    if hangup::is_gone() || tty.hung_up() {
        return false;
    }
    // CAN ends a sequence that was cut short, and then the frame it belonged to.
    let cut = if tty.is_cut() { "\x18\x1b[?2026l" } else { "" };
    // A failure leaves nothing to be done, and the settings are put back either way.
    let taken = tty.write_all(format!("{cut}{farewell}").as_bytes()).is_ok();
    let _ = tty.restore(&settings);
    taken && tty.takes_more()
}

/// Whether the screen is entered.
pub(super) fn is_entered() -> bool {
    ENTERED.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farewell_undoes_the_hello() {
        for (mouse, alternate) in [(false, true), (true, true), (true, false)] {
            let passage = Passage::new(mouse, alternate);
            let mut parser = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
            parser.process(passage.hello.as_bytes());
            let screen = parser.screen();
            assert!(screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste());
            assert_eq!(screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None, mouse);
            parser.process(passage.farewell.as_bytes());
            let screen = parser.screen();
            assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
            assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        }
    }
}
