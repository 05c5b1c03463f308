//! The program's own log.

use super::paint::rule;
use crate::tui::app::App;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use tui_logger::{TuiLoggerLevelOutput, TuiLoggerWidget};

pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    rule(buf, area, 0, "quarterdeck's own log", app.glyphs, theme.border, theme.title);
    let inner = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(1),
    };
    // No thread of the logger's own moves the records (it would wake a hundred times a second):
    // they are moved when somebody looks.
    tui_logger::move_events();
    TuiLoggerWidget::default()
        .output_timestamp(Some("%H:%M:%S".to_owned()))
        .output_level(Some(TuiLoggerLevelOutput::Long))
        .output_target(false)
        .output_file(false)
        .output_line(false)
        .style(theme.text)
        .style_error(theme.down)
        .style_warn(theme.degraded)
        .style_info(theme.text)
        .style_debug(theme.dim)
        .render(inner, buf);
}
