//! What steps of procedures do to the demo, and what comes of it: signals, NGINX, the packet filter.

use super::*;
use crate::demo::model::UPTIME;
use crate::demo::model::units::{Job, UnitId};

async fn tool(demo: &Demo, argv: &[&str], stdin: Option<&str>) -> (String, u8) {
    let socket = PathBuf::from(&demo.addresses.bin_dir).join(tool::SOCKET);
    let argv: Vec<String> = argv.iter().map(|a| (*a).to_owned()).collect();
    let stdin = stdin.map(str::to_owned);
    tokio::task::spawn_blocking(move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = tool::ask(&socket, &argv, stdin.as_deref(), &mut out, &mut err).unwrap();
        (String::from_utf8([out, err].concat()).unwrap(), code)
    })
    .await
    .unwrap()
}

fn pid_of(demo: &Demo, name: &str) -> Option<i32> {
    let path = Path::new(&demo.addresses.run_dir).join(name);
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn signal(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Whether a process has a handler for SIGHUP by now.
fn heeds_hup(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|l| l.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 1 == 1
}

#[tokio::test]
async fn a_signal_to_the_pid_file_reaches_the_service() {
    use rustix::process::Signal;
    let (demo, clock) = start(&[]).await;
    let auth = pid_of(&demo, "auth_service.pid").unwrap();
    let said = || demo.handle.with(|m| m.log.count("jwt_keys_reloaded_via_sighup"));
    let before = said();
    // Each one counts, and it lives on. The first may come before it has its handler.
    until(|| async { heeds_hup(auth) }).await;
    for n in 1..=3 {
        signal(auth, Signal::HUP);
        until(|| async { said() == before + n }).await;
    }
    assert_eq!(pid_of(&demo, "auth_service.pid"), Some(auth));
    // The admin API's handler is broken; its process lives on as well.
    let admin = pid_of(&demo, "admin_panel.pid").unwrap();
    until(|| async { heeds_hup(admin) }).await;
    signal(admin, Signal::HUP);
    let journal = |text: &str| demo.handle.with(|m| m.log.entries().iter().any(|e| e.message.contains(text)));
    until(|| async { journal("NameError") }).await;
    // One that is ended is a service that has crashed, and the supervisor starts it again.
    let restarts = || demo.handle.with(|m| m.services.get(model::services::Svc::Auth).restarts);
    let had = restarts();
    signal(auth, Signal::TERM);
    until(|| async { restarts() > had }).await;
    clock.forward(5);
    until(|| async { pid_of(&demo, "auth_service.pid").is_some_and(|pid| pid != auth) }).await;
    let last = pid_of(&demo, "auth_service.pid").unwrap();
    demo.shutdown().await.unwrap();
    let line = || std::fs::read_to_string(format!("/proc/{last}/cmdline")).unwrap_or_default();
    until(|| async { !line().contains("auth_service") }).await;
}

#[tokio::test]
async fn a_restart_of_auth_writes_a_good_pid_file() {
    let (demo, clock) = start(&["stale-pid-file"]).await;
    let stale = pid_of(&demo, "auth_service.pid").unwrap();
    assert!(!Path::new(&format!("/proc/{stale}")).exists());
    let reply = ask(&demo, "master.sock", json!({"command": "restart", "target": "auth"})).await;
    assert_eq!(reply["status"], "ok");
    clock.forward(4);
    until(|| async { pid_of(&demo, "auth_service.pid").is_some_and(|pid| pid != stale) }).await;
    assert!(demo.faults().iter().all(|f| !f.active), "the fault is repaired, and its switch says so");
}

#[tokio::test]
async fn nginx_shows_what_its_site_says_after_a_reload_that_it_takes() {
    let (demo, _) = start(&[]).await;
    let a = demo.addresses.clone();
    let status = async || get(&a.edge, "/health").await.status.as_u16();
    until(|| async { TcpStream::connect(host(&a.edge)).await.is_ok() }).await;
    assert_eq!(status().await, 200);
    let site = PathBuf::from(&a.nginx_site);
    let kept = PathBuf::from(&a.nginx_keep).join("admin-dashboard");
    std::fs::rename(&site, &kept).unwrap();
    std::fs::write(&site, "server { listen 80; location / { return 503 \"closed\\n\"; }").unwrap();
    assert_eq!(tool(&demo, &["nginx", "-t"], None).await.1, 1, "a brace is missing");
    assert_eq!(tool(&demo, &["systemctl", "reload", "nginx"], None).await.1, 1);
    assert_eq!(status().await, 200, "what ran goes on");
    std::fs::write(&site, "server { listen 80; location / { return 503 \"closed\\n\"; } }").unwrap();
    assert_eq!(tool(&demo, &["nginx", "-t", "-q"], None).await.1, 0);
    assert_eq!(status().await, 200, "not before the reload");
    assert_eq!(tool(&demo, &["systemctl", "reload", "nginx.service"], None).await.1, 0);
    let closed = get(&a.edge, "/users").await;
    assert_eq!((closed.status.as_u16(), closed.text.as_str()), (503, "closed\n"));
    assert_eq!(get(&a.admin_api, "/health").await.status, 200, "behind it all is well");
    std::fs::rename(&kept, &site).unwrap();
    assert_eq!(tool(&demo, &["systemctl", "reload", "nginx"], None).await.1, 0);
    assert_eq!(status().await, 200);
}

#[tokio::test]
async fn what_nft_closes_keeps_new_clients_out_and_ends_the_sessions_inside() {
    let (demo, clock) = start(&[]).await;
    let script = "add table inet q\nadd chain inet q in { type filter hook input priority -5; policy accept; }\n\
                  add rule inet q in iif lo accept\nadd rule inet q in tcp dport { 80, 4605 } drop\n";
    let (text, code) = tool(&demo, &["nft", "-f", "-"], Some(script)).await;
    assert_eq!(code, 0, "{text}");
    let (text, _) = tool(&demo, &["nft", "-j", "list", "table", "inet", "q"], None).await;
    assert!(text.contains("\"dport\"") && text.contains("4605"), "{text}");
    let created = || demo.handle.with(|m| m.clients.counters.sessions_created);
    clock.forward(1);
    let before = created();
    clock.forward(130);
    assert_eq!(created(), before, "nobody new gets in");
    let summary = demo.handle.summary();
    assert!(summary.peers < 5, "heartbeats come by the same port: {summary:?}");
    // From this host all is reachable: what is closed is closed to outsiders.
    assert_eq!(get(&demo.addresses.client_api, "/health").await.status, 200);
    assert_eq!(tool(&demo, &["nft", "delete", "table", "inet", "q"], None).await.1, 0);
    clock.forward(300);
    assert!(created() > before);
}

#[tokio::test]
async fn a_token_from_before_a_rotation_is_refused_once_the_admin_api_restarted() {
    let (demo, clock) = start(&[]).await;
    let base = demo.addresses.admin_api.clone();
    let login = async || {
        let password = std::fs::read_to_string(&demo.addresses.admin_password_file).unwrap();
        let body = json!({"username": "admin", "password": password.trim()}).to_string();
        until(|| async { TcpStream::connect(host(&base)).await.is_ok() }).await;
        let reply = call(&base, "POST", "/auth/login", None, body).await;
        let cookie = reply.headers["set-cookie"].to_str().unwrap().to_owned();
        cookie.strip_prefix("admin_token=").unwrap().split(';').next().unwrap().to_owned()
    };
    let me =
        async |token: &str| call(&base, "GET", "/auth/me", Some(token), String::new()).await.status.as_u16();
    let old = login().await;
    assert_eq!(me(&old).await, 200);
    let overlap = Path::new(&demo.addresses.install_dir).join("keys/jwt/overlap/access_private.pem");
    assert!(!overlap.exists());
    ask(&demo, "key_rotator.sock", json!({"action": "rotate_now"})).await;
    clock.forward(1);
    until(|| async { overlap.exists() }).await;
    clock.forward(model::keys::ROTATION);
    until(|| async { !overlap.exists() }).await;
    assert_eq!(me(&old).await, 200, "the secret is read at the next start only");
    ask(&demo, "api_mgr.sock", json!({"action": "restart", "target": "api_public"})).await;
    clock.forward(5);
    demo.faults();
    let new = login().await;
    assert_eq!((me(&old).await, me(&new).await), (401, 200));
}

/// What a restart of tornado comes to with each of its faults.
#[tokio::test]
async fn restarts_fail_hang_or_come_back_unhealthy_on_request() {
    let (demo, clock) = start(&["restart-fails"]).await;
    let restart = || tool(&demo, &["systemctl", "restart", "tornado.service"], None);
    let moved = |seconds: u64| {
        let (clock, handle) = (clock.clone(), demo.handle());
        async move {
            for _ in 0..seconds {
                clock.forward(1);
                handle.faults();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let ((text, code), ()) = tokio::join!(restart(), moved(10));
    assert!(code == 1 && text.contains("unavailable resources"), "{text}");
    let state = || demo.handle.with(|m| m.units.get(UnitId::Tornado).state);
    assert_eq!(state(), model::units::State::Failed);
    demo.set_fault("restart-fails", false).unwrap();
    demo.set_fault("restart-unhealthy", true).unwrap();
    let ((_, code), ()) = tokio::join!(restart(), moved(12));
    assert_eq!(code, 0, "the unit is active");
    let up = |svc| demo.handle.with(|m| m.services.running(svc));
    assert!(up(model::services::Svc::ApiPublic) && !up(model::services::Svc::Session));
    assert!(!demo.handle.with(|m| m.redis.session_subscribed));
    demo.set_fault("restart-unhealthy", false).unwrap();
    moved(4).await;
    assert!(up(model::services::Svc::Session));
    demo.set_fault("restart-hangs", true).unwrap();
    demo.handle.with(|m| m.unit_job(UnitId::Tornado, Job::Restart));
    moved(120).await;
    assert!(matches!(state(), model::units::State::Stopping { .. }), "{:?}", state());
    demo.set_fault("restart-hangs", false).unwrap();
    moved(10).await;
    assert!(demo.handle.with(|m| m.units.running(UnitId::Tornado) && m.tornado_since > UPTIME));
}
