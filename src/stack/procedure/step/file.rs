//! `uses = "file"`: a file, replaced or removed as a whole.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::File;
use crate::domain::text;
use crate::stack::decode::Table;

pub(super) fn decode(t: &Table<'_>, _: &Context<'_>) -> Option<Action> {
    let path = t.need_str("path");
    let content = t.str("content").map(|c| c.value);
    let remove = t.bool_or("remove", false);
    if t.has("content") == remove {
        let message = "a file step needs exactly one of `content` and `remove = true`";
        t.reader.error(t.span.clone(), message, None);
    }
    let mode = t.str("mode");
    if let Some(mode) = mode.as_ref().filter(|m| !is_mode(&m.value)) {
        let shown = text::one_line(&mode.value, 20);
        let help = Some("such as \"0640\"".to_owned());
        t.reader.error(mode.span.clone(), format!("`mode` expects four octal digits, got \"{shown}\""), help);
    }
    let owner = t.str("owner").map(|o| o.value);
    let backup = t.bool_or("backup", true);
    if remove {
        for key in ["mode", "owner"] {
            if t.has(key) {
                t.reader.error(t.span_of(key), format!("a file that is removed has no `{key}`"), None);
            }
        }
    }
    let mode = mode.map(|m| m.value);
    Some(Action::File(File { path: path?.value, content, mode, owner, backup }))
}

fn is_mode(mode: &str) -> bool {
    mode.len() == 4 && mode.chars().all(|c| ('0'..='7').contains(&c))
}
