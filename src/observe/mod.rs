//! The only code that looks at the world; it cannot change it.

pub mod probe;
pub mod wire;
