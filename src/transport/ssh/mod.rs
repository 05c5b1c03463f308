//! Another machine, through the operator's own `ssh` program, configuration and agent.
//!
//! One master connection a host carries everything; commands and forwards are clients of its
//! control socket and never connect by themselves. A command that is given up is told so through
//! its standard input and is killed on the other side too; what it has started itself, and what
//! runs there under sudo, may live on until it ends.

mod forward;
mod master;
mod start;

pub use forward::Forwarded;
pub use start::{MAX_STDIN, Words};

use super::files::{FileError, FileStat, parse_stat, said, stat_command};
use super::stream::Stream;
use super::{Command, ConnectError, Output, RunError, child, quote};
use crate::stack::kind::common::Endpoint;
use master::{Master, Status};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Commands at the same time on one host. sshd allows ten sessions a connection unless told
/// otherwise, and the master holds one.
const MAX_SESSIONS: usize = 8;
/// The longest path of a control socket: ssh appends 17 bytes while it makes it, and a socket's
/// path has 108 at most.
const MAX_SOCKET: usize = 88;
/// What ssh exits with when it fails itself.
const SSH_FAILED: i32 = 255;

/// The way to one host over ssh.
#[derive(Debug)]
pub struct Ssh {
    route: Arc<Route>,
    sessions: Arc<Semaphore>,
    master: Mutex<Option<Master>>,
}

/// What every call of ssh for one host has in common.
#[derive(Debug)]
struct Route {
    destination: String,
    port: Option<u16>,
    config: Option<String>,
    /// Directories put before PATH over there.
    path: Vec<String>,
    /// Private to us; removed at the end.
    dir: tempfile::TempDir,
}

impl Route {
    fn control(&self) -> PathBuf {
        self.dir.path().join("m")
    }

    /// ssh with the options of every call.
    fn ssh(&self) -> tokio::process::Command {
        let mut ssh = tokio::process::Command::new("ssh");
        if let Some(config) = &self.config {
            ssh.args(["-F", config]);
        }
        if let Some(port) = self.port {
            ssh.arg("-p").arg(port.to_string());
        }
        ssh.arg("-S").arg(self.control());
        ssh.args(["-T", "-x", "-a"]);
        for option in ["BatchMode=yes", "PermitLocalCommand=no", "RemoteCommand=none"] {
            ssh.args(["-o", option]);
        }
        ssh.env("LC_ALL", "C.UTF-8").env_remove("SSH_ASKPASS");
        ssh
    }

    /// ssh as a client of the master, which never connects on its own: without a master the
    /// proxy command fails at once.
    fn client(&self, options: &[&str]) -> tokio::process::Command {
        let mut ssh = self.ssh();
        ssh.args(["-o", "ControlMaster=no", "-o", "ProxyCommand=false"]);
        ssh.args(options);
        ssh
    }

    /// What the remote login shell is given: `sh -c` with a script that runs the argv, and ends it
    /// when our side goes away. Exit 255 is ssh's own, so a command's is told as 254.
    fn remote_line(&self, command: &Command) -> String {
        let argv = quote::line(command.full_argv());
        let dirs: String = self.path.iter().map(|dir| quote::quote(dir) + ":").collect();
        let script = format!(
            "PATH={dirs}$PATH:/usr/sbin:/sbin; LC_ALL=C.UTF-8; export PATH LC_ALL; exec 3<&0; \
             {argv} </dev/null 3<&- & p=$!; \
             (read -r x <&3; kill $p) >/dev/null 2>&1 </dev/null & w=$!; exec 3<&- </dev/null; \
             wait $p; s=$?; kill $w 2>/dev/null; [ $s != {SSH_FAILED} ] || s=254; exit $s"
        );
        quote::line(["sh", "-c", &script])
    }
}

impl Ssh {
    /// Prepares a private directory for the sockets; nothing is connected yet.
    ///
    /// # Errors
    /// A destination that ssh would take for something else, or no directory short enough.
    pub fn new(
        destination: &str,
        port: Option<u16>,
        config: Option<&str>,
        path: &[String],
    ) -> Result<Self, String> {
        let bad = |c: char| c.is_control() || c.is_whitespace();
        if destination.is_empty() || destination.starts_with('-') || destination.contains(bad) {
            return Err(format!(
                "\"{}\" is no ssh destination",
                crate::domain::text::one_line(destination, 60)
            ));
        }
        let route = Route {
            destination: destination.to_owned(),
            port,
            config: config.map(str::to_owned),
            path: path.to_vec(),
            dir: private_dir()?,
        };
        Ok(Ssh {
            route: Arc::new(route),
            sessions: Arc::new(Semaphore::new(MAX_SESSIONS)),
            master: Mutex::default(),
        })
    }

    /// What keeps us from the host now, if anything is known to.
    pub(super) fn trouble(&self) -> Option<String> {
        let master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
        let to = &self.route.destination;
        match master.as_ref().map(Master::status) {
            Some(Status::Starting) => Some(format!("ssh to {to} has not connected yet")),
            Some(Status::Failed(why)) => Some(format!("ssh to {to} failed: {why}")),
            Some(Status::Up) | None => None,
        }
    }

    /// Waits for the master connection, and starts it when there is none.
    async fn ready(&self) -> Result<Master, String> {
        let master = {
            let mut current = self.master.lock().unwrap_or_else(PoisonError::into_inner);
            match current.as_ref().filter(|m| m.is_current()) {
                Some(master) => master.clone(),
                None => current.insert(Master::start(Arc::clone(&self.route))).clone(),
            }
        };
        master.wait().await?;
        Ok(master)
    }

    pub(super) async fn run(&self, command: &Command) -> Result<Output, RunError> {
        let program = command.full_argv().first().copied().unwrap_or("").to_owned();
        if program.is_empty() {
            return Err(RunError::NotFound("an empty command".to_owned()));
        }
        let gone = |_| RunError::Unreachable("the program is shutting down".to_owned());
        let _place = self.sessions.acquire().await.map_err(gone)?;
        let master = self.ready().await.map_err(RunError::Unreachable)?;
        let mut ssh = self.route.client(&["-o", "LogLevel=ERROR", "-o", "ClearAllForwardings=yes"]);
        ssh.args(["--", &self.route.destination, &self.route.remote_line(command)]);
        let output =
            child::finish(child::start(&mut ssh, "ssh", Stdio::piped())?, command.max_stdout).await?;
        let said = || String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status {
            SSH_FAILED => Err(RunError::Unreachable(master.why_lost(&said()).await)),
            127 if said().contains("not found") => Err(RunError::NotFound(program)),
            126 if said().contains("ermission denied") => Err(RunError::NotAllowed(program)),
            _ => Ok(output),
        }
    }

    pub(super) async fn connect(&self, to: &Endpoint) -> Result<Stream, ConnectError> {
        let master = self.ready().await.map_err(ConnectError::Unreachable)?;
        match to {
            Endpoint::Tcp { host, port } => forward::tcp(&self.route, &master, host, *port).await,
            Endpoint::Unix(path) => {
                let stream = forward::unix(&self.route, &master, path).await?;
                // The other side answers in order: when this has come back, so has a refusal.
                self.run(&Command::new(["true"]))
                    .await
                    .map_err(|e| ConnectError::Unreachable(e.to_string()))?;
                stream.unless_refused(to).await
            }
        }
    }

    pub(super) async fn read_file(&self, path: &str, max: usize) -> Result<Vec<u8>, FileError> {
        // A pipe or device would be read for ever, so it is not opened.
        let script = "if [ -e \"$1\" ] && [ ! -f \"$1\" ]; then [ -d \"$1\" ] && exit 41; exit 42; fi; exec head -c \"$2\" -- \"$1\"";
        let mut command = Command::new(["sh", "-c", script, "sh", path, &max.to_string()]);
        command.max_stdout = max;
        let output = self.run(&command).await.map_err(of_run)?;
        match output.status {
            0 => Ok(output.stdout),
            41 => Err(FileError::NotAFile("directory")),
            42 => Err(FileError::NotAFile("device, pipe or socket")),
            _ => Err(said(&String::from_utf8_lossy(&output.stderr), Some(path))),
        }
    }

    pub(super) async fn stat(&self, path: &str) -> Result<FileStat, FileError> {
        parse_stat(&self.run(&stat_command(&[path])).await.map_err(of_run)?, path)
    }

    pub(super) async fn real_path(&self, path: &str) -> Result<String, FileError> {
        let output = self.run(&Command::new(["readlink", "-f", path])).await.map_err(of_run)?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.strip_suffix('\n').filter(|real| real.starts_with('/')) {
            Some(real) if output.status == 0 => Ok(real.to_owned()),
            // It says nothing about why; most often a part of the path is absent.
            _ if output.stderr.is_empty() => Err(FileError::NotFound),
            _ => Err(said(&String::from_utf8_lossy(&output.stderr), Some(path))),
        }
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if let Some(master) = self.master.get_mut().unwrap_or_else(PoisonError::into_inner) {
            master.stop();
        }
    }
}

fn of_run(e: RunError) -> FileError {
    match e {
        RunError::Unreachable(why) => FileError::Unreachable(why),
        other => FileError::Other(other.to_string()),
    }
}

/// A directory that only we may enter, with room for a socket's name.
fn private_dir() -> Result<tempfile::TempDir, String> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let all = [runtime, Some(std::env::temp_dir()), Some(PathBuf::from("/tmp"))];
    let mut why = "no directory is short enough".to_owned();
    for base in all.into_iter().flatten().filter(|b| b.is_absolute()) {
        let only_we = std::fs::Permissions::from_mode(0o700);
        match tempfile::Builder::new().prefix("qd-ssh-").permissions(only_we).tempdir_in(&base) {
            Ok(dir) if fits(dir.path()) => return Ok(dir),
            Ok(_) => {}
            Err(e) => why = format!("{}: {e}", base.display()),
        }
    }
    Err(format!("cannot make a private directory for ssh's sockets: {why}"))
}

fn fits(dir: &Path) -> bool {
    let name: OsString = dir.join("f00").into_os_string();
    // ssh expands % and ~ in the path of a control socket.
    name.len() <= MAX_SOCKET && !name.to_string_lossy().contains(['%', '"', ':', ' ', '$'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_destination_cannot_be_an_option() {
        for bad in ["", "-oProxyCommand=x", "a b", "a\nb"] {
            assert!(Ssh::new(bad, None, None, &[]).is_err(), "{bad}");
        }
        let ssh = Ssh::new("root@host", Some(2222), None, &[]).unwrap();
        assert_eq!(std::fs::metadata(ssh.route.dir.path()).unwrap().mode() & 0o777, 0o700);
        assert!(ssh.route.control().as_os_str().len() < 100);
    }

    /// The remote line run by this machine's shell, with its input held open or closed.
    fn remote(path: &[&str], argv: &[&str], stdin: Stdio) -> std::process::Output {
        let path: Vec<String> = path.iter().map(|p| (*p).to_owned()).collect();
        let ssh = Ssh::new("host", None, None, &path).unwrap();
        let line = ssh.route.remote_line(&Command::new(argv.iter().copied()));
        let child = std::process::Command::new("sh")
            .args(["-c", &line])
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // `wait_with_output` would close the input first.
        let (mut child, mut out) = (child, Vec::new());
        let stdin = child.stdin.take();
        std::io::Read::read_to_end(&mut child.stdout.take().unwrap(), &mut out).unwrap();
        drop(stdin);
        let status = child.wait().unwrap();
        std::process::Output { status, stdout: out, stderr: Vec::new() }
    }

    #[test]
    fn the_remote_line_gives_status_output_and_path() {
        for (script, want) in [("exit 0", 0), ("exit 3", 3), ("exit 255", 254), ("kill -9 $$", 137)] {
            assert_eq!(
                remote(&[], &["sh", "-c", script], Stdio::piped()).status.code(),
                Some(want),
                "{script}"
            );
        }
        let out = remote(&["/a b", "/it's"], &["sh", "-c", "echo $PATH; cat"], Stdio::piped());
        assert!(String::from_utf8_lossy(&out.stdout).starts_with("/a b:/it's:"), "{out:?}");
    }

    #[test]
    fn a_command_ends_when_its_caller_goes_away() {
        let out = remote(&[], &["sleep", "600"], Stdio::null());
        assert_eq!(out.status.code(), Some(143));
    }
}
