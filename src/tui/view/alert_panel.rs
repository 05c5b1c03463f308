//! Alerts on the overview and on the wallboard: the most pressing ones, the objectives, and in one
//! line what there is no room for.

use super::paint::{Pen, columns, rule};
use crate::clock::Now;
use crate::domain::alert::view::{AlertView, Phase};
use crate::domain::board::{Board, SloView};
use crate::domain::units::short_age;
use crate::tui::app::App;
use crate::tui::command::Action;
use crate::tui::glyph::Glyphs;
use crate::tui::model::alerts::{
    Grade, acknowledge, age, budget, exists, grade, is_troubled, percent, phase_word, safe, seen, summary,
    troubles,
};
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// What a line is drawn with, by dashboard and wallboard alike.
#[derive(Clone, Copy)]
pub struct Ink<'a> {
    pub theme: &'a Theme,
    pub glyphs: Glyphs,
}

impl Ink<'_> {
    pub fn of(app: &App) -> Ink<'_> {
        Ink { theme: &app.theme, glyphs: app.glyphs }
    }

    pub fn style(&self, grade: Grade) -> Style {
        match grade {
            Grade::Fine | Grade::Waiting => self.theme.dim,
            other => self.theme.health(other.health()),
        }
    }
}

/// Lines that the panel takes of a body of this height; with details open it is one line.
pub fn height(board: &Board, body: u16, detail: bool) -> u16 {
    if !exists(board) {
        return 0;
    }
    let troubled = u16::from(is_troubled(board));
    if detail || body < 14 {
        return 1;
    }
    let firing = u16::try_from(board.alerts.len()).unwrap_or(u16::MAX).min((body / 5).max(3));
    let slos = u16::try_from(board.slos.len()).unwrap_or(u16::MAX).min((body / 12).max(1));
    1 + troubled + firing + slos
}

/// The widest severity, within bounds.
pub fn severity_width(board: &Board) -> u16 {
    let alerts = board.alerts.iter().map(|a| columns(&a.severity));
    let rules = board.rules.iter().map(|r| columns(&r.severity));
    (alerts.chain(rules).max().unwrap_or(0) as u16).clamp(4, 10) + 1
}

pub fn draw(app: &App, at: Now, area: Rect, buf: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let board = app.board();
    let (worst, mut text) = summary(board, at);
    if area.height == 1 {
        // In one line, what is silent comes last: it is said in full elsewhere.
        text = std::iter::once(text).chain(troubles(board, at)).collect::<Vec<_>>().join("; ");
    }
    let key = app.keymap.key_of(Action::ShowAlerts);
    let slos = board.slos.len().min(usize::from(area.height / 4).max(1));
    let room = usize::from(area.height).saturating_sub(1 + usize::from(is_troubled(board)) + slos);
    let hidden = if area.height == 1 { 0 } else { board.alerts.len().saturating_sub(room) };
    let right = if hidden > 0 { format!("+{hidden} more: {key}") } else { key };
    heading(app, worst, &text, if area.width >= 60 { &right } else { "" }, area, buf);
    if area.height == 1 {
        return;
    }
    let ink = Ink::of(app);
    let mut line = 1;
    let mut next = || {
        line += 1;
        (line <= area.height).then(|| Rect { y: area.y + line - 1, height: 1, ..area })
    };
    if is_troubled(board)
        && let Some(place) = next()
    {
        let said = troubles(board, at).join("; ");
        let style = app.theme.unknown;
        Pen::new(buf, place, 0, app.glyphs).skip(1).put("? ", style).put(&said, style);
    }
    for alert in board.alerts.iter().take(room) {
        if let Some(place) = next() {
            alert_line(&ink, board, alert, at, place, buf);
        }
    }
    for slo in board.slos.iter().take(slos) {
        if let Some(place) = next() {
            slo_line(&ink, slo, place, buf);
        }
    }
}

/// The summary in the rule above the alerts, and on its right what else there is.
pub fn heading(app: &App, worst: Grade, text: &str, right: &str, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    rule(buf, area, 0, "", app.glyphs, theme.border, theme.border);
    let wide = if right.is_empty() { 0 } else { columns(right) as u16 + 3 };
    let left = Rect { width: area.width.saturating_sub(wide), ..area };
    let (title, dim, plain) = (theme.over(theme.title), theme.over(theme.dim), theme.over(theme.text));
    let style = if worst == Grade::Fine { title } else { theme.over(Ink::of(app).style(worst)) };
    let mut pen = Pen::new(buf, left, 0, app.glyphs);
    pen.skip(1).put(if area.width >= 60 { " alerts " } else { " " }, title);
    pen.put(app.glyphs.grade(worst), style).put(" ", style);
    pen.put(text, if worst == Grade::Fine { dim } else { plain }).put(" ", plain);
    if wide > 0 {
        Pen::new(buf, area, 0, app.glyphs).to_right(wide).put(&format!(" {right} "), dim);
    }
}

/// One alert: sign, phase and age, severity, name, time left to acknowledge, whether it is paged.
pub fn alert_line(ink: &Ink<'_>, board: &Board, alert: &AlertView, at: Now, place: Rect, buf: &mut Buffer) {
    let theme = ink.theme;
    let how = grade(alert);
    let style = ink.style(how);
    let mut pen = Pen::new(buf, place, 0, ink.glyphs);
    pen.skip(1).cell(ink.glyphs.grade(how), 2, style);
    let since = short_age(age(alert, at));
    if place.width >= 100 {
        pen.cell(&format!("{} {since}", phase_word(alert.phase)), 13, style);
    } else {
        pen.cell(&since, 5, style);
    }
    if place.width >= 60 {
        pen.cell(&safe(&alert.severity), severity_width(board), style);
    }
    let longest = board.alerts.iter().map(|a| columns(&a.name)).max().unwrap_or(0) as u16 + 1;
    let most = if place.width >= 110 { 40 } else { place.width / 3 };
    let name_style = if how >= Grade::Serious { theme.text } else { theme.dim };
    pen.cell(&safe(&alert.name), longest.clamp(8, most.max(8)) - 1, name_style).skip(1);
    let any = board.alerts.iter().any(|a| a.acknowledge_by.is_some());
    if any && place.width >= 60 {
        match acknowledge(alert, at) {
            Some((words, late)) => pen.cell(&words, 9, if late { theme.down } else { theme.accent }),
            None => pen.skip(9),
        };
    }
    let mut words = alert.paged.words(at.wall);
    if place.width < 100 && alert.phase == Phase::Keeping {
        words = format!("kept up; {words}");
    }
    // `not paged: inhibited by …`: where there is no room, what stands behind it tells more.
    if place.width < 76 {
        words = words.replacen("not paged: ", "not: ", 1);
    }
    pen.put(&safe(&words), theme.text);
}

/// One objective: what is left of its budget, and how much of its window that is from.
pub fn slo_line(ink: &Ink<'_>, slo: &SloView, place: Rect, buf: &mut Buffer) {
    let theme = ink.theme;
    let (how, words) = budget(slo);
    let style = if how == Grade::Fine { theme.text } else { ink.style(how) };
    let mut pen = Pen::new(buf, place, 0, ink.glyphs);
    pen.skip(1).cell(ink.glyphs.grade(how), 2, ink.style(how));
    if place.width >= 60 {
        pen.cell("objective", 10, theme.dim);
    }
    pen.put(&safe(&slo.name), theme.text).put(&format!(" {}  ", percent(slo.objective)), theme.dim);
    pen.put(&words, style).put(&format!("; {}", seen(slo)), theme.dim);
    if let Some(burn) = slo.burns.iter().find(|b| b.firing) {
        let rate =
            burn.long_rate.map(|r| format!(", {r:.1}x over {}", short_age(burn.long))).unwrap_or_default();
        pen.put(&rate, style);
    }
}
