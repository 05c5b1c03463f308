//! What can be broken on purpose, with keys.

use super::paint::{Pen, rule};
use crate::tui::app::App;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    rule(
        buf,
        area,
        0,
        "break something on purpose (Enter flips it, 1 goes back to the matrix)",
        app.glyphs,
        theme.border,
        theme.title,
    );
    let room = usize::from(area.height.saturating_sub(1));
    let first = (app.switch_cursor + 1).saturating_sub(room);
    for (line, (index, switch)) in app.switches.iter().enumerate().skip(first).take(room).enumerate() {
        let row = Rect { y: area.y + 1 + line as u16, height: 1, ..area };
        let mut pen = Pen::new(buf, row, 0, app.glyphs);
        let (word, style) = if switch.on { ("on", theme.down) } else { ("off", theme.dim) };
        pen.skip(2).cell(word, 5, style).cell(&switch.name, 24, theme.text).put(&switch.about, theme.dim);
        if index == app.switch_cursor {
            buf.set_style(row, theme.selected);
        }
    }
}
