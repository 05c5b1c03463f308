//! The only code that looks at the world; it cannot change it.

pub mod mailbox;
pub mod metrics;
pub mod probe;
pub mod prober;
pub mod scheduler;
pub mod wire;
