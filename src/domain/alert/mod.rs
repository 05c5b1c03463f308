//! Rules and alerts: what fires, since when, and whether somebody hears of it.

pub mod active;
pub mod ask;
pub mod blind;
pub mod inhibit;
pub mod paging;
pub mod remote;
pub mod remote_views;
pub mod routing;
pub mod rule;
pub mod rules;
mod severity;
pub mod state;
pub mod template;
pub mod view;
mod views;
mod why;

#[cfg(test)]
mod tests;
