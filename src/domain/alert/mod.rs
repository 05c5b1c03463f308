//! Rules and alerts: what fires, since when, and whether somebody hears of it.

pub mod remote;
pub mod remote_views;
pub mod routing;
pub mod view;
