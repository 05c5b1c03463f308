//! Badges on a line: in full where there is room, in short where there is not.

use super::paint::columns;
use crate::tui::model::badge::Badge;
use crate::tui::model::tone::Tone;

/// The badges that fit into so many columns: in full, else in short, else the first and a count.
pub fn fit(all: &[Badge], room: usize) -> Vec<(Tone, String)> {
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
    match all.len() - 1 {
        0 => vec![(tone, first)],
        more => vec![(tone, format!("{first} +{more}"))],
    }
}
