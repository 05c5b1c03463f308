//! Starting a runner: the run's directory on disk, then a process of its own that carries it out.

use crate::act::policy::{ApprovedPlan, Resumption};
use crate::act::rundir::{self, RunDir, StateDir, WriteRun, WriteState};
use crate::act::runner::{ask_to_resume, is_asked_to_resume};
use crate::domain::id::RunId;
use crate::domain::text::one_line_bytes;
use crate::runs::journal::{Follow, has_runner};
use jiff::Timestamp;
use rustix::fs::OFlags;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// How long a runner may take to its first line, in pauses of [`PAUSE_NS`].
const PAUSES: u32 = 2_500;
const PAUSE_NS: i64 = 2_000_000;
/// Read of the end of `runner.log`, in bytes, for why a runner could not begin.
const MAX_REASON: u64 = 4 << 10;

/// How a runner's process is started: `PROGRAM ARGS… runner RUN`, with the environment of here and
/// what is added to it. It runs in `/`: every path in `args` must be absolute.
#[derive(Clone, Debug)]
pub struct Launch {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
}

/// Starts an approved plan, and returns when the runner has written its first line. Blocks for at
/// most about 5 s, and usually for some milliseconds.
///
/// # Errors
/// The directory cannot be written; or the runner could not begin, then nothing was done and the
/// reason is what it said. Completes "failed to …".
pub fn start(
    state: &StateDir,
    approved: &ApprovedPlan,
    launch: &Launch,
    at: Timestamp,
) -> Result<RunId, String> {
    state.prepare()?;
    let dir = state.create_run(at)?;
    let written = write(&dir, approved);
    let begun = written.and_then(|()| launched(&dir, launch, 0));
    if begun.is_err() && entries(&dir) == 0 && !has_runner(&dir) {
        dir.discard();
    }
    begun.map(|()| dir.id().clone())
}

/// Starts a runner for a run that lost its own, or that had failed, and returns when it has
/// written that it took over.
///
/// # Errors
/// There is no such run, it has a runner, or the new one could not begin: see [`start`].
pub fn resume(state: &StateDir, id: &str, word: &Resumption, launch: &Launch) -> Result<(), String> {
    state.prepare()?;
    let dir = state.run(id)?;
    if has_runner(&dir) {
        return Err(format!("resume run {id}: it has a runner"));
    }
    let before = entries(&dir);
    let word = ask_to_resume(&dir, word)?;
    let begun = launched(&dir, launch, before);
    if begun.is_err() && is_asked_to_resume(&dir) {
        let _ = fs::remove_file(dir.path().join("resume"));
    }
    drop(word);
    begun
}

/// Has what was approved on disk, before anybody is to act by it.
fn write(dir: &RunDir, approved: &ApprovedPlan) -> Result<(), String> {
    let plan = serde_json::to_vec(approved.plan()).map_err(|e| format!("write the plan: {e}"))?;
    dir.write_new_all(&[("plan.json", &plan), ("approval.json", &approved.document())])
}

fn launched(dir: &RunDir, launch: &Launch, before: u64) -> Result<(), String> {
    let told = |e: std::io::Error| format!("start {}: {e}", launch.program.display());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND;
    let log = rundir::open(&dir.log(), flags, dir.group()).map_err(told)?;
    let mut child = Command::new(&launch.program)
        .args(&launch.args)
        .arg("runner")
        .arg(dir.id().as_str())
        .envs(launch.env.iter().map(|(k, v)| (k, v)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(told)?)
        .stderr(log)
        .spawn()
        .map_err(told)?;
    let begun = match first_line(&mut child, dir, before) {
        Begun::Yes => Ok(()),
        Begun::No(why) => Err(why),
        // What has not begun by now must not begin behind one's back.
        Begun::Slow => Err(ended_late(&mut child, dir, before)),
    };
    reap(child);
    begun
}

/// Whether a runner has begun.
#[derive(Debug, PartialEq, Eq)]
enum Begun {
    Yes,
    /// It ended before, and why.
    No(String),
    /// Not yet.
    Slow,
}

/// Ends a runner that was too slow, and says what became of it: it may have begun since the last
/// look.
fn ended_late(child: &mut Child, dir: &RunDir, before: u64) -> String {
    let seconds = i64::from(PAUSES) * PAUSE_NS / 1_000_000_000;
    let _ = child.kill();
    let ended = (0..PAUSES).any(|_| {
        let ended = child.try_wait().is_ok_and(|status| status.is_some());
        if !ended {
            pause();
        }
        ended
    });
    // Only now is what it has written all that it writes.
    match (entries(dir) > before, ended) {
        (_, false) => format!(
            "start a runner: it wrote nothing for {seconds} s and does not end when killed; look at run {}",
            dir.id()
        ),
        (true, true) => format!(
            "start a runner: it began only after {seconds} s and was ended by then; run {id} has begun and lost its runner: see `runs show {id}`, then resume or abort it",
            id = dir.id()
        ),
        (false, true) => format!("start a runner: it wrote nothing for {seconds} s, and was ended"),
    }
}

fn pause() {
    let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: PAUSE_NS };
    let _ = rustix::event::poll(&mut [], Some(&pause));
}

fn first_line(child: &mut Child, dir: &RunDir, before: u64) -> Begun {
    for _ in 0..PAUSES {
        // Asked first: one that ended has then written all that is read.
        let ended = child.try_wait().ok().flatten();
        if entries(dir) > before {
            return Begun::Yes;
        }
        if let Some(status) = ended {
            return Begun::No(match said(dir) {
                Some(why) => why,
                None => format!("start a runner: it ended at once ({status}) and said nothing"),
            });
        }
        pause();
    }
    Begun::Slow
}

/// Entries in a run's journal; none where it cannot be read.
fn entries(dir: &RunDir) -> u64 {
    let mut follow = Follow::new();
    follow.more(&dir.journal()).map_or(0, |_| follow.entries())
}

/// The last line of `runner.log`.
fn said(dir: &RunDir) -> Option<String> {
    let file = rundir::open(&dir.log(), OFlags::RDONLY, None).ok()?;
    let len = file.metadata().ok()?.len();
    let from = len.saturating_sub(MAX_REASON);
    let mut bytes = vec![0; usize::try_from(len - from).ok()?];
    file.read_exact_at(&mut bytes, from).ok()?;
    let line = bytes.split(|b| *b == b'\n').rfind(|l| !l.trim_ascii().is_empty())?;
    let line = one_line_bytes(line, 500);
    Some(line.strip_prefix("failed to ").map_or_else(|| format!("start a runner: {line}"), str::to_owned))
}

/// Takes the runner's exit status when it ends, so that it does not stay as a dead entry for as
/// long as this program runs.
fn reap(mut child: Child) {
    let _ = std::thread::Builder::new().name("reaper".to_owned()).spawn(move || child.wait());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::journal::Journal;
    use crate::domain::procedure::event::Event;

    #[test]
    fn a_slow_runner_that_began_after_all_is_not_said_to_have_written_nothing() {
        for (begins, says) in
            [(true, "has begun and lost its runner"), (false, "it wrote nothing for 5 s, and was ended")]
        {
            let dir = tempfile::tempdir().unwrap();
            let state = StateDir::new(dir.path().join("s"), None);
            state.prepare().unwrap();
            let run = state.create_run(Timestamp::UNIX_EPOCH).unwrap();
            let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
            // After the last look, and before it is ended.
            if begins {
                let mut journal = Journal::create(&run).unwrap();
                journal.append(Event::Note { says: "begun".to_owned() }, Timestamp::UNIX_EPOCH).unwrap();
            }
            let why = ended_late(&mut child, &run, 0);
            assert!(why.contains(says), "{why}");
            assert!(child.try_wait().unwrap().is_some());
        }
    }
}
