//! Procedures against real components: systemd, nginx, nftables, Redis, `PostgreSQL` and `WireGuard`.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "harness/host.rs"]
mod host;
#[path = "harness/operator.rs"]
mod operator;
#[path = "harness/systemd.rs"]
mod systemd;
#[path = "harness/yard.rs"]
mod yard;

#[path = "procedures_real/case.rs"]
mod case;
#[path = "procedures_real/closed.rs"]
mod closed;
#[path = "procedures_real/cover.rs"]
mod cover;
#[path = "procedures_real/edge.rs"]
mod edge;
#[path = "procedures_real/filter.rs"]
mod filter;
#[path = "procedures_real/layers.rs"]
mod layers;
#[path = "procedures_real/two_runs.rs"]
mod two_runs;
#[path = "procedures_real/well.rs"]
mod well;
