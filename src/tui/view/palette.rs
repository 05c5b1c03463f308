//! The command palette.

use super::paint::{Pen, window};
use crate::tui::app::App;
use crate::tui::model::palette::matching;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;

pub fn draw(app: &App, input: &Input, cursor: usize, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let found = matching(input.value(), |a| app.offers(a));
    let width = area.width.min(70);
    let height = area.height.saturating_sub(2).min(found.len().max(1) as u16 + 3).min(16);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + 1, width, height };
    let inner = window(buf, place, "commands", app.glyphs, theme.border, theme.title, theme.text);
    Pen::new(buf, inner, 0, app.glyphs)
        .put(": ", theme.key)
        .put(input.value(), theme.text)
        .put("_", theme.accent);
    if found.is_empty() {
        Pen::new(buf, inner, 1, app.glyphs).put("no such command; Esc closes", theme.dim);
    }
    let room = usize::from(inner.height.saturating_sub(1));
    let first = (cursor + 1).saturating_sub(room);
    for (line, (index, command)) in found.iter().enumerate().skip(first).take(room).enumerate() {
        let row = Rect { y: inner.y + 1 + line as u16, height: 1, ..inner };
        let mut pen = Pen::new(buf, row, 0, app.glyphs);
        pen.cell(command.name, 15, theme.text)
            .cell(&app.keymap.key_of(command.action), 9, theme.key)
            .put(command.doc, theme.dim);
        if index == cursor {
            buf.set_style(row, theme.selected);
        }
    }
}
