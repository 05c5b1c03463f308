//! What remains on a terminal too small for a layout: the worst state, in words.

use super::badge::fit as fit_badges;
use super::paint::{Pen, wrap};
use crate::clock::Now;
use crate::tui::app::App;
use crate::tui::model::badge::badges;
use crate::tui::model::headline::with_alerts;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn draw(app: &App, now: Now, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let at = app.shown_at(now);
    let line = with_alerts(app.matrix(), app.board(), at);
    let tally = app.matrix().tally(at).worst();
    let worst = if line.health.severity() > tally.severity() { line.health } else { tally };
    let worst = if app.trouble.is_some() { crate::domain::health::Health::Unknown } else { worst };
    let text = match &app.trouble {
        Some(trouble) => trouble.clone(),
        None => format!("{worst}: {}", line.text),
    };
    let room = usize::from(area.width);
    let badges = fit_badges(&badges(&app.ledger, now), room, room.max(20), app.glyphs);
    let text = badges.iter().rev().fold(text, |text, (_, badge)| format!("{badge}; {text}"));
    for (y, part) in wrap(&text, usize::from(area.width)).iter().take(usize::from(area.height)).enumerate() {
        Pen::new(buf, area, y as u16, app.glyphs).put(part, app.theme.health(worst));
    }
}
