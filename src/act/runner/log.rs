//! What a runner says beside its journal: why it could not begin, and what it could not write.

use crate::act::rundir::{self, RunDir};
use crate::domain::text::one_line;
use rustix::fs::OFlags;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

/// The longest line, in characters.
const MAX_LINE: usize = 1_000;

/// `runner.log` of a run; without one, standard error.
#[derive(Clone, Debug)]
pub struct Log(Option<Arc<File>>);

impl Log {
    pub fn open(dir: &RunDir) -> Log {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND;
        Log(rundir::open(&dir.log(), flags, dir.group()).ok().map(Arc::new))
    }

    /// Says one safe line. That it cannot be said is nobody's to know.
    pub fn say(&self, text: &str) {
        let line = format!("{}\n", one_line(text, MAX_LINE));
        let _ = match &self.0 {
            Some(file) => file.as_ref().write_all(line.as_bytes()),
            None => std::io::stderr().write_all(line.as_bytes()),
        };
    }
}
