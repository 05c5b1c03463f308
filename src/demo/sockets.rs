//! The microservices' Unix sockets: one JSON request, one JSON reply, no framing.

use std::path::Path;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::model::keys;
use super::model::log::{Level, stamp};
use super::model::services::{MASTERED, SERVICES, Services, Svc, SvcState};
use super::model::units::{Job, Second, UnitId};
use super::model::{Door, Model};
use super::rng::looks_like_uuid;
use super::shared::DemoHandle;
use super::{files, log_query, tor};

/// Longest request read.
const REQUEST: usize = 64 * 1024;

/// Every socket: its door, file name and mode.
pub const SOCKETS: [(Door, &str, u32); 12] = [
    (Door::Master, "master.sock", 0o660),
    (Door::Service(Svc::OsServices), "os_services.sock", 0o660),
    (Door::Service(Svc::ApiManager), "api_mgr.sock", 0o660),
    (Door::Service(Svc::Ipam), "ipam.sock", 0o660),
    (Door::Service(Svc::KeyRotator), "key_rotator.sock", 0o660),
    (Door::Service(Svc::BootstrapKey), "bootstrap_keys.sock", 0o755),
    (Door::Service(Svc::LogManage), "log.sock", 0o660),
    (Door::Service(Svc::TorManager), "tor_mgr.sock", 0o660),
    (Door::Service(Svc::Session), "session.sock", 0o660),
    (Door::Service(Svc::Auth), "auth_service.sock", 0o660),
    (Door::Service(Svc::WgManager), "wg_mgr.sock", 0o660),
    (Door::Service(Svc::Users), "user_service.sock", 0o660),
];

pub async fn serve(demo: DemoHandle, door: Door, mut stream: UnixStream) {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 && bytes.len() + n <= REQUEST => bytes.extend_from_slice(&chunk[..n]),
            _ => return,
        }
        // There is no framing: the request ends where its first object does.
        let request = match serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>().next() {
            Some(Ok(request)) => request,
            Some(Err(e)) if e.is_eof() => continue,
            None => continue,
            Some(Err(_)) => json!({}),
        };
        bytes.clear();
        let exports = files::export_dir(demo.dir());
        let reply = demo.with(|m| reply(m, door, &request, &exports)).to_string();
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
        // The user service answers and never closes.
        if door != Door::Service(Svc::Users) {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

fn reply(m: &mut Model, door: Door, request: &Value, exports: &Path) -> Value {
    let word = |name: &str| request.get(name).and_then(Value::as_str);
    let action = word("action").or_else(|| word("command")).unwrap_or_default();
    let Door::Service(svc) = door else {
        return master(m, word("command").unwrap_or_default(), word("target"));
    };
    if action == "ping" {
        return match svc {
            Svc::LogManage => json!({"status": "pong", "ts": stamp(m.wall(m.now))}),
            _ => json!({"status": "pong"}),
        };
    }
    match svc {
        Svc::OsServices => os_services(m, action),
        Svc::ApiManager => api_manager(m, action, word("target")),
        Svc::Ipam => ipam(m, request, action),
        Svc::KeyRotator => key_rotator(m, action),
        Svc::BootstrapKey => bootstrap_keys(m, action),
        Svc::LogManage => log_service(m, action, request, exports),
        Svc::TorManager => tor_manager(m, action),
        Svc::Session => json!({"status": "error", "error": "invalid_action"}),
        _ => json!({"error": "invalid_action"}),
    }
}

/// The master's and the admin API's word for a state.
pub fn state_word(state: SvcState) -> &'static str {
    match state {
        SvcState::Running => "running",
        SvcState::Crashed { .. } => "crashed",
        SvcState::Stopped | SvcState::Starting { .. } => "stopped",
    }
}

/// The services as the master lists them.
pub fn master_list(m: &Model) -> Vec<Value> {
    SERVICES
        .iter()
        .take(MASTERED)
        .map(|def| {
            let service = m.services.get(def.id);
            let running = service.state == SvcState::Running;
            json!({
                "name": def.name,
                "state": state_word(service.state),
                // Every service of the demo lives in this one process.
                "pid": running.then(std::process::id),
                "should_be_running": service.should_run,
            })
        })
        .collect()
}

/// Carries out start, stop, restart or reload of one service or app; false for an unknown action.
pub fn control(m: &mut Model, svc: Svc, action: &str) -> bool {
    match action {
        "start" => m.services.start(svc, m.now),
        "stop" => m.services.stop(svc, m.now),
        "restart" => m.services.restart(svc, m.now),
        "reload_config" => {}
        _ => return false,
    }
    m.settle();
    true
}

fn master(m: &mut Model, command: &str, target: Option<&str>) -> Value {
    let unknown = || {
        let name = target.map_or_else(|| "None".to_owned(), |t| t.chars().take(60).collect());
        json!({"status": "error", "message": format!("Unknown target: {name}")})
    };
    if command == "status" {
        let mut list = master_list(m);
        match target {
            Some("all") => {}
            Some(name) => {
                list.retain(|s| s["name"] == name);
                if list.is_empty() {
                    return unknown();
                }
            }
            None => return unknown(),
        }
        return json!({"status": "ok", "services": list});
    }
    let Some(svc) = target.and_then(Services::find_mastered) else { return unknown() };
    if control(m, svc, command) {
        json!({"status": "ok", "message": format!("{command} {}", SERVICES[svc as usize].name)})
    } else {
        json!({"status": "error", "message": "Unknown command"})
    }
}

fn os_services(m: &Model, action: &str) -> Value {
    if action != "status" && action != "list" {
        return json!({"status": "error", "message": "Unknown action"});
    }
    let state = |up: bool| json!({"state": if up { "RUNNING" } else { "STOPPED" }, "healthy": up});
    let mut data = Map::new();
    for (name, id) in [("postgresql", UnitId::PostgresqlMain), ("redis", UnitId::Redis), ("tor", UnitId::Tor)]
    {
        data.insert(name.into(), state(m.units.running(id)));
    }
    data.insert("wg0".into(), state(m.interface_present(0)));
    data.insert("wg1".into(), state(m.interface_present(1)));
    json!({"status": "ok", "data": data})
}

/// The two APIs as `api_manager` and `/apps/status` show them.
pub fn apps(m: &Model) -> Map<String, Value> {
    SERVICES
        .iter()
        .skip(MASTERED)
        .map(|def| {
            let app = m.services.get(def.id);
            let port = if def.id == Svc::ApiPublic { 8000 } else { 4605 };
            let entry = json!({
                "name": def.name,
                "description": def.description,
                "state": state_word(app.state).to_uppercase(),
                "pid": (app.state == SvcState::Running).then(std::process::id),
                "restart_count": app.restarts,
                "health_url": format!("http://127.0.0.1:{port}/health"),
            });
            (def.name.to_owned(), entry)
        })
        .collect()
}

fn api_manager(m: &mut Model, action: &str, target: Option<&str>) -> Value {
    if matches!(action, "status" | "list") {
        return json!({"status": "ok", "data": apps(m)});
    }
    match target.and_then(Services::find).filter(|svc| *svc as usize >= MASTERED) {
        Some(svc) if control(m, svc, action) => json!({"status": "ok", "data": {}}),
        _ => json!({"status": "error", "message": "Unknown target"}),
    }
}

fn ipam(m: &mut Model, request: &Value, action: &str) -> Value {
    let uuid = |name: &str| request.get(name).and_then(Value::as_str).filter(|t| looks_like_uuid(t));
    let (Some(user), Some(device)) = (uuid("user_id"), uuid("device_id")) else {
        return json!({"error": "invalid_identity"});
    };
    if !m.units.running(UnitId::Redis) {
        return json!({"error": "redis_unavailable"});
    }
    let name = format!("{}-{}", user.to_lowercase(), device.to_lowercase());
    match action {
        "status" => {
            let own = m.clients.sessions().filter(|(d, _)| d.id.to_string() == device).count();
            let used = own + usize::from(m.clients.outside.contains_key(&name));
            json!({"status": "ok", "vpn_free": m.clients.free(), "tor_free": m.clients.free(), "used_devices": used})
        }
        "allocate" => match m.clients.allocate(&name) {
            Some(index) => {
                let last = u16::from(index) + 2;
                let (vpn, tor) = (format!("10.8.0.{last}"), format!("10.9.0.{last}"));
                json!({"status": "allocated", "vpn_ip": vpn, "tor_ip": tor})
            }
            None => json!({"error": "pool_exhausted"}),
        },
        "release" if m.clients.release(&name) => json!({"status": "released"}),
        "release" => json!({"error": "not_found"}),
        _ => json!({"error": "invalid_action"}),
    }
}

/// The rotator's status, also behind `/api/key-rotator/status`.
pub fn rotator_status(m: &Model) -> Value {
    let age = |since: Second| ago(m.now.saturating_sub(since));
    let names = ["access_private", "access_public", "refresh_private", "refresh_public"];
    let ages: Map<String, Value> =
        names.iter().map(|n| ((*n).to_owned(), age(m.keys.staged).into())).collect();
    let overlap: Map<String, Value> = names
        .iter()
        .map(|n| {
            let shown = m.keys.rotating.map_or_else(|| "not present".to_owned(), age);
            ((*n).to_owned(), shown.into())
        })
        .collect();
    json!({
        "status": "ok", "interval_hours": 24, "overlap_minutes": keys::OVERLAP as f64 / 60.0,
        "sighup_grace_sec": keys::GRACE,
        "key_ages": ages, "overlap_key_ages": overlap,
    })
}

fn ago(seconds: Second) -> String {
    match seconds {
        0..60 => format!("{seconds}s ago"),
        60..3600 => format!("{}m {}s ago", seconds / 60, seconds % 60),
        _ => format!("{}h {}m ago", seconds / 3600, seconds % 3600 / 60),
    }
}

fn key_rotator(m: &mut Model, action: &str) -> Value {
    match action {
        "status" => rotator_status(m),
        "rotate_now" => {
            m.rotate_keys();
            json!({"status": "ok", "message": "rotation_triggered"})
        }
        _ => json!({"status": "error", "error": "invalid_action"}),
    }
}

fn bootstrap_keys(m: &Model, action: &str) -> Value {
    if action != "key_status" {
        return json!({"status": "error", "error": "invalid_action"});
    }
    let readable = !m.has(super::fault::Fault::KeyFilesUnreadable);
    let entry = if readable {
        json!({"present": true, "valid": true, "reason": Value::Null})
    } else {
        json!({"present": true, "valid": false, "reason": "permission denied"})
    };
    let keys: Map<String, Value> = ["access_private", "access_public", "refresh_private", "refresh_public"]
        .iter()
        .map(|n| ((*n).to_owned(), entry.clone()))
        .collect();
    json!({"status": "ok", "all_valid": readable, "keys": keys})
}

/// The log service's status, also behind `/status/log`.
pub fn log_status(m: &Model) -> Value {
    let records = m.log.records();
    let levels: Map<String, Value> =
        Level::ALL.iter().map(|l| (l.name().to_owned(), m.log.level_count(*l).into())).collect();
    json!({
        "total_logs": m.log.total(),
        "earliest": stamp(m.wall(0)),
        "latest": records.back().map(|r| stamp(r.ts)),
        "services": files::LOG_FILES,
        "levels": levels,
        "db_size_bytes": m.log.total() * 410,
        "buffer_pending": 0,
        "dropped_records": m.log.dropped,
        "tail_subscribers": 0,
        "retention_days": 30,
    })
}

/// The log service's own metrics, also behind `/metrics-summary`.
pub fn log_metrics(m: &Model) -> Value {
    let full = m.has(super::fault::Fault::DiskFull);
    json!({
        "ingest_total": m.log.total(), "ingest_rate_per_sec": 3.0, "buffer_depth": 0, "dropped_records": m.log.dropped,
        "flush_total": m.now / 2, "flush_rows_total": m.log.total(), "avg_flush_size": 6.0, "last_flush_size": 6,
        "last_flush_ts": stamp(m.wall(m.now)), "flush_errors": if full { m.now % 600 } else { 0 },
        "connections_total": 40, "connections_rejected": 0, "tail_subscribers": 0,
        "db_size_bytes": m.log.total() * 410, "db_total_logs": m.log.total(), "ts": stamp(m.wall(m.now)),
    })
}

fn log_service(m: &mut Model, action: &str, request: &Value, exports: &Path) -> Value {
    match action {
        "status" => log_status(m),
        "metrics" => log_metrics(m),
        _ => match log_query::run(m, action, request, exports) {
            Ok(mut data) => {
                // Over the socket an export has no address to be fetched from.
                if let (true, Some(map)) = (action == "export", data.as_object_mut()) {
                    map.remove("download_url");
                    map.remove("filename");
                    map.insert("status".into(), "ready".into());
                }
                data
            }
            Err(log_query::Failure::Invalid(why)) => json!({ "error": why }),
            Err(log_query::Failure::Broken(why)) => json!({ "error": why }),
        },
    }
}

/// Tor's state as the manager and `/status` show it.
pub fn relay_status(m: &Model) -> Value {
    let (percent, tag, summary) = tor::bootstrap(m);
    json!({
        "network_enabled": m.tor.enabled, "running": m.units.running(UnitId::Tor), "uptime": m.now - m.tor.since,
        "bootstrap_pct": percent, "bootstrap_tag": tag, "bootstrap_summary": summary,
        "trans_port": 9040, "socks_port": 9050, "control_port": 9051, "dns_port": 9053, "maint_port": 9041,
    })
}

fn tor_manager(m: &mut Model, action: &str) -> Value {
    let running = m.units.running(UnitId::Tor);
    match action {
        "status" if running => relay_status(m),
        "status" | "circuits" if !running => json!({"error": "relay_not_running"}),
        "circuits" => json!({"circuits": circuit_list(m), "count": m.tor.circuits}),
        "network_state" => network_state(m),
        "health" => {
            json!({"network_enabled": m.tor.enabled, "healthy": m.tor_healthy(), "error": Value::Null})
        }
        "up" | "down" => {
            m.tor.enabled = action == "up";
            network_state(m)
        }
        "start_service" | "stop_service" => {
            m.unit_job(UnitId::Tor, if action == "start_service" { Job::Start } else { Job::Stop });
            json!({"status": "ok"})
        }
        _ => json!({"error": "invalid_action"}),
    }
}

/// Whether the stack routes through Tor, also behind `/network_state`.
pub fn network_state(m: &Model) -> Value {
    json!({"network_enabled": m.tor.enabled, "state": if m.tor_healthy() { "up" } else { "down" }})
}

/// The circuits that `/circuits` lists.
pub fn circuit_list(m: &Model) -> Vec<Value> {
    (1..=m.tor.circuits)
        .map(|i| json!({"id": i.to_string(), "status": "BUILT", "purpose": "GENERAL"}))
        .collect()
}
