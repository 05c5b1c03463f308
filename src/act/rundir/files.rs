//! Files and directories of the state directory, to be written: opened without following a link, with
//! the mode and the group that they are to have, and their names brought to the disk.

use crate::runs::files::plain;
use rustix::fs::{Gid, Mode, OFlags};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Opens a plain file of the state directory, following no link at its end. A new one gets mode
/// 0600, or 0660 and the group.
///
/// # Errors
/// As from the system; a pipe, socket or device is `InvalidInput`.
pub fn open(path: &Path, flags: OFlags, group: Option<u32>) -> io::Result<File> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
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
