//! The bytes that turn the screen as it is into the screen as it should be, as few as possible and in one write.

use std::cell::Cell as Shared;
use std::io;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};

use super::color::Depth;
use super::glyph::{self, Glyph};
use super::motion::{self, At};
use super::sgr::{Pen, SHOWS_ON_BLANK, number};
use super::wide::Wide;

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

/// A run of blank cells with one background that has not been written yet.
#[derive(Clone, Copy, Debug)]
struct Run {
    at: At,
    columns: u16,
    bg: Color,
}

/// ratatui's way to the terminal.
///
/// Bytes gather until `flush`, which makes one write of them. What the terminal does not take
/// stays, in order, for the next flush; see [`Ansi::pending`].
#[derive(Debug)]
pub struct Ansi<O> {
    output: O,
    style: Style,
    /// `BEGIN`, then the frame; after a partial write, what is left of it from `sent` on.
    bytes: Vec<u8>,
    sent: usize,
    /// The frame in `bytes` is complete and partly written.
    flying: bool,
    size: Shared<Size>,
    pen: Pen,
    at: Option<At>,
    /// The screen was cleared in this frame: what has not been drawn since is blank.
    cleared: bool,
    /// The furthest position drawn in this frame, in reading order.
    frontier: (u16, u16),
    run: Option<Run>,
    wide: Wide,
    cursor_wanted: bool,
    cursor_shown: bool,
    cursor_at: Position,
}

impl<O: Output> Ansi<O> {
    /// A backend for a screen whose cursor is hidden and whose style is the default one.
    pub fn new(output: O, style: Style) -> Self {
        let size = Shared::new(output.size());
        let mut wide = Wide::default();
        wide.reset(size.get());
        let mut bytes = Vec::with_capacity(16 * 1024);
        bytes.extend_from_slice(BEGIN);
        Ansi {
            output,
            style,
            bytes,
            sent: 0,
            flying: false,
            size,
            pen: Pen::DEFAULT,
            at: None,
            cleared: false,
            frontier: (0, 0),
            run: None,
            wide,
            cursor_wanted: false,
            cursor_shown: false,
            cursor_at: Position::ORIGIN,
        }
    }

    /// How many bytes the terminal has not taken yet. While there are any, drawing more would
    /// only queue what nobody sees.
    pub fn pending(&self) -> usize {
        if self.flying { self.bytes.len() - self.sent } else { 0 }
    }

    /// Tries again to write what is pending.
    pub fn flush_pending(&mut self) -> io::Result<()> {
        if !self.flying {
            return Ok(());
        }
        while self.sent < self.bytes.len() {
            match self.output.write(&self.bytes[self.sent..])? {
                0 => return Ok(()),
                n => self.sent += n,
            }
        }
        self.start_anew();
        Ok(())
    }

    /// Adds bytes that leave the screen, the style and the cursor as they are.
    pub fn pass(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Forgets everything known about the terminal and everything pending, for when somebody
    /// else has written to it. The caller makes ratatui redraw.
    pub fn forget(&mut self) {
        self.start_anew();
        // Something that differs from every pen, so that a whole one is written next.
        self.pen = Pen { modifier: Modifier::all(), ..Pen::DEFAULT };
        self.at = None;
        self.cursor_shown = false;
    }

    pub fn output(&self) -> &O {
        &self.output
    }

    fn start_anew(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
        self.bytes.extend_from_slice(BEGIN);
        self.sent = 0;
        self.flying = false;
        self.end_frame();
    }

    fn end_frame(&mut self) {
        self.run = None;
        self.cleared = false;
        self.frontier = (0, 0);
    }

    fn go(&mut self, to: At) {
        let width = self.size.get().width;
        let start = self.bytes.len();
        motion::go(self.at, to, width, &mut self.bytes);
        if let Some(at) = self.at
            && at.y == to.y
            && at.x < to.x
            && self.cleared
            && (at.y, at.x) >= self.frontier
            && usize::from(to.x - at.x) < self.bytes.len() - start
            && self.pen.bg == Color::Reset
            && self.pen.modifier.intersection(SHOWS_ON_BLANK).is_empty()
        {
            // The gap is known to be blank: writing it is shorter than jumping it.
            self.bytes.truncate(start);
            self.bytes.resize(start + usize::from(to.x - at.x), b' ');
        }
        self.at = Some(to);
    }

    fn take_pen(&mut self, pen: Pen) {
        pen.write_from(self.pen, &mut self.bytes);
        self.pen = pen;
    }

    fn pen_of(&self, cell: &Cell) -> Pen {
        let depth = self.style.depth;
        let underlined = cell.modifier.contains(Modifier::UNDERLINED);
        let underline = if !underlined {
            self.pen.underline
        } else if depth >= Depth::TwoFiftySix {
            depth.fit(cell.underline_color)
        } else {
            Color::Reset
        };
        Pen { fg: depth.fit(cell.fg), bg: depth.fit(cell.bg), underline, modifier: cell.modifier }
    }

    /// Draws `cell` at `to`, and returns the position behind it if the right half of a wide
    /// character was left there.
    fn draw_cell(&mut self, to: At, cell: &Cell) -> Option<At> {
        let Size { width, height } = self.size.get();
        if to.x >= width || to.y >= height {
            return None;
        }
        let pen = self.pen_of(cell);
        let glyph = glyph::of(cell, width - to.x);
        let left = self.halve(to, &glyph);
        if glyph == Glyph::Blank && pen.modifier.intersection(SHOWS_ON_BLANK).is_empty() {
            self.draw_blank(to, pen.bg);
            return left;
        }
        self.end_run(Some(to));
        self.go(to);
        let (columns, sure) = match glyph {
            Glyph::Blank => {
                self.take_pen(pen);
                self.bytes.push(b' ');
                (1, true)
            }
            Glyph::Text { text, columns, sure } => {
                self.take_pen(pen);
                self.bytes.extend_from_slice(text.as_bytes());
                (columns, sure)
            }
            Glyph::Refused { columns } => {
                self.take_pen(pen);
                self.bytes.resize(self.bytes.len() + usize::from(columns), b'.');
                (columns, true)
            }
        };
        let x = to.x.saturating_add(columns).min(width);
        self.at = sure.then_some(At { x, y: to.y });
        self.frontier = self.frontier.max((to.y, x));
        left
    }

    /// Records which wide characters `glyph` makes and breaks, and returns the right half of a
    /// broken one that is left behind it.
    fn halve(&mut self, to: At, glyph: &Glyph<'_>) -> Option<At> {
        let columns = match glyph {
            Glyph::Text { columns, .. } => *columns,
            Glyph::Blank | Glyph::Refused { .. } => 1,
        };
        let mut broken = self.wide.set(to, columns > 1);
        if columns > 1 {
            broken = self.wide.set(At { x: to.x + columns - 1, y: to.y }, false);
        }
        let behind = At { x: to.x + columns, y: to.y };
        (broken && behind.x < self.size.get().width).then_some(behind)
    }

    fn draw_blank(&mut self, to: At, bg: Color) {
        if let Some(run) = &mut self.run
            && run.bg == bg
            && run.at.y == to.y
            && run.at.x + run.columns == to.x
        {
            run.columns += 1;
            return;
        }
        self.end_run(Some(to));
        self.run = Some(Run { at: to, columns: 1, bg });
    }

    /// Writes the run of blanks gathered so far. `next` is where drawing goes on.
    fn end_run(&mut self, next: Option<At>) {
        let Some(Run { at, columns, bg }) = self.run.take() else { return };
        let width = self.size.get().width;
        let end = At { x: at.x + columns, y: at.y };
        self.go(at);
        self.take_pen(Pen { bg, ..Pen::DEFAULT }.for_blank(self.pen));
        self.frontier = self.frontier.max((end.y, end.x));
        if self.style.erase_fills || bg == Color::Reset {
            if end.x == width && columns > 3 {
                self.bytes.extend_from_slice(b"\x1b[K");
                return;
            }
            let erase = 3 + digits(columns);
            let jump = if next == Some(end) { 3 + digits(columns) } else { 0 };
            if columns > erase + jump {
                self.bytes.extend_from_slice(b"\x1b[");
                number(columns, &mut self.bytes);
                self.bytes.push(b'X');
                return;
            }
        }
        self.bytes.resize(self.bytes.len() + usize::from(columns), b' ');
        self.at = Some(end);
    }

    /// Moves the visible cursor where it is wanted, and shows or hides it.
    fn place_cursor(&mut self) {
        if self.cursor_wanted {
            let Size { width, height } = self.size.get();
            let x = self.cursor_at.x.min(width.saturating_sub(1));
            let y = self.cursor_at.y.min(height.saturating_sub(1));
            motion::go(self.at, At { x, y }, width, &mut self.bytes);
            self.at = Some(At { x, y });
        }
        if self.cursor_wanted != self.cursor_shown {
            self.bytes.extend_from_slice(if self.cursor_wanted { b"\x1b[?25h" } else { b"\x1b[?25l" });
            self.cursor_shown = self.cursor_wanted;
        }
    }
}

fn digits(n: u16) -> u16 {
    n.checked_ilog10().unwrap_or(0) as u16 + 1
}

impl<O: Output> Backend for Ansi<O> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut first = !self.cleared;
        let mut half = None;
        for (x, y, cell) in content {
            if std::mem::take(&mut first) {
                // Somebody (wall, ssh) may have written since: one absolute move a frame.
                self.at = None;
            }
            let at = At { x, y };
            if let Some(behind) = half.take()
                && behind != at
            {
                self.draw_cell(behind, &Cell::EMPTY);
            }
            half = self.draw_cell(at, cell);
        }
        if let Some(behind) = half {
            self.draw_cell(behind, &Cell::EMPTY);
        }
        self.end_run(None);
        Ok(())
    }

    fn append_lines(&mut self, n: u16) -> io::Result<()> {
        self.bytes.resize(self.bytes.len() + usize::from(n), b'\n');
        self.at = None;
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
        self.end_run(None);
        self.take_pen(Pen::DEFAULT);
        if clear_type == ClearType::All {
            self.bytes.extend_from_slice(b"\x1b[H\x1b[J");
            self.at = Some(At { x: 0, y: 0 });
            self.cleared = true;
            self.wide.reset(self.size.get());
            self.frontier = (0, 0);
            return Ok(());
        }
        let Position { x, y } = self.cursor_at;
        self.go(At { x, y });
        self.bytes.extend_from_slice(match clear_type {
            ClearType::All | ClearType::AfterCursor => b"\x1b[J".as_slice(),
            ClearType::BeforeCursor => b"\x1b[1J",
            ClearType::CurrentLine => b"\x1b[2K",
            ClearType::UntilNewLine => b"\x1b[K",
        });
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        let size = self.output.size();
        self.size.set(size);
        Ok(size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.output.size(), pixels: Size::ZERO })
    }

    /// Makes the frame's one write.
    fn flush(&mut self) -> io::Result<()> {
        let gathered = !self.flying && self.bytes.len() > BEGIN.len();
        let moved = self.cursor_wanted && self.at.is_none_or(|at| (at.x, at.y) != self.cursor_at.into());
        if gathered || moved || self.cursor_wanted != self.cursor_shown {
            self.place_cursor();
        }
        if !self.flying {
            let body = self.bytes.len() - BEGIN.len();
            if body == 0 {
                return Ok(());
            }
            let synchronized = self.style.synchronized && body >= SYNCHRONIZED_FROM;
            if synchronized {
                self.bytes.extend_from_slice(END);
            }
            // A frame that goes without the marker is written from behind it.
            self.sent = if synchronized { 0 } else { BEGIN.len() };
            self.flying = true;
        }
        self.end_frame();
        self.flush_pending()
    }
}

#[cfg(test)]
#[path = "backend_tests.rs"]
mod tests;
