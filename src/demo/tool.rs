//! The demo's `systemctl`, `wg`, `journalctl` and `df`: links to this program that ask the running demo.
//!
//! Runs before anything else in `main`, so it is cheap and blocking: a Unix socket and two streams.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::files::TOOLS;

/// The socket beside the links.
pub const SOCKET: &str = "demo.sock";
/// Longest frame of a reply.
const FRAME: u64 = 8 << 20;
/// Exit status when the demo cannot be asked, as a shell's for a command that cannot run.
const CANNOT: u8 = 126;
/// How long the demo may take to answer; restarts take a few seconds.
const PATIENCE: Duration = Duration::from_secs(100);

/// Acts as one of the tools if called by its name out of a demo's `bin`; `None` otherwise.
pub fn dispatch<I, S>(argv0: &OsStr, args: I) -> Option<ExitCode>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let name = Path::new(argv0).file_name()?.to_str().filter(|name| TOOLS.contains(name))?;
    let socket = home(argv0, name)?.join(SOCKET);
    if !socket.exists() {
        return None;
    }
    let mut argv = vec![name.to_owned()];
    argv.extend(args.into_iter().map(|a| a.as_ref().to_string_lossy().into_owned()));
    let code = ask(&socket, &argv, &mut io::stdout().lock(), &mut io::stderr().lock()).unwrap_or_else(|e| {
        // A closed pipe is the reader's choice; anything else is worth a word.
        if e.kind() != io::ErrorKind::BrokenPipe {
            let _ = writeln!(io::stderr(), "{name}: failed to ask the demo stack: {e}");
        }
        CANNOT
    });
    Some(ExitCode::from(code))
}

/// The directory of the link that was run: named outright, or the first on PATH that has it.
fn home(argv0: &OsStr, name: &str) -> Option<PathBuf> {
    let given = Path::new(argv0);
    if given.components().count() > 1 {
        return given.parent().map(Path::to_owned);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|dir| dir.join(name).exists())
}

/// Sends the argv and copies the reply's frames; gives the exit status.
pub fn ask(
    socket: &Path,
    argv: &[String],
    stdout: &mut dyn io::Write,
    stderr: &mut dyn io::Write,
) -> io::Result<u8> {
    let mut stream = UnixStream::connect(socket)?;
    let follows = argv.first().is_some_and(|a| a == "journalctl");
    stream.set_read_timeout((!follows).then_some(PATIENCE))?;
    let mut line = serde_json::to_vec(argv)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut read = BufReader::new(stream);
    loop {
        let mut frame = Vec::new();
        (&mut read).take(FRAME).read_until(b'\n', &mut frame)?;
        if !frame.ends_with(b"\n") {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "its answer broke off"));
        }
        let frame: Value = serde_json::from_slice(&frame)?;
        if let Some(text) = frame.get("out").and_then(Value::as_str) {
            stdout.write_all(text.as_bytes())?;
            stdout.flush()?;
        }
        if let Some(text) = frame.get("err").and_then(Value::as_str) {
            stderr.write_all(text.as_bytes())?;
        }
        if let Some(code) = frame.get("exit").and_then(Value::as_u64) {
            return Ok(u8::try_from(code).unwrap_or(u8::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_and_other_places_are_left_alone() {
        let none: [&str; 0] = [];
        for argv0 in ["quarterdeck", "/usr/bin/quarterdeck", "/nonexistent/systemctl", "/bin/df", "wg"] {
            assert!(dispatch(OsStr::new(argv0), none).is_none(), "{argv0}");
        }
    }
}
