//! Scraping: real exporters, pages that are none, servers that misbehave, websockets, documents, and
//! the figures of this host, here and through a real sshd.
#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "harness/scrape.rs"]
mod bench;
mod harness;
#[path = "harness/host.rs"]
mod host;
#[path = "harness/sshd.rs"]
mod sshd;
#[path = "harness/web.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod web;

#[path = "scrape/demo.rs"]
mod demo;
#[path = "scrape/figures.rs"]
mod figures;
#[path = "scrape/json.rs"]
mod json;
#[path = "scrape/page.rs"]
mod page;
#[path = "scrape/real.rs"]
mod real;
#[path = "scrape/websocket.rs"]
mod websocket;
