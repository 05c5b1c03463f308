//! The word to end what is being done, heard by everything that does it.

use std::sync::Arc;
use tokio::sync::watch;

/// A switch that can be thrown once; its clones are the same switch.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Stop::new()
    }
}

impl Stop {
    pub fn new() -> Stop {
        Stop(Arc::new(watch::channel(false).0))
    }

    /// Says that what is being done must end. It stays said.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is said; at once when it has been. Cancel-safe.
    pub async fn stopped(&self) {
        // The sender is ours, so the channel cannot close while this waits.
        let _ = self.0.subscribe().wait_for(|said| *said).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_heard_by_all_and_stays_said() {
        let stop = Stop::new();
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.stopped().await }
        });
        assert!(!stop.is_stopped());
        stop.clone().stop();
        waiting.await.unwrap();
        stop.stopped().await;
        assert!(stop.is_stopped());
    }
}
