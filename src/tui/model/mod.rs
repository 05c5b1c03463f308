//! From state to what a view shows: rows, lines, texts. Nothing here knows of cells.

pub mod detail;
pub mod headline;
pub mod palette;
pub mod rows;
