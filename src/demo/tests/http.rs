//! The HTTP servers, asked as a browser or a prober would.

use super::*;

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

/// The value of a series on a page.
fn sample(page: &str, series: &str) -> Option<f64> {
    page.lines().find_map(|l| l.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn counters_count_what_others_ask_and_begin_anew_with_the_process() {
    let (demo, clock) = start(&[]).await;
    let base = &demo.addresses.admin_api;
    let of = async |status: &str| {
        let page = get(base, "/metrics").await.text;
        let series = format!("http_requests_total{{handler=\"/users\",method=\"GET\",status=\"{status}\"}}");
        let sum = "http_request_duration_highr_seconds_sum";
        (sample(&page, &series).unwrap_or(0.0), sample(&page, sum).unwrap())
    };
    let (count, seconds) = of("2xx").await;
    clock.forward(300);
    let (later, more) = of("2xx").await;
    assert!(later >= count + 10.0 && more > seconds + 1.0, "{count} {later}, {seconds} {more}");
    demo.set_fault("postgres-down", true).unwrap();
    let (before, _) = of("5xx").await;
    clock.forward(120);
    let (after, _) = of("5xx").await;
    assert!(before == 0.0 && after >= 4.0, "{before} {after}");
    demo.set_fault("admin-api-down", true).unwrap();
    clock.forward(5);
    demo.set_fault("admin-api-down", false).unwrap();
    clock.forward(5);
    until(|| async {
        demo.faults();
        TcpStream::connect(host(base)).await.is_ok()
    })
    .await;
    assert!(of("2xx").await.0 < count, "a new process counts from nought");
}

#[tokio::test]
async fn every_admin_route_has_its_shape() {
    let (demo, _) = start(&[]).await;
    let base = &demo.addresses.admin_api;
    let before = get(base, "/metrics").await.text;
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
    let after = get(base, "/metrics").await.text;
    let errors = "http_requests_total{handler=\"/services/{name}/status\",method=\"GET\",status=\"4xx\"}";
    assert_eq!(sample(&after, errors), Some(1.0));
    let users = "http_request_duration_seconds_bucket{handler=\"/users\",method=\"GET\",le=\"+Inf\"}";
    assert_eq!(sample(&after, users), sample(&before, users).map(|n| n + 2.0));
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
