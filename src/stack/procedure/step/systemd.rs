//! `uses = "systemd"`: start, stop, restart, reload or signal a unit.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{Systemd, SystemdVerb};
use crate::stack::decode::Table;

pub(super) fn decode(t: &Table<'_>, _: &Context<'_>) -> Option<Action> {
    let verb = super::need_choice(t, "verb", &["start", "stop", "restart", "reload", "kill"]);
    let unit = t.need_str("unit");
    let signal = super::signal::name(t, "signal");
    let verb = match verb? {
        "start" => SystemdVerb::Start,
        "stop" => SystemdVerb::Stop,
        "restart" => SystemdVerb::Restart,
        "reload" => SystemdVerb::Reload,
        _ => SystemdVerb::Kill,
    };
    match (verb, t.has("signal")) {
        (SystemdVerb::Kill, false) => {
            t.reader.error(t.span.clone(), "`kill` needs a `signal`, such as \"HUP\"", None);
        }
        (SystemdVerb::Kill, true) | (_, false) => {}
        (_, true) => {
            t.reader.error(t.span_of("signal"), "`signal` belongs to the verb `kill`", None);
        }
    }
    Some(Action::Systemd(Systemd { verb, unit: unit?.value, signal }))
}
