//! `uses = "manual"`: what a person does, and their word for it.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Manual;
use crate::stack::decode::Table;

pub(super) fn decode(t: &Table<'_>, _: &Context<'_>) -> Option<Action> {
    let instruction = t.need_str("instruction");
    let note = t.bool_or("note", false);
    Some(Action::Manual(Manual { instruction: instruction?.value, note }))
}
