//! One Redis command over a connection of its own: logging in, choosing the database, asking.

use super::fetch::Fault;
use super::limited::{Limited, Seen};
use super::reply;
use super::tls::Wire;
use crate::domain::text;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisConnectionInfo, RedisError, Value as Resp};
use secrecy::{ExposeSecret, SecretString};

/// Who asks, and of which database.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// ACL user; the default user otherwise.
    pub user: Option<&'a str>,
    pub password: Option<&'a SecretString>,
    pub db: i64,
}

/// Why there is no reply of the kind that was hoped for.
#[derive(Debug)]
pub enum No {
    /// The server answered with an error.
    Error { code: String, details: Option<String> },
    /// There was no answer at all, or none that can be understood.
    Answer(Fault),
}

/// Sends one command and reads at most `max_read` bytes. Not bounded in time: the caller's
/// deadline does that. Cancel-safe: dropping it closes the connection.
///
/// # Errors
/// See [`No`].
pub async fn one_command(wire: Wire, who: Who<'_>, words: &[String], max_read: usize) -> Result<Resp, No> {
    let (stream, seen) = Limited::new(wire, max_read);
    // No time of the library's own: the caller has a deadline. Nothing is sent but what is asked.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let info = RedisConnectionInfo::default().set_skip_set_lib_name();
    let opened = MultiplexedConnection::new_with_config(&info, stream, config).await;
    let (connection, driver) = opened.map_err(|e| of_error(&seen, &e, max_read))?;
    let mut asking = Box::pin(ask(who, words, connection));
    let mut driver = Box::pin(driver);
    let answer = tokio::select! {
        biased;
        answer = &mut asking => answer,
        // The connection has ended; once it is dropped, whoever still waits is told so.
        () = &mut driver => {
            drop(driver);
            asking.await
        }
    };
    answer.map_err(|e| of_error(&seen, &e, max_read))
}

/// Logs in, chooses the database and asks, one after another, so that an error names its cause.
async fn ask(
    who: Who<'_>,
    words: &[String],
    mut connection: MultiplexedConnection,
) -> Result<Resp, RedisError> {
    if let Some(password) = who.password {
        let mut auth = Cmd::new();
        auth.arg("AUTH");
        if let Some(user) = who.user {
            auth.arg(user);
        }
        answer(connection.send_packed_command(auth.arg(password.expose_secret())).await)?;
    }
    if who.db != 0 {
        let mut select = Cmd::new();
        answer(connection.send_packed_command(select.arg("SELECT").arg(who.db)).await)?;
    }
    let mut command = Cmd::new();
    for word in words {
        command.arg(word);
    }
    answer(connection.send_packed_command(&command).await)
}

/// An error reply is an error, wherever the library puts it.
fn answer(got: Result<Resp, RedisError>) -> Result<Resp, RedisError> {
    match got? {
        Resp::ServerError(e) => Err(e.into()),
        reply => Ok(reply),
    }
}

fn of_error(seen: &Seen, e: &RedisError, max_read: usize) -> No {
    if seen.overran() {
        return No::Answer(reply::too_long(max_read));
    }
    let head = text::one_line_bytes(&seen.head(), 60);
    No::Answer(match (e.kind(), e.code()) {
        (_, Some(code)) => {
            return No::Error { code: code.to_owned(), details: e.detail().map(str::to_owned) };
        }
        _ if head.is_empty() && seen.closed() => reply::closed(0),
        _ if seen.closed() => {
            Fault::Down(format!("expected a whole Redis reply, got \"{head}\" and a closed connection"))
        }
        (ErrorKind::Parse, _) => Fault::Down(format!("expected a Redis reply, got \"{head}\"")),
        _ => Fault::Down(format!("expected a Redis reply, got: {e}")),
    })
}
