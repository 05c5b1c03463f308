//! The health matrix: every probe's state, rolled up by layer and host.

use super::cause::{self, Role};
use super::damping::{Damper, Thresholds};
use super::health::{Health, Tally};
use super::id::{HostId, LayerId, ProbeId};
use super::observation::{Observation, ProbeIndex, Reading};
use crate::clock::Now;
use std::collections::VecDeque;
use std::time::Duration;

/// Results kept per probe for the strip and the detail pane; older ones are dropped.
pub const HISTORY: usize = 120;
/// Changes of state kept per probe; older ones are dropped.
pub const CHANGES: usize = 32;

/// What is fixed about a layer.
#[derive(Clone, Debug)]
pub struct Layer {
    pub id: LayerId,
    pub name: String,
    /// Indices of the layers it needs.
    pub needs: Vec<usize>,
}

/// What is fixed about a probe, as far as a reader of the matrix needs it.
#[derive(Clone, Debug)]
pub struct Probe {
    pub id: ProbeId,
    pub name: String,
    /// Index of its layer.
    pub layer: usize,
    pub host: HostId,
    pub kind: &'static str,
    /// What it looks at: a URL, an address, a unit, an argv.
    pub target: String,
    /// Whether looking needs the network beyond this machine.
    pub remote: bool,
    pub interval: Duration,
    pub timeout: Duration,
    pub thresholds: Thresholds,
    /// As written in the stack file.
    pub conditions: Vec<String>,
    /// As written in the stack file.
    pub degraded_unless: Vec<String>,
    /// What it means and what to do, from the stack file.
    pub help: String,
}

/// One past result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Past {
    pub health: Health,
    pub latency: Option<Duration>,
    pub at: Now,
}

/// A change of what is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub from: Option<Health>,
    pub to: Health,
    pub at: Now,
    pub reason: String,
}

/// What is known of one probe.
#[derive(Clone, Debug, Default)]
pub struct ProbeState {
    damper: Damper,
    pub last: Option<Box<Reading>>,
    /// Since when what is shown has been shown.
    pub since: Option<Now>,
    /// Newest last; at most [`HISTORY`].
    pub history: VecDeque<Past>,
    /// Newest last; at most [`CHANGES`].
    pub changes: VecDeque<Change>,
    pub next: Option<Now>,
    /// Set while a run is under way.
    pub running_since: Option<Now>,
    /// Results so far.
    pub runs: u64,
}

/// The state of one probe as shown at some moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub health: Health,
    pub reason: String,
    /// How long it has been so; `None` before the first result.
    pub since: Option<Duration>,
    /// It was so when we first looked: it may have been so for longer than `since`.
    pub from_the_start: bool,
    /// The age of the last result; `None` before the first.
    pub age: Option<Duration>,
    pub stale: bool,
}

/// Why the whole matrix may be about us rather than about the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsItMe {
    /// How many remote probes fail for want of a way there.
    pub failing: usize,
}

/// Everything known about the stack's health.
#[derive(Clone, Debug)]
pub struct Matrix {
    layers: Vec<Layer>,
    probes: Vec<Probe>,
    states: Vec<ProbeState>,
}

impl Matrix {
    pub fn new(layers: Vec<Layer>, probes: Vec<Probe>) -> Self {
        let states = probes.iter().map(|_| ProbeState::default()).collect();
        Matrix { layers, probes, states }
    }

    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    pub fn probe(&self, index: ProbeIndex) -> Option<(&Probe, &ProbeState)> {
        Some((self.probes.get(index.0)?, self.states.get(index.0)?))
    }

    /// The indices of a layer's probes, in the order of the stack file.
    pub fn of_layer(&self, layer: usize) -> impl Iterator<Item = ProbeIndex> + '_ {
        self.probes.iter().enumerate().filter(move |(_, p)| p.layer == layer).map(|(i, _)| ProbeIndex(i))
    }

    /// Takes one observation in. Returns whether what is shown of a probe changed its state.
    pub fn apply(&mut self, observation: Observation) -> bool {
        match observation {
            Observation::Started { probe, at } => {
                if let Some(state) = self.states.get_mut(probe.0) {
                    state.running_since = Some(at);
                }
                false
            }
            Observation::Probed { probe, reading, next } => {
                let Some((meta, state)) = self.probes.get(probe.0).zip(self.states.get_mut(probe.0)) else {
                    return false;
                };
                state.take(reading, next, meta.thresholds)
            }
        }
    }

    /// What a probe shows at `now`. A result that is overdue is `unknown`, whatever it said.
    pub fn shown(&self, index: ProbeIndex, now: Now) -> Shown {
        let Some((meta, state)) = self.probe(index) else {
            return Shown {
                from_the_start: false,
                health: Health::Unknown,
                reason: "no such probe".to_owned(),
                since: None,
                age: None,
                stale: false,
            };
        };
        let (Some(last), Some(health)) = (&state.last, state.damper.shown()) else {
            let reason = match state.running_since {
                Some(at) => format!("first run under way for {}", super::units::short_age(now.since(at))),
                None => "not probed yet".to_owned(),
            };
            return Shown {
                health: Health::Unknown,
                reason,
                since: None,
                from_the_start: false,
                age: None,
                stale: false,
            };
        };
        let age = now.since(last.at);
        let since = state.since.map(|at| now.since(at));
        let from_the_start = state.changes.back().is_some_and(|c| c.from.is_none());
        if let Some(next) = state.next
            && now.since(next) > overdue_after(meta)
        {
            let was = health.as_str();
            let reason = format!("no result for {}; it was {was}", super::units::short_age(age));
            return Shown {
                health: Health::Unknown,
                reason,
                since,
                from_the_start,
                age: Some(age),
                stale: true,
            };
        }
        let reason = if last.health == health {
            last.reason.clone()
        } else {
            // The damper still shows the older state: say both, or the reason contradicts the state.
            let needed = if health == Health::Up { meta.thresholds.failure } else { meta.thresholds.success };
            format!("{} ({} of {needed} in a row)", last.reason, state.damper.streak())
        };
        Shown { health, reason, since, from_the_start, age: Some(age), stale: false }
    }

    /// The state that [`Matrix::shown`] gives, without making its texts.
    pub fn health_at(&self, index: ProbeIndex, now: Now) -> Health {
        let Some((meta, state)) = self.probe(index) else { return Health::Unknown };
        let overdue = state.next.is_some_and(|next| now.since(next) > overdue_after(meta));
        match state.damper.shown() {
            Some(health) if !overdue => health,
            _ => Health::Unknown,
        }
    }

    pub fn layer_tally(&self, layer: usize, now: Now) -> Tally {
        self.of_layer(layer).map(|p| self.health_at(p, now)).collect()
    }

    pub fn host_tally(&self, host: &HostId, now: Now) -> Tally {
        let of_host = self.probes.iter().enumerate().filter(|(_, p)| p.host == *host);
        of_host.map(|(i, _)| self.health_at(ProbeIndex(i), now)).collect()
    }

    pub fn tally(&self, now: Now) -> Tally {
        (0..self.probes.len()).map(|i| self.health_at(ProbeIndex(i), now)).collect()
    }

    /// The hosts that have probes, in order of appearance.
    pub fn hosts(&self) -> Vec<HostId> {
        let mut hosts: Vec<HostId> = Vec::new();
        for probe in &self.probes {
            if !hosts.contains(&probe.host) {
                hosts.push(probe.host.clone());
            }
        }
        hosts
    }

    /// The part each layer plays in what is wrong. A layer without probes takes no part.
    pub fn roles(&self, now: Now) -> Vec<Role> {
        let health: Vec<Health> = (0..self.layers.len()).map(|l| self.layer_tally(l, now).worst()).collect();
        let needs: Vec<Vec<usize>> = self.layers.iter().map(|l| l.needs.clone()).collect();
        let mut roles = cause::roles(&health, &needs);
        for (layer, role) in roles.iter_mut().enumerate() {
            if let Role::ExplainedBy(by) = *role
                && self.failing_for(layer, now) > self.failing_for(by, now) + self.slowest_look(by)
            {
                // It failed before its cause did, by more than the cause could have gone unseen.
                *role = Role::Cause;
            }
        }
        roles
    }

    /// How long a layer has been failing: its oldest failure.
    fn failing_for(&self, layer: usize, now: Now) -> Duration {
        let failing = self
            .of_layer(layer)
            .filter(|p| matches!(self.health_at(*p, now), Health::Degraded | Health::Down));
        failing.filter_map(|p| Some(now.since(self.probe(p)?.1.since?))).max().unwrap_or_default()
    }

    /// The longest that a failure of a layer can go unseen.
    fn slowest_look(&self, layer: usize) -> Duration {
        let probes = self.probes.iter().filter(|p| p.layer == layer);
        probes.map(|p| overdue_after(p) * p.thresholds.failure).max().unwrap_or_default()
    }

    /// Set when every remote probe (at least two) has just failed for want of a way there: then
    /// the trouble is more likely here than in all of those places at once.
    pub fn is_it_me(&self) -> Option<IsItMe> {
        let remote: Vec<&ProbeState> =
            self.probes.iter().zip(&self.states).filter(|(p, _)| p.remote).map(|(_, s)| s).collect();
        let failing = remote.iter().filter(|s| s.last.as_ref().is_some_and(|r| r.unreachable)).count();
        (remote.len() >= 2 && failing == remote.len()).then_some(IsItMe { failing })
    }

    /// Whether every probe has a first result.
    pub fn complete(&self) -> bool {
        self.states.iter().all(|s| s.last.is_some())
    }
}

/// How long after its due time a result counts as missing: it had its own deadline, and one more
/// interval for a machine under load.
fn overdue_after(probe: &Probe) -> Duration {
    probe.interval + probe.timeout
}

impl ProbeState {
    fn take(&mut self, reading: Box<Reading>, next: Now, thresholds: Thresholds) -> bool {
        let from = self.damper.shown();
        let changed = self.damper.observe(reading.health, thresholds);
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Past { health: reading.health, latency: reading.latency, at: reading.at });
        if changed {
            self.since = Some(reading.at);
            if self.changes.len() == CHANGES {
                self.changes.pop_front();
            }
            self.changes.push_back(Change {
                from,
                to: reading.health,
                at: reading.at,
                reason: reading.reason.clone(),
            });
        }
        self.running_since = None;
        self.next = Some(next);
        self.runs += 1;
        self.last = Some(reading);
        changed
    }
}

#[cfg(test)]
mod tests;
