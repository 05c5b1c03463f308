//! `uses = "manual"`: something a person does. The hold that waits for their word is the run's; here
//! it is only noted.

use super::{Answer, Left, Target};
use crate::domain::procedure::action::kinds::Manual;
use crate::domain::text;

/// Nothing is looked at: only the person will know.
pub fn target() -> Target {
    Target::unpinned()
}

/// Notes that it was done, after the hold was released.
pub fn perform(a: &Manual) -> Left {
    Left::done(format!("a person said that this is done: {}", text::one_line(&a.instruction, 120)))
}

/// Whether a person has done it can only be asked of them.
pub fn ask() -> Answer {
    Answer::unknown("only the person who was to do it can tell")
}
