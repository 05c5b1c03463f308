//! Small strokes: text that is cut where it must be, lines, boxes.

use crate::tui::glyph::Glyphs;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthChar;

/// A place to write at: it moves right, and never past its end.
pub struct Pen<'a> {
    buf: &'a mut Buffer,
    pub x: u16,
    y: u16,
    end: u16,
    glyphs: Glyphs,
}

impl<'a> Pen<'a> {
    /// A pen on one line of an area; a line below the area gives a pen without room.
    pub fn new(buf: &'a mut Buffer, area: Rect, line: u16, glyphs: Glyphs) -> Self {
        let end = if line < area.height { area.right() } else { area.x };
        Pen { buf, x: area.x, y: area.y + line.min(area.height.saturating_sub(1)), end, glyphs }
    }

    pub fn room(&self) -> u16 {
        self.end.saturating_sub(self.x)
    }

    /// Writes as much as there is room for; a text that does not fit ends in an ellipsis.
    pub fn put(&mut self, text: &str, style: Style) -> &mut Self {
        let room = self.room();
        self.column(text, room, style, false)
    }

    /// Writes into a column of fixed width, and moves past it.
    pub fn cell(&mut self, text: &str, width: u16, style: Style) -> &mut Self {
        let start = self.x;
        self.column(text, width, style, false);
        self.x = (start + width).min(self.end);
        self
    }

    /// Like [`Pen::cell`], aligned to the right.
    pub fn right(&mut self, text: &str, width: u16, style: Style) -> &mut Self {
        let start = self.x;
        self.column(text, width, style, true);
        self.x = (start + width).min(self.end);
        self
    }

    pub fn skip(&mut self, columns: u16) -> &mut Self {
        self.x = (self.x + columns).min(self.end);
        self
    }

    /// Moves to a column counted from the end, unless that is behind.
    pub fn to_right(&mut self, columns: u16) -> &mut Self {
        self.x = self.x.max(self.end.saturating_sub(columns));
        self
    }

    fn column(&mut self, text: &str, width: u16, style: Style, right: bool) -> &mut Self {
        let room = usize::from(width.min(self.room()));
        let text = self.glyphs.plain(text);
        let cut = fit(&text, room, self.glyphs);
        if right {
            self.x += (room - columns(&cut).min(room)) as u16;
        }
        let (x, _) = self.buf.set_stringn(self.x, self.y, &cut, room, style);
        self.x = x;
        self
    }
}

/// Columns that a text takes.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// A text cut to so many columns, with an ellipsis when something was cut.
pub fn fit(text: &str, room: usize, glyphs: Glyphs) -> std::borrow::Cow<'_, str> {
    if columns(text) <= room {
        return text.into();
    }
    if room == 0 {
        return "".into();
    }
    let mut used = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let width = c.width().unwrap_or(0);
        if used + width > room - 1 {
            break;
        }
        used += width;
        end = at + c.len_utf8();
    }
    // What was cut before has an ellipsis of its own, and one is enough.
    let kept = text.get(..end).unwrap_or("").trim_end_matches([' ', '…']);
    format!("{kept}{}", glyphs.ellipsis()).into()
}

/// Breaks a text into lines of at most `width` columns, between words where it can.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word.to_owned();
        if !line.is_empty() && columns(&line) + 1 + columns(&word) > width {
            lines.push(std::mem::take(&mut line));
        }
        while columns(&word) > width {
            let head = take_columns(&word, width);
            let tail = word.split_off(head);
            lines.push(std::mem::replace(&mut word, tail));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

/// Breaks a text into at most so many lines; an ellipsis says that there is more.
pub fn wrap_in(text: &str, width: usize, lines: usize, glyphs: Glyphs) -> Vec<String> {
    let mut parts = wrap(text, width);
    if lines > 0 && parts.len() > lines {
        let rest = parts.split_off(lines - 1).join(" ");
        parts.push(fit(&rest, width, glyphs).into_owned());
    }
    parts
}

/// The bytes of the longest head of a text that takes at most `width` columns; at least one character.
fn take_columns(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width && at > 0 {
            return at;
        }
    }
    text.len()
}

/// A horizontal line with a word in it.
pub fn rule(
    buf: &mut Buffer,
    area: Rect,
    line: u16,
    word: &str,
    glyphs: Glyphs,
    style: Style,
    word_style: Style,
) {
    let mut pen = Pen::new(buf, area, line, glyphs);
    if !word.is_empty() {
        pen.put(glyphs.horizontal(), style).put(" ", style).put(word, word_style).put(" ", style);
    }
    let rest = glyphs.horizontal().repeat(usize::from(pen.room()));
    pen.put(&rest, style);
}

/// Empties a rectangle and draws a titled frame of two rules around its inside.
pub fn window(
    buf: &mut Buffer,
    area: Rect,
    title: &str,
    glyphs: Glyphs,
    style: Style,
    title_style: Style,
    text: Style,
) -> Rect {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
    buf.set_style(area, text);
    rule(buf, area, 0, title, glyphs, style, title_style);
    rule(buf, area, area.height.saturating_sub(1), "", glyphs, style, style);
    Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cut_text_says_so() {
        for (text, room, want) in [
            ("redis", 5, "redis"),
            ("redis ping", 7, "redis…"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(fit(text, room, Glyphs::Unicode), want, "{text} {room}");
        }
    }

    #[test]
    fn words_are_kept_whole_where_they_fit() {
        assert_eq!(wrap("connection refused by 127.0.0.1", 12), ["connection", "refused by", "127.0.0.1"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), [""]);
        let few = |lines| wrap_in("connection refused by 127.0.0.1", 12, lines, Glyphs::Unicode);
        assert_eq!(few(3), ["connection", "refused by", "127.0.0.1"]);
        assert_eq!(few(2), ["connection", "refused by…"]);
        assert_eq!(few(1), ["connection…"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_room(text in "\\PC{0,40}", room in 0usize..30) {
            prop_assert!(columns(&fit(&text, room, Glyphs::Unicode)) <= room);
            let widest = text.chars().filter_map(UnicodeWidthChar::width).max().unwrap_or(0);
            for line in wrap(&text, room) {
                prop_assert!(columns(&line) <= room.max(widest).max(1));
            }
        }
    }
}
