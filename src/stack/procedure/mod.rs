//! Procedures in stack files: schema, reading, checks, and what becomes of one for a plan.

pub mod expand;
pub mod fill;
pub mod interlock;
mod least;
pub mod off;
mod order;
mod param;
pub mod params;
pub mod read;
pub mod refs;
mod sound;
pub mod spec;
pub mod step;
mod texts;
