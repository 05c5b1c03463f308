//! Tor's control port (cookie authentication, GETINFO) and a SOCKS port that connects nowhere.

use std::fmt::Write as _;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::fault::Fault;
use super::model::Model;
use super::rng::{Rng, hex};
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
    let mut door = Door { cookie, trusted: false, expected: None };
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut read).take(LINE).read_until(b'\n', &mut line).await {
            Ok(n) if n > 0 && line.ends_with(b"\n") => {}
            _ => return,
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let (reply, go_on) = command(&demo, &mut door, &text);
        if write.write_all(reply.as_bytes()).await.is_err() || !go_on {
            return;
        }
    }
}

/// What a controller has proved so far.
struct Door {
    cookie: [u8; COOKIE],
    trusted: bool,
    /// After AUTHCHALLENGE, the hash that must follow.
    expected: Option<String>,
}

/// The reply, and whether the connection stays open.
fn command(demo: &DemoHandle, door: &mut Door, line: &str) -> (String, bool) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let word = word.to_ascii_uppercase();
    match word.as_str() {
        "PROTOCOLINFO" => {
            let path = demo.dir().join("run/tor/control.authcookie");
            let text = format!(
                "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"{}\"\r\n\
                 250-VERSION Tor=\"0.4.7.16\"\r\n250 OK\r\n",
                path.display()
            );
            (text, true)
        }
        "AUTHCHALLENGE" => challenge(demo, door, rest),
        "AUTHENTICATE" => authenticate(door, rest.trim()),
        "QUIT" => ("250 closing connection\r\n".into(), false),
        _ if !door.trusted => ("514 Authentication required.\r\n".into(), false),
        "GETINFO" => (demo.with(|m| getinfo(m, rest)), true),
        "SIGNAL" => match rest.to_ascii_uppercase().as_str() {
            "NEWNYM" | "ACTIVE" | "CLEARDNSCACHE" => ("250 OK\r\n".into(), true),
            _ => (format!("552 Unrecognized signal code \"{}\"\r\n", clip(rest)), true),
        },
        _ => (format!("510 Unrecognized command \"{}\"\r\n", clip(&word)), true),
    }
}

fn authenticate(door: &mut Door, given: &str) -> (String, bool) {
    let refuse = |why: &str| (format!("515 Authentication failed: {why}\r\n"), false);
    if given.len() != COOKIE * 2 {
        return refuse("Wrong length on authentication cookie.");
    }
    let (right, why) = match door.expected.take() {
        Some(hash) => (hash, "Safe cookie response did not match expected value."),
        None => (hex(&door.cookie), "Authentication cookie did not match expected value."),
    };
    door.trusted = given.eq_ignore_ascii_case(&right);
    if door.trusted { ("250 OK\r\n".into(), true) } else { refuse(why) }
}

/// SAFECOOKIE: each side proves that it knows the cookie without showing it.
fn challenge(demo: &DemoHandle, door: &mut Door, rest: &str) -> (String, bool) {
    let bad = || ("513 AUTHCHALLENGE: Invalid base16 client nonce\r\n".to_owned(), false);
    let Some(nonce) = rest.trim().strip_prefix("SAFECOOKIE ") else {
        return ("513 AUTHCHALLENGE only supports SAFECOOKIE authentication\r\n".into(), false);
    };
    let Some(client) = unhex(nonce.trim()) else { return bad() };
    let server = demo.with(|m| Rng::new(m.fresh_id().0 as u64).bytes32());
    let message = [&door.cookie[..], &client, &server].concat();
    let hashes = sign(b"Tor safe cookie authentication server-to-controller hash", &message)
        .zip(sign(b"Tor safe cookie authentication controller-to-server hash", &message));
    let Some((ours, theirs)) = hashes else { return bad() };
    door.expected = Some(theirs);
    (format!("250 AUTHCHALLENGE SERVERHASH={ours} SERVERNONCE={}\r\n", hex(&server).to_uppercase()), true)
}

/// HMAC-SHA256 in upper-case hexadecimal, by the TLS library's provider: no crate for one hash.
fn sign(key: &[u8], message: &[u8]) -> Option<String> {
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let key = rustls::crypto::tls13::OkmBlock::new(key);
    let tag = suite.tls13()?.hkdf_provider.hmac_sign(&key, message);
    Some(hex(tag.as_ref()).to_uppercase())
}

/// Pairs of hexadecimal digits, at most a line's worth.
fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_hmac_sha256() {
        // RFC 4231, test case 2.
        let tag = sign(b"Jefe", b"what do ya want for nothing?").unwrap();
        assert_eq!(tag, "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843");
        assert_eq!(unhex("00fF"), Some(vec![0, 255]));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("0g"), None);
    }
    #[tokio::test]
    async fn a_controller_that_knows_the_cookie_need_not_show_it() {
        let (demo, _clock) = crate::demo::tests::start(&[]).await;
        let cookie = std::fs::read(&demo.addresses().tor_cookie).unwrap();
        let mut stream = BufReader::new(TcpStream::connect(demo.addresses().tor_control).await.unwrap());
        stream.write_all(b"AUTHCHALLENGE SAFECOOKIE 0102\r\n").await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let field = |name: &str| {
            let start = line.find(name).unwrap() + name.len();
            line[start..].split_whitespace().next().unwrap().to_owned()
        };
        let message = [&cookie[..], &[1, 2], &unhex(&field("SERVERNONCE=")).unwrap()].concat();
        let ours = sign(b"Tor safe cookie authentication server-to-controller hash", &message).unwrap();
        assert_eq!(field("SERVERHASH="), ours);
        let answer = sign(b"Tor safe cookie authentication controller-to-server hash", &message).unwrap();
        stream.write_all(format!("AUTHENTICATE {answer}\r\nGETINFO dormant\r\n").as_bytes()).await.unwrap();
        for want in ["250 OK", "250-dormant=0", "250 OK"] {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            assert_eq!(line.trim_end(), want);
        }
    }
}
