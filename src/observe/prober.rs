//! A stack's probes, ready to run: the way to each host, shared answers, the clock.

use super::probe::shared::Shared;
use super::probe::{self, Context};
use crate::clock::Clock;
use crate::domain::fact::Facts;
use crate::domain::health::Health;
use crate::domain::id::HostId;
use crate::domain::observation::{ProbeIndex, Reading};
use crate::domain::text;
use crate::stack::spec::{Probe, Stack};
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use std::sync::Arc;

/// Everything needed to run the probes of one stack.
pub struct Prober {
    probes: Vec<Ready>,
    /// One way to each host, for all who go there.
    ways: Vec<(HostId, Result<Arc<Transport>, String>)>,
    shared: Shared,
    clock: Arc<dyn Clock>,
}

/// One probe and the way to its host, or why there is none.
struct Ready {
    probe: Probe,
    transport: Result<Arc<Transport>, String>,
}

impl Prober {
    pub fn new(stack: &Stack, shared: Shared, clock: Arc<dyn Clock>) -> Self {
        let ways: Vec<_> =
            stack.hosts.iter().map(|h| (h.id.clone(), Transport::new(h).map(Arc::new))).collect();
        let mut prober = Prober { probes: Vec::new(), ways, shared, clock };
        let ready = |p: &Probe| Ready { transport: prober.way_to(&p.host), probe: p.clone() };
        prober.probes = stack.probes.iter().map(ready).collect();
        prober
    }

    /// The same probes over the same ways and sessions, with nothing remembered of what was answered
    /// before: whatever they find began after this call. `stack` is the one they were made from.
    #[must_use]
    pub fn afresh(&self, stack: &Stack) -> Prober {
        let ready = |r: &Ready| Ready { probe: r.probe.clone(), transport: r.transport.clone() };
        Prober {
            probes: self.probes.iter().map(ready).collect(),
            ways: self.ways.clone(),
            shared: self.shared.afresh(stack),
            clock: Arc::clone(&self.clock),
        }
    }

    /// The way to a host, which scrapes share with the probes.
    ///
    /// # Errors
    /// Why there is none.
    pub fn way_to(&self, host: &HostId) -> Result<Arc<Transport>, String> {
        let way = self.ways.iter().find(|(id, _)| id == host);
        way.map_or_else(|| Err(format!("no host is called {host}")), |(_, way)| way.clone())
    }

    /// Secrets and sessions, which scrapes share with the probes.
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.shared.access)
    }

    pub fn len(&self) -> usize {
        self.probes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.probes.is_empty()
    }

    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub fn probe(&self, index: ProbeIndex) -> Option<&Probe> {
        self.probes.get(index.0).map(|r| &r.probe)
    }

    /// Runs one probe once; see [`probe::run`] for its bounds. Cancel-safe.
    pub async fn run(&self, index: ProbeIndex) -> Reading {
        let Some(ready) = self.probes.get(index.0) else {
            return self.unknown("no such probe");
        };
        match &ready.transport {
            Ok(transport) => {
                probe::run(&Context::new(transport, &self.shared, &*self.clock, &ready.probe)).await
            }
            Err(why) => self.unknown(why),
        }
    }

    fn unknown(&self, why: &str) -> Reading {
        Reading {
            health: Health::Unknown,
            reason: text::reason(why),
            latency: None,
            at: self.clock.now(),
            facts: Facts::new(),
            evidence: Vec::new(),
            unreachable: false,
        }
    }
}
