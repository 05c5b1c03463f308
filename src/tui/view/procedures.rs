//! The screen of procedures: what is owed and forbidden, runs, procedures; details of one below.

use super::frame::{ABOVE, BELOW};
use super::paint::{Pen, columns, rule};
use crate::clock::Now;
use crate::domain::health::Health;
use crate::domain::id::ProcedureId;
use crate::domain::procedure::ledger::{Ledger, Line as RunLine};
use crate::domain::text::one_line;
use crate::domain::units::{exact, short_age};
use crate::stack::procedure::fill::sketch;
use crate::stack::procedure::params::describe;
use crate::stack::procedure::spec::{Procedure, Role};
use crate::tui::app::App;
use crate::tui::command::Action;
use crate::tui::model::badge::ago;
use crate::tui::model::detail::{Line, name_once};
use crate::tui::model::procedures::{self, ActRow};
use crate::tui::model::tone::{self, Tone};
use crate::tui::procedure_keys::position;
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeMap;

/// What is known of a procedure's parameters as long as nobody asked for a plan.
const NO_VALUES: BTreeMap<String, String> = BTreeMap::new();

/// A line of the list: the heading of a section, or a row by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Heading(&'static str),
    Row(usize),
}

/// The rows with a heading before each section.
pub fn lines(rows: &[ActRow], ledger: &Ledger) -> Vec<Shown> {
    let mut out = Vec::with_capacity(rows.len() + 6);
    let mut last = "";
    for (at, row) in rows.iter().enumerate() {
        let section = procedures::section(row, ledger);
        if section != last {
            out.push(Shown::Heading(section));
            last = section;
        }
        out.push(Shown::Row(at));
    }
    out
}

/// The heights of the list and of the details.
fn split(app: &App) -> (u16, u16) {
    let body = app.size.1.saturating_sub(ABOVE + BELOW);
    if body >= 16 {
        let below = (body * 2 / 5).min(14);
        return (body - below, below);
    }
    if app.acting.view.detail { (0, body) } else { (body, 0) }
}

/// Lines of the list that fit, as the terminal is now.
pub fn page_height(app: &App) -> usize {
    usize::from(split(app).0.saturating_sub(1))
}

/// How far the details can be scrolled.
pub fn last_scroll(app: &App, now: Now) -> usize {
    let rows = procedures::rows(app);
    let lines = rows.get(position(app, &rows)).map(|r| details(app, r, now).1).unwrap_or_default();
    let room = usize::from(split(app).1).saturating_sub(1);
    super::detail::height_of(app, &lines).saturating_sub(room)
}

pub fn draw(app: &App, now: Now, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let rows = procedures::rows(app);
    let here = position(app, &rows);
    let all = lines(&rows, &app.ledger);
    let (height, below) = split(app);
    let list = Rect { height: height.min(area.height), ..area };
    if list.height > 0 {
        let room = usize::from(list.height - 1);
        let first = app.acting.view.scroll;
        let right = if all.len() > room && room > 0 {
            format!(" {}-{} of {} ", first + 1, (first + room).min(all.len()), all.len())
        } else {
            String::new()
        };
        rule(buf, list, 0, "", app.glyphs, theme.border, theme.border);
        let heading = Rect { width: list.width.saturating_sub(columns(&right) as u16 + 1), ..list };
        rule(buf, heading, 0, &summary(app), app.glyphs, theme.border, theme.over(theme.title));
        if !right.is_empty() {
            Pen::new(buf, list, 0, app.glyphs)
                .to_right(columns(&right) as u16 + 1)
                .put(&right, theme.over(theme.dim));
        }
        if rows.is_empty() {
            let text = if app.acting.view.filter.value().is_empty() {
                "this stack's file has no procedures"
            } else {
                "nothing matches the filter"
            };
            Pen::new(buf, list, 1, app.glyphs).skip(3).put(text, theme.dim);
        }
        for (line, shown) in all.iter().skip(first).take(room).enumerate() {
            let place = Rect { y: list.y + 1 + line as u16, height: 1, ..list };
            match shown {
                Shown::Heading(word) => {
                    Pen::new(buf, place, 0, app.glyphs).skip(1).put(word, theme.text.patch(theme.title));
                }
                Shown::Row(index) => {
                    if let Some(row) = rows.get(*index) {
                        draw_row(app, row, now, place, buf);
                    }
                    if *index == here {
                        buf.set_style(place, theme.selected);
                    }
                }
            }
        }
    }
    if below > 0 {
        let place = Rect { y: area.y + list.height, height: below.min(area.height - list.height), ..area };
        let content = rows.get(here).map(|r| details(app, r, now)).unwrap_or_default();
        super::detail::pane(app, &content, app.acting.view.detail_scroll, place, buf);
    }
}

fn summary(app: &App) -> String {
    let count = |n: usize, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let ledger = &app.ledger;
    let parts = [
        count(app.procedures.all.len(), "procedure", "procedures"),
        count(ledger.runs.len() + ledger.older, "run", "runs"),
        count(ledger.owed.len(), "owed", "owed"),
        count(ledger.interlocks.len(), "interlock", "interlocks"),
        count(ledger.broken.len(), "broken journal", "broken journals"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn safe(text: &str) -> String {
    one_line(text, 300)
}

fn draw_row(app: &App, row: &ActRow, now: Now, place: Rect, buf: &mut Buffer) {
    let (theme, ledger) = (&app.theme, &app.ledger);
    let mut pen = Pen::new(buf, place, 0, app.glyphs);
    pen.skip(1);
    let mut said = |tone: Tone, word: &str, wide: u16, text: &str| {
        pen.cell(tone.sign(app.glyphs), 2, tone.style(theme)).cell(word, wide, tone.style(theme));
        pen.put(&safe(text), theme.text);
    };
    match row {
        ActRow::Owed(run, id) => {
            if let Some(owed) = ledger.owed.iter().find(|o| o.owe.id == *id && o.run == *run) {
                let age = short_age(ago(owed.since, now));
                let by =
                    owed.owe.by.as_ref().map_or_else(String::new, |by| format!("; {by} settles it (Enter)"));
                said(Tone::Asks, "OWED", 10, &format!("for {age}: {}{by}", owed.owe.says));
            }
        }
        ActRow::Interlock(id) => {
            let since = ledger.interlocks.iter().find(|i| i.id == *id).map(|i| short_age(ago(i.since, now)));
            let says = app.procedures.interlocks.iter().find(|i| i.id == *id);
            let text = says.map_or_else(|| id.clone(), |i| format!("{}, until {}", i.says, i.until.says));
            let since = since.map_or_else(String::new, |age| format!("for {age}: "));
            said(Tone::Asks, "FORBIDS", 10, &format!("{since}{text}"));
        }
        ActRow::Waiting(id) => {
            if let Some(w) = ledger.waiting.iter().find(|w| w.id == *id) {
                let left =
                    std::time::Duration::try_from(w.until.duration_since(now.wall)).unwrap_or_default();
                let state = match &w.approved {
                    Some(by) => format!("approved by {by}"),
                    None => format!("{} left", short_age(left)),
                };
                said(
                    Tone::Asks,
                    "SECOND",
                    10,
                    &format!("{}, asked by {}, {state}; plan {}", w.name, w.by, w.hash.short()),
                );
            }
        }
        ActRow::Broken(id) => {
            let why = ledger.broken.iter().find(|(i, _)| i == id).map_or("", |(_, w)| w.as_str());
            said(Tone::Bad, "BROKEN", 10, &format!("{id}: {why}"));
        }
        ActRow::Run(id) => {
            if let Some(line) = procedures::line(ledger, id) {
                draw_run(app, line, now, &mut pen, place.width);
            }
        }
        ActRow::Procedure(id) => {
            if let Some(procedure) = procedures::by_id(&app.procedures, id) {
                draw_procedure(app, procedure, now, &mut pen, place.width);
            }
        }
    }
}

/// A moment, and how long ago it was.
fn moment(at: Timestamp, now: Now) -> String {
    format!("{}, {} ago", at.strftime("%Y-%m-%d %H:%M:%SZ"), short_age(ago(at, now)))
}

fn draw_run(app: &App, line: &RunLine, now: Now, pen: &mut Pen<'_>, width: u16) {
    let (theme, ledger) = (&app.theme, &app.ledger);
    let (tone, word) = tone::state(line.state);
    let age = short_age(ago(line.ended.unwrap_or(line.started), now));
    pen.cell(tone.sign(app.glyphs), 2, tone.style(theme));
    if width < 60 {
        let room = pen.room().saturating_sub(17);
        pen.cell(&safe(&line.name), room, theme.text).skip(1);
        pen.put(&format!("{word} {age}"), tone.style(theme));
        return;
    }
    // As wide as the widest of all runs, so that the columns hold.
    let words = ledger.runs.iter().map(|l| columns(tone::state(l.state).1)).max().unwrap_or(0) as u16;
    let names = ledger.runs.iter().map(|l| columns(&l.name)).max().unwrap_or(0) as u16;
    pen.cell(word, words, tone.style(theme)).skip(2);
    pen.cell(&safe(&line.name), names.clamp(8, width / 3), theme.text).skip(2);
    let (done, of) = line.steps;
    let what = if line.ended.is_some() { "ended" } else { "begun" };
    pen.put(&format!("{done} of {of} steps, {what} {age} ago by {}", safe(&line.by)), theme.dim);
}

fn draw_procedure(app: &App, procedure: &Procedure, now: Now, pen: &mut Pen<'_>, width: u16) {
    let (theme, ledger) = (&app.theme, &app.ledger);
    let level = procedures::level(app, procedure).to_string();
    let key = role_key(app, procedure);
    pen.skip(2).cell(&level, 4, theme.accent).cell(&key, 3, theme.key);
    let longest = app.procedures.all.iter().map(|p| columns(&p.title(&NO_VALUES))).max().unwrap_or(0) as u16;
    let last = procedures::last_run(&procedure.id, ledger, now);
    // The same for every row, so that what follows the names stands in a column.
    let lasts = app.procedures.all.iter().map(|p| columns(&procedures::last_run(&p.id, ledger, now)));
    let beside = lasts.max().unwrap_or(0) as u16 + 2;
    let most = if width >= 60 { 40 } else { pen.room().saturating_sub(beside).max(width * 2 / 5) };
    let name = longest.clamp(8, most.max(8));
    pen.cell(&safe(&procedure.title(&NO_VALUES)), name, theme.text).skip(2);
    let worrying = ledger.last(&procedure.id).is_some_and(|l| procedures::is_worrying(l.state));
    pen.cell(&last, 20.min(pen.room()), if worrying { theme.degraded } else { theme.dim }).skip(1);
    pen.put(&procedures::usual(&procedure.id, ledger), theme.dim);
}

/// The key that opens a procedure from everywhere.
fn role_key(app: &App, procedure: &Procedure) -> String {
    let action = match procedure.role {
        Some(Role::Restart) => Action::Restart,
        Some(Role::Drain) => Action::Drain,
        Some(Role::Contain) => Action::Contain,
        None => return String::new(),
    };
    app.keymap.key_of(action)
}

/// Everything about the row under the cursor.
fn details(app: &App, row: &ActRow, now: Now) -> (String, Vec<Line>) {
    let ledger = &app.ledger;
    let mut out = Vec::new();
    let title = match row {
        ActRow::Procedure(id) => {
            let Some(p) = procedures::by_id(&app.procedures, id) else { return Default::default() };
            of_procedure(app, p, now, &mut out);
            format!("{} ({})", p.title(&NO_VALUES), p.id)
        }
        ActRow::Run(id) => {
            let Some(line) = procedures::line(ledger, id) else { return Default::default() };
            out.push(Line::Field("state", tone::state(line.state).1.to_owned(), None));
            out.push(Line::Field(
                "run",
                format!("{}, level {}, by {}", line.id, line.level, safe(&line.by)),
                None,
            ));
            out.push(Line::Field("began", moment(line.started, now), None));
            if let Some(ended) = line.ended {
                out.push(Line::Field("ended", moment(ended, now), None));
            }
            out.push(Line::Text("Enter shows its steps.".to_owned()));
            line.name.clone()
        }
        ActRow::Owed(run, id) => {
            let Some(owed) = ledger.owed.iter().find(|o| o.owe.id == *id && o.run == *run) else {
                return Default::default();
            };
            out.push(Line::Field("owed", owed.owe.says.clone(), Some(Health::Degraded)));
            out.push(Line::Field("since", moment(owed.since, now), None));
            out.push(Line::Field("by run", owed.run.to_string(), None));
            if let Some(by) = &owed.owe.by {
                out.push(Line::Field("settled by", format!("{by}; Enter plans it"), None));
            }
            format!("owed: {id}")
        }
        ActRow::Interlock(id) => {
            if let Some(i) = app.procedures.interlocks.iter().find(|i| i.id == *id) {
                let blocks: Vec<&str> = i.blocks.iter().map(ProcedureId::as_str).collect();
                out.push(Line::Field("because", i.says.clone(), Some(Health::Degraded)));
                out.push(Line::Field("forbids", blocks.join(", "), None));
                out.push(Line::Field("until", i.until.says.clone(), None));
            }
            if let Some(raised) = ledger.interlocks.iter().find(|i| i.id == *id) {
                out.push(Line::Field("raised by", format!("run {}; Enter shows it", raised.run), None));
            }
            format!("interlock: {id}")
        }
        ActRow::Waiting(id) => {
            let Some(w) = ledger.waiting.iter().find(|w| w.id == *id) else { return Default::default() };
            out.push(Line::Field("where", w.place.clone(), None));
            out.push(Line::Field("level", w.level.to_string(), None));
            out.push(Line::Field("asked by", w.by.clone(), None));
            out.push(Line::Field("reason", w.reason.clone(), None));
            out.push(Line::Field("plan", w.hash.to_string(), None));
            out.extend(w.blast.iter().map(|b| Line::Field("to whom", b.clone(), None)));
            out.push(Line::Text(format!("Enter approves, or on the command line: quarterdeck approve {id}")));
            w.name.clone()
        }
        ActRow::Broken(id) => {
            let why = ledger.broken.iter().find(|(i, _)| i == id).map_or("", |(_, w)| w.as_str());
            out.push(Line::Field("why", why.to_owned(), Some(Health::Down)));
            out.push(Line::Text("What this run did is not known from here: look at its journal by hand before anything is repeated.".to_owned()));
            format!("journal of {id}")
        }
    };
    name_once(&mut out);
    for line in &mut out {
        if let Line::Field(_, text, _) | Line::Text(text) = line {
            *text = one_line(text, 2000);
        }
    }
    (safe(&title), out)
}

fn of_procedure(app: &App, p: &Procedure, now: Now, out: &mut Vec<Line>) {
    let ledger = &app.ledger;
    out.push(Line::Text(p.about.clone()));
    let level = procedures::level(app, p);
    let level = match ledger.last(&p.id) {
        Some(_) => format!("{level} when it was last run; computed anew when planned"),
        None => format!("at least {level}; computed when planned"),
    };
    out.push(Line::Field("level", level, None));
    let usual = procedures::usual(&p.id, ledger);
    let last = procedures::last_run(&p.id, ledger, now);
    let text = if usual.is_empty() { last } else { format!("{last}; usually {usual}") };
    out.push(Line::Field("last run", text, None));
    for blocked in app.procedures.interlocks.iter().filter(|i| i.blocks.contains(&p.id)) {
        if ledger.interlocks.iter().any(|r| r.id == blocked.id) {
            let text = format!("{}, until {}", blocked.says, blocked.until.says);
            out.push(Line::Field("forbidden", text, Some(Health::Down)));
        }
    }
    for param in &p.params {
        let default = param.default.as_ref().map_or_else(String::new, |d| format!(", else {d}"));
        let text = format!("{}: {}{default}", param.id, describe(&param.kind));
        out.push(Line::Field("asks for", text, None));
    }
    for needs in &p.preconditions {
        out.push(Line::Field("needs", needs.says.clone(), None));
    }
    for (at, step) in p.steps.iter().enumerate() {
        out.push(Line::Field("steps", format!("{}. {}", at + 1, sketch(&step.name, &NO_VALUES)), None));
    }
    out.push(Line::Field(
        "ends",
        format!("after {} at the latest, holds not counted", exact(p.deadline)),
        None,
    ));
    if !p.rows.is_empty() {
        out.push(Line::Field("rows", p.rows.join(", "), None));
    }
}
