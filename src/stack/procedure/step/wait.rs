//! `uses = "wait"`: until probes are up and expressions hold, or time is over.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Wait;
use crate::stack::decode::Table;
use crate::stack::procedure::spec::LateOf;

pub(super) fn decode(t: &Table<'_>, ctx: &Context<'_>) -> Option<Action> {
    ctx.check_in(t, LateOf::Wait).map(|until| Action::Wait(Wait { until }))
}
