//! The probe kinds that speak HTTP or TLS, against real servers and against peers that
//! misbehave: up, down, refused, slow, swallowed, malformed, oversized, dripping, locked.
#![cfg(test)] // tells clippy that helpers, too, may unwrap

mod harness;
#[path = "harness/web.rs"]
mod web;

#[path = "probes_http/cert.rs"]
mod cert;
#[path = "probes_http/http.rs"]
mod http;
#[path = "probes_http/https.rs"]
mod https;
#[path = "probes_http/login.rs"]
mod login;
#[path = "probes_http/nginx.rs"]
mod nginx;
