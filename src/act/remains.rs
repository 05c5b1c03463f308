//! What steps of a run that has lost its runner still run: looked for, named and ended, before the
//! run is given up and its lock is free for others.

use super::planner::Eyes;
use super::process::{self, Stray};
use super::rundir::RunDir;
use super::step::{Setting, starts_programs};
use crate::domain::id::{HostId, StepId};
use crate::domain::procedure::plan::Step;
use crate::domain::procedure::run::{Phase, Run};

/// What still runs of a run's steps. Empty for a run none of whose steps was left in the middle.
#[derive(Clone, Debug, Default)]
pub struct Remains(Vec<Remain>);

/// What still runs of one step.
#[derive(Clone, Debug)]
struct Remain {
    step: StepId,
    host: HostId,
    /// Why it is not known, otherwise.
    runs: Result<Vec<Stray>, String>,
    /// What was done to end it.
    done: Vec<String>,
}

impl Remains {
    /// Looks at the hosts of all steps that were intended and have not come to their end.
    pub async fn look(run: &Run, dir: &RunDir, eyes: &Eyes<'_>) -> Remains {
        Remains::of(run, false, |step| setting(step, run, dir, eyes)).await
    }

    /// The same, and ends what is found: TERM, and KILL after the grace.
    pub async fn end(run: &Run, dir: &RunDir, eyes: &Eyes<'_>) -> Remains {
        Remains::of(run, true, |step| setting(step, run, dir, eyes)).await
    }

    /// Of a run at whose hosts nobody can look.
    pub fn unknown(run: &Run, why: &str) -> Remains {
        let of = |step: &Step| Remain {
            step: step.id.clone(),
            host: step.host.clone(),
            runs: Err(why.to_owned()),
            done: Vec::new(),
        };
        Remains(open_steps(run).map(of).collect())
    }

    /// The same, on the ways that are given; it ends what it finds, or looks only.
    pub async fn of<'a>(
        run: &'a Run,
        end: bool,
        setting: impl Fn(&'a Step) -> Result<Setting<'a>, String>,
    ) -> Remains {
        let mut all = Vec::new();
        for step in open_steps(run) {
            let (runs, done) = match setting(step) {
                Ok(s) if end => match process::end_strays(&s).await {
                    Ok((done, left)) => (Ok(left), done),
                    Err(why) => (Err(why), Vec::new()),
                },
                Ok(s) => (process::strays(&s).await, Vec::new()),
                Err(why) => (Err(why), Vec::new()),
            };
            all.push(Remain { step: step.id.clone(), host: step.host.clone(), runs, done });
        }
        Remains(all)
    }

    /// Whether it is known that nothing runs any more.
    pub fn are_gone(&self) -> bool {
        self.0.iter().all(|r| r.runs.as_ref().is_ok_and(Vec::is_empty))
    }

    /// Whether something is known to run.
    pub fn act_on(&self) -> bool {
        self.0.iter().any(|r| r.runs.as_ref().is_ok_and(|runs| !runs.is_empty()))
    }

    /// What was done and what still runs, one part for each step of which there is anything to say.
    pub fn words(&self) -> Vec<String> {
        let mut out = Vec::new();
        for remain in &self.0 {
            let of = format!("step `{}` on {}", remain.step, remain.host);
            if !remain.done.is_empty() {
                out.push(format!("{of}: {}", remain.done.join(", then ")));
            }
            match &remain.runs {
                Ok(runs) if runs.is_empty() => {}
                Ok(runs) => out.push(format!("{of} STILL RUNS: {}", process::names(runs))),
                Err(why) => out.push(format!("whether {of} still runs is NOT KNOWN: {why}")),
            }
        }
        out
    }
}

/// Steps of which a program may run that nobody waits for.
fn open_steps(run: &Run) -> impl Iterator<Item = &Step> {
    run.plan.steps.iter().enumerate().filter_map(|(i, step)| {
        let state = run.steps.get(i)?;
        let begun = match state.phase {
            Phase::Running | Phase::InDoubt => true,
            // To be done once more, since it was not known what became of it.
            Phase::Waiting | Phase::WillNotRun(_) => state.attempts > 0,
            _ => run.is_taken_unseen(i),
        };
        let undo = step.rollback.as_ref().is_some_and(|undo| starts_programs(&undo.action));
        let back = (run.is_rollback_open(i) || run.is_taken_unseen(i)) && undo;
        (begun && starts_programs(&step.action) || back).then_some(step)
    })
}

fn setting<'a>(
    step: &'a Step,
    run: &'a Run,
    dir: &'a RunDir,
    eyes: &'a Eyes<'_>,
) -> Result<Setting<'a>, String> {
    if eyes.stack.name != run.plan.stack {
        return Err(format!("the run is of the stack {}", run.plan.stack));
    }
    let transport =
        eyes.ways.get(&step.host).ok_or_else(|| format!("there is no way to the host {}", step.host))?;
    Ok(Setting {
        stack: eyes.stack,
        run: &run.id,
        step: &step.id,
        attempt: 0,
        by_word: false,
        undoes: None,
        host: &step.host,
        transport,
        sudo: step.sudo,
        access: eyes.access,
        sight: eyes.sight,
        clock: eyes.clock,
        timeout: step.timeout,
        dir: dir.path(),
    })
}
