//! What of a cell's text may reach the terminal: nothing that it would take for an order.

use ratatui::buffer::{Cell, CellDiffOption, CellWidth};
use unicode_width::UnicodeWidthStr;

/// The most bytes of one cell's text that are written; a family of four emoji takes 25.
const LONGEST: usize = 32;

/// A cell's text, ready to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glyph<'a> {
    /// Nothing visible in one column.
    Blank,
    /// `text` in `columns` columns. `sure` if every terminal agrees on how many that is.
    Text { text: &'a str, columns: u16, sure: bool },
    /// Text that was refused: a dot in each of `columns` columns stands for it.
    Refused { columns: u16 },
}

/// What to write for `cell` when `room` columns (at least 1) are left in its row.
pub(super) fn of(cell: &Cell, room: u16) -> Glyph<'_> {
    let symbol = cell.symbol();
    if let [byte @ 0x20..=0x7e] = symbol.as_bytes() {
        return if *byte == b' ' {
            Glyph::Blank
        } else {
            Glyph::Text { text: symbol, columns: 1, sure: true }
        };
    }
    if symbol.chars().any(is_order) {
        // As wide as ratatui takes it to be, since that is what it leaves out behind it.
        let columns = if symbol.len() == 1 { 1 } else { symbol.width().max(1) };
        return Glyph::Refused { columns: u16::try_from(columns).unwrap_or(u16::MAX).min(room) };
    }
    let forced = matches!(cell.diff_option, CellDiffOption::ForcedWidth(_));
    let columns = cell.cell_width();
    if columns == 0 {
        return Glyph::Blank;
    }
    if columns > room {
        return Glyph::Refused { columns: room };
    }
    let text = &symbol[..symbol.floor_char_boundary(LONGEST)];
    let mut scalars = text.chars();
    let first = scalars.next();
    let sure = !forced && scalars.next().is_none() && first.is_some_and(|c| c < '\u{1f000}');
    Glyph::Text { text, columns, sure }
}

/// Control characters, and the invisible ones that reorder, hide or tag what is around them.
fn is_order(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(symbol: &str) -> Cell {
        let mut cell = Cell::EMPTY;
        cell.set_symbol(symbol);
        cell
    }

    #[test]
    fn what_is_written_for_each_kind_of_text() {
        let text = |text, columns, sure| Glyph::Text { text, columns, sure };
        let refused = |columns| Glyph::Refused { columns };
        let table = [
            ("a", text("a", 1, true)),
            (" ", Glyph::Blank),
            ("", Glyph::Blank),
            ("\u{200b}", Glyph::Blank),
            ("é", text("é", 1, true)),
            ("█", text("█", 1, true)),
            ("界", text("界", 2, true)),
            ("e\u{301}", text("e\u{301}", 1, false)),
            ("🦀", text("🦀", 2, false)),
            ("\x1b", refused(1)),
            ("\x07", refused(1)),
            ("\u{9b}", refused(1)),
            ("\x1b[2J", refused(4)),
            ("\u{202e}", refused(1)),
            ("a\u{2066}", refused(1)),
        ];
        for (symbol, expected) in table {
            assert_eq!(of(&cell(symbol), 10), expected, "{symbol:?}");
        }
    }

    #[test]
    fn text_never_reaches_past_its_row_nor_past_its_bound() {
        assert_eq!(of(&cell("界"), 1), Glyph::Refused { columns: 1 });
        assert_eq!(of(&cell("\x1b[2J"), 2), Glyph::Refused { columns: 2 });
        let long = format!("a{}", "\u{301}".repeat(500));
        let long = cell(&long);
        let Glyph::Text { text, .. } = of(&long, 10) else { panic!("{long:?} has text") };
        assert!(text.len() <= LONGEST && text.starts_with('a'));
    }
}
