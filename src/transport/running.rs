//! A program that runs while its output is read: what it says piece by piece, and its end, also
//! when something that it has started holds its output open.

use super::child::KillGroup;
use super::ssh::Words;
use super::{Local, RunError};
use secrecy::{ExposeSecret, SecretString};
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin};
use tokio::sync::OwnedSemaphorePermit;

/// Read at a time from each output.
const CHUNK: usize = 64 << 10;
/// What ssh exits with when it fails itself.
const SSH_FAILED: i32 = 255;

/// A program to start.
#[derive(Debug)]
pub struct Start {
    /// As it is started, with `sudo` and all.
    pub argv: Vec<String>,
    /// Added to its environment. Never in an argv on either side.
    pub env: Vec<(String, SecretString)>,
    /// Variables of our own environment that it must not inherit; on this machine only.
    pub hide: Vec<String>,
    /// What it reads; without it, nothing.
    pub stdin: Option<SecretString>,
    /// Standard error comes with standard output, in the order in which it was written.
    pub merged: bool,
    /// Over ssh it is ended through `sudo -n kill` when our side goes away.
    pub sudo: bool,
}

/// What happened next.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'a> {
    Out(&'a [u8]),
    Err(&'a [u8]),
    /// Over ssh: its process group is known from now on.
    Begun,
    /// The program itself has ended: its status, 128 + n when signal n ended it. Others may still
    /// hold its output open.
    Ended(i32),
    /// There is no such program over there.
    Absent,
    /// The way to the host was lost; what became of the program is not known.
    Lost(String),
    /// Nobody holds its output open any more. Said again each time.
    Closed,
}

enum What {
    Out(usize),
    Err(usize),
    Exit,
}

/// A started program. Dropping it kills its process group here; over ssh it is told to end.
#[derive(Debug)]
pub struct Running {
    out: Option<pipe::Receiver>,
    err: Option<pipe::Receiver>,
    out_chunk: Vec<u8>,
    err_chunk: Vec<u8>,
    /// Over ssh: what the other side says of the program between its own lines.
    far: Option<Words>,
    // Before the child: the group is killed before its leader is given up.
    group: KillGroup,
    child: Child,
    exit: Option<AsyncFd<OwnedFd>>,
    /// The exit status of our child, once it is known.
    status: Option<i32>,
    told: bool,
    feeder: Option<tokio::task::AbortHandle>,
    /// The place of a session, taken as long as this lives.
    place: Option<OwnedSemaphorePermit>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(feeder) = &self.feeder {
            feeder.abort();
        }
    }
}

/// Starts a program of this machine, which may be an ssh that runs one elsewhere.
pub(super) fn start(
    command: &mut tokio::process::Command,
    name: &str,
    stdin: Stdio,
    merged: bool,
) -> Result<(Running, Option<ChildStdin>), RunError> {
    let (out, out_end) = io::pipe().map_err(RunError::Io)?;
    let (err, err_end) = if merged {
        (None, out_end.try_clone().map_err(RunError::Io)?)
    } else {
        let (err, err_end) = io::pipe().map_err(RunError::Io)?;
        (Some(err), err_end)
    };
    let receive = |end: io::PipeReader| pipe::Receiver::from_owned_fd(end.into()).map_err(RunError::Io);
    let (out, err) = (receive(out)?, err.map(receive).transpose()?);
    command.stdin(stdin).stdout(out_end).stderr(err_end).process_group(0).kill_on_drop(true);
    let spawned = command.spawn();
    // The command keeps our ends of the pipes, which would then never close.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = spawned.map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => RunError::NotFound(name.to_owned()),
        io::ErrorKind::PermissionDenied => RunError::NotAllowed(name.to_owned()),
        _ => RunError::Io(e),
    })?;
    let input = child.stdin.take();
    let running = Running {
        out: Some(out),
        err,
        out_chunk: vec![0; CHUNK],
        err_chunk: vec![0; CHUNK],
        far: None,
        group: KillGroup::of(&child),
        exit: child.id().and_then(watch),
        child,
        status: None,
        told: false,
        feeder: None,
        place: None,
    };
    Ok((running, input))
}

/// Watches for a child's end without taking it: as long as it is not taken, its id and that of
/// its group are nobody else's. `None` where the kernel has no such thing.
#[expect(deprecated, reason = "its successor is unsafe; an owned descriptor is what it asks for")]
fn watch(id: u32) -> Option<AsyncFd<OwnedFd>> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(id).ok()?)?;
    let fd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::NONBLOCK).ok()?;
    AsyncFd::with_interest(fd, tokio::io::Interest::READABLE).ok()
}

impl Running {
    /// Writes what it reads, in a task that ends with this. With `hold`, the input then stays open.
    pub(super) fn feed(&mut self, input: Option<ChildStdin>, text: Vec<SecretString>, hold: bool) {
        let Some(mut input) = input else { return };
        let task = tokio::spawn(async move {
            for part in text {
                // A program that does not read its input says so by closing it.
                if input.write_all(part.expose_secret().as_bytes()).await.is_err() {
                    break;
                }
            }
            if hold {
                std::future::pending::<()>().await;
            }
        });
        self.feeder = Some(task.abort_handle());
    }

    pub(super) fn over_ssh(&mut self, words: Words, place: OwnedSemaphorePermit) {
        self.far = Some(words);
        self.place = Some(place);
    }

    /// The process group that it leads on its host, once it is known.
    pub fn group(&self) -> Option<u32> {
        match &self.far {
            Some(words) => words.group(),
            None => self.group.leader(),
        }
    }

    /// What happens next. Not bounded in time. Cancel-safe.
    ///
    /// # Errors
    /// When its output cannot be read.
    pub async fn next(&mut self) -> io::Result<Said<'_>> {
        loop {
            if let Some(words) = &mut self.far {
                if words.has_begun() {
                    return Ok(Said::Begun);
                }
                if !self.told
                    && let Some(said) = words.outcome()
                {
                    self.told = true;
                    return Ok(said);
                }
                if !words.text().is_empty() {
                    return Ok(Said::Err(self.far.as_mut().map_or(&[], Words::take)));
                }
            }
            if let Some(status) = self.status.filter(|_| !self.told) {
                // An ssh that has ended may have left words that are still to be read.
                if self.far.is_none() || self.err.is_none() {
                    self.told = true;
                    return Ok(match (&mut self.far, status) {
                        (Some(words), SSH_FAILED) => Said::Lost(words.complaint()),
                        _ => Said::Ended(status),
                    });
                }
            }
            if self.out.is_none() && self.err.is_none() && self.told {
                return Ok(Said::Closed);
            }
            match self.wait().await? {
                What::Out(0) => self.out = None,
                What::Out(n) => return Ok(Said::Out(self.out_chunk.get(..n).unwrap_or(&[]))),
                What::Err(0) => self.err = None,
                What::Err(n) if self.far.is_none() => {
                    return Ok(Said::Err(self.err_chunk.get(..n).unwrap_or(&[])));
                }
                What::Err(n) => {
                    if let Some(words) = &mut self.far {
                        words.push(self.err_chunk.get(..n).unwrap_or(&[]));
                    }
                }
                What::Exit => self.status = Some(self.exit_status().await?),
            }
        }
    }

    async fn wait(&mut self) -> io::Result<What> {
        let Running { out, err, out_chunk, err_chunk, exit, child, status, .. } = self;
        let ended = async {
            match exit {
                Some(exit) => exit.readable().await.map(drop),
                None => child.wait().await.map(drop),
            }
        };
        tokio::select! {
            n = read(out, out_chunk), if out.is_some() => Ok(What::Out(n?)),
            n = read(err, err_chunk), if err.is_some() => Ok(What::Err(n?)),
            done = ended, if status.is_none() => done.map(|()| What::Exit),
        }
    }

    /// The status of our child, which has ended and stays to be waited for.
    async fn exit_status(&mut self) -> io::Result<i32> {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        use std::os::unix::process::ExitStatusExt;
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let (Some(_), Some(pid)) = (&self.exit, pid) {
            let flags = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            if let Some(how) = waitid(WaitId::Pid(pid), flags)? {
                let signal = || how.terminating_signal().unwrap_or(0);
                return Ok(how.exit_status().unwrap_or_else(|| 128 + signal()));
            }
        }
        let status = self.child.wait().await?;
        Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
    }

    /// Lets go of what still runs: nothing is killed, and its output is read no more.
    pub async fn release(mut self) {
        if self.status.is_none() {
            // An ssh whose program has ended, while others over there hold its output.
            let _ = self.child.start_kill();
        }
        let _ = self.child.wait().await;
        self.group.disarm();
    }
}

async fn read(from: &mut Option<pipe::Receiver>, into: &mut [u8]) -> io::Result<usize> {
    match from {
        Some(from) => from.read(into).await,
        None => std::future::pending().await,
    }
}

impl Local {
    /// Starts a program here; see [`super::Transport::start`].
    pub(super) fn start(&self, what: Start) -> Result<Running, RunError> {
        let (program, args) =
            what.argv.split_first().ok_or_else(|| RunError::NotFound("an empty command".to_owned()))?;
        let mut command = self.command(program);
        command.args(args);
        for name in &what.hide {
            command.env_remove(name);
        }
        for (name, value) in &what.env {
            command.env(name, value.expose_secret());
        }
        let stdin = if what.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let (mut running, input) = start(&mut command, program, stdin, what.merged)?;
        running.feed(input, what.stdin.into_iter().collect(), false);
        Ok(running)
    }
}
