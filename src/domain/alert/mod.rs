//! Rules and alerts: what fires, since when, and whether somebody hears of it.

pub mod view;
