//! Docker's API over its Unix socket: lists a project's containers, stops, starts, restarts them.

use super::{Container, MAX_CONTAINERS};
use crate::act::step::Setting;
use crate::domain::procedure::action::kinds::{Compose, ComposeVerb};
use crate::domain::text;
use crate::stack::kind::http::target::Target as Url;
use crate::transport::fetch::Way;
use crate::transport::fetch::http::{Answer, Call, fetch, plain_headers};
use hyper::Method;
use hyper::body::Bytes;
use serde_json::Value;
use std::fmt::Write as _;

/// The longest answer, in bytes.
const MAX_ANSWER: usize = 4 << 20;

async fn call(method: Method, path: &str, socket: &str, s: &Setting<'_>) -> Result<Answer, String> {
    let url = Url::parse(&format!("http://docker{path}"), None, Some(socket))?;
    let way = Way::new(s.transport, s.access, s.clock, s.host);
    let call = Call {
        target: &url,
        method,
        headers: plain_headers(&url).map_err(|fault| fault.why().to_owned())?,
        body: Bytes::new(),
        max_body: MAX_ANSWER,
        keep: false,
        gzip: false,
    };
    let answer = fetch(&way, call, &mut None).await.map_err(|fault| fault.why().to_owned())?;
    // 304: it is so already.
    if answer.status.is_success() || answer.status == hyper::StatusCode::NOT_MODIFIED {
        return Ok(answer);
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let why = text::one_line(body.get("message").and_then(Value::as_str).unwrap_or("no reason"), 200);
    Err(format!("Docker answered {}: {why}", answer.status))
}

async fn json(path: &str, socket: &str, s: &Setting<'_>) -> Result<Value, String> {
    let answer = call(Method::GET, path, socket, s).await?;
    serde_json::from_slice(&answer.body).map_err(|e| format!("Docker answered no JSON: {e}"))
}

/// The containers of a project, running or not.
pub(super) async fn list(a: &Compose, socket: &str, s: &Setting<'_>) -> Result<Vec<Container>, String> {
    let Some(project) = &a.project else {
        return Err("over Docker's socket, `project` must name the project".to_owned());
    };
    let filters = serde_json::json!({ "label": [format!("com.docker.compose.project={project}")] });
    let filters = filters.to_string().bytes().fold(String::new(), |mut out, b| {
        let _ = write!(out, "%{b:02X}");
        out
    });
    let list = json(&format!("/containers/json?all=true&filters={filters}"), socket, s).await?;
    let mut out = Vec::new();
    for one in list.as_array().ok_or("Docker answered no list")?.iter().take(MAX_CONTAINERS) {
        let Some(id) = one.get("Id").and_then(Value::as_str).filter(|id| is_id(id)) else { continue };
        let service = one.pointer("/Labels/com.docker.compose.service").and_then(Value::as_str).unwrap_or("");
        let whole = json(&format!("/containers/{id}/json"), socket, s).await?;
        let of = |path: &str| whole.pointer(path).and_then(Value::as_str).unwrap_or("").to_owned();
        out.push(Container {
            service: service.to_owned(),
            id: id.to_owned(),
            state: of("/State/Status"),
            started: of("/State/StartedAt"),
        });
    }
    Ok(out)
}

/// It becomes part of a path.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.chars().all(|c| c.is_ascii_hexdigit())
}

/// One container after the other; the first that fails ends it.
pub(super) async fn perform(a: &Compose, socket: &str, s: &Setting<'_>) -> Result<String, String> {
    let verb = match a.verb {
        ComposeVerb::Stop => "stop",
        ComposeVerb::Restart => "restart",
        ComposeVerb::Up | ComposeVerb::Recreate => {
            return Err("Docker's socket cannot create containers of a project".to_owned());
        }
    };
    let containers = super::look(a, s).await?;
    if containers.is_empty() {
        return Err("there is no container to do that to".to_owned());
    }
    for container in &containers {
        let path = format!("/containers/{}/{verb}", container.id);
        call(Method::POST, &path, socket, s)
            .await
            .map_err(|why| format!("{}: {why}", text::one_line(&container.service, 60)))?;
    }
    Ok(format!("{verb} of {} containers", containers.len()))
}
