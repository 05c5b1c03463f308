//! From state to what a view shows: rows, lines, texts. Nothing here knows of cells.

pub mod alert_detail;
pub mod alerts;
pub mod badge;
pub mod complete;
pub mod confirm;
pub mod detail;
pub mod dialog;
pub mod form;
pub mod headline;
pub mod marks;
pub mod metrics;
pub mod palette;
pub mod procedures;
pub mod prompt;
pub mod proposal_lines;
pub mod question;
pub mod rows;
pub mod run_view;
pub mod tempo;
pub mod tone;
