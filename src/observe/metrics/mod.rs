//! Where series come from: pages, JSON documents, websockets, the host's own figures; and the
//! Prometheus and Alertmanager that others run.

pub mod alertmanager;
pub mod api;
pub mod collect;
pub mod engine;
pub mod exposition;
pub mod families;
pub mod host;
pub mod json;
pub mod labels;
pub mod mapping;
pub mod once;
pub mod page;
pub mod poll;
pub mod probed;
pub mod prometheus;
pub mod stale;
mod way;
pub mod websocket;
