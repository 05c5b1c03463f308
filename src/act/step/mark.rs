//! Small files in the run's directory, by which a step leaves word for a later runner.

use super::Setting;
use crate::domain::text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

/// The longest mark, in bytes.
const MAX_MARK: usize = 4096;
/// The longest note of what a step found, in bytes.
const MAX_NOTE: u64 = 4 << 20;

/// Set on a directory that a group shares.
const SHARED: u32 = 0o2000;

/// One mark of a step (or, by another owner, of something that several steps share).
pub struct Mark(PathBuf);

impl Mark {
    /// Of this step; `kind` tells its marks apart.
    pub fn of_step(s: &Setting<'_>, kind: &str) -> Mark {
        Mark::of(s, s.step.as_str(), kind)
    }

    /// Of something else with a name that may hold anything.
    pub fn of(s: &Setting<'_>, owner: &str, kind: &str) -> Mark {
        let short: String = owner
            .chars()
            .take(40)
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
            .collect();
        let sum = Sha256::digest(owner.as_bytes());
        let sum = sum.iter().take(4).fold(0u32, |n, b| n << 8 | u32::from(*b));
        Mark(s.dir.join(format!("mark-{short}-{sum:08x}.{kind}")))
    }

    /// What it says; `None` when it is not there.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(&self) -> Result<Option<String>, String> {
        match std::fs::read(&self.0) {
            Ok(bytes) => Ok(Some(text::one_line_bytes(&bytes, MAX_MARK))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(format!("cannot read {}: {e}", self.0.display())),
        }
    }

    /// What was left by [`Mark::note`]; `None` when nothing was.
    ///
    /// # Errors
    /// It is there and cannot be read, or is not what was noted.
    pub fn noted<T: DeserializeOwned>(&self) -> Result<Option<T>, String> {
        let cannot = |e: io::Error| format!("cannot read {}: {e}", self.0.display());
        let file = match std::fs::File::open(&self.0) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(cannot(e)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_NOTE + 1).read_to_end(&mut bytes).map_err(cannot)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|e| cannot(e.into()))
    }

    /// Notes what a step is about to change, for its undoing; on disk when it returns.
    ///
    /// # Errors
    /// It cannot be written, or is longer than can be read back; completes "failed: …".
    pub fn note<T: Serialize>(&self, what: &T) -> Result<(), String> {
        let text = serde_json::to_string(what).map_err(|e| format!("cannot note what there is: {e}"))?;
        if text.len() as u64 > MAX_NOTE {
            return Err("what there is now is too long to be noted, and could not be put back".to_owned());
        }
        self.leave(&text)
    }

    /// Leaves word; on disk when it returns.
    ///
    /// # Errors
    /// It cannot be written; completes "failed: …".
    pub fn leave(&self, says: &str) -> Result<(), String> {
        let write = || -> io::Result<()> {
            let dir = self.0.parent().ok_or_else(|| io::Error::other("it has no directory"))?;
            // Only the owner may read it, as it is for all temporary files; and where operators share
            // the directory, they: another one may have to undo what this one began.
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            if std::fs::metadata(dir)?.mode() & SHARED != 0 {
                file.as_file().set_permissions(Permissions::from_mode(0o640))?;
            }
            file.write_all(says.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&self.0).map_err(|e| e.error)?;
            std::fs::File::open(dir)?.sync_all()
        };
        write().map_err(|e| format!("cannot write {}: {e}", self.0.display()))
    }

    /// Takes the word back: it is gone from the disk when this returns.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn clear(&self) -> Result<(), String> {
        let removed = std::fs::remove_file(&self.0).and_then(|()| match self.0.parent() {
            Some(dir) => std::fs::File::open(dir)?.sync_all(),
            None => Ok(()),
        });
        match removed {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(format!("cannot remove {}: {e}", self.0.display()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_the_directory_may_read_it_and_nobody_else() {
        for (dir_mode, want) in [(0o700, 0o600), (0o2770, 0o640)] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::set_permissions(dir.path(), Permissions::from_mode(dir_mode)).unwrap();
            let mark = Mark(dir.path().join("mark"));
            mark.note(&["was", "there"]).unwrap();
            assert_eq!(std::fs::metadata(&mark.0).unwrap().mode() & 0o7777, want);
            assert_eq!(mark.noted::<[String; 2]>().unwrap().unwrap()[0], "was");
            mark.clear().unwrap();
            assert_eq!(mark.noted::<[String; 2]>().unwrap(), None);
        }
    }
}
