//! What is kept across runs of the program, in the state directory.

pub mod keep;
