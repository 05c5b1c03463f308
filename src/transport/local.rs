//! This machine: sockets and processes.

use super::files::{FileError, FileKind, FileStat};
use super::stream::Stream;
use super::{Command, ConnectError, Output, RunError, child};
use crate::stack::kind::common::Endpoint;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;

/// File operations in flight at most, and so threads that a dead network file system can hold.
const MAX_FILE_OPERATIONS: usize = 32;

#[derive(Debug)]
pub struct Local {
    /// PATH for commands.
    path: OsString,
    /// Room for file operations; one that hangs keeps its place, so that the next ones wait here
    /// and not in a thread of their own.
    files: Arc<Semaphore>,
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
        Local { path: all, files: Arc::new(Semaphore::new(MAX_FILE_OPERATIONS)) }
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
        let mut process = self.command(program);
        process.args(args);
        child::finish(child::start(&mut process, program, Stdio::null())?, command.max_stdout).await
    }

    /// A program of this machine in the host's environment.
    pub(super) fn command(&self, program: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(self.resolve(program));
        command.env("PATH", &self.path).env("LC_ALL", "C.UTF-8");
        command
    }

    pub(super) async fn read_file(&self, path: &str, max: usize) -> Result<Vec<u8>, FileError> {
        self.file(path, move |path| read_now(path, max)).await
    }

    pub(super) async fn stat(&self, path: &str) -> Result<FileStat, FileError> {
        self.file(path, stat_now).await
    }

    pub(super) async fn real_path(&self, path: &str) -> Result<String, FileError> {
        self.file(path, |path| Ok(std::fs::canonicalize(path)?.to_string_lossy().into_owned())).await
    }

    /// Does something with a file: at once where the kernel alone answers, else in a thread,
    /// since a network file system may never answer.
    async fn file<T: Send + 'static>(
        &self,
        path: &str,
        work: impl FnOnce(&Path) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, FileError> {
        if answers_at_once(path) {
            return work(Path::new(path));
        }
        let path = path.to_owned();
        self.blocking(move || work(Path::new(&path))).await
    }

    /// Runs blocking work on files in a thread, bounded in number.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, FileError> {
        let closed = |_| FileError::Other("the program is shutting down".to_owned());
        let place = Arc::clone(&self.files).acquire_owned().await.map_err(closed)?;
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        done.await.map_err(|e| FileError::Other(format!("the look at it failed: {e}")))?
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

/// Whether a path is one of the kernel's own tables. What belongs to one process is not: its
/// memory may be locked by something that hangs.
fn answers_at_once(path: &str) -> bool {
    let of_kernel =
        path.strip_prefix("/proc/").is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
    (of_kernel || path.starts_with("/sys/")) && !path.contains("..") && !path.contains("/root/")
}

fn read_now(path: &Path, max: usize) -> Result<Vec<u8>, FileError> {
    use rustix::fs::{Mode, OFlags};
    // Without NONBLOCK, opening a pipe that nobody writes to waits for ever.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = std::fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match FileKind::from_mode(rustix::fs::fstat(&file)?.st_mode) {
        FileKind::File => {}
        other => return Err(FileError::NotAFile(other.name())),
    }
    let mut bytes = Vec::new();
    file.take(max as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn stat_now(path: &Path) -> Result<FileStat, FileError> {
    let stat = rustix::fs::stat(path)?;
    Ok(FileStat {
        kind: FileKind::from_mode(stat.st_mode),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: stat.st_mtime as f64 + stat.st_mtime_nsec as f64 / 1e9,
    })
}

/// Sorts an error into "it said no" and "no way there".
pub(crate) fn connect_error(to: &Endpoint, e: &io::Error) -> ConnectError {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable, NotFound, PermissionDenied,
        WouldBlock,
    };
    match (to, e.kind()) {
        // The kernel says so at once when nobody holds the socket open: its owner is gone.
        (Endpoint::Unix(_), ConnectionRefused) => {
            ConnectError::Refused(format!("connection refused by {to} (the socket file is stale)"))
        }
        (Endpoint::Unix(_), WouldBlock) => {
            ConnectError::Refused(format!("the queue of {to} is full: it does not accept"))
        }
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
    fn a_dropped_command_takes_its_children_with_it() {
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let pids = dir.path().join("pids");
        let script = format!("sleep 600 & echo $! >{0}; echo $$ >>{0}; sleep 601; true", pids.display());
        rt.block_on(async {
            let (local, command) = (Local::new(&[]), Command::new(["sh", "-c", &script]));
            let started = async {
                while std::fs::read_to_string(&pids).unwrap_or_default().lines().count() < 2 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                _ = local.run(&command) => panic!("it sleeps"),
                () = started => {}
            }
        });
        let alive = |pid: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "))
        };
        for pid in std::fs::read_to_string(&pids).unwrap().lines() {
            while alive(pid) {
                std::thread::yield_now(); // killed already; it only has to be seen to
            }
        }
    }

    #[test]
    fn files_are_read_up_to_a_bound_and_only_files() {
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(at("f"), "abcdef").unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("p"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        rt.block_on(async {
            let local = Local::new(&[]);
            assert_eq!(local.read_file(&at("f"), 4).await.unwrap(), b"abcd");
            assert!(!local.read_file("/proc/meminfo", 4096).await.unwrap().is_empty());
            assert!(matches!(local.read_file(&at("none"), 4).await, Err(FileError::NotFound)));
            assert!(matches!(local.read_file(&at("f/x"), 4).await, Err(FileError::NotFound)));
            assert!(matches!(local.read_file(&at(""), 4).await, Err(FileError::NotAFile("directory"))));
            assert!(matches!(local.read_file(&at("p"), 4).await, Err(FileError::NotAFile("fifo"))));
            assert!(matches!(local.read_file("/dev/zero", 4).await, Err(FileError::NotAFile(_))));
            assert_eq!(local.stat(&at("f")).await.unwrap().size, 6);
            assert_eq!(local.stat(&at("p")).await.unwrap().kind, FileKind::Fifo);
        });
    }

    #[test]
    fn a_missing_program_is_named() {
        assert_eq!(
            run(&["no-such-program-here"]).unwrap_err().to_string(),
            "no-such-program-here: no such program"
        );
    }
}
