//! The word that a run is to be resumed, from who asks to the runner that does it.

use crate::act::rundir::{self, RunDir};
use crate::domain::procedure::event::Mode;
use rustix::fs::OFlags;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

/// The largest such file, in bytes.
const MAX: usize = 256;

/// Leaves word for the runner that is started next. Who asks is whoever starts it.
///
/// # Errors
/// It cannot be written.
pub fn ask_to_resume(dir: &RunDir, mode: Mode) -> Result<(), String> {
    let path = path(dir);
    let told = |e: io::Error| format!("write {}: {e}", path.display());
    let text = serde_json::to_vec(&mode).map_err(|e| told(e.into()))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
    rundir::open(&path, flags, dir.group()).and_then(|mut file| file.write_all(&text)).map_err(told)
}

/// Whether word was left and not taken yet.
pub fn is_asked_to_resume(dir: &RunDir) -> bool {
    path(dir).exists()
}

/// Takes the word, so that it is good for one runner.
pub(super) fn take(dir: &RunDir) -> Result<Option<Mode>, String> {
    let path = path(dir);
    let told = |e: io::Error| format!("read {}: {e}", path.display());
    let text = match rundir::read_bounded(&path, MAX) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(told(e)),
    };
    fs::remove_file(&path).map_err(told)?;
    serde_json::from_slice(&text).map(Some).map_err(|e| told(e.into()))
}

fn path(dir: &RunDir) -> PathBuf {
    dir.path().join("resume")
}
