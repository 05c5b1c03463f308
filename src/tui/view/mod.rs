//! From rows to cells. Every view draws into a buffer, so that a frame needs no terminal.

pub mod alert_panel;
pub mod alerts;
pub mod badge;
pub mod confirm;
pub mod detail;
pub mod dialog;
pub mod families;
pub mod frame;
pub mod help;
pub mod log;
pub mod metrics;
pub mod overview;
pub mod paint;
pub mod palette;
pub mod procedures;
pub mod query;
pub mod run;
pub mod switches;
pub mod targets;
pub mod tiny;
pub mod wallboard;

use super::app::{App, Mode, Screen};
use crate::clock::Now;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The smallest terminal that gets the full layout; below it one line of words remains.
pub const SMALLEST: (u16, u16) = (40, 8);

/// Lines between the frame's lines, as the terminal is now.
pub fn body_height(app: &App) -> usize {
    usize::from(app.size.1.saturating_sub(frame::ABOVE + frame::BELOW))
}

/// Draws one frame.
///
/// ```text
/// header      stack · environment · hosts · tally · mode              UTC
/// headline    what is wrong, since when, why
/// clocks      what runs out next
/// ----------------------------------------------------------------------
/// body        the matrix, a screen, with the detail pane below it
/// ----------------------------------------------------------------------
/// footer      keys, the filter being typed, or the answer to a key
/// ```
pub fn draw(app: &App, now: Now, area: Rect, buf: &mut Buffer) {
    buf.set_style(area, app.theme.text);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        tiny::draw(app, now, area, buf);
        return;
    }
    let body = frame::draw(app, now, area, buf);
    match app.screen {
        Screen::Overview => overview::draw(app, now, body, buf),
        Screen::Metrics => metrics::draw(app, now, body, buf),
        Screen::Alerts => alerts::draw(app, now, body, buf),
        Screen::Procedures if app.acting.view.run.is_some() => run::draw(app, now, body, buf),
        Screen::Procedures => procedures::draw(app, now, body, buf),
        Screen::Switches => switches::draw(app, body, buf),
        Screen::Log => log::draw(app, body, buf),
    }
    match &app.mode {
        Mode::Help { scroll } => help::draw(app, *scroll, area, buf),
        Mode::Palette { input, cursor } => palette::draw(app, input, *cursor, area, buf),
        Mode::Act(over) => dialog::draw(app, over, now, area, buf),
        Mode::Normal | Mode::Filter | Mode::Prompt(_) => {}
    }
}

#[cfg(test)]
mod act_tests;
#[cfg(test)]
mod metrics_tests;
#[cfg(test)]
mod tests;
