//! The one bounded channel from the observers to the screen.
//!
//! It holds at most [`PER_PROBE`] results for each probe: when the reader is slower than that, the
//! oldest result of that probe is dropped and counted. So a storm of one probe never delays or
//! displaces another's result, and memory is bounded by the stack's size.

use crate::domain::board::Board;
use crate::domain::observation::{Observation, ProbeIndex};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Results waiting for each probe, at most.
pub const PER_PROBE: usize = 4;

/// Observations on their way to the reader.
#[derive(Debug)]
pub struct Mailbox {
    inner: Mutex<Inner>,
    ready: Notify,
}

#[derive(Debug)]
struct Inner {
    queue: VecDeque<Observation>,
    /// Results in the queue, by probe.
    waiting: Vec<usize>,
    /// The latest board, until it is taken: of these only the last one counts.
    board: Option<Arc<Board>>,
    /// Something should be seen at once.
    urgent: bool,
    dropped: u64,
    closed: bool,
}

impl Mailbox {
    pub fn new(probes: usize) -> Self {
        let inner = Inner {
            queue: VecDeque::new(),
            waiting: vec![0; probes],
            board: None,
            urgent: false,
            dropped: 0,
            closed: false,
        };
        Mailbox { inner: Mutex::new(inner), ready: Notify::new() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one; never waits. Only what is `urgent` wakes the reader: a result that says the same
    /// as the one before can wait for the reader's next look, which comes at least once a second,
    /// and a screen on which nothing happens then costs nothing.
    pub fn post(&self, observation: Observation, urgent: bool) {
        let ProbeIndex(probe) = observation.probe();
        {
            let mut inner = self.lock();
            let full = inner.waiting.get(probe).is_none_or(|n| *n >= PER_PROBE);
            if full {
                let of_probe = |o: &Observation| match o {
                    Observation::Probed { probe: p, .. } | Observation::Started { probe: p, .. } => {
                        p.0 == probe
                    }
                };
                match inner.queue.iter().position(of_probe) {
                    Some(oldest) => {
                        inner.queue.remove(oldest);
                        inner.dropped += 1;
                    }
                    None => return,
                }
            } else if let Some(n) = inner.waiting.get_mut(probe) {
                *n += 1;
            }
            inner.queue.push_back(observation);
            inner.urgent |= urgent;
        }
        if urgent {
            self.ready.notify_one();
        }
    }

    /// Puts a new board in the place of the one before; `urgent` as in [`Mailbox::post`].
    pub fn post_board(&self, board: Arc<Board>, urgent: bool) {
        {
            let mut inner = self.lock();
            inner.board = Some(board);
            inner.urgent |= urgent;
        }
        if urgent {
            self.ready.notify_one();
        }
    }

    /// Takes the board that was posted last, once.
    pub fn take_board(&self) -> Option<Arc<Board>> {
        self.lock().board.take()
    }

    /// Takes every observation that waits.
    pub fn drain(&self) -> VecDeque<Observation> {
        let mut inner = self.lock();
        inner.waiting.fill(0);
        inner.urgent = false;
        std::mem::take(&mut inner.queue)
    }

    /// Waits until something urgent is there, or the observers are gone. Cancel-safe.
    pub async fn wait(&self) {
        loop {
            {
                let inner = self.lock();
                if inner.urgent || inner.closed {
                    return;
                }
            }
            self.ready.notified().await;
        }
    }

    /// Says that nothing more will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Results dropped so far because the reader was slow.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};

    fn started(probe: usize) -> Observation {
        let now = ManualClock::at(jiff::Timestamp::UNIX_EPOCH).now();
        Observation::Started { probe: ProbeIndex(probe), at: now }
    }

    #[test]
    fn a_storm_of_one_probe_displaces_only_itself() {
        let mailbox = Mailbox::new(2);
        mailbox.post(started(1), true);
        for _ in 0..1000 {
            mailbox.post(started(0), true);
        }
        let all = mailbox.drain();
        assert_eq!((all.len(), mailbox.dropped()), (1 + PER_PROBE, 1000 - PER_PROBE as u64));
        assert_eq!(all.front(), Some(&started(1)));
        mailbox.post(started(0), true);
        assert_eq!(mailbox.drain().len(), 1, "drained places are free again");
    }

    #[test]
    fn only_what_is_urgent_wakes_the_reader() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mailbox = Mailbox::new(1);
            mailbox.post(started(0), false);
            let wait = || tokio::time::timeout(std::time::Duration::from_secs(60), mailbox.wait());
            assert!(wait().await.is_err(), "a routine result woke the reader");
            mailbox.post(started(0), true);
            assert!(wait().await.is_ok());
            assert_eq!(mailbox.drain().len(), 2, "what waited comes along");
            assert!(wait().await.is_err(), "nothing is left");
        });
    }

    #[test]
    fn a_probe_that_does_not_exist_is_ignored() {
        let mailbox = Mailbox::new(1);
        mailbox.post(started(7), true);
        assert!(mailbox.drain().is_empty());
    }
}
