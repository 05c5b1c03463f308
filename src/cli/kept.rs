//! The stack file that a run was approved with, kept beside its journal: it may be changed, deployed
//! anew or broken before the run is taken up again, and the run must still be finished or undone.

use super::End;
use crate::act::rundir::{RunDir, WriteRun, read_bounded};
use crate::act::runner::is_asked_to_resume;
use crate::domain::procedure::plan::Plan;
use crate::stack::decode::MAX_FILE;
use crate::stack::load::{self, Flags, Loaded};
use std::io::Write;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// The file's name in a run's directory.
const NAME: &str = "stack.toml";

/// The stack that a runner works with.
pub(super) struct Kept {
    pub loaded: Loaded,
    /// What is to be said of it.
    pub says: Option<String>,
}

/// The stack as the plan was made of it: from its file, or else, where the run is taken up again,
/// from what was kept of it. All else is from config.toml as it is now: where secrets are found is
/// not for a run's directory to say.
///
/// # Errors
/// Neither is what the plan was made of: what changed, and what can be done.
pub(super) fn as_approved(flags: &Flags, dir: &RunDir, plan: &Plan) -> Result<Kept, End> {
    let env = |name: &str| std::env::var(name).ok();
    let is_it = |loaded: &Loaded| loaded.stack_hash == plan.stack_hash;
    let now = match load::load(flags, &env) {
        Ok(loaded) if is_it(&loaded) => {
            return Ok(Kept { loaded, says: None });
        }
        Err(why) if !is_asked_to_resume(dir) => return Err(End::Load(why)),
        Ok(_) if !is_asked_to_resume(dir) => {
            let why = "the stack file or its config changed since the plan was approved; make a new plan";
            return Err(End::Refused(format!("begin run {}: {why}", dir.id())));
        }
        Err(_) => "cannot be read any more",
        Ok(_) => "changed",
    };
    let wrong = match read_bounded(&dir.path().join(NAME), MAX_FILE) {
        Ok(bytes) => match load::load_with(flags, &env, String::from_utf8_lossy(&bytes).into_owned()) {
            Ok(loaded) if is_it(&loaded) => {
                let says = format!(
                    "the stack file {now} since this run was approved: it goes on with the file as it was then"
                );
                return Ok(Kept { loaded, says: Some(says) });
            }
            Ok(_) => format!(
                "the stack file {now}, and what was kept of it is not what was approved together with \
                 config.toml, whose variables, hosts or probes are others now"
            ),
            Err(why) => format!(
                "the stack file {now} since the plan was approved, and as it was then: {}",
                End::Load(why).in_one_line()
            ),
        },
        Err(e) => {
            format!("the stack file or its config {now} since the plan was approved, and none was kept: {e}")
        }
    };
    let id = dir.id();
    Err(End::Refused(format!(
        "take run {id} up again: {wrong}; put it back as it was, \
         or give the run up with `quarterdeck runs abort {id}`"
    )))
}

/// Keeps the file for later, beside what the run does: nobody waits for the disk. That it cannot be
/// is told in the run's log, and no reason not to begin.
pub(super) fn keep(dir: &RunDir, loaded: &Loaded) -> Option<JoinHandle<()>> {
    if dir.path().join(NAME).exists() {
        return None;
    }
    let (dir, source) = (dir.clone(), Arc::clone(&loaded.source));
    let keep = move || {
        if let Err(why) = dir.write_new(NAME, source.text.as_bytes()) {
            let _ = writeln!(std::io::stderr(), "failed to keep the stack file: {why}");
        }
    };
    thread::Builder::new().name("keep".to_owned()).spawn(keep).ok()
}
