//! The demo's `systemctl`, `wg`, `nft` and so on: links to this program that ask the running demo.
//!
//! Runs before anything else in `main`, so it is cheap and blocking: a Unix socket and two streams.
//! `sudo` is one of them too, so that nobody's password is asked for and nobody's machine is touched:
//! it hands the demo's own tools on, and starts other programs with the rights that one has anyway.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde_json::Value;

use super::files::TOOLS;
use super::tools::redis_cli;

/// The socket beside the links.
pub const SOCKET: &str = "demo.sock";
/// Longest frame of a reply.
const FRAME: u64 = 8 << 20;
/// Exit status when the demo cannot be asked, as a shell's for a command that cannot run.
const CANNOT: u8 = 126;
/// Longest standard input handed on: a script for `nft`, commands for `redis-cli`.
pub const STDIN: u64 = 1 << 20;
/// How long the demo may take to answer; restarts take a few seconds.
const PATIENCE: Duration = Duration::from_secs(100);

/// Acts as one of the tools if called by its name out of a demo's `bin`; `None` otherwise.
pub fn dispatch<I, S>(argv0: &OsStr, args: I) -> Option<ExitCode>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let name = Path::new(argv0).file_name()?.to_str().filter(|name| TOOLS.contains(name))?;
    let bin = home(argv0, name)?;
    let socket = bin.join(SOCKET);
    if !socket.exists() {
        return None;
    }
    let mut argv = vec![name.to_owned()];
    argv.extend(args.into_iter().map(|a| a.as_ref().to_string_lossy().into_owned()));
    if name == "sudo" {
        argv = match without_sudo(&argv) {
            Ok((rest, true)) => return Some(allowed(&bin, &rest[0])),
            Ok((rest, false)) => rest.to_vec(),
            Err(why) => {
                let _ = writeln!(io::stderr(), "sudo (demo): {why}");
                return Some(ExitCode::FAILURE);
            }
        };
        let plain = argv.first().and_then(|c| c.rsplit('/').next()).unwrap_or_default().to_owned();
        if !TOOLS.contains(&plain.as_str()) || plain == "sudo" {
            return Some(become_program(&bin, &argv));
        }
        argv[0] = plain;
    }
    let name = argv[0].clone();
    let stdin = if takes_script(&argv) { script(&mut io::stdin().lock()) } else { Ok(None) };
    let asked = stdin.and_then(|stdin| {
        ask(&socket, &argv, stdin.as_deref(), &mut io::stdout().lock(), &mut io::stderr().lock())
    });
    let code = asked.unwrap_or_else(|e| {
        // A closed pipe is the reader's choice; anything else is worth a word.
        if e.kind() != io::ErrorKind::BrokenPipe {
            let _ = writeln!(io::stderr(), "{name}: failed to ask the demo stack: {e}");
        }
        CANNOT
    });
    Some(ExitCode::from(code))
}

/// What `sudo` is to run, or (true) only to say whether it may: its own options are those that steps
/// and probes use.
fn without_sudo(argv: &[String]) -> Result<(&[String], bool), String> {
    let mut rest = argv.get(1..).unwrap_or_default();
    let mut list = false;
    while let Some((first, more)) = rest.split_first().filter(|(first, _)| first.starts_with('-')) {
        rest = more;
        match first.as_str() {
            "-n" | "--non-interactive" | "-S" | "-E" => {}
            "-l" | "--list" => list = true,
            "--" => break,
            keeps if keeps.starts_with("--preserve-env") => {}
            other => return Err(format!("the demo's sudo has no option {}", other.escape_debug())),
        }
    }
    if rest.is_empty() { Err("a command is missing".into()) } else { Ok((rest, list)) }
}

/// Everything that exists is allowed here; like the real one, it says where it is.
fn allowed(bin: &Path, command: &str) -> ExitCode {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
    let found = if command.contains('/') {
        Some(PathBuf::from(command)).filter(|p| p.exists())
    } else {
        places.map(|dir| dir.join(command)).find(|p| p.exists())
    };
    let Some(found) = found else {
        let _ = writeln!(io::stderr(), "sudo (demo): {}: command not found", command.escape_debug());
        return ExitCode::FAILURE;
    };
    let _ = writeln!(io::stdout(), "{}", found.display());
    ExitCode::SUCCESS
}

/// Becomes another program, with no more rights than before and with the demo's tools first on its path.
fn become_program(bin: &Path, argv: &[String]) -> ExitCode {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]);
    if let Ok(path) = std::env::join_paths(all) {
        command.env("PATH", path);
    }
    let e = command.exec();
    let _ = writeln!(io::stderr(), "sudo (demo): {}: {e}", argv[0].escape_debug());
    ExitCode::from(if e.kind() == io::ErrorKind::NotFound { 127 } else { CANNOT })
}

/// Whether a tool reads what it shall do from its standard input.
pub fn takes_script(argv: &[String]) -> bool {
    let of_input = |file: &str| file == "-" || file == "/dev/stdin";
    if let Some((tool, args)) = argv.split_first()
        && tool == "redis-cli"
    {
        return redis_cli::reads_input(args);
    }
    argv.first().is_some_and(|a| a == "nft")
        && (argv.windows(2).any(|w| matches!(w[0].as_str(), "-f" | "--file") && of_input(&w[1]))
            || argv.iter().any(|a| a.strip_prefix("-f").or(a.strip_prefix("--file=")).is_some_and(of_input)))
}

fn script(stdin: &mut dyn io::Read) -> io::Result<Option<String>> {
    let mut text = String::new();
    stdin.take(STDIN + 1).read_to_string(&mut text)?;
    if text.len() as u64 > STDIN {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its input is longer than 1 MiB"));
    }
    Ok(Some(text))
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

/// Sends the argv, and the input of a tool that reads one, and copies the reply's frames; gives the
/// exit status.
pub fn ask(
    socket: &Path,
    argv: &[String],
    stdin: Option<&str>,
    stdout: &mut dyn io::Write,
    stderr: &mut dyn io::Write,
) -> io::Result<u8> {
    let mut stream = UnixStream::connect(socket)?;
    let follows = argv.first().is_some_and(|a| a == "journalctl");
    stream.set_read_timeout((!follows).then_some(PATIENCE))?;
    let mut line = serde_json::to_vec(argv)?;
    line.push(b'\n');
    if let Some(text) = stdin {
        line.extend(serde_json::to_vec(text)?);
        line.push(b'\n');
    }
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
    fn sudo_leaves_the_command_and_reads_only_what_it_knows() {
        let argv = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (line, want) in [
            ("sudo -n -- systemctl restart x", Ok("systemctl restart x")),
            ("sudo -n cat -n /etc/x", Ok("cat -n /etc/x")),
            ("sudo --preserve-env=A,B -n -- wg", Ok("wg")),
            ("sudo -n -l -- wg show", Ok("list wg show")),
            ("sudo -n --", Err("a command is missing")),
            ("sudo -u root id", Err("no option -u")),
        ] {
            let argv = argv(line);
            let got = without_sudo(&argv);
            let got = got.map(|(rest, list)| if list { "list " } else { "" }.to_owned() + &rest.join(" "));
            match (got, want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{line}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{line}: {got}"),
                (got, want) => panic!("{line}: {got:?}, expected {want:?}"),
            }
        }
        assert!(takes_script(&argv("nft -j -f -")) && takes_script(&argv("nft --file=/dev/stdin")));
        assert!(!takes_script(&argv("nft -j list ruleset")) && !takes_script(&argv("wg -f -")));
        assert!(script(&mut io::repeat(b'x')).is_err(), "an endless input is refused");
    }

    #[test]
    fn other_names_and_other_places_are_left_alone() {
        let none: [&str; 0] = [];
        for argv0 in ["quarterdeck", "/usr/bin/quarterdeck", "/nonexistent/systemctl", "/bin/df", "wg"] {
            assert!(dispatch(OsStr::new(argv0), none).is_none(), "{argv0}");
        }
    }
}
