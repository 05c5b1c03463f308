//! Where series come from: pages, JSON documents, websockets, the host's own figures; and the
//! Prometheus and Alertmanager that others run.

pub mod alertmanager;
pub mod api;
pub mod poll;
pub mod prometheus;
mod way;
