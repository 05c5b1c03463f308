//! The hidden `quarterdeck runner`: the process that carries one run out, away from any terminal.
//! What it has to say before its journal is open goes to standard error, which is the run's log.

use super::args::Global;
use super::kept::{self, Kept};
use super::sight::{Freshness, Watcher};
use super::witness::AuditWitness;
use super::{End, Ended, acting, setup};
use crate::act::rundir::RunDir;
use crate::act::runner::{self, World};
use crate::act::{identity, policy};
use crate::clock::{Clock, SystemClock};
use crate::observe::prober::Prober;
use crate::record::audit::Log;
use crate::stack::load::Loaded;
use crate::stack::spec::Stack;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// Carries out the run with this id; the exit code is its outcome.
pub(super) fn run(global: &Global, id: &str) -> Ended {
    let state = acting::state(global)?;
    let dir = state.run(id).map_err(End::Refused)?;
    let approved =
        policy::readmit(&dir, &identity::me(), SystemClock::new().now().wall).map_err(End::Refused)?;
    begins_once(&dir, &acting::log_of(&state))?;
    let plan = approved.plan();
    let Kept { loaded, says } = kept::as_approved(&global.options().flags, &dir, plan)?;
    // Only now: files may have been named from the directory that this was started in.
    let own = runner::detach().map_err(|e| End::Refused(format!("leave the terminal: {e}")))?;
    let keeper = kept::keep(&dir, &loaded);
    let witness = Box::new(AuditWitness::new(acting::log_of(&state), plan.clone()));
    let outcome = super::block_on(async {
        let world = World { preface: says, ..world(&loaded, witness) };
        runner::run(&state, dir, approved, world, Some(own)).await
    });
    if let Some(keeper) = keeper {
        let _ = keeper.join();
    }
    Ok(ExitCode::from(outcome?.exit_code()))
}

/// A journal that is gone makes no new run: the audit log knows of the old one.
fn begins_once(dir: &RunDir, log: &Log) -> Result<(), End> {
    if dir.journal().exists() {
        return Ok(());
    }
    // A log that cannot be read cannot be written either, and without it no run begins.
    match log.has_begun(dir.id()) {
        Ok(false) => Ok(()),
        Ok(true) => {
            let why = "it has begun before, says the audit log, and its journal is gone";
            Err(End::Refused(format!("begin run {}: {why}", dir.id())))
        }
        Err(why) => Err(End::Refused(why)),
    }
}

/// The end of a runner that could not begin, as the run's log has it: whoever started it reads the
/// last line.
pub(super) fn in_words(ended: Ended) -> ExitCode {
    ended.unwrap_or_else(|end| {
        let line = crate::domain::text::one_line(&end.in_one_line(), 500);
        let _ = writeln!(std::io::stderr(), "{line}");
        ExitCode::from(super::USAGE)
    })
}

fn world(loaded: &Loaded, witness: Box<AuditWitness>) -> World {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let stack: Arc<Stack> = Arc::new(loaded.stack.clone());
    let prober: Prober = setup::prober(loaded, &clock);
    World {
        ways: acting::ways(&stack, &prober),
        access: prober.access(),
        sight: Arc::new(Watcher::new(Arc::clone(&stack), prober, Arc::clone(&clock), Freshness::Newer)),
        stack,
        clock,
        witness,
        preface: None,
    }
}
