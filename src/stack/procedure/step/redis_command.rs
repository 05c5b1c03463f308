//! `uses = "redis"`: one Redis command.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Redis;
use crate::stack::decode::Table;

pub(super) fn decode(t: &Table<'_>, _: &Context<'_>) -> Option<Action> {
    let address = t.str_or("address", "127.0.0.1:6379");
    let user = t.str("user").map(|u| u.value);
    let password = t.secret("password").map(|p| p.as_str().to_owned());
    let db = t.int_or("db", 0, 0..=9999);
    let command = t.argv("command");
    if !t.has("command") {
        let message = "this redis step has no `command`; it needs a list such as [\"PING\"]";
        t.reader.error(t.span.clone(), message, None);
    }
    let expect = super::expect(t).unwrap_or_default();
    Some(Action::Redis(Redis { address, user, password, db, command: command?, expect }))
}
