//! The admin API's log endpoints: the log service's answers in the API's envelope.

use std::path::Path;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Call, Reply, json_reply, text_reply};
use crate::demo::model::Model;
use crate::demo::model::services::Svc;
use crate::demo::{files, log_query};

pub fn unavailable(id: &str) -> Reply {
    failed(id, StatusCode::BAD_GATEWAY, "log_service_error", "log service unavailable")
}

fn failed(id: &str, status: StatusCode, code: &str, why: &str) -> Reply {
    let body = json!({"status": "error", "request_id": id, "code": code, "detail": why});
    json_reply(status, &body)
}

/// `exports` is the directory that exported files go to.
pub fn answer(m: &mut Model, template: &str, call: &Call, exports: &Path) -> Reply {
    let id = m.fresh_id().to_string();
    if !m.services.running(Svc::LogManage) {
        return unavailable(&id);
    }
    if template == "/logs/export/{}" {
        return download(call, exports);
    }
    let body =
        call.json().filter(Value::is_object).ok_or(log_query::Failure::Invalid("body is not a JSON object"));
    let action = template.trim_start_matches("/logs/");
    match body.and_then(|body| log_query::run(m, action, &body, exports)) {
        Ok(data) => json_reply(StatusCode::OK, &json!({"status": "ok", "request_id": id, "data": data})),
        Err(log_query::Failure::Invalid(why)) => {
            failed(&id, StatusCode::UNPROCESSABLE_ENTITY, "validation_error", why)
        }
        Err(log_query::Failure::Broken(why)) => failed(&id, StatusCode::BAD_GATEWAY, "internal_error", &why),
    }
}

fn download(call: &Call, exports: &Path) -> Reply {
    let name = call.path.rsplit('/').next().unwrap_or_default();
    match files::read_export(exports, name) {
        Ok(text) => text_reply(StatusCode::OK, "application/octet-stream", text),
        Err(_) => super::detail(StatusCode::NOT_FOUND, "File not found"),
    }
}
