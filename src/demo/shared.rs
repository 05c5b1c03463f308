//! What the demo's tasks share: the model behind a lock, the clock that drives it, and the open doors.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::fault::{Fault, FaultState, ParseError};
use super::model::{Door, Model};
use crate::clock::Clock;

/// Cheap to clone, usable from any thread: reads the demo's state and switches its faults.
#[derive(Clone)]
pub struct DemoHandle {
    inner: Arc<Inner>,
}

struct Inner {
    model: Mutex<Model>,
    clock: Arc<dyn Clock>,
    start: Duration,
    doors: watch::Sender<u32>,
    dir: PathBuf,
}

impl DemoHandle {
    pub(super) fn new(model: Model, clock: Arc<dyn Clock>, start: Duration, dir: PathBuf) -> Self {
        let (doors, _) = watch::channel(model.open_mask());
        Self { inner: Arc::new(Inner { model: Mutex::new(model), clock, start, doors, dir }) }
    }

    /// Brings the model up to now and gives it to `look`; doors open and close afterwards.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Model) -> T) -> T {
        let inner = &self.inner;
        let elapsed = inner.clock.now().mono.saturating_sub(inner.start);
        // A panic in one connection's task must not take the whole stack down.
        let mut model = inner.model.lock().unwrap_or_else(PoisonError::into_inner);
        model.advance(elapsed);
        let out = look(&mut model);
        let mask = model.open_mask();
        drop(model);
        inner.doors.send_if_modified(|now| std::mem::replace(now, mask) != mask);
        out
    }

    pub(super) fn doors(&self) -> watch::Receiver<u32> {
        self.inner.doors.subscribe()
    }

    pub(super) fn is_open(&self, door: Door) -> bool {
        *self.inner.doors.borrow() & door.bit() != 0
    }

    /// The demo's own directory.
    pub(super) fn dir(&self) -> &std::path::Path {
        &self.inner.dir
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.with(|m| m.has(fault))
    }

    /// Every fault there is, and whether it is on.
    pub fn faults(&self) -> Vec<FaultState> {
        self.with(|m| m.fault_states())
    }

    /// Switches a fault; what it breaks is broken within a second.
    pub fn set_fault(&self, name: &str, on: bool) -> Result<(), ParseError> {
        let fault = Fault::from_name(name)?;
        self.with(|m| m.set_fault(fault, on));
        Ok(())
    }

    /// The figures a fault screen shows beside the faults.
    pub fn summary(&self) -> Summary {
        self.with(|m| Summary {
            sessions_online: m.clients.online(),
            sessions_offline: m.clients.sessions().count() - m.clients.online(),
            peers: m.clients.peers(),
            addresses_free: m.clients.free(),
            logins: m.clients.counters.logins,
            login_failures: m.clients.counters.login_failures,
            heartbeats: m.clients.counters.heartbeats,
            heartbeat_failures: m.clients.counters.heartbeat_failures,
        })
    }
}

/// Counts since the demo began, except where they are states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    pub sessions_online: usize,
    pub sessions_offline: usize,
    pub peers: usize,
    pub addresses_free: usize,
    pub logins: u64,
    pub login_failures: u64,
    pub heartbeats: u64,
    pub heartbeat_failures: u64,
}
