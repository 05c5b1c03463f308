//! What each kind of step is told.

use crate::domain::procedure::check::Check;
use crate::domain::procedure::{maybe_millis, millis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// `systemctl VERB UNIT`, with the unit's state before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Systemd {
    pub verb: SystemdVerb,
    pub unit: String,
    /// For `kill` only: a signal's name, such as `HUP`.
    pub signal: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemdVerb {
    Start,
    Stop,
    Restart,
    Reload,
    Kill,
}

/// Services of a compose project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compose {
    pub verb: ComposeVerb,
    pub project: Option<String>,
    /// The compose file; its directory is the project's.
    pub file: Option<String>,
    /// None means all.
    pub services: Vec<String>,
    /// The Docker socket to speak to instead of the `docker compose` command. It can stop, start
    /// and restart what exists; `up` and `recreate` need the command.
    pub api: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComposeVerb {
    Up,
    Stop,
    Restart,
    /// Stops, removes and creates again: what takes a changed environment in (trap X9).
    Recreate,
}

/// One request, and what its answer must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    pub method: String,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: Option<String>,
    /// One of the stack's logins.
    pub login: Option<String>,
    /// Which session of that login. The runner logs in when a name is first used and keeps that
    /// session under it to the end of the run; a named session is never renewed. Without a name,
    /// the session is shared and renewed when it is refused.
    pub session: Option<String>,
    /// Conditions on the answer, as probes have them; none means a status of 2xx.
    pub expect: Vec<String>,
    pub ca: Option<String>,
    pub insecure: bool,
}

/// One JSON request over a Unix socket, and what its answer must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnixJson {
    pub socket: String,
    /// A JSON value.
    pub request: String,
    /// Conditions on the answer, as probes have them.
    pub expect: Vec<String>,
}

/// One Redis command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redis {
    pub address: String,
    pub user: Option<String>,
    /// A secret's name.
    pub password: Option<String>,
    pub db: i64,
    pub command: Vec<String>,
    /// Conditions on the reply, as probes have them; an error reply always fails.
    pub expect: Vec<String>,
}

/// One `PostgreSQL` statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postgres {
    pub address: String,
    pub user: String,
    pub database: String,
    /// A secret's name.
    pub password: Option<String>,
    pub statement: String,
    /// More rows than this changed or returned is a failure; in a transaction it is undone.
    pub row_limit: u64,
    /// Some statements (`VACUUM`, `ALTER SYSTEM`) cannot run in one.
    pub transaction: bool,
}

/// A signal to one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// A name without `SIG`, such as `HUP`.
    pub signal: String,
    pub to: SignalTarget,
    /// The process' command line must contain this: a stale pid file names a stranger.
    pub process: String,
    /// It must run as this user.
    pub user: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalTarget {
    PidFile(String),
    /// The main process of a systemd unit.
    Unit(String),
}

/// A change of the packet filter; each has an exact inverse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    pub backend: FirewallBackend,
    pub verb: FirewallVerb,
    /// For `block` and `unblock`: an address or a network.
    pub address: Option<String>,
    /// For `close` and `open`: such as `tcp/443`, `udp/51820`.
    pub ports: Vec<String>,
    /// For `close`: networks that stay let in. Loopback always does.
    pub except: Vec<String>,
    /// For `block`; nftables only.
    #[serde(with = "maybe_millis")]
    pub expires: Option<Duration>,
    /// The table (nftables: `inet` family) or chain (iptables) that holds what this program adds;
    /// made when it is missing.
    pub table: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirewallBackend {
    Nftables,
    Iptables,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirewallVerb {
    Block,
    Unblock,
    Close,
    Open,
}

/// A file, replaced or removed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub path: String,
    /// The new text; `None` removes the file, `Some` writes it beside and renames. As the rollback
    /// of a step with the same file, `None` is the exact inverse of both, by the word that the step
    /// left of what was there: it puts that back, removes a file that the step has made, and leaves
    /// what the step did not touch or somebody else has changed since. As a step of its own without
    /// `backup`, it puts back what another step of this run has kept, and else removes the file.
    pub content: Option<String>,
    /// Four octal digits; without it, that of the file there was, or 0644.
    pub mode: Option<String>,
    /// `user:group`.
    pub owner: Option<String>,
    /// Keep what was there beside it, as `PATH.quarterdeck-RUN` (with a number where another step of
    /// the run has kept one); the inverse puts it back.
    pub backup: bool,
}

/// A site that answers "maintenance" instead of serving, and back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nginx {
    pub maintenance: Switch,
    /// The file in the server's configuration that is stood in for.
    pub site: String,
    /// Where the real one is kept meanwhile: outside every include.
    pub keep_in: String,
    /// What stands in for it. Only for `on`.
    pub page: Option<String>,
    /// Must succeed before the reload, or all is put back.
    pub test: Vec<String>,
    pub reload: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    On,
    Off,
}

/// Evidence: something long, kept whole up to a bound, with its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The file's name in the run's directory.
    pub name: String,
    pub from: CaptureFrom,
    /// In bytes; what exceeds it is counted, and the capture is marked as cut.
    pub max: u64,
    /// A cut capture is a failure.
    pub whole: bool,
    /// Nothing at all is evidence, too. Plans from before it was a question do not have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_empty: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureFrom {
    Command(Vec<String>),
    /// The journal of units, so far back.
    Journal {
        units: Vec<String>,
        #[serde(with = "millis")]
        since: Duration,
    },
    File(String),
    /// The answer of a request.
    Http(Box<Http>),
}

/// Waits until something is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    pub until: Check,
}

/// A change in the stack's Alertmanager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "lowercase")]
pub enum Alertmanager {
    /// Ends by itself.
    Silence {
        matchers: Vec<String>,
        #[serde(with = "millis", rename = "for")]
        span: Duration,
        comment: String,
    },
    /// Ends the silence that an earlier step of this run made.
    Expire { step: String },
    /// Submits an alert.
    Alert {
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
        #[serde(with = "maybe_millis", rename = "for")]
        span: Option<Duration>,
    },
}

/// Something a person does, and their word for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manual {
    pub instruction: String,
    /// They must write what they saw.
    pub note: bool,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    pub argv: Vec<String>,
    /// Added to its environment; the only place, beside `stdin`, for a secret.
    pub env: BTreeMap<String, String>,
    pub stdin: Option<String>,
    /// Exit statuses that mean success.
    pub success: Vec<i32>,
}

/// A shell script: `bash --norc -euo pipefail -c SCRIPT` (trap X11). Parameters are its `$1`, `$2` … and
/// never part of its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shell {
    pub script: String,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub stdin: Option<String>,
}
