//! The one bounded channel from the observers to the screen.
//!
//! It holds at most [`PER_PROBE`] results for each probe: when the reader is slower than that, the
//! oldest result of that probe is dropped and counted. So a storm of one probe never delays or
//! displaces another's result, and memory is bounded by the stack's size.

use crate::domain::observation::{Observation, ProbeIndex};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
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
    dropped: u64,
    closed: bool,
}

impl Mailbox {
    pub fn new(probes: usize) -> Self {
        let inner = Inner { queue: VecDeque::new(), waiting: vec![0; probes], dropped: 0, closed: false };
        Mailbox { inner: Mutex::new(inner), ready: Notify::new() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one; never waits.
    pub fn post(&self, observation: Observation) {
        let ProbeIndex(probe) = match &observation {
            Observation::Probed { probe, .. } | Observation::Started { probe, .. } => *probe,
        };
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
        }
        self.ready.notify_one();
    }

    /// Takes everything that waits.
    pub fn drain(&self) -> VecDeque<Observation> {
        let mut inner = self.lock();
        inner.waiting.fill(0);
        std::mem::take(&mut inner.queue)
    }

    /// Waits until something is there, or the observers are gone. Cancel-safe.
    pub async fn wait(&self) {
        loop {
            {
                let inner = self.lock();
                if !inner.queue.is_empty() || inner.closed {
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
        mailbox.post(started(1));
        for _ in 0..1000 {
            mailbox.post(started(0));
        }
        let all = mailbox.drain();
        assert_eq!((all.len(), mailbox.dropped()), (1 + PER_PROBE, 1000 - PER_PROBE as u64));
        assert_eq!(all.front(), Some(&started(1)));
        mailbox.post(started(0));
        assert_eq!(mailbox.drain().len(), 1, "drained places are free again");
    }

    #[test]
    fn a_probe_that_does_not_exist_is_ignored() {
        let mailbox = Mailbox::new(1);
        mailbox.post(started(7));
        assert!(mailbox.drain().is_empty());
    }
}
