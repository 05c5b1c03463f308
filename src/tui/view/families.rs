//! The explorer: all families of one target's page, with their series when they are open.

use super::paint::Pen;
use crate::clock::Now;
use crate::domain::board::Family;
use crate::domain::text::one_line;
use crate::domain::units::short_age;
use crate::tui::app::App;
use crate::tui::command::Action;
use crate::tui::model::alerts::safe;
use crate::tui::model::metrics::{FamilyRow, family_rows, shown_families};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn draw(app: &App, at: Now, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let board = app.board();
    let target = board.targets.get(app.metrics.target);
    let name = target.map(|t| safe(&t.id)).unwrap_or_default();
    let Some(families) = shown_families(app, board) else {
        Pen::new(buf, area, 0, app.glyphs)
            .skip(1)
            .put(&name, theme.title)
            .put(": reading its page", theme.dim);
        return;
    };
    let rows = family_rows(app);
    let shown = rows.iter().filter(|r| matches!(r, FamilyRow::Family(_))).count();
    let age =
        families.at.map_or_else(|| "not read yet".to_owned(), |t| format!("{} ago", short_age(at.since(t))));
    let of = if shown == families.list.len() { String::new() } else { format!("{shown} of ") };
    let more = if families.more > 0 { format!(", {} more not listed", families.more) } else { String::new() };
    let mut pen = Pen::new(buf, area, 0, app.glyphs);
    pen.skip(1).put(&name, theme.title);
    let word = if families.list.len() == 1 { "family" } else { "families" };
    pen.put(&format!("  {of}{} {word}{more}, read {age}", families.list.len()), theme.dim);
    if let Some(trouble) = &families.trouble {
        pen.skip(2).put(&safe(trouble), theme.unknown);
    }
    if rows.is_empty() {
        let text = if families.list.is_empty() {
            "nothing of its page has been read yet, or it holds nothing"
        } else {
            "nothing matches the filter"
        };
        Pen::new(buf, area, 1, app.glyphs).skip(3).put(text, theme.dim);
    }
    let help = area.height >= 8;
    let room = usize::from(area.height.saturating_sub(1 + u16::from(help)));
    let cursor = app.metrics.family.min(rows.len().saturating_sub(1));
    let first = (cursor + 1).saturating_sub(room);
    for (line, (index, row)) in rows.iter().enumerate().skip(first).take(room).enumerate() {
        let place = Rect { y: area.y + 1 + line as u16, height: 1, ..area };
        match *row {
            FamilyRow::Family(f) => {
                if let Some(family) = families.list.get(f) {
                    family_row(app, family, place, buf);
                }
            }
            FamilyRow::Series(f, s) => {
                if let Some((labels, value)) = families.list.get(f).and_then(|f| f.series.get(s)) {
                    series_row(app, labels, value, place, buf);
                }
            }
        }
        if index == cursor {
            buf.set_style(place, theme.selected);
        }
    }
    if help && let Some(FamilyRow::Family(f) | FamilyRow::Series(f, _)) = rows.get(cursor).copied() {
        let key = app.keymap.key_of(Action::Expression);
        let said = families.list.get(f).map(|f| one_line(&f.help, 300)).unwrap_or_default();
        let said = if said.is_empty() { "no help on its page".to_owned() } else { said };
        let text = format!("{said} ({key} asks for it)");
        Pen::new(buf, area, area.height - 1, app.glyphs).skip(1).put(&text, theme.dim);
    }
}

fn family_row(app: &App, family: &Family, place: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let mut pen = Pen::new(buf, place, 0, app.glyphs);
    let open = app.metrics.open.contains(&family.name);
    let name = (place.width / 2).clamp(16, 60);
    pen.skip(1).cell(app.glyphs.folded(!open), 2, theme.dim);
    pen.cell(&one_line(&family.name, 200), name - 1, theme.text).skip(1);
    if place.width >= 60 {
        pen.cell(&safe(&family.kind), 11, theme.dim);
    }
    // One series is its value; of several the number.
    match (&family.series[..], family.more) {
        ([(_, value)], 0) => pen.put(&one_line(value, 120), theme.text),
        (all, more) => pen.put(&format!("{} series", all.len() + more), theme.dim),
    };
    if !family.unit.is_empty() {
        pen.put(&format!("  {}", safe(&family.unit)), theme.dim);
    }
}

fn series_row(app: &App, labels: &str, value: &str, place: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let value = one_line(value, 120);
    let labels = if labels.is_empty() { "{}".to_owned() } else { one_line(labels, 400) };
    let wide = (super::paint::columns(&value) as u16 + 1).min(place.width / 2);
    let mut pen = Pen::new(buf, place, 0, app.glyphs);
    pen.skip(5);
    let room = pen.room().saturating_sub(wide);
    pen.cell(&labels, room, theme.dim).right(&value, wide, theme.text);
}
