//! The client API: health, public key, and the refusals a caller without the envelope gets.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::AUTHORIZATION;
use serde_json::json;

use super::{Call, Reply, detail, json_reply, text_reply};
use crate::demo::fault::Fault;
use crate::demo::rng::base64;
use crate::demo::shared::DemoHandle;

/// A hanging connection is given up after this, so that hung callers cannot pile up.
const HANG: Duration = Duration::from_secs(120);

pub async fn answer(demo: &DemoHandle, call: &Call) -> Reply {
    let (hang, fail) = demo.with(|m| {
        m.client_requests += 1;
        (m.has(Fault::ClientApiHang), m.has(Fault::ClientApi500))
    });
    if hang {
        tokio::time::sleep(HANG).await;
    }
    if hang || fail {
        let body = "Internal Server Error".to_owned();
        return text_reply(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", body);
    }
    let bearer = call.headers.get(AUTHORIZATION).is_some();
    match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/health") => json_reply(StatusCode::OK, &json!({"status": "ok"})),
        ("GET", "/auth/pubkey") => {
            let key = demo.with(|m| base64(&m.interfaces[0].public_key));
            json_reply(StatusCode::OK, &json!({ "pubkey": key }))
        }
        ("POST", "/auth/login") => match call.json() {
            // The demo holds no private key: no envelope can be opened with it.
            Some(body) if ["ephemeral_pubkey", "iv", "ciphertext"].iter().all(|k| body.get(k).is_some()) => {
                detail(StatusCode::BAD_REQUEST, "invalid_encrypted_payload")
            }
            _ => detail(StatusCode::UNPROCESSABLE_ENTITY, "Field required"),
        },
        ("POST", "/auth/reauth" | "/auth/logout") => {
            detail(StatusCode::UNAUTHORIZED, "invalid_refresh_token")
        }
        ("POST", "/session/heartbeat" | "/vpn/initiate") if bearer => {
            detail(StatusCode::UNAUTHORIZED, "invalid_token")
        }
        ("POST", "/session/heartbeat" | "/vpn/initiate") => {
            detail(StatusCode::UNAUTHORIZED, "Not authenticated")
        }
        (
            _,
            "/health" | "/auth/pubkey" | "/auth/login" | "/auth/reauth" | "/auth/logout"
            | "/session/heartbeat" | "/vpn/initiate",
        ) => detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
        _ => detail(StatusCode::NOT_FOUND, "Not Found"),
    }
}
