//! The wallboard's pages, to be read from across the room.

use super::alert_panel::{Ink, slo_line};
use super::badge::flow as flow_badges;
use super::paint::{Pen, columns, fit, rule, wrap};
use crate::clock::Now;
use crate::domain::health::{Health, Tally};
use crate::domain::observation::ProbeIndex;
use crate::domain::procedure::ledger::Unlisted;
use crate::domain::units;
use crate::tui::model::alerts::{self, safe};
use crate::tui::model::badge::badges;
use crate::tui::model::headline::{role_note, with_alerts, worst_probe};
use crate::tui::model::tone::Tone;
use crate::tui::wallboard::{Page, Wallboard};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The least width and height of a large cell.
const CELL: (u16, u16) = (26, 5);
/// Lines of a page for each that tells of runs.
const LINES_FOR_A_ROW: u16 = 7;

pub fn draw(w: &Wallboard, now: Now, area: Rect, buf: &mut Buffer) {
    buf.set_style(area, w.theme.text);
    let (health, text) = state(w, now);
    if area.height < 2 {
        let title = fit(&w.title, usize::from(area.width / 3), w.glyphs);
        Pen::new(buf, area, 0, w.glyphs).put(&format!("{title} {health}: {text}"), w.theme.health(health));
        return;
    }
    let (page, at, of) = w.page(now);
    header(w, now, (at, of), area, buf);
    let mut pen = Pen::new(buf, area, 1, w.glyphs);
    pen.skip(1).put(w.glyphs.health(health), w.theme.health(health)).skip(1).put(&text, w.theme.title);
    let body = Rect { y: area.y + 2, height: area.height - 2, ..area };
    let body = runs_line(w, now, body, buf);
    let body = if page == Page::Alerts { body } else { alerts_line(w, now, body, buf) };
    match page {
        Page::Alerts => alerts_page(w, now, body, buf),
        Page::Layers => layers(w, now, body, buf),
        Page::Problems => problems(w, now, body, buf),
        Page::Layer(layer) => layer_page(w, layer, now, body, buf),
    }
}

/// The worst there is to say, in one line.
fn state(w: &Wallboard, now: Now) -> (Health, String) {
    if let Some(trouble) = &w.trouble {
        return (Health::Unknown, trouble.clone());
    }
    let line = with_alerts(&w.matrix, &w.board, now);
    (line.health, line.text)
}

/// What stack this is, of which environment; beside it the page and the time, as far as there is
/// room left for them.
fn header(w: &Wallboard, now: Now, (at, of): (usize, usize), area: Rect, buf: &mut Buffer) {
    let style = w.theme.header;
    buf.set_style(Rect { height: 1, ..area }, style);
    let pause = if w.paused { " PAUSED" } else { "" };
    let time = now.wall.strftime("%H:%M:%SZ").to_string();
    let named = 1 + columns(&w.title) + 2 + columns(&w.environment);
    let room = usize::from(area.width).saturating_sub(named + 2);
    let choices = [format!("page {}/{of}{pause}  {time}", at + 1), format!("{pause}  {time}"), time];
    let right = choices.iter().map(|c| c.trim_start()).find(|c| columns(c) <= room).unwrap_or_default();
    let mut pen = Pen::new(buf, area, 0, w.glyphs);
    pen.skip(1).put(&w.title, style.patch(w.theme.title)).put(&format!("  {}", w.environment), style);
    let about = "  wallboard, read-only";
    if columns(about) + columns(right) <= room {
        pen.put(about, style);
    }
    Pen::new(buf, area, 0, w.glyphs).to_right(columns(right) as u16 + 1).put(right, style);
}

/// What is being done and what is owed, above every page, in a line or, on a large screen, some;
/// gives the place below.
fn runs_line(w: &Wallboard, now: Now, body: Rect, buf: &mut Buffer) -> Rect {
    let room = usize::from(body.width.saturating_sub(1));
    let mut all = badges(&w.ledger, now);
    // There is more room on a wall than in a header.
    for badge in &mut all {
        if let Some(age) = badge.age.take() {
            badge.long = format!("{} {age}", badge.long);
            badge.short = format!("{} {age}", badge.short);
        }
    }
    let mut rows = flow_badges(&all, room, usize::from(body.height / LINES_FOR_A_ROW).max(1), w.glyphs);
    if let Some(Unlisted::Barred(place)) = w.ledger.unlisted.as_ref().filter(|_| w.expects_runs) {
        rows.push(vec![(Tone::Rest, format!("runs are not shown: this user may not read {}", safe(place)))]);
    }
    let height = rows.len() as u16;
    if body.height < height + 2 {
        return body;
    }
    for (y, row) in rows.iter().enumerate() {
        let mut pen = Pen::new(buf, body, y as u16, w.glyphs);
        pen.skip(1);
        for (tone, text) in row {
            let style = tone.style(&w.theme);
            pen.put(tone.sign(w.glyphs), style).put(" ", style).put(text, style).skip(2);
        }
    }
    Rect { y: body.y + height, height: body.height - height, ..body }
}

/// One line on how many alerts fire, above every other page; gives the place below it.
fn alerts_line(w: &Wallboard, now: Now, body: Rect, buf: &mut Buffer) -> Rect {
    if !alerts::exists(&w.board) || body.height < 4 {
        return body;
    }
    let (grade, text) = alerts::summary(&w.board, now);
    let ink = Ink { theme: &w.theme, glyphs: w.glyphs };
    let style = ink.style(grade);
    let mut pen = Pen::new(buf, body, 0, w.glyphs);
    pen.skip(1).put(w.glyphs.grade(grade), style).put(" alerts: ", style).put(&text, style);
    Rect { y: body.y + 1, height: body.height - 1, ..body }
}

/// Alerts in two lines each, then objectives; what does not fit is counted.
fn alerts_page(w: &Wallboard, now: Now, area: Rect, buf: &mut Buffer) {
    let ink = Ink { theme: &w.theme, glyphs: w.glyphs };
    let (grade, text) = alerts::summary(&w.board, now);
    Pen::new(buf, area, 0, w.glyphs).skip(1).put("alerts: ", w.theme.title).put(&text, ink.style(grade));
    let said = alerts::troubles(&w.board, now).join("; ");
    let mut y = 1;
    if !said.is_empty() {
        Pen::new(buf, area, y, w.glyphs).skip(1).put("? ", w.theme.unknown).put(&said, w.theme.unknown);
        y += 1;
    }
    let all = w.board.alerts.len();
    for (i, alert) in w.board.alerts.iter().enumerate() {
        if y + 1 + u16::from(i + 1 < all) > area.height {
            let text = format!("+{} more alerts", all - i);
            Pen::new(buf, area, area.height.saturating_sub(1), w.glyphs).skip(1).put(&text, w.theme.accent);
            return;
        }
        let grade = alerts::grade(alert);
        let style = ink.style(grade);
        let mut pen = Pen::new(buf, area, y, w.glyphs);
        let age = units::long_age(alerts::age(alert, now));
        pen.skip(1).cell(w.glyphs.grade(grade), 2, style);
        pen.cell(&safe(&alert.severity).to_uppercase(), 10, style);
        let name = pen.room().saturating_sub(18).clamp(8, 44);
        pen.cell(&safe(&alert.name), name, w.theme.title);
        pen.put(&format!("{} {age}", alerts::phase_word(alert.phase)), w.theme.dim);
        if y + 2 + u16::from(i + 1 < all) <= area.height {
            let ack = alerts::acknowledge(alert, now).map(|(a, _)| format!("{a}; ")).unwrap_or_default();
            let text = format!("{ack}{}", safe(&alert.paged.words(now.wall)));
            Pen::new(buf, area, y + 1, w.glyphs).skip(3).put(&text, w.theme.text);
            y += 1;
        }
        y += 1;
    }
    for slo in &w.board.slos {
        let place = Rect { y: area.y + y, height: 1, ..area };
        if y < area.height {
            slo_line(&ink, slo, place, buf);
        }
        y += 1;
    }
}

/// A cell of the grid: a coloured bar with the name, then words. Without room for words, the bar
/// says the state: its colour alone would not do.
fn cell(w: &Wallboard, place: Rect, title: &str, health: Health, lines: &[String], buf: &mut Buffer) {
    let style = w.theme.health(health);
    let glyph = w.glyphs.health(health);
    let word = if place.height < 2 {
        let state = health.as_str().to_uppercase();
        // Two columns before the glyph, one after each of the three words.
        let taken = 5 + columns(glyph) + columns(&state);
        format!("{glyph} {} {state}", fit(title, usize::from(place.width).saturating_sub(taken), w.glyphs))
    } else {
        format!("{glyph} {title}")
    };
    rule(buf, place, 0, &word, w.glyphs, style, style);
    for (y, text) in lines.iter().take(usize::from(place.height.saturating_sub(1))).enumerate() {
        let style = if y == 0 { style } else { w.theme.text };
        Pen::new(buf, place, y as u16 + 1, w.glyphs).skip(2).put(text, style);
    }
}

/// Divides an area into cells: as many columns as fit, rows as high as there is room for. Fewer
/// than asked for when there is not a line for each; the last line is left free then.
fn grid(area: Rect, count: usize) -> Vec<Rect> {
    // More cells than a screen can have lines and columns are not needed to know that they do not fit.
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    let across = (area.width / CELL.0).clamp(1, count.max(1));
    let down = count.div_ceil(across);
    let (rows, height) = if down > area.height {
        (area.height.saturating_sub(1), 1)
    } else {
        (down, area.height / down.max(1))
    };
    let width = area.width / across;
    (0..count.min(rows.saturating_mul(across)))
        .map(|i| Rect {
            x: area.x + i % across * width,
            y: area.y + i / across * height,
            width: width.saturating_sub(1),
            height,
        })
        .collect()
}

/// Gives each thing its cell, in the order given. When there are not cells for all, the worst have
/// them, and the last line counts the others.
fn places<T: Copy>(
    w: &Wallboard,
    area: Rect,
    mut all: Vec<T>,
    health: impl Fn(T) -> Health,
    buf: &mut Buffer,
) -> Vec<(T, Rect)> {
    let cells = grid(area, all.len());
    if cells.len() < all.len() {
        all.sort_by_key(|thing| std::cmp::Reverse(health(*thing).severity()));
        let hidden = all.iter().skip(cells.len()).map(|thing| health(*thing)).collect();
        more(w, area, hidden, buf);
    }
    all.into_iter().zip(cells).collect()
}

/// Writes on the last line what did not fit: `+3 more: 1 down, 2 unknown`.
fn more(w: &Wallboard, area: Rect, hidden: Tally, buf: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let counts = [
        (hidden.down, Health::Down),
        (hidden.degraded, Health::Degraded),
        (hidden.unknown, Health::Unknown),
        (hidden.up, Health::Up),
    ];
    let words: Vec<String> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, health)| format!("{n} {health}")).collect();
    let text = format!("+{} more: {}", hidden.total(), words.join(", "));
    Pen::new(buf, area, area.height - 1, w.glyphs).skip(1).put(&text, w.theme.health(hidden.worst()));
}

fn layers(w: &Wallboard, now: Now, area: Rect, buf: &mut Buffer) {
    let roles = w.matrix.roles(now);
    let all = (0..w.matrix.layers().len()).collect();
    for (layer, place) in places(w, area, all, |layer| w.matrix.layer_tally(layer, now).worst(), buf) {
        let Some(meta) = w.matrix.layers().get(layer) else { continue };
        let tally = w.matrix.layer_tally(layer, now);
        let health = tally.worst();
        let mut first = format!("{} {} of {}", health.as_str().to_uppercase(), tally.up, tally.total());
        first.push_str(" up");
        let mut lines = vec![first];
        if health != Health::Up {
            let note = roles.get(layer).copied().map(|r| role_note(&w.matrix, r)).unwrap_or_default();
            if !note.is_empty() {
                lines.push(note);
            }
            if let Some((probe, shown)) = worst_probe(&w.matrix, layer, now) {
                let name = w.matrix.probe(probe).map_or("", |(p, _)| p.name.as_str());
                let since = shown.since.map(|s| format!(", {}", units::short_age(s))).unwrap_or_default();
                lines.extend(wrap(
                    &format!("{name}{since}: {}", shown.reason),
                    usize::from(place.width.saturating_sub(2)),
                ));
            }
        }
        cell(w, place, &meta.name, health, &lines, buf);
    }
}

fn problems(w: &Wallboard, now: Now, area: Rect, buf: &mut Buffer) {
    let all = w.problems(now);
    let mut y = 0;
    for (i, probe) in all.iter().enumerate() {
        let Some((meta, _)) = w.matrix.probe(*probe) else { continue };
        let shown = w.matrix.shown(*probe, now);
        let left = all.len() - i;
        // Whatever follows needs a line to be counted on.
        let room = area.height.saturating_sub(y + u16::from(left > 1));
        if room == 0 {
            let hidden = all.iter().skip(i).map(|p| w.matrix.health_at(*p, now)).collect();
            more(w, area, hidden, buf);
            return;
        }
        let style = w.theme.health(shown.health);
        let since = shown.since.map(units::long_age).unwrap_or_default();
        let mut pen = Pen::new(buf, area, y, w.glyphs);
        pen.skip(1).put(w.glyphs.health(shown.health), style).put(" ", style);
        // On a narrow screen the name leaves room for the age.
        let name = pen.room().saturating_sub(9 + columns(&since) as u16).clamp(8, 30);
        pen.cell(&shown.health.as_str().to_uppercase(), 9, style)
            .cell(&meta.name, name, w.theme.title)
            .put(&since, w.theme.dim);
        let reason = wrap(&shown.reason, usize::from(area.width.saturating_sub(5)));
        let lines = (reason.len().min(2) as u16).min(room - 1);
        for (i, part) in (0..lines).zip(&reason) {
            Pen::new(buf, area, y + 1 + i, w.glyphs).skip(4).put(part, w.theme.text);
        }
        y += 2 + lines;
    }
}

fn layer_page(w: &Wallboard, layer: usize, now: Now, area: Rect, buf: &mut Buffer) {
    let probes: Vec<ProbeIndex> = w.matrix.of_layer(layer).collect();
    let name = w.matrix.layers().get(layer).map_or("", |l| l.name.as_str());
    Pen::new(buf, area, 0, w.glyphs).skip(1).put(name, w.theme.title);
    let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    for (probe, place) in places(w, below, probes, |probe| w.matrix.health_at(probe, now), buf) {
        let Some((meta, state)) = w.matrix.probe(probe) else { continue };
        let shown = w.matrix.shown(probe, now);
        let latency = state.last.as_ref().and_then(|l| l.latency).map(units::latency).unwrap_or_default();
        let since = shown.since.map(units::long_age).unwrap_or_default();
        let mut lines = vec![format!("{} {since}", shown.health.as_str().to_uppercase())];
        lines.extend(wrap(&shown.reason, usize::from(place.width.saturating_sub(2))));
        lines.push(latency);
        cell(w, place, &meta.name, shown.health, &lines, buf);
    }
}
