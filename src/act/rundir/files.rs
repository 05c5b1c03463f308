//! Files and directories of the state directory: opened without following a link, with the mode and
//! the group that they are to have, read within a bound, and their names brought to the disk.

use rustix::fs::{Gid, Mode, OFlags};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Opens a plain file of the state directory, following no link at its end. A new one gets mode
/// 0600, or 0660 and the group.
///
/// # Errors
/// As from the system; a pipe, socket or device is `InvalidInput`.
pub fn open(path: &Path, flags: OFlags, group: Option<u32>) -> io::Result<File> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let plain = |file: File| {
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"))
        }
    };
    if flags.contains(OFlags::CREATE) {
        match rustix::fs::open(path, flags | OFlags::EXCL, Mode::from_raw_mode(0o600)) {
            Ok(fd) => {
                let file = File::from(fd);
                give(&file, group, false)?;
                return plain(file);
            }
            Err(rustix::io::Errno::EXIST) if !flags.contains(OFlags::EXCL) => {}
            Err(e) => return Err(e.into()),
        }
    }
    plain(File::from(rustix::fs::open(path, flags.difference(OFlags::CREATE), Mode::empty())?))
}

/// Reads a plain file of at most `max` bytes.
///
/// # Errors
/// As from the system; `FileTooLarge` beyond the bound.
pub fn read_bounded(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let file = open(path, OFlags::RDONLY, None)?;
    let mut bytes = Vec::new();
    file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {max} bytes")));
    }
    Ok(bytes)
}

/// Has a directory's names on disk.
///
/// # Errors
/// As from the system.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    let fd = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::fs::fsync(fd)?)
}

/// Sets group and mode of a directory exactly.
///
/// # Errors
/// As from the system.
pub(super) fn admit(dir: &Path, group: Option<u32>) -> io::Result<()> {
    let fd = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    give(&File::from(fd), group, true)
}

/// Sets group and mode exactly, whatever the umask is.
fn give(file: &File, group: Option<u32>, is_dir: bool) -> io::Result<()> {
    if let Some(gid) = group
        && file.metadata()?.gid() != gid
    {
        rustix::fs::fchown(file, None, Some(Gid::from_raw(gid)))?;
    }
    let mode = match (group.is_some(), is_dir) {
        (false, true) => 0o700,
        (false, false) => 0o600,
        (true, true) => 0o2770,
        (true, false) => 0o660,
    };
    if file.metadata()?.mode() & 0o7777 == mode {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}
