//! The terminal.

mod backend;
mod color;
mod glyph;
mod motion;
mod sgr;
mod wide;

pub use backend::{Ansi, Output, Style};
pub use color::Depth;
