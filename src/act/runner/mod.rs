//! The runner: carries one approved plan out, from its lock to its last line. What comes next is
//! the machine's decision (`domain::procedure::machine`); here it is only done.
//!
//! When the journal cannot be written: nothing further starts. An effect that is under way is
//! neither repeated nor cut off for it, since a half-done effect is worse than one that is told
//! late; it is awaited within its own timeout, or ended by an abort, which works without a
//! journal. Its end is then tried to be written for [`PATIENCE`]. If that succeeds, the run goes
//! on; if not, the runner says so in its log and ends, and the run reads as what the disk says of
//! it: in doubt at that step, with its lock left for review.

mod attend;
mod drive;
mod effect;
mod log;
mod look;
mod place;
pub mod scribe;
mod verify;

use crate::act::control::resume::{self, Resume};
use crate::act::lock::{self, Owner};
use crate::act::policy::ApprovedPlan;
use crate::act::rundir::{RunDir, StateDir};
use crate::act::sight::Sight;
use crate::act::witness::Witness;
use crate::act::{control, identity, journal};
use crate::clock::Clock;
use crate::domain::id::HostId;
use crate::domain::procedure::event::{Event, Outcome};
use crate::domain::procedure::run::Run;
use crate::stack::spec::Stack;
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use attend::Ears;
use drive::Runner;
use log::Log;
use scribe::Scribe;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of an effect is tried to be written before the runner gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Everything beside its plan that a runner works with.
pub struct World {
    pub stack: Arc<Stack>,
    /// The way to each host that steps run on.
    pub ways: BTreeMap<HostId, Arc<Transport>>,
    /// Secrets and logins.
    pub access: Arc<Access>,
    pub sight: Arc<dyn Sight>,
    pub clock: Arc<dyn Clock>,
    pub witness: Box<dyn Witness>,
}

/// Leaves the terminal, the session and the directory that the runner was started from. To be
/// called first in the runner's process, before any thread is started.
///
/// # Errors
/// It cannot leave its directory. That it leads a session already is no error.
pub fn detach() -> io::Result<()> {
    let _ = rustix::process::setsid();
    rustix::process::chdir("/")?;
    Ok(())
}

/// Carries the plan of a run out: from the beginning, or, when [`control::resume`] asked for it,
/// from where its journal ends. Never panics for what it finds; what it cannot do it says in
/// `runner.log` and, where it can be, in the journal.
pub async fn run(state: &StateDir, dir: RunDir, approved: ApprovedPlan, world: World) -> Outcome {
    let log = Log::open(&dir);
    match admit(state, &dir, approved, world, &log).await {
        Ok((runner, lock)) => {
            let (outcome, ended) = runner.drive(&log).await;
            if !ended {
                log.say("the run has not ended; its lock is left for review");
            } else if let Err(e) = lock.release() {
                log.say(&format!("the lock still names this run, which has ended: {e}"));
            }
            outcome
        }
        Err(why) => {
            log.say(&format!("failed to {why}"));
            Outcome::Refused
        }
    }
}

/// Takes the lock, opens the journal and the socket.
async fn admit(
    state: &StateDir,
    dir: &RunDir,
    approved: ApprovedPlan,
    world: World,
    log: &Log,
) -> Result<(Runner, lock::Lock), String> {
    state.prepare()?;
    let resume = resume::take(dir)?;
    if resume.is_none() && dir.journal().exists() {
        return Err(format!("begin run {}: it has begun already, and nobody asked for it to be resumed", dir.id()));
    }
    let plan = approved.plan();
    let owner = Owner {
        run: dir.id().clone(),
        procedure: plan.procedure.clone(),
        by: resume.as_ref().map_or_else(|| approved.by().clone(), |r| r.by.clone()),
        since: world.clock.now().wall,
        runner: std::process::id(),
    };
    let lock = lock::take(state, &plan.stack, &plan.lock, &owner, |run| control::is_over(state, run))
        .map_err(|denied| denied.to_string())?;
    let opened = open(dir, &approved, resume.as_ref(), &world).inspect_err(|_| {
        // Nothing was written and nothing begun: the lock must not wait for review. A run that is
        // to be resumed keeps it.
        if resume.is_none() && !dir.journal().exists() {
            let _ = lock::forget(state, &plan.stack, &plan.lock, dir.id());
        }
    });
    let (scribe, world) = opened.map(|(scribe, parts)| (scribe, parts))?;
    let ears = Ears::open(dir).await.unwrap_or_else(|why| {
        // A run that nobody can speak to can still be aborted by a signal.
        log.say(&format!("requests cannot be taken: {why}; SIGTERM aborts"));
        Ears::deaf()
    });
    Ok((Runner::new(dir.clone(), scribe, world, ears, resume.is_none()), lock))
}

type Opened = (Scribe, place::Place);

fn open(
    dir: &RunDir,
    approved: &ApprovedPlan,
    resume: Option<&Resume>,
    world: &World,
) -> Result<Opened, String> {
    todo!("{dir:?} {approved:?} {resume:?} {:?} {:?}", journal::MAX_LINE, identity::me())
}
