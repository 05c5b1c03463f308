//! What is true and what follows from it. Pure: values and functions; no clock, no I/O, no
//! runtime, no terminal.

pub mod alert;
pub mod board;
pub mod cause;
pub mod condition;
pub mod damping;
pub mod fact;
pub mod health;
pub mod id;
pub mod matrix;
pub mod observation;
pub mod procedure;
pub mod promql;
pub mod series;
pub mod shell;
pub mod slo;
pub mod telemetry;
pub mod text;
pub mod units;
