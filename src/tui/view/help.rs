//! Every key, made from the table of commands, so that it cannot be out of date.

use super::paint::{Pen, window};
use crate::domain::health::Health;
use crate::tui::app::App;
use crate::tui::command::COMMANDS;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn draw(app: &App, scroll: usize, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let offered = COMMANDS.iter().filter(|c| app.offers(c.action));
    let wanted = (offered.clone().count() + 10) as u16 + 2;
    let width = area.width.min(84);
    let height = area.height.saturating_sub(2).min(wanted);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + 1, width, height };
    let inner = window(
        buf,
        place,
        "keys (Esc closes, arrows scroll)",
        app.glyphs,
        theme.border,
        theme.title,
        theme.text,
    );
    let mut lines: Vec<[(String, ratatui::style::Style); 3]> = offered
        .map(|c| {
            let keys = app.keymap.keys_of(c.action).join(" ");
            [(keys, theme.key), (c.name.to_owned(), theme.text), (c.doc.to_owned(), theme.dim)]
        })
        .collect();
    lines.push([const { (String::new(), ratatui::style::Style::new()) }; 3]);
    for health in Health::ALL {
        let sign = app.glyphs.health(health).to_owned();
        let doc = match health {
            Health::Up => "every condition holds",
            Health::Degraded => "it works, but a `degraded_unless` condition does not hold",
            Health::Down => "a condition does not hold, or the target itself refused or fell silent",
            Health::Unknown => "we do not know: no way there, no privilege, too old, not probed yet",
        };
        lines.push([
            (sign, theme.health(health)),
            (health.to_string(), theme.text),
            (doc.to_owned(), theme.dim),
        ]);
    }
    let last = lines.len().saturating_sub(usize::from(inner.height));
    for (y, [keys, name, doc]) in
        lines.iter().skip(scroll.min(last)).take(usize::from(inner.height)).enumerate()
    {
        let mut pen = Pen::new(buf, inner, y as u16, app.glyphs);
        let (first, second) = if inner.width >= 60 { (21, 15) } else { (13, 0) };
        pen.cell(&keys.0, first - 1, keys.1).skip(1);
        if second > 0 {
            pen.cell(&name.0, second, name.1);
        }
        pen.put(&doc.0, doc.1);
    }
}
