//! quarterdeck: what is true about a stack, on one screen. The map of the house:

pub mod act; //       changes the world, by approved plans only
pub mod cli; //       one file per subcommand
pub mod clock; //     the only place that reads the system's clocks
pub mod demo; //      an embedded stack that can be broken on purpose
pub mod domain; //    what is true and what follows; pure
pub mod observe; //   looks at the world, cannot change it
pub mod record; //    what is kept across runs
pub mod runs; //      what runs wrote down, to be read
pub mod stack; //     stack files and config.toml
pub mod transport; // where a command or a connection runs
pub mod tui; //       the full-screen terminal
