//! A graph: lines over time with both axes, thresholds, changes and a cursor. Lines are told apart
//! by letters on them, so that colour is never needed.

use super::axis::{self, Ticks, ticks, time_ticks};
use super::canvas::{Canvas, Form};
use super::trace::{Frame, Left, Trace, extremes, plot};
use crate::domain::board::{Mark, MarkKind};
use crate::domain::series::Millis;
use crate::domain::text::one_line;
use crate::stack::metrics::{Threshold, Unit};
use crate::tui::glyph::Glyphs;
use crate::tui::theme::Theme;
use crate::tui::view::paint::columns;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// The most lines that are drawn; a legend says how many there are.
pub const MAX_LINES: usize = 40;

/// The widest label of the value axis.
const LABELS: usize = 14;

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    pub traces: &'a [Trace<'a>],
    pub from: Millis,
    pub to: Millis,
    pub step: Millis,
    pub unit: Unit,
    /// The least and greatest value of the axis, where it does not follow the data.
    pub bounds: (Option<f64>, Option<f64>),
    pub thresholds: &'a [Threshold],
    pub marks: &'a [Mark],
    pub cursor: Option<Millis>,
    /// The line that stands out.
    pub selected: Option<usize>,
}

/// How it is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    pub theme: &'a Theme,
    pub glyphs: Glyphs,
    pub form: Form,
}

impl Look<'_> {
    /// The style of a line, whether it stands out or recedes.
    pub fn line(&self, index: usize, selected: Option<usize>) -> Style {
        let style = self.theme.line(index);
        match selected {
            Some(s) if s == index => style.add_modifier(Modifier::BOLD),
            Some(_) => self.theme.dim,
            None => style,
        }
    }
}

/// The letter of a line: a to z, then A to N.
pub fn letter(index: usize) -> char {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN";
    LETTERS.get(index % LETTERS.len()).map_or('?', |b| char::from(*b))
}

/// The letter of a change, and its word.
pub fn mark_sign(kind: MarkKind) -> (char, &'static str) {
    match kind {
        MarkKind::Restart => ('R', "restart"),
        MarkKind::Deploy => ('D', "deploy"),
        MarkKind::Run => ('P', "procedure"),
        MarkKind::Incident => ('I', "incident"),
        MarkKind::Alert => ('A', "alert"),
    }
}

/// A threshold in words: its label, and its value unless the label says it.
pub fn limit(threshold: &Threshold, unit: Unit) -> String {
    let (label, value) = (one_line(&threshold.label, 24), axis::value(threshold.value, unit));
    if label.contains(&value) { label } else { format!("{label} {value}").trim().to_owned() }
}

/// The value axis: from the data, the file and the thresholds that do not press the data flat.
pub fn value_range(scene: &Scene<'_>) -> (f64, f64) {
    let data = extremes(scene.traces, scene.from, scene.to);
    let (mut lo, mut hi) = data.unwrap_or((0.0, 0.0));
    if lo > 0.0 && lo < hi / 2.0 {
        lo = 0.0;
    } else if hi < 0.0 && hi > lo / 2.0 {
        hi = 0.0;
    }
    let span = hi - lo;
    for threshold in scene.thresholds.iter().filter(|t| t.value.abs() <= axis::HUGE) {
        let (l, h) = (lo.min(threshold.value), hi.max(threshold.value));
        if span == 0.0 || h - l <= span * 4.0 {
            (lo, hi) = (l, h);
        }
    }
    let (lo, hi) = (scene.bounds.0.unwrap_or(lo), scene.bounds.1.unwrap_or(hi));
    if hi < lo { (hi, lo) } else { (lo, hi) }
}

/// Draws the lines and both axes. Without room for axes it draws the lines alone.
pub fn draw(scene: &Scene<'_>, look: &Look<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let fixed = (scene.bounds.0.is_some(), scene.bounds.1.is_some());
    let axis = u16::from(area.height >= 3);
    let most = usize::from((area.height - axis) / 2).clamp(1, 8);
    let scale = ticks(value_range(scene), fixed, most, scene.unit);
    let widest = scale.at.iter().map(|(_, l)| columns(l)).max().unwrap_or(0).min(LABELS);
    let left = if area.width >= 24 { widest.max(3) as u16 + 1 } else { 0 };
    let place = Rect { x: area.x + left, width: area.width - left, height: area.height - axis, ..area };
    let frame = Frame { from: scene.from, to: scene.to, step: scene.step, lo: scale.lo, hi: scale.hi };
    let mut plot = Plot {
        scene,
        look,
        frame,
        canvas: Canvas::new(look.form.on(look.glyphs), place.width, place.height),
        place,
        taken: vec![false; usize::from(place.width) * usize::from(place.height)],
    };
    let marks = plot.trace();
    plot.changes(buf);
    plot.thresholds(buf);
    plot.dots(buf);
    plot.signs(&marks, buf);
    plot.cursor(buf);
    if left > 0 {
        plot.value_labels(&scale, Rect { width: left, height: place.height, ..area }, buf);
        if axis > 0 && left >= 4 {
            buf.set_stringn(area.x, area.bottom() - 1, "UTC", 3, look.theme.dim);
        }
    }
    if axis > 0 {
        let line = Rect { y: area.bottom() - 1, height: 1, ..place };
        times(scene, look, line, buf);
    }
}

/// The labels of the time axis.
fn times(scene: &Scene<'_>, look: &Look<'_>, line: Rect, buf: &mut Buffer) {
    let mut free = line.x;
    for (column, text) in time_ticks(scene.from, scene.to, line.width) {
        let wide = columns(&text) as u16;
        let middle = line.x + column;
        let x = middle.saturating_sub(wide / 2).max(line.x).min(line.right().saturating_sub(wide));
        if x >= free && x + wide <= line.right() {
            buf.set_stringn(x, line.y, &text, usize::from(wide), look.theme.dim);
            free = x + wide + 1;
        }
    }
}

/// The inside of a graph while it is drawn.
struct Plot<'a> {
    scene: &'a Scene<'a>,
    look: &'a Look<'a>,
    frame: Frame,
    canvas: Canvas,
    place: Rect,
    /// Cells with a sign that nothing may cover.
    taken: Vec<bool>,
}

impl Plot<'_> {
    /// Draws all lines on the canvas, the selected one last and so on top.
    fn trace(&mut self) -> Vec<(usize, Left)> {
        let mut order: Vec<usize> = (0..self.scene.traces.len().min(MAX_LINES)).collect();
        if let Some(selected) = self.scene.selected {
            order.sort_by_key(|i| *i == selected);
        }
        let mut out = Vec::with_capacity(order.len());
        for index in order {
            if let Some(trace) = self.scene.traces.get(index) {
                let owner = u8::try_from(index).unwrap_or(u8::MAX);
                out.push((index, plot(&mut self.canvas, trace.samples, &self.frame, owner)));
            }
        }
        out
    }

    fn put(&self, column: u16, row: u16, sign: char, style: Style, buf: &mut Buffer) {
        if column < self.place.width
            && row < self.place.height
            && let Some(cell) = buf.cell_mut((self.place.x + column, self.place.y + row))
        {
            cell.set_char(sign).set_style(style);
        }
    }

    /// Puts a sign where no other sign is.
    fn sign(&mut self, column: u16, row: u16, sign: char, style: Style, buf: &mut Buffer) -> bool {
        let place = usize::from(row) * usize::from(self.place.width) + usize::from(column);
        match self.taken.get_mut(place) {
            Some(taken) if !*taken && column < self.place.width => *taken = true,
            _ => return false,
        }
        self.put(column, row, sign, style, buf);
        true
    }

    fn row_of(&self, v: f64) -> u16 {
        let (_, down) = self.look.form.on(self.look.glyphs).dots();
        self.frame.row(v, self.canvas.size().1) / down
    }

    /// Each threshold as a dashed line with its label where no line runs.
    fn thresholds(&mut self, buf: &mut Buffer) {
        let unicode = self.look.glyphs == Glyphs::Unicode;
        let style = self.look.theme.degraded;
        for threshold in self.scene.thresholds {
            let label = limit(threshold, self.scene.unit);
            if threshold.value > self.frame.hi {
                let text = format!("{} {label}", if unicode { '↑' } else { '^' });
                let _ = (0..self.place.height).any(|row| self.words(row, &text, style, buf));
                continue;
            }
            if threshold.value < self.frame.lo {
                let text = format!("{} {label}", if unicode { '↓' } else { 'v' });
                let _ = (0..self.place.height).rev().any(|row| self.words(row, &text, style, buf));
                continue;
            }
            let row = self.row_of(threshold.value);
            for column in 0..self.place.width {
                self.put(column, row, if unicode { '╌' } else { '-' }, style, buf);
            }
            let _ = self.words(row, &label, style, buf);
        }
    }

    /// Writes into a row at its right end, or else its left: where no line runs.
    /// Tells whether there was such a place.
    fn words(&mut self, row: u16, text: &str, style: Style, buf: &mut Buffer) -> bool {
        let text = self.look.glyphs.plain(text).into_owned();
        let wide = columns(&text) as u16 + 2;
        if wide > self.place.width {
            return false;
        }
        for start in [self.place.width - wide, 0] {
            let span = start..start + wide;
            let free = span.clone().all(|c| {
                let place = usize::from(row) * usize::from(self.place.width) + usize::from(c);
                self.canvas.cell(c, row).is_none() && self.taken.get(place) == Some(&false)
            });
            if free {
                buf.set_stringn(
                    self.place.x + start,
                    self.place.y + row,
                    format!(" {text} "),
                    usize::from(wide),
                    style,
                );
                for c in span {
                    let place = usize::from(row) * usize::from(self.place.width) + usize::from(c);
                    if let Some(taken) = self.taken.get_mut(place) {
                        *taken = true;
                    }
                }
                return true;
            }
        }
        false
    }

    /// Changes as vertical lines with the letter of their kind on top, the gravest where several
    /// are in one column.
    fn changes(&mut self, buf: &mut Buffer) {
        let mut kinds: Vec<Option<MarkKind>> = vec![None; usize::from(self.place.width)];
        for mark in self.scene.marks {
            if let Some(column) = self.frame.column(mark.at.as_millisecond(), self.place.width)
                && let Some(kind) = kinds.get_mut(usize::from(column))
            {
                *kind = (*kind).max(Some(mark.kind));
            }
        }
        let bar = if self.look.glyphs == Glyphs::Unicode { '┆' } else { '|' };
        for (column, kind) in (0..self.place.width).zip(kinds) {
            let Some(kind) = kind else { continue };
            for row in 1..self.place.height {
                let place = usize::from(row) * usize::from(self.place.width) + usize::from(column);
                if self.taken.get(place) == Some(&false) {
                    self.put(column, row, bar, self.look.theme.border, buf);
                }
            }
            self.sign(column, 0, mark_sign(kind).0, self.look.theme.accent, buf);
        }
    }

    fn dots(&self, buf: &mut Buffer) {
        let lines: Vec<Style> = (0..self.scene.traces.len().min(MAX_LINES))
            .map(|i| self.look.line(i, self.scene.selected))
            .collect();
        for row in 0..self.place.height {
            for column in 0..self.place.width {
                if let Some((sign, owner)) = self.canvas.cell(column, row) {
                    let place = usize::from(row) * usize::from(self.place.width) + usize::from(column);
                    if self.taken.get(place) == Some(&false) {
                        let style = lines.get(usize::from(owner)).copied().unwrap_or_default();
                        self.put(column, row, sign, style, buf);
                    }
                }
            }
        }
    }

    /// Letters on the lines, arrows where they leave the graph, and points that stand alone.
    fn signs(&mut self, lines: &[(usize, Left)], buf: &mut Buffer) {
        let (across, down) = self.look.form.on(self.look.glyphs).dots();
        let many = lines.len() > 1;
        let (up, below) = if self.look.glyphs == Glyphs::Unicode { ('▲', '▼') } else { ('^', 'v') };
        let point = if self.look.glyphs == Glyphs::Unicode { '•' } else { '*' };
        let last = self.place.height.saturating_sub(1);
        for (index, left) in lines {
            let style = self.look.line(*index, self.scene.selected);
            for x in &left.above {
                self.sign(x / across, 0, up, style, buf);
            }
            for x in &left.below {
                self.sign(x / across, last, below, style, buf);
            }
            for (x, y) in &left.lonely {
                self.sign(x / across, y / down, if many { letter(*index) } else { point }, style, buf);
            }
        }
        if !many {
            return;
        }
        let period = (lines.len() * 4).max(16);
        for (index, left) in lines {
            let style = self.look.line(*index, self.scene.selected).add_modifier(Modifier::BOLD);
            let end = left.rows.iter().rposition(Option::is_some).map(|x| x as u16 / across);
            let along =
                (0..self.place.width).filter(|c| usize::from(*c) % period == (index * 4 + 3) % period);
            for column in along.chain(end) {
                let row = (0..across)
                    .filter_map(|i| left.rows.get(usize::from(column * across + i)).copied().flatten())
                    .next_back();
                if let Some(row) = row {
                    self.sign(column, row / down, letter(*index), style, buf);
                }
            }
        }
    }

    fn cursor(&self, buf: &mut Buffer) {
        let Some(at) = self.scene.cursor else { return };
        let Some(column) = self.frame.column(at, self.place.width) else { return };
        let bar = if self.look.glyphs == Glyphs::Unicode { '│' } else { '|' };
        for row in 0..self.place.height {
            if let Some(cell) = buf.cell_mut((self.place.x + column, self.place.y + row)) {
                if self.canvas.cell(column, row).is_none() && cell.symbol() != "•" {
                    cell.set_char(bar);
                }
                cell.set_style(self.look.theme.selected);
            }
        }
    }

    fn value_labels(&self, scale: &Ticks, area: Rect, buf: &mut Buffer) {
        let mut rows: Vec<u16> = Vec::new();
        for (v, label) in &scale.at {
            let row = self.row_of(*v);
            // Two ticks in one row: the first holds.
            if rows.contains(&row) {
                continue;
            }
            rows.push(row);
            let room = usize::from(area.width.saturating_sub(1));
            let cut = super::super::view::paint::fit(label, room, self.look.glyphs);
            let x = area.x + (room - columns(&cut).min(room)) as u16;
            buf.set_stringn(x, area.y + row, &cut, room, self.look.theme.dim);
        }
        let (bar, tick) = if self.look.glyphs == Glyphs::Unicode { ('│', '┤') } else { ('|', '+') };
        for row in 0..area.height {
            if let Some(cell) = buf.cell_mut((area.right() - 1, area.y + row)) {
                cell.set_char(if rows.contains(&row) { tick } else { bar });
                cell.set_style(self.look.theme.border);
            }
        }
    }
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
