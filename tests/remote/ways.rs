//! The ways to a Prometheus: over ssh to one that listens on its own loopback only, with TLS and
//! a password, below a path.

use crate::bench::Bench;
use crate::harness::{certs, need};
use crate::prometheus::{Daemon, prometheus};
use crate::sshd::Sshd;
use quarterdeck::domain::id::SecretId;
use quarterdeck::domain::promql::Value;
use quarterdeck::stack::kind::common::Tls;
use quarterdeck::stack::kind::http::Auth;
use std::path::Path;

/// Of `open sesame`.
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";

fn one(bench: &Bench, url: &str) -> Value {
    let client = bench.prometheus(url);
    bench.block_on(client.query("vector(1) == 1", 0)).unwrap().data
}

fn is_one(value: &Value) -> bool {
    matches!(value, Value::Vector(points) if points.len() == 1 && points[0].v.to_bits() == 1f64.to_bits())
}

#[test]
fn one_behind_ssh_is_asked_through_it() {
    let tools = [("sshd", "openssh-server"), ("ssh", "openssh-client")];
    if tools.iter().any(|(program, package)| need(program, package).is_none()) {
        return;
    }
    let Some(server) = prometheus("global: {}\n", &[], &[]) else { return };
    let mut sshd = Sshd::start("");
    let bench = Bench::new(sshd.spec());
    let client = bench.prometheus(&server.url());
    for _ in 0..5 {
        assert!(is_one(&bench.block_on(client.query("vector(1)", 0)).unwrap().data));
    }
    let closed = crate::harness::free_port();
    assert_eq!(
        bench.why(&format!("http://127.0.0.1:{closed}")),
        format!("connection refused by 127.0.0.1:{closed}")
    );
    sshd.stop();
    let why = bench.block_on(client.query("vector(1)", 0)).unwrap_err().to_string();
    assert!(why.contains("ssh to box") || why.contains("refused"), "{why}");
    assert!(sshd.again());
    crate::harness::until("the way to be open again", || {
        bench.block_on(client.query("vector(1)", 0)).is_ok()
    });
}

/// A Prometheus that speaks TLS and wants a password.
fn guarded(dir: &Path, names: &[&str]) -> Option<(Daemon, String)> {
    let files = certs::issue(dir, names);
    let web = format!(
        "tls_server_config: {{cert_file: {}, key_file: {}}}\nbasic_auth_users: {{mary: '{BCRYPT}'}}\n",
        files.cert.display(),
        files.key.display()
    );
    let args = ["--web.config.file=DIR/web.yml"];
    Some((prometheus("global: {}\n", &[("web.yml", &web)], &args)?, files.ca.display().to_string()))
}

#[test]
fn tls_with_an_own_ca_and_a_password() {
    let dir = tempfile::tempdir().unwrap();
    let Some((server, ca)) = guarded(dir.path(), &["prom.internal", "localhost"]) else { return };
    let mut bench = Bench::local();
    bench.auth = Auth::Basic { user: "mary".into(), password: SecretId::new("s") };
    let trusted = |name: Option<&str>| {
        Some(Tls { ca: Some(ca.clone()), server_name: name.map(str::to_owned), insecure: false })
    };
    let (by_name, by_number) =
        (format!("https://localhost:{}", server.port), format!("https://127.0.0.1:{}", server.port));

    bench.tls = trusted(None);
    assert!(is_one(&one(&bench, &by_name)));
    assert!(
        bench
            .why(&by_number)
            .contains("expected a certificate for 127.0.0.1, got one for prom.internal, localhost")
    );
    bench.tls = trusted(Some("prom.internal"));
    assert!(is_one(&one(&bench, &by_number)));
    bench.tls = trusted(Some("other.internal"));
    assert!(bench.why(&by_number).contains("expected a certificate for other.internal"));

    let other = tempfile::tempdir().unwrap();
    let stranger = certs::issue(other.path(), &["localhost"]).ca.display().to_string();
    bench.tls = Some(Tls { ca: Some(stranger), server_name: None, insecure: false });
    assert_eq!(
        bench.why(&by_name),
        "certificate not trusted: its issuer has the name of a CA we trust, but another key"
    );
    bench.tls = Some(Tls { ca: Some("/none.pem".into()), server_name: None, insecure: false });
    assert!(bench.why(&by_name).contains("cannot read the CA file /none.pem"));

    bench.tls = trusted(None);
    assert!(
        bench.why(&format!("http://localhost:{}", server.port)).contains("HTTP request to an HTTPS server")
    );
    bench.secret = "wrong".into();
    assert!(bench.why(&by_name).starts_with("401 Unauthorized"));
}

#[test]
fn one_below_a_path() {
    let Some(server) = prometheus("global: {}\n", &[], &["--web.external-url=http://x/deep/down"]) else {
        return;
    };
    let bench = Bench::local();
    assert!(is_one(&one(&bench, &format!("{}/deep/down", server.url()))));
    assert!(is_one(&one(&bench, &format!("{}/deep/down/", server.url()))));
    assert!(bench.why(&server.url()).contains("404 Not Found: it has no /api/v1/query"));
}
