//! `quarterdeck runs resume`: has a run taken up again, by who says what its level needs, and with a
//! second person while what they must approve is still to come.

use super::args::Global;
use super::{End, acting, second};
use crate::act::control;
use crate::act::identity;
use crate::act::policy::Given;
use crate::act::rundir::StateDir;
use crate::clock::{Clock, SystemClock};
use crate::domain::procedure::event::Mode;
use crate::domain::procedure::proposal::{self, Blast, Proposal};
use crate::domain::procedure::run::Run;

/// Waits for a second person where one is needed, and returns when the new runner has begun.
///
/// # Errors
/// What was said is not enough, nobody approved it, or the runner could not go on.
pub(super) fn resume(
    global: &Global,
    state: &StateDir,
    id: &str,
    mode: Mode,
    mut given: Given,
    break_glass: bool,
) -> Result<(), End> {
    let run = control::load(state, id).map_err(End::Refused)?.run;
    let prompt = proposal::resume_prompt(&run, mode);
    // What is wrong with the rest is told before anybody else is bothered or waits.
    if prompt.needs_second && super::run::amiss(&prompt, &given).is_empty() {
        let clock = SystemClock::new();
        let proposal = to_be_seconded(&run, &clock);
        let reason = given.reason.clone().unwrap_or_default();
        let second = super::block_on(async {
            if break_glass {
                second::break_glass(&clock, &proposal, &reason).await
            } else {
                second::wait_for((state, &clock), &proposal, &reason, &identity::me()).await
            }
        })?;
        given.second = Some(second.map_err(End::Refused)?);
    }
    acting::take_up(state, id, mode, &given, &acting::launch(global)?).map_err(End::Refused)
}

/// What a second person is shown of a run that is to go on: the plan, and where it stands.
fn to_be_seconded(run: &Run, clock: &dyn Clock) -> Proposal {
    let left = run.plan.steps.iter().zip(&run.steps).filter(|(_, is)| !is.phase.is_good());
    let left: Vec<&str> = left.map(|(step, _)| step.name.as_str()).collect();
    let says = format!("run {} goes on where it stopped; still to be done: {}", run.id, left.join(", "));
    Proposal {
        plan: run.plan.clone(),
        hash: run.hash.clone(),
        looked: clock.now(),
        blast: vec![Blast { says, value: None }],
        preconditions: Vec::new(),
        refusals: Vec::new(),
        prompt: proposal::resume_prompt(run, Mode::Continue),
        changed: Vec::new(),
        warnings: Vec::new(),
    }
}
