//! Fetching over HTTP, for whoever looks and whoever acts: the way to a server, who asks, and what
//! a failure on that way means.

pub mod access;
pub mod ask;
pub mod auth;
pub mod body;
pub mod facts;
pub mod http;
pub mod login;

use crate::clock::Clock;
use crate::domain::id::HostId;
use crate::domain::units;
use crate::stack::kind::common::Endpoint;
use crate::transport::stream::Stream;
use crate::transport::tls::TlsError;
use crate::transport::{ConnectError, RunError, Transport};
use access::Access;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Why something could not be had.
#[derive(Debug)]
pub enum Fault {
    /// The target's own doing: refused, closed, nonsense. It is down.
    Down(String),
    /// We could not learn it: no privilege, no tool, no secret. It is unknown.
    Unknown(String),
    /// There is no way to it from here. It is unknown, and perhaps it is us.
    Unreachable(String),
}

impl Fault {
    /// What was wrong, whosever fault it is.
    pub fn why(&self) -> &str {
        match self {
            Fault::Down(why) | Fault::Unknown(why) | Fault::Unreachable(why) => why,
        }
    }
}

impl From<ConnectError> for Fault {
    fn from(e: ConnectError) -> Self {
        match e {
            ConnectError::Refused(why) => Fault::Down(why),
            ConnectError::Unreachable(why) => Fault::Unreachable(why),
            ConnectError::NotAllowed(why) => Fault::Unknown(format!("needs permission: {why}")),
        }
    }
}

impl From<TlsError> for Fault {
    fn from(e: TlsError) -> Self {
        match e {
            TlsError::Target(why) => Fault::Down(why),
            TlsError::Ours(why) => Fault::Unknown(why),
        }
    }
}

impl From<RunError> for Fault {
    fn from(e: RunError) -> Self {
        match e {
            RunError::Unreachable(why) => Fault::Unreachable(why),
            other => Fault::Unknown(other.to_string()),
        }
    }
}

/// How far a look has come: it decides what a deadline that passes means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Something of our own: a file, a command, a lock. Running out of time says nothing of the target.
    Ours = 0,
    /// On the way to the target; silence means that there may be no way.
    Connecting = 1,
    /// The target took the connection, so silence is its own.
    Waiting = 2,
    /// An answer has begun.
    Reading = 3,
}

/// The way to one host, for one look: it notes how far the look has come.
pub struct Way<'a> {
    pub transport: &'a Transport,
    pub access: &'a Access,
    pub clock: &'a dyn Clock,
    pub host: &'a HostId,
    phase: AtomicU8,
}

impl<'a> Way<'a> {
    pub fn new(transport: &'a Transport, access: &'a Access, clock: &'a dyn Clock, host: &'a HostId) -> Self {
        Way { transport, access, clock, host, phase: AtomicU8::new(Phase::Ours as u8) }
    }

    /// Says what is being waited for from now on.
    pub fn phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub fn current_phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            1 => Phase::Connecting,
            2 => Phase::Waiting,
            3 => Phase::Reading,
            _ => Phase::Ours,
        }
    }

    /// Connects, and says so: silence before this returns means that there may be no way to the
    /// target, silence after it is the target's own. Cancel-safe.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn connect(&self, to: &Endpoint) -> Result<Stream, Fault> {
        self.phase(Phase::Connecting);
        let stream = self.transport.connect(to).await?;
        self.phase(Phase::Waiting);
        Ok(stream)
    }

    /// What it means that the time for this look has run out.
    pub fn late(&self, timeout: Duration) -> Fault {
        let within = units::exact(timeout);
        if let Some(why) = self.transport.trouble() {
            return Fault::Unreachable(format!("expected a result within {within}, but {why}"));
        }
        match self.current_phase() {
            Phase::Ours => Fault::Unknown(format!("expected a result within {within}, gave up here")),
            Phase::Connecting => Fault::Unreachable(format!(
                "expected a connection within {within}, got no answer: unreachable from here"
            )),
            Phase::Waiting => {
                Fault::Down(format!("expected an answer within {within}, got silence after connecting"))
            }
            Phase::Reading => {
                Fault::Down(format!("expected an answer within {within}, got only a part of it"))
            }
        }
    }
}
