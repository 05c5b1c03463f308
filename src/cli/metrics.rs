//! The metrics engine behind a screen: started from what was loaded, fed by the observers, heard
//! through the mailbox.

use super::setup::Ready;
use crate::clock::Now;
use crate::domain::alert::state::Restored;
use crate::domain::telemetry::Telemetry;
use crate::observe::mailbox::Mailbox;
use crate::observe::metrics::engine::remotes::Pace;
use crate::observe::metrics::engine::{Engine, Keep, remotes, restored_words, setup, tasks};
use crate::observe::prober::Prober;
use crate::observe::scheduler::{Tap, Task};
use crate::record::keep::Kept;
use std::path::Path;
use std::sync::Arc;

/// A running engine, and what the observers must do for it.
pub struct Metrics {
    pub engine: Engine,
    pub tap: Tap,
    pub tasks: Vec<Task>,
}

/// What an engine has to do with how alerts stood before it, and stand after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// They are taken up, and kept for the next one.
    Kept,
    /// They are taken up, if they may be read, and nothing is written.
    Read,
    /// Each begins anew.
    Forgotten,
}

/// Starts the engine.
///
/// # Errors
/// The text completes "failed to …".
pub fn start(ready: &Ready, prober: &Prober, mailbox: &Arc<Mailbox>, past: Past) -> Result<Metrics, String> {
    let stack = &ready.loaded.stack;
    let mut telemetry = Telemetry::new(setup::of(&stack.metrics));
    let kept = (past != Past::Forgotten).then(|| alerts_of(&ready.state_dir, &stack.name));
    if let Some(kept) = &kept {
        log_taken_up(take_up(kept, &mut telemetry, ready.clock.now()));
    }
    let keep: Option<Keep> = kept.filter(|_| past == Past::Kept).map(|kept| {
        let keep: Keep = Box::new(move |text| {
            kept.write(text).map_err(|e| format!("write {}: {e}", kept.path().display()))
        });
        keep
    });
    let publish = {
        let mailbox = Arc::clone(mailbox);
        Box::new(move |board, urgent| mailbox.post_board(board, urgent))
    };
    let interval = stack.metrics.settings.evaluation_interval;
    let engine = Engine::start(telemetry, interval, Arc::clone(&ready.clock), publish, keep)
        .map_err(|e| format!("start the metrics engine: {e}"))?;
    let mut beside = tasks::scrapes(stack, prober, &ready.clock, &engine.teller(), &engine.wants());
    let (teller, wants) = (engine.teller(), engine.wants());
    beside.extend(remotes::remotes(stack, prober, &ready.clock, &teller, &wants, Pace::default()));
    let tap = tasks::tap(stack, engine.teller());
    Ok(Metrics { engine, tap, tasks: beside })
}

/// Where the alerts of a stack are kept.
pub fn alerts_of(state_dir: &Path, stack: &str) -> Kept {
    Kept::new(&state_dir.join("alerts"), format!("{stack}.json"))
}

/// Takes up the alerts of an earlier run, if any were kept.
///
/// # Errors
/// They are of no use, and start anew; the text completes "failed to …".
pub fn take_up(kept: &Kept, telemetry: &mut Telemetry, now: Now) -> Result<Option<Restored>, String> {
    match kept.read() {
        Ok(None) => Ok(None),
        Ok(Some(text)) => telemetry.restore(&text, now).map(Some),
        Err(e) => Err(format!("read {}: {e}", kept.path().display())),
    }
}

fn log_taken_up(restored: Result<Option<Restored>, String>) {
    match restored {
        Ok(None) => {}
        Ok(Some(restored)) => tracing::info!("{}", restored_words(&restored)),
        Err(why) => tracing::warn!("failed to {why}; since-times start anew"),
    }
}
