//! The Unix socket of a run, also where its path is longer than such an address may be.

use crate::act::rundir::RunDir;
use rustix::fs::{Mode, OFlags};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// The longest path in a Unix socket's address, in bytes.
const MAX_PATH: usize = 107;

/// An address, and what must stay open while it is used.
fn address(dir: &RunDir) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    let path = dir.socket();
    if path.as_os_str().len() <= MAX_PATH {
        return Ok((path, None));
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let held = rustix::fs::open(dir.path(), flags, Mode::empty())?;
    let name = path.file_name().unwrap_or_default().to_owned();
    Ok((PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd())).join(name), Some(held)))
}

/// Listens; a socket that a dead runner left is replaced. Only who may write the run's directory
/// may speak to it. To be called by who holds the run's journal.
///
/// # Errors
/// As from the system.
pub(super) fn bind(dir: &RunDir) -> io::Result<UnixListener> {
    let (path, _held) = address(dir)?;
    match fs::remove_file(&path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let listener = UnixListener::bind(&path)?;
    let mode = if dir.group().is_some() { 0o660 } else { 0o600 };
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Speaks to the runner.
///
/// # Errors
/// As from the system: `NotFound` and `ConnectionRefused` when there is none.
pub(super) fn connect(dir: &RunDir) -> io::Result<UnixStream> {
    let (path, _held) = address(dir)?;
    UnixStream::connect(path)
}
