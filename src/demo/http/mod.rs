//! The HTTP servers of the demo stack: connection handling, bodies and replies they have in common.

mod admin;
mod auth;
mod client;
mod edge;
mod logs;
mod metrics;
mod ws;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, SERVER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::shared::DemoHandle;

/// Largest request body read.
const BODY: usize = 64 * 1024;
/// Time a client has to send a request's head.
const HEAD: Duration = Duration::from_secs(30);

pub type Reply = Response<Full<Bytes>>;

/// Which of the three servers a connection reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    Admin,
    Client,
    Edge,
}

pub async fn serve(demo: DemoHandle, site: Site, stream: TcpStream, peer: SocketAddr) {
    let pending = ws::Pending::default();
    let (of_service, waiting) = (&demo, &pending);
    let service = service_fn(move |request| async move {
        Ok::<_, Infallible>(answer(of_service, site, peer, request, waiting).await)
    });
    // A broken connection is the client's business.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BODY)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    // Here and not in a task of its own, so that it ends when the door closes.
    ws::go_on(&demo, &pending).await;
}

async fn answer(
    demo: &DemoHandle,
    site: Site,
    peer: SocketAddr,
    mut request: Request<Incoming>,
    pending: &ws::Pending,
) -> Reply {
    if let Some(reply) = ws::answer(demo, site, &mut request, pending) {
        return reply;
    }
    let Ok(call) = Call::read(request, peer).await else {
        return json_reply(StatusCode::PAYLOAD_TOO_LARGE, &json!({"detail": "Request body too large"}));
    };
    let (mut reply, server) = match site {
        Site::Admin => (admin::answer(demo, &call).await, "uvicorn"),
        Site::Client => (client::answer(demo, &call).await, "uvicorn"),
        Site::Edge => (edge::answer(demo, &call).await, "nginx/1.22.1"),
    };
    reply.headers_mut().insert(SERVER, HeaderValue::from_static(server));
    reply
}

/// A request that has been read whole.
pub struct Call {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: hyper::HeaderMap,
    pub body: Bytes,
    /// The client's IPv4 address as a number, for limits and bans.
    pub address: u32,
}

impl Call {
    async fn read(request: Request<Incoming>, peer: SocketAddr) -> Result<Self, ()> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, BODY).collect().await.map_err(|_| ())?.to_bytes();
        let address = match peer.ip() {
            IpAddr::V4(v4) => u32::from(v4),
            IpAddr::V6(_) => 0,
        };
        Ok(Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
            address,
        })
    }

    /// A numeric query parameter.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.query
            .split('&')
            .find_map(|pair| pair.split_once('=').filter(|(k, _)| *k == name))
            .and_then(|(_, v)| v.parse().ok())
    }

    /// The body as JSON; an empty body is an empty object.
    pub fn json(&self) -> Option<Value> {
        if self.body.is_empty() { Some(json!({})) } else { serde_json::from_slice(&self.body).ok() }
    }
}

pub fn json_reply(status: StatusCode, body: &Value) -> Reply {
    text_reply(status, "application/json", body.to_string())
}

pub fn detail(status: StatusCode, text: &str) -> Reply {
    json_reply(status, &json!({ "detail": text }))
}

pub fn text_reply(status: StatusCode, kind: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}
