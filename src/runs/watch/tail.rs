//! The end of what a step prints: a bounded read from behind, made safe to show.

use crate::domain::id::StepId;
use crate::domain::procedure::run::{Phase, Run};
use crate::domain::text::one_line_bytes;
use crate::runs::dir::RunDir;
use crate::runs::{files, outputs};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Lines shown, at most.
pub const MAX_LINES: usize = 50;
/// Characters of a line, at most.
pub const MAX_WIDTH: usize = 400;
/// Read from the end, in bytes, at most.
const MAX_READ: u64 = 32 << 10;

/// The step of the moment and the file that it, or its undoing, prints into, when there is one.
pub(super) fn current(dir: &RunDir, run: &Run) -> Option<(StepId, PathBuf)> {
    let busy = |i: &usize| {
        run.steps.get(*i).is_some_and(|s| {
            matches!(s.phase, Phase::Running | Phase::Verifying { .. } | Phase::InDoubt | Phase::Failed(_))
        })
    };
    let undone = (0..run.steps.len()).find(|i| run.is_rollback_open(*i));
    let going_on = || run.current().filter(|i| !run.is_undoing() && busy(i));
    let index = undone.or_else(going_on)?;
    let (step, state) = (run.plan.steps.get(index)?, run.steps.get(index)?);
    Some((step.id.clone(), outputs::last_file(dir, step.id.as_str(), state.attempts)?))
}

/// The last lines of a file that may be growing.
pub(super) fn read(path: &Path) -> Vec<String> {
    let bytes = || {
        let file = files::open(path).ok()?;
        let len = file.metadata().ok()?.len();
        let from = len.saturating_sub(MAX_READ);
        let mut bytes = vec![0; usize::try_from(len - from).ok()?];
        // It can only have grown meanwhile, unless somebody cut it: then there is nothing to show.
        file.read_exact_at(&mut bytes, from).ok()?;
        Some((bytes, from > 0))
    };
    let Some((bytes, cut)) = bytes() else { return Vec::new() };
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    if cut && lines.len() > 1 {
        // The first one is only the end of a line.
        lines.remove(0);
    }
    let from = lines.len().saturating_sub(MAX_LINES);
    lines.iter().skip(from).map(|line| one_line_bytes(line, MAX_WIDTH)).collect()
}
