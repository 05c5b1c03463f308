//! Everything measured and what follows from it: samples, rules, objectives, graphs.

pub mod marks;
