//! From state to what a view shows: rows, lines, texts. Nothing here knows of cells.

pub mod alert_detail;
pub mod alerts;
pub mod complete;
pub mod detail;
pub mod headline;
pub mod metrics;
pub mod palette;
pub mod prompt;
pub mod rows;
