//! `uses = "postgres"`: one statement, with a bound on the rows that it touches.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Postgres;
use crate::stack::decode::Table;

pub(super) fn decode(t: &Table<'_>, _: &Context<'_>) -> Option<Action> {
    let address = t.str_or("address", "127.0.0.1:5432");
    let user = t.str_or("user", "postgres");
    let database = t.str_or("database", &user);
    let password = t.secret("password").map(|p| p.as_str().to_owned());
    let statement = t.need_str("statement");
    let row_limit = u64::try_from(t.int_or("row_limit", 1, 0..=1_000_000)).unwrap_or(1);
    let transaction = t.bool_or("transaction", true);
    let statement = statement?.value;
    Some(Action::Postgres(Postgres { address, user, database, password, statement, row_limit, transaction }))
}
