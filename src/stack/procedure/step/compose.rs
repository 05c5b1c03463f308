//! `uses = "compose"`: services of a compose project.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{Compose, ComposeVerb};
use crate::stack::decode::Table;

pub(super) fn decode(t: &Table<'_>, _: &Context<'_>) -> Option<Action> {
    let verb = super::need_choice(t, "verb", &["up", "stop", "restart", "recreate"]);
    let project = t.str("project").map(|p| p.value);
    let file = t.str("file").map(|f| f.value);
    let services = t.strings("services").unwrap_or_default().into_iter().map(|s| s.value).collect();
    let api = t.str("api").map(|a| a.value);
    if !t.has("project") && !t.has("file") {
        let help = "the containers of a project are found by one of them".to_owned();
        t.reader.error(t.span.clone(), "a compose step needs `project` or `file`", Some(help));
    }
    let verb = match verb? {
        "up" => ComposeVerb::Up,
        "stop" => ComposeVerb::Stop,
        "restart" => ComposeVerb::Restart,
        _ => ComposeVerb::Recreate,
    };
    if api.is_some() && matches!(verb, ComposeVerb::Up | ComposeVerb::Recreate) {
        let help = "leave `api` out: making containers needs the docker compose command".to_owned();
        let message = "the Docker API can stop, start and restart what exists, not `up` or `recreate` it";
        t.reader.error(t.span_of("api"), message, Some(help));
    }
    Some(Action::Compose(Compose { verb, project, file, services, api }))
}
