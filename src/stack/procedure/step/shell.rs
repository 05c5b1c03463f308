//! `uses = "shell"`: a script, for what cannot be one program. It raises the level.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Shell;
use crate::stack::decode::Table;

pub(super) fn decode(t: &Table<'_>, _: &Context<'_>) -> Option<Action> {
    let script = t.need_str("script");
    if let Some(script) = script.as_ref().filter(|s| s.value.trim().is_empty()) {
        t.reader.error(script.span.clone(), "`script` is empty", None);
    }
    let args = t.strings("args").unwrap_or_default().into_iter().map(|a| a.value).collect();
    let env = super::exec::env(t);
    let stdin = t.str("stdin").map(|s| s.value);
    Some(Action::Shell(Shell { script: script?.value, args, env: env?, stdin }))
}
