//! Running one probe once: deadline, latency, conditions, and a reading that says why.
//!
//! A kind's own file only looks and reports facts or a fault; what that means for health is
//! decided here, in one place.

pub mod host;
pub mod kept;
pub mod procfs;
pub mod shared;

use crate::clock::{Clock, Now};
use crate::domain::condition::{Condition, Verdict};
use crate::domain::fact::{Fact, Facts};
use crate::domain::health::Health;
use crate::domain::observation::Reading;
use crate::domain::text;
use crate::domain::units;
use crate::stack::kind::Kind;
use crate::stack::kind::common::Endpoint;
use crate::stack::spec::Probe;
use crate::transport::Transport;
use crate::transport::fetch::Way;
pub use crate::transport::fetch::{Fault, Phase};
pub use crate::transport::reply;
use crate::transport::stream::Stream;
use shared::Shared;
use std::time::Duration;

macro_rules! kinds {
    ($($variant:ident $module:ident),* $(,)?) => {
        $(pub mod $module;)*

        async fn look(kind: &Kind, cx: &Context<'_>) -> Result<Found, Fault> {
            match kind { $(Kind::$variant(spec) => Box::pin($module::look(spec, cx)).await,)* }
        }
    };
}

// One line a kind; its other half is in `stack/kind`.
kinds! {
    Cert cert,
    Disk disk,
    Dns dns,
    EnvPresent env_present,
    Exec exec,
    File file,
    Http http,
    Listen listen,
    Load load,
    Memory memory,
    Nginx nginx,
    PidFile pid_file,
    Postgres postgres,
    Process process,
    Redis redis,
    Systemd systemd,
    Tcp tcp,
    Tor tor,
    Udp udp,
    UnixJson unix_json,
    Wireguard wireguard,
}

/// What a kind has at hand while it looks.
pub struct Context<'a> {
    pub transport: &'a Transport,
    pub shared: &'a Shared,
    pub clock: &'a dyn Clock,
    pub probe: &'a Probe,
    /// The way to the probe's host.
    pub way: Way<'a>,
}

impl<'a> Context<'a> {
    pub fn new(transport: &'a Transport, shared: &'a Shared, clock: &'a dyn Clock, probe: &'a Probe) -> Self {
        let way = Way::new(transport, &shared.access, clock, &probe.host);
        Context { transport, shared, clock, probe, way }
    }

    /// Says what is being waited for from now on.
    pub fn phase(&self, phase: Phase) {
        self.way.phase(phase);
    }

    /// Whether any condition speaks of a fact: what nobody asks about need not be worked out.
    pub fn speaks_of(&self, fact: &str) -> bool {
        self.probe.conditions.iter().chain(&self.probe.degraded_unless).any(|c| c.name() == fact)
    }

    /// See [`Way::connect`].
    pub async fn connect(&self, to: &Endpoint) -> Result<Stream, Fault> {
        self.way.connect(to).await
    }
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Found {
    pub facts: Facts,
    /// Shown as the reason while all is well: short, the most telling value first.
    pub summary: String,
    /// What came back, raw; it is neutralised and bounded before it is kept.
    pub evidence: String,
    /// When the facts are older than this run: a shared answer's own time.
    pub seen_at: Option<Now>,
    /// Set when the thing looked at is not there: what a failing condition on `EXISTS` or
    /// `PRESENT` then says, since "got false" does not name it.
    pub missing: Option<String>,
}

/// Runs a probe once, within its timeout. Never panics, never takes longer (a little scheduling
/// aside). Cancel-safe: dropping it abandons the look.
pub async fn run(cx: &Context<'_>) -> Reading {
    let start = cx.clock.now();
    let result = tokio::time::timeout(cx.probe.timeout, look(&cx.probe.kind, cx)).await;
    let end = cx.clock.now();
    let latency = end.since(start);
    match result {
        Ok(Ok(found)) => judge(cx.probe, found, latency, end),
        Ok(Err(fault)) => of_fault(fault, Some(latency), end),
        Err(_) => of_fault(cx.way.late(cx.probe.timeout), Some(latency), end),
    }
}

fn of_fault(fault: Fault, latency: Option<Duration>, at: Now) -> Reading {
    let (health, why, unreachable) = match fault {
        Fault::Down(why) => (Health::Down, why, false),
        Fault::Unknown(why) => (Health::Unknown, why, false),
        Fault::Unreachable(why) => (Health::Unknown, why, true),
    };
    let evidence = vec![text::reason(&why)];
    Reading { health, reason: text::reason(&why), latency, at, facts: Facts::new(), evidence, unreachable }
}

/// Holds the conditions against what was found: the first that fails gives the reason.
fn judge(probe: &Probe, mut found: Found, latency: Duration, end: Now) -> Reading {
    found.facts.set("LATENCY", Fact::Number(latency.as_secs_f64(), units::Unit::Seconds));
    let (mut health, mut reason) = (Health::Up, text::reason(&found.summary));
    let all = probe
        .conditions
        .iter()
        .map(|c| (c, Health::Down))
        .chain(probe.degraded_unless.iter().map(|c| (c, Health::Degraded)));
    for (condition, when_it_fails) in all {
        let (now, why) = match condition.eval(&found.facts) {
            Verdict::Holds => continue,
            Verdict::Fails(why) => (when_it_fails, absent(condition, &found).unwrap_or(why)),
            Verdict::Unknown(why) => (Health::Unknown, why),
        };
        if now.severity() > health.severity() {
            (health, reason) = (now, text::reason(&why));
        }
    }
    let at = found.seen_at.unwrap_or(end);
    let evidence = Reading::evidence_lines(&found.evidence);
    Reading { health, reason, latency: Some(latency), at, facts: found.facts, evidence, unreachable: false }
}

/// What a failing condition says of a thing that is not there.
fn absent(condition: &Condition, found: &Found) -> Option<String> {
    found.missing.clone().filter(|_| matches!(condition.name(), "EXISTS" | "PRESENT"))
}
