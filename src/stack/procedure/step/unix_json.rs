//! `uses = "unix-json"`: one JSON request over a Unix socket.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::UnixJson;
use crate::stack::decode::Table;

pub(super) fn decode(t: &Table<'_>, _: &Context<'_>) -> Option<Action> {
    let socket = t.need_str("socket");
    let request = if t.is_text("request") { t.str("request") } else { t.json("request") };
    if !t.has("request") {
        let message = "this unix-json step has no `request`; it needs a table or JSON text";
        t.reader.error(t.span.clone(), message, None);
    }
    let expect = super::expect(t).unwrap_or_default();
    let socket = socket?.value;
    let socket = socket.strip_prefix("unix:").unwrap_or(&socket).to_owned();
    Some(Action::UnixJson(UnixJson { socket, request: request?.value, expect }))
}
