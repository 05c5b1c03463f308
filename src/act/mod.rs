//! The only code that changes the world, and it does so by approved plans only.

pub mod place;
pub mod sight;
pub mod step;
pub mod stop;
