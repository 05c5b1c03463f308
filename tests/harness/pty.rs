//! A program on a terminal of its own: keys in, a parsed screen and raw bytes out, and a plug to pull.
//!
//! Every wait is bounded and panics with what is on the screen. The program gets a controlling
//! terminal, a session of its own, and only the environment that is asked for.

// Each test binary that includes this file uses a part of it.
#![allow(dead_code, clippy::allow_attributes, reason = "shared between test binaries")]
#![cfg(test)] // tells clippy that helpers, too, may unwrap

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, SlavePty, native_pty_system};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, kill_process, pidfd_getfd, pidfd_open};
use rustix::termios::Termios;

/// Times that a program writes before it is quiet, at most.
const MOST_FRAMES: u32 = 2_000;

/// How long something may take that takes milliseconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The most bytes of output kept; a program that writes more is not what is tested here.
const KEPT: usize = 64 * 1024 * 1024;

/// What to run, and where.
#[derive(Clone, Debug)]
pub struct Launch {
    argv: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    size: (u16, u16),
    dir: PathBuf,
}

impl Launch {
    /// `program` on an 80×24 xterm with 256 colours in a UTF-8 locale, with the caller's PATH.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut env = BTreeMap::new();
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
            env.insert(name.into(), value.into());
        }
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                env.insert(name.into(), value);
            }
        }
        Launch { argv: vec![program.as_ref().into()], env, size: (80, 24), dir: std::env::temp_dir() }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.argv.push(arg.as_ref().into());
        self
    }

    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, Launch::arg)
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.into(), value.as_ref().into());
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(OsStr::new(name));
        self
    }

    /// Columns and rows.
    #[must_use]
    pub fn size(mut self, columns: u16, rows: u16) -> Self {
        self.size = (columns, rows);
        self
    }

    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = dir.as_ref().into();
        self
    }

    pub fn start(&self) -> Pty {
        Pty::start(self)
    }
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(u32),
    Signal(String),
}

struct State {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    paused: bool,
    reader_ended: bool,
    exit: Option<Exit>,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

/// The running program and its terminal. Dropping it kills what still runs.
pub struct Pty {
    shared: Shared,
    /// `None` once the plug is pulled.
    master: Option<OwnedFd>,
    /// Held so that what the program left behind can be read after it is gone.
    _slave: Box<dyn SlavePty + Send>,
    /// Writing to it, or closing it, wakes the reader.
    wake: Option<UnixStream>,
    reader: Option<JoinHandle<()>>,
    pid: Pid,
    settings: Termios,
}

impl Pty {
    fn start(launch: &Launch) -> Pty {
        let (cols, rows) = launch.size;
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("open a pty");
        // The library's own reader cannot be stopped, and the plug is only out once all are closed.
        let raw = pair.master.as_raw_fd().expect("a pty has a descriptor");
        let own = pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).expect("open a pidfd");
        let master = pidfd_getfd(&own, raw, PidfdGetfdFlags::empty()).expect("duplicate the master");
        let settings = rustix::termios::tcgetattr(&master).expect("read the settings");

        let mut command = CommandBuilder::from_argv(launch.argv.clone());
        command.env_clear();
        for (name, value) in &launch.env {
            command.env(name, value);
        }
        command.cwd(&launch.dir);
        let mut child = pair.slave.spawn_command(command).expect("start the program");
        drop(pair.master);
        let pid = child.process_id().expect("a started program has an id");
        let pid = Pid::from_raw(pid.try_into().expect("an id is positive")).expect("an id is not 0");

        let state = State {
            parser: vt100::Parser::new(dimension(rows), dimension(cols), 0),
            bytes: Vec::new(),
            paused: false,
            reader_ended: false,
            exit: None,
        };
        let shared: Shared = Arc::new((Mutex::new(state), Condvar::new()));
        let (wake, woken) = UnixStream::pair().expect("make a pair of sockets");
        let reading = rustix::io::dup(&master).expect("duplicate the master");
        let reader_shared = Arc::clone(&shared);
        let reader = std::thread::spawn(move || read_all(&reading, &woken, &reader_shared));
        let waiter_shared = Arc::clone(&shared);
        std::thread::spawn(move || {
            let status = child.wait().expect("wait for the program");
            let exit = match status.signal() {
                Some(signal) => Exit::Signal(signal.to_owned()),
                None => Exit::Code(status.exit_code()),
            };
            lock(&waiter_shared).exit = Some(exit);
            waiter_shared.1.notify_all();
        });
        Pty {
            shared,
            master: Some(master),
            _slave: pair.slave,
            wake: Some(wake),
            reader: Some(reader),
            pid,
            settings,
        }
    }

    fn master(&self) -> &OwnedFd {
        self.master.as_ref().expect("the plug has been pulled")
    }

    /// The program's process id; of a shell, if it was started through one.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Types `keys`.
    pub fn send(&self, keys: impl AsRef<[u8]>) {
        let mut rest = keys.as_ref();
        while !rest.is_empty() {
            let written = rustix::io::write(self.master(), rest).expect("type");
            rest = &rest[written..];
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("send a signal");
    }

    /// Gives the terminal another size, as if its window had been dragged.
    pub fn resize(&self, columns: u16, rows: u16) {
        lock(&self.shared).parser.screen_mut().set_size(dimension(rows), dimension(columns));
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(self.master(), size).expect("set the size");
    }

    /// Stops taking the program's output, as a stalled network does.
    pub fn pause(&mut self) {
        self.set_paused(true);
    }

    pub fn go_on(&mut self) {
        self.set_paused(false);
    }

    fn set_paused(&mut self, paused: bool) {
        lock(&self.shared).paused = paused;
        let wake = self.wake.as_mut().expect("the plug has been pulled");
        wake.write_all(b"!").expect("wake the reader");
    }

    /// Pulls the plug: the terminal hangs up, as when a network connection or a window is gone.
    pub fn hang_up(&mut self) {
        self.wake = None;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader ends");
        }
        self.master = None;
    }

    /// Runs `look` on the screen until it returns something, and returns that.
    ///
    /// # Panics
    /// It does not within [`PATIENCE`].
    #[track_caller]
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut(&vt100::Screen) -> Option<T>) -> T {
        let mut found = None;
        let wait = self.shared.1.wait_timeout_while(lock(&self.shared), PATIENCE, |state| {
            found = look(state.parser.screen());
            found.is_none()
        });
        let (state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        let screen = state.parser.screen().contents();
        let exit = state.exit.clone();
        drop(state);
        found.unwrap_or_else(|| panic!("waited in vain for {what}; exit: {exit:?}; screen:\n{screen}"))
    }

    /// Waits until the screen shows `text`, and returns all it shows.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.wait(&format!("{text:?}"), |screen| {
            let contents = screen.contents();
            contents.contains(text).then_some(contents)
        })
    }

    /// Waits until the screen no longer shows `text`.
    #[track_caller]
    pub fn wait_gone(&self, text: &str) -> String {
        self.wait(&format!("{text:?} to go"), |screen| {
            let contents = screen.contents();
            (!contents.contains(text)).then_some(contents)
        })
    }

    /// Waits until the program ends, and returns how.
    #[track_caller]
    pub fn wait_exit(&self) -> Exit {
        self.wait_exit_within(PATIENCE)
            .unwrap_or_else(|| panic!("it did not end; screen:\n{}", self.screen()))
    }

    /// How the program ended, if it does within `time`.
    pub fn wait_exit_within(&self, time: Duration) -> Option<Exit> {
        let wait = self.shared.1.wait_timeout_while(lock(&self.shared), time, |state| state.exit.is_none());
        wait.unwrap_or_else(PoisonError::into_inner).0.exit.clone()
    }

    pub fn is_running(&self) -> bool {
        lock(&self.shared).exit.is_none()
    }

    /// The screen's text.
    pub fn screen(&self) -> String {
        lock(&self.shared).parser.screen().contents()
    }

    /// Runs `look` on the parsed screen: cells, colours, modes.
    pub fn look<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(lock(&self.shared).parser.screen())
    }

    /// Everything written so far.
    pub fn bytes(&self) -> Vec<u8> {
        lock(&self.shared).bytes.clone()
    }

    /// How much has been written so far; for [`Pty::bytes_since`].
    pub fn mark(&self) -> usize {
        lock(&self.shared).bytes.len()
    }

    pub fn bytes_since(&self, mark: usize) -> Vec<u8> {
        lock(&self.shared).bytes[mark..].to_vec()
    }

    /// Waits until nothing has been written for `quiet`.
    #[track_caller]
    pub fn settle(&self, quiet: Duration) {
        let begun = self.mark();
        for _ in 0..MOST_FRAMES {
            let before = self.mark();
            let wait = self
                .shared
                .1
                .wait_timeout_while(lock(&self.shared), quiet, |state| state.bytes.len() == before);
            if wait.unwrap_or_else(PoisonError::into_inner).1.timed_out() {
                return;
            }
        }
        panic!("it is not quiet: {} bytes were written", self.mark() - begun);
    }

    /// What is wrong with the terminal compared with how the program found it; empty if nothing
    /// is. Takes all output into account that was written before.
    pub fn left_behind(&self) -> Vec<&'static str> {
        self.settle(Duration::from_millis(50));
        let now = rustix::termios::tcgetattr(self.master()).expect("read the settings");
        let state = lock(&self.shared);
        let screen = state.parser.screen();
        let checks = [
            (screen.alternate_screen(), "the alternate screen"),
            (screen.hide_cursor(), "a hidden cursor"),
            (screen.bracketed_paste(), "marked pastes"),
            (screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None, "mouse reports"),
            (screen.application_cursor() || screen.application_keypad(), "other key codes"),
            (
                screen.fgcolor() != vt100::Color::Default || screen.bgcolor() != vt100::Color::Default,
                "a colour",
            ),
            (screen.bold() || screen.underline() || screen.inverse(), "a style"),
            (mode_left_on(&state.bytes, "1004"), "focus reports"),
            (mode_left_on(&state.bytes, "2026"), "synchronized output"),
            (now.input_modes != self.settings.input_modes, "other input settings"),
            (now.output_modes != self.settings.output_modes, "other output settings"),
            (now.local_modes != self.settings.local_modes, "other local settings"),
            (now.control_modes != self.settings.control_modes, "other control settings"),
        ];
        checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, what)| what).collect()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
        self.hang_up();
    }
}

/// Waits until `path` holds something, and returns it.
///
/// # Panics
/// It does not within [`PATIENCE`].
#[track_caller]
pub fn wait_for_file(path: &Path) -> String {
    let never: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());
    let step = Duration::from_millis(10);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        if let Ok(text) = std::fs::read_to_string(path)
            && !text.is_empty()
        {
            return text;
        }
        let guard = never.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = never.1.wait_timeout(guard, step);
    }
    panic!("waited in vain for {} to be written", path.display())
}

/// Whether the last `CSI ? mode h` or `l` was an `h`.
fn mode_left_on(bytes: &[u8], mode: &str) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let on = text.rfind(&format!("\x1b[?{mode}h"));
    on.is_some() && on > text.rfind(&format!("\x1b[?{mode}l"))
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dimension(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a terminal has at least one column and row")
}

/// How many bytes of these end with a whole character: the parser loses what follows a character of
/// two bytes that it is given in two pieces.
fn whole(bytes: &[u8]) -> usize {
    let cut = |at: &usize| matches!(std::str::from_utf8(&bytes[*at..]), Err(e) if e.error_len().is_none());
    let mut last = (bytes.len().saturating_sub(3)..bytes.len()).rev();
    last.find(|at| bytes[*at] >= 0xc0).filter(cut).unwrap_or(bytes.len())
}

/// Takes output until the program's side is closed for good or `woken` is.
fn read_all(master: &OwnedFd, woken: &UnixStream, shared: &Shared) {
    let mut piece = vec![0; 64 * 1024];
    let mut half = Vec::new();
    loop {
        let paused = lock(shared).paused;
        let mut fds = vec![PollFd::new(woken, PollFlags::IN)];
        if !paused {
            fds.push(PollFd::new(master, PollFlags::IN));
        }
        let bound = Timespec { tv_sec: 3600, tv_nsec: 0 };
        if poll(&mut fds, Some(&bound)).is_err() {
            continue;
        }
        let told = !fds[0].revents().is_empty();
        let ready = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        if told && matches!(rustix::io::read(woken, &mut piece), Ok(0) | Err(_)) {
            return;
        }
        if ready {
            match rustix::io::read(master, &mut piece) {
                Ok(n) if n > 0 => {
                    let mut state = lock(shared);
                    half.extend_from_slice(&piece[..n]);
                    let rest = half.split_off(whole(&half));
                    state.parser.process(&std::mem::replace(&mut half, rest));
                    if state.bytes.len() < KEPT {
                        state.bytes.extend_from_slice(&piece[..n]);
                    }
                }
                _ => return,
            }
        }
        shared.1.notify_all();
    }
}
