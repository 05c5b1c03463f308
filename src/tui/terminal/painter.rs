//! Cells to bytes: the shortest that change the screen as it is into the screen as it should be.

use std::cell::Cell as Shared;

use ratatui::buffer::Cell;
use ratatui::layout::Size;
use ratatui::style::{Color, Modifier};

use super::color::Depth;
use super::glyph::{self, Glyph};
use super::motion::{self, At};
use super::sgr::{Pen, SHOWS_ON_BLANK, number};
use super::wide::Wide;

/// A run of blank cells with one background that has not been written yet.
#[derive(Clone, Copy, Debug)]
struct Run {
    at: At,
    columns: u16,
    bg: Color,
}

/// What is known about the terminal, and the bytes gathered for it.
#[derive(Debug)]
pub(super) struct Painter {
    pub bytes: Vec<u8>,
    pub size: Shared<Size>,
    /// Where the cursor is, if that is known.
    pub at: Option<At>,
    /// The screen was cleared in this frame: what has not been drawn since is blank.
    pub cleared: bool,
    depth: Depth,
    erase_fills: bool,
    pen: Pen,
    /// The furthest position drawn in this frame, in reading order.
    frontier: (u16, u16),
    run: Option<Run>,
    wide: Wide,
}

impl Painter {
    /// For a blank screen of `size` in the default style.
    pub fn new(size: Size, depth: Depth, erase_fills: bool) -> Self {
        let mut wide = Wide::default();
        wide.reset(size);
        Painter {
            bytes: Vec::with_capacity(16 * 1024),
            size: Shared::new(size),
            at: None,
            cleared: false,
            depth,
            erase_fills,
            pen: Pen::DEFAULT,
            frontier: (0, 0),
            run: None,
            wide,
        }
    }

    /// The frame is complete: what the next one finds blank is not known.
    pub fn end_frame(&mut self) {
        self.run = None;
        self.cleared = false;
        self.frontier = (0, 0);
    }

    /// Somebody else has changed the style and moved the cursor.
    pub fn forget(&mut self) {
        // Differs from every pen, so that a whole one is written next.
        self.pen = Pen { modifier: Modifier::all(), ..Pen::DEFAULT };
        self.at = None;
    }

    /// Draws all of `cells`, which are in reading order.
    pub fn draw<'a>(&mut self, cells: impl Iterator<Item = (u16, u16, &'a Cell)>) {
        let mut first = !self.cleared;
        let mut half = None;
        for (x, y, cell) in cells {
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
    }

    /// Makes the whole screen blank.
    pub fn clear(&mut self) {
        self.end_run(None);
        self.take_pen(Pen::DEFAULT);
        self.bytes.extend_from_slice(b"\x1b[H\x1b[J");
        self.at = Some(At { x: 0, y: 0 });
        self.cleared = true;
        self.wide.reset(self.size.get());
        self.frontier = (0, 0);
    }

    /// Writes a sequence that blanks part of the screen, seen from `at`.
    pub fn erase(&mut self, at: At, sequence: &[u8]) {
        self.end_run(None);
        self.take_pen(Pen::DEFAULT);
        self.go(at);
        self.bytes.extend_from_slice(sequence);
    }

    /// Moves the cursor.
    pub fn go(&mut self, to: At) {
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
        let depth = self.depth;
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
        if self.erase_fills || bg == Color::Reset {
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
}

fn digits(n: u16) -> u16 {
    n.checked_ilog10().unwrap_or(0) as u16 + 1
}
