//! A `PostgreSQL` session over one connection: TLS as its protocol asks for it, who logs in, and
//! the rows of an answer.

use super::fetch::Fault;
use super::reply;
use super::stream::Stream;
use super::tls::{self, Wire};
use crate::domain::text;
use crate::stack::kind::common::{Endpoint, Tls};
use secrecy::{ExposeSecret, SecretString};
use std::future::Future;
use tokio::io::AsyncReadExt;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, SimpleColumn, SimpleQueryMessage, SimpleQueryRow};

/// Asks for TLS; the server answers with one byte, `S` or `N`.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Puts TLS on the connection when it is wanted: `PostgreSQL` is asked in the clear first.
///
/// # Errors
/// It has no TLS, is no such server, or the handshake fails.
pub async fn secured(mut stream: Stream, address: &Endpoint, tls: Option<&Tls>) -> Result<Wire, Fault> {
    if tls.is_some() {
        reply::send(&mut stream, &SSL_REQUEST).await?;
        match stream.read_u8().await {
            Ok(b'S') => {}
            Ok(b'N') => return Err(Fault::Down("expected TLS, got a server that has none".to_owned())),
            Ok(other) => {
                let shown = text::one_line_bytes(&[other], 4);
                return Err(Fault::Down(format!("expected a PostgreSQL server, got \"{shown}\"")));
            }
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Err(reply::closed(0)),
            Err(e) => return Err(reply::broken(&e)),
        }
    }
    Ok(tls::wrap(stream, address, tls).await?)
}

/// Who logs in, to what.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    pub user: &'a str,
    pub database: &'a str,
    pub password: Option<&'a SecretString>,
    /// What the server's own lists of sessions call us.
    pub application: &'a str,
}

impl Who<'_> {
    /// For a connection that is open, and has its TLS, already.
    pub fn config(&self) -> Config {
        let mut config = Config::new();
        config.user(self.user).dbname(self.database).application_name(self.application);
        config.ssl_mode(SslMode::Disable);
        if let Some(password) = self.password {
            config.password(password.expose_secret());
        }
        config
    }
}

/// Runs the work and the protocol under it in this task. The work must own its client, so that the
/// connection says goodbye when the work is done. Cancel-safe: dropping it closes the connection.
pub async fn drive<T>(
    connection: impl Future<Output = Result<(), tokio_postgres::Error>>,
    work: impl Future<Output = T>,
) -> T {
    let mut asking = Box::pin(work);
    let mut connection = Box::pin(connection);
    tokio::select! {
        biased;
        answer = &mut asking => {
            // The client has gone with the question, so the connection says goodbye and ends.
            drop(asking);
            let _ = connection.await;
            answer
        }
        // It ended early; once it is dropped, whoever still waits is told so.
        _ = &mut connection => {
            drop(connection);
            asking.await
        }
    }
}

/// The rows of an answer, as texts.
#[derive(Debug, Default)]
pub struct Rows {
    /// The first column of the first row.
    pub value: Option<String>,
    pub objects: Vec<serde_json::Value>,
}

impl Rows {
    pub fn of(messages: &[SimpleQueryMessage]) -> Rows {
        let all = messages.iter().filter_map(|m| match m {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let mut rows = Rows::default();
        for row in all {
            if rows.objects.is_empty() {
                rows.value = row.try_get(0).ok().flatten().map(str::to_owned);
            }
            rows.objects.push(object(row));
        }
        rows
    }

    /// The one value, or how many rows there are.
    pub fn brief(&self) -> String {
        match &self.value {
            Some(value) if self.objects.len() == 1 => text::one_line(value, 80),
            _ => format!("{} rows", self.objects.len()),
        }
    }

    /// One line of JSON for each row.
    pub fn lines(&self) -> String {
        self.objects.iter().map(serde_json::Value::to_string).collect::<Vec<_>>().join("\n")
    }
}

fn object(row: &SimpleQueryRow) -> serde_json::Value {
    let member = |(i, c): (usize, &SimpleColumn)| {
        (c.name().to_owned(), row.try_get(i).ok().flatten().map_or(serde_json::Value::Null, Into::into))
    };
    serde_json::Value::Object(row.columns().iter().enumerate().map(member).collect())
}

/// An error of the library with its cause.
pub fn in_full(e: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(e).map(|c| format!(": {c}")).unwrap_or_default();
    format!("{e}{cause}")
}
