//! Watches the state directory for a screen: often while a run is under way, seldom otherwise.

use super::screen::Hands;
use crate::runs::watch::Watcher;
use crate::tui::app::{Effect, Event};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Between two looks while a run is open, and when none is. A look at an unchanged directory
/// costs a few calls of `stat`.
const BUSY: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_secs(1);

/// How a watcher is made to look.
pub(super) type Look = Arc<dyn Fn(&mut Watcher) + Send + Sync>;

/// Tells of every change until nobody listens. Files are read in a thread: a disk may be slow.
/// Looks at once when `look_now` is notified.
pub(super) async fn watch(
    mut watcher: Watcher,
    look: Look,
    look_now: Arc<Notify>,
    tell: mpsc::Sender<Event>,
) {
    let mut last = watcher.ledger();
    loop {
        let look = Arc::clone(&look);
        let looked = tokio::task::spawn_blocking(move || {
            look(&mut watcher);
            watcher
        });
        let Ok(back) = looked.await else { return };
        watcher = back;
        let ledger = watcher.ledger();
        let busy = ledger.open.iter().any(|run| run.ended.is_none());
        if !Arc::ptr_eq(&ledger, &last) {
            last = Arc::clone(&ledger);
            if tell.send(Event::Ledger(ledger)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(if busy { BUSY } else { IDLE }) => {}
            () = look_now.notified() => {}
        }
    }
}

/// The hands of a screen that only looks: they tell of runs and do nothing.
pub(super) struct Onlooker(mpsc::Receiver<Event>);

impl Onlooker {
    /// Begins to watch. Must be called within a runtime.
    pub fn new(watcher: Watcher) -> Onlooker {
        // One that is newer waits until the screen has taken the last.
        let (tell, told) = mpsc::channel(1);
        let look: Look = Arc::new(|watcher| {
            watcher.look(&[]);
        });
        tokio::spawn(watch(watcher, look, Arc::default(), tell));
        Onlooker(told)
    }
}

impl Hands for Onlooker {
    fn take(&mut self, _: Effect) {}

    async fn tell(&mut self) -> Event {
        match self.0.recv().await {
            Some(event) => event,
            // It ends with the program only.
            None => std::future::pending().await,
        }
    }
}
