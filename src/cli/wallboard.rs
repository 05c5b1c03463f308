//! `quarterdeck wallboard`: the read-only screen.

use super::screen::{self, Ended, NoHands};
use super::setup::Ready;
use crate::tui::wallboard::Wallboard;
use std::time::Duration;

/// Shows the wallboard until it is left.
///
/// # Errors
/// The text completes "failed to …".
pub async fn run(ready: &Ready, rotate: Option<Duration>) -> Result<Ended, String> {
    let stack = &ready.loaded.stack;
    let rotate = rotate.unwrap_or(ready.loaded.config.wallboard_rotate).max(Duration::from_secs(1));
    let mut board = Wallboard::new(
        stack.title.clone(),
        stack.environment.clone(),
        stack.matrix(),
        ready.theme.clone(),
        ready.glyphs,
        rotate,
        ready.clock.now(),
    );
    screen::run(&mut board, ready, None, NoHands).await
}
