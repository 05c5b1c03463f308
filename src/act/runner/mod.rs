//! The runner: carries one approved plan out, from its lock to its last line. What comes next is
//! the machine's decision (`domain::procedure::machine`); here it is only done.
//!
//! When the journal cannot be written, nothing further starts. An effect that is under way is
//! neither repeated nor cut off for it, since one that is half done is worse than one that is told
//! late: it is awaited within its own timeout, or ended by an abort, which works without a journal.
//! Its end is then tried to be written for [`PATIENCE`]. If that succeeds the run goes on; if not,
//! the runner says so in its log and ends, and the run reads as what the disk says of it: in doubt
//! at that step, with its lock left for review.

mod attend;
mod deadline;
mod drive;
mod effect;
mod ground;
mod hold;
mod log;
mod look;
mod resumed;
pub mod scribe;
mod verify;

pub use resumed::{ask_to_resume, is_asked_to_resume};

use super::lock::{self, Lock, Owner};
use super::policy::{self, ApprovedPlan};
use super::rundir::{RunDir, StateDir};
use super::sight::Sight;
use super::witness::Witness;
use super::{control, identity};
use crate::clock::Clock;
use crate::domain::id::HostId;
use crate::domain::procedure::event::{Event, Outcome, Person};
use crate::domain::procedure::level::Level;
use crate::runs::left;
use crate::stack::spec::Stack;
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use attend::Ears;
use drive::Runner;
use ground::Ground;
use log::Log;
use scribe::{Scribe, Unrecorded};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of an effect is tried to be written before the runner gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Runs named in one line of a journal.
const AT_ONCE: usize = 500;

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
    /// To be said first of what is done here: a note in the journal.
    pub preface: Option<String>,
}

/// Shows that this process is a runner's own, by [`detach`]: signals to it are meant for its run.
///
/// The process cannot be asked for that later: the session of one that was started in a container
/// from outside is one without a number in there, which `getsid` of `rustix` takes for impossible.
#[derive(Debug, Clone, Copy)]
pub struct Detached(());

/// Leaves the terminal, the session and the directory that the runner was started from. To be
/// called first in the runner's process.
///
/// # Errors
/// It cannot leave its directory. That it leads a session already is no error.
pub fn detach() -> io::Result<Detached> {
    let _ = rustix::process::setsid();
    rustix::process::chdir("/")?;
    Ok(Detached(()))
}

/// Carries the plan of a run out: from the beginning, or, when [`ask_to_resume`] was called, from
/// where its journal ends. What it cannot do it says in `runner.log` and, where it can be written,
/// in the journal. Without a process of its own it does not listen to signals.
pub async fn run(
    state: &StateDir,
    dir: RunDir,
    approved: ApprovedPlan,
    world: World,
    own: Option<Detached>,
) -> Outcome {
    let log = Log::open(&dir);
    let (mut runner, lock) = match admit(state, &dir, &approved, world, own, &log) {
        Ok(admitted) => admitted,
        Err(why) => {
            log.say(&format!("failed to {why}"));
            return Outcome::Refused;
        }
    };
    let (outcome, ended) = runner.drive().await;
    if ended {
        if let Err(e) = lock.release() {
            log.say(&format!("the lock still names this run, which has ended: {e}"));
        }
    } else {
        log.say("the run has not ended; its lock is left for review");
    }
    // After the lock: whoever sees that the runner is gone can start the next one.
    runner.close().await;
    outcome
}

/// Takes the lock, opens the journal and the socket.
fn admit(
    state: &StateDir,
    dir: &RunDir,
    approved: &ApprovedPlan,
    mut world: World,
    own: Option<Detached>,
    log: &Log,
) -> Result<(Runner, Lock), String> {
    let resumed = resumed::take(dir)?;
    let fresh = resumed.is_none();
    if fresh && dir.journal().exists() {
        return Err(format!(
            "begin run {}: it has begun already, and nobody asked for it to be resumed",
            dir.id()
        ));
    }
    let by = if resumed.is_some() { identity::me() } else { approved.by().clone() };
    let plan = approved.plan();
    let owner = Owner {
        run: dir.id().clone(),
        procedure: plan.procedure.clone(),
        by: by.clone(),
        since: world.clock.now().wall,
        runner: std::process::id(),
    };
    let lock = lock::take(
        state,
        &plan.stack,
        &plan.lock,
        &owner,
        |run| control::is_over(state, run),
        || control::open_run(state, &plan.stack, &plan.lock, dir.id()),
    )
    .map_err(|denied| denied.to_string())?;
    let preface = world.preface.take();
    let (ground, witness) = Ground::of(state, dir, plan.clone(), world);
    let clock = Arc::clone(&ground.clock);
    let scribe = match resumed {
        None => begin(dir, approved, clock, witness),
        Some(given) => resume(dir, approved, given, by, clock, witness),
    };
    let scribe = scribe.and_then(|scribe| open_with(state, scribe, preface));
    let scribe = match scribe {
        Ok(scribe) => scribe,
        Err(why) => {
            // What never began, or had ended before, holds nobody up.
            if control::is_over(state, dir.id()) {
                let _ = lock.release();
            }
            return Err(why);
        }
    };
    let ears = Ears::open(dir, own).unwrap_or_else(|why| {
        log.say(&format!("requests cannot be taken: {why}; only SIGTERM is heard"));
        Ears::deaf(own)
    });
    Ok((Runner::new(scribe, ground, ears, log.clone(), fresh), lock))
}

/// Writes down what is to be known of all that follows: which runs came before although they are
/// dated later, and what the run stands on.
fn open_with(state: &StateDir, mut scribe: Scribe, preface: Option<String>) -> Result<Scribe, String> {
    let own = scribe.run.id.clone();
    let later: Vec<_> = left::dated_later(state, &own, scribe.run.last.1).into_iter().collect();
    let before = later.chunks(AT_ONCE).map(|some| Event::Preceded { runs: some.iter().cloned().collect() });
    for event in before.chain(preface.map(|says| Event::Note { says })) {
        // What could not be written yet is written before anything that is to follow it.
        if let Err(why @ Unrecorded::Illegal(_)) = scribe.record(event) {
            return Err(format!("begin run {own}: {why}"));
        }
    }
    Ok(scribe)
}

fn begin(
    dir: &RunDir,
    approved: &ApprovedPlan,
    clock: Arc<dyn Clock>,
    witness: Box<dyn Witness>,
) -> Result<Scribe, String> {
    let started = Event::Started {
        run: dir.id().clone(),
        plan: approved.hash().clone(),
        by: approved.by().clone(),
        confirmed: approved.confirmed().clone(),
        runner: std::process::id(),
    };
    Scribe::begin(dir, approved.plan().clone(), started, clock, witness)
}

fn resume(
    dir: &RunDir,
    approved: &ApprovedPlan,
    given: resumed::Given,
    by: Person,
    clock: Arc<dyn Clock>,
    witness: Box<dyn Witness>,
) -> Result<Scribe, String> {
    let resumed::Given { mode, reason, second, request } = given;
    if approved.plan().level >= Level::L3 && reason.is_none() {
        return Err(format!("resume run {}: no reason was given", dir.id()));
    }
    let now = clock.now().wall;
    let mut scribe = Scribe::reopen(dir, approved.plan().clone(), clock, witness)?;
    let told = |why: String| format!("resume run {}: {why}", dir.id());
    policy::may_go_on(dir, &scribe.run, mode, (second.as_ref(), request.as_deref()), (&by, now))
        .map_err(told)?;
    let says = second.as_ref().map(|second| format!("taken up again; {}", second.says()));
    let resumed = Event::Resumed { by, runner: std::process::id(), mode, reason, second };
    scribe.record(resumed).map_err(|why| told(why.to_string()))?;
    if let Some(says) = says
        && let Err(why @ Unrecorded::Illegal(_)) = scribe.record(Event::Note { says })
    {
        return Err(told(why.to_string()));
    }
    Ok(scribe)
}
