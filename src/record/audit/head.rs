//! The head: number and hash of the last line, kept beside the log and elsewhere, so that cutting
//! the log's end shows.

use super::chain::Hash;
use super::{HEAD_FILE, Log};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

/// The largest head file.
const MAX_HEAD: u64 = 4096;

/// What the log ended with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the last line.
    pub n: u64,
    pub hash: Hash,
    /// Where else it was sent; `None` when there was nowhere.
    #[serde(default)]
    pub sent: Option<String>,
}

impl Head {
    /// `N:HASH`, as `audit verify` prints it and takes it.
    pub fn parse(text: &str) -> Option<Head> {
        let (n, hash) = text.split_once(':')?;
        Some(Head { n: n.parse().ok()?, hash: Hash::parse(hash)?, sent: None })
    }
}

impl Log {
    /// The head beside the log; `None` when there is none.
    ///
    /// # Errors
    /// It is there and cannot be read: it was damaged, and the log cannot be held against it.
    pub fn head(&self) -> Result<Option<Head>, String> {
        let path = self.dir().join(HEAD_FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(format!("open {}: {e}", path.display())),
        };
        let mut bytes = Vec::new();
        file.take(MAX_HEAD).read_to_end(&mut bytes).map_err(|e| format!("read {}: {e}", path.display()))?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| format!("read {}: it was damaged: {e}", path.display()))
    }

    /// Replaces the head as a whole. The log's lock must be held.
    pub(super) fn set_head(&self, head: &Head) -> io::Result<()> {
        let path = self.dir().join(HEAD_FILE);
        let new = self.dir().join(format!(".{HEAD_FILE}.{}", std::process::id()));
        let text = serde_json::to_vec(head)?;
        let written = (|| {
            // One left by a crash of a process of this number may belong to somebody else.
            let _ = fs::remove_file(&new);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            self.share(&file)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }
}
