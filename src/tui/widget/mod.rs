//! Drawn things with rules of their own, that several views show.

pub mod axis;
pub mod canvas;
pub mod graph;
pub mod legend;
pub mod trace;
