//! The health matrix, with the details of one row below it when they are open.

use super::frame::{ABOVE, BELOW};
use super::paint::{Pen, columns, fit};
use super::{alert_panel, detail};
use crate::clock::Now;
use crate::domain::health::{Health, Tally};
use crate::domain::matrix::{Matrix, ProbeState};
use crate::domain::observation::ProbeIndex;
use crate::domain::units;
use crate::tui::app::App;
use crate::tui::model::headline::{coarse, role_note, worst_probe};
use crate::tui::model::rows::RowId;
use crate::tui::overview_keys::position;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::time::Duration;

/// Which columns there is room for.
#[derive(Clone, Copy, Debug)]
struct Columns {
    /// Before the name: the margin, the sign, the state in words where there is room.
    before: u16,
    name: u16,
    host: u16,
    latency: u16,
    strip: u16,
    age: u16,
}

impl Columns {
    /// Each column is as wide as its longest text, within bounds that leave the reason the most.
    fn for_matrix(width: u16, matrix: &Matrix) -> Columns {
        let longest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0) as u16 + 1;
        let name = longest(&mut matrix.probes().iter().map(|p| columns(&p.name)));
        let host = longest(&mut matrix.probes().iter().map(|p| columns(p.host.as_str())));
        let host = if matrix.hosts().len() > 1 && width >= 70 { host.clamp(5, 12) } else { 0 };
        match width {
            ..60 => Columns { before: 5, name: name.clamp(8, 18), host: 0, latency: 0, strip: 0, age: 0 },
            60..76 => Columns { before: 14, name: name.clamp(8, 21), host: 0, latency: 0, strip: 0, age: 0 },
            76..100 => Columns { before: 14, name: name.clamp(8, 21), host, latency: 8, strip: 7, age: 0 },
            100..160 => Columns { before: 14, name: name.clamp(8, 28), host, latency: 8, strip: 13, age: 6 },
            _ => Columns { before: 14, name: name.clamp(8, 40), host, latency: 8, strip: 41, age: 6 },
        }
    }
}

/// Rows of the matrix that fit, as the terminal is now.
pub fn page_height(app: &App) -> usize {
    usize::from(parts(app).matrix.saturating_sub(1))
}

/// The height of the detail pane with its heading, as the terminal is now.
pub fn detail_height(app: &App) -> usize {
    let body = app.size.1.saturating_sub(ABOVE + BELOW);
    usize::from(split(body - alert_panel::height(app.board(), body, true).min(body), true).1)
}

/// The heights of what the overview is made of, from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    /// With its heading.
    matrix: u16,
    detail: u16,
    graphs: u16,
    alerts: u16,
}

fn parts(app: &App) -> Parts {
    let body = app.size.1.saturating_sub(ABOVE + BELOW);
    let alerts = alert_panel::height(app.board(), body, app.detail).min(body);
    let graphs = if !app.detail && body >= 30 && app.size.0 >= 76 && app.graphs.iter().any(|g| g.key) {
        (body / 4).min(12)
    } else {
        0
    };
    let (matrix, detail) = split(body - alerts - graphs, app.detail);
    Parts { matrix, detail, graphs, alerts }
}

/// The key graphs that the overview has room for, and the width of each.
pub fn key_graphs(app: &App) -> (Vec<usize>, u16) {
    if parts(app).graphs == 0 {
        return (Vec::new(), 0);
    }
    let key = app.graphs.iter().enumerate().filter(|(_, g)| g.key).map(|(i, _)| i);
    let shown: Vec<usize> = key.take(usize::from(app.size.0 / 38)).collect();
    let width = app.size.0 / (shown.len().max(1) as u16);
    (shown, width)
}

/// The heights of the matrix (with its heading) and of the detail pane.
fn split(body: u16, detail: bool) -> (u16, u16) {
    if !detail {
        return (body, 0);
    }
    // On a small terminal the details take it all: three lines of them help nobody.
    let below = if body >= 14 { body * 3 / 5 } else { body };
    (body - below, below)
}

pub fn draw(app: &App, now: Now, area: Rect, buf: &mut Buffer) {
    let parts = parts(app);
    let top = Rect { height: parts.matrix, ..area };
    let rows = app.rows(now);
    let at = app.shown_at(now);
    matrix(app, &rows, at, top, buf);
    let mut y = area.y + parts.matrix;
    if parts.detail > 0 {
        let place = Rect { y, height: parts.detail, ..area };
        detail::draw(app, rows.get(position(app, &rows)).copied(), at, place, buf);
        y += parts.detail;
    }
    if parts.graphs > 0 {
        let (shown, width) = key_graphs(app);
        for (i, graph) in shown.into_iter().enumerate() {
            let x = area.x + i as u16 * width;
            let place = Rect { x, y, width: width.saturating_sub(1), height: parts.graphs };
            super::metrics::small(app, graph, false, at, place.intersection(area), buf);
        }
        y += parts.graphs;
    }
    alert_panel::draw(app, at, Rect { y, height: parts.alerts, ..area }.intersection(area), buf);
}

/// The matrix: as many of its rows as there is room for, under a heading.
fn matrix(app: &App, rows: &[RowId], at: Now, top: Rect, buf: &mut Buffer) {
    let above = top.height;
    let columns = Columns::for_matrix(top.width, app.matrix());
    if above > 0 {
        heading(app, columns, top, buf);
    }
    let cursor = position(app, rows);
    if rows.is_empty() {
        let text =
            if app.filter.value().is_empty() { "nothing is failing" } else { "nothing matches the filter" };
        Pen::new(buf, top, 1, app.glyphs).skip(3).put(text, app.theme.dim);
    }
    let roles = app.matrix().roles(at);
    for (line, index) in (app.scroll..rows.len()).take(usize::from(above.saturating_sub(1))).enumerate() {
        let Some(row) = rows.get(index) else { break };
        let place = Rect { y: top.y + 1 + line as u16, height: 1, ..top };
        match row {
            RowId::Layer(layer) => {
                let role = roles.get(*layer).copied().map(|r| role_note(app.matrix(), r)).unwrap_or_default();
                layer_row(app, *layer, &role, at, columns, place, buf);
            }
            RowId::Probe(probe) => probe_row(app, *probe, at, columns, place, buf),
        }
        if index == cursor {
            buf.set_style(place, app.theme.selected);
        }
    }
    more_note(app, rows.len(), above, top, buf);
}

/// How many rows are out of sight, at the right end of the heading.
fn more_note(app: &App, rows: usize, above: u16, area: Rect, buf: &mut Buffer) {
    let shown = usize::from(above.saturating_sub(1));
    if rows > shown {
        let text = format!("  {}-{} of {rows} ", app.scroll + 1, (app.scroll + shown).min(rows));
        Pen::new(buf, area, 0, app.glyphs).to_right(text.len() as u16).put(&text, app.theme.dim);
    }
}

fn heading(app: &App, c: Columns, area: Rect, buf: &mut Buffer) {
    let dim = app.theme.dim;
    let mut pen = Pen::new(buf, area, 0, app.glyphs);
    if c.before > 5 {
        pen.skip(5).put("state ", dim);
    }
    pen.x = area.x + c.before;
    pen.put("probe ", dim);
    pen.x = area.x + c.before + c.name;
    if c.host > 0 {
        pen.put("host ", dim);
        pen.x = area.x + c.before + c.name + c.host;
    }
    if c.latency > 0 {
        pen.right("took ", c.latency, dim);
    }
    if c.strip > 0 {
        pen.right(&fit("last ", usize::from(c.strip), app.glyphs), c.strip, dim);
    }
    pen.right("since", 6, dim);
    if c.age > 0 {
        pen.right(" age", c.age, dim);
    }
    pen.skip(2).put("reason", dim);
}

fn layer_row(app: &App, layer: usize, role: &str, at: Now, c: Columns, place: Rect, buf: &mut Buffer) {
    let matrix = app.matrix();
    let Some(meta) = matrix.layers().get(layer) else { return };
    let tally = matrix.layer_tally(layer, at);
    let health = tally.worst();
    let style = app.theme.health(health);
    let folded = app.folded.contains(&layer);
    let mut pen = Pen::new(buf, place, 0, app.glyphs);
    pen.cell(app.glyphs.folded(folded), 2, app.theme.dim);
    pen.cell(&meta.name, c.before - 2 + c.name, app.theme.text.patch(app.theme.title));
    pen.put(app.glyphs.health(health), style).put(" ", style).put(&tally_words(tally), style);
    if !role.is_empty() {
        pen.skip(2).put(role, app.theme.accent);
    }
    if folded
        && health != Health::Up
        && let Some((_, shown)) = worst_probe(matrix, layer, at)
    {
        pen.skip(2).put(&shown.reason, app.theme.dim);
    }
}

/// `3 up`, or the failing ones out of all: `1 down of 4`.
fn tally_words(tally: Tally) -> String {
    match tally.worst() {
        Health::Up => format!("{} up", tally.up),
        worst => format!("{} {worst} of {}", tally.count(worst), tally.total()),
    }
}

fn probe_row(app: &App, probe: ProbeIndex, at: Now, c: Columns, place: Rect, buf: &mut Buffer) {
    let matrix: &Matrix = app.matrix();
    let Some((meta, state)) = matrix.probe(probe) else { return };
    let shown = matrix.shown(probe, at);
    let style = app.theme.health(shown.health);
    let mut pen = Pen::new(buf, place, 0, app.glyphs);
    pen.skip(3).cell(app.glyphs.health(shown.health), 2, style);
    pen.cell(shown.health.as_str(), c.before - 5, style);
    pen.cell(&meta.name, c.name - 1, app.theme.text).skip(1);
    if c.host > 0 {
        pen.cell(meta.host.as_str(), c.host - 1, app.theme.dim).skip(1);
    }
    if c.latency > 0 {
        let latency =
            state.last.as_ref().and_then(|l| l.latency).map(units::table_latency).unwrap_or_default();
        pen.right(&latency, c.latency - 1, app.theme.dim).skip(1);
    }
    if c.strip > 0 {
        strip(app, state, c.strip, &mut pen);
    }
    // Forty rows that count the seconds since the start tell nothing and never stand still; where
    // something is wrong, each second counts.
    let since = match shown.since {
        Some(d) if shown.health == Health::Up && d < Duration::from_secs(60) => "<1m".to_owned(),
        Some(d) => units::short_age(d),
        None => String::new(),
    };
    pen.right(&since, 6, if shown.health == Health::Up { app.theme.dim } else { style });
    if c.age > 0 {
        let (age, style) = age(shown.age, meta.interval + meta.timeout, meta.interval, app);
        pen.right(&age, c.age, style);
    }
    let reason_style = if shown.health == Health::Up { app.theme.dim } else { app.theme.text };
    pen.skip(2).put(&shown.reason, reason_style);
}

/// The age of a result. While it keeps its pace that is its interval, which does not tick; when
/// it is late it is the age itself, standing out.
fn age(age: Option<Duration>, late: Duration, interval: Duration, app: &App) -> (String, Style) {
    match age {
        None => (String::new(), app.theme.dim),
        Some(age) if age <= late => (format!("≤{}", coarse(interval)), app.theme.dim),
        Some(age) => (units::short_age(age), app.theme.unknown),
    }
}

/// The last outcomes, newest at the right.
fn strip(app: &App, state: &ProbeState, width: u16, pen: &mut Pen<'_>) {
    let keep = usize::from(width.saturating_sub(1));
    let shown = state.history.len().min(keep);
    pen.skip((keep - shown) as u16);
    for past in state.history.iter().skip(state.history.len() - shown) {
        let style = if past.health == Health::Up { app.theme.dim } else { app.theme.health(past.health) };
        pen.put(app.glyphs.outcome(past.health), style);
    }
    pen.skip(1);
}
