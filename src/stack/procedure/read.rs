//! Reading `[[procedures]]` and `[[interlocks]]` of a stack file.

use super::spec::Procedures;

/// What stands in a stack file of procedures.
#[derive(Debug, Default)]
pub struct Draft {
    pub all: Procedures,
}
