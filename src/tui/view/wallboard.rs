//! The wallboard's pages, to be read from across the room.

use super::paint::{Pen, columns, rule, wrap};
use crate::clock::Now;
use crate::domain::health::Health;
use crate::domain::observation::ProbeIndex;
use crate::domain::units;
use crate::tui::model::headline::{headline, role_note, worst_probe};
use crate::tui::wallboard::{Page, Wallboard};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The least width and height of a large cell.
const CELL: (u16, u16) = (26, 5);

pub fn draw(w: &Wallboard, now: Now, area: Rect, buf: &mut Buffer) {
    buf.set_style(area, w.theme.text);
    if area.height < 3 {
        let line = headline(&w.matrix, now);
        Pen::new(buf, area, 0, w.glyphs)
            .put(&format!("{}: {}", line.health, line.text), w.theme.health(line.health));
        return;
    }
    let (page, at, of) = w.page(now);
    header(w, now, at, of, area, buf);
    let body = Rect { y: area.y + 2, height: area.height - 2, ..area };
    match page {
        Page::Layers => layers(w, now, body, buf),
        Page::Problems => problems(w, now, body, buf),
        Page::Layer(layer) => layer_page(w, layer, now, body, buf),
    }
}

fn header(w: &Wallboard, now: Now, at: usize, of: usize, area: Rect, buf: &mut Buffer) {
    let style = w.theme.header;
    buf.set_style(Rect { height: 1, ..area }, style);
    let pause = if w.paused { " PAUSED" } else { "" };
    let right = format!("page {}/{of}{pause}  {}", at + 1, now.wall.strftime("%H:%M:%SZ"));
    let width = columns(&right) as u16 + 1;
    let mut pen = Pen::new(buf, Rect { width: area.width.saturating_sub(width + 1), ..area }, 0, w.glyphs);
    pen.skip(1)
        .put(&w.title, style.patch(w.theme.title))
        .put(&format!("  {}  wallboard, read-only", w.environment), style);
    Pen::new(buf, area, 0, w.glyphs).to_right(width).put(&right, style);
    let line = headline(&w.matrix, now);
    let text = w.trouble.as_deref().unwrap_or(&line.text);
    let health = if w.trouble.is_some() { Health::Unknown } else { line.health };
    let mut pen = Pen::new(buf, area, 1, w.glyphs);
    pen.skip(1).put(w.glyphs.health(health), w.theme.health(health)).skip(1).put(text, w.theme.title);
}

/// A cell of the grid: a coloured bar with the name, then words.
fn cell(w: &Wallboard, place: Rect, title: &str, health: Health, lines: &[String], buf: &mut Buffer) {
    let style = w.theme.health(health);
    rule(buf, place, 0, &format!("{} {title}", w.glyphs.health(health)), w.glyphs, style, style);
    for (y, text) in lines.iter().take(usize::from(place.height.saturating_sub(1))).enumerate() {
        let style = if y == 0 { style } else { w.theme.text };
        Pen::new(buf, place, y as u16 + 1, w.glyphs).skip(2).put(text, style);
    }
}

/// Divides an area into cells: as many columns as fit, rows as high as there is room for.
fn grid(area: Rect, count: usize) -> Vec<Rect> {
    let count = count.max(1) as u16;
    let across = (area.width / CELL.0).clamp(1, count);
    let down = count.div_ceil(across);
    let (width, height) = (area.width / across, (area.height / down).max(1));
    (0..count)
        .map(|i| Rect {
            x: area.x + i % across * width,
            y: area.y + i / across * height,
            width: width.saturating_sub(1),
            height,
        })
        .filter(|r| r.bottom() <= area.bottom())
        .collect()
}

fn layers(w: &Wallboard, now: Now, area: Rect, buf: &mut Buffer) {
    let roles = w.matrix.roles(now);
    for (layer, place) in grid(area, w.matrix.layers().len()).into_iter().enumerate() {
        let Some(meta) = w.matrix.layers().get(layer) else { continue };
        let tally = w.matrix.layer_tally(layer, now);
        let health = tally.worst();
        let mut first = format!("{} {} of {}", health.as_str().to_uppercase(), tally.up, tally.total());
        first.push_str(" up");
        let mut lines = vec![first];
        if health != Health::Up {
            let note = roles.get(layer).copied().map(|r| role_note(&w.matrix, r)).unwrap_or_default();
            if !note.is_empty() {
                lines.push(note);
            }
            if let Some((probe, shown)) = worst_probe(&w.matrix, layer, now) {
                let name = w.matrix.probe(probe).map_or("", |(p, _)| p.name.as_str());
                let since = shown.since.map(|s| format!(", {}", units::short_age(s))).unwrap_or_default();
                lines.extend(wrap(
                    &format!("{name}{since}: {}", shown.reason),
                    usize::from(place.width.saturating_sub(2)),
                ));
            }
        }
        cell(w, place, &meta.name, health, &lines, buf);
    }
}

fn problems(w: &Wallboard, now: Now, area: Rect, buf: &mut Buffer) {
    let mut y = 0;
    for probe in w.problems(now) {
        let Some((meta, _)) = w.matrix.probe(probe) else { continue };
        let shown = w.matrix.shown(probe, now);
        let style = w.theme.health(shown.health);
        let since = shown.since.map(units::long_age).unwrap_or_default();
        let mut pen = Pen::new(buf, area, y, w.glyphs);
        pen.skip(1).put(w.glyphs.health(shown.health), style).put(" ", style);
        pen.cell(&shown.health.as_str().to_uppercase(), 9, style)
            .cell(&meta.name, 30, w.theme.title)
            .put(&since, w.theme.dim);
        let reason = wrap(&shown.reason, usize::from(area.width.saturating_sub(5)));
        for (i, part) in reason.iter().take(2).enumerate() {
            Pen::new(buf, area, y + 1 + i as u16, w.glyphs).skip(4).put(part, w.theme.text);
        }
        y += 2 + reason.len().min(2) as u16;
        if y >= area.height {
            return;
        }
    }
}

fn layer_page(w: &Wallboard, layer: usize, now: Now, area: Rect, buf: &mut Buffer) {
    let probes: Vec<ProbeIndex> = w.matrix.of_layer(layer).collect();
    let name = w.matrix.layers().get(layer).map_or("", |l| l.name.as_str());
    Pen::new(buf, area, 0, w.glyphs).skip(1).put(name, w.theme.title);
    let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    for (probe, place) in probes.iter().zip(grid(below, probes.len())) {
        let Some((meta, state)) = w.matrix.probe(*probe) else { continue };
        let shown = w.matrix.shown(*probe, now);
        let latency = state.last.as_ref().and_then(|l| l.latency).map(units::latency).unwrap_or_default();
        let since = shown.since.map(units::long_age).unwrap_or_default();
        let mut lines = vec![format!("{} {since}", shown.health.as_str().to_uppercase())];
        lines.extend(wrap(&shown.reason, usize::from(place.width.saturating_sub(2))));
        lines.push(latency);
        cell(w, place, &meta.name, shown.health, &lines, buf);
    }
}
