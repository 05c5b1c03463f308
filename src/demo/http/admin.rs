//! The admin API: its routes, who may call them and how often, and their replies.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{Call, Reply, auth, detail, json_reply, logs, metrics, text_reply};
use crate::demo::fault::Fault;
use crate::demo::model::services::{MASTERED, SERVICES, Services, Svc, SvcState};
use crate::demo::model::units::UnitId;
use crate::demo::model::{Door, Model};
use crate::demo::shared::DemoHandle;
use crate::demo::{files, redis_keys, sockets};

/// Requests a minute, by route and client; the log analytics bear fewer.
const LIMIT: u32 = 200;
const ANALYTICS: u32 = 30;
/// How long a reply takes when what it is drawn from is slow.
const SLOW_POSTGRES: Duration = Duration::from_millis(1500);
const SLOW_REDIS: Duration = Duration::from_millis(800);

/// A known route: its template and whether it wants a login. Parameters are matched by `{}`.
struct Route {
    method: &'static str,
    template: &'static str,
    open: bool,
}

const fn open(method: &'static str, template: &'static str) -> Route {
    Route { method, template, open: true }
}

const fn kept(method: &'static str, template: &'static str) -> Route {
    Route { method, template, open: false }
}

const ROUTES: [Route; 38] = [
    open("GET", "/health"),
    open("GET", "/ready"),
    open("GET", "/metrics"),
    open("GET", "/status/log"),
    open("GET", "/metrics-summary"),
    open("POST", "/auth/login"),
    kept("GET", "/auth/me"),
    kept("GET", "/api/system/status"),
    kept("POST", "/api/system/control"),
    kept("GET", "/services/status"),
    kept("GET", "/services/{}/status"),
    kept("POST", "/services/{}/start"),
    kept("POST", "/services/{}/stop"),
    kept("POST", "/services/{}/restart"),
    kept("GET", "/apps/status"),
    kept("POST", "/apps/{}/start"),
    kept("POST", "/apps/{}/stop"),
    kept("POST", "/apps/{}/restart"),
    kept("GET", "/api/admin/sessions"),
    kept("GET", "/relay/health"),
    kept("GET", "/network_state"),
    kept("GET", "/status"),
    kept("GET", "/bootstrap"),
    kept("GET", "/circuits"),
    kept("GET", "/api/key-rotator/status"),
    kept("POST", "/api/key-rotator/rotate"),
    kept("GET", "/api/metrics/live"),
    kept("GET", "/api/metrics/last_1h"),
    kept("GET", "/api/metrics/last_24h"),
    kept("GET", "/users"),
    kept("POST", "/logs/query"),
    kept("POST", "/logs/count"),
    kept("POST", "/logs/histogram"),
    kept("POST", "/logs/aggregate"),
    kept("POST", "/logs/top"),
    kept("POST", "/logs/export"),
    kept("GET", "/logs/export/{}"),
    kept("GET", "/logs/services"),
];

fn find(method: &str, path: &str) -> Result<(&'static Route, String), StatusCode> {
    let mut known = false;
    for route in &ROUTES {
        let Some(parameter) = matches(route.template, path) else { continue };
        if route.method == method {
            return Ok((route, parameter));
        }
        known = true;
    }
    Err(if known { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_FOUND })
}

fn matches(template: &str, path: &str) -> Option<String> {
    let Some((before, after)) = template.split_once("{}") else {
        return (template == path).then(String::new);
    };
    let middle = path.strip_prefix(before)?.strip_suffix(after)?;
    (!middle.is_empty() && !middle.contains('/')).then(|| middle.chars().take(100).collect())
}

/// Why a request did not get past the gate.
#[derive(Clone, Copy)]
enum Refusal {
    TooMany,
    Login(&'static str),
}

pub async fn answer(demo: &DemoHandle, call: &Call) -> Reply {
    let (route, parameter) = match find(&call.method, &call.path) {
        Ok(found) => found,
        Err(status) => {
            return detail(
                status,
                if status == StatusCode::NOT_FOUND { "Not Found" } else { "Method Not Allowed" },
            );
        }
    };
    let analytics =
        ["/logs/aggregate", "/logs/histogram", "/logs/top", "/logs/export"].contains(&route.template);
    let limit = if analytics { ANALYTICS } else { LIMIT };
    let gate = demo.with(|m| {
        if !m.guard.admit(route.template, call.address, limit, m.now) {
            return Err(Refusal::TooMany);
        }
        if !route.open {
            auth::check(m, call).map_err(Refusal::Login)?;
        }
        Ok(delay(m, route.template))
    });
    let delay = gate.unwrap_or_default();
    let reply = match gate {
        Err(Refusal::TooMany) => {
            let text = format!("Rate limit exceeded: {limit} per 1 minute");
            json_reply(StatusCode::TOO_MANY_REQUESTS, &json!({ "error": text }))
        }
        Err(Refusal::Login(text)) => detail(StatusCode::UNAUTHORIZED, text),
        Ok(delay) => {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            run(demo, route.template, &parameter, call)
        }
    };
    demo.with(|m| metrics::record(m, route.template, route.method, &reply, delay));
    reply
}

fn delay(m: &Model, template: &str) -> Duration {
    match template {
        "/users" if m.has(Fault::PostgresSlow) => SLOW_POSTGRES,
        "/api/admin/sessions" if m.has(Fault::RedisSlow) => SLOW_REDIS,
        _ => Duration::ZERO,
    }
}

fn run(demo: &DemoHandle, template: &str, parameter: &str, call: &Call) -> Reply {
    match template {
        "/auth/login" => auth::login(demo, call),
        "/metrics" => {
            let text = demo.with(|m| metrics::text(m));
            text_reply(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
        }
        _ if template.starts_with("/logs/") => {
            demo.with(|m| logs::answer(m, template, call, &files::export_dir(demo.dir())))
        }
        _ => demo.with(|m| route(m, template, parameter, call)),
    }
}

fn ok(body: &Value) -> Reply {
    json_reply(StatusCode::OK, body)
}

fn broken(text: &str) -> Reply {
    detail(StatusCode::INTERNAL_SERVER_ERROR, text)
}

fn route(m: &mut Model, template: &str, parameter: &str, call: &Call) -> Reply {
    match template {
        "/health" => health(m, false),
        "/ready" => health(m, true),
        "/status/log" => log_backed(m, sockets::log_status),
        "/metrics-summary" => log_backed(m, sockets::log_metrics),
        "/auth/me" => match auth::check(m, call) {
            Ok(until) => ok(&json!({"username": auth::USER, "exp": m.wall(until).as_second()})),
            Err(text) => detail(StatusCode::UNAUTHORIZED, text),
        },
        "/api/system/status" => {
            if m.is_open(Door::Master) {
                ok(&json!({"status": "ok", "services": sockets::master_list(m)}))
            } else {
                broken("master service unreachable")
            }
        }
        "/api/system/control" => system_control(m, call),
        "/services/status" | "/services/{}/status" => {
            ok(&json!({"status": "ok", "data": services(m, parameter)}))
        }
        "/apps/status" if m.services.running(Svc::ApiManager) => {
            ok(&json!({"status": "ok", "data": sockets::apps(m)}))
        }
        "/apps/status" => detail(StatusCode::SERVICE_UNAVAILABLE, "api_manager socket unavailable"),
        _ if template.starts_with("/services/{}") || template.starts_with("/apps/{}") => {
            act(m, template, parameter)
        }
        "/api/admin/sessions" => sessions(m),
        "/users" => users(m, call),
        "/api/metrics/live" => ok(&live(m)),
        "/api/metrics/last_1h" | "/api/metrics/last_24h" => ok(&history(m)),
        "/api/key-rotator/status" | "/api/key-rotator/rotate" if !m.services.running(Svc::KeyRotator) => {
            broken("internal_error")
        }
        "/api/key-rotator/status" => ok(&json!({"status": "ok", "data": sockets::rotator_status(m)})),
        "/api/key-rotator/rotate" => {
            m.rotate_keys();
            ok(&json!({"status": "ok", "data": {"status": "ok", "message": "rotation_triggered"}}))
        }
        _ => relay(m, template),
    }
}

/// `/health` never fails; `/ready` does, and only for the log service.
fn health(m: &mut Model, strict: bool) -> Reply {
    let log = m.services.running(Svc::LogManage);
    let id = m.fresh_id().to_string();
    let healthy = log || !strict;
    let data = json!({
        "healthy": healthy, "log_service": if log { "ok" } else { "unavailable" },
        "version": "1.0.0", "env": "production",
    });
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json_reply(status, &json!({"status": "ok", "request_id": id, "data": data}))
}

fn log_backed(m: &mut Model, data: impl Fn(&Model) -> Value) -> Reply {
    let id = m.fresh_id().to_string();
    if m.services.running(Svc::LogManage) {
        ok(&json!({"status": "ok", "request_id": id, "data": data(m)}))
    } else {
        logs::unavailable(&id)
    }
}

fn system_control(m: &mut Model, call: &Call) -> Reply {
    let body = call.json().unwrap_or(Value::Null);
    let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, action) = (field("service_name"), field("action"));
    match Services::find_mastered(name) {
        Some(svc) if sockets::control(m, svc, action) => {
            ok(&json!({"status": "ok", "message": format!("{action} {name}")}))
        }
        Some(_) => broken("Unknown action"),
        None => broken(&format!("Unknown target: {}", name.chars().take(60).collect::<String>())),
    }
}

/// By name, or all of them when the name is unknown: as upstream.
fn services(m: &Model, name: &str) -> Value {
    let one = Services::find_mastered(name);
    let all: Map<String, Value> = SERVICES
        .iter()
        .take(MASTERED)
        .filter(|def| one.is_none_or(|svc| svc == def.id))
        .map(|def| {
            let service = m.services.get(def.id);
            let root = [Svc::OsServices, Svc::Session, Svc::WgManager, Svc::TorManager].contains(&def.id);
            let entry = json!({
                "name": def.name, "mode": if root { "root" } else { "user" }, "description": def.description,
                "should_be_running": service.should_run, "running": service.state == SvcState::Running,
                "state": sockets::state_word(service.state).to_uppercase(),
                "restart_count": service.restarts, "logo_path": Value::Null,
            });
            (def.name.to_owned(), entry)
        })
        .collect();
    Value::Object(all)
}

fn act(m: &mut Model, template: &str, name: &str) -> Reply {
    let action = template.rsplit('/').next().unwrap_or_default();
    let (found, kind) = if template.starts_with("/apps/") {
        (Services::find(name).filter(|svc| *svc as usize >= MASTERED), "apps")
    } else {
        (Services::find_mastered(name), "services")
    };
    match found {
        Some(svc) if sockets::control(m, svc, action) => {
            ok(&json!({"status": "ok", "message": format!("{name}: {action}")}))
        }
        _ => detail(StatusCode::BAD_REQUEST, &format!("Unknown {kind}: ['{name}']")),
    }
}

fn sessions(m: &Model) -> Reply {
    if !m.units.running(UnitId::Redis) {
        return text_reply(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain; charset=utf-8",
            "Internal Server Error".into(),
        );
    }
    let list: Vec<Value> = m
        .clients
        .sessions()
        .map(|(d, s)| {
            let hash = redis_keys::session_hash(m, d, s);
            Value::Object(hash.into_iter().map(|(k, v)| (k, v.into())).collect())
        })
        .collect();
    ok(&json!({"type": "snapshot", "sessions": list}))
}

fn users(m: &Model, call: &Call) -> Reply {
    if !m.units.running(UnitId::PostgresqlMain) || !m.services.running(Svc::Users) {
        return broken("Internal User Service Error");
    }
    let limit = call.number("limit").unwrap_or(50).clamp(1, 200);
    let offset = call.number("offset").unwrap_or(0);
    let all = &m.clients.users;
    let page: Vec<Value> = all
        .iter()
        .skip(offset)
        .take(limit)
        .map(|u| {
            json!({
                "id": u.id.to_string(), "username": u.name, "email": format!("{}@example.net", u.name),
                "is_active": u.active, "max_devices": 3, "total_sessions": u.total_sessions,
                "last_seen_at": m.wall(u.last_seen).to_string(),
            })
        })
        .collect();
    let pagination = json!({"limit": limit, "offset": offset, "total": all.len(), "returned": page.len()});
    ok(&json!({"status": "ok", "users": page, "pagination": pagination}))
}

pub fn live(m: &Model) -> Value {
    let p = m.host.now;
    json!({
        "status": "running", "uptime_sec": m.now - m.services.get(Svc::ApiPublic).since,
        "cpu_percent": p.cpu, "memory_percent": p.memory, "disk_percent": p.disk,
        "rx_kbps": p.rx_kbps, "tx_kbps": p.tx_kbps, "timestamp": m.wall(m.now).as_second(),
    })
}

fn history(m: &Model) -> Value {
    let points: Vec<Value> = m
        .host
        .history
        .iter()
        .map(|p| {
            json!({
                "ts": m.wall(p.at).as_second(), "cpu": p.cpu, "mem": p.memory, "disk": p.disk,
                "rx_kbps": p.rx_kbps, "tx_kbps": p.tx_kbps,
            })
        })
        .collect();
    json!({"resolution": "1m", "points": points})
}

fn relay(m: &Model, template: &str) -> Reply {
    if !m.services.running(Svc::TorManager) {
        return broken("internal_error");
    }
    let running = m.units.running(UnitId::Tor);
    match template {
        "/relay/health" if m.tor_healthy() => ok(
            &json!({"network_enabled": true, "healthy": true, "exit_ip": "192.0.2.44", "error": Value::Null}),
        ),
        "/relay/health" => broken(if running { "relay_unhealthy" } else { "relay_not_running" }),
        "/network_state" => ok(&sockets::network_state(m)),
        _ if !running => broken("relay_not_running"),
        "/circuits" => ok(&json!({"circuits": sockets::circuit_list(m), "count": m.tor.circuits})),
        _ => ok(&sockets::relay_status(m)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_route() {
        for (method, path, want) in [
            ("GET", "/health", Ok(("/health", ""))),
            ("POST", "/services/auth/restart", Ok(("/services/{}/restart", "auth"))),
            ("GET", "/services/status", Ok(("/services/status", ""))),
            ("GET", "/services/x/status", Ok(("/services/{}/status", "x"))),
            ("GET", "/logs/export/a.csv", Ok(("/logs/export/{}", "a.csv"))),
            ("GET", "/logs/export/../x", Err(StatusCode::NOT_FOUND)),
            ("DELETE", "/health", Err(StatusCode::METHOD_NOT_ALLOWED)),
            ("GET", "/nothing", Err(StatusCode::NOT_FOUND)),
        ] {
            let got = find(method, path);
            let got = got.as_ref().map(|(r, p)| (r.template, p.as_str())).map_err(|e| *e);
            assert_eq!(got, want, "{method} {path}");
        }
    }
}
