//! Stack files and config.toml: schema, loading, validation with spans, lint.

pub mod builtin;
pub mod config;
pub mod decode;
pub mod diag;
pub mod draft;
pub mod files;
pub mod fingerprint;
pub mod init;
pub mod kind;
pub mod lint;
pub mod load;
pub mod metrics;
mod overrides;
pub mod procedure;
pub mod rule_files;
pub mod rulefile;
pub mod ruletest;
pub mod spec;
pub mod validate;
pub mod vars;
pub mod yaml;
