//! Rules and alerts: what fires, since when, and whether somebody hears of it.

pub mod active;
pub mod ask;
pub mod blind;
pub mod inhibit;
pub mod paging;
pub mod rule;
pub mod rules;
pub mod state;
pub mod template;
pub mod view;
mod views;
mod why;

#[cfg(test)]
mod tests;
