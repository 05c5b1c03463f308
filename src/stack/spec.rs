//! What a stack file says, once it is known to be sound.

use super::kind::Kind;
use crate::domain::condition::Condition;
use crate::domain::damping::Thresholds;
use crate::domain::id::{HostId, LayerId, ProbeId, SecretId};
use crate::domain::matrix;
use std::collections::BTreeMap;
use std::time::Duration;

/// A stack: its layers in recovery order, its hosts, and what is watched.
#[derive(Clone, Debug)]
pub struct Stack {
    pub name: String,
    pub title: String,
    pub environment: String,
    pub layers: Vec<Layer>,
    pub hosts: Vec<Host>,
    pub logins: Vec<Login>,
    pub probes: Vec<Probe>,
    pub metrics: super::metrics::Metrics,
    pub procedures: super::procedure::spec::Procedures,
}

#[derive(Clone, Debug)]
pub struct Layer {
    pub id: LayerId,
    pub name: String,
    pub needs: Vec<LayerId>,
}

/// Where something runs, and how commands and connections get there.
#[derive(Clone, Debug)]
pub struct Host {
    pub id: HostId,
    pub transport: TransportSpec,
    /// Directories put before PATH for the commands run there.
    pub path: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportSpec {
    /// This machine.
    Local,
    /// The operator's own ssh, with its configuration and agent.
    Ssh {
        /// `host`, `user@host` or an alias of `ssh_config`.
        destination: String,
        port: Option<u16>,
        /// An `ssh_config` file to use instead of the default.
        config: Option<String>,
    },
}

/// How to log in to an HTTP API once, for all probes that name it.
#[derive(Clone, Debug)]
pub struct Login {
    pub id: String,
    pub url: String,
    pub username: String,
    pub password: SecretId,
    /// Cookie whose value is the token; the body's path otherwise.
    pub token: TokenFrom,
    /// The least time between two attempts that were refused; doubled with each refusal.
    pub backoff: Duration,
    pub tls: super::kind::common::Tls,
}

/// Where a login's answer carries the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFrom {
    Cookie(String),
    /// A dotted path into the JSON body.
    Body(String),
}

/// One thing that is watched.
#[derive(Clone, Debug)]
pub struct Probe {
    pub id: ProbeId,
    pub name: String,
    pub layer: LayerId,
    pub host: HostId,
    pub interval: Duration,
    pub timeout: Duration,
    pub thresholds: Thresholds,
    /// All must hold, or the probe is down.
    pub conditions: Vec<Condition>,
    /// All must hold, or the probe is degraded.
    pub degraded_unless: Vec<Condition>,
    /// Commands run through `sudo -n`.
    pub sudo: bool,
    /// What it means and what to do.
    pub help: String,
    /// Rows of the runbook it stands for, such as `T-04`.
    pub rows: Vec<String>,
    pub kind: Kind,
}

/// A named secret and where its value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    Env(String),
    /// Must be readable by its owner only.
    File(String),
    /// The first line that the program prints.
    Command(Vec<String>),
}

/// Secrets by name.
pub type SecretSources = BTreeMap<SecretId, SecretSource>;

impl Stack {
    pub fn host(&self, id: &HostId) -> Option<&Host> {
        self.hosts.iter().find(|h| h.id == *id)
    }

    /// The empty matrix of this stack.
    pub fn matrix(&self) -> matrix::Matrix {
        let index_of = |id: &LayerId| self.layers.iter().position(|l| l.id == *id);
        let layers = self
            .layers
            .iter()
            .map(|l| matrix::Layer {
                id: l.id.clone(),
                name: l.name.clone(),
                needs: l.needs.iter().filter_map(index_of).collect(),
            })
            .collect();
        let probes = self
            .probes
            .iter()
            .map(|p| matrix::Probe {
                id: p.id.clone(),
                name: p.name.clone(),
                layer: index_of(&p.layer).unwrap_or(0),
                host: p.host.clone(),
                kind: p.kind.name(),
                target: p.kind.target(),
                remote: self.is_remote(p),
                interval: p.interval,
                timeout: p.timeout,
                thresholds: p.thresholds,
                conditions: p.conditions.iter().map(|c| c.text().to_owned()).collect(),
                degraded_unless: p.degraded_unless.iter().map(|c| c.text().to_owned()).collect(),
                help: p.help.clone(),
            })
            .collect();
        matrix::Matrix::new(layers, probes)
    }

    fn is_remote(&self, probe: &Probe) -> bool {
        let over_ssh = self.host(&probe.host).is_some_and(|h| h.transport != TransportSpec::Local);
        over_ssh || probe.kind.endpoint().is_some_and(|e| !e.is_loopback())
    }
}
