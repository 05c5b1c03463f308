//! The metrics screen: its heading, the grid of graphs, and one graph in full size.

use super::paint::{Pen, columns, rule, wrap};
use super::{families, query, targets};
use crate::clock::Now;
use crate::domain::board::GraphData;
use crate::domain::series::Millis;
use crate::domain::text::one_line;
use crate::domain::units::{long_age, short_age};
use crate::stack::metrics::{Graph, Unit};
use crate::tui::app::App;
use crate::tui::model::alerts::{is_troubled, safe, troubles};
use crate::tui::model::metrics::{Page, listed, visible};
use crate::tui::widget::graph::{self, Look, Scene};
use crate::tui::widget::trace::Trace;
use crate::tui::widget::{axis, legend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;

/// The least height of a graph in the grid.
const LEAST: u16 = 9;

/// Columns beside the plot: the labels of the value axis, about.
const LABELS: u16 = 8;

/// How the graphs are laid out on the terminal as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub across: usize,
    /// Rows of graphs that are on the screen at once.
    pub rows: usize,
    /// Of one graph, with its title and legend.
    pub width: u16,
    pub height: u16,
}

pub fn grid(app: &App) -> Grid {
    let (width, height) = app.size;
    let count = listed(app).len().max(1);
    let across = match width {
        ..76 => 1,
        76..150 => 2,
        _ => 3,
    }
    .min(count);
    let room = height.saturating_sub(super::frame::ABOVE + super::frame::BELOW + heading_height(app));
    let rows = usize::from(room / LEAST).clamp(1, count.div_ceil(across));
    Grid { across, rows, width: width / across as u16, height: room / rows as u16 }
}

/// The heading, and a line for what is silent.
fn heading_height(app: &App) -> u16 {
    1 + u16::from(is_troubled(app.board()))
}

/// Cells of a plot in an area of this width, about.
pub fn cells(width: u16) -> u16 {
    width.saturating_sub(LABELS).max(2)
}

/// Points that a graph of this width can tell apart, which is what the engine is asked for.
pub fn dots(app: &App, width: u16) -> u16 {
    cells(width).saturating_mul(app.metrics.form.on(app.glyphs).dots().0).min(2000)
}

/// The times of the graph in full size: those of its data, or else those that were asked for.
pub fn shown_range(app: &App, now: Millis) -> (Millis, Millis) {
    let found = match app.metrics.page {
        Page::Query => query::answer(app).map(|a| (a.from, a.to)),
        _ => data(app, app.metrics.graph).map(|d| (d.from, d.to)),
    };
    found.filter(|(from, to)| from < to).unwrap_or_else(|| app.metrics.range(now))
}

fn data(app: &App, graph: usize) -> Option<&GraphData> {
    app.board().graphs.iter().find(|g| g.index.0 == graph).map(AsRef::as_ref)
}

pub fn draw(app: &App, now: Now, area: Rect, buf: &mut Buffer) {
    let at = app.shown_at(now);
    let above = heading_height(app).min(area.height);
    heading(app, at, area, buf);
    if above > 1 {
        let said = troubles(app.board(), at).join("; ");
        Pen::new(buf, area, 1, app.glyphs).skip(1).put("? ", app.theme.unknown).put(&said, app.theme.unknown);
    }
    let body = Rect { y: area.y + above, height: area.height - above, ..area };
    match app.metrics.page {
        Page::Graphs => all(app, at, body, buf),
        Page::Graph => one(app, at, body, buf),
        Page::Targets => targets::draw(app, at, body, buf),
        Page::Families => families::draw(app, at, body, buf),
        Page::Query => query::draw(app, at, body, buf),
    }
}

/// The pages, which of them this is, and on the right which times are shown.
fn heading(app: &App, at: Now, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    rule(buf, area, 0, "", app.glyphs, theme.border, theme.border);
    let page = app.metrics.page;
    let pages = [
        ("graphs", matches!(page, Page::Graphs | Page::Graph)),
        ("targets", matches!(page, Page::Targets | Page::Families)),
        ("expression", page == Page::Query),
    ];
    let mut pen = Pen::new(buf, area, 0, app.glyphs);
    pen.skip(1);
    for (word, here) in pages {
        // The page is told by its brackets, not by its weight alone.
        let (text, style) =
            if here { (format!("[{word}]"), theme.title) } else { (format!(" {word} "), theme.dim) };
        pen.put(&text, theme.over(style));
    }
    let end = pen.x;
    let text = format!(" {} ", times(app, at));
    if columns(&text) + usize::from(end - area.x) < usize::from(area.width) {
        Pen::new(buf, area, 0, app.glyphs)
            .to_right(columns(&text) as u16 + 1)
            .put(&text, theme.over(theme.accent));
    }
}

/// The time shown in words, and where in the list of graphs this is.
fn times(app: &App, at: Now) -> String {
    let m = &app.metrics;
    let span = short_age(m.span());
    let time = match m.end {
        _ if matches!(m.page, Page::Targets | Page::Families) => return counts(app),
        None => format!("last {span}"),
        Some(end) => {
            let ago = Duration::from_millis(u64::try_from(at.wall.as_millisecond() - end).unwrap_or(0));
            format!("{span} until {} ago", long_age(ago))
        }
    };
    if m.page != Page::Graphs {
        return time;
    }
    let (grid, count) = (grid(app), listed(app).len());
    let first = m.scroll * grid.across;
    let last = (first + grid.across * grid.rows).min(count);
    if count > last - first.min(last) { format!("{}-{last} of {count}; {time}", first + 1) } else { time }
}

fn counts(app: &App) -> String {
    let board = app.board();
    let up = board.targets.iter().filter(|t| t.up == Some(true)).count();
    format!(
        "{up} of {} targets up; {} series kept",
        board.targets.len(),
        axis::value(board.engine.series as f64, Unit::None)
    )
}

fn all(app: &App, at: Now, area: Rect, buf: &mut Buffer) {
    let grid = grid(app);
    if app.graphs.is_empty() {
        let text = "this stack file draws no graphs; Tab leads to its targets and to expressions";
        Pen::new(buf, area, 1, app.glyphs).skip(2).put(text, app.theme.dim);
        return;
    }
    let shown = visible(app);
    if shown.is_empty() {
        Pen::new(buf, area, 1, app.glyphs)
            .skip(2)
            .put("no graph matches the filter (Esc clears it)", app.theme.dim);
    }
    for (i, index) in shown.into_iter().enumerate() {
        let (column, row) = ((i % grid.across) as u16, (i / grid.across) as u16);
        let place = Rect {
            x: area.x + column * grid.width,
            y: area.y + row * grid.height,
            width: grid.width.saturating_sub(u16::from(grid.across > 1)),
            height: grid.height,
        };
        let chosen = index == app.metrics.graph;
        small(app, index, chosen, at, place.intersection(area), buf);
    }
}

/// One graph of the grid or of the overview: a title, the plot, a legend.
pub fn small(app: &App, index: usize, chosen: bool, at: Now, area: Rect, buf: &mut Buffer) {
    let Some(graph) = app.graphs.get(index) else { return };
    let data = data(app, index);
    let title_style = if chosen { app.theme.title.patch(app.theme.selected) } else { app.theme.title };
    let sign = if chosen { "> " } else { "" };
    let note = note(app, data, at);
    let heading = Rect { height: 1, ..area };
    rule(buf, heading, 0, "", app.glyphs, app.theme.border, app.theme.border);
    let mut pen = Pen::new(buf, heading, 0, app.glyphs);
    pen.skip(1).put(&format!(" {sign}{} ", safe(&graph.title)), app.theme.over(title_style));
    if !note.is_empty() {
        pen.put(&format!("{note} "), app.theme.over(app.theme.dim));
    }
    let below = u16::from(area.height >= 5) + u16::from(area.height >= 12);
    let plot = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + below), ..area };
    let Some(data) = data.filter(|d| !d.lines.is_empty()) else {
        empty(app, graph, data, at, plot, buf);
        return;
    };
    let traces = traces(data);
    let scene = scene(app, graph, data, &traces);
    let look = look(app);
    graph::draw(&scene, &look, plot, buf);
    let place = Rect { x: area.x + 1, y: plot.bottom(), width: area.width.saturating_sub(1), height: below };
    legend::flow(&scene, &look, place, buf);
}

/// What stands beside a title: why not all is there, and where it comes from.
fn note(app: &App, data: Option<&GraphData>, at: Now) -> String {
    let Some(data) = data else { return String::new() };
    if let Some(trouble) = data.trouble.as_deref().filter(|_| !data.lines.is_empty()) {
        return safe(trouble);
    }
    let wanted = app.metrics.range(at.wall.as_millisecond());
    let off = (wanted.1 - wanted.0) - (data.to - data.from);
    if app.screen == crate::tui::app::Screen::Metrics && off.abs() > (wanted.1 - wanted.0) / 10 {
        return format!("asking for {}", short_age(app.metrics.span()));
    }
    // Data that has stopped coming must not look like the present.
    let old = at.wall.as_millisecond() - data.to;
    if app.metrics.end.is_none() && old > data.step.saturating_mul(3).max(60_000) {
        let age = Duration::from_millis(u64::try_from(old).unwrap_or(0));
        return format!("until {} ago", long_age(age));
    }
    if data.remote { "Prometheus".to_owned() } else { String::new() }
}

/// An empty graph still has its axes; over them it says why it is empty.
fn empty(app: &App, graph: &Graph, data: Option<&GraphData>, at: Now, area: Rect, buf: &mut Buffer) {
    let (from, to) = app.metrics.range(at.wall.as_millisecond());
    let scene = Scene { from, to, step: 0, ..scene_of(app, graph, &[]) };
    graph::draw(&scene, &look(app), area, buf);
    let (text, style) = match data {
        None => ("not evaluated yet".to_owned(), app.theme.dim),
        Some(d) => match &d.trouble {
            Some(trouble) => (safe(trouble), app.theme.unknown),
            None => ("no series yet; a rate needs two scrapes".to_owned(), app.theme.unknown),
        },
    };
    let inside =
        Rect { x: area.x + LABELS.min(area.width), width: area.width.saturating_sub(LABELS + 1), ..area };
    for (line, part) in
        wrap(&text, usize::from(inside.width)).iter().take(usize::from(area.height)).enumerate()
    {
        let line = (area.height / 3).min(area.height.saturating_sub(1)) + line as u16;
        Pen::new(buf, inside, line, app.glyphs).put(part, style);
    }
}

fn traces(data: &GraphData) -> Vec<Trace<'_>> {
    data.lines.iter().map(|d| Trace { name: &d.legend, samples: &d.line.samples }).collect()
}

fn scene_of<'a>(app: &'a App, graph: &'a Graph, traces: &'a [Trace<'a>]) -> Scene<'a> {
    Scene {
        traces,
        from: 0,
        to: 0,
        step: 0,
        unit: graph.unit,
        bounds: (graph.min, graph.max),
        thresholds: &graph.thresholds,
        marks: &app.marks,
        cursor: app.metrics.cursor,
        selected: None,
    }
}

fn scene<'a>(app: &'a App, graph: &'a Graph, data: &GraphData, traces: &'a [Trace<'a>]) -> Scene<'a> {
    Scene { from: data.from, to: data.to, step: data.step, ..scene_of(app, graph, traces) }
}

pub fn look(app: &App) -> Look<'_> {
    Look { theme: &app.theme, glyphs: app.glyphs, form: app.metrics.form }
}

fn one(app: &App, at: Now, area: Rect, buf: &mut Buffer) {
    let Some(graph) = app.graphs.get(app.metrics.graph) else { return };
    let data = data(app, app.metrics.graph);
    let mut pen = Pen::new(buf, area, 0, app.glyphs);
    pen.skip(1).put(&safe(&graph.title), app.theme.title);
    for threshold in &graph.thresholds {
        pen.skip(2).put(&graph::limit(threshold, graph.unit), app.theme.degraded);
    }
    pen.skip(2).put(&note(app, data, at), app.theme.dim);
    let below = u16::from(!graph.help.is_empty() && area.height >= 12);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + below), ..area };
    if below > 0 {
        let help = one_line(&graph.help, 400);
        let rows =
            if graph.rows.is_empty() { String::new() } else { format!(" ({})", safe(&graph.rows.join(" "))) };
        Pen::new(buf, area, area.height - 1, app.glyphs).skip(1).put(&format!("{help}{rows}"), app.theme.dim);
    }
    match data.filter(|d| !d.lines.is_empty()) {
        None => empty(app, graph, data, at, body, buf),
        Some(data) => {
            let traces = traces(data);
            let scene = Scene { selected: app.metrics.line, ..scene(app, graph, data, &traces) };
            full(app, &scene, body, buf);
        }
    }
}

/// A plot with its changes in words and a table of its lines below.
pub fn full(app: &App, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let table =
        if area.height < 9 { 1 } else { (scene.traces.len() as u16 + 1).clamp(2, (area.height / 3).max(3)) };
    let changes = u16::from(area.height >= 9 && legend::has_changes(scene));
    let cursor = u16::from(scene.cursor.is_some() && area.height >= 5);
    let plot = Rect { height: area.height.saturating_sub(table + changes + cursor), ..area };
    let look = look(app);
    graph::draw(scene, &look, plot, buf);
    let mut y = plot.bottom();
    if let (1, Some(at)) = (cursor, scene.cursor) {
        let place = Rect { y, height: 1, ..area };
        let time =
            jiff::Timestamp::from_millisecond(at).map(|t| t.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
        Pen::new(buf, place, 0, app.glyphs)
            .skip(1)
            .put("cursor at ", app.theme.dim)
            .put(&time.unwrap_or_default(), app.theme.accent);
        y += 1;
    }
    if changes > 0 {
        let place = Rect { x: area.x + 1, y, width: area.width.saturating_sub(1), height: 1 };
        legend::changes(scene, &look, place, buf);
        y += 1;
    }
    let place = Rect { y, height: area.bottom().saturating_sub(y), ..area };
    if area.height < 9 {
        let inside = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..place };
        legend::flow(scene, &look, inside, buf);
    } else {
        legend::table(scene, &look, place, buf);
    }
}
