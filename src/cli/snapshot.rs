//! `quarterdeck snapshot`: one frame of a screen, once every probe has answered, without a terminal.

use super::setup::Ready;
use super::{alerts, check, wallboard};
use crate::domain::observation::ProbeIndex;
use crate::domain::telemetry::Telemetry;
use crate::observe::metrics::engine::{remotes, setup};
use crate::observe::metrics::once;
use crate::tui::app::{App, Effect, Event, Screen};
use crate::tui::picture;
use crate::tui::terminal::Depth;
use crate::tui::update::update;
use crate::tui::view;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use std::sync::Arc;
use std::time::Duration;

/// The form of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    Text,
    Ansi,
    Svg,
}

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shown {
    Overview,
    /// The overview with the details of the worst probe.
    Detail,
    Help,
    /// The grid of graphs.
    Metrics,
    /// Alerts, objectives and rules.
    Alerts,
    Wallboard,
}

/// Columns and rows, from `120x40`; at most 500 by 200, which is more than any wall has.
///
/// # Errors
/// Says what is expected.
pub fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let parsed =
        text.split_once('x').and_then(|(w, h)| Some((w.parse::<u16>().ok()?, h.parse::<u16>().ok()?)));
    match parsed {
        Some((w @ 1..=500, h @ 1..=200)) => Ok((w, h)),
        _ => Err("expected COLUMNSxROWS such as 120x40, at most 500x200".to_owned()),
    }
}

/// Looks at everything once, or again and again for `span`, so that graphs have a past, and draws.
pub async fn draw(
    ready: &Ready,
    shown: Shown,
    (width, height): (u16, u16),
    output: Output,
    span: Duration,
) -> String {
    let stack = &ready.loaded.stack;
    let prober = Arc::new(ready.prober());
    let mut matrix = stack.matrix();
    let all: Vec<ProbeIndex> = (0..prober.len()).map(ProbeIndex).collect();
    check::once(Arc::clone(&prober), &mut matrix, &all).await;
    let mut telemetry = Telemetry::new(setup::of(&stack.metrics));
    let measured = matches!(shown, Shown::Metrics | Shown::Alerts | Shown::Wallboard) || !span.is_zero();
    if measured {
        once::gather(stack, &prober, &ready.clock, &mut telemetry, span).await;
        let _ = alerts::ask_others(stack, &prober, &ready.clock, &mut telemetry).await;
    }
    let mut runs = wallboard::watcher(ready);
    runs.look(&[]);
    let now = ready.clock.now();
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    if shown == Shown::Wallboard {
        let mut board = wallboard::board(ready, ready.loaded.config.wallboard_rotate);
        board.matrix = matrix;
        board.board = Arc::new(telemetry.board(now));
        board.ledger = runs.ledger();
        view::wallboard::draw(&board, now, buf.area, &mut buf);
    } else {
        let mut app = ready.app();
        app.replace_matrix(matrix);
        app.ledger = runs.ledger();
        if measured {
            app.replace_board(Arc::new(telemetry.board(now)));
        }
        for effect in arrange(&mut app, shown, (width, height), now) {
            if let Effect::Ask(ask) = effect {
                telemetry.ask(ask);
            }
        }
        if measured {
            if let Some(remote) = &stack.metrics.prometheus
                && let Ok(prometheus) = remotes::prometheus(remote, &prober)
            {
                let questions = telemetry.questions(now);
                remotes::ask_all(&prometheus, &questions, &mut |put| put(&mut telemetry)).await;
            }
            app.replace_board(Arc::new(telemetry.board(now)));
        }
        view::draw(&app, now, buf.area, &mut buf);
    }
    match output {
        Output::Text => picture::text(&buf),
        Output::Ansi => {
            if ready.capability.depth == Depth::None {
                without_color(&mut buf);
            }
            picture::ansi(&buf)
        }
        Output::Svg => picture::svg(&buf, ready.theme.name == "light"),
    }
}

/// Leaves bold, underline and reverse, which are no colours.
fn without_color(buf: &mut Buffer) {
    for cell in &mut buf.content {
        (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
    }
}

fn arrange(app: &mut App, shown: Shown, size: (u16, u16), now: crate::clock::Now) -> Vec<Effect> {
    use crate::tui::command::Action;
    app.screen = Screen::Overview;
    let mut effects = update(app, now, Event::Resize(size.0, size.1));
    let actions: &[Action] = match shown {
        Shown::Detail => &[Action::NextProblem, Action::Open],
        Shown::Help => &[Action::Help],
        Shown::Metrics => &[Action::ShowMetrics],
        Shown::Alerts => &[Action::ShowAlerts],
        Shown::Overview | Shown::Wallboard => &[],
    };
    for action in actions {
        effects.extend(update(app, now, Event::Act(*action)));
    }
    app.notice = None;
    effects
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_columns_by_rows() {
        assert_eq!(parse_size("120x40"), Ok((120, 40)));
        for bad in ["", "120", "0x4", "x", "1000x40", "120X40", "120x-4"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
