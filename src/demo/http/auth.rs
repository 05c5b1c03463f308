//! Admin login: tokens by cookie or bearer, wrong passwords and the ban they lead to.

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderValue, RETRY_AFTER, SET_COOKIE};
use serde_json::{Value, json};

use super::{Call, Reply, detail, json_reply};
use crate::demo::model::Model;
use crate::demo::model::guard::{Login, TOKEN_TTL};
use crate::demo::model::units::Second;
use crate::demo::shared::DemoHandle;

pub const USER: &str = "admin";

pub fn login(demo: &DemoHandle, call: &Call) -> Reply {
    let body = call.json().unwrap_or(Value::Null);
    let field = |name: &str| body.get(name).and_then(Value::as_str);
    let (Some(user), Some(password)) = (field("username"), field("password")) else {
        let missing = json!([{"loc": ["body"], "msg": "Field required", "type": "missing"}]);
        return json_reply(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "detail": missing }));
    };
    let outcome = demo.with(|m| {
        let right = user == USER && password == m.admin_password;
        let outcome = m.guard.login(call.address, right, m.now);
        let token = (outcome == Login::Accepted).then(|| {
            let token = m.fresh_token();
            m.guard.grant(token.clone(), m.now);
            token
        });
        (outcome, token)
    });
    match outcome {
        (Login::Banned { seconds }, _) => {
            let text = format!("Too many failed attempts. Try again in {seconds} seconds");
            let mut reply = detail(StatusCode::TOO_MANY_REQUESTS, &text);
            reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            reply
        }
        (Login::Refused { left }, _) => {
            let text = format!("Invalid username or password. {left} attempts remaining before ban");
            detail(StatusCode::UNAUTHORIZED, &text)
        }
        (Login::Accepted, token) => {
            let mut reply = json_reply(StatusCode::OK, &json!({"status": "ok", "redirect": "/main"}));
            let cookie = format!(
                "admin_token={}; HttpOnly; Max-Age={TOKEN_TTL}; Path=/; SameSite=lax",
                token.unwrap_or_default()
            );
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                reply.headers_mut().insert(SET_COOKIE, value);
            }
            reply
        }
    }
}

/// When the caller's token ends, or what is wrong with it.
pub fn check(m: &Model, call: &Call) -> Result<Second, &'static str> {
    let token = bearer(call).or_else(|| cookie(call)).ok_or("Not authenticated")?;
    m.guard.token(token, m.now).ok_or("Invalid or expired token")
}

fn bearer(call: &Call) -> Option<&str> {
    let value = call.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(call: &Call) -> Option<&str> {
    let values = call.headers.get_all(COOKIE).iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(';')).find_map(|pair| pair.trim().strip_prefix("admin_token="))
}
