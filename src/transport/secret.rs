//! Secrets: fetched by reference when first needed, held in memory that is wiped, never printed.

use crate::clock::{Clock, SystemClock};
use crate::domain::id::SecretId;
use crate::domain::units;
use crate::stack::spec::{SecretSource, SecretSources};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// The largest secret, in bytes.
pub const MAX_SECRET: u64 = 64 << 10;

/// How long a command that prints a secret may take.
pub const MAX_TIME: Duration = Duration::from_secs(10);
/// Values that were let go and are still taken out of what is kept, at most.
const MAX_FORMER: usize = 64;

/// The values of the secrets, fetched once.
#[derive(Debug, Default)]
pub struct Secrets {
    sources: SecretSources,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    values: BTreeMap<SecretId, SecretString>,
    /// What was let go: it may be valid for somebody still, and programs may print it. The newest.
    former: VecDeque<SecretString>,
}

impl Secrets {
    pub fn new(sources: SecretSources) -> Self {
        Secrets { sources, held: Mutex::default() }
    }

    /// All that there is a source for.
    pub fn ids(&self) -> impl Iterator<Item = &SecretId> {
        self.sources.keys()
    }

    /// The value, if it has been fetched.
    pub fn at_hand(&self, id: &SecretId) -> Option<SecretString> {
        self.held().values.get(id).cloned()
    }

    /// Every value that has been fetched, also what was let go since.
    pub fn known(&self) -> Vec<SecretString> {
        let held = self.held();
        held.values.values().chain(&held.former).cloned().collect()
    }

    /// Never held while a secret is fetched.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The variables of our own environment that hold secrets: nobody else is to inherit them.
    pub fn variables(&self) -> Vec<String> {
        let name = |source: &SecretSource| match source {
            SecretSource::Env(name) => Some(name.clone()),
            SecretSource::File(_) | SecretSource::Command(_) => None,
        };
        self.sources.values().filter_map(name).collect()
    }

    /// Lets go of a value, so that it is fetched again when next needed.
    pub fn forget(&self, id: &SecretId) {
        let mut held = self.held();
        let Some(value) = held.values.remove(id) else { return };
        let is_it = |f: &SecretString| f.expose_secret() == value.expose_secret();
        if !held.former.iter().any(is_it) {
            held.former.push_back(value);
        }
        if held.former.len() > MAX_FORMER {
            held.former.pop_front();
        }
    }

    /// The value of a secret; blocks while it is fetched, a command for at most [`MAX_TIME`]. A failed
    /// fetch is not remembered, so that a mended file is read at the next try.
    ///
    /// # Errors
    /// The text completes "unknown: …" and never holds the value.
    pub fn get(&self, id: &SecretId) -> Result<SecretString, String> {
        if let Some(value) = self.at_hand(id) {
            return Ok(value);
        }
        let source = self
            .sources
            .get(id)
            .ok_or_else(|| format!("needs the secret {id}: add [secrets.{id}] to config.toml"))?;
        let value = fetch(source).map_err(|why| format!("needs the secret {id}: {why}"))?;
        self.held().values.insert(id.clone(), value.clone());
        Ok(value)
    }
}

fn fetch(source: &SecretSource) -> Result<SecretString, String> {
    let text = match source {
        SecretSource::Env(name) => {
            std::env::var(name).map_err(|_| format!("the environment has no {name}"))?
        }
        SecretSource::File(path) => from_file(path)?,
        SecretSource::Command(argv) => from_command(argv, MAX_TIME)?,
    };
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(SecretString::from(text)) }
}

fn from_file(path: &str) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|e| format!("cannot read {path}: {e}"))?;
    let meta = file.metadata().map_err(|e| format!("cannot read {path}: {e}"))?;
    if meta.mode() & 0o077 != 0 {
        let mode = meta.mode() & 0o777;
        return Err(format!("{path} has mode {mode:03o} and can be read by others: chmod 600 {path}"));
    }
    let mut text = String::new();
    file.take(MAX_SECRET).read_to_string(&mut text).map_err(|e| format!("cannot read {path}: {e}"))?;
    Ok(text)
}

fn from_command(argv: &[String], within: Duration) -> Result<String, String> {
    let (program, args) = argv.split_first().ok_or("its command is empty")?;
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|e| format!("cannot run {program}: {e}"))?;
    let mut pipe = child.stdout.take().map(|out| out.take(MAX_SECRET));
    let clock = SystemClock::new();
    let began = clock.now();
    let left = || within.checked_sub(clock.now().since(began));
    let mut text = Vec::new();
    let read = pipe.as_mut().map_or(Ok(()), |out| read_within(out, left, &mut text));
    // What it printed may be all while it goes on running.
    let ended = read.and_then(|()| end_within(&mut child, left));
    let status = ended.map_err(|e| {
        let _ = child.kill();
        let _ = child.wait();
        match e.kind() {
            io::ErrorKind::TimedOut => format!("{program} took longer than {}", units::exact(within)),
            _ => format!("cannot read from {program}: {e}"),
        }
    })?;
    if !status.success() {
        return Err(format!("{program} failed with {status}"));
    }
    let text = String::from_utf8(text).map_err(|_| format!("{program} printed what is no text"))?;
    Ok(text.lines().next().unwrap_or("").to_owned())
}

/// Reads to the end of a pipe, which somebody may keep open for ever.
fn read_within(
    out: &mut io::Take<ChildStdout>,
    left: impl Fn() -> Option<Duration>,
    text: &mut Vec<u8>,
) -> io::Result<()> {
    let mut piece = [0; 4096];
    loop {
        let left = left().ok_or(io::ErrorKind::TimedOut)?;
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut ready = [PollFd::new(out.get_ref(), PollFlags::IN)];
        match poll(&mut ready, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(e) => return Err(e.into()),
        }
        match out.read(&mut piece)? {
            0 => return Ok(()),
            n => text.extend_from_slice(piece.get(..n).unwrap_or(&[])),
        }
    }
}

fn end_within(child: &mut Child, left: impl Fn() -> Option<Duration>) -> io::Result<ExitStatus> {
    let pause = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        left().ok_or(io::ErrorKind::TimedOut)?;
        let _ = poll(&mut [], Some(&pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;

    fn secrets(source: SecretSource) -> (Secrets, SecretId) {
        let id = SecretId::new("s");
        (Secrets::new([(id.clone(), source)].into()), id)
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pw");
        std::fs::write(&path, "hunter2\n").unwrap();
        let (secrets, id) = secrets(SecretSource::File(path.display().to_string()));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let why = secrets.get(&id).unwrap_err();
        assert!(why.contains("mode 640") && why.contains("chmod 600"), "{why}");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(secrets.get(&id).unwrap().expose_secret(), "hunter2");
    }

    #[test]
    fn a_command_gives_its_first_line() {
        let argv = ["sh", "-c", "echo one; echo two"].map(String::from).to_vec();
        let (secrets, id) = secrets(SecretSource::Command(argv));
        assert_eq!(secrets.get(&id).unwrap().expose_secret(), "one");
    }

    #[test]
    fn a_secret_never_prints() {
        let argv = ["echo", "hunter2"].map(String::from).to_vec();
        let (secrets, id) = secrets(SecretSource::Command(argv));
        let value = secrets.get(&id).unwrap();
        assert!(!format!("{value:?} {:?}", secrets.held).contains("hunter2"));
    }

    /// Who is refused with a value reads it again; what was printed with the old one is still secret.
    #[test]
    fn what_is_let_go_is_still_known() {
        let argv = ["sh", "-c", "date +%N"].map(String::from).to_vec();
        let (secrets, id) = secrets(SecretSource::Command(argv));
        let old = secrets.get(&id).unwrap();
        secrets.forget(&id);
        assert!(secrets.at_hand(&id).is_none());
        let new = secrets.get(&id).unwrap();
        let known = secrets.known();
        for value in [&old, &new] {
            assert!(known.iter().any(|k| k.expose_secret() == value.expose_secret()));
        }
        assert_eq!(known.len(), 2);
    }

    #[test]
    fn a_command_that_keeps_its_pipe_open_is_ended() {
        let argv = ["sh", "-c", "echo half; sleep 1000"].map(String::from).to_vec();
        let why = from_command(&argv, Duration::from_millis(100)).unwrap_err();
        assert_eq!(why, "sh took longer than 100ms");
    }

    #[test]
    fn a_secret_that_is_not_configured_says_what_to_add() {
        let why = Secrets::default().get(&SecretId::new("admin")).unwrap_err();
        assert_eq!(why, "needs the secret admin: add [secrets.admin] to config.toml");
    }
}
