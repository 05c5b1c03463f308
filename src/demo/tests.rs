//! The demo over its real sockets, asked by the clients that others use.

use std::sync::Mutex;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::*;
use crate::clock::Now;

/// A clock that the test moves.
pub(super) struct HandClock(Mutex<Duration>);

impl HandClock {
    pub fn forward(&self, seconds: u64) {
        *self.0.lock().unwrap() += Duration::from_secs(seconds);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Now {
        let mono = *self.0.lock().unwrap();
        let wall = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(490_000);
        Now { mono, wall: wall + jiff::SignedDuration::try_from(mono).unwrap() }
    }
}

pub(super) async fn start(faults: &[&str]) -> (Demo, Arc<HandClock>) {
    let clock = Arc::new(HandClock(Mutex::new(Duration::from_secs(5))));
    let faults = faults.iter().map(|f| f.parse().unwrap()).collect();
    let demo = Demo::start(Options { seed: 1, faults }, clock.clone()).await.unwrap();
    for door in [Door::Admin, Door::Redis] {
        if demo.handle.is_open(door) {
            let address =
                if door == Door::Admin { host(&demo.addresses.admin_api) } else { demo.addresses.redis };
            until(|| async { TcpStream::connect(address).await.is_ok() }).await;
        }
    }
    (demo, clock)
}

/// Waits for a condition; the number of tries bounds it.
pub(super) async fn until<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    for _ in 0..500 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the condition never became true");
}

fn host(url: &str) -> std::net::SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}

async fn refused(address: std::net::SocketAddr) {
    until(|| async {
        TcpStream::connect(address).await.is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
    })
    .await;
}

struct Answer {
    status: StatusCode,
    headers: hyper::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

async fn call(base: &str, method: &str, path: &str, token: Option<&str>, body: String) -> Answer {
    let stream = TcpStream::connect(host(base)).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", "demo");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let reply = sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
    let (parts, body) = reply.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

async fn get(base: &str, path: &str) -> Answer {
    call(base, "GET", path, None, String::new()).await
}

async fn login(demo: &Demo, password: &str) -> Answer {
    let body = json!({"username": "admin", "password": password}).to_string();
    call(&demo.addresses.admin_api, "POST", "/auth/login", None, body).await
}

async fn token(demo: &Demo) -> String {
    let password = std::fs::read_to_string(&demo.addresses.admin_password_file).unwrap();
    let reply = login(demo, password.trim()).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly"));
    cookie.split(['=', ';']).nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn every_admin_route_has_its_shape() {
    let (demo, _) = start(&[]).await;
    let base = &demo.addresses.admin_api;
    for (path, field) in
        [("/health", "/data/healthy"), ("/ready", "/data/log_service"), ("/status/log", "/data/levels")]
    {
        let reply = get(base, path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.json().pointer(field).is_some(), "{path}: {}", reply.text);
    }
    let token = token(&demo).await;
    for (path, field) in [
        ("/auth/me", "/exp"),
        ("/api/system/status", "/services/10/state"),
        ("/services/status", "/data/wg_manager/restart_count"),
        ("/services/unknown/status", "/data/auth/state"),
        ("/apps/status", "/data/api_internal/health_url"),
        ("/api/admin/sessions", "/sessions/0/vpn_ip"),
        ("/relay/health", "/exit_ip"),
        ("/network_state", "/state"),
        ("/bootstrap", "/bootstrap_pct"),
        ("/status", "/socks_port"),
        ("/circuits", "/circuits/0/status"),
        ("/api/key-rotator/status", "/data/key_ages/access_private"),
        ("/api/metrics/live", "/cpu_percent"),
        ("/api/metrics/last_1h", "/points/0/ts"),
        ("/users?limit=2", "/pagination/total"),
        ("/logs/services", "/data/services/8"),
    ] {
        assert_eq!(get(base, path).await.status, 401, "{path} wants a login");
        let reply = call(base, "GET", path, Some(&token), String::new()).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        assert!(reply.json().pointer(field).is_some(), "{path}: {}", reply.text);
    }
    let metrics = get(base, "/metrics").await.text;
    assert!(metrics.contains(
        "http_requests_total{handler=\"/services/{name}/status\",method=\"GET\",status=\"4xx\"} 1.0"
    ));
    assert!(
        metrics.contains(
            "http_request_duration_seconds_bucket{handler=\"/users\",method=\"GET\",le=\"+Inf\"} 2.0"
        )
    );
    demo.shutdown().await.unwrap();
}

#[tokio::test]
async fn log_endpoints_answer_in_the_envelope() {
    let (demo, _) = start(&[]).await;
    let base = demo.addresses.admin_api.clone();
    let token = token(&demo).await;
    let post =
        async |path: &str, body: Value| call(&base, "POST", path, Some(&token), body.to_string()).await;
    let reply = post("/logs/query", json!({"filters": {"service": "auth-service"}, "limit": 3})).await.json();
    assert_eq!(reply["data"]["count"], 3);
    let row = &reply["data"]["rows"][0];
    assert!(row["extra"].is_string() && row["service"] == "auth-service", "{row}");
    let all = post("/logs/count", json!({})).await.json()["data"]["count"].as_u64().unwrap();
    // The index splits words at underscores.
    let beats = post("/logs/count", json!({"filters": {"event_contains": "session_heartbeat"}})).await.json();
    let beats = beats["data"]["count"].as_u64().unwrap();
    assert!(0 < beats && beats < all, "{beats} of {all}");
    let both = post("/logs/count", json!({"filters": {"level": "INFO", "level_gte": "INFO"}})).await;
    assert_eq!((both.status.as_u16(), both.json()["code"].as_str()), (422, Some("validation_error")));
    let histogram = post("/logs/histogram", json!({"interval": "5m"})).await.json();
    assert_eq!(histogram["data"]["data"][0]["bucket"].as_str().unwrap().len(), "2026-11-21T03:40".len());
    let export = post("/logs/export", json!({"format": "csv", "limit": 5})).await.json();
    assert_eq!(export["data"]["rows"], 5);
    let url = export["data"]["download_url"].as_str().unwrap();
    let file = call(&base, "GET", url, Some(&token), String::new()).await;
    assert_eq!(file.text.lines().count(), 6);
    demo.set_fault("log-service-down", true).unwrap();
    assert_eq!(post("/logs/count", json!({})).await.status, 502);
    assert_eq!(get(&base, "/health").await.json()["data"]["healthy"], true);
    assert_eq!(get(&base, "/ready").await.status, 503);
}

#[tokio::test]
async fn five_wrong_passwords_ban_even_the_right_one() {
    let (demo, clock) = start(&[]).await;
    for left in [4, 3, 2, 1] {
        let reply = login(&demo, "wrong").await;
        assert_eq!(reply.status, 401);
        assert!(reply.text.contains(&format!("{left} attempts remaining")), "{}", reply.text);
    }
    let banned = login(&demo, "wrong").await;
    assert_eq!((banned.status.as_u16(), &banned.headers["retry-after"]), (429, &"900".parse().unwrap()));
    let password = std::fs::read_to_string(&demo.addresses.admin_password_file).unwrap();
    assert_eq!(login(&demo, password.trim()).await.status, 429);
    clock.forward(901);
    assert_eq!(login(&demo, password.trim()).await.status, 200);
}

#[tokio::test]
async fn the_two_hundred_and_first_request_in_a_minute_is_refused() {
    let (demo, _) = start(&[]).await;
    let mut refused = None;
    for i in 1..=210 {
        let reply = get(&demo.addresses.admin_api, "/ready").await;
        if reply.status == 429 {
            refused = Some((i, reply.text));
            break;
        }
    }
    assert_eq!(refused, Some((201, "{\"error\":\"Rate limit exceeded: 200 per 1 minute\"}".into())));
    assert_eq!(get(&demo.addresses.client_api, "/health").await.status, 200, "the client API has no limit");
}

#[tokio::test]
async fn a_closed_port_refuses_and_comes_back_at_the_same_place() {
    let (demo, clock) = start(&[]).await;
    let (admin, edge) = (demo.addresses.admin_api.clone(), demo.addresses.edge.clone());
    assert_eq!(get(&edge, "/health").await.status, 200);
    demo.set_fault("admin-api-down", true).unwrap();
    refused(host(&admin)).await;
    assert_eq!(get(&edge, "/health").await.status, 502);
    assert!(get(&edge, "/nginx_status").await.text.starts_with("Active connections: "));
    demo.set_fault("admin-api-down", false).unwrap();
    clock.forward(2);
    until(|| async {
        demo.faults();
        TcpStream::connect(host(&admin)).await.is_ok()
    })
    .await;
    for (fault, address) in [
        ("nginx-down", host(&edge)),
        ("postgres-down", demo.addresses.postgres),
        ("redis-down", demo.addresses.redis),
        ("tor-down", demo.addresses.tor_socks),
    ] {
        demo.set_fault(fault, true).unwrap();
        refused(address).await;
    }
}

#[tokio::test]
async fn the_client_api_fails_on_request() {
    let (demo, _) = start(&[]).await;
    let base = &demo.addresses.client_api;
    assert_eq!(get(base, "/health").await.text, "{\"status\":\"ok\"}");
    assert_eq!(call(base, "POST", "/session/heartbeat", None, String::new()).await.status, 401);
    assert_eq!(get(base, "/metrics").await.status, 404);
    demo.set_fault("client-api-500", true).unwrap();
    assert_eq!(get(base, "/health").await.status, 500);
    demo.set_fault("client-api-500", false).unwrap();
    demo.set_fault("client-api-hang", true).unwrap();
    let hung = tokio::time::timeout(Duration::from_millis(200), get(base, "/health")).await;
    assert!(hung.is_err(), "accepted and not answered");
}

#[tokio::test]
async fn the_redis_crate_talks_to_it() {
    let (demo, clock) = start(&[]).await;
    for protocol in ["", "?protocol=resp3"] {
        let client = redis::Client::open(format!("redis://{}/{protocol}", demo.addresses.redis)).unwrap();
        let mut c = client.get_multiplexed_async_connection().await.unwrap();
        let pong: String = redis::cmd("PING").query_async(&mut c).await.unwrap();
        assert_eq!(pong, "PONG");
        let events: std::collections::HashMap<String, String> =
            redis::cmd("CONFIG").arg("GET").arg("notify-keyspace-events").query_async(&mut c).await.unwrap();
        assert_eq!(events["notify-keyspace-events"], "xE");
        let free: usize = redis::cmd("SCARD").arg("vpn:ipam:pool:vpn").query_async(&mut c).await.unwrap();
        let used: usize = redis::cmd("HLEN").arg("vpn:ipam:map").query_async(&mut c).await.unwrap();
        assert_eq!(free + used, 253);
        let keys: Vec<String> = redis::cmd("KEYS").arg("vpn:session:*:hb").query_async(&mut c).await.unwrap();
        let ttl: i64 = redis::cmd("TTL").arg(&keys[0]).query_async(&mut c).await.unwrap();
        assert!((1..=90).contains(&ttl), "{ttl}");
        let session = keys[0].trim_end_matches(":hb");
        let hash: std::collections::HashMap<String, String> =
            redis::cmd("HGETALL").arg(session).query_async(&mut c).await.unwrap();
        assert_eq!(hash["state"], "online");
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut c).await.unwrap();
        assert!(info.contains("redis_version:7"), "{info}");
        let unknown: redis::RedisResult<String> = redis::cmd("FLUSHALL").query_async(&mut c).await;
        assert!(unknown.unwrap_err().to_string().contains("unknown command"));
    }
    // A Redis that comes back alone serves, and has nobody listening.
    demo.set_fault("redis-down", true).unwrap();
    refused(demo.addresses.redis).await;
    demo.set_fault("redis-down", false).unwrap();
    clock.forward(2);
    demo.faults();
    until(|| async { TcpStream::connect(demo.addresses.redis).await.is_ok() }).await;
    let client = redis::Client::open(format!("redis://{}/", demo.addresses.redis)).unwrap();
    let mut c = client.get_multiplexed_async_connection().await.unwrap();
    let subscribers: (String, i64) =
        redis::cmd("PUBSUB").arg("NUMSUB").arg("__keyevent@0__:expired").query_async(&mut c).await.unwrap();
    assert_eq!(subscribers.1, 0);
}

#[tokio::test]
async fn tokio_postgres_talks_to_it() {
    let (demo, _) = start(&[]).await;
    let address = demo.addresses.postgres;
    let password = std::fs::read_to_string(&demo.addresses.postgres_password_file).unwrap();
    let connect = async |user: &str, password: &str, database: &str| {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(address.port()).user(user).password(password).dbname(database);
        config.connect(tokio_postgres::NoTls).await
    };
    until(|| async { TcpStream::connect(address).await.is_ok() }).await;
    for (user, password, database, code) in [
        ("tornado_db_user", "wrong", "tornadodb", "28P01"),
        ("tornado_db_user", "", "tornadodb", "28P01"),
        ("somebody", password.trim(), "tornadodb", "28P01"),
        ("tornado_db_user", password.trim(), "nothing", "3D000"),
    ] {
        let error = connect(user, password, database).await.err().unwrap();
        assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some(code), "{user} {database}");
    }
    let (client, connection) = connect("tornado_db_user", password.trim(), "tornadodb").await.unwrap();
    tokio::spawn(connection);
    let one: i32 = client.query_one("SELECT 1", &[]).await.unwrap().get(0);
    assert_eq!(one, 1);
    let live: i64 = client
        .query_one("select count(*) from vpn_session_history where ended_at IS NULL;", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(live as usize, demo.handle.with(|m| m.clients.sessions().count()));
    let rows = client.simple_query("select count(*) from wg_sessions").await.unwrap();
    assert!(matches!(&rows[1], tokio_postgres::SimpleQueryMessage::Row(r) if r.get(0) == Some("0")));
    for (sql, code) in [
        ("select frobnicate", "42601"),
        ("select count(*) from nowhere", "42P01"),
        ("drop table users", "42501"),
    ] {
        for error in [client.simple_query(sql).await.unwrap_err(), client.query(sql, &[]).await.unwrap_err()]
        {
            assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some(code), "{sql}");
        }
    }
    let still: i32 = client.query_one("select 1", &[]).await.unwrap().get(0);
    assert_eq!(still, 1, "an error does not end the session");
}

async fn ask(demo: &Demo, name: &str, request: Value) -> Value {
    let path = Path::new(&demo.addresses.run_dir).join(name);
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(request.to_string().as_bytes()).await.unwrap();
    let mut reply = vec![0; 64 * 1024];
    let n = stream.read(&mut reply).await.unwrap();
    serde_json::from_slice(&reply[..n]).unwrap()
}

#[tokio::test]
async fn the_microservices_answer_on_their_sockets() {
    let (demo, _) = start(&[]).await;
    let first = Path::new(&demo.addresses.run_dir).join("user_service.sock");
    until(|| async { first.exists() }).await;
    for (_, name, _) in &sockets::SOCKETS[1..] {
        assert_eq!(ask(&demo, name, json!({"action": "ping"})).await["status"], "pong", "{name}");
    }
    assert_eq!(ask(&demo, "master.sock", json!({"action": "ping"})).await["message"], "Unknown target: None");
    let all = ask(&demo, "master.sock", json!({"command": "status", "target": "all"})).await;
    assert_eq!(all["services"].as_array().unwrap().len(), 11);
    assert_eq!(
        ask(&demo, "ipam.sock", json!({"action": "status"})).await,
        json!({"error": "invalid_identity"})
    );
    let id = "3f2b8c1e-0000-4000-8000-0123456789ab";
    let ipam = ask(&demo, "ipam.sock", json!({"action": "status", "user_id": id, "device_id": id})).await;
    assert_eq!(ipam["vpn_free"].as_u64().unwrap() as usize, demo.handle.summary().addresses_free);
    assert_eq!(
        ask(&demo, "key_rotator.sock", json!({"action": "rotate_now"})).await["message"],
        "rotation_triggered"
    );
    let key_status = ask(&demo, "bootstrap_keys.sock", json!({"action": "key_status"})).await;
    assert_eq!(key_status["all_valid"], true);
    assert_eq!(ask(&demo, "session.sock", json!({"action": "status"})).await["error"], "invalid_action");
    assert_eq!(ask(&demo, "auth_service.sock", json!("garbage")).await["error"], "invalid_action");
    // A crashed service leaves its socket file: refused, not missing.
    demo.set_fault("log-service-down", true).unwrap();
    let path = Path::new(&demo.addresses.run_dir).join("log.sock");
    until(|| async {
        UnixStream::connect(&path).await.is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
    })
    .await;
}

#[tokio::test]
async fn tor_wants_its_cookie() {
    let (demo, _) = start(&["tor-unhealthy"]).await;
    let cookie = rng::hex(&std::fs::read(&demo.addresses.tor_cookie).unwrap());
    let talk = async |lines: &str| {
        until(|| async { TcpStream::connect(demo.addresses.tor_control).await.is_ok() }).await;
        let mut stream = TcpStream::connect(demo.addresses.tor_control).await.unwrap();
        stream.write_all(lines.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    assert!(talk("PROTOCOLINFO\r\nQUIT\r\n").await.contains("COOKIEFILE=\""));
    assert!(talk("GETINFO version\r\n").await.starts_with("514 "));
    assert!(talk("AUTHENTICATE 00\r\n").await.starts_with("515 "));
    assert!(talk(&format!("AUTHENTICATE {}\r\n", "0".repeat(64))).await.starts_with("515 "));
    let text = talk(&format!(
        "AUTHENTICATE {cookie}\r\nGETINFO status/circuit-established network-liveness\r\nGETINFO nonsense\r\nQUIT\r\n"
    ))
    .await;
    assert_eq!(
        text,
        "250 OK\r\n250-status/circuit-established=0\r\n250-network-liveness=down\r\n250 OK\r\n\
         552 Unrecognized key \"nonsense\"\r\n250 closing connection\r\n"
    );
}

#[tokio::test]
async fn files_follow_the_faults() {
    use std::os::unix::fs::PermissionsExt as _;
    let (demo, clock) = start(&[]).await;
    let pid_file = Path::new(&demo.addresses.run_dir).join("auth_service.pid");
    let pid = || std::fs::read_to_string(&pid_file).unwrap().trim().parse::<u32>().unwrap();
    assert_eq!(pid(), std::process::id());
    let key = Path::new(&demo.addresses.install_dir).join("keys/jwt/access_private.pem");
    let mode = || std::fs::metadata(&key).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    demo.set_fault("stale-pid-file", true).unwrap();
    demo.set_fault("key-files-unreadable", true).unwrap();
    until(|| async { mode() == 0 && !Path::new(&format!("/proc/{}", pid())).exists() }).await;
    demo.set_fault("stale-pid-file", false).unwrap();
    demo.set_fault("key-files-unreadable", false).unwrap();
    until(|| async { mode() == 0o600 && pid() == std::process::id() }).await;
    let log = Path::new(&demo.addresses.log_dir).join("session-manager.log");
    let size = || std::fs::metadata(&log).unwrap().len();
    let before = size();
    assert!(before > 0);
    demo.set_fault("heartbeat-storm", true).unwrap();
    clock.forward(200);
    until(|| async { size() > before }).await;
    assert!(std::fs::read_to_string(&log).unwrap().contains("\"event\":\"heartbeat_lost\""));
}

#[tokio::test]
async fn hostile_input_is_refused_and_harms_nobody() {
    let (demo, _) = start(&[]).await;
    let a = demo.addresses.clone();
    for (address, bytes) in [
        (a.redis, b"*1000000\r\n".to_vec()),
        (a.redis, b"*1\r\n$99999999\r\n".to_vec()),
        (a.redis, vec![b'x'; 100_000]),
        (a.postgres, vec![0xff; 64]),
        (a.postgres, vec![0, 0, 0, 8, 0, 9, 9, 9]),
        (a.tor_control, vec![b'x'; 10_000]),
        (a.tor_socks, vec![4, 1, 0, 80]),
        (host(&a.admin_api), vec![b'x'; 200_000]),
    ] {
        until(|| async { TcpStream::connect(address).await.is_ok() }).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(&bytes).await;
        let mut sink = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut sink)).await;
        assert!(closed.is_ok(), "{address} is closed after {} bytes of nonsense", bytes.len());
    }
    let big = call(&a.admin_api, "POST", "/auth/login", None, "x".repeat(100_000)).await;
    assert_eq!(big.status, 413);
    assert_eq!(get(&a.admin_api, "/health").await.status, 200);
}

#[tokio::test]
async fn the_end_leaves_nothing() {
    let (demo, _) = start(&[]).await;
    let (dir, address) = (demo.dir.path().to_owned(), demo.addresses.redis);
    let config: toml::Table = demo.config_toml().parse().unwrap();
    assert_eq!(config["vars"]["redis"].as_str(), Some(address.to_string().as_str()));
    assert_eq!(config["hosts"]["vpn"]["path"][0].as_str(), Some(demo.addresses.bin_dir.as_str()));
    assert!(demo.set_fault("no-such", true).is_err());
    demo.shutdown().await.unwrap();
    assert!(!dir.exists());
    refused(address).await;
}
