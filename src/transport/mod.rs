//! Where a command or a connection runs: on this machine, or through ssh on another.

pub mod bridge;
mod child;
pub mod fetch;
pub mod files;
pub mod json;
pub mod limited;
pub mod local;
pub mod postgres;
pub mod quote;
pub mod redis;
pub mod reply;
pub mod resp;
pub mod running;
pub mod secret;
pub mod ssh;
pub mod stream;
pub mod tls;

use crate::stack::kind::common::Endpoint;
use crate::stack::spec::{Host, TransportSpec};
use files::{FileError, FileStat};
use local::Local;
use running::{Running, Start};
use ssh::Ssh;
use std::io;
use stream::Stream;

/// The way to one host.
#[derive(Debug)]
pub enum Transport {
    Local(Local),
    Ssh(Ssh),
}

/// A command to run on a host: an argv, never a shell line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    pub argv: Vec<String>,
    /// Through `sudo -n`, which never asks for a password.
    pub sudo: bool,
    /// Kept of standard output, in bytes; what exceeds it is counted and dropped.
    pub max_stdout: usize,
}

/// Kept of a command's standard output when nothing else is said.
pub const MAX_STDOUT: usize = 256 << 10;
/// Kept of a command's standard error.
pub const MAX_STDERR: usize = 16 << 10;

impl Command {
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Command { argv: argv.into_iter().map(Into::into).collect(), sudo: false, max_stdout: MAX_STDOUT }
    }

    #[must_use]
    pub fn sudo(mut self, yes: bool) -> Self {
        self.sudo = yes;
        self
    }

    /// The argv as it is started.
    pub fn full_argv(&self) -> Vec<&str> {
        let prefix: &[&str] = if self.sudo { &["sudo", "-n", "--"] } else { &[] };
        prefix.iter().copied().chain(self.argv.iter().map(String::as_str)).collect()
    }
}

/// What a finished command left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit status; 128 + n when signal n ended it.
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Bytes of output that were dropped because of the bounds.
    pub dropped: u64,
}

/// Why a command could not be run to its end.
#[derive(Debug)]
pub enum RunError {
    /// No such program on that host.
    NotFound(String),
    /// The program exists and may not be run.
    NotAllowed(String),
    /// The way to the host failed.
    Unreachable(String),
    Io(io::Error),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RunError::NotFound(program) => write!(f, "{program}: no such program"),
            RunError::NotAllowed(program) => write!(f, "{program}: not allowed to run it"),
            RunError::Unreachable(why) => write!(f, "cannot reach the host: {why}"),
            RunError::Io(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for RunError {}

/// Why a connection could not be opened.
#[derive(Debug)]
pub enum ConnectError {
    /// The target said no: it is there and not listening.
    Refused(String),
    /// There is no way there from here: no route, no such name, the tunnel is gone.
    Unreachable(String),
    /// The target exists and we may not use it.
    NotAllowed(String),
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConnectError::Refused(why) | ConnectError::Unreachable(why) | ConnectError::NotAllowed(why) => {
                f.write_str(why)
            }
        }
    }
}

impl std::error::Error for ConnectError {}

impl Transport {
    /// Prepares the way; nothing is opened yet.
    ///
    /// # Errors
    /// When this kind of transport cannot be used here.
    pub fn new(host: &Host) -> Result<Transport, String> {
        match &host.transport {
            TransportSpec::Local => Ok(Transport::Local(Local::new(&host.path))),
            TransportSpec::Ssh { destination, port, config } => {
                Ssh::new(destination, *port, config.as_deref(), &host.path).map(Transport::Ssh)
            }
        }
    }

    /// Whether commands and files are this machine's own.
    pub fn is_local(&self) -> bool {
        matches!(self, Transport::Local(_))
    }

    /// This machine's own files and processes, for what is looked at by many small reads.
    pub(crate) fn local(&self) -> Option<&Local> {
        match self {
            Transport::Local(local) => Some(local),
            Transport::Ssh(_) => None,
        }
    }

    /// What stands between us and the host at this moment, for a look that ran out of time: it
    /// completes "unreachable: …".
    pub fn trouble(&self) -> Option<String> {
        match self {
            Transport::Local(_) => None,
            Transport::Ssh(ssh) => ssh.trouble(),
        }
    }

    /// Opens a connection. Not bounded in time: the caller's deadline does that. Cancel-safe:
    /// dropping the future closes what was opened.
    pub async fn connect(&self, to: &Endpoint) -> Result<Stream, ConnectError> {
        match self {
            Transport::Local(local) => local.connect(to).await,
            Transport::Ssh(ssh) => ssh.connect(to).await,
        }
    }

    /// Runs a command to its end, with no input. Not bounded in time: the caller's deadline does
    /// that. Cancel-safe: dropping the future kills the command.
    pub async fn run(&self, command: &Command) -> Result<Output, RunError> {
        match self {
            Transport::Local(local) => local.run(command).await,
            Transport::Ssh(ssh) => ssh.run(command).await,
        }
    }

    /// Starts a program whose output is read while it runs, in a process group of its own. Not
    /// bounded in time. Dropping what it gives ends the program.
    pub async fn start(&self, what: Start) -> Result<Running, RunError> {
        match self {
            Transport::Local(local) => local.start(what),
            Transport::Ssh(ssh) => ssh.start(what).await,
        }
    }

    /// Reads the first `max` bytes of a file; ask for one more than you want in order to learn
    /// whether there is more. Directories, sockets, pipes and devices are refused. Not bounded in
    /// time: the caller's deadline does that. Cancel-safe.
    pub async fn read_file(&self, path: &str, max: usize) -> Result<Vec<u8>, FileError> {
        match self {
            Transport::Local(local) => local.read_file(path, max).await,
            Transport::Ssh(ssh) => ssh.read_file(path, max).await,
        }
    }

    /// What the file system says of a path, symbolic links followed. Not bounded in time: the
    /// caller's deadline does that. Cancel-safe.
    pub async fn stat(&self, path: &str) -> Result<FileStat, FileError> {
        match self {
            Transport::Local(local) => local.stat(path).await,
            Transport::Ssh(ssh) => ssh.stat(path).await,
        }
    }

    /// The path with every symbolic link resolved. Bounds as for [`Transport::stat`].
    pub async fn real_path(&self, path: &str) -> Result<String, FileError> {
        match self {
            Transport::Local(local) => local.real_path(path).await,
            Transport::Ssh(ssh) => ssh.real_path(path).await,
        }
    }
}
