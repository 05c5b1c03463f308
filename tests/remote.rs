//! Reading a Prometheus and an Alertmanager that others run: against the real ones, and against
//! peers that misbehave.
#![cfg(test)] // tells clippy that helpers, too, may unwrap

mod harness;
#[path = "harness/prometheus.rs"]
mod prometheus;
