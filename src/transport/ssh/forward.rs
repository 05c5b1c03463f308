//! Connections that begin on the other machine: TCP through `ssh -W`, Unix sockets through a
//! forward that is added to the master.

use super::Route;
use super::master::Master;
use crate::stack::kind::common::Endpoint;
use crate::transport::child::{self, KillGroup};
use crate::transport::stream::Stream;
use crate::transport::{ConnectError, RunError};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, BufReader, ReadBuf};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, ChildStdout};

/// Sockets forwarded from one host at most; a stack file names a handful.
const MAX_FORWARDS: usize = 64;
/// Read of what the client of a forward says until it is open.
const MAX_SAID: u64 = 64 << 10;
/// How long the master's reason may follow its refusal.
const REASON: Duration = Duration::from_millis(200);

/// A connection through the standard input and output of an ssh client. Dropping it ends that.
#[derive(Debug)]
pub struct Forwarded {
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    // Before the child: the group is killed before its leader is given up.
    _group: KillGroup,
    _child: Child,
}

impl AsyncRead for Forwarded {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stdout).poll_read(cx, buf)
    }
}

impl AsyncWrite for Forwarded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Closing our end is what tells the other; pipes have no other way.
        self.get_mut().stdin = None;
        Poll::Ready(Ok(()))
    }
}

/// Connects to a port as the other machine sees it. It is open once the master has confirmed it,
/// which the client tells at its first level of debugging and no other way.
pub(super) async fn tcp(
    route: &Route,
    master: &Master,
    host: &str,
    port: u16,
) -> Result<Stream, ConnectError> {
    let to = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mark = master.log.position();
    let mut ssh = route.client(&["-o", "LogLevel=DEBUG1"]);
    ssh.args(["-W", &to, "--", &route.destination]);
    let unreachable = |e: RunError| ConnectError::Unreachable(e.to_string());
    let (group, mut child) = child::start(&mut ssh, "ssh", Stdio::piped()).map_err(unreachable)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
        return Err(ConnectError::Unreachable("ssh has no output".to_owned()));
    };
    let mut said = BufReader::new(stderr.take(MAX_SAID)).lines();
    let mut last = String::new();
    while let Ok(Some(line)) = said.next_line().await {
        if line.contains("master session id") {
            return Ok(Stream::Forwarded(Box::new(Forwarded {
                stdin,
                stdout,
                _group: group,
                _child: child,
            })));
        }
        if !line.starts_with("debug1:") && !line.trim().is_empty() {
            last = line;
        }
    }
    let refused = last.contains("refused by peer") || last.contains("stdio forwarding");
    if refused {
        Err(why_not(master, mark, &to).await)
    } else {
        Err(ConnectError::Unreachable(master.why_lost(&last).await))
    }
}

/// A socket that is open on this side, perhaps not on the other.
pub(super) struct HalfOpen<'a> {
    stream: UnixStream,
    master: &'a Master,
    mark: u64,
}

/// Connects to a socket over there, as far as this side goes.
pub(super) async fn unix<'a>(
    route: &Route,
    master: &'a Master,
    path: &Path,
) -> Result<HalfOpen<'a>, ConnectError> {
    let local = {
        let mut forwards = master.forwards.lock().await;
        match forwards.get(path) {
            Some(local) => local.clone(),
            None if forwards.len() >= MAX_FORWARDS => {
                return Err(ConnectError::Unreachable(format!(
                    "more than {MAX_FORWARDS} sockets of one host"
                )));
            }
            None => {
                let local = route.dir.path().join(format!("f{}", forwards.len()));
                add_forward(route, master, &local, path).await?;
                forwards.insert(path.to_owned(), local.clone());
                local
            }
        }
    };
    let mark = master.log.position();
    let stream = UnixStream::connect(&local).await;
    let stream = stream.map_err(|e| ConnectError::Unreachable(format!("ssh's forward is gone: {e}")))?;
    Ok(HalfOpen { stream, master, mark })
}

async fn add_forward(
    route: &Route,
    master: &Master,
    local: &Path,
    remote: &Path,
) -> Result<(), ConnectError> {
    // The forward of a master before this one may have left its socket.
    let _ = std::fs::remove_file(local);
    let spec = format!("{}:{}", local.display(), remote.display());
    let mut ssh = route.client(&["-o", "LogLevel=ERROR", "-O", "forward", "-L", &spec]);
    ssh.args(["--", &route.destination]);
    let started =
        child::start(&mut ssh, "ssh", Stdio::null()).map_err(|e| ConnectError::Unreachable(e.to_string()))?;
    let output = child::finish(started, 4096).await.map_err(|e| ConnectError::Unreachable(e.to_string()))?;
    if output.status == 0 {
        return Ok(());
    }
    Err(ConnectError::Unreachable(master.why_lost(&String::from_utf8_lossy(&output.stderr)).await))
}

impl HalfOpen<'_> {
    /// The stream, unless the other side has closed it by now. To be called when the answer to
    /// something that was sent later has come back.
    pub(super) async fn unless_refused(self, to: &Endpoint) -> Result<Stream, ConnectError> {
        let mut probe = [0u8; 1];
        let closed = rustix::net::recv(
            &self.stream,
            &mut probe[..],
            rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT,
        )
        .is_ok_and(|(n, _)| n == 0);
        if closed {
            Err(why_not(self.master, self.mark, &to.to_string()).await)
        } else {
            Ok(Stream::Unix(self.stream))
        }
    }
}

/// Why the other side did not open a connection, by what the master has said since. Its lines
/// name no target: when several that fail at the same time disagree, it is not known which is ours.
async fn why_not(master: &Master, mark: u64, to: &str) -> ConnectError {
    let failures = async {
        loop {
            let lines = master.log.since(mark);
            let found: Vec<String> =
                lines.iter().filter_map(|l| Some(l.split_once("open failed: ")?.1.to_owned())).collect();
            if !found.is_empty() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let found = tokio::time::timeout(REASON, failures).await.unwrap_or_default();
    sort(&found, to)
}

fn sort(found: &[String], to: &str) -> ConnectError {
    let all = |what: &str| !found.is_empty() && found.iter().all(|l| l.contains(what));
    if all("Connection refused") || all("connect failed: open failed") {
        return ConnectError::Refused(format!("connection refused by {to}"));
    }
    if all("administratively prohibited") || all("Permission denied") {
        return ConnectError::NotAllowed(format!("sshd does not allow a connection to {to}"));
    }
    match found {
        [one] => ConnectError::Unreachable(format!("no way to {to} from there: {one}")),
        [] => ConnectError::Unreachable(format!("cannot connect to {to} from there")),
        _ => ConnectError::Unreachable(format!(
            "cannot connect to {to} from there, nor to others: {}",
            found.join("; ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_count_only_when_they_agree() {
        let sorted = |lines: &[&str]| sort(&lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>(), "x:1");
        let refused = "connect failed: Connection refused";
        assert!(matches!(sorted(&[refused]), ConnectError::Refused(_)));
        assert!(matches!(sorted(&[refused, refused]), ConnectError::Refused(_)));
        assert!(matches!(
            sorted(&[refused, "connect failed: No route to host"]),
            ConnectError::Unreachable(_)
        ));
        assert!(matches!(sorted(&["administratively prohibited: open failed"]), ConnectError::NotAllowed(_)));
        assert!(matches!(sorted(&[]), ConnectError::Unreachable(_)));
    }
}
