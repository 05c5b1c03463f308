//! The only code that changes the world, and it does so by approved plans only.

pub mod approval;
pub mod control;
pub mod identity;
pub mod journal;
pub mod lock;
pub mod output;
pub mod place;
pub mod planner;
pub mod policy;
pub mod process;
pub mod redact;
pub mod remains;
pub mod rundir;
pub mod runner;
pub mod sight;
pub mod step;
pub mod stop;
pub mod witness;
