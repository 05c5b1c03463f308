//! Watches the state directory for the dashboard: often while a run is under way, seldom otherwise.

use super::{Desk, lock};
use crate::act::approval;
use crate::act::planner::interlocks;
use crate::runs::watch::Watcher;
use crate::tui::app::Event;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks while a run is open, and when none is. A look at an unchanged directory
/// costs a few calls of `stat`.
const BUSY: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_secs(1);

/// Tells of every change until nobody listens. Files are read in a thread: a disk may be slow.
pub(super) async fn watch(desk: Arc<Desk>) {
    let acting = &desk.acting;
    let rules = interlocks::rules(&acting.stack.procedures.interlocks);
    let mut watcher = Watcher::new(acting.state.clone(), Some(&acting.stack.name), rules);
    let mut last = watcher.ledger();
    loop {
        let shared = Arc::clone(&desk);
        let looked = tokio::task::spawn_blocking(move || {
            watcher.choose(lock(&shared.chosen).clone());
            let now = shared.acting.clock.now().wall;
            let waiting = approval::waiting(&shared.acting.state, now);
            watcher.look(&waiting);
            watcher
        });
        let Ok(back) = looked.await else { return };
        watcher = back;
        let ledger = watcher.ledger();
        let busy = ledger.open.iter().any(|run| run.ended.is_none());
        if !Arc::ptr_eq(&ledger, &last) {
            last = Arc::clone(&ledger);
            if desk.tell.send(Event::Ledger(ledger)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(if busy { BUSY } else { IDLE }) => {}
            () = desk.look_now.notified() => {}
        }
    }
}
