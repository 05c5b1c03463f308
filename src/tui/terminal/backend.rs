//! ratatui's way to the terminal: one write a frame, none for a frame without a change, and no waiting.

use std::io;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

use super::color::Depth;
use super::motion::{self, At};
use super::painter::Painter;

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// Frames shorter than this go without the 16 bytes of synchronized output: a terminal takes
/// them in at once anyway, and an idle screen writes little else.
const SYNCHRONIZED_FROM: usize = 128;

/// Capacity kept between frames. A frame itself is bounded by the screen: at most
/// `MAX_COLUMNS * MAX_ROWS` cells (see `tty`) of at most about 100 bytes each.
const KEEP: usize = 256 * 1024;

/// Where frames go.
pub trait Output {
    /// The screen's size, at least 1×1.
    fn size(&self) -> Size;

    /// Writes as much as is taken without waiting, and says how many bytes that was.
    ///
    /// # Errors
    /// The terminal is gone. That it takes nothing just now is `Ok(0)`.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// What may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub depth: Depth,
    /// Wrap frames in synchronized output, so that none is seen half drawn.
    pub synchronized: bool,
    /// Erasing fills with the current background (what terminfo calls `bce`).
    pub erase_fills: bool,
}

/// ratatui's way to the terminal.
///
/// Bytes gather until `flush`, which makes one write of them. What the terminal does not take
/// stays, in order, for the next flush; see [`Ansi::pending`].
#[derive(Debug)]
pub struct Ansi<O> {
    output: O,
    synchronized: bool,
    /// Its bytes are `BEGIN`, then the frame; after a partial write, `sent` is where the rest starts.
    painter: Painter,
    sent: usize,
    /// The frame is complete, and partly written.
    flying: bool,
    cursor_wanted: bool,
    cursor_shown: bool,
    cursor_at: Position,
}

impl<O: Output> Ansi<O> {
    /// A backend for a screen whose cursor is hidden and whose style is the default one.
    pub fn new(output: O, style: Style) -> Self {
        let mut painter = Painter::new(output.size(), style.depth, style.erase_fills);
        painter.bytes.extend_from_slice(BEGIN);
        Ansi {
            output,
            synchronized: style.synchronized,
            painter,
            sent: 0,
            flying: false,
            cursor_wanted: false,
            cursor_shown: false,
            cursor_at: Position::ORIGIN,
        }
    }

    /// How many bytes the terminal has not taken yet. While there are any, drawing more would
    /// only queue what nobody sees.
    pub fn pending(&self) -> usize {
        if self.flying { self.painter.bytes.len() - self.sent } else { 0 }
    }

    /// Tries again to write what is pending.
    pub fn flush_pending(&mut self) -> io::Result<()> {
        if !self.flying {
            return Ok(());
        }
        while self.sent < self.painter.bytes.len() {
            match self.output.write(&self.painter.bytes[self.sent..])? {
                0 => return Ok(()),
                n => self.sent += n,
            }
        }
        self.start_anew();
        Ok(())
    }

    /// Writes bytes that leave the screen, the style and the cursor as they are, between frames.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.painter.bytes.extend_from_slice(bytes);
        if !self.flying {
            self.sent = BEGIN.len();
            self.flying = true;
        }
        self.flush_pending()
    }

    /// Forgets everything known about the terminal and everything pending, for when somebody
    /// else has written to it. The caller makes ratatui redraw.
    pub fn forget(&mut self) {
        let cut = self.flying && self.sent > 0;
        self.start_anew();
        if cut {
            // CAN ends the sequence that was cut short.
            self.painter.bytes.push(0x18);
        }
        self.painter.bytes.extend_from_slice(b"\x1b[?25l");
        self.cursor_shown = false;
        self.painter.forget();
    }

    fn start_anew(&mut self) {
        self.painter.bytes.clear();
        self.painter.bytes.shrink_to(KEEP);
        self.painter.bytes.extend_from_slice(BEGIN);
        self.sent = 0;
        self.flying = false;
        self.painter.end_frame();
    }

    /// Moves the visible cursor where it is wanted, and shows or hides it.
    fn place_cursor(&mut self) {
        if self.cursor_wanted {
            let Size { width, height } = self.painter.size.get();
            let x = self.cursor_at.x.min(width.saturating_sub(1));
            let y = self.cursor_at.y.min(height.saturating_sub(1));
            motion::go(self.painter.at, At { x, y }, width, &mut self.painter.bytes);
            self.painter.at = Some(At { x, y });
        }
        if self.cursor_wanted != self.cursor_shown {
            self.painter.bytes.extend_from_slice(if self.cursor_wanted {
                b"\x1b[?25h"
            } else {
                b"\x1b[?25l"
            });
            self.cursor_shown = self.cursor_wanted;
        }
    }
}

impl<O: Output> Backend for Ansi<O> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        self.painter.draw(content);
        Ok(())
    }

    fn append_lines(&mut self, n: u16) -> io::Result<()> {
        self.painter.bytes.resize(self.painter.bytes.len() + usize::from(n), b'\n');
        self.painter.at = None;
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.cursor_wanted = false;
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.cursor_wanted = true;
        Ok(())
    }

    /// Where this backend was last told to put the cursor. The terminal is never asked: the
    /// answer would arrive among the keys, or not at all.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.cursor_at)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.cursor_at = position.into();
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        let Position { x, y } = self.cursor_at;
        let at = At { x, y };
        match clear_type {
            ClearType::All => self.painter.clear(),
            ClearType::AfterCursor => self.painter.erase(at, b"\x1b[J"),
            ClearType::BeforeCursor => self.painter.erase(at, b"\x1b[1J"),
            ClearType::CurrentLine => self.painter.erase(at, b"\x1b[2K"),
            ClearType::UntilNewLine => self.painter.erase(at, b"\x1b[K"),
        }
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        let size = self.output.size();
        self.painter.size.set(size);
        Ok(size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.output.size(), pixels: Size::ZERO })
    }

    /// Makes the frame's one write.
    fn flush(&mut self) -> io::Result<()> {
        let gathered = !self.flying && self.painter.bytes.len() > BEGIN.len();
        let moved =
            self.cursor_wanted && self.painter.at.is_none_or(|at| (at.x, at.y) != self.cursor_at.into());
        if gathered || moved || self.cursor_wanted != self.cursor_shown {
            self.place_cursor();
        }
        if !self.flying {
            let body = self.painter.bytes.len() - BEGIN.len();
            if body == 0 {
                return Ok(());
            }
            let synchronized = self.synchronized && body >= SYNCHRONIZED_FROM;
            if synchronized {
                self.painter.bytes.extend_from_slice(END);
            }
            // A frame that goes without the marker is written from behind it.
            self.sent = if synchronized { 0 } else { BEGIN.len() };
            self.flying = true;
        }
        self.painter.end_frame();
        self.flush_pending()
    }
}

#[cfg(test)]
#[path = "backend_tests.rs"]
mod tests;
