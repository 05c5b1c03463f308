//! What steps do to the world, against real programs, real servers and real machines.
#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "act_steps/bench.rs"]
mod bench;
#[path = "harness/host.rs"]
mod host;
#[path = "harness/sshd.rs"]
mod sshd;
#[path = "harness/systemd.rs"]
mod systemd;

#[path = "act_steps/host_kinds.rs"]
mod host_kinds;
#[path = "act_steps/process.rs"]
mod process;
