//! What is scraped: each target, whether it answers, and how much of its page is kept.

use super::paint::{Pen, columns};
use crate::clock::Now;
use crate::domain::board::{RemoteState, RemoteView, TargetView};
use crate::domain::health::Health;
use crate::domain::units::{long_age, short_age, table_latency};
use crate::stack::metrics::Unit;
use crate::tui::app::App;
use crate::tui::model::alerts::safe;
use crate::tui::widget::axis::value;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::fmt::Write as _;

/// Up, down, or not known because nobody has looked.
pub fn health(target: &TargetView) -> Health {
    match target.up {
        Some(true) => Health::Up,
        Some(false) => Health::Down,
        None => Health::Unknown,
    }
}

pub fn draw(app: &App, at: Now, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let board = app.board();
    let wide = area.width >= 76;
    let longest = board.targets.iter().map(|t| columns(&t.id)).max().unwrap_or(0) as u16 + 1;
    let name = longest.clamp(8, if wide { 24 } else { 14 });
    let mut pen = Pen::new(buf, area, 0, app.glyphs);
    pen.skip(3).cell("state", 8, theme.dim).cell("target", name, theme.dim);
    if wide {
        pen.cell("host", 9, theme.dim).right("kept", 7, theme.dim).right("seen", 7, theme.dim);
        pen.right("took", 7, theme.dim);
    }
    pen.right("age", 5, theme.dim).skip(2).put("reason", theme.dim);
    if board.targets.is_empty() {
        Pen::new(buf, area, 1, app.glyphs).skip(3).put("nothing is scraped from here", theme.dim);
    }
    let engine = engine_lines(app, at);
    let room = usize::from(area.height.saturating_sub(1)).saturating_sub(engine.len().min(4));
    let cursor = app.metrics.target;
    let first = (cursor + 1).saturating_sub(room);
    for (line, (index, target)) in board.targets.iter().enumerate().skip(first).take(room).enumerate() {
        let row = Rect { y: area.y + 1 + line as u16, height: 1, ..area };
        let state = health(target);
        let style = theme.health(state);
        let mut pen = Pen::new(buf, row, 0, app.glyphs);
        pen.skip(1).cell(app.glyphs.health(state), 2, style).cell(state.as_str(), 8, style);
        pen.cell(&safe(&target.id), name - 1, theme.text).skip(1);
        if wide {
            pen.cell(&safe(&target.host), 8, theme.dim).skip(1);
            pen.right(&value(target.kept as f64, Unit::None), 7, theme.text);
            pen.right(&value(target.seen as f64, Unit::None), 7, theme.dim);
            let took = target.at.map(|_| table_latency(target.took)).unwrap_or_default();
            pen.right(&took, 7, theme.dim);
        }
        let age = target.at.map_or_else(|| "-".to_owned(), |t| short_age(at.since(t)));
        pen.right(&age, 5, theme.dim).skip(2);
        let reason = match (target.reason.is_empty(), target.up) {
            (false, _) => safe(&target.reason),
            (true, None) => format!("not looked at yet: {}", safe(&target.url)),
            (true, Some(_)) => safe(&target.url),
        };
        pen.put(&reason, if state == Health::Up { theme.dim } else { theme.text });
        if index == cursor {
            buf.set_style(row, theme.selected);
        }
    }
    let below = area.height.saturating_sub(engine.len().min(4) as u16);
    for (line, text) in engine.iter().take(4).enumerate() {
        Pen::new(buf, area, below + line as u16, app.glyphs).skip(1).put(text, theme.dim);
    }
}

/// What the engine holds, and who else answers, in a few lines.
fn engine_lines(app: &App, at: Now) -> Vec<String> {
    let e = &app.board().engine;
    let per_sample = if e.samples > 0 { e.bytes as f64 / e.samples as f64 } else { 0.0 };
    let mut store = format!(
        "store: {} series, {} samples, {} ({} a sample)",
        value(e.series as f64, Unit::None),
        value(e.samples as f64, Unit::None),
        value(e.bytes as f64, Unit::Bytes),
        value(per_sample, Unit::Bytes)
    );
    if e.dropped > 0 {
        let _ = write!(store, "; {} refused by its bounds", value(e.dropped as f64, Unit::None));
    }
    if let Some(took) = e.evaluation {
        let _ = write!(store, "; rules took {}", crate::domain::units::latency(took));
    }
    let remote = |name: &str, remote: &Option<RemoteView>| {
        let remote = remote.as_ref()?;
        let state = match &remote.state {
            RemoteState::NotAsked => "not asked yet".to_owned(),
            RemoteState::Answering { at: then } => format!("answered {} ago", short_age(at.since(*then))),
            RemoteState::Silent { since, why } => {
                format!("silent for {}: {}", long_age(at.since(*since)), safe(why))
            }
        };
        let version = if remote.version.is_empty() { name.to_owned() } else { safe(&remote.version) };
        Some(format!("{version} at {}: {state}", safe(&remote.url)))
    };
    let remotes = [remote("Prometheus", &e.prometheus), remote("Alertmanager", &e.alertmanager)];
    std::iter::once(store).chain(remotes.into_iter().flatten()).collect()
}
