//! Watching a run from outside until it does not go on: it is another process, and watching
//! changes nothing of it.

use super::progress::Progress;
use super::{End, run_json};
use crate::act::control::{self, Loaded};
use crate::act::rundir::{RunDir, StateDir};
use crate::domain::id::RunId;
use crate::domain::procedure::ledger::RunState;
use crate::domain::text::{nearest, one_line};
use crate::runs::journal::{Torn, has_runner};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// Between two looks at a journal.
const EVERY: Duration = Duration::from_millis(150);
/// A run that has no runner for so long has none: one that was just started may not have got there.
const WITHOUT_RUNNER: Duration = Duration::from_secs(2);

/// How the watching ended.
pub enum Watched {
    /// The run does not go on.
    Over(Box<Loaded>),
    /// Ctrl-C: the run goes on.
    Left,
}

/// What of a journal's file tells that it is longer: its size, its time, its place.
type Mark = Option<(u64, i64, i64, u64)>;

fn mark(dir: &RunDir) -> Mark {
    let is = std::fs::metadata(dir.journal()).ok()?;
    Some((is.len(), is.mtime(), is.mtime_nsec(), is.ino()))
}

/// Tells what happens to a run, a line at a time, until it does not go on or the watcher leaves.
///
/// # Errors
/// It cannot be read; completes "failed to …".
pub async fn follow(state: &StateDir, id: &str, told: &mut dyn FnMut(&str)) -> Result<Watched, String> {
    let dir = state.run(id)?;
    let mut progress = Progress::default();
    let mut last: Option<(Mark, bool)> = None;
    let mut alone = Duration::ZERO;
    let mut leave = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let now = (mark(&dir), has_runner(&dir));
        if last != Some(now) || !now.1 {
            match control::load(state, id) {
                Ok(loaded) => {
                    last = Some(now);
                    progress.tell(&loaded.run).iter().for_each(|line| told(line));
                    let stands = loaded.run.state(loaded.alive);
                    let over = match stands {
                        RunState::Ended(_) => true,
                        RunState::Lost => alone >= WITHOUT_RUNNER,
                        RunState::Running | RunState::Held => false,
                    };
                    if over {
                        return Ok(Watched::Over(Box::new(loaded)));
                    }
                }
                // A run that was just started has no journal yet.
                Err(why) if alone >= WITHOUT_RUNNER => return Err(why),
                Err(_) => {}
            }
        }
        alone = if now.1 { Duration::ZERO } else { alone + EVERY };
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            // That Ctrl-C cannot be heard is no reason to stop: it then ends this process.
            heard = &mut leave => if heard.is_ok() { return Ok(Watched::Left) },
        }
    }
}

/// Follows on standard output; `quiet` tells nothing until the end. Gives the exit code.
pub(super) fn to_the_end(state: &StateDir, id: &str, output: super::args_act::Output) -> Result<u8, End> {
    let text = output == super::args_act::Output::Text;
    // A reader that has left does not end the watching: the exit code is still to be given.
    let mut told = |line: &str| {
        if text {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    };
    let watched = super::block_on(follow(state, id, &mut told))?.map_err(End::Failed)?;
    match watched {
        Watched::Left => {
            let _ = writeln!(
                std::io::stderr(),
                "\nquarterdeck: run {id} goes on: only the following ended\n  \
                 quarterdeck runs follow {id}\n  quarterdeck runs abort {id}"
            );
            Ok(super::INTERRUPTED)
        }
        Watched::Over(loaded) => {
            let Loaded { run, torn, alive } = *loaded;
            let printed = if text {
                let mut out = String::new();
                for line in crate::domain::procedure::report::summary(&run, alive) {
                    out.push_str(&line);
                    out.push('\n');
                }
                out
            } else {
                run_json::run(&run, alive, torn.as_ref().map(Torn::says).as_deref())
            };
            let _ = std::io::stdout().write_all(printed.as_bytes());
            Ok(run_json::exit_code(run.state(alive)).unwrap_or(super::FAILED))
        }
    }
}

/// The run that a text means: its id, its unique beginning, or `last`.
///
/// # Errors
/// None or several are meant; completes "failed to …".
pub fn resolve(state: &StateDir, text: &str) -> Result<String, String> {
    let (ids, _) = state.run_ids()?;
    let shown = one_line(text, 60);
    if text == "last" {
        return ids
            .first()
            .map(ToString::to_string)
            .ok_or_else(|| "find the last run: there is none".to_owned());
    }
    let meant: Vec<&str> = ids.iter().map(RunId::as_str).filter(|id| id.starts_with(text)).collect();
    match meant.as_slice() {
        _ if ids.iter().any(|id| id.as_str() == text) => Ok(text.to_owned()),
        [one] if !text.is_empty() => Ok((*one).to_owned()),
        [] => {
            let near = nearest(text, ids.iter().map(RunId::as_str));
            let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            Err(format!("find the run {shown}: there is none{near}"))
        }
        several => {
            let some: Vec<&str> = several.iter().take(5).copied().collect();
            let more = several.len().saturating_sub(some.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Err(format!("find the run {shown}: it could be {}{more}", some.join(", ")))
        }
    }
}
