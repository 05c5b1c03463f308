//! The machine's rules, as tables.
