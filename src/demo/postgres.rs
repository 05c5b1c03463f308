//! The `PostgreSQL` protocol, version 3: start-up, cleartext password, simple and extended queries.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::fault::Fault;
use super::postgres_queries::{Answer, Cell, Failure, Type, answer};
use super::shared::DemoHandle;

/// Bounds: a start-up packet (as the real server), any later message, and time to log in.
const STARTUP: usize = 10_000;
const MESSAGE: usize = 64 * 1024;
const LOGIN: Duration = Duration::from_secs(60);
/// What the slow fault adds to each message.
const SLOW: Duration = Duration::from_millis(700);

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL: u32 = 80_877_102;
const VERSION_3: u32 = 196_608;

pub const DATABASE: &str = "tornadodb";
pub const USER: &str = "tornado_db_user";

pub async fn serve(demo: DemoHandle, mut stream: TcpStream) {
    // A client that goes away is not an error of the demo's.
    if let Ok(Ok(true)) = tokio::time::timeout(LOGIN, login(&demo, &mut stream)).await {
        let _ = session(&demo, &mut stream).await;
    }
}

async fn slow(demo: &DemoHandle) {
    if demo.has(Fault::PostgresSlow) {
        tokio::time::sleep(SLOW).await;
    }
}

/// A start-up packet's parameters; `None` when there will be no session.
async fn startup(stream: &mut TcpStream) -> io::Result<Option<Vec<String>>> {
    loop {
        let len = stream.read_u32().await? as usize;
        if !(8..=STARTUP).contains(&len) {
            return Ok(None);
        }
        let code = stream.read_u32().await?;
        let mut body = vec![0; len - 8];
        stream.read_exact(&mut body).await?;
        match code {
            SSL_REQUEST | GSS_REQUEST => stream.write_all(b"N").await?,
            VERSION_3 => {
                return Ok(Some(
                    body.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect(),
                ));
            }
            CANCEL => return Ok(None),
            _ => {
                let (major, minor) = (code >> 16, code & 0xffff);
                let text =
                    format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0");
                fatal(stream, "0A000", &text).await?;
                return Ok(None);
            }
        }
    }
}

/// Start-up, password and greeting; true when a session follows.
async fn login(demo: &DemoHandle, stream: &mut TcpStream) -> io::Result<bool> {
    let Some(words) = startup(stream).await? else { return Ok(false) };
    slow(demo).await;
    let value = |name: &str| words.chunks(2).find(|w| w[0] == name).and_then(|w| w.get(1)).cloned();
    let user = value("user").unwrap_or_default();
    let database = value("database").unwrap_or_else(|| user.clone());
    if let Err((code, text)) = authenticate(demo, stream, &user, &database).await? {
        fatal(stream, code, &text).await?;
        return Ok(false);
    }
    greet(stream).await?;
    Ok(true)
}

/// Asks for the password; the inner error is a SQLSTATE and its message.
async fn authenticate(
    demo: &DemoHandle,
    stream: &mut TcpStream,
    user: &str,
    database: &str,
) -> io::Result<Result<(), (&'static str, String)>> {
    if user.is_empty() {
        return Ok(Err(("28000", "no PostgreSQL user name specified in startup packet".into())));
    }
    // AuthenticationCleartextPassword: `pg_isready` stops here, satisfied.
    stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]).await?;
    let (kind, body) = message(stream).await?;
    if kind != b'p' {
        return Ok(Err(("08P01", "expected password response".into())));
    }
    slow(demo).await;
    let password = body.strip_suffix(&[0]).unwrap_or(&body);
    if password.is_empty() {
        return Ok(Err(("28P01", "empty password returned by client".into())));
    }
    let right = demo.with(|m| password == m.database_password.as_bytes());
    if user != USER || !right {
        return Ok(Err(("28P01", format!("password authentication failed for user \"{}\"", clip(user)))));
    }
    if database != DATABASE && database != "postgres" {
        return Ok(Err(("3D000", format!("database \"{}\" does not exist", clip(database)))));
    }
    Ok(Ok(()))
}

async fn greet(stream: &mut TcpStream) -> io::Result<()> {
    let mut out = Out::default();
    out.message(b'R', |b| b.extend_from_slice(&0u32.to_be_bytes()));
    for (name, value) in [
        ("server_version", "15.9 (Debian 15.9-0+deb12u1)"),
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO, MDY"),
        ("TimeZone", "Etc/UTC"),
        ("integer_datetimes", "on"),
        ("standard_conforming_strings", "on"),
        ("is_superuser", "off"),
    ] {
        out.message(b'S', |b| {
            text(b, name);
            text(b, value);
        });
    }
    out.message(b'K', |b| {
        b.extend_from_slice(&std::process::id().to_be_bytes());
        b.extend_from_slice(&0u32.to_be_bytes());
    });
    out.ready();
    stream.write_all(&out.0).await
}

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(63).collect()
}

async fn message(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let len = stream.read_u32().await? as usize;
    if !(4..=MESSAGE).contains(&len) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "message length"));
    }
    let mut body = vec![0; len - 4];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}

async fn fatal(stream: &mut TcpStream, code: &str, text: &str) -> io::Result<()> {
    let mut out = Out::default();
    out.error("FATAL", code, text);
    stream.write_all(&out.0).await?;
    stream.shutdown().await
}

/// The statement and the portal of one connection: unnamed or named alike, only the latest is kept.
#[derive(Default)]
struct Extended {
    answer: Option<Result<Answer, Failure>>,
    binary: bool,
    /// After an error, everything up to Sync is skipped.
    failed: bool,
}

async fn session(demo: &DemoHandle, stream: &mut TcpStream) -> io::Result<()> {
    let mut extended = Extended::default();
    loop {
        let (kind, body) = message(stream).await?;
        let mut out = Out::default();
        match kind {
            b'X' => return Ok(()),
            b'Q' => {
                slow(demo).await;
                let sql = String::from_utf8_lossy(body.strip_suffix(&[0]).unwrap_or(&body)).into_owned();
                match demo.with(|m| answer(m, &sql)) {
                    Ok(Answer::Empty) => out.message(b'I', |_| {}),
                    Ok(Answer::Done(tag)) => out.message(b'C', |b| text(b, tag)),
                    Ok(Answer::Row(name, cell)) => {
                        out.columns(name, cell.kind(), false);
                        out.row(&cell, false);
                        out.message(b'C', |b| text(b, "SELECT 1"));
                    }
                    Err(failure) => out.error("ERROR", failure.code, &failure.text),
                }
                out.ready();
            }
            b'S' => {
                extended.failed = false;
                out.ready();
            }
            b'H' => {}
            _ if extended.failed => {}
            _ => step(demo, kind, &body, &mut extended, &mut out).await,
        }
        stream.write_all(&out.0).await?;
    }
}

async fn step(demo: &DemoHandle, kind: u8, body: &[u8], extended: &mut Extended, out: &mut Out) {
    let fail = |extended: &mut Extended, out: &mut Out, code: &str, text: &str| {
        out.error("ERROR", code, text);
        extended.failed = true;
    };
    match kind {
        b'P' => {
            slow(demo).await;
            let sql =
                body.split(|b| *b == 0).nth(1).map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            let result = demo.with(|m| answer(m, &sql));
            if let Err(failure) = &result {
                fail(extended, out, failure.code, &failure.text);
            } else {
                out.message(b'1', |_| {});
            }
            extended.answer = Some(result);
        }
        b'B' => {
            // Result formats come last: a count, then that many codes.
            extended.binary = body.len() >= 4 && body[body.len() - 4..] == [0, 1, 0, 1];
            out.message(b'2', |_| {});
        }
        b'D' => {
            if body.first() == Some(&b'S') {
                out.message(b't', |b| b.extend_from_slice(&0u16.to_be_bytes()));
            }
            match &extended.answer {
                Some(Ok(Answer::Row(name, cell))) => out.columns(name, cell.kind(), extended.binary),
                _ => out.message(b'n', |_| {}),
            }
        }
        b'E' => match &extended.answer {
            Some(Ok(Answer::Row(_, cell))) => {
                out.row(cell, extended.binary);
                out.message(b'C', |b| text(b, "SELECT 1"));
            }
            Some(Ok(Answer::Done(tag))) => out.message(b'C', |b| text(b, tag)),
            Some(Ok(Answer::Empty)) => out.message(b'I', |_| {}),
            _ => fail(extended, out, "26000", "unnamed prepared statement does not exist"),
        },
        b'C' => out.message(b'3', |_| {}),
        _ => fail(extended, out, "08P01", &format!("invalid frontend message type {kind}")),
    }
}

/// Messages to be sent together.
#[derive(Default)]
struct Out(Vec<u8>);

fn text(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(text.as_bytes());
    body.push(0);
}

impl Out {
    fn message(&mut self, kind: u8, fill: impl FnOnce(&mut Vec<u8>)) {
        self.0.push(kind);
        let at = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        fill(&mut self.0);
        let len = (self.0.len() - at) as u32;
        self.0[at..at + 4].copy_from_slice(&len.to_be_bytes());
    }

    fn ready(&mut self) {
        self.message(b'Z', |b| b.push(b'I'));
    }

    fn error(&mut self, severity: &str, code: &str, what: &str) {
        self.message(b'E', |b| {
            for (field, value) in [(b'S', severity), (b'V', severity), (b'C', code), (b'M', what)] {
                b.push(field);
                text(b, value);
            }
            b.push(0);
        });
    }

    fn columns(&mut self, name: &str, kind: Type, binary: bool) {
        self.message(b'T', |b| {
            b.extend_from_slice(&1u16.to_be_bytes());
            text(b, name);
            b.extend_from_slice(&[0; 6]);
            b.extend_from_slice(&kind.oid().to_be_bytes());
            b.extend_from_slice(&kind.size().to_be_bytes());
            b.extend_from_slice(&(-1i32).to_be_bytes());
            b.extend_from_slice(&u16::from(binary).to_be_bytes());
        });
    }

    fn row(&mut self, cell: &Cell, binary: bool) {
        let bytes = cell.bytes(binary);
        self.message(b'D', |b| {
            b.extend_from_slice(&1u16.to_be_bytes());
            b.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
            b.extend_from_slice(&bytes);
        });
    }
}
