//! What is promised of it, as tables.
