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
    // What the count is of, where that cuts nothing off.
    let said = counted(all.get(1..).unwrap_or_default());
    let whole = 4 + columns(&first) + columns(&said);
    // A list of many kinds is too much beside the health of the stack.
    let more = if whole <= most.min(room) && said.matches(" +").count() <= 2 { said } else { more };
    let left = most.saturating_sub(4 + columns(&more));
    vec![(tone, format!("{}{more}", cut_name(&first, left, glyphs)))]
}

/// A badge cut to so many columns, in its name: how far it is, or since when, stays to be read.
fn cut_name(badge: &str, room: usize, glyphs: Glyphs) -> String {
    let figure = badge.rsplit_once(' ').filter(|(_, last)| last.starts_with(|c: char| c.is_ascii_digit()));
    match figure {
        Some((name, last)) if columns(badge) > room && columns(last) + 8 <= room => {
            format!("{} {last}", cut(name, room - columns(last) - 1, glyphs))
        }
        _ => cut(badge, room, glyphs).into_owned(),
    }
}

/// How many there are of each kind: ` +1 running +2 owed`.
fn counted(rest: &[Badge]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for badge in rest {
        match kinds.iter_mut().find(|(kind, _)| *kind == badge.kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((badge.kind, 1)),
        }
    }
    kinds.iter().fold(String::new(), |said, (kind, count)| said + &format!(" +{count} {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_counted_by_what_it_is() {
        let badge = |kind, short: &str| Badge {
            tone: Tone::Asks,
            kind,
            short: short.to_owned(),
            long: format!("{short} in many more words than fit"),
        };
        let all = [
            badge("running", "RUN restart 0/4"),
            badge("owed", "OWED clients 3m"),
            badge("owed", "OWED ingress 4m"),
        ];
        for (room, want) in [
            (40, "RUN restart 0/4 +2 owed"),
            (27, "RUN restart 0/4 +2 owed"),
            (22, "RUN restart 0/4 +2"),
            (20, "RUN rest… 0/4 +2"),
        ] {
            assert_eq!(fit(&all, room, room, Glyphs::Unicode), [(Tone::Asks, want.to_owned())], "{room}");
        }
        assert_eq!(cut("whose tunnels… 3m", 15, Glyphs::Unicode), "whose tunnels…");
    }
}
