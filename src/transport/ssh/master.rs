//! The one connection to a host that everything else is carried by.
//!
//! It runs as our child with a session of its own: a remote `cat` on a pipe that we hold. When we
//! die, however that happens, the pipe closes and the connection with it. It is started in a task
//! of its own, since a look that gives up after two seconds must not end a login that takes three.

use super::Route;
use crate::domain::text;
use crate::transport::child::{self, KillGroup};
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Child;
use tokio::sync::watch;

/// Said by the other side once its shell runs.
const READY: &str = "quarterdeck-ready";
/// Seconds for the connection itself; logging in may take as long again.
const CONNECT: u64 = 10;
const LOGIN: Duration = Duration::from_secs(2 * CONNECT);
/// How long a failure stands before the next try; longer when it was refused, so that nothing
/// over there takes us for an attacker.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_REFUSED: Duration = Duration::from_secs(30);
/// Read of what the other side says before it is ready: greetings of its start files.
const MAX_GREETING: u64 = 64 << 10;
/// Lines of the master's complaints kept.
const MAX_LINES: usize = 64;
/// The longest of them.
const MAX_LINE: u64 = 4 << 10;

/// How the connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Starting,
    Up,
    /// It could not be made, or was lost; the text says why.
    Failed(String),
}

/// A handle on the connection; the connection ends with its task.
#[derive(Clone, Debug)]
pub(super) struct Master {
    status: watch::Receiver<Status>,
    task: tokio::task::AbortHandle,
    pub(super) log: Log,
    /// Sockets over there that are reachable here, by their path.
    pub(super) forwards: Arc<tokio::sync::Mutex<HashMap<PathBuf, PathBuf>>>,
}

impl Master {
    pub(super) fn start(route: Arc<Route>) -> Master {
        let (tell, status) = watch::channel(Status::Starting);
        let log = Log::default();
        let task = tokio::spawn(hold(route, tell, log.clone())).abort_handle();
        Master { status, task, log, forwards: Arc::default() }
    }

    pub(super) fn stop(&self) {
        self.task.abort();
    }

    pub(super) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// False once its task has ended: then the next asker starts another. A failure that still
    /// stands is current.
    pub(super) fn is_current(&self) -> bool {
        self.status.has_changed().is_ok()
    }

    pub(super) async fn wait(&self) -> Result<(), String> {
        let mut status = self.status.clone();
        let settled = status.wait_for(|s| *s != Status::Starting).await;
        match settled.map(|s| s.clone()) {
            Ok(Status::Failed(why)) => Err(why),
            Ok(_) => Ok(()),
            Err(_) => Err("the connection was given up".to_owned()),
        }
    }

    /// Why a client failed: the master's own last word when it is gone, else the client's.
    pub(super) async fn why_lost(&self, client: &str) -> String {
        let mut status = self.status.clone();
        // The client may learn it a moment before we do.
        let lost =
            tokio::time::timeout(Duration::from_millis(200), status.wait_for(|s| *s != Status::Up)).await;
        match lost {
            Ok(Ok(found)) => match &*found {
                Status::Failed(why) => why.clone(),
                _ => last_line(client),
            },
            _ => last_line(client),
        }
    }
}

/// The last line that says anything.
fn last_line(text: &str) -> String {
    let line = text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("ssh failed and said nothing");
    text::one_line(line, 200)
}

/// What the master complained of lately, each line with its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<(u64, VecDeque<String>)>>);

impl Log {
    /// How many lines there have been.
    pub(super) fn position(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// The lines since a position, as far as they are kept.
    pub(super) fn since(&self, position: u64) -> Vec<String> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(log.0.saturating_sub(position)).unwrap_or(usize::MAX);
        log.1.iter().skip(log.1.len().saturating_sub(new)).cloned().collect()
    }

    fn add(&self, line: String) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.0 += 1;
        if log.1.len() >= MAX_LINES {
            log.1.pop_front();
        }
        log.1.push_back(line);
    }

    fn last(&self) -> String {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last_line(log.1.back().map_or("", String::as_str))
    }
}

/// Makes the connection, tells how it stands, and ends with it.
async fn hold(route: Arc<Route>, tell: watch::Sender<Status>, log: Log) {
    let why = match tokio::time::timeout(LOGIN, connect(&route, &log)).await {
        Ok(Ok((mut group, mut child, drain))) => {
            tell.send_replace(Status::Up);
            let _ = child.wait().await;
            group.disarm();
            // A greeting's rest may hold the pipe; what was said is read already or not worth waiting for.
            let _ = tokio::time::timeout(Duration::from_millis(100), drain).await;
            tell.send_replace(Status::Failed(format!("the connection was lost: {}", log.last())));
            return;
        }
        Ok(Err(why)) => why,
        Err(_) => format!("no login within {} s", LOGIN.as_secs()),
    };
    let refused = ["Permission denied", "Too many authentication", "Host key verification failed"];
    let pause = if refused.iter().any(|r| why.contains(r)) { PAUSE_REFUSED } else { PAUSE };
    tell.send_replace(Status::Failed(why));
    tokio::time::sleep(pause).await;
}

type Connected = (KillGroup, Child, tokio::task::JoinHandle<()>);

async fn connect(route: &Route, log: &Log) -> Result<Connected, String> {
    let mut ssh = route.ssh();
    ssh.args([
        "-M",
        "-o",
        "ControlPersist=no",
        "-o",
        "ClearAllForwardings=yes",
        "-o",
        "LogLevel=INFO",
        "-o",
        "ServerAliveInterval=3",
    ]);
    ssh.args(["-o", "ServerAliveCountMax=2", "-o", &format!("ConnectTimeout={CONNECT}")]);
    ssh.args(["--", &route.destination, &format!("echo {READY}; exec cat >/dev/null")]);
    let (mut group, mut child) = child::start(&mut ssh, "ssh", Stdio::piped()).map_err(|e| e.to_string())?;
    let Some((out, err)) = child.stdout.take().zip(child.stderr.take()) else {
        return Err("ssh has no output".to_owned());
    };
    let drain = tokio::spawn(keep_lines(err, log.clone()));
    let mut greeting = BufReader::new(out.take(MAX_GREETING)).lines();
    while let Ok(Some(line)) = greeting.next_line().await {
        if line.trim() == READY {
            // `cat` stands over there until our end of its input closes, and that is with `child`.
            return Ok((group, child, drain));
        }
    }
    let status = child.wait().await.map_err(|e| e.to_string())?;
    group.disarm();
    let _ = tokio::time::timeout(Duration::from_millis(500), drain).await;
    if status.code() == Some(255) {
        Err(log.last())
    } else {
        Err(format!("expected a shell over there, got none ({status}): {}", log.last()))
    }
}

/// Keeps what the master says, line by line and bounded.
async fn keep_lines(source: impl AsyncRead + Unpin, log: Log) {
    let mut source = BufReader::new(source);
    loop {
        let mut line = Vec::new();
        match (&mut source).take(MAX_LINE).read_until(b'\n', &mut line).await {
            Ok(n) if n > 0 => {
                let text = text::one_line_bytes(&line, 300);
                if !text.is_empty() {
                    log.add(text);
                }
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_counts_on() {
        let log = Log::default();
        for i in 0..200 {
            log.add(format!("line {i}"));
        }
        assert_eq!(
            (log.position(), log.since(198)),
            (200, vec!["line 198".to_owned(), "line 199".to_owned()])
        );
        assert_eq!(log.since(0).len(), MAX_LINES);
        assert_eq!(log.last(), "line 199");
    }
}
