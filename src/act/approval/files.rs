//! Requests and approvals as files: written whole by one owner, and read together with whose they are.

use crate::act::rundir::{self, StateDir};
use crate::domain::id;
use crate::domain::procedure::event::Person;
use crate::domain::procedure::plan::PlanHash;
use crate::domain::text::one_line;
use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What a second person wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Word {
    pub request: String,
    pub hash: PlanHash,
    pub by: Person,
    pub at: Timestamp,
}

pub(super) fn valid(id: &str) -> Result<&str, String> {
    if id::is_valid(id) {
        Ok(id)
    } else {
        Err(format!("find the request {}: that is no request's id", one_line(id, 60)))
    }
}

pub(super) fn request_path(state: &StateDir, id: &str) -> PathBuf {
    state.approvals().join(format!("{id}.request"))
}

pub(super) fn word_path(state: &StateDir, id: &str) -> PathBuf {
    state.approvals().join(format!("{id}.approved"))
}

/// Writes a file that only its owner can change, complete or not at all.
pub(super) fn write(state: &StateDir, path: &Path, what: &impl Serialize) -> Result<(), String> {
    let told = |e: std::io::Error| format!("write {}: {e}", path.display());
    let text = serde_json::to_vec(what).map_err(|e| format!("write {}: {e}", path.display()))?;
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut file =
        rundir::open(&beside, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, None).map_err(told)?;
    let mode = if state.group().is_some() { 0o640 } else { 0o600 };
    let written = (|| {
        if let Some(gid) = state.group() {
            rustix::fs::fchown(&file, None, Some(rustix::fs::Gid::from_raw(gid)))?;
        }
        file.write_all(&text)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        rundir::sync_dir(&state.approvals())
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.map_err(told)
}

/// Reads a file and whose it is, from one open file.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<(T, u32), String> {
    let file = rundir::open(path, OFlags::RDONLY, None).map_err(|e| e.to_string())?;
    let is = file.metadata().map_err(|e| e.to_string())?;
    if is.mode() & 0o022 != 0 {
        return Err("others than its owner could have written it".to_owned());
    }
    if is.nlink() != 1 {
        return Err("it has a second name".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(rundir::MAX_DOCUMENT as u64 + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() > rundir::MAX_DOCUMENT {
        return Err(format!("it is larger than {} bytes", rundir::MAX_DOCUMENT));
    }
    let what = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
    Ok((what, is.uid()))
}
