//! The directory of one run, and its documents: written once, by their owner, and then only read.

use super::files::{open, read_bounded, sync_dir};
use crate::domain::id::RunId;
use rustix::fs::OFlags;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The largest plan or approval that is read, in bytes.
pub const MAX_DOCUMENT: usize = 4 << 20;

/// The directory of one run: `plan.json`, `approval.json`, `journal`, outputs, `control.sock`,
/// `runner.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    pub(super) id: RunId,
    pub(super) path: PathBuf,
    pub(super) group: Option<u32>,
}

impl RunDir {
    pub fn id(&self) -> &RunId {
        &self.id
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn group(&self) -> Option<u32> {
        self.group
    }

    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    pub fn approval(&self) -> PathBuf {
        self.path.join("approval.json")
    }

    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    pub fn socket(&self) -> PathBuf {
        self.path.join("control.sock")
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("runner.log")
    }

    /// Why the run was set aside without a journal that says so, and by whom.
    pub fn set_aside(&self) -> PathBuf {
        self.path.join("set-aside")
    }

    /// The user that made it.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn owner(&self) -> Result<u32, String> {
        fs::symlink_metadata(&self.path)
            .map(|is| is.uid())
            .map_err(|e| format!("look at {}: {e}", self.path.display()))
    }

    /// Writes a file that must not be there yet, and has it on disk before it returns. The name
    /// itself is on disk after [`RunDir::sync`].
    ///
    /// # Errors
    /// It is there already, or cannot be written; what was written of it is removed.
    pub fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        self.put(name, bytes).and_then(|file| self.synced(name, &file))
    }

    /// The same for several files, and has their names on disk as well. The disk is waited for once,
    /// for all of them together.
    ///
    /// # Errors
    /// As [`RunDir::write_new`], of the first that fails.
    pub fn write_new_all(&self, documents: &[(&str, &[u8])]) -> Result<(), String> {
        let files: Vec<(&str, File)> = documents
            .iter()
            .map(|(name, bytes)| Ok((*name, self.put(name, bytes)?)))
            .collect::<Result<_, String>>()?;
        std::thread::scope(|scope| {
            let waits: Vec<_> =
                files.iter().map(|(name, file)| scope.spawn(move || self.synced(name, file))).collect();
            let names = self.sync();
            let gone = |_| Err(format!("write {}: a thread ended early", self.path.display()));
            waits.into_iter().map(|wait| wait.join().unwrap_or_else(gone)).fold(names, Result::and)
        })
    }

    /// Writes a new file; not yet to the disk.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<File, String> {
        let path = self.path.join(name);
        let told = |e: io::Error| format!("write {}: {e}", path.display());
        let mut file =
            open(&path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, self.group).map_err(told)?;
        // Read by the group, written by nobody else: who approved a plan is whose file it is.
        let sealed = |file: &File| match self.group {
            Some(_) => file.set_permissions(fs::Permissions::from_mode(0o640)),
            None => Ok(()),
        };
        let written = file.write_all(bytes).and_then(|()| sealed(&file));
        if written.is_err() {
            let _ = fs::remove_file(&path);
        }
        written.map(|()| file).map_err(told)
    }

    fn synced(&self, name: &str, file: &File) -> Result<(), String> {
        let path = self.path.join(name);
        file.sync_all().map_err(|e| {
            let _ = fs::remove_file(&path);
            format!("write {}: {e}", path.display())
        })
    }

    /// Has the directory's names on disk.
    ///
    /// # Errors
    /// It cannot be.
    pub fn sync(&self) -> Result<(), String> {
        sync_dir(&self.path).map_err(|e| format!("write {}: {e}", self.path.display()))
    }

    /// The text of one of its documents, at most [`MAX_DOCUMENT`] bytes.
    ///
    /// # Errors
    /// It cannot be read, is no plain file, is larger, or is no text.
    pub fn read(&self, name: &str) -> Result<String, String> {
        let path = self.path.join(name);
        read_bounded(&path, MAX_DOCUMENT)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text")))
            .map_err(|e| format!("read {}: {e}", path.display()))
    }

    /// Removes it all: for a run that never came to its first line.
    pub fn discard(&self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
