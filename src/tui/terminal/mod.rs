//! The terminal: entered, drawn on, suspended, and left as it was found, whatever happens.
//!
//! The order in a program, on a tokio `current_thread` runtime:
//!
//! 1. color-eyre's hook, then [`install_panic_hook`], on the thread that draws;
//! 2. [`Signals::new`], so that no signal can end the program with the screen entered;
//! 3. [`Tty::open`], then [`Terminal::enter`] and [`Input::new`];
//! 4. a loop that selects over [`Signals::next`], [`Input::next`], [`panic_noted`] and its own
//!    events, drains what is ready, and calls [`Terminal::draw`] once; if that was
//!    [`Drawn::Deferred`], also over [`Terminal::writable`], and then draws again;
//! 5. [`Terminal::leave`], or dropping it, before anything is printed.
//!
//! A terminal that vanishes ends the process wherever it is, with [`EXIT_STATUS`]; see [`hangup`].

mod backend;
mod capability;
mod clipboard;
pub mod color;
mod glyph;
pub mod hangup;
mod input;
mod job;
mod keys;
mod motion;
mod painter;
mod panics;
mod restore;
mod sequence;
mod sgr;
mod signals;
mod tty;
mod wide;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::Size;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub use backend::{Ansi, Output, Style};
pub use capability::{Capability, Glyphs};
pub use clipboard::{CopyError, LONGEST as LONGEST_COPY};
pub use color::Depth;
pub use hangup::EXIT_STATUS;
pub use input::Input;
pub use keys::{LONGEST_PASTE, Parser};
pub use panics::{PanicNote, install_panic_hook, panic_noted, take_panics};
pub use signals::{Signal, Signals};
pub use tty::{MAX_COLUMNS, MAX_ROWS, Tty};

/// How the terminal is used.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub capability: Capability,
    /// Ask for clicks and the wheel; the terminal's own selection of text then needs Shift.
    pub mouse: bool,
    /// Wrap larger frames in synchronized output.
    pub synchronized: bool,
}

impl Options {
    /// No mouse, synchronized output.
    pub fn new(capability: Capability) -> Self {
        Options { capability, mouse: false, synchronized: true }
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Drawn {
    /// It is on its way.
    Done,
    /// The terminal has not taken the frame before; nothing was drawn. Wait for
    /// [`Terminal::writable`] and draw what is true by then.
    Deferred,
}

/// What became of a wish to suspend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspended {
    /// The process was stopped and is back; everything has to be drawn again.
    Resumed,
    /// There is no shell that could bring it back; nothing happened.
    NoShell,
}

/// The entered terminal. Dropping it leaves.
#[derive(Debug)]
pub struct Terminal {
    tty: Arc<Tty>,
    passage: restore::Passage,
    screen: ratatui::Terminal<Ansi<Arc<Tty>>>,
    /// Registered when the terminal first takes less than a frame.
    writable: Option<AsyncFd<OwnedFd>>,
    in_tmux: bool,
}

impl Terminal {
    /// Enters the screen, and starts watching for the terminal's end.
    ///
    /// `_signals` shows that their handlers are installed. Output that is not the terminal's
    /// (standard error, if it is one) must be kept off the screen by the caller.
    ///
    /// # Errors
    /// The terminal cannot show a full screen, or is gone; it is left as it was.
    pub fn enter(tty: &Arc<Tty>, options: Options, _signals: &Signals) -> io::Result<Self> {
        let Options { capability, mouse, synchronized } = options;
        if !capability.full_screen {
            let message = "show a full screen: TERM says that the terminal cannot move its cursor";
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        let Capability { depth, erase_fills, in_tmux, alternate, .. } = capability;
        let passage = restore::Passage::new(mouse, alternate);
        hangup::watch(Arc::clone(tty))?;
        restore::enter(tty, &passage)?;
        let backend = Ansi::new(Arc::clone(tty), Style { depth, synchronized, erase_fills });
        let screen = ratatui::Terminal::new(backend).inspect_err(|_| {
            restore::leave();
        })?;
        let mut terminal = Terminal { tty: Arc::clone(tty), passage, screen, writable: None, in_tmux };
        terminal.redraw();
        Ok(terminal)
    }

    /// Draws a frame with one write and without waiting; nothing is written if nothing changed.
    /// Does not return if the terminal has vanished, since the process then ends.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> Drawn {
        self.flush_pending();
        if self.is_blocked() || !restore::is_entered() {
            return Drawn::Deferred;
        }
        match self.screen.draw(render) {
            Ok(_) => Drawn::Done,
            Err(_) => hangup::vanish(),
        }
    }

    /// Whether the terminal has still to take part of a frame.
    pub fn is_blocked(&self) -> bool {
        self.screen.backend().pending() > 0
    }

    /// Returns when a terminal that was blocked has taken the rest; never, if it is not blocked.
    /// Cancel-safe.
    pub async fn writable(&mut self) {
        while self.is_blocked() {
            if self.writable.is_none() {
                match self.tty.register(Interest::WRITABLE) {
                    Ok(fd) => self.writable = Some(fd),
                    // Out of descriptors: the next frame tries again.
                    Err(_) => break,
                }
            }
            let Some(fd) = &self.writable else { break };
            match fd.writable().await {
                Ok(mut guard) => guard.clear_ready(),
                Err(_) => hangup::vanish(),
            }
            self.flush_pending();
            if !self.is_blocked() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    fn flush_pending(&mut self) {
        if self.screen.backend_mut().flush_pending().is_err() {
            hangup::vanish();
        }
    }

    /// Makes the next frame a full one, for when something else has written to the terminal.
    pub fn redraw(&mut self) {
        self.screen.backend_mut().forget();
        // Only marks the screen as blank: neither the backend's answer nor its clearing can fail.
        let _ = self.screen.clear();
    }

    /// The screen's size now; at least 1×1, at most [`MAX_COLUMNS`]×[`MAX_ROWS`].
    pub fn size(&self) -> Size {
        self.tty.size()
    }

    /// Sends `text` to the clipboard of the machine the terminal runs on; whether that machine
    /// took it is not known.
    ///
    /// # Errors
    /// It has more than [`LONGEST_COPY`] bytes, or the terminal takes no output just now.
    pub fn copy(&mut self, text: &str) -> Result<(), CopyError> {
        let bytes = clipboard::sequence(text, self.in_tmux)?;
        self.flush_pending();
        if self.is_blocked() || !restore::is_entered() {
            return Err(CopyError::Busy);
        }
        self.screen.backend_mut().send(bytes.as_bytes()).unwrap_or_else(|_| hangup::vanish());
        Ok(())
    }

    /// Leaves the screen, stops the job, and enters again once it is continued: for Ctrl-Z and
    /// [`Signal::Suspend`]. Other tasks may run for a moment before the stop takes hold.
    pub async fn suspend(&mut self, signals: &mut Signals) -> Suspended {
        if !job::has_shell() {
            return Suspended::NoShell;
        }
        signals.forget(Signal::Continue);
        restore::leave();
        if job::stop().is_ok() {
            signals.wait_for(Signal::Continue).await;
        }
        signals.forget(Signal::Suspend);
        self.resume();
        Suspended::Resumed
    }

    /// Enters again, if need be, and makes the next frame a full one: also for
    /// [`Signal::Continue`], after a stop that could not be foreseen.
    pub fn resume(&mut self) {
        if restore::enter_again(&self.tty, &self.passage).is_err() && self.tty.hung_up() {
            hangup::vanish();
        }
        self.redraw();
    }

    /// Puts the terminal back as it was found; does nothing the second time. Returns whether
    /// something may be printed now: printing to a terminal that takes no output never ends.
    pub fn leave(&mut self) -> bool {
        restore::leave()
    }

    /// Ends the process on [`Signal::HangUp`]: without a byte if the terminal is gone, and after
    /// leaving it if somebody only said so.
    pub fn hang_up(&mut self) -> ! {
        if !self.tty.hung_up() {
            restore::leave();
        }
        hangup::vanish()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore::leave();
    }
}
