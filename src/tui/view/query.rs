//! An expression that was typed: the prompt, what is wrong with it or offered, its answer.

use super::metrics::full;
use super::paint::{Pen, columns};
use crate::clock::Now;
use crate::domain::board::Answer;
use crate::domain::text::one_line;
use crate::stack::metrics::Unit;
use crate::tui::app::{App, Mode};
use crate::tui::command::Action;
use crate::tui::model::alerts::safe;
use crate::tui::model::prompt::Prompt;
use crate::tui::widget::graph::{MAX_LINES, Scene};
use crate::tui::widget::trace::Trace;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The answer on the board, once it is that of the expression that was sent.
pub fn answer(app: &App) -> Option<&Answer> {
    let expr = app.metrics.query.as_deref()?;
    app.board().query.as_deref().filter(|a| a.expr == expr)
}

pub fn draw(app: &App, _at: Now, area: Rect, buf: &mut Buffer) {
    if let Mode::Prompt(prompt) = &app.mode {
        typed(app, prompt, area, buf);
    } else {
        let key = app.keymap.key_of(Action::Expression);
        let mut pen = Pen::new(buf, area, 0, app.glyphs);
        pen.skip(1).put("> ", app.theme.key);
        match &app.metrics.query {
            Some(expr) => pen.put(&one_line(expr, 2000), app.theme.text),
            None => pen.put(&format!("{key} or Enter types an expression"), app.theme.dim),
        };
    }
    let body = Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
    let Some(answer) = answer(app) else {
        if app.metrics.query.is_some() {
            Pen::new(buf, area, 1, app.glyphs).skip(3).put("asking", app.theme.dim);
        }
        return;
    };
    if !matches!(app.mode, Mode::Prompt(_)) {
        let mut pen = Pen::new(buf, area, 1, app.glyphs);
        pen.skip(3);
        match &answer.trouble {
            Some(trouble) => pen.put(&safe(trouble), app.theme.unknown),
            None if answer.lines.is_empty() => pen.put("no series: nothing matches", app.theme.unknown),
            None => pen.put(&from(answer), app.theme.dim),
        };
    }
    if answer.lines.is_empty() {
        return;
    }
    let names: Vec<String> = answer.lines.iter().map(|l| l.labels.to_string()).collect();
    let traces: Vec<Trace<'_>> =
        names.iter().zip(&answer.lines).map(|(n, l)| Trace { name: n, samples: &l.samples }).collect();
    let scene = Scene {
        traces: &traces,
        from: answer.from,
        to: answer.to,
        step: answer.step,
        unit: Unit::None,
        bounds: (None, None),
        thresholds: &[],
        marks: &app.marks,
        cursor: app.metrics.cursor,
        selected: app.metrics.line,
    };
    full(app, &scene, body, buf);
}

/// How much there is, and from where.
fn from(answer: &Answer) -> String {
    let place = if answer.remote { "from Prometheus" } else { "from what is scraped here" };
    let count = answer.lines.len();
    let more = if count > MAX_LINES { format!(", {MAX_LINES} drawn") } else { String::new() };
    let series = if count == 1 { "series" } else { "series in all" };
    let step = std::time::Duration::from_millis(u64::try_from(answer.step).unwrap_or(0));
    format!("{count} {series}{more}, every {}; {place}", crate::domain::units::exact(step))
}

/// The line that is being typed, with its cursor, and below it what is wrong or what is offered.
fn typed(app: &App, prompt: &Prompt, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let room = usize::from(area.width.saturating_sub(4));
    // The end of a long line is what is being typed: it scrolls.
    let scroll = prompt.input.visual_scroll(room);
    let text: String = prompt.input.value().chars().skip(scroll).collect();
    Pen::new(buf, area, 0, app.glyphs).skip(1).put("> ", theme.key).put(&text, theme.text);
    let before: String = text.chars().take(prompt.input.cursor().saturating_sub(scroll)).collect();
    let x = area.x + 3 + columns(&before) as u16;
    if x < area.right()
        && let Some(cell) = buf.cell_mut((x, area.y))
    {
        if cell.symbol() == " " {
            cell.set_char('_');
        }
        cell.set_style(theme.selected.patch(theme.accent));
    }
    let mut pen = Pen::new(buf, area, 1, app.glyphs);
    pen.skip(3);
    if let Some(error) = &prompt.error {
        // The place is marked where it can be seen; the whole text is no place.
        let start = prompt.input.value().get(..error.span.start).map_or(0, |t| t.chars().count());
        let part = start > 0 && start >= scroll && start - scroll < room;
        if part {
            pen.skip((start - scroll).min(room / 2) as u16).put("^ ", theme.degraded);
        }
        pen.put(&one_line(&error.message, 300), theme.degraded);
        return;
    }
    if let Some((completion, at)) = &prompt.completion {
        if completion.list.is_empty() {
            pen.put("nothing begins like that", theme.dim);
        }
        let first = at.saturating_sub(2);
        for (i, word) in completion.list.iter().enumerate().skip(first) {
            if columns(word) + 2 > usize::from(pen.room()) {
                pen.put(&format!("+{}", completion.list.len() - i), theme.dim);
                break;
            }
            let style = if i == *at { theme.selected } else { theme.dim };
            pen.put(word, style).skip(2);
        }
        return;
    }
    pen.put("Enter asks, Tab completes, up and down recall, Esc leaves", theme.dim);
}
