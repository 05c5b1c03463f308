//! Opening a websocket over the way to a host: connection, TLS, handshake, and who asks.

use crate::domain::text;
use crate::domain::units;
use crate::stack::kind::http::Auth;
use crate::stack::metrics::Http;
use crate::transport::fetch::auth::{Credential, fixed};
use crate::transport::fetch::http::{plain_headers, unsendable};
use crate::transport::fetch::{Fault, Way, login};
use crate::transport::tls::{self, Wire};
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode};
use std::io;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Read at once, in bytes.
const READ_BUFFER: usize = 16 << 10;
/// Held of what is to be sent, which is pings and pongs, in bytes.
const WRITE_BUFFER: usize = 64 << 10;

/// An open websocket.
pub type Socket = WebSocketStream<Wire>;

/// Opens one; messages of more than the target's `max_body` bytes end it. A login's session is
/// renewed once when it is refused. Not bounded in time: the caller does that. Cancel-safe.
///
/// # Errors
/// See [`Fault`].
pub async fn dial(way: &Way<'_>, http: &Http) -> Result<Socket, Fault> {
    let Auth::Login(id) = &http.auth else {
        let credential = fixed(&http.auth, way.access).await?;
        return shake(way, http, credential.as_ref()).await.map_err(|no| no.fault);
    };
    let session = login::session(way, id).await?;
    match shake(way, http, Some(&session.credential)).await {
        Ok(socket) => Ok(socket),
        Err(no) if no.unauthorized => match login::renew(way, id, &session).await? {
            Some(newer) => shake(way, http, Some(&newer.credential)).await.map_err(|no| no.fault),
            None => Err(no.fault),
        },
        Err(no) => Err(no.fault),
    }
}

struct No {
    fault: Fault,
    /// The session was refused.
    unauthorized: bool,
}

impl From<Fault> for No {
    fn from(fault: Fault) -> Self {
        No { fault, unauthorized: false }
    }
}

async fn shake(way: &Way<'_>, http: &Http, credential: Option<&Credential>) -> Result<Socket, No> {
    let request = request(http, credential)?;
    let target = &http.target;
    let stream = way.connect(&target.endpoint).await?;
    let wire = tls::wrap(stream, &target.endpoint, target.tls.as_ref()).await.map_err(Fault::from)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(http.max_body))
        .max_frame_size(Some(http.max_body));
    match client_async_with_config(request, wire, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => {
            let status = answer.status();
            let unauthorized = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            Err(No { fault: Fault::Down(format!("expected a websocket, got {status}")), unauthorized })
        }
        Err(e) => Err(Fault::Down(in_words(&e)).into()),
    }
}

fn request(http: &Http, credential: Option<&Credential>) -> Result<Request<()>, Fault> {
    let target = &http.target;
    let mut headers = plain_headers(target)?;
    headers.remove(header::ACCEPT);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_str(&generate_key()).map_err(unsendable)?);
    if let Some(credential) = credential {
        headers.insert(credential.header.clone(), credential.value.clone());
    }
    // Whether there is TLS was settled already; the library only wants one of its schemes.
    let mut request =
        Request::get(format!("ws://{}{}", target.host, target.path)).body(()).map_err(unsendable)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// What ended a websocket, as a reason.
pub fn in_words(e: &Error) -> String {
    let closed = match e {
        Error::ConnectionClosed | Error::AlreadyClosed => true,
        Error::Io(io) => io.kind() == io::ErrorKind::UnexpectedEof,
        Error::Protocol(e) => {
            matches!(e, ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete)
        }
        _ => false,
    };
    match e {
        _ if closed => "expected messages, got a closed connection".to_owned(),
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => format!(
            "expected messages of at most {}, got one of {}",
            units::bytes(*max_size as f64),
            units::bytes(*size as f64)
        ),
        Error::Io(io)
            if io.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) =>
        {
            tls::describe_io(io, None)
        }
        Error::AttackAttempt => "expected a websocket, got an endless head".to_owned(),
        other => format!("expected a websocket, got: {}", text::one_line(&other.to_string(), 120)),
    }
}
