//! Reading a Prometheus and an Alertmanager that others run: against the real ones, and against
//! peers that misbehave.
#![cfg(test)] // tells clippy that helpers, too, may unwrap

mod harness;
#[path = "harness/host.rs"]
mod host;
#[path = "harness/prometheus.rs"]
mod prometheus;
#[path = "harness/sshd.rs"]
mod sshd;

#[path = "remote/alertmanager.rs"]
mod alertmanager;
#[path = "remote/bench.rs"]
mod bench;
#[path = "remote/command.rs"]
mod command;
#[path = "remote/hostile.rs"]
mod hostile;
#[path = "remote/inhibitions.rs"]
mod inhibitions;
#[path = "remote/queries.rs"]
mod queries;
#[path = "remote/sight.rs"]
mod sight;
#[path = "remote/ways.rs"]
mod ways;
