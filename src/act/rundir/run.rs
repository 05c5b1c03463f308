//! The documents of one run: written once, by their owner, and then only read.

use super::files::{open, sync_dir};
use crate::runs::dir::RunDir;
use rustix::fs::OFlags;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;

/// What writes into the directory of a run.
pub trait WriteRun {
    /// Writes a file that must not be there yet, and has it on disk before it returns. The name
    /// itself is on disk after [`WriteRun::sync`].
    ///
    /// # Errors
    /// It is there already, or cannot be written; what was written of it is removed.
    fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), String>;

    /// The same for several files, and has their names on disk as well. The disk is waited for once,
    /// for all of them together.
    ///
    /// # Errors
    /// As [`WriteRun::write_new`], of the first that fails.
    fn write_new_all(&self, documents: &[(&str, &[u8])]) -> Result<(), String>;

    /// Has the directory's names on disk.
    ///
    /// # Errors
    /// It cannot be.
    fn sync(&self) -> Result<(), String>;

    /// Removes it all: for a run that never came to its first line.
    fn discard(&self);
}

impl WriteRun for RunDir {
    fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        put(self, name, bytes).and_then(|file| synced(self, name, &file))
    }

    fn write_new_all(&self, documents: &[(&str, &[u8])]) -> Result<(), String> {
        let files: Vec<(&str, File)> = documents
            .iter()
            .map(|(name, bytes)| Ok((*name, put(self, name, bytes)?)))
            .collect::<Result<_, String>>()?;
        std::thread::scope(|scope| {
            let waits: Vec<_> =
                files.iter().map(|(name, file)| scope.spawn(move || synced(self, name, file))).collect();
            let names = self.sync();
            let gone = |_| Err(format!("write {}: a thread ended early", self.path().display()));
            waits.into_iter().map(|wait| wait.join().unwrap_or_else(gone)).fold(names, Result::and)
        })
    }

    fn sync(&self) -> Result<(), String> {
        sync_dir(self.path()).map_err(|e| format!("write {}: {e}", self.path().display()))
    }

    fn discard(&self) {
        let _ = fs::remove_dir_all(self.path());
    }
}

/// Writes a new file; not yet to the disk.
fn put(dir: &RunDir, name: &str, bytes: &[u8]) -> Result<File, String> {
    let path = dir.path().join(name);
    let told = |e: io::Error| format!("write {}: {e}", path.display());
    let mut file = open(&path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, dir.group()).map_err(told)?;
    // Read by the group, written by nobody else: who approved a plan is whose file it is.
    let sealed = |file: &File| match dir.group() {
        Some(_) => file.set_permissions(fs::Permissions::from_mode(0o640)),
        None => Ok(()),
    };
    let written = file.write_all(bytes).and_then(|()| sealed(&file));
    if written.is_err() {
        let _ = fs::remove_file(&path);
    }
    written.map(|()| file).map_err(told)
}

fn synced(dir: &RunDir, name: &str, file: &File) -> Result<(), String> {
    let path = dir.path().join(name);
    file.sync_all().map_err(|e| {
        let _ = fs::remove_file(&path);
        format!("write {}: {e}", path.display())
    })
}
