//! Procedures in stack files: schema, reading, checks.

pub mod read;
pub mod spec;
