//! Everything measured and what follows from it: samples, rules, objectives, graphs. Pure; whoever
//! owns it hands it samples and the time, and takes boards from it.

pub mod marks;
