//! Files of the state directory, to be read: opened without following a link, read within a bound.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Opens a plain file to be read, following no link at its end.
///
/// # Errors
/// As from the system; a pipe, socket or device is `InvalidInput`.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    plain(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// The file, if it is a plain one.
///
/// # Errors
/// As from the system; a pipe, socket or device is `InvalidInput`.
pub fn plain(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"))
    }
}

/// Reads a plain file of at most `max` bytes.
///
/// # Errors
/// As from the system; `FileTooLarge` beyond the bound.
pub fn read_bounded(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {max} bytes")));
    }
    Ok(bytes)
}
