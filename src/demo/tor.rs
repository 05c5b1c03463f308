//! Tor's control port (cookie authentication, GETINFO) and a SOCKS port that connects nowhere.

use std::fmt::Write as _;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::fault::Fault;
use super::model::Model;
use super::rng::hex;
use super::shared::DemoHandle;

/// Longest line read from a controller.
const LINE: u64 = 4096;
/// Length of the cookie, as tor's.
pub const COOKIE: usize = 32;
/// Keys of one GETINFO.
const KEYS: usize = 32;

/// One controller's connection. `cookie` is what the cookie file holds.
pub async fn serve_control(demo: DemoHandle, cookie: [u8; COOKIE], stream: TcpStream) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut trusted = false;
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut read).take(LINE).read_until(b'\n', &mut line).await {
            Ok(n) if n > 0 && line.ends_with(b"\n") => {}
            _ => return,
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let (reply, go_on) = command(&demo, &cookie, &mut trusted, &text);
        if write.write_all(reply.as_bytes()).await.is_err() || !go_on {
            return;
        }
    }
}

/// The reply, and whether the connection stays open.
fn command(demo: &DemoHandle, cookie: &[u8; COOKIE], trusted: &mut bool, line: &str) -> (String, bool) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let word = word.to_ascii_uppercase();
    match word.as_str() {
        "PROTOCOLINFO" => {
            let path = demo.dir().join("run/tor/control.authcookie");
            let text = format!(
                "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE COOKIEFILE=\"{}\"\r\n250-VERSION Tor=\"0.4.7.16\"\r\n250 OK\r\n",
                path.display()
            );
            (text, true)
        }
        "AUTHENTICATE" => {
            let given = rest.trim();
            if given.len() != COOKIE * 2 {
                return (
                    "515 Authentication failed: Wrong length on authentication cookie.\r\n".into(),
                    false,
                );
            }
            *trusted = given.eq_ignore_ascii_case(&hex(cookie));
            if *trusted {
                ("250 OK\r\n".into(), true)
            } else {
                (
                    "515 Authentication failed: Authentication cookie did not match expected value.\r\n"
                        .into(),
                    false,
                )
            }
        }
        "QUIT" => ("250 closing connection\r\n".into(), false),
        _ if !*trusted => ("514 Authentication required.\r\n".into(), false),
        "GETINFO" => (demo.with(|m| getinfo(m, rest)), true),
        "SIGNAL" => match rest.to_ascii_uppercase().as_str() {
            "NEWNYM" | "ACTIVE" | "CLEARDNSCACHE" => ("250 OK\r\n".into(), true),
            _ => (format!("552 Unrecognized signal code \"{}\"\r\n", clip(rest)), true),
        },
        _ => (format!("510 Unrecognized command \"{}\"\r\n", clip(&word)), true),
    }
}

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

fn getinfo(m: &Model, keys: &str) -> String {
    let mut out = String::new();
    for key in keys.split_whitespace().take(KEYS) {
        match info(m, key) {
            Some(value) => {
                let _ = write!(out, "250-{key}={value}\r\n");
            }
            None if key == "circuit-status" => {
                let _ = write!(out, "250+circuit-status=\r\n{}.\r\n", circuits(m));
            }
            None => return format!("552 Unrecognized key \"{}\"\r\n", clip(key)),
        }
    }
    out + "250 OK\r\n"
}

/// Bootstrap progress, tag and summary.
pub fn bootstrap(m: &Model) -> (u8, &'static str, &'static str) {
    let percent = if m.has(Fault::TorUnhealthy) { 45.min(m.tor.bootstrap) } else { m.tor.bootstrap };
    match percent {
        100 => (100, "done", "Done"),
        75.. => (percent, "enough_dirinfo", "Loaded enough directory info to build circuits"),
        45.. => (percent, "requesting_descriptors", "Asking for relay descriptors"),
        _ => (percent, "conn_done", "Connected to a relay"),
    }
}

fn info(m: &Model, key: &str) -> Option<String> {
    let healthy = m.tor_healthy();
    Some(match key {
        "version" => "0.4.7.16".into(),
        "process/pid" => std::process::id().to_string(),
        "uptime" => (m.now - m.tor.since).to_string(),
        "status/bootstrap-phase" => {
            let (percent, tag, summary) = bootstrap(m);
            let level = if percent == 100 { "NOTICE" } else { "WARN" };
            format!("{level} BOOTSTRAP PROGRESS={percent} TAG={tag} SUMMARY=\"{summary}\"")
        }
        "network-liveness" => if healthy { "up" } else { "down" }.into(),
        "status/circuit-established" | "status/enough-dir-info" => u8::from(healthy).to_string(),
        "dormant" => "0".into(),
        "traffic/read" => m.tor.read.to_string(),
        "traffic/written" => m.tor.written.to_string(),
        "net/listeners/socks" => "\"127.0.0.1:9050\"".into(),
        _ => return None,
    })
}

fn circuits(m: &Model) -> String {
    (1..=m.tor.circuits).fold(String::new(), |mut out, i| {
        let _ = write!(out, "{i} BUILT BUILD_FLAGS=NEED_CAPACITY PURPOSE=GENERAL\r\n");
        out
    })
}

/// Answers the greeting and refuses every request: the demo reaches no network.
pub async fn serve_socks(mut stream: TcpStream) {
    let mut head = [0; 2];
    if stream.read_exact(&mut head).await.is_err() || head[0] != 5 {
        return;
    }
    let mut methods = vec![0; usize::from(head[1])];
    if stream.read_exact(&mut methods).await.is_err() || stream.write_all(&[5, 0]).await.is_err() {
        return;
    }
    let mut request = [0; 4];
    if stream.read_exact(&mut request).await.is_ok() {
        // "General failure", with an empty address.
        let _ = stream.write_all(&[5, 1, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    }
}
