//! The full-screen terminal: events in, effects out, frames drawn because something changed.

#[cfg(test)]
mod act_confirm_tests;
pub mod act_events;
#[cfg(test)]
mod act_fixture;
pub mod act_keys;
#[cfg(test)]
mod act_keys_tests;
#[cfg(test)]
mod act_person;
#[cfg(test)]
mod act_property_tests;
#[cfg(test)]
mod act_runs;
pub mod alerts_keys;
pub mod app;
#[cfg(test)]
mod board_fixture;
pub mod command;
#[cfg(test)]
mod fixture;
pub mod glyph;
pub mod keymap;
pub mod metrics_keys;
#[cfg(test)]
mod metrics_keys_tests;
pub mod model;
pub mod overview_keys;
pub mod picture;
pub mod procedure_keys;
pub mod stage;
pub mod terminal;
pub mod theme;
pub mod typing;
pub mod update;
#[cfg(test)]
mod update_tests;
pub mod view;
pub mod wallboard;
pub mod widget;
