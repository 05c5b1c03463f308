//! One HTTP/1.1 request over a connection of its own, or over one kept from the run before.
//!
//! The protocol runs inside the asker's own task: no pool, no task for each connection, and
//! dropping the future closes everything.

use super::body::Growing;
use super::{Fault, Phase, Way};
use crate::domain::text;
use crate::domain::units;
use crate::stack::kind::http::target::Target;
use crate::transport::tls::{self, Wire};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use std::error::Error as _;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

/// The longest head of an answer, in bytes. The number of headers is bounded by hyper's own 100.
pub const MAX_HEAD: usize = 64 << 10;
/// What to ask, and within which bounds.
#[derive(Clone)]
pub struct Call<'a> {
    pub target: &'a Target,
    pub method: Method,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// A longer body is the target's failure, in bytes.
    pub max_body: usize,
    /// Keep the connection afterwards.
    pub keep: bool,
    /// Ask for a packed body, and unpack it.
    pub gzip: bool,
}

/// The headers of a request that nobody configured, over a connection of its own.
///
/// # Errors
/// As [`unsendable`].
pub fn plain_headers(target: &Target) -> Result<HeaderMap, Fault> {
    let agent = concat!("quarterdeck/", env!("CARGO_PKG_VERSION"));
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::HOST, HeaderValue::from_str(&target.host).map_err(unsendable)?);
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(headers)
}

/// What the stack file let through and HTTP does not take: a mistake of ours, not the target's.
pub fn unsendable(e: impl std::fmt::Display) -> Fault {
    Fault::Unknown(format!("cannot send this request: {e}"))
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An open connection and the protocol on it.
pub struct Open {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<Wire>, Full<Bytes>>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}

/// A request in the form that is sent; cloned only when it may have to be sent twice.
#[derive(Clone)]
struct Sending {
    path: Uri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    max_body: usize,
    gzip: bool,
}

/// Sends one request and reads its answer, on the connection in `kept` if there is one; it is left
/// there again if the call asks for that and the server does not close it. A kept connection that
/// turns out to be dead is replaced once, so that a server which closes idle connections does not
/// look down. Cancel-safe: dropping it closes the connection.
///
/// # Errors
/// `Down` for what the target did wrong; see [`Fault`].
pub async fn fetch(way: &Way<'_>, call: Call<'_>, kept: &mut Option<Box<Open>>) -> Result<Answer, Fault> {
    let mut headers = call.headers;
    if call.gzip {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let request = Sending {
        path: call.target.path.parse().map_err(unsendable)?,
        method: call.method,
        headers,
        body: call.body,
        max_body: call.max_body,
        gzip: call.gzip,
    };
    if let Some(mut open) = kept.take() {
        way.phase(Phase::Waiting);
        match open.exchange(way, request.clone()).await {
            Ok(answer) => {
                *kept = if call.keep { still_open(open).await } else { None };
                return Ok(answer);
            }
            Err(Failure::Broken(_)) => {} // perhaps only idle for too long: ask afresh
            Err(Failure::Judged(fault)) => return Err(fault),
        }
    }
    let mut open = open(way, call.target).await?;
    let answer = open.exchange(way, request).await.map_err(Failure::into_fault)?;
    if call.keep {
        *kept = still_open(open).await;
    }
    Ok(answer)
}

async fn open(way: &Way<'_>, target: &Target) -> Result<Box<Open>, Fault> {
    let stream = way.connect(&target.endpoint).await?;
    let wire = tls::wrap(stream, &target.endpoint, target.tls.as_ref()).await?;
    let (sender, connection) = Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(wire))
        .await
        .map_err(|e| Fault::Down(in_words(&e)))?;
    Ok(Box::new(Open { sender, connection }))
}

/// The connection, unless the server wants it closed.
async fn still_open(mut open: Box<Open>) -> Option<Box<Open>> {
    let alive = std::future::poll_fn(|task| {
        Poll::Ready(Pin::new(&mut open.connection).poll(task).is_pending() && open.sender.is_ready())
    });
    if alive.await { Some(open) } else { None }
}

enum Failure {
    /// The connection broke or spoke no HTTP.
    Broken(hyper::Error),
    /// The exchange itself went well; the answer is wrong.
    Judged(Fault),
}

impl Failure {
    fn into_fault(self) -> Fault {
        match self {
            Failure::Broken(e) => Fault::Down(in_words(&e)),
            Failure::Judged(fault) => fault,
        }
    }
}

impl Open {
    async fn exchange(&mut self, way: &Way<'_>, what: Sending) -> Result<Answer, Failure> {
        let mut request = Request::new(Full::new(what.body));
        *request.method_mut() = what.method;
        *request.uri_mut() = what.path;
        *request.headers_mut() = what.headers;
        let Open { sender, connection } = self;
        let asked = sender.send_request(request);
        let work = async {
            let (head, body) = asked.await.map_err(Failure::Broken)?.into_parts();
            way.phase(Phase::Reading);
            let gzip = what.gzip && is_gzip(&head.headers);
            let body = read_body(body, what.max_body, gzip).await?;
            Ok(Answer { status: head.status, version: head.version, headers: head.headers, body })
        };
        drive(work, connection).await
    }
}

/// Runs the work and the protocol under it in this task, until the work is done. When the
/// protocol ends first, the work learns why through its own channel.
async fn drive<T>(
    work: impl Future<Output = Result<T, Failure>>,
    connection: &mut Connection<TokioIo<Wire>, Full<Bytes>>,
) -> Result<T, Failure> {
    let mut work = pin!(work);
    let mut running = true;
    std::future::poll_fn(|task| {
        if let Poll::Ready(result) = work.as_mut().poll(task) {
            return Poll::Ready(result);
        }
        if running && let Poll::Ready(ended) = Pin::new(&mut *connection).poll(task) {
            running = false;
            let result = work.as_mut().poll(task);
            return match (result, ended) {
                // The work sees only that its channel closed; the protocol knows why.
                (Poll::Ready(Err(Failure::Broken(_))) | Poll::Pending, Err(e)) => {
                    Poll::Ready(Err(Failure::Broken(e)))
                }
                (result, _) => result,
            };
        }
        // What the protocol has just received is taken at once, without another wake-up.
        work.as_mut().poll(task)
    })
    .await
}

async fn read_body(mut body: Incoming, max: usize, gzip: bool) -> Result<Bytes, Failure> {
    let mut growing = Growing::new(max, Some(body.size_hint().lower()), gzip).map_err(Failure::Judged)?;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Failure::Broken)?.into_data() else { continue };
        growing.push(data).map_err(Failure::Judged)?;
    }
    growing.finish().map_err(Failure::Judged)
}

/// Whether a body is packed in the one way that we ask for.
fn is_gzip(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_ENCODING).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"gzip"))
}

/// What went wrong on the connection, as a reason.
fn in_words(e: &hyper::Error) -> String {
    if e.is_parse_too_large() {
        return format!(
            "expected a head of at most {} and 100 headers, got more",
            units::bytes(MAX_HEAD as f64)
        );
    }
    if e.is_parse() {
        return format!(
            "expected an HTTP/1.1 answer, got something else: {}",
            text::one_line(&e.to_string(), 80)
        );
    }
    if e.is_incomplete_message() || e.is_canceled() || e.is_closed() {
        return "expected an answer, got a closed connection".to_owned();
    }
    let io = e.source().and_then(|s| s.downcast_ref::<io::Error>());
    match io {
        Some(io) if io.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) => {
            tls::describe_io(io, None)
        }
        Some(io) if io.kind() == io::ErrorKind::ConnectionReset => {
            "expected an answer, got a connection reset".to_owned()
        }
        Some(io) if io.kind() == io::ErrorKind::UnexpectedEof => {
            "expected a whole answer, got a closed connection in the middle of it".to_owned()
        }
        Some(io) => format!("expected an answer, got: {}", text::one_line(&io.to_string(), 120)),
        None => format!("expected an answer, got: {}", text::one_line(&e.to_string(), 120)),
    }
}
