//! The metrics engine behind a screen: started from what was loaded, fed by the observers, heard
//! through the mailbox.

use super::setup::Ready;
use crate::domain::telemetry::Telemetry;
use crate::observe::mailbox::Mailbox;
use crate::observe::metrics::engine::remotes::Pace;
use crate::observe::metrics::engine::{Engine, Keep, remotes, restored_words, setup, tasks};
use crate::observe::prober::Prober;
use crate::observe::scheduler::{Tap, Task};
use crate::record::keep::Kept;
use std::sync::Arc;

/// A running engine, and what the observers must do for it.
pub struct Metrics {
    pub engine: Engine,
    pub tap: Tap,
    pub tasks: Vec<Task>,
}

/// Starts the engine. `keep` says whether alerts outlive this run of the program.
///
/// # Errors
/// The text completes "failed to …".
pub fn start(ready: &Ready, prober: &Prober, mailbox: &Arc<Mailbox>, keep: bool) -> Result<Metrics, String> {
    let stack = &ready.loaded.stack;
    let mut telemetry = Telemetry::new(setup::of(&stack.metrics));
    let kept = keep.then(|| alerts_of(ready));
    if let Some(kept) = &kept {
        take_up(kept, &mut telemetry, ready);
    }
    let keep: Option<Keep> = kept.map(|kept| {
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

/// Where the alerts of this stack are kept.
pub fn alerts_of(ready: &Ready) -> Kept {
    let dir = ready.state_dir.join("alerts");
    Kept::new(&dir, format!("{}.json", ready.loaded.stack.name))
}

/// Takes up the alerts of an earlier run; what is wrong with them is logged, and they start anew.
pub fn take_up(kept: &Kept, telemetry: &mut Telemetry, ready: &Ready) {
    let restored = match kept.read() {
        Ok(None) => return,
        Ok(Some(text)) => telemetry.restore(&text, ready.clock.now()),
        Err(e) => Err(format!("read {}: {e}", kept.path().display())),
    };
    match restored {
        Ok(restored) => tracing::info!("{}", restored_words(&restored)),
        Err(why) => tracing::warn!("failed to {why}; since-times start anew"),
    }
}
