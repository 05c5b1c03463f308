//! The legend of a graph: which letter is which line, and its value now or under the cursor.

use super::axis::value;
use super::graph::{Look, MAX_LINES, Scene, letter, mark_sign};
use super::trace::{extremes, value_at};
use crate::domain::text::one_line;
use crate::tui::view::paint::{Pen, columns, fit};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The longest name of a line that is shown, in characters.
const NAME: usize = 120;

/// The value of a line at the cursor, or else at the graph's end; `-` where there is none.
pub fn value_of(scene: &Scene<'_>, index: usize) -> String {
    let at = scene.cursor.unwrap_or(scene.to);
    let found = scene.traces.get(index).and_then(|t| value_at(t.samples, at, scene.step));
    found.map_or_else(|| "-".to_owned(), |v| value(v, scene.unit))
}

/// Flows the lines' names and values over the rows of an area; what has no room is counted.
pub fn flow(scene: &Scene<'_>, look: &Look<'_>, area: Rect, buf: &mut Buffer) {
    let total = scene.traces.len();
    let mut index = 0;
    for line in 0..area.height {
        let mut pen = Pen::new(buf, area, line, look.glyphs);
        let last_line = line + 1 == area.height;
        let mut first = true;
        while let Some(trace) = scene.traces.get(index) {
            let shown = value_of(scene, index);
            let name = one_line(trace.name, NAME);
            let sign = if total > 1 { format!("{} ", letter(index)) } else { String::new() };
            let more = format!(" +{} more", total - index - 1);
            let keep = if last_line && index + 1 < total { columns(&more) } else { 0 };
            let gap = if first { 0 } else { 2 };
            let room = usize::from(pen.room()).saturating_sub(keep + gap);
            let fixed = columns(&sign) + columns(&shown) + 1;
            // A name is cut only where it stands alone on its line.
            if !first && fixed + columns(&name) > room {
                break;
            }
            pen.skip(gap as u16).put(&sign, look.line(index, scene.selected));
            let name = fit(&name, room.saturating_sub(fixed), look.glyphs).into_owned();
            pen.put(&name, look.theme.dim);
            if !name.is_empty() {
                pen.put(" ", look.theme.dim);
            }
            pen.put(&shown, look.theme.text);
            (first, index) = (false, index + 1);
        }
        if last_line && index < total {
            pen.put(&format!(" +{} more", total - index), look.theme.dim);
        }
    }
}

/// Every line with its value, least, mean and greatest: one row each, the selected one in view.
pub fn table(scene: &Scene<'_>, look: &Look<'_>, area: Rect, buf: &mut Buffer) {
    let theme = look.theme;
    let wide = area.width >= 60;
    let heading = if scene.cursor.is_some() { "at cursor" } else { "last" };
    let mut pen = Pen::new(buf, area, 0, look.glyphs);
    let figures = if wide { 44 } else { 11 };
    let name = area.width.saturating_sub(figures + 4);
    pen.skip(3).cell("series", name, theme.dim).right(heading, 11, theme.dim);
    if wide {
        pen.right("least", 11, theme.dim).right("mean", 11, theme.dim).right("greatest", 11, theme.dim);
    }
    let room = usize::from(area.height.saturating_sub(1));
    let drawn = scene.traces.len().min(MAX_LINES);
    let first = scene.selected.map_or(0, |s| (s + 1).saturating_sub(room));
    for (line, index) in (first..drawn).take(room).enumerate() {
        let Some(trace) = scene.traces.get(index) else { break };
        let row = Rect { y: area.y + 1 + line as u16, height: 1, ..area };
        let mut pen = Pen::new(buf, row, 0, look.glyphs);
        let sign = letter(index).to_string();
        pen.skip(1).cell(&sign, 2, look.line(index, scene.selected));
        pen.cell(&one_line(trace.name, NAME), name.saturating_sub(1), theme.text).skip(1);
        pen.right(&value_of(scene, index), 11, theme.text);
        if wide {
            for figure in summary(scene, index) {
                pen.right(&figure, 11, theme.dim);
            }
        }
        if scene.selected == Some(index) {
            buf.set_style(row, theme.selected);
        }
    }
    let hidden = scene.traces.len().saturating_sub(first + room.min(drawn - first.min(drawn)));
    if hidden > 0 || first > 0 {
        let text = format!(" {} of {} ", (first + room).min(drawn), scene.traces.len());
        Pen::new(buf, area, 0, look.glyphs).skip(10).put(&text, theme.dim);
    }
}

/// Least, mean and greatest of a line in words.
fn summary(scene: &Scene<'_>, index: usize) -> [String; 3] {
    let Some(trace) = scene.traces.get(index) else { return Default::default() };
    let Some((lo, hi)) = extremes([trace], scene.from, scene.to) else {
        return ["-".to_owned(), "-".to_owned(), "-".to_owned()];
    };
    let finite = trace.samples.iter().filter(|s| (scene.from..=scene.to).contains(&s.t) && s.v.is_finite());
    let (sum, count) = finite.fold((0.0, 0u32), |(sum, n), s| (sum + s.v, n + 1));
    let mean = sum / f64::from(count.max(1));
    [value(lo, scene.unit), value(mean, scene.unit), value(hi, scene.unit)]
}

/// The changes on a graph in words, newest first: `A 02:50 error rate  R 02:41 api restarted`.
pub fn changes(scene: &Scene<'_>, look: &Look<'_>, area: Rect, buf: &mut Buffer) {
    let mut inside: Vec<_> =
        scene.marks.iter().filter(|m| (scene.from..=scene.to).contains(&m.at.as_millisecond())).collect();
    inside.sort_by_key(|m| std::cmp::Reverse(m.at));
    let mut pen = Pen::new(buf, area, 0, look.glyphs);
    for (i, mark) in inside.iter().enumerate() {
        let (sign, word) = mark_sign(mark.kind);
        let said = one_line(&mark.text, 80);
        let text = format!("{} {}", mark.at.strftime("%H:%M"), if said.is_empty() { word } else { &said });
        let left = inside.len() - i;
        if i > 0 && columns(&text) + 4 > usize::from(pen.room()) {
            pen.put(&format!("  +{left} more"), look.theme.dim);
            return;
        }
        pen.put(if i > 0 { "  " } else { "" }, look.theme.dim);
        pen.put(&sign.to_string(), look.theme.accent).put(" ", look.theme.dim).put(&text, look.theme.dim);
    }
}

/// Whether any change is on the graph.
pub fn has_changes(scene: &Scene<'_>) -> bool {
    scene.marks.iter().any(|m| (scene.from..=scene.to).contains(&m.at.as_millisecond()))
}
