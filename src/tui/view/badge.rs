//! Badges on a line: in full where there is room, in short where there is not.

use super::paint::{columns, fit as cut};
use crate::tui::glyph::Glyphs;
use crate::tui::model::badge::Badge;
use crate::tui::model::tone::Tone;

/// The badges that fit into so many columns: in full, else in short, else the first and a count,
/// cut to `most`. Each takes four columns more than its text.
pub fn fit(all: &[Badge], room: usize, most: usize, glyphs: Glyphs) -> Vec<(Tone, String)> {
    let wide = |texts: &[(Tone, String)]| -> usize { texts.iter().map(|(_, t)| columns(t) + 4).sum() };
    let long: Vec<_> = all.iter().map(|b| (b.tone, b.long.clone())).collect();
    if wide(&long) <= room {
        return long;
    }
    let short: Vec<_> = all.iter().map(|b| (b.tone, b.short.clone())).collect();
    if wide(&short) <= room {
        return short;
    }
    let Some((tone, first)) = short.first().cloned() else { return Vec::new() };
    let more = match all.len() - 1 {
        0 => String::new(),
        more => format!(" +{more}"),
    };
    let left = most.saturating_sub(4 + columns(&more));
    vec![(tone, format!("{}{more}", cut(&first, left, glyphs)))]
}
