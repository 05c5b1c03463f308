//! A program started on this machine: its bounded output, and its certain end.

use super::{MAX_STDERR, Output, RunError};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// Starts a program in a group of its own, with piped output, to be killed when it is dropped.
/// The name is what an error calls it.
pub fn start(command: &mut Command, name: &str, stdin: Stdio) -> Result<(KillGroup, Child), RunError> {
    let child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Its own group, so that a terminal's Ctrl-C is not also the command's.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => RunError::NotFound(name.to_owned()),
            io::ErrorKind::PermissionDenied => RunError::NotAllowed(name.to_owned()),
            _ => RunError::Io(e),
        })?;
    Ok((KillGroup(child.id()), child))
}

/// Lets a started program run to its end. Its input, if piped, stays open until then.
pub async fn finish(started: (KillGroup, Child), max_stdout: usize) -> Result<Output, RunError> {
    // The order matters: a dropped future kills the group before the leader is given up.
    let (group, child) = started;
    let mut child = child;
    let mut group = group;
    let _stdin = child.stdin.take();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::join!(read_bounded(out, max_stdout), read_bounded(err, MAX_STDERR));
    let (stdout, dropped_out) = stdout.map_err(RunError::Io)?;
    let (stderr, dropped_err) = stderr.map_err(RunError::Io)?;
    let status = child.wait().await.map_err(RunError::Io)?;
    group.disarm();
    let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(Output { status, stdout, stderr, dropped: dropped_out + dropped_err })
}

/// Ends a command's whole process group when it is dropped, so that what a script has started
/// does not outlive it. A command under sudo belongs to root and cannot be ended by others; it
/// ends when it next writes to the closed pipe.
#[derive(Debug)]
pub struct KillGroup(Option<u32>);

impl KillGroup {
    /// The group that a child leads.
    pub fn of(child: &Child) -> KillGroup {
        KillGroup(child.id())
    }

    /// Its leader's id.
    pub fn leader(&self) -> Option<u32> {
        self.0
    }

    /// The leader has been waited for; its id may be another's by now.
    pub fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for KillGroup {
    fn drop(&mut self) {
        // The leader has not been waited for yet, so its id cannot belong to anyone else.
        let leader = self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(leader) = leader {
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
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
