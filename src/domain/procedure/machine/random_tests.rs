//! What holds of every run, whatever the world does.
