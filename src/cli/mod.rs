//! The command line: one file per subcommand.

pub mod check;
pub mod demo;
pub mod setup;
pub mod snapshot;
