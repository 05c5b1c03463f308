//! The full-screen dashboard: from state to cells to a terminal.

pub mod terminal; // the terminal itself: bytes out, events in, and leaving it as it was found
