//! The command line: one file per subcommand.

pub mod check;
pub mod setup;
pub mod snapshot;
pub mod demo;
