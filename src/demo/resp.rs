//! The Redis protocol, versions 2 and 3: bounded parsing, replies, one connection.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use super::fault::Fault;
use super::redis_commands;
use super::shared::DemoHandle;

/// Bounds of one command.
const LINE: u64 = 16 * 1024;
const ARGUMENTS: usize = 64;
const BULK: usize = 64 * 1024;
/// What the slow fault adds to each command.
const SLOW: Duration = Duration::from_millis(400);

/// A reply, written in the connection's protocol version.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Simple(&'static str),
    Error(String),
    Int(i64),
    Bulk(String),
    Null,
    Array(Vec<Reply>),
    /// A map in version 3, a flat array in version 2.
    Map(Vec<(String, Reply)>),
}

impl Reply {
    fn write(&self, out: &mut Vec<u8>, version: u8) {
        let mut head = |kind: char, n: usize| out.extend_from_slice(format!("{kind}{n}\r\n").as_bytes());
        match self {
            Self::Simple(text) => out.extend_from_slice(format!("+{text}\r\n").as_bytes()),
            Self::Error(text) => out.extend_from_slice(format!("-{text}\r\n").as_bytes()),
            Self::Int(n) => out.extend_from_slice(format!(":{n}\r\n").as_bytes()),
            Self::Bulk(text) => {
                head('$', text.len());
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            Self::Null => out.extend_from_slice(if version == 3 { b"_\r\n" } else { b"$-1\r\n" }),
            Self::Array(items) => {
                head('*', items.len());
                for item in items {
                    item.write(out, version);
                }
            }
            Self::Map(pairs) => {
                if version == 3 {
                    head('%', pairs.len());
                } else {
                    head('*', pairs.len() * 2);
                }
                for (key, value) in pairs {
                    Self::Bulk(key.clone()).write(out, version);
                    value.write(out, version);
                }
            }
        }
    }
}

/// One connection's state.
pub struct Client {
    pub version: u8,
    pub db: u32,
    pub quit: bool,
}

pub async fn serve(demo: DemoHandle, stream: TcpStream) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut client = Client { version: 2, db: 0, quit: false };
    let mut out = Vec::new();
    while !client.quit {
        match command(&mut read).await {
            Ok(Some(args)) if args.is_empty() => {}
            Ok(Some(args)) => {
                if demo.has(Fault::RedisSlow) {
                    tokio::time::sleep(SLOW).await;
                }
                let reply = redis_commands::run(&demo, &mut client, &args);
                reply.write(&mut out, client.version);
            }
            Ok(None) => return,
            Err(why) => {
                Reply::Error(format!("ERR Protocol error: {why}")).write(&mut out, 2);
                client.quit = true;
            }
        }
        // Pipelined commands are answered together.
        if read.buffer().is_empty() || client.quit || out.len() > BULK {
            if write.write_all(&out).await.is_err() {
                return;
            }
            out.clear();
        }
    }
}

/// Reads one command, an array of bulk strings or an inline line; `None` at the end of the stream.
async fn command(read: &mut BufReader<OwnedReadHalf>) -> Result<Option<Vec<String>>, &'static str> {
    let Some(line) = line(read).await? else { return Ok(None) };
    let Some(count) = line.strip_prefix('*') else {
        return Ok(Some(line.split_whitespace().take(ARGUMENTS).map(str::to_owned).collect()));
    };
    let count: i64 = count.parse().map_err(|_| "invalid multibulk length")?;
    // A null or empty array is no command at all.
    let count = usize::try_from(count).unwrap_or(0);
    if count > ARGUMENTS {
        return Err("invalid multibulk length");
    }
    let mut args = Vec::new();
    for _ in 0..count {
        let Some(head) = self::line(read).await? else { return Ok(None) };
        let len: usize = head
            .strip_prefix('$')
            .ok_or("expected '$'")?
            .parse()
            .ok()
            .filter(|len| *len <= BULK)
            .ok_or("invalid bulk length")?;
        let mut bytes = vec![0; len + 2];
        if read.read_exact(&mut bytes).await.is_err() {
            return Ok(None);
        }
        bytes.truncate(len);
        args.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(Some(args))
}

async fn line(read: &mut BufReader<OwnedReadHalf>) -> Result<Option<String>, &'static str> {
    let mut bytes = Vec::new();
    match (&mut *read).take(LINE).read_until(b'\n', &mut bytes).await {
        Ok(0) | Err(_) => Ok(None),
        Ok(_) if bytes.ends_with(b"\n") => Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())),
        Ok(n) if n as u64 == LINE => Err("too big inline request"),
        Ok(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_follow_the_protocol_version() {
        let map = Reply::Map(vec![("a".into(), Reply::Int(1)), ("b".into(), Reply::Null)]);
        let mut two = Vec::new();
        map.write(&mut two, 2);
        assert_eq!(two, b"*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n$-1\r\n");
        let mut three = Vec::new();
        map.write(&mut three, 3);
        assert_eq!(three, b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n_\r\n");
    }
}
