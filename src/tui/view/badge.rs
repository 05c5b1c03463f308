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

/// The badges on so many lines at most of so many columns: each in full where all have room so, else
/// in short, and those that have none counted on the last line. Each takes four columns more than
/// its text.
pub fn flow(all: &[Badge], room: usize, lines: usize, glyphs: Glyphs) -> Vec<Vec<(Tone, String)>> {
    let fits = |text: &str| columns(text) + 4 <= room;
    let long = |b: &Badge| if fits(&b.long) { b.long.clone() } else { b.short.clone() };
    let (rows, shown) = pack(all, room, lines, long);
    if shown == all.len() {
        return rows;
    }
    let (rows, shown) = pack(all, room, lines, |b| b.short.clone());
    if shown == all.len() {
        return rows;
    }
    let (mut rows, shown) = pack(all, room, lines.saturating_sub(1), |b| b.short.clone());
    rows.push(fit(all.get(shown..).unwrap_or_default(), room, room, glyphs));
    rows
}

/// As many badges as so many lines take, in their order, and how many those are.
fn pack(
    all: &[Badge],
    room: usize,
    lines: usize,
    text: impl Fn(&Badge) -> String,
) -> (Vec<Vec<(Tone, String)>>, usize) {
    let (mut rows, mut used): (Vec<Vec<(Tone, String)>>, usize) = (Vec::new(), 0);
    for (shown, badge) in all.iter().enumerate() {
        let text = text(badge);
        let wide = columns(&text) + 4;
        if rows.is_empty() || used + wide > room {
            if rows.len() >= lines {
                return (rows, shown);
            }
            rows.push(Vec::new());
            used = 0;
        }
        if let Some(row) = rows.last_mut() {
            row.push((badge.tone, text));
            used += wide;
        }
    }
    (rows, all.len())
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
    fn lines_are_filled_in_order_and_nothing_is_dropped() {
        let badge = |kind, n: usize| Badge {
            tone: Tone::Asks,
            kind,
            short: format!("{kind} {n}"),
            long: format!("{kind} {n} in some more words"),
            age: None,
        };
        let all: Vec<Badge> = (0..12).map(|n| badge("owed", n)).collect();
        for (count, room, lines) in (0..=12).flat_map(|c| {
            [20, 31, 40, 80, 200].into_iter().flat_map(move |r| (1..=4).map(move |l| (c, r, l)))
        }) {
            let rows = flow(&all[..count], room, lines, Glyphs::Unicode);
            let wide = |row: &Vec<(Tone, String)>| row.iter().map(|(_, t)| columns(t) + 4).sum::<usize>();
            assert!(rows.len() <= lines && rows.iter().all(|row| wide(row) <= room), "{rows:?}");
            let texts: Vec<&String> = rows.iter().flatten().map(|(_, text)| text).collect();
            let more = texts.last().and_then(|t| t.split_once(" +")).map_or(0, |(_, rest)| {
                rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
            });
            assert_eq!(texts.len() + more, count, "{rows:?}");
            let in_order = texts.iter().enumerate().all(|(n, text)| text.starts_with(&format!("owed {n}")));
            assert!(in_order, "{rows:?}");
        }
    }

    #[test]
    fn what_has_no_room_is_counted_by_what_it_is() {
        let badge = |kind, short: &str| Badge {
            tone: Tone::Asks,
            kind,
            short: short.to_owned(),
            long: format!("{short} in many more words than fit"),
            age: None,
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
