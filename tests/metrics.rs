//! The metrics engine as a whole: real targets, a real Prometheus and Alertmanager, the real program.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "harness/demo.rs"]
mod demo;
mod harness;
#[path = "harness/prometheus.rs"]
mod prometheus;
#[path = "harness/pty.rs"]
mod pty;

#[path = "metrics/live.rs"]
mod live;
#[path = "metrics/once.rs"]
mod once;
#[path = "metrics/others.rs"]
mod others;
#[path = "metrics/restarts.rs"]
mod restarts;
#[path = "metrics/targets.rs"]
mod targets;

const PROGRAM: &str = env!("CARGO_BIN_EXE_quarterdeck");
