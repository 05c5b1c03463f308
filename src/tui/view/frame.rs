//! The lines around every screen: header, headline, clocks, footer.

use super::badge::fit as fit_badges;
use super::paint::{Pen, columns};
use crate::clock::Now;
use crate::domain::health::{Health, Tally};
use crate::tui::app::{App, Mode, NOTICE_FOR, Screen};
use crate::tui::command::{Action, COMMANDS, Command};
use crate::tui::model::alerts::nearest_acknowledge;
use crate::tui::model::badge::badges;
use crate::tui::model::headline;
use crate::tui::model::metrics::Page;
use crate::tui::model::run_view;
use crate::tui::model::tone::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// Lines above the body.
pub const ABOVE: u16 = 3;
/// Lines below the body.
pub const BELOW: u16 = 1;

/// Draws everything but the body, and gives the body's place.
pub fn draw(app: &App, now: Now, area: Rect, buf: &mut Buffer) -> Rect {
    header(app, now, area, buf);
    headline_row(app, now, area, buf);
    clocks(app, now, area, buf);
    footer(app, now, area, buf);
    Rect { y: area.y + ABOVE, height: area.height.saturating_sub(ABOVE + BELOW), ..area }
}

/// The stack, how it is, where, and on the right the mode and the time. What does not fit is left
/// out whole, the least important first.
fn header(app: &App, now: Now, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let style = theme.header;
    buf.set_style(Rect { height: 1, ..area }, style);
    let time =
        now.wall.strftime(if area.width >= 100 { "%Y-%m-%d %H:%M:%SZ" } else { "%H:%M:%SZ" }).to_string();
    let mode = mode_word(app, now);
    let right = columns(&time) + columns(&mode) + 3;
    let mut room = usize::from(area.width).saturating_sub(right + 2);
    // What is being done and what is owed comes before everything else.
    let badges = header_badges(app, now, room);
    let badged: usize = badges.iter().map(|(_, text)| columns(text) + 4).sum();
    room = room.saturating_sub(badged);
    let right = right + badged;
    let mut take = |wide: usize| {
        let fits = wide <= room;
        room -= if fits { wide } else { 0 };
        fits
    };
    let matrix = app.matrix();
    let tally = matrix.tally(app.shown_at(now));
    let mut states = counts(tally);
    // Beside something that is being done, where it is done matters more than how many are up.
    let named = |take: &mut dyn FnMut(usize) -> bool| {
        (take(columns(&app.title)), take(columns(&app.environment) + 2))
    };
    let first = (!badges.is_empty()).then(|| named(&mut take));
    states.retain(|(_, count)| take(columns(count) + 4));
    let (title, environment) = first.unwrap_or_else(|| named(&mut take));
    let words = take(states.iter().map(|(h, _)| h.as_str().len() + 1).sum());
    let hosts = matrix.hosts().len();
    let hosts = if hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") };
    let hosts = Some(hosts).filter(|h| take(columns(h) + 2));
    let mut pen = Pen::new(buf, area, 0, app.glyphs);
    pen.skip(1);
    if title {
        pen.put(&app.title, theme.on_header(theme.title));
    }
    if environment {
        pen.put("  ", style).put(&app.environment, style);
    }
    if let Some(hosts) = hosts {
        pen.put("  ", style).put(&hosts, style);
    }
    for (health, count) in states {
        let word = if words { format!(" {count} {health}") } else { format!(" {count}") };
        pen.put("  ", style)
            .put(app.glyphs.health(health), theme.on_header(theme.health(health)))
            .put(&word, style);
    }
    pen.to_right(right as u16);
    for (tone, text) in &badges {
        let style = theme.on_header(tone.style(theme)).add_modifier(Modifier::BOLD);
        pen.put(tone.sign(app.glyphs), style).put(" ", style).put(text, style).put("  ", theme.header);
    }
    pen.put(&mode, theme.on_header(theme.accent)).put("  ", style).put(&time, style);
}

/// The badges of the header, as far as they fit beside the stack's name.
fn header_badges(app: &App, now: Now, room: usize) -> Vec<(Tone, String)> {
    let named = columns(&app.title) + columns(&app.environment) + 2;
    let long = room.saturating_sub(named + 12);
    fit_badges(&badges(&app.ledger, now), long.max(room * 3 / 5), room, app.glyphs)
}

/// How many probes are in each state, the worst first; `up` always.
fn counts(tally: Tally) -> Vec<(Health, String)> {
    let all = [
        (tally.down, Health::Down),
        (tally.degraded, Health::Degraded),
        (tally.unknown, Health::Unknown),
        (tally.up, Health::Up),
    ];
    all.into_iter().filter(|(n, h)| *n > 0 || *h == Health::Up).map(|(n, h)| (h, n.to_string())).collect()
}

fn mode_word(app: &App, now: Now) -> String {
    match app.frozen_since() {
        Some(at) => format!("FROZEN {}", crate::domain::units::short_age(now.since(at))),
        None => "live".to_owned(),
    }
}

fn headline_row(app: &App, now: Now, area: Rect, buf: &mut Buffer) {
    let line = match &app.trouble {
        Some(trouble) => headline::Headline { health: Health::Unknown, text: trouble.clone() },
        None => headline::with_alerts(app.matrix(), app.board(), app.shown_at(now)),
    };
    let style = app.theme.health(line.health);
    let text_style =
        if line.health == Health::Up { app.theme.text } else { app.theme.text.patch(app.theme.title) };
    let mut pen = Pen::new(buf, area, 1, app.glyphs);
    pen.skip(1).put(app.glyphs.health(line.health), style).skip(1).put(&line.text, text_style);
}

fn clocks(app: &App, now: Now, area: Rect, buf: &mut Buffer) {
    let at = app.shown_at(now);
    let mut all: Vec<(String, Style)> = Vec::new();
    // What had to be short in the header stands here in full.
    let badges = badges(&app.ledger, now);
    let above = usize::from(area.width).saturating_sub(20);
    let cut = header_badges(app, now, above).iter().map(|(_, t)| t).ne(badges.iter().map(|b| &b.long));
    all.extend(badges.into_iter().filter(|_| cut).map(|b| (b.long, b.tone.style(&app.theme))));
    let acknowledge = nearest_acknowledge(app.board(), at)
        .map(|(text, late)| (text, if late { Health::Down } else { Health::Degraded }));
    for (text, health) in acknowledge.into_iter().chain(headline::clocks(app.matrix(), at)) {
        let style = if health == Health::Up { app.theme.dim } else { app.theme.health(health) };
        all.push((text, style));
    }
    if app.dropped > 0 {
        all.push((format!("{} results dropped", app.dropped), app.theme.degraded));
    }
    let mut pen = Pen::new(buf, area, 2, app.glyphs);
    pen.skip(3);
    for (i, (text, style)) in all.iter().enumerate() {
        let between = if i == 0 { "" } else { " · " };
        // A beginning of a word or two tells nothing.
        if columns(between) + columns(text).min(8) > usize::from(pen.room()) {
            pen.put(app.glyphs.ellipsis(), app.theme.dim);
            break;
        }
        let cut = columns(between) + columns(text) > usize::from(pen.room());
        pen.put(between, app.theme.dim).put(text, *style);
        if cut {
            break;
        }
    }
}

/// One line: what is being typed, the answer to a key, or the keys.
fn footer(app: &App, now: Now, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let line = area.height.saturating_sub(1);
    let mut pen = Pen::new(buf, area, line, app.glyphs);
    pen.skip(1);
    if let Mode::Filter = app.mode {
        pen.put("filter: ", theme.key).put(app.filter_of_screen().value(), theme.text).put("_", theme.accent);
        pen.put("   Enter keeps it, Esc clears it", theme.footer);
        return;
    }
    if let Some(notice) = app.notice.as_ref().filter(|n| now.since(n.at) < NOTICE_FOR) {
        pen.put(&notice.text, theme.accent);
        return;
    }
    if let Some(waiting) = under_way(app, now) {
        pen.put(&waiting, theme.accent);
        return;
    }
    let mut active = String::new();
    let filter = app.filter_of_screen().value();
    let in_run = app.screen == Screen::Procedures && app.acting.view.run.is_some();
    if !in_run && !filter.is_empty() {
        active = format!("filter: {filter} (Esc clears) ");
    }
    if if app.screen == Screen::Alerts { app.alerts.only_problems } else { app.only_problems } {
        active.push_str("only problems (Esc shows all) ");
    }
    // What stands over the screen takes the keys, and names its own.
    if matches!(app.mode, Mode::Act(_)) {
        return;
    }
    pen.put(&active, theme.accent);
    let shown = |c: &&Command| !c.hint.is_empty() && applies(c.action, app);
    let (of_run, others): (Vec<&Command>, Vec<&Command>) =
        COMMANDS.iter().filter(shown).partition(|c| c.action.is_of_runs());
    for command in of_run.into_iter().chain(others) {
        let key = app.keymap.key_of(command.action);
        if key.is_empty() || usize::from(pen.room()) < columns(&key) + columns(command.hint) + 2 {
            continue;
        }
        pen.put(&key, theme.key).put(" ", theme.footer).put(command.hint, theme.footer).skip(2);
    }
}

/// What has been asked for and is not here yet. Nothing waits for it.
fn under_way(app: &App, now: Now) -> Option<String> {
    let age = |since: Now| match now.since(since).as_secs() {
        0 => String::new(),
        s => format!(" {s}s"),
    };
    if let Some((name, since)) = &app.acting.starting {
        return Some(format!("starting {name}…{}", age(*since)));
    }
    let planning = app.acting.planning.as_ref()?;
    Some(match planning.ready {
        Some(_) => format!("close this to see the plan: {}", planning.name),
        None => format!(
            "planning {}…{} (Esc gives it up; nothing has been done)",
            planning.name,
            age(planning.since)
        ),
    })
}

/// Whether a command of runs means anything for the one that is looked at.
fn takes_of_runs(action: Action, app: &App) -> bool {
    let looked_at = app.acting.view.run.as_ref().filter(|_| app.screen == Screen::Procedures);
    let run = looked_at.and_then(|view| run_view::find(&app.ledger, &view.id));
    run.is_some_and(|run| run_view::takes(action, run, run_view::state(&app.ledger, run)))
}

/// Whether a command does anything on the screen that is shown.
fn applies(action: Action, app: &App) -> bool {
    use Action::{
        Copy, Earlier, Expression, Filter, Later, NextPage, NextProblem, OnlyProblems, Open, PollNow,
        ShowAlerts, ToNow, ZoomIn, ZoomOut,
    };
    if !app.offers(action) {
        return false;
    }
    if action.is_of_runs() {
        return takes_of_runs(action, app);
    }
    if action == Action::Applies {
        return app.screen == Screen::Overview;
    }
    let of_lists = matches!(action, OnlyProblems | NextProblem);
    match app.screen {
        Screen::Metrics => {
            let page = app.metrics.page;
            let filters = matches!(page, Page::Graphs | Page::Families);
            let here = match action {
                Filter => filters,
                ToNow | Later => app.metrics.end.is_some(),
                ZoomIn | ZoomOut | Earlier => matches!(page, Page::Graphs | Page::Graph | Page::Query),
                _ => true,
            };
            here && !of_lists && !matches!(action, PollNow | ShowAlerts)
        }
        _ if matches!(action, ZoomIn | ZoomOut | Earlier | Later | ToNow | Expression | NextPage) => false,
        Screen::Overview => true,
        Screen::Alerts => !matches!(action, PollNow | ShowAlerts),
        Screen::Procedures => !of_lists && !matches!(action, PollNow | ShowAlerts),
        _ => !of_lists && !matches!(action, Copy | Filter | Open | PollNow),
    }
}
