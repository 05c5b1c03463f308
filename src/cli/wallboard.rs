//! `quarterdeck wallboard`: the read-only screen.

use super::lookout::Onlooker;
use super::screen::{self, Ended};
use super::setup::Ready;
use crate::runs::dir::StateDir;
use crate::runs::watch::Watcher;
use crate::tui::wallboard::Wallboard;
use std::time::Duration;

/// Shows the wallboard until it is left.
///
/// # Errors
/// The text completes "failed to …".
pub async fn run(ready: &Ready, rotate: Option<Duration>) -> Result<Ended, String> {
    let rotate = rotate.unwrap_or(ready.loaded.config.wallboard_rotate).max(Duration::from_secs(1));
    let mut board = board(ready, rotate);
    screen::run(&mut board, ready, None, Onlooker::new(watcher(ready))).await
}

/// The wallboard before anything has been seen.
pub(super) fn board(ready: &Ready, rotate: Duration) -> Wallboard {
    let stack = &ready.loaded.stack;
    let mut board = Wallboard::new(
        stack.title.clone(),
        stack.environment.clone(),
        stack.matrix(),
        ready.theme.clone(),
        ready.glyphs,
        rotate,
        ready.clock.now(),
    );
    board.expects_runs = !stack.procedures.all.is_empty();
    board
}

/// Who looks at the runs of the stack, and can do nothing to them.
pub(super) fn watcher(ready: &Ready) -> Watcher {
    // Only who writes there has to know the operators' group.
    let state = StateDir::new(ready.state_dir.clone(), None);
    // Interlocks are of no concern to who cannot begin anything.
    Watcher::new(state, Some(&ready.loaded.stack.name), Vec::new()).without_tails()
}
