//! placeholder until the terminal branch is merged
