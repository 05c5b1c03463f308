//! The only code that changes the world, and it does so by approved plans only.

pub mod output;
pub mod place;
pub mod process;
pub mod redact;
pub mod sight;
pub mod step;
pub mod stop;
