//! `uses = "signal"`: a signal to one process, which must be the one that is meant.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{Signal, SignalTarget};
use crate::domain::text;
use crate::stack::decode::Table;

/// The signals that can be named.
const SIGNALS: [&str; 15] = [
    "HUP", "INT", "QUIT", "KILL", "TERM", "USR1", "USR2", "WINCH", "CONT", "STOP", "ALRM", "PIPE", "CHLD",
    "TTIN", "TTOU",
];

pub(super) fn decode(t: &Table<'_>, _: &Context<'_>) -> Option<Action> {
    let signal = name(t, "signal");
    if !t.has("signal") {
        t.reader.error(
            t.span.clone(),
            "this signal step has no `signal`; it needs a name such as \"HUP\"",
            None,
        );
    }
    let (pid_file, unit) = (t.str("pid_file"), t.str("unit"));
    let process = t.need_str("process");
    if let Some(process) = process.as_ref().filter(|p| p.value.trim().is_empty()) {
        let help = "a part of its command line: a stale pid file names a stranger".to_owned();
        t.reader.error(process.span.clone(), "`process` says which process is meant", Some(help));
    }
    let user = t.str("user").map(|u| u.value);
    if t.has("pid_file") == t.has("unit") {
        let message = "a signal goes to exactly one of `pid_file` and `unit`";
        t.reader.error(t.span.clone(), message, None);
        return None;
    }
    let to = match (pid_file, unit) {
        (Some(path), _) => SignalTarget::PidFile(path.value),
        (_, Some(unit)) => SignalTarget::Unit(unit.value),
        _ => return None,
    };
    Some(Action::Signal(Signal { signal: signal?, to, process: process?.value, user }))
}

/// A signal's name, without `SIG`.
pub(super) fn name(t: &Table<'_>, key: &'static str) -> Option<String> {
    let at = t.str(key)?;
    let bare = at.value.strip_prefix("SIG").unwrap_or(&at.value);
    if SIGNALS.contains(&bare) {
        return Some(bare.to_owned());
    }
    let near = text::nearest(&bare.to_uppercase(), SIGNALS).map(|n| format!("did you mean \"{n}\"?"));
    let help = near.unwrap_or_else(|| format!("there are {}", SIGNALS.join(", ")));
    let shown = text::one_line(&at.value, 40);
    t.reader.error(at.span, format!("`{key}` expects a signal's name, got \"{shown}\""), Some(help));
    None
}
