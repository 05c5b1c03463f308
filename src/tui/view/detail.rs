//! The detail pane: everything known about the row under the cursor.

use super::paint::{Pen, rule, wrap};
use crate::clock::Now;
use crate::tui::app::App;
use crate::tui::model::detail::{self, Line};
use crate::tui::model::rows::RowId;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Columns of a field's name.
pub(super) const LABEL: u16 = 11;
/// A narrower place has no column for names: each stands before its text.
const NARROW: u16 = 46;

/// The title and the lines for a row.
fn content(app: &App, row: Option<RowId>, at: Now) -> Option<(String, Vec<Line>)> {
    let matrix = app.matrix();
    match row? {
        RowId::Probe(p) => {
            let (meta, _) = matrix.probe(p)?;
            Some((format!("{} ({})", meta.name, meta.id), detail::of_probe(matrix, p, at)))
        }
        RowId::Layer(l) => {
            let meta = matrix.layers().get(l)?;
            Some((format!("layer {}", meta.name), detail::of_layer(matrix, l, at)))
        }
    }
}

/// How far the details of a row can be scrolled, on the terminal as it is.
pub fn last_scroll(app: &App, row: Option<RowId>, now: Now) -> usize {
    let lines = content(app, row, app.shown_at(now)).map(|(_, l)| l).unwrap_or_default();
    let room = super::overview::detail_height(app).saturating_sub(1);
    height_of(app, &lines).saturating_sub(room)
}

pub fn draw(app: &App, row: Option<RowId>, at: Now, area: Rect, buf: &mut Buffer) {
    pane(app, &content(app, row, at).unwrap_or_default(), app.detail_scroll, area, buf);
}

/// Screen lines that lines take, on the terminal as it is.
pub fn height_of(app: &App, lines: &[Line]) -> usize {
    lay_out(app, lines, app.size.0.saturating_sub(2)).len()
}

/// A titled pane of lines, scrolled so far as there are lines.
pub fn pane(app: &App, (title, lines): &(String, Vec<Line>), scrolled: usize, area: Rect, buf: &mut Buffer) {
    let heading = Rect { width: area.width.saturating_sub(12), ..area };
    rule(buf, area, 0, "", app.glyphs, app.theme.border, app.theme.border);
    rule(buf, heading, 0, title, app.glyphs, app.theme.border, app.theme.over(app.theme.title));
    let inner = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(1),
    };
    let laid = lay_out(app, lines, inner.width);
    let last = laid.len().saturating_sub(usize::from(inner.height));
    let scroll = scrolled.min(last);
    for (y, (label, text, style)) in laid.iter().skip(scroll).take(usize::from(inner.height)).enumerate() {
        let mut pen = Pen::new(buf, inner, y as u16, app.glyphs);
        if let Some(label) = label {
            pen.cell(label, LABEL, app.theme.dim);
        }
        pen.put(text, *style);
    }
    let hidden = last - scroll;
    if hidden > 0 {
        let key = app.keymap.key_of(crate::tui::command::Action::DetailDown);
        let note = format!(" {hidden} more: {key} ");
        let width = super::paint::columns(&note) as u16 + 1;
        Pen::new(buf, area, 0, app.glyphs).to_right(width).put(&note, app.theme.over(app.theme.dim));
    }
}

/// A screen line: the label (empty to indent, none for the whole width), the text, its style.
pub(super) type Laid<'a> = (Option<&'a str>, String, Style);

pub(super) fn lay_out<'a>(app: &App, lines: &'a [Line], width: u16) -> Vec<Laid<'a>> {
    let theme = &app.theme;
    let mut out: Vec<Laid<'a>> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        match line {
            Line::Title(text) => out.push((None, text.clone(), theme.title)),
            Line::Field(label, text, health) if width < NARROW => {
                let style = health.map_or(theme.text, |h| theme.health(h));
                let text = match *label {
                    "" => format!("- {text}"),
                    label => format!("{label}: {text}"),
                };
                let parts = wrap(&text, usize::from(width.saturating_sub(1)));
                let indent = |(i, part)| if i == 0 { part } else { format!(" {part}") };
                out.extend(parts.into_iter().enumerate().map(indent).map(|part| (None, part, style)));
            }
            Line::Field(label, text, health) => {
                let style = health.map_or(theme.text, |h| theme.health(h));
                // Of several things under one name it shows where the next begins.
                let several = label.is_empty() || matches!(lines.get(at + 1), Some(Line::Field("", ..)));
                let indent = if several { "  " } else { "" };
                let room = usize::from(width.saturating_sub(LABEL)).saturating_sub(indent.len());
                for (i, part) in wrap(text, room).into_iter().enumerate() {
                    let first = i == 0;
                    let part = if first { part } else { format!("{indent}{part}") };
                    out.push((Some(if first { label } else { "" }), part, style));
                }
            }
            Line::Text(text) => {
                out.extend(
                    wrap(text, usize::from(width.saturating_sub(2)))
                        .into_iter()
                        .map(|t| (None, format!("  {t}"), theme.text)),
                );
            }
            Line::Raw(text) => out.push((None, format!("  {text}"), theme.dim)),
        }
    }
    out
}
