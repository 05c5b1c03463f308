//! This machine: sockets and processes.

use super::stream::Stream;
use super::{Command, ConnectError, MAX_STDERR, Output, RunError};
use crate::stack::kind::common::Endpoint;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpStream, UnixStream};

#[derive(Debug)]
pub struct Local {
    /// PATH for commands.
    path: OsString,
}

impl Local {
    pub fn new(path: &[String]) -> Self {
        let own = std::env::var_os("PATH")
            .unwrap_or_else(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into());
        let mut all: OsString = path.join(":").into();
        if !all.is_empty() {
            all.push(":");
        }
        all.push(own);
        // Daemons' tools live in sbin, which an operator's PATH often lacks.
        all.push(":/usr/sbin:/sbin");
        Local { path: all }
    }

    pub(super) async fn connect(&self, to: &Endpoint) -> Result<Stream, ConnectError> {
        let opened = match to {
            Endpoint::Tcp { host, port } => match host.parse::<std::net::IpAddr>() {
                Ok(ip) => TcpStream::connect((ip, *port)).await,
                Err(_) => TcpStream::connect((host.as_str(), *port)).await,
            }
            .map(|s| {
                // A probe's requests are single small writes; waiting for more only delays them.
                let _ = s.set_nodelay(true);
                Stream::Tcp(s)
            }),
            Endpoint::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
        };
        opened.map_err(|e| connect_error(to, &e))
    }

    pub(super) async fn run(&self, command: &Command) -> Result<Output, RunError> {
        let argv = command.full_argv();
        let (program, args) =
            argv.split_first().ok_or_else(|| RunError::NotFound("an empty command".to_owned()))?;
        let mut child = tokio::process::Command::new(self.resolve(program))
            .args(args)
            .env("PATH", &self.path)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own group, so that a terminal's Ctrl-C is not also the command's.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| match e.kind() {
                io::ErrorKind::NotFound => RunError::NotFound((*program).to_owned()),
                io::ErrorKind::PermissionDenied => RunError::NotAllowed((*program).to_owned()),
                _ => RunError::Io(e),
            })?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (stdout, stderr) =
            tokio::join!(read_bounded(out, command.max_stdout), read_bounded(err, MAX_STDERR));
        let (stdout, dropped_out) = stdout.map_err(RunError::Io)?;
        let (stderr, dropped_err) = stderr.map_err(RunError::Io)?;
        let status = child.wait().await.map_err(RunError::Io)?;
        let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Ok(Output { status, stdout, stderr, dropped: dropped_out + dropped_err })
    }

    /// Finds a program in the host's PATH: `Command` would look in our own.
    fn resolve(&self, program: &str) -> OsString {
        if program.contains('/') {
            return program.into();
        }
        std::env::split_paths(&self.path)
            .map(|dir| dir.join(program))
            .find(|p| rustix::fs::access(p, rustix::fs::Access::EXEC_OK).is_ok())
            .map_or_else(|| program.into(), Into::into)
    }
}

/// Reads to the end and keeps at most `max` bytes; the rest is counted, so that the writer is
/// never blocked by a full pipe.
async fn read_bounded(source: Option<impl AsyncRead + Unpin>, max: usize) -> io::Result<(Vec<u8>, u64)> {
    let (mut kept, mut dropped) = (Vec::new(), 0);
    let Some(mut source) = source else { return Ok((kept, dropped)) };
    let mut chunk = vec![0u8; 8192];
    loop {
        let n = source.read(&mut chunk).await?;
        if n == 0 {
            return Ok((kept, dropped));
        }
        let room = (max - kept.len()).min(n);
        kept.extend_from_slice(chunk.get(..room).unwrap_or(&[]));
        dropped += (n - room) as u64;
    }
}

/// Sorts an error into "it said no" and "no way there".
pub(super) fn connect_error(to: &Endpoint, e: &io::Error) -> ConnectError {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable, NotFound, PermissionDenied,
    };
    match (to, e.kind()) {
        (_, ConnectionRefused) => ConnectError::Refused(format!("connection refused by {to}")),
        (Endpoint::Unix(path), NotFound) => ConnectError::Refused(format!("no socket at {}", path.display())),
        (Endpoint::Unix(path), PermissionDenied) => {
            ConnectError::NotAllowed(format!("not allowed to open {}", path.display()))
        }
        (_, HostUnreachable | NetworkUnreachable | AddrNotAvailable) => {
            ConnectError::Unreachable(format!("no way to {to} from here: {e}"))
        }
        _ => ConnectError::Unreachable(format!("cannot connect to {to}: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(argv: &[&str]) -> Result<Output, RunError> {
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut command = Command::new(argv.iter().copied());
        command.max_stdout = 1000;
        rt.block_on(Local::new(&[]).run(&command))
    }

    #[test]
    fn a_command_gives_its_status_and_both_outputs() {
        let out = run(&["sh", "-c", "echo out; echo err >&2; exit 3"]).unwrap();
        assert_eq!((out.status, &*out.stdout, &*out.stderr), (3, &b"out\n"[..], &b"err\n"[..]));
        assert_eq!(run(&["sh", "-c", "kill -9 $$"]).unwrap().status, 137);
    }

    #[test]
    fn output_past_the_bound_is_counted_and_dropped() {
        let out = run(&["head", "-c", "100000", "/dev/zero"]).unwrap();
        assert_eq!((out.stdout.len(), out.dropped), (1000, 99_000));
    }

    #[test]
    fn a_missing_program_is_named() {
        assert_eq!(
            run(&["no-such-program-here"]).unwrap_err().to_string(),
            "no-such-program-here: no such program"
        );
    }
}
