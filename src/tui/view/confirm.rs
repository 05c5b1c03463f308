//! The prompt before anything is done: all of the plan above, what must be said below.

use super::detail::{LABEL, lay_out};
use super::paint::{Pen, columns, rule, window, wrap};
use crate::clock::Now;
use crate::domain::procedure::level::Level;
use crate::domain::procedure::plan::Plan;
use crate::domain::text::one_line;
use crate::domain::units::short_age;
use crate::tui::app::{App, Mode};
use crate::tui::model::badge::ago;
use crate::tui::model::confirm::{Confirm, Focus, PREFLIGHT, Stage};
use crate::tui::model::dialog::Dialog;
use crate::tui::model::proposal_lines::{of_proposal, place};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use tui_input::Input;

/// The prompt that is open.
fn open(app: &App) -> Option<&Confirm> {
    match &app.mode {
        Mode::Act(dialog) => match dialog.as_ref() {
            Dialog::Confirm(confirm) => Some(confirm),
            _ => None,
        },
        _ => None,
    }
}

/// Lines of a screen on which the plan needs every one of them.
const LOW: u16 = 16;

/// The same where there is no room for it.
const KEYS_SHORT: &str = "Enter takes, Esc leaves it undone";
/// What the keys do, on a line of its own or in the frame.
const KEYS: &str = "Tab moves, Enter takes, Esc leaves it undone";

/// One line of what must be said: parts with their styles, and an input's cursor.
type Asked = Vec<(String, Style)>;

/// How far the plan can be scrolled, and how much of it is shown at once.
pub fn extent(app: &App, now: Now) -> (usize, usize) {
    let Some(confirm) = open(app) else { return (0, 1) };
    let (width, height) = (app.size.0, app.size.1);
    let inner = width.saturating_sub(2);
    let asked = asked(app, confirm, inner, now).len();
    let room = usize::from(height.saturating_sub(2)).saturating_sub(asked + 2).max(1);
    let lines = of_proposal(&confirm.proposal, !is_pinned(confirm, inner), now);
    (lay_out(app, &lines, inner.saturating_sub(1)).len().saturating_sub(room), room)
}

/// The prompt takes the whole screen but the header, so that nothing of the plan has to hide.
pub fn draw(app: &App, confirm: &Confirm, now: Now, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let frame = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let plan = &confirm.proposal.plan;
    let title = title(confirm);
    let grave = if plan.level >= Level::L3 { theme.alarm } else { theme.title };
    let inner = window(buf, frame, &title, app.glyphs, theme.border, grave, theme.text);
    let asked = asked(app, confirm, inner.width, now);
    let below = (asked.len() as u16 + 1).min(inner.height);
    let above = Rect { height: inner.height - below, ..inner };
    let lines = of_proposal(&confirm.proposal, !is_pinned(confirm, inner.width), now);
    let laid = lay_out(app, &lines, inner.width.saturating_sub(1));
    let first = confirm.scroll.min(laid.len().saturating_sub(usize::from(above.height)));
    for (y, (label, text, style)) in laid.iter().skip(first).take(usize::from(above.height)).enumerate() {
        let mut pen = Pen::new(buf, above, y as u16, app.glyphs);
        if let Some(label) = label {
            pen.cell(label, LABEL, theme.dim);
        }
        pen.put(text, *style);
    }
    if is_low(app) {
        // The frame says what the keys do, so that one more line of the plan is seen.
        let place = Rect { y: frame.bottom().saturating_sub(1), height: 1, ..frame };
        let keys = if columns(KEYS) + 4 <= usize::from(frame.width) { KEYS } else { KEYS_SHORT };
        rule(buf, place, 0, keys, app.glyphs, theme.border, theme.over(theme.dim));
    }
    let rest = laid.len().saturating_sub(first + usize::from(above.height));
    let bottom = Rect { y: inner.y + above.height, height: below, ..inner };
    let line = app.glyphs.horizontal().repeat(usize::from(bottom.width));
    Pen::new(buf, bottom, 0, app.glyphs).put(&line, theme.border);
    if rest > 0 || first > 0 {
        let note = match rest {
            0 => " the end: arrows, PgUp ".to_owned(),
            1 => " 1 more line: arrows, PgDn ".to_owned(),
            more => format!(" {more} more lines: arrows, PgDn "),
        };
        let wide = columns(&note) as u16 + 1;
        Pen::new(buf, bottom, 0, app.glyphs).to_right(wide).put(&note, theme.over(theme.accent));
    }
    for (y, parts) in asked.iter().enumerate() {
        let mut pen = Pen::new(buf, bottom, y as u16 + 1, app.glyphs);
        for (text, style) in parts {
            pen.put(text, *style);
        }
    }
}

fn title(confirm: &Confirm) -> String {
    let plan = &confirm.proposal.plan;
    one_line(&format!("{} {}? {}", plan.level, plan.name, place(plan)), 300)
}

/// Whether the title is too long to say where it happens, so that this has to stand elsewhere.
fn is_pinned(confirm: &Confirm, width: u16) -> bool {
    columns(&title(confirm)) + 3 > usize::from(width)
}

/// Everything below the plan: what must be said, what has been, and the answer to the last key.
fn asked(app: &App, confirm: &Confirm, width: u16, now: Now) -> Vec<Asked> {
    let theme = &app.theme;
    let mut out: Vec<Asked> = Vec::new();
    // Where it happens is never out of sight: in the title, or here when that has been cut.
    if is_pinned(confirm, width) {
        let place = fitting_place(&confirm.proposal.plan, usize::from(width));
        let parts = wrap(&place, usize::from(width)).into_iter().take(3);
        out.extend(parts.map(|part| vec![(part, theme.text.patch(theme.title))]));
    }
    let say = |out: &mut Vec<Asked>, text: &str, style: Style| {
        out.extend(wrap(text, usize::from(width)).into_iter().take(2).map(|part| vec![(part, style)]));
    };
    if confirm.refused() {
        let text = if confirm.lacks_a_text() {
            "it cannot be started: nothing was given to type, and this level is never confirmed by a key"
        } else {
            "it cannot be started: see what is refused above"
        };
        say(&mut out, text, theme.down);
        out.push(vec![button("Close", true, theme.selected, theme.text)]);
    } else {
        match confirm.stage {
            Stage::Typing => typing(app, confirm, width, &mut out),
            Stage::Breaking { .. } if !confirm.is_approved(&app.ledger) => {
                let left = confirm.countdown(now).unwrap_or_default();
                let text = if left.is_zero() {
                    "nobody second: the record will say so, with your reason. Start lets it run now"
                        .to_owned()
                } else {
                    format!(
                        "breaking the glass: {} to go; Esc stops it, an approval ends it",
                        short_age(left)
                    )
                };
                say(&mut out, &text, theme.degraded);
            }
            Stage::Waiting | Stage::Breaking { .. } => {
                waiting(app, confirm, now, &mut |text, style| say(&mut out, text, style));
            }
        }
        buttons(app, confirm, width, now, &mut out);
    }
    if let Some(word) = &confirm.word {
        say(&mut out, word, theme.degraded);
        return out;
    }
    let age = now.since(confirm.proposal.looked);
    let old = confirm.proposal.plan.level >= Level::L3 && age > PREFLIGHT;
    let old = if old { format!("; looked at {} ago", short_age(age)) } else { String::new() };
    let keys = if is_low(app) { "" } else { KEYS };
    let old = if keys.is_empty() { old.trim_start_matches("; ").to_owned() } else { old };
    if !(keys.is_empty() && old.is_empty()) {
        out.push(vec![(keys.to_owned(), theme.dim), (old, theme.degraded)]);
    }
    out
}

/// Whether the screen is so low that each line counts.
pub(super) fn is_low(app: &App) -> bool {
    app.size.1 < LOW
}

/// Where it happens, without the words that can be missed where they would cost a line.
fn fitting_place(plan: &Plan, width: usize) -> String {
    let whole = place(plan);
    let short = whole.replacen(", environment ", ", ", 1);
    if columns(&whole) > width && columns(&short) <= width { short } else { whole }
}

/// The fields of a person who is typing.
fn typing(app: &App, confirm: &Confirm, width: u16, out: &mut Vec<Asked>) {
    let theme = &app.theme;
    let prompt = &confirm.proposal.prompt;
    if let Some(want) = &prompt.type_this {
        // All of the words that are to be typed must be seen, whatever else has no room.
        let room = usize::from(width).saturating_sub(columns("type ") + columns(want));
        let ends = [" exactly, then Enter", ", then Enter", ""];
        let end = ends.into_iter().find(|end| columns(end) <= room).unwrap_or_default();
        let lines = wrap(&format!("type {want}"), usize::from(width));
        let last = lines.len().saturating_sub(1);
        for (at, line) in lines.into_iter().enumerate() {
            let (type_it, words) = match line.strip_prefix("type ") {
                Some(words) if at == 0 => ("type ", words.to_owned()),
                _ => ("", line),
            };
            let end = if at == last { end } else { "" };
            out.push(vec![
                (type_it.to_owned(), theme.text),
                (words, theme.accent),
                (end.to_owned(), theme.text),
            ]);
        }
        out.push(field(app, "> ", &confirm.typed, confirm.focus == Focus::Typed, width));
    }
    if prompt.needs_reason {
        out.push(field(app, "reason: ", &confirm.reason, confirm.focus == Focus::Reason, width));
    }
    if prompt.needs_second {
        out.push(vec![("then a second person approves it".to_owned(), theme.dim)]);
    }
}

/// The end of what is typed, with a cursor where the keys go.
pub fn field(app: &App, label: &str, input: &Input, has_focus: bool, width: u16) -> Asked {
    let theme = &app.theme;
    let room = usize::from(width).saturating_sub(columns(label) + 1).max(1);
    let scroll = input.visual_scroll(room);
    let text: String = input.value().chars().skip(scroll).collect();
    let at = input.cursor().saturating_sub(scroll);
    let before: String = text.chars().take(at).collect();
    let under: String = text.chars().skip(at).take(1).collect();
    let after: String = text.chars().skip(at + 1).collect();
    let style = if has_focus { theme.key } else { theme.dim };
    let cursor = if has_focus {
        (if under.is_empty() { "_".to_owned() } else { under }, theme.selected.patch(theme.accent))
    } else {
        (under, theme.text)
    };
    vec![(label.to_owned(), style), (before, theme.text), cursor, (after, theme.text)]
}

/// The state of the request for a second person.
fn waiting(app: &App, confirm: &Confirm, now: Now, say: &mut dyn FnMut(&str, Style)) {
    let theme = &app.theme;
    let hash = confirm.proposal.hash.short();
    match confirm.request(&app.ledger) {
        None => say(&format!("asking for a second person: plan {hash}"), theme.dim),
        Some(w) => match &w.approved {
            Some(by) => {
                say(&format!("{} has approved plan {hash}: Start lets it run", one_line(by, 60)), theme.up);
            }
            None if w.until <= now.wall => {
                say("nobody came within its time; Start asks again", theme.degraded);
            }
            None => {
                let left =
                    std::time::Duration::try_from(w.until.duration_since(now.wall)).unwrap_or_default();
                let since = short_age(ago(w.since, now));
                let text =
                    format!("waiting {since} for a second person, {} left; plan {hash}", short_age(left));
                say(&text, theme.degraded);
                say(&format!("they run: quarterdeck approve {}", one_line(&w.id, 60)), theme.text);
            }
        },
    }
}

fn button(word: &str, has_focus: bool, selected: Style, plain: Style) -> (String, Style) {
    (format!("[ {word} ]"), if has_focus { selected } else { plain })
}

/// What can be pressed. What cannot be pressed yet stays faint.
fn buttons(app: &App, confirm: &Confirm, width: u16, now: Now, out: &mut Vec<Asked>) {
    let theme = &app.theme;
    let mut line: Asked = Vec::new();
    for stop in confirm.stops() {
        let (word, open) = match stop {
            Focus::Typed | Focus::Reason => continue,
            Focus::Cancel => ("Cancel", true),
            Focus::Break => ("No second person: break the glass", true),
            Focus::Start => match confirm.stage {
                Stage::Typing => ("Start", true),
                Stage::Waiting => ("Start", confirm.is_approved(&app.ledger)),
                Stage::Breaking { .. } if confirm.is_approved(&app.ledger) => ("Start", true),
                Stage::Breaking { .. } => {
                    ("Start alone", confirm.countdown(now).is_some_and(|left| left.is_zero()))
                }
            },
        };
        let wide: usize = line.iter().map(|(t, _)| columns(t)).sum();
        if wide > 0 && wide + columns(word) + 4 > usize::from(width) {
            out.push(std::mem::take(&mut line));
        }
        let plain = if open { theme.text } else { theme.dim };
        line.push(button(word, stop == confirm.focus, theme.selected.patch(theme.accent), plain));
        line.push((" ".to_owned(), theme.text));
    }
    // With a field to type in there is only Cancel, which Esc is as well.
    let only_cancel =
        confirm.stops().iter().all(|s| matches!(s, Focus::Typed | Focus::Reason | Focus::Cancel));
    if !(only_cancel && is_low(app)) {
        out.push(line);
    }
}
