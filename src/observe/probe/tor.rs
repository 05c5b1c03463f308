//! Looks by asking tor over its control port. It only ever sends `PROTOCOLINFO`,
//! `AUTHENTICATE`, `GETINFO` and `QUIT`.

use super::{Context, Fault, Found, Phase, reply, shared};
use crate::domain::fact::Fact;
use crate::domain::text;
use crate::domain::units::Unit;
use crate::observe::wire::torctl::{self, Parser, Reply};
use crate::stack::kind::tor::{Login, Spec};
use crate::transport::Command;
use crate::transport::stream::Stream;
use secrecy::{ExposeSecret, SecretString};
use std::io::{self, Read};

/// Read from tor in one look, at most.
pub const MAX_READ: usize = 1 << 20;
/// A cookie's size (control-spec, 3.24).
const COOKIE: usize = 32;
/// Asked in every look.
const BASICS: &str = "GETINFO version status/bootstrap-phase status/circuit-established";

pub(super) async fn look(spec: &Spec, cx: &Context<'_>) -> Result<Found, Fault> {
    let password = match &spec.login {
        Login::Password(id) => Some(cx.shared.secret(id).await?),
        _ => None,
    };
    let stream = cx.connect(&spec.address).await?;
    let mut line = Line { stream, reply: reply::Reply::new(MAX_READ), parser: Parser::default() };
    let hello = line.ask("PROTOCOLINFO 1").await?;
    if !hello.is_ok() {
        return Err(Fault::Down(format!("expected tor to say how to log in, got: {}", hello.show())));
    }
    let login = credentials(spec, cx, &hello, password).await?;
    cx.phase(Phase::Waiting);
    let let_in = line.ask(&login).await?;
    if !let_in.is_ok() {
        return Err(refused(&spec.login, &let_in));
    }
    let mut info = vec![values(line.ask(BASICS).await?)?];
    if !spec.getinfo.is_empty() {
        info.push(values(line.ask(&format!("GETINFO {}", spec.getinfo.join(" "))).await?)?);
    }
    // Only a courtesy, for tor's log; what was asked has been answered.
    let _ = reply::send(&mut line.stream, b"QUIT\r\n").await;
    Ok(found(&info))
}

/// The connection: one command, one reply.
struct Line {
    stream: Stream,
    reply: reply::Reply,
    parser: Parser,
}

impl Line {
    async fn ask(&mut self, command: &str) -> Result<Reply, Fault> {
        reply::send(&mut self.stream, format!("{command}\r\n").as_bytes()).await?;
        loop {
            match self.parser.next(&self.reply.bytes) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(got) => return Err(Fault::Down(format!("expected a reply of tor, got {got}"))),
            }
            if !self.reply.more(&mut self.stream).await? {
                return Err(reply::closed(self.reply.bytes.len()));
            }
        }
    }
}

/// The `AUTHENTICATE` command. Where tor says that its cookie is matters only for the message: a
/// peer that could name the file could have any file of ours sent to it.
async fn credentials(
    spec: &Spec,
    cx: &Context<'_>,
    hello: &Reply,
    password: Option<SecretString>,
) -> Result<String, Fault> {
    if let Login::Cookie(path) = &spec.login {
        cx.phase(Phase::Ours);
        let bytes = cookie(path, cx).await?;
        return Ok(format!("AUTHENTICATE {}", torctl::hex(&bytes)));
    }
    if let Some(password) = password {
        let quoted = torctl::quoted(password.expose_secret());
        let quoted =
            quoted.ok_or_else(|| Fault::Unknown("the password for tor holds a line end".to_owned()))?;
        return Ok(format!("AUTHENTICATE {quoted}"));
    }
    let (methods, file) = torctl::login_methods(hello);
    if methods.contains(&"NULL") {
        return Ok("AUTHENTICATE".to_owned());
    }
    let hint = match file {
        Some(file) => format!("cookie = \"{}\"", text::one_line(file, 100)),
        None => "password = { secret = \"…\" }".to_owned(),
    };
    let methods = text::one_line(&methods.join(", "), 60);
    Err(Fault::Unknown(format!("needs to log in, tor takes {methods}: add {hint}")))
}

/// The cookie's bytes; through a command where the file is another host's or needs sudo.
async fn cookie(path: &str, cx: &Context<'_>) -> Result<Vec<u8>, Fault> {
    let bytes = if cx.transport.is_local() && !cx.probe.sudo {
        read_small(path).map_err(|e| no_cookie(path, &e.to_string(), e.kind()))?
    } else {
        let command = Command::new(["cat", "--", path]).sudo(cx.probe.sudo);
        let output = cx.transport.run(&command).await?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        if output.status != 0 && cx.probe.sudo && shared::sudo_refused(&stderr) {
            return Err(Fault::Unknown(shared::sudo_help(&command)));
        }
        if output.status != 0 {
            let kind = if stderr.contains("denied") {
                io::ErrorKind::PermissionDenied
            } else {
                io::ErrorKind::Other
            };
            return Err(no_cookie(path, &text::one_line(&stderr, 120), kind));
        }
        output.stdout
    };
    if bytes.len() == COOKIE {
        return Ok(bytes);
    }
    // Not a cookie, so it must not be sent: it could be any file at all.
    Err(Fault::Unknown(format!("needs a cookie of {COOKIE} bytes, {path} is no such file")))
}

fn no_cookie(path: &str, why: &str, kind: io::ErrorKind) -> Fault {
    Fault::Unknown(match kind {
        io::ErrorKind::PermissionDenied => format!(
            "needs permission: not allowed to read the cookie {path}; join the group that may, or set sudo = true"
        ),
        io::ErrorKind::NotFound => format!("needs the cookie: there is no {path}"),
        _ => format!("needs the cookie: cannot read {path}: {why}"),
    })
}

/// A little more than a cookie, so that a longer file is seen to be one.
fn read_small(path: &str) -> io::Result<Vec<u8>> {
    // A FIFO of that name would otherwise wait for a writer for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(COOKIE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn refused(login: &Login, reply: &Reply) -> Fault {
    let what = match login {
        Login::Open => "to log in",
        Login::Cookie(_) => "the right cookie",
        Login::Password(_) => "the right password",
    };
    match reply.code {
        514 | 515 => Fault::Unknown(format!("needs {what}: {}", reply.show())),
        _ => Fault::Down(format!("expected tor to let us in, got: {}", reply.show())),
    }
}

/// A reply to GETINFO, if it is one.
fn values(reply: Reply) -> Result<Reply, Fault> {
    match reply.code {
        250 => Ok(reply),
        552 => Err(Fault::Unknown(format!("tor does not know what was asked: {}", reply.show()))),
        _ => Err(Fault::Down(format!("expected tor to answer, got: {}", reply.show()))),
    }
}

fn found(info: &[Reply]) -> Found {
    let all: Vec<(&str, &str)> = info.iter().flat_map(Reply::values).collect();
    let get = |key: &str| all.iter().find(|(k, _)| *k == key).map(|(_, value)| *value);
    let mut found = Found::default();
    found.facts.bool("AUTHENTICATED", true);
    let mut parts = Vec::new();
    if let Some(phase) = get("status/bootstrap-phase")
        && let Some(percent) = torctl::progress(phase)
    {
        found.facts.number("BOOTSTRAP", f64::from(percent), Unit::Percent);
        let tag =
            torctl::field(phase, "TAG").map(|t| format!(" ({})", text::one_line(t, 30))).unwrap_or_default();
        parts.push(format!("bootstrap {percent}%{tag}"));
    }
    if let Some(circuit) = get("status/circuit-established") {
        found.facts.bool("CIRCUIT", circuit == "1");
        parts.push(if circuit == "1" { "circuits up" } else { "no circuit" }.to_owned());
    }
    if let Some(version) = get("version") {
        found.facts.text("VERSION", version);
        parts.push(format!("tor {}", text::one_line(version, 30)));
    }
    found.summary = parts.join(", ");
    let lines: Vec<String> = all.iter().map(|(key, value)| format!("{key}={value}")).collect();
    found.evidence = lines.join("\n");
    let members = all.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    found.facts.set("INFO", Fact::Json(serde_json::Value::Object(members)));
    found
}
