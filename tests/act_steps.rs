//! What steps do to the world, against real programs, real servers and real machines.
#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "act_steps/bench.rs"]
mod bench;
mod harness;
#[path = "harness/host.rs"]
mod host;
#[path = "harness/sshd.rs"]
mod sshd;
#[path = "harness/systemd.rs"]
mod systemd;
#[path = "harness/units.rs"]
mod units;
#[path = "harness/web.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod web;

#[path = "act_steps/compose.rs"]
mod compose;
#[path = "act_steps/file_undo.rs"]
mod file_undo;
#[path = "act_steps/host_kinds.rs"]
mod host_kinds;
#[path = "act_steps/process.rs"]
mod process;

#[path = "act_steps/alertmanager.rs"]
mod alertmanager;
#[path = "act_steps/firewall.rs"]
mod firewall;
#[path = "act_steps/firewall_undo.rs"]
mod firewall_undo;
#[path = "act_steps/http.rs"]
mod http;
#[path = "act_steps/nginx.rs"]
mod nginx;
#[path = "act_steps/postgres.rs"]
mod postgres;
#[path = "act_steps/redis.rs"]
mod redis;
#[path = "act_steps/said.rs"]
mod said;
#[path = "act_steps/unix_json.rs"]
mod unix_json;
#[path = "act_steps/wait.rs"]
mod wait;
