//! Logging in: one session for all probes, renewed when it is refused, and never a ban.

use crate::harness::fake;
use crate::harness::look::{expect, probe};
use crate::harness::until;
use crate::web::{Ask, Watch, answer, web};
use quarterdeck::clock::Clock;
use quarterdeck::domain::health::Health::{Down, Unknown, Up};
use quarterdeck::domain::id::SecretId;
use quarterdeck::domain::observation::Reading;
use quarterdeck::stack::kind::common::Tls;
use quarterdeck::stack::spec::{Login, Probe, SecretSource, TokenFrom};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

const PASSWORD: &str = "correct horse";

/// An API with the login rules of the Tornado admin API: five failures in 300 s ban for 900 s.
#[derive(Default)]
struct Api {
    clock: OnceLock<Arc<quarterdeck::clock::ManualClock>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    attempts: usize,
    failures: Vec<u64>,
    banned_until: u64,
    bans: usize,
    /// The number of the token that is valid now.
    token: usize,
    /// Every route but the login answers so, whoever asks.
    always: Option<&'static str>,
    /// Logging in answers so.
    login_says: Option<&'static str>,
}

impl Api {
    fn now(&self) -> u64 {
        self.clock.get().map_or(0, |c| c.now().mono.as_secs())
    }

    fn handle(&self, ask: &Ask) -> String {
        let now = self.now();
        let mut state = self.state.lock().unwrap();
        if ask.line == "POST /auth/login" {
            return state.login(&ask.body, now);
        }
        let cookie = format!("admin_token=t{}-secret", state.token);
        let bearer = format!("Bearer t{}-secret", state.token);
        let known = ask.header("cookie") == Some(&cookie) || ask.header("authorization") == Some(&bearer);
        match state.always {
            Some(status) => answer(status, &[], ""),
            None if known && state.token > 0 => answer("200 OK", &[], r#"{"username":"admin"}"#),
            None => answer("401 Unauthorized", &[], r#"{"detail":"Invalid or expired token"}"#),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn login(&mut self, body: &str, now: u64) -> String {
        self.attempts += 1;
        // FastAPI quotes what it was sent when it is not valid.
        let echo = format!("{{\"detail\":{body}}}");
        if let Some(status) = self.login_says {
            return answer(status, &[], &echo);
        }
        if now < self.banned_until {
            let left = format!("Retry-After: {}", self.banned_until - now);
            return answer("429 Too Many Requests", &[&left], "");
        }
        let said: serde_json::Value = serde_json::from_str(body).unwrap();
        if said == serde_json::json!({ "username": "admin", "password": PASSWORD }) {
            self.token += 1;
            let cookie = format!("Set-Cookie: admin_token=t{}-secret; HttpOnly; Path=/", self.token);
            let body = format!("{{\"status\":\"ok\",\"tokens\":{{\"access\":\"t{}-secret\"}}}}", self.token);
            return answer("200 OK", &["Set-Cookie: other=1", &cookie], &body);
        }
        self.failures.retain(|t| now - t <= 300);
        self.failures.push(now);
        if self.failures.len() >= 5 {
            self.bans += 1;
            self.banned_until = now + 900;
            return answer("429 Too Many Requests", &["Retry-After: 900"], "");
        }
        answer("401 Unauthorized", &[], &echo)
    }
}

struct Scene {
    api: Arc<Api>,
    watch: Watch,
    probe: Probe,
    password: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

fn login(to: SocketAddr, token: TokenFrom) -> Login {
    Login {
        id: "api".into(),
        url: format!("http://{to}/auth/login"),
        username: "admin".into(),
        password: SecretId::new("pw"),
        token,
        backoff: Duration::from_secs(30),
        tls: Tls::default(),
    }
}

fn scene_with(password: &str, token: TokenFrom) -> Scene {
    let api = Arc::new(Api::default());
    let served = Arc::clone(&api);
    let to = web(move |ask| served.handle(ask));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pw");
    std::fs::write(&file, password).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let secret = SecretSource::File(file.display().to_string());
    let watch = Watch::new(&[login(to, token)], &[("pw", secret)]);
    let _ = api.clock.set(Arc::clone(&watch.clock));
    let keys = format!("kind = 'http'\nurl = 'http://{to}/auth/me'\nauth = {{ login = 'api' }}");
    Scene { api, watch, probe: probe(&keys).unwrap(), password: file, _dir: dir }
}

fn scene(password: &str) -> Scene {
    scene_with(password, TokenFrom::Cookie("admin_token".into()))
}

fn hides_the_secrets(reading: &Reading) {
    let all = format!("{reading:?}");
    assert!(!all.contains("horse") && !all.contains("battery") && !all.contains("-secret"), "{all}");
}

#[test]
fn one_login_serves_every_probe_by_cookie_or_by_a_token_in_the_body() {
    for token in [TokenFrom::Cookie("admin_token".into()), TokenFrom::Body("tokens.access".into())] {
        let s = scene_with(PASSWORD, token);
        for reading in s.watch.run_four(&s.probe) {
            expect(&reading, Up, "200 OK");
            hides_the_secrets(&reading);
        }
        expect(&s.watch.run(&s.probe), Up, "200 OK");
        assert_eq!(s.api.state().attempts, 1);
    }
}

#[test]
fn a_session_that_the_server_forgot_is_renewed_once_for_all() {
    let s = scene(PASSWORD);
    assert_eq!(s.watch.run(&s.probe).health, Up);
    s.watch.advance(3600);
    s.api.state().token += 1;
    for reading in s.watch.run_four(&s.probe) {
        expect(&reading, Up, "200 OK");
    }
    assert_eq!(s.api.state().attempts, 2);
}

#[test]
fn a_route_that_refuses_everybody_does_not_make_us_log_in_all_the_time() {
    let s = scene(PASSWORD);
    s.api.state().always = Some("403 Forbidden");
    for _ in 0..120 {
        s.watch.advance(5);
        expect(&s.watch.run(&s.probe), Down, "expected status in 200..299, got 403");
    }
    let attempts = s.api.state().attempts;
    assert!((2..=21).contains(&attempts), "{attempts} logins in ten minutes, each accepted");
}

#[test]
fn a_wrong_password_never_provokes_the_ban() {
    let s = scene("battery staple");
    let mut reasons = std::collections::BTreeSet::new();
    while s.watch.seconds() < 3 * 3600 {
        for reading in s.watch.run_four(&s.probe) {
            expect(&reading, Unknown, "login api: refused as admin with 401 Unauthorized; next try in ");
            hides_the_secrets(&reading);
            reasons.insert(reading.reason);
        }
        s.watch.advance(5);
        let state = s.api.state();
        let recent = state.failures.iter().filter(|t| s.watch.seconds() - **t <= 300).count();
        assert!(recent <= 2 && state.bans == 0, "{recent} failures in 300 s");
    }
    assert!(
        reasons.contains("login api: refused as admin with 401 Unauthorized; next try in 30s"),
        "{reasons:?}"
    );
    let attempts = s.api.state().attempts;
    assert!((4..=9).contains(&attempts), "{attempts} attempts in three hours");
}

#[test]
fn a_password_put_right_is_read_again_at_the_next_try() {
    let s = scene("battery staple");
    assert_eq!(s.watch.run(&s.probe).health, Unknown);
    std::fs::write(&s.password, PASSWORD).unwrap();
    expect(&s.watch.run(&s.probe), Unknown, "next try in 30s");
    s.watch.advance(30);
    expect(&s.watch.run(&s.probe), Up, "200 OK");
}

#[test]
fn a_missing_secret_costs_no_attempt() {
    let s = scene(PASSWORD);
    std::fs::remove_file(&s.password).unwrap();
    expect(&s.watch.run(&s.probe), Unknown, "needs the secret pw: cannot read");
    std::fs::write(&s.password, PASSWORD).unwrap();
    std::fs::set_permissions(&s.password, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    expect(&s.watch.run(&s.probe), Unknown, "can be read by others: chmod 600");
    assert_eq!(s.api.state().attempts, 0);
}

#[test]
fn a_ban_that_others_provoked_is_waited_out() {
    let s = scene(PASSWORD);
    s.api.state().banned_until = 900;
    expect(
        &s.watch.run(&s.probe),
        Unknown,
        "login api: refused for now with 429 Too Many Requests; next try in 15m",
    );
    s.watch.advance(895);
    expect(&s.watch.run(&s.probe), Unknown, "next try in 5s");
    assert_eq!(s.api.state().attempts, 1);
    s.watch.advance(5);
    expect(&s.watch.run(&s.probe), Up, "200 OK");
}

#[test]
fn what_a_server_says_of_a_login_is_not_quoted() {
    let table = [
        ("422 Unprocessable Entity", "refused as admin with 422 Unprocessable Entity; next try in 30s"),
        ("500 Internal Server Error", "failed with 500 Internal Server Error; next try in 5s"),
        ("200 OK", "answered as admin with 200 OK, but without the cookie admin_token; next try in 30s"),
        (
            "302 Found",
            "answered as admin with 302 Found, but without the cookie admin_token; next try in 30s",
        ),
    ];
    for (status, part) in table {
        let s = scene("battery staple");
        s.api.state().login_says = Some(status);
        let reading = s.watch.run(&s.probe);
        expect(&reading, Unknown, part);
        hides_the_secrets(&reading);
    }
}

#[test]
fn attempts_that_time_out_count_against_us_as_well() {
    let heard = Arc::new(Mutex::new(0));
    let count = Arc::clone(&heard);
    let to = fake::tcp(move |wire| {
        fake::heard(wire);
        *count.lock().unwrap() += 1;
        fake::silence(wire);
    });
    let secret = SecretSource::Command(vec!["echo".into(), PASSWORD.into()]);
    let watch = Watch::new(&[login(to, TokenFrom::Cookie("c".into()))], &[("pw", secret)]);
    let keys = format!("kind = 'http'\nurl = 'http://{to}/'\nauth = {{ login = 'api' }}\ntimeout = '100ms'");
    let probe = probe(&keys).unwrap();
    expect(&watch.run(&probe), Down, "expected an answer within 100ms, got silence after connecting");
    expect(
        &watch.run(&probe),
        Unknown,
        "login api: the server did not answer a login in time; next try in 30s",
    );
    while watch.seconds() < 300 {
        watch.advance(5);
        let _ = watch.run(&probe);
    }
    until("the server to have read what it was sent", || *heard.lock().unwrap() == 2);
}

#[test]
fn a_server_that_is_down_is_named_and_soon_tried_again() {
    let to = SocketAddr::from(([127, 0, 0, 1], crate::harness::free_port()));
    let secret = SecretSource::Command(vec!["echo".into(), PASSWORD.into()]);
    let watch = Watch::new(&[login(to, TokenFrom::Cookie("c".into()))], &[("pw", secret)]);
    let probe = probe(&format!("kind = 'http'\nurl = 'http://{to}/'\nauth = {{ login = 'api' }}")).unwrap();
    let said = |left: u64| format!("login api: connection refused by {to}; next try in {left}s");
    for _ in 0..3 {
        expect(&watch.run(&probe), Unknown, &said(5));
        watch.advance(2);
        expect(&watch.run(&probe), Unknown, &said(3));
        watch.advance(3);
    }
    let nobody = Watch::new(&[], &[]);
    expect(&nobody.run(&probe), Unknown, "no login is called api; define [logins.api]");
}
