//! Where series come from: pages, JSON documents, websockets, the host's own figures; and the
//! Prometheus and Alertmanager that others run.

pub mod collect;
pub mod exposition;
pub mod engine;
pub mod families;
pub mod host;
pub mod json;
pub mod labels;
pub mod mapping;
pub mod page;
pub mod probed;
pub mod stale;
pub mod alertmanager;
pub mod api;
pub mod poll;
pub mod prometheus;
mod way;
pub mod websocket;
pub mod once;
