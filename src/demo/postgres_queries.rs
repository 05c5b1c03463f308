//! The fixed set of statements the demo's `PostgreSQL` understands, answered from the model.

use super::model::Model;
use super::rng::signed;

/// Sessions that ended before the model began.
const OLD_SESSIONS: i64 = 5_417;

/// A column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Int4,
    Int8,
    Text,
    Bool,
}

impl Type {
    pub fn oid(self) -> u32 {
        match self {
            Self::Int4 => 23,
            Self::Int8 => 20,
            Self::Text => 25,
            Self::Bool => 16,
        }
    }

    pub fn size(self) -> i16 {
        match self {
            Self::Int4 => 4,
            Self::Int8 => 8,
            Self::Text => -1,
            Self::Bool => 1,
        }
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Int4(i32),
    Int8(i64),
    Text(String),
    Bool(bool),
}

impl Cell {
    pub fn kind(&self) -> Type {
        match self {
            Self::Int4(_) => Type::Int4,
            Self::Int8(_) => Type::Int8,
            Self::Text(_) => Type::Text,
            Self::Bool(_) => Type::Bool,
        }
    }

    pub fn bytes(&self, binary: bool) -> Vec<u8> {
        match self {
            Self::Int4(n) if binary => n.to_be_bytes().to_vec(),
            Self::Int8(n) if binary => n.to_be_bytes().to_vec(),
            Self::Bool(b) if binary => vec![u8::from(*b)],
            Self::Int4(n) => n.to_string().into_bytes(),
            Self::Int8(n) => n.to_string().into_bytes(),
            Self::Bool(b) => vec![if *b { b't' } else { b'f' }],
            Self::Text(t) => t.clone().into_bytes(),
        }
    }
}

/// A statement's result: at most one row of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Empty,
    Done(&'static str),
    Row(&'static str, Cell),
}

/// SQLSTATE and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: &'static str,
    pub text: String,
}

/// Answers one statement; letters' case, spacing and a final semicolon do not matter.
pub fn answer(m: &Model, sql: &str) -> Result<Answer, Failure> {
    let plain = sql.trim().trim_end_matches(';').to_lowercase();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let c = &m.clients;
    let count = |n: usize| Ok(Answer::Row("count", Cell::Int8(signed(n))));
    match plain.as_str() {
        "" => Ok(Answer::Empty),
        "select 1" => Ok(Answer::Row("?column?", Cell::Int4(1))),
        "select version()" => {
            let text = "PostgreSQL 15.9 (Debian 15.9-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit";
            Ok(Answer::Row("version", Cell::Text(text.into())))
        }
        "show server_version" => {
            Ok(Answer::Row("server_version", Cell::Text("15.9 (Debian 15.9-0+deb12u1)".into())))
        }
        "show max_connections" => Ok(Answer::Row("max_connections", Cell::Text("100".into()))),
        "select pg_is_in_recovery()" => Ok(Answer::Row("pg_is_in_recovery", Cell::Bool(false))),
        "select current_database()" => Ok(Answer::Row("current_database", Cell::Text("tornadodb".into()))),
        "select current_user" => Ok(Answer::Row("current_user", Cell::Text("tornado_db_user".into()))),
        "select count(*) from pg_stat_activity" => count(9 + c.online() / 20),
        "select pg_database_size('tornadodb')" | "select pg_database_size(current_database())" => {
            Ok(Answer::Row(
                "pg_database_size",
                Cell::Int8(9_400_000 + 320 * c.counters.sessions_closed.cast_signed()),
            ))
        }
        "select count(*) from users" | "select count(*) from users where deleted_at is null" => {
            count(c.users.len())
        }
        "select count(*) from users where is_active"
        | "select count(*) from users where is_active = true" => {
            count(c.users.iter().filter(|u| u.active).count())
        }
        "select count(*) from vpn_session_history where ended_at is null" => count(c.sessions().count()),
        "select count(*) from vpn_session_history where ended_at is not null" => {
            Ok(Answer::Row("count", Cell::Int8(OLD_SESSIONS + c.counters.sessions_closed.cast_signed())))
        }
        "select count(*) from vpn_session_history" => Ok(Answer::Row(
            "count",
            Cell::Int8(
                OLD_SESSIONS + c.counters.sessions_closed.cast_signed() + signed(c.sessions().count()),
            ),
        )),
        // Upstream has these tables and writes nothing into them.
        "select count(*) from auth_sessions" | "select count(*) from wg_sessions" => count(0),
        other => control(other).ok_or_else(|| refusal(other)),
    }
}

fn control(plain: &str) -> Option<Answer> {
    let word = plain.split([' ', ';']).next().unwrap_or_default();
    match word {
        "begin" => Some(Answer::Done("BEGIN")),
        "commit" => Some(Answer::Done("COMMIT")),
        "rollback" => Some(Answer::Done("ROLLBACK")),
        "set" => Some(Answer::Done("SET")),
        _ => None,
    }
}

fn refusal(plain: &str) -> Failure {
    let word: String =
        plain.chars().take_while(|c| !c.is_whitespace()).filter(|c| !c.is_control()).take(63).collect();
    if matches!(word.as_str(), "insert" | "update" | "delete" | "truncate" | "drop" | "create" | "alter") {
        return Failure {
            code: "42501",
            text: "permission denied: the demo's database takes no changes".into(),
        };
    }
    if let Some(rest) = plain.strip_prefix("select count(*) from ") {
        let table: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').take(63).collect();
        if !["users", "vpn_session_history", "auth_sessions", "wg_sessions"].contains(&table.as_str()) {
            return Failure { code: "42P01", text: format!("relation \"{table}\" does not exist") };
        }
    }
    Failure { code: "42601", text: format!("syntax error at or near \"{word}\"") }
}
