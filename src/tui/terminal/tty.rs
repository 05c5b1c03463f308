//! The terminal device: found, opened for ourselves, read and written without ever waiting on it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::layout::Size;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{self, OptionalActions, QueueSelector, Termios};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::backend::Output;
use super::hangup;

/// The largest screen drawn, in columns and rows; what a terminal claims beyond it stays blank.
/// Two buffers of this size are what a lying terminal can make us allocate.
pub const MAX_COLUMNS: u16 = 1000;
pub const MAX_ROWS: u16 = 400;

/// Taken when the terminal says it has no size, as a serial line does.
const USUAL: Size = Size { width: 80, height: 24 };

/// One look at the device waits this long, [`PATIENCE`] times in all, for the few bytes that
/// enter or leave the screen. A frame never waits.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
const PATIENCE: u32 = 10;

const NO_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// The terminal this program is on.
///
/// It has its own open file description, so that making it non-blocking does not make the
/// shell's standard input non-blocking too.
#[derive(Debug)]
pub struct Tty {
    fd: OwnedFd,
    /// The description is shared after all and may block: look before every read and write.
    shared: bool,
    /// The last write was cut short, perhaps within a sequence.
    cut: AtomicBool,
}

impl Tty {
    /// Opens the terminal that is both standard input and output, otherwise the controlling one.
    ///
    /// # Errors
    /// There is neither.
    pub fn open() -> io::Result<Tty> {
        let (stdin, stdout) = (rustix::stdio::stdin(), rustix::stdio::stdout());
        let same = termios::isatty(stdin) && termios::isatty(stdout) && {
            let device = |fd| rustix::fs::fstat(fd).map(|s| s.st_rdev);
            device(stdin).is_ok_and(|a| device(stdout) == Ok(a))
        };
        let paths: &[&str] = if same { &["/proc/self/fd/0", "/dev/tty"] } else { &["/dev/tty"] };
        for path in paths {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            if let Ok(fd) = rustix::fs::open(*path, flags, Mode::empty())
                && termios::isatty(&fd)
            {
                return Ok(Tty { fd, shared: false, cut: AtomicBool::new(false) });
            }
        }
        if same {
            // After `su` the device may belong to somebody else and not open a second time.
            let fd = rustix::io::fcntl_dupfd_cloexec(stdin, 3)?;
            return Ok(Tty { fd, shared: true, cut: AtomicBool::new(false) });
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "find a terminal: there is none to draw on"))
    }

    /// The runtime's notice of when reading or writing is possible, through a descriptor of its own.
    #[expect(deprecated, reason = "its successor is unsafe; an OwnedFd stays the open descriptor it is")]
    pub(super) fn register(&self, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
        AsyncFd::with_interest(rustix::io::fcntl_dupfd_cloexec(&self.fd, 3)?, interest)
    }

    /// Whether the other end is gone.
    pub fn hung_up(&self) -> bool {
        self.poll(PollFlags::empty(), &NO_WAIT).intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
    }

    /// Blocks without using the processor until the other end is gone.
    pub(super) fn wait_for_hang_up(&self) -> io::Result<()> {
        loop {
            // No events are asked for: hang-up and error are always reported, and nothing else is.
            let mut fds = [PollFd::new(&self.fd, PollFlags::empty())];
            match poll(&mut fds, None) {
                Ok(_) if !fds[0].revents().is_empty() => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn poll(&self, events: PollFlags, timeout: &Timespec) -> PollFlags {
        let mut fds = [PollFd::new(&self.fd, events)];
        match poll(&mut fds, Some(timeout)) {
            Ok(_) => fds[0].revents(),
            Err(_) => PollFlags::empty(),
        }
    }

    /// Reads what is there: `None` if nothing is.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<Option<usize>> {
        if self.shared && !self.poll(PollFlags::IN, &NO_WAIT).contains(PollFlags::IN) {
            return if self.hung_up() { Err(Errno::IO.into()) } else { Ok(None) };
        }
        match rustix::io::read(&self.fd, into) {
            Ok(0) => Err(Errno::IO.into()),
            Ok(n) => Ok(Some(n)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes what is taken at once; see [`Output::write`].
    fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        if hangup::is_gone() {
            return Err(Errno::IO.into());
        }
        if self.shared && !self.poll(PollFlags::OUT, &NO_WAIT).contains(PollFlags::OUT) {
            return if self.hung_up() { Err(Errno::IO.into()) } else { Ok(0) };
        }
        let taken = match rustix::io::write(&self.fd, bytes) {
            Ok(n) => n,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        // Nothing taken leaves the terminal as it was: cut if it was cut before.
        if taken > 0 {
            self.cut.store(taken < bytes.len(), Ordering::Relaxed);
        }
        Ok(taken)
    }

    /// Whether the last write was cut short, perhaps within a sequence.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Writes all of a few bytes, waiting at most 100 ms for a slow terminal.
    ///
    /// # Errors
    /// The terminal is gone, or takes nothing.
    pub(super) fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        for _ in 0..PATIENCE {
            bytes = &bytes[self.write_some(bytes)?..];
            if bytes.is_empty() {
                return Ok(());
            }
            let _ = self.poll(PollFlags::OUT, &LOOK);
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Whether there is room for more, or will be within 100 ms.
    pub(super) fn takes_more(&self) -> bool {
        (0..PATIENCE).any(|_| self.poll(PollFlags::OUT, &LOOK).contains(PollFlags::OUT))
    }

    /// Turns off everything the kernel does to keys and output, and returns the settings before.
    pub(super) fn make_raw(&self) -> io::Result<Termios> {
        let before = termios::tcgetattr(&self.fd)?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(&self.fd, OptionalActions::Now, &raw)?;
        Ok(before)
    }

    /// Puts the settings back and drops keys nobody has read, so that the rest of what was typed
    /// or pasted into a screen that is gone does not run in the shell.
    pub(super) fn restore(&self, settings: &Termios) -> io::Result<()> {
        termios::tcflush(&self.fd, QueueSelector::IFlush)?;
        Ok(termios::tcsetattr(&self.fd, OptionalActions::Now, settings)?)
    }
}

impl Output for std::sync::Arc<Tty> {
    fn size(&self) -> Size {
        termios::tcgetwinsize(&self.fd).map_or(USUAL, |size| clamp(size.ws_col, size.ws_row))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_some(bytes)
    }
}

/// A size that can be drawn on, whatever the terminal claims.
fn clamp(columns: u16, rows: u16) -> Size {
    let or = |claimed: u16, usual: u16| if claimed == 0 { usual } else { claimed };
    Size { width: or(columns, USUAL.width).min(MAX_COLUMNS), height: or(rows, USUAL.height).min(MAX_ROWS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claimed_size_can_be_drawn_on() {
        let table = [
            ((120, 40), (120, 40)),
            ((1, 1), (1, 1)),
            ((0, 0), (80, 24)),
            ((0, 5), (80, 5)),
            ((u16::MAX, u16::MAX), (MAX_COLUMNS, MAX_ROWS)),
        ];
        for ((columns, rows), (width, height)) in table {
            assert_eq!(clamp(columns, rows), Size { width, height });
        }
    }
}
