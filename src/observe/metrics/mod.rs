//! Where series come from: pages, JSON documents, websockets, the host's own figures; and the
//! Prometheus and Alertmanager that others run.

pub mod explore;
pub mod exposition;
