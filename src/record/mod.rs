//! What is kept across runs of the program, in the state directory.

pub mod audit;
pub mod keep;
