//! The command line: one file per subcommand.

pub mod check;
pub mod completions;
pub mod demo;
pub mod first_steps;
pub mod init;
pub mod lint;
pub mod man;
pub mod report;
pub mod setup;
pub mod snapshot;
