//! What one step does, in full: plain data, so that it can be shown, hashed, kept and carried out
//! by another process.
//!
//! Strings may hold `${run.id}` and `${secret.NAME}`, which only the runner fills in; parameters
//! were filled in when the plan was made.

pub mod describe;
pub mod filter;
pub mod kinds;
pub mod maintenance;

use kinds::{
    Alertmanager, Capture, Compose, Exec, File, Firewall, Http, Manual, Nginx, Postgres, Redis, Shell,
    Signal, Systemd, UnixJson, Wait,
};
use serde::{Deserialize, Serialize};

/// What one step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "uses", content = "with", rename_all = "kebab-case")]
pub enum Action {
    Systemd(Systemd),
    Compose(Compose),
    Http(Http),
    UnixJson(UnixJson),
    Redis(Redis),
    Postgres(Postgres),
    Signal(Signal),
    Firewall(Firewall),
    File(File),
    Nginx(Nginx),
    Capture(Capture),
    Wait(Wait),
    Alertmanager(Alertmanager),
    Manual(Manual),
    Exec(Exec),
    Shell(Shell),
}

/// How far a change reaches of what keeps strangers out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// Not at all.
    None,
    /// One address.
    Narrow,
    /// Everybody outside.
    Wide,
}
