//! Dots below the size of a cell: in Braille, in quarters of blocks, or in ASCII.

use crate::tui::glyph::Glyphs;

/// What a cell is divided into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Form {
    /// Two by four.
    #[default]
    Braille,
    /// Two by two, for fonts without Braille and eyes that want more weight.
    Block,
    /// One by two, with signs that every terminal has.
    Ascii,
}

const BLOCKS: [&str; 16] = [" ", "▘", "▝", "▀", "▖", "▌", "▞", "▛", "▗", "▚", "▐", "▜", "▄", "▙", "▟", "█"];
const ASCII: [&str; 4] = [" ", "'", ".", ":"];

impl Form {
    /// The form wanted, as far as the terminal has its signs.
    #[must_use]
    pub fn on(self, glyphs: Glyphs) -> Form {
        if glyphs == Glyphs::Ascii { Form::Ascii } else { self }
    }

    /// Dots of a cell, across and down.
    pub fn dots(self) -> (u16, u16) {
        match self {
            Form::Braille => (2, 4),
            Form::Block => (2, 2),
            Form::Ascii => (1, 2),
        }
    }

    fn bit(self, x: u16, y: u16) -> u8 {
        match self {
            Form::Braille => match (x, y) {
                (0, 3) => 0x40,
                (1, 3) => 0x80,
                (0, y) => 1 << y,
                (_, y) => 8 << y,
            },
            Form::Block => 1 << (x + 2 * y),
            Form::Ascii => 1 << y,
        }
    }
}

/// A field of dots, each cell of which remembers who drew on it last.
#[derive(Clone, Debug)]
pub struct Canvas {
    form: Form,
    /// Cells across and down.
    width: u16,
    height: u16,
    cells: Vec<(u8, u8)>,
}

impl Canvas {
    pub fn new(form: Form, width: u16, height: u16) -> Self {
        Canvas { form, width, height, cells: vec![(0, 0); usize::from(width) * usize::from(height)] }
    }

    /// Dots across and down.
    pub fn size(&self) -> (u16, u16) {
        let (across, down) = self.form.dots();
        (self.width.saturating_mul(across), self.height.saturating_mul(down))
    }

    /// Sets one dot, counted from the upper left; a dot outside is nowhere.
    pub fn dot(&mut self, x: u16, y: u16, owner: u8) {
        let (across, down) = self.form.dots();
        let (column, row) = (x / across, y / down);
        if column >= self.width {
            return;
        }
        let place = usize::from(row) * usize::from(self.width) + usize::from(column);
        if let Some(cell) = self.cells.get_mut(place) {
            cell.0 |= self.form.bit(x % across, y % down);
            cell.1 = owner;
        }
    }

    /// A straight line between two dots, both included.
    pub fn line(&mut self, (x0, y0): (u16, u16), (x1, y1): (u16, u16), owner: u8) {
        let (dx, dy) = (i32::from(x1) - i32::from(x0), i32::from(y1) - i32::from(y0));
        let steps = dx.abs().max(dy.abs()).max(1);
        for i in 0..=steps {
            let at = |from: u16, d: i32| {
                let moved = i32::from(from) + (d * i * 2 + steps * d.signum()) / (steps * 2);
                u16::try_from(moved).unwrap_or(0)
            };
            self.dot(at(x0, dx), at(y0, dy), owner);
        }
    }

    /// The sign of a cell and who drew on it last; `None` for an empty one.
    pub fn cell(&self, column: u16, row: u16) -> Option<(char, u8)> {
        let place = usize::from(row) * usize::from(self.width) + usize::from(column);
        let (bits, owner) = *self.cells.get(place)?;
        if bits == 0 || column >= self.width {
            return None;
        }
        let sign = match self.form {
            Form::Braille => char::from_u32(0x2800 + u32::from(bits)),
            Form::Block => BLOCKS.get(usize::from(bits)).and_then(|s| s.chars().next()),
            Form::Ascii => ASCII.get(usize::from(bits)).and_then(|s| s.chars().next()),
        };
        sign.map(|s| (s, owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(canvas: &Canvas) -> Vec<String> {
        let cell = |x, y| canvas.cell(x, y).map_or(' ', |(c, _)| c);
        (0..canvas.height).map(|y| (0..canvas.width).map(|x| cell(x, y)).collect()).collect()
    }

    #[test]
    fn a_line_in_every_form() {
        let table: [(Form, &[&str]); 3] =
            [(Form::Braille, &["⠑⢄", "  "]), (Form::Block, &["▚ ", " ▚"]), (Form::Ascii, &["' ", " "])];
        for (form, want) in table {
            let mut canvas = Canvas::new(form, 2, 2);
            let end = if form == Form::Ascii { (0, 0) } else { (3, 3) };
            canvas.line((0, 0), end, 1);
            let got = rows(&canvas);
            assert_eq!(got[0], want[0], "{form:?}");
            assert_eq!(got[1].trim_end(), want[1].trim_end(), "{form:?}");
        }
    }

    #[test]
    fn every_dot_has_its_own_place_and_none_is_outside() {
        for form in [Form::Braille, Form::Block, Form::Ascii] {
            let (w, h) = Canvas::new(form, 3, 2).size();
            for x in 0..w + 3 {
                for y in 0..h + 3 {
                    let mut canvas = Canvas::new(form, 3, 2);
                    canvas.dot(x, y, 7);
                    let drawn = (0..2)
                        .flat_map(|r| (0..3).map(move |c| (c, r)))
                        .filter_map(|(c, r)| canvas.cell(c, r))
                        .count();
                    assert_eq!(drawn, usize::from(x < w && y < h), "{form:?} {x} {y}");
                }
            }
        }
    }
}
