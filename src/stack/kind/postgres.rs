//! `kind = "postgres"`: does a server accept connections, and what does a query say.
//!
//! Without `password` and `query` it asks what `pg_isready` asks: any answer but "starting up" or
//! "shutting down" is that of a server that accepts connections, even a refusal of the user.

use super::common::{Endpoint, Tls};
use crate::domain::fact::{FactDecl, FactType};
use crate::domain::id::SecretId;
use crate::domain::units::Unit;
use crate::stack::decode::{At, Table};

#[derive(Clone, Debug)]
pub struct Spec {
    pub address: Endpoint,
    /// `postgres` when the file names none.
    pub user: String,
    pub password: Option<SecretId>,
    /// Called as the user when the file names none, as the server itself would have it.
    pub database: String,
    /// One reading statement; it is run in a read-only transaction.
    pub query: Option<String>,
    pub tls: Option<Tls>,
}

pub const FACTS: &[FactDecl] = &[
    FactDecl { name: "ACCEPTING", ty: FactType::Bool, doc: "it accepts connections, as pg_isready says" },
    FactDecl {
        name: "AUTH",
        ty: FactType::Text,
        doc: "ok, refused or not tried; unknown when the password that the file names is refused",
    },
    FactDecl {
        name: "VALUE",
        ty: FactType::Text,
        doc: "first column of the first row, as PostgreSQL writes it",
    },
    FactDecl { name: "ROWS", ty: FactType::Json, doc: "the rows, at most 1000, as objects of texts" },
    FactDecl { name: "COUNT", ty: FactType::Number(Unit::None), doc: "how many rows" },
    FactDecl {
        name: "LATENCY",
        ty: FactType::Number(Unit::Seconds),
        doc: "connecting, logging in and the query together",
    },
];

impl Spec {
    pub fn decode(t: &Table<'_>) -> Option<Spec> {
        let address = Endpoint::decode_or_local(t, "address", 5432).map(socket_of_directory);
        let user = t.str_or("user", "postgres");
        let database = t.str_or("database", &user);
        for key in ["user", "database"] {
            let At { value, span } = t.str(key).unwrap_or(At { value: "x".to_owned(), span: t.span.clone() });
            if value.is_empty() || value.contains('\0') {
                t.reader.error(span, format!("`{key}` expects a name"), None);
            }
        }
        let password = t.secret("password");
        let query = t.str("query").and_then(|found| match statement(&found.value) {
            Ok(query) => Some(query.to_owned()),
            Err(why) => {
                t.reader.error(found.span, why, None);
                None
            }
        });
        let tls = Tls::decode(t);
        Some(Spec { address: address?, user, password, database, query, tls })
    }

    /// Whether it logs in, rather than only knock.
    pub fn logs_in(&self) -> bool {
        self.password.is_some() || self.query.is_some()
    }

    pub fn target(&self) -> String {
        let query = self.query.as_deref().map(|q| format!(" {q}")).unwrap_or_default();
        format!("{}/{}{query}", self.address, self.database)
    }

    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(self.address.clone())
    }

    pub fn default_conditions(&self) -> Vec<String> {
        let mut all = vec!["[ACCEPTING] == true".to_owned()];
        if self.logs_in() {
            all.push("[AUTH] == ok".to_owned());
        }
        all
    }
}

/// `PostgreSQL`'s own tools take the directory of its socket; the file's name follows from the port.
fn socket_of_directory(address: Endpoint) -> Endpoint {
    match address {
        Endpoint::Unix(path)
            if !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(".s.PGSQL.")) =>
        {
            Endpoint::Unix(path.join(".s.PGSQL.5432"))
        }
        other => other,
    }
}

/// One statement without its closing semicolon. More than one could leave the read-only
/// transaction that the first is run in.
pub(in crate::stack) fn statement(query: &str) -> Result<&str, String> {
    let query = query.trim().trim_end_matches(';').trim_end();
    let mut quoted = false;
    let several = query.chars().any(|c| {
        quoted ^= c == '\'';
        c == ';' && !quoted
    });
    match query {
        "" => Err("`query` expects a statement".to_owned()),
        _ if query.contains('\0') => Err("`query` expects a statement, got one with a NUL in it".to_owned()),
        _ if several => Err("`query` expects one statement, got several".to_owned()),
        _ => Ok(query),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_is_taken_and_several_are_refused() {
        let table = [
            (" select 1; ", Some("select 1")),
            ("select ';'", Some("select ';'")),
            ("commit; delete from t", None),
            ("select 'a'';'; drop table t", None),
            (" ; ", None),
        ];
        for (query, want) in table {
            assert_eq!(statement(query).ok(), want, "{query}");
        }
    }

    #[test]
    fn a_directory_means_the_socket_in_it() {
        let unix = |path: &str| Endpoint::Unix(path.into());
        assert_eq!(socket_of_directory(unix("/run/postgresql")), unix("/run/postgresql/.s.PGSQL.5432"));
        assert_eq!(socket_of_directory(unix("/run/.s.PGSQL.5433")), unix("/run/.s.PGSQL.5433"));
    }
}
