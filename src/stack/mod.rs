//! Stack files and config.toml: schema, loading, validation with spans, lint.

pub mod decode;
pub mod diag;
pub mod kind;
pub mod spec;
pub mod vars;
