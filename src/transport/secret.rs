//! Secrets: fetched by reference when first needed, held in memory that is wiped, never printed.

use crate::domain::id::SecretId;
use crate::stack::spec::{SecretSource, SecretSources};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// The largest secret, in bytes.
pub const MAX_SECRET: u64 = 64 << 10;

/// The values of the secrets, fetched once.
#[derive(Debug, Default)]
pub struct Secrets {
    sources: SecretSources,
    fetched: Mutex<BTreeMap<SecretId, SecretString>>,
}

impl Secrets {
    pub fn new(sources: SecretSources) -> Self {
        Secrets { sources, fetched: Mutex::default() }
    }

    /// The value, if it has been fetched and nobody is fetching just now. Never blocks.
    pub fn at_hand(&self, id: &SecretId) -> Option<SecretString> {
        self.fetched.try_lock().ok()?.get(id).cloned()
    }

    /// Every value that has been fetched and not let go. Waits while one is being fetched.
    pub fn known(&self) -> Vec<SecretString> {
        let fetched = self.fetched.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        fetched.values().cloned().collect()
    }

    /// The variables of our own environment that hold secrets: nobody else is to inherit them.
    pub fn variables(&self) -> Vec<String> {
        let name = |source: &SecretSource| match source {
            SecretSource::Env(name) => Some(name.clone()),
            SecretSource::File(_) | SecretSource::Command(_) => None,
        };
        self.sources.values().filter_map(name).collect()
    }

    /// Lets go of a value, so that it is fetched again when next needed. While a fetch is under
    /// way nothing is let go. Never blocks.
    pub fn forget(&self, id: &SecretId) {
        if let Ok(mut fetched) = self.fetched.try_lock() {
            fetched.remove(id);
        }
    }

    /// The value of a secret; blocks while it is fetched. A failed fetch is not remembered, so that a mended file is read at
    /// the next try.
    ///
    /// # Errors
    /// The text completes "unknown: …" and never holds the value.
    pub fn get(&self, id: &SecretId) -> Result<SecretString, String> {
        let mut fetched = self.fetched.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(value) = fetched.get(id) {
            return Ok(value.clone());
        }
        let source = self
            .sources
            .get(id)
            .ok_or_else(|| format!("needs the secret {id}: add [secrets.{id}] to config.toml"))?;
        let value = fetch(source).map_err(|why| format!("needs the secret {id}: {why}"))?;
        fetched.insert(id.clone(), value.clone());
        Ok(value)
    }
}

fn fetch(source: &SecretSource) -> Result<SecretString, String> {
    let text = match source {
        SecretSource::Env(name) => {
            std::env::var(name).map_err(|_| format!("the environment has no {name}"))?
        }
        SecretSource::File(path) => from_file(path)?,
        SecretSource::Command(argv) => from_command(argv)?,
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

fn from_command(argv: &[String]) -> Result<String, String> {
    let (program, args) = argv.split_first().ok_or("its command is empty")?;
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|e| format!("cannot run {program}: {e}"))?;
    let mut text = String::new();
    if let Some(out) = child.stdout.take() {
        out.take(MAX_SECRET)
            .read_to_string(&mut text)
            .map_err(|e| format!("cannot read from {program}: {e}"))?;
    }
    let status = child.wait().map_err(|e| format!("cannot wait for {program}: {e}"))?;
    if !status.success() {
        return Err(format!("{program} failed with {status}"));
    }
    Ok(text.lines().next().unwrap_or("").to_owned())
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
        assert!(!format!("{value:?} {:?}", secrets.fetched).contains("hunter2"));
    }

    #[test]
    fn a_secret_that_is_not_configured_says_what_to_add() {
        let why = Secrets::default().get(&SecretId::new("admin")).unwrap_err();
        assert_eq!(why, "needs the secret admin: add [secrets.admin] to config.toml");
    }
}
