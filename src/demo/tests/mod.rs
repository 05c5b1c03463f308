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

mod acts;
mod http;
mod stores;
mod ws;

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
    for _ in 0..1500 {
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
    let used = demo.handle.with(|m| m.clients.used());
    let one = json!({"action": "allocate", "user_id": id, "device_id": id});
    let given = ask(&demo, "ipam.sock", one.clone()).await;
    assert!(given["vpn_ip"].as_str().unwrap().starts_with("10.8.0."), "{given}");
    assert_eq!(ask(&demo, "ipam.sock", one).await, given, "asked again, the same");
    assert_eq!(demo.handle.with(|m| m.clients.used()), used + 1);
    let back = json!({"action": "release", "user_id": id, "device_id": id});
    assert_eq!(ask(&demo, "ipam.sock", back.clone()).await["status"], "released");
    assert_eq!(ask(&demo, "ipam.sock", back).await["error"], "not_found");
    let lost = json!({"action": "count", "filters": {"event_contains": "session created"}});
    assert!(ask(&demo, "log.sock", lost).await["count"].as_u64().unwrap() > 0);
    assert_eq!(ask(&demo, "tor_mgr.sock", json!({"action": "down"})).await["state"], "down");
    assert_eq!(ask(&demo, "tor_mgr.sock", json!({"action": "up"})).await["state"], "up");
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
    let challenge = talk("AUTHCHALLENGE SAFECOOKIE 00ff\r\nQUIT\r\n").await;
    assert!(challenge.starts_with("250 AUTHCHALLENGE SERVERHASH="), "{challenge}");
    assert!(
        talk(&format!("AUTHCHALLENGE SAFECOOKIE 00\r\nAUTHENTICATE {cookie}\r\n")).await.contains("515 ")
    );
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
    let line = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(line(pid()).starts_with("auth_service.py"), "{}", line(pid()));
    let key = Path::new(&demo.addresses.install_dir).join("keys/jwt/access_private.pem");
    let mode = || std::fs::metadata(&key).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    demo.set_fault("stale-pid-file", true).unwrap();
    demo.set_fault("key-files-unreadable", true).unwrap();
    until(|| async { mode() == 0 && !Path::new(&format!("/proc/{}", pid())).exists() }).await;
    demo.set_fault("stale-pid-file", false).unwrap();
    demo.set_fault("key-files-unreadable", false).unwrap();
    until(|| async { mode() == 0o600 && line(pid()).starts_with("auth_service.py") }).await;
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
async fn a_stopped_master_takes_its_sockets_away_and_brings_them_back() {
    let (demo, clock) = start(&[]).await;
    let master = Path::new(&demo.addresses.run_dir).join("master.sock");
    let ipam = Path::new(&demo.addresses.run_dir).join("ipam.sock");
    until(|| async { master.exists() && ipam.exists() }).await;
    demo.handle.with(|m| m.unit_job(model::units::UnitId::Tornado, model::units::Job::Restart));
    until(|| async { !master.exists() && !ipam.exists() }).await;
    clock.forward(12);
    demo.faults();
    until(|| async {
        UnixStream::connect(&ipam).await.is_ok() && UnixStream::connect(&master).await.is_ok()
    })
    .await;
    let summary = demo.handle.summary();
    assert!(summary.sessions_online > 20 && summary.peers < summary.sessions_online, "{summary:?}");
}

#[tokio::test]
async fn slow_stores_are_slow_and_answer() {
    let (demo, _) = start(&["redis-slow"]).await;
    let mut stream = TcpStream::connect(demo.addresses.redis).await.unwrap();
    stream.write_all(b"PING\r\n").await.unwrap();
    let mut reply = [0; 7];
    let asked = tokio::time::Instant::now();
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"+PONG\r\n");
    // Only a lower bound: a busy machine may make it later, never earlier.
    assert!(asked.elapsed() > Duration::from_millis(350));
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

#[test]
fn the_handle_goes_to_other_threads() {
    fn takes<T: Send + Sync + Clone + 'static>() {}
    takes::<DemoHandle>();
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
