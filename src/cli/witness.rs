//! What a run does, told to the audit log.

use crate::act::witness::{Noted, Witness};
use crate::domain::procedure::event::{Effected, Event, Person};
use crate::domain::procedure::plan::Plan;
use crate::domain::procedure::request::Request;
use crate::domain::procedure::run::Stopper;
use crate::record::audit::{Log, What};
use std::io;
use std::sync::Mutex;

/// Writes what a run does to the audit log. A plan's texts hold names of secrets, never values.
pub struct AuditWitness {
    log: Log,
    plan: Plan,
    /// Who acts through this runner: who started or resumed it.
    who: Mutex<Option<Person>>,
}

impl AuditWitness {
    pub fn new(log: Log, plan: Plan) -> Self {
        AuditWitness { log, plan, who: Mutex::new(None) }
    }

    fn host_of(&self, step: &str) -> String {
        let found = self.plan.steps.iter().find(|s| s.id.as_str() == step);
        found.map_or_else(String::new, |s| s.host.to_string())
    }

    /// What an entry means for the audit, and whose doing it is when it is not the runner's.
    fn what(&self, noted: &Noted) -> (Option<Person>, What) {
        let run = noted.run.clone();
        let says = |says: String| (None, What::Noted { run: noted.run.clone(), says });
        match noted.entry.event.clone() {
            Event::Started { by, confirmed, .. } => {
                let started = What::Started {
                    run,
                    stack: noted.stack.clone(),
                    environment: noted.environment.clone(),
                    procedure: noted.procedure.clone(),
                    params: self.plan.params.clone(),
                    plan: noted.plan.clone(),
                    level: confirmed.level,
                    confirmed,
                };
                (Some(by), started)
            }
            Event::Resumed { by, mode, reason, second, .. } => {
                (Some(by), What::Resumed { run, mode, reason, second })
            }
            Event::AbortRequested { by, now } => {
                (Some(by), What::Requested { run, request: Request::Abort { now } })
            }
            Event::Interrupted { by, now } => {
                let what = if now { "the step that runs is ended" } else { "after the step that runs" };
                says(format!("stopped by {}: {what}", Stopper::Interruption(by)))
            }
            Event::HoldReleased { step, by, choice, note } => {
                let request = Request::Release { step: step.to_string(), hold: None, choice, note };
                (Some(by), What::Requested { run, request })
            }
            Event::Intended { step, attempt, .. } => {
                let host = self.host_of(step.as_str());
                let commands = noted.preview.clone();
                (None, What::Intended { run, step: step.to_string(), attempt, host, commands })
            }
            Event::RollbackIntended { step, .. } => {
                let host = self.host_of(step.as_str());
                let commands = noted.preview.clone();
                (None, What::Intended { run, step: format!("{step} (rollback)"), attempt: 1, host, commands })
            }
            Event::Finished { step, attempt, result, .. } => {
                (None, What::Finished { run, step: step.to_string(), attempt, how: how(&result) })
            }
            Event::RollbackFinished { step, result } => {
                let step = format!("{step} (rollback)");
                (None, What::Finished { run, step, attempt: 1, how: how(&result) })
            }
            Event::Ended { outcome, why } => (None, What::Ended { run, outcome, why }),
            Event::Preceded { runs } => {
                says(format!("the clock went back: {} earlier runs are dated later", runs.len()))
            }
            Event::Preconditions { failed, .. } if failed.is_empty() => {
                says("the preconditions hold".to_owned())
            }
            Event::Preconditions { failed, .. } => says(format!("preconditions: {}", failed.join("; "))),
            Event::Skipped { step, because } => says(format!("{step} passed over: {because}")),
            Event::HoldEntered { step, says: words, .. } => {
                says(format!("{step} waits for a person: {words}"))
            }
            Event::Verified { step, says: words } => says(format!("{step} verified: {words}")),
            Event::Unverified { step, why } => says(format!("{step} not verified: {why}")),
            Event::Asked { step, truth, says: words } => {
                says(format!("{step} asked whether it happened: {truth:?}: {words}"))
            }
            Event::Observed { step, seen, .. } => says(format!("{step} seen: {}", seen.says)),
            Event::Note { says: words } => says(words),
        }
    }
}

fn how(result: &Effected) -> String {
    match result {
        Effected::Done { says } => format!("done: {says}"),
        Effected::Failed { why } => format!("failed: {why}"),
        Effected::TimedOut { why } => format!("its time was over: {why}"),
        Effected::Killed { why } => format!("ended by an abort: {why}"),
    }
}

impl Witness for AuditWitness {
    fn note(&self, noted: &Noted) -> io::Result<()> {
        let (by, what) = self.what(noted);
        let mut who = self.who.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let starts = matches!(what, What::Started { .. } | What::Resumed { .. });
        if starts {
            who.clone_from(&by);
        }
        let person = by.as_ref().or(who.as_ref());
        self.log.append(noted.entry.at, person, what).map(|_| ()).map_err(io::Error::other)
    }
}
