//! The probe kinds that speak a data protocol, against real servers and against peers that
//! misbehave: up, down, refused, slow, swallowed, malformed, oversized, dripping, locked.
#![cfg(test)] // tells clippy that helpers, too, may unwrap

mod harness;

#[path = "probes_data/postgres.rs"]
mod postgres;
#[path = "probes_data/redis.rs"]
mod redis;
#[path = "probes_data/tor.rs"]
mod tor;
#[path = "probes_data/udp.rs"]
mod udp;
#[path = "probes_data/unix_json.rs"]
mod unix_json;
