//! Files on a host: what can be asked of them, and why it may not be answered.

use super::{Command, Output};
use std::fmt;
use std::io;

/// What something in a file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    Socket,
    Fifo,
    BlockDevice,
    CharDevice,
    Other,
}

impl FileKind {
    /// The word that a condition compares with.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::File => "file",
            FileKind::Directory => "directory",
            FileKind::Symlink => "symlink",
            FileKind::Socket => "socket",
            FileKind::Fifo => "fifo",
            FileKind::BlockDevice => "block device",
            FileKind::CharDevice => "character device",
            FileKind::Other => "other",
        }
    }

    /// From the type bits of `st_mode`.
    pub fn from_mode(raw: u32) -> FileKind {
        match raw & 0o170_000 {
            0o100_000 => FileKind::File,
            0o040_000 => FileKind::Directory,
            0o120_000 => FileKind::Symlink,
            0o140_000 => FileKind::Socket,
            0o010_000 => FileKind::Fifo,
            0o060_000 => FileKind::BlockDevice,
            0o020_000 => FileKind::CharDevice,
            _ => FileKind::Other,
        }
    }
}

/// What a file system says of a path, symbolic links followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FileStat {
    pub kind: FileKind,
    /// The permission bits, `0o7777` at most.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// In bytes.
    pub size: u64,
    /// When it was last written: seconds since the epoch by the host's own clock.
    pub modified: f64,
}

/// Why a file could not be looked at.
#[derive(Debug)]
pub enum FileError {
    /// No such path, or a part of it is no directory.
    NotFound,
    /// It, or a directory on the way, may not be looked at by us.
    NotAllowed,
    /// Its contents were asked for and it has none: a directory, a socket, a device.
    NotAFile(&'static str),
    /// The way to the host failed.
    Unreachable(String),
    Other(String),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::NotFound => f.write_str("no such file"),
            FileError::NotAllowed => f.write_str("permission denied"),
            FileError::NotAFile(what) => write!(f, "it is a {what}, not a file"),
            FileError::Unreachable(why) => write!(f, "cannot reach the host: {why}"),
            FileError::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for FileError {}

impl From<io::Error> for FileError {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileError::NotFound,
            io::ErrorKind::PermissionDenied => FileError::NotAllowed,
            io::ErrorKind::IsADirectory => FileError::NotAFile("directory"),
            // A process that ends while its files in /proc are read.
            _ if e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => FileError::NotFound,
            _ => FileError::Other(e.to_string()),
        }
    }
}

impl From<rustix::io::Errno> for FileError {
    fn from(e: rustix::io::Errno) -> Self {
        io::Error::from(e).into()
    }
}

/// The command that prints [`FileStat`]s of several paths: one line each, for [`parse_stat`].
pub fn stat_command(paths: &[&str]) -> Command {
    let fixed = ["stat", "-L", "-c", "%f %u %g %s %Y %n", "--"];
    Command::new(fixed.iter().chain(paths).copied())
}

/// Finds one path in the output of [`stat_command`]. The paths must have no line ends in them.
pub fn parse_stat(output: &Output, path: &str) -> Result<FileStat, FileError> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let line = stdout.lines().find_map(|line| {
        let mut words = line.splitn(6, ' ');
        let raw = u32::from_str_radix(words.next()?, 16).ok()?;
        let uid = words.next()?.parse().ok()?;
        let gid = words.next()?.parse().ok()?;
        let size = words.next()?.parse().ok()?;
        let modified = words.next()?.parse().ok()?;
        let kind = FileKind::from_mode(raw);
        (words.next()? == path).then_some(FileStat { kind, mode: raw & 0o7777, uid, gid, size, modified })
    });
    line.ok_or_else(|| said(&String::from_utf8_lossy(&output.stderr), Some(path)))
}

/// What a tool's complaint means, by the texts of the C locale. With a path, only lines that
/// name it count, as long as there are any.
pub fn said(stderr: &str, path: Option<&str>) -> FileError {
    let about = path.and_then(|p| stderr.lines().find(|l| l.contains(p)));
    let line = about.or_else(|| stderr.lines().rfind(|l| !l.trim().is_empty())).unwrap_or("");
    if line.contains("No such file or directory")
        || line.contains("Not a directory")
        || line.contains("No such process")
    {
        FileError::NotFound
    } else if line.contains("Permission denied") || line.contains("Operation not permitted") {
        FileError::NotAllowed
    } else if line.contains("Is a directory") {
        FileError::NotAFile("directory")
    } else if line.is_empty() {
        FileError::Other("the tool said nothing".to_owned())
    } else {
        FileError::Other(crate::domain::text::reason(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn output(stdout: &str, stderr: &str) -> Output {
        Output { status: 0, stdout: stdout.into(), stderr: stderr.into(), dropped: 0 }
    }

    #[test]
    fn a_stat_line_is_found_by_its_path() {
        let out = output(
            "41ed 0 0 4096 1700000000 /etc\n81a0 104 7 3 -5 /etc/a b\nc1ed 0 0 0 1 /run/x.sock\n",
            "stat: cannot statx '/root/x': Permission denied\nstat: cannot statx '/no': No such file or directory\n",
        );
        let stat = parse_stat(&out, "/etc/a b").unwrap();
        assert_eq!((stat.kind, stat.mode, stat.uid, stat.gid), (FileKind::File, 0o640, 104, 7));
        assert_eq!((stat.size, stat.modified), (3, -5.0));
        assert_eq!(parse_stat(&out, "/etc").unwrap().kind, FileKind::Directory);
        assert_eq!(parse_stat(&out, "/run/x.sock").unwrap().kind, FileKind::Socket);
        assert!(matches!(parse_stat(&out, "/no"), Err(FileError::NotFound)));
        assert!(matches!(parse_stat(&out, "/root/x"), Err(FileError::NotAllowed)));
    }

    proptest! {
        #[test]
        fn nothing_that_a_tool_prints_panics(out in "\\PC{0,80}\n?\\PC{0,40}", err in "\\PC{0,80}") {
            let _ = parse_stat(&output(&out, &err), "/x");
        }
    }
}
