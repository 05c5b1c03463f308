//! The admin API's websockets: live figures every second, and a dashboard that follows sessions.
//! Neither asks for a login, as upstream's do not.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::{Reply, Site, admin, detail};
use crate::demo::model::{Door, Model};
use crate::demo::shared::DemoHandle;

/// How often figures are sent, and sessions looked at.
const EVERY: Duration = Duration::from_secs(1);
/// The largest message taken from a client; nobody has anything to say here.
const LARGEST: usize = 16 * 1024;

/// What is told on a websocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feed {
    Live,
    Dashboard,
}

/// The upgrade that a connection is waiting for, if any; taken once its HTTP part is over.
#[derive(Default)]
pub struct Pending(Mutex<Option<(Feed, OnUpgrade)>>);

/// Answers a request for a websocket; `None` when it is for something else.
pub fn answer<B>(
    demo: &DemoHandle,
    site: Site,
    request: &mut Request<B>,
    pending: &Pending,
) -> Option<Reply> {
    let feed = match request.uri().path() {
        "/ws/metrics/live" => Feed::Live,
        "/ws/dashboard" => Feed::Dashboard,
        _ => return None,
    };
    if request.method() != Method::GET || site == Site::Client {
        return None;
    }
    if site == Site::Edge && !demo.is_open(Door::Admin) {
        // What nginx answers for everything behind it.
        return None;
    }
    let Some(key) = key(request.headers()) else {
        // The routes exist for websockets only.
        return Some(detail(StatusCode::NOT_FOUND, "Not Found"));
    };
    let mut reply = Response::default();
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(
        header::SEC_WEBSOCKET_ACCEPT,
        HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?,
    );
    *pending.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((feed, hyper::upgrade::on(request)));
    Some(reply)
}

/// The handshake's key, if this is one.
fn key(headers: &HeaderMap) -> Option<String> {
    let is = |name: header::HeaderName, value: &str| {
        let all = headers.get_all(name);
        let mut parts = all.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
        parts.any(|part| part.trim().eq_ignore_ascii_case(value))
    };
    let whole = is(header::UPGRADE, "websocket")
        && is(header::CONNECTION, "upgrade")
        && is(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    whole.then(|| key.to_owned())
}

/// Goes on with a connection that asked for a websocket, until either side ends it.
pub async fn go_on(demo: &DemoHandle, pending: &Pending) {
    let taken = pending.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((feed, upgrade)) = taken else { return };
    let Ok(upgraded) = upgrade.await else { return };
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST))
        .write_buffer_size(0);
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    // A client that goes away is its own business.
    let _ = tell(demo, feed, socket).await;
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

async fn tell(
    demo: &DemoHandle,
    feed: Feed,
    mut socket: Socket,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut before = None;
    loop {
        tokio::select! {
            _ = every.tick() => {
                let message = demo.with(|m| match feed {
                    Feed::Live => Some(json!({"type": "live_metrics", "data": admin::live(m)})),
                    Feed::Dashboard => dashboard(m, &mut before),
                });
                if let Some(message) = message {
                    socket.send(Message::text(message.to_string())).await?;
                }
            }
            heard = socket.next() => match heard {
                None => return Ok(()),
                // Pings are answered by the library while it reads.
                Some(heard) => drop(heard?),
            },
        }
    }
}

/// The sessions' figures: all at first, then when they change. They stop with the subscriptions
/// that they follow, and the socket stays open, as upstream.
fn dashboard(m: &Model, before: &mut Option<(Value, u64)>) -> Option<Value> {
    let now = (stats(m), m.clients.counters.sessions_recovered);
    let Some((stats, recovered)) = before.replace(now.clone()) else {
        return Some(json!({"type": "init", "stats": now.0}));
    };
    if stats == now.0 || !m.redis.admin_subscribed {
        return None;
    }
    let count = |stats: &Value| stats.get("online").and_then(Value::as_u64);
    let event = match (now.1 > recovered, count(&stats) < count(&now.0)) {
        (true, _) => "session_recovered",
        (false, true) => "session_online",
        (false, false) => "session_offline",
    };
    Some(json!({"type": "stats_update", "stats": now.0, "event": event}))
}

fn stats(m: &Model) -> Value {
    let (total, online) = (m.clients.sessions().count(), m.clients.online());
    let mut users: Vec<usize> = m.clients.sessions().filter(|(_, s)| s.online).map(|(d, _)| d.user).collect();
    users.sort_unstable();
    users.dedup();
    json!({
        "total": total, "online": online, "offline": total - online, "active_users": users.len(),
        "active_devices": online, "session_recoveries": m.clients.counters.sessions_recovered,
    })
}
