//! `uses = "exec"`: a program, without a shell.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Exec;
use crate::domain::text;
use crate::stack::decode::Table;
use std::collections::BTreeMap;

pub(super) fn decode(t: &Table<'_>, _: &Context<'_>) -> Option<Action> {
    let argv = t.argv("argv");
    if !t.has("argv") {
        let message = "this exec step has no `argv`; it needs a list, one text for each argument";
        t.reader.error(t.span.clone(), message, None);
    }
    let env = env(t);
    let stdin = t.str("stdin").map(|s| s.value);
    let success = success(t);
    Some(Action::Exec(Exec { argv: argv?, env: env?, stdin, success }))
}

/// Names and values of a child's environment.
pub(super) fn env(t: &Table<'_>) -> Option<BTreeMap<String, String>> {
    let mut out = BTreeMap::new();
    let mut sound = true;
    for (name, at) in t.text_map("env") {
        let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let shown = text::one_line(&name, 60);
            t.reader.error(at.span, format!("`{shown}` is no name for the environment"), None);
            sound = false;
            continue;
        }
        out.insert(name, at.value);
    }
    sound.then_some(out)
}

/// Exit statuses; one number is a list of one.
fn success(t: &Table<'_>) -> Vec<i32> {
    let all = t.ints("success", 0..=255).unwrap_or_else(|| vec![0]);
    if all.is_empty() {
        t.reader.error(t.span_of("success"), "`success` names no exit status", None);
    }
    all.into_iter().filter_map(|n| i32::try_from(n).ok()).collect()
}
