//! The loop of a runner: asks the machine what must come next, and has it done.

use super::PATIENCE;
use super::attend::Ears;
use super::deadline::Spent;
use super::ground::Ground;
use super::log::Log;
use super::scribe::{Scribe, Unrecorded};
use crate::act::remains::Remains;
use crate::act::step;
use crate::domain::procedure::event::{Event, Interruption, Outcome};
use crate::domain::procedure::machine::Next;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Between two tries to write what could not be written.
const RETRY: Duration = Duration::from_secs(1);

/// One run in the hands of its runner.
pub struct Runner {
    pub(super) scribe: Scribe,
    pub(super) ground: Arc<Ground>,
    pub(super) ears: Ears,
    pub(super) log: Log,
    /// Nothing of the plan was looked at yet.
    pub(super) fresh: bool,
    /// Nothing that takes time came since it was looked at what other runs put in the way.
    pub(super) looked: bool,
    /// All secrets were fetched that could be.
    pub(super) knows_secrets: bool,
    /// What was told to stand in the way of what a person is to do by hand.
    pub(super) warned: Vec<String>,
    /// Steps that a person took as done in doubt, and of which this runner saw that nothing runs.
    pub(super) outlasted: BTreeSet<usize>,
    pub(super) spent: Spent,
}

/// Why a runner cannot go on; the run has not ended then.
#[derive(Debug)]
pub struct Halt(pub String);

impl Runner {
    pub fn new(scribe: Scribe, ground: Arc<Ground>, ears: Ears, log: Log, fresh: bool) -> Runner {
        let spent = Spent::since(ground.clock.now());
        Runner {
            scribe,
            ground,
            ears,
            log,
            fresh,
            looked: false,
            knows_secrets: false,
            warned: Vec::new(),
            outlasted: BTreeSet::new(),
            spent,
        }
    }

    /// Goes on until the run has ended or cannot go on. Gives how it ended, and whether it did.
    pub async fn drive(&mut self) -> (Outcome, bool) {
        loop {
            if let Some(ended) = &self.scribe.run.ended {
                return (ended.outcome, self.scribe.is_written());
            }
            if let Err(Halt(why)) = self.turn().await {
                self.log.say(&format!("stopped: {why}"));
                let outcome = if self.scribe.run.in_doubt() { Outcome::InDoubt } else { Outcome::Failed };
                return (outcome, false);
            }
        }
    }

    /// Lets go: of the socket, once those who asked have their replies, and then of the journal.
    pub async fn close(self) {
        self.ears.close().await;
        drop(self.scribe);
    }

    async fn turn(&mut self) -> Result<(), Halt> {
        self.mind_the_deadline();
        if let Some(step) = self.taken_unseen() {
            self.looked = false;
            return self.outlast(step).await;
        }
        if self.must_look() {
            return self.look_for_interlocks().await;
        }
        self.looked = false;
        match self.scribe.run.next() {
            Next::CheckPreconditions => self.check_preconditions().await,
            Next::EnterHold { step, why, says } => self.hold(step, why, says).await,
            Next::Await => self.wait_for_a_person().await,
            Next::Begin { step, may_pass } => self.begin(step, may_pass).await,
            Next::Verify { step } => self.verify(step).await,
            Next::Ask { step } => self.ask(step, false).await,
            Next::AskRollBack { step } => self.ask(step, true).await,
            Next::RollBack { step } => self.roll_back(step).await,
            Next::End { outcome: Outcome::Aborted | Outcome::InDoubt, why }
                if self.scribe.run.interruption() == Some(Interruption::Signal) =>
            {
                self.leave(&why).await
            }
            Next::End { outcome: Outcome::InDoubt, why } => self.end_in_doubt(why).await,
            Next::End { outcome, why } => self.record(Event::Ended { outcome, why }).await,
            // Effects are awaited where they begin, and the loop ends before this.
            Next::Acting { step } => {
                Err(Halt(format!("step {step} is said to be under way, and this runner did not begin it")))
            }
            Next::Ended => Ok(()),
        }
    }

    /// A runner that is told to end leaves its run as it stands, which nobody decided: it reads as
    /// lost, keeps its lock, and is there for all to see until a person goes on with it or ends it.
    async fn leave(&mut self, why: &str) -> Result<(), Halt> {
        let says = format!("its runner was told to end, and leaves the run as it stands: {why}");
        self.record(Event::Note { says: says.clone() }).await?;
        Err(Halt(says))
    }

    /// A run whose step still acts does not end: it reads as lost, and keeps its lock until that
    /// is over or was ended.
    async fn end_in_doubt(&mut self, mut why: String) -> Result<(), Halt> {
        let (ground, run) = (Arc::clone(&self.ground), self.scribe.run.clone());
        let look = Remains::of(&run, false, |step| ground.setting(step, 0));
        let Some(remains) = self.attend(look, |_| true).await else { return Ok(()) };
        if !matches!(self.scribe.run.next(), Next::End { outcome: Outcome::InDoubt, .. }) {
            return Ok(());
        }
        for word in remains.words() {
            why = format!("{why}; {word}");
        }
        if remains.act_on() {
            let says = format!("the run does not end while its step acts: {why}");
            self.record(Event::Note { says: says.clone() }).await?;
            return Err(Halt(says));
        }
        self.record(Event::Ended { outcome: Outcome::InDoubt, why }).await
    }

    /// After a lost runner: asks the system what became of an effect or of its undoing.
    async fn ask(&mut self, index: usize, rollback: bool) -> Result<(), Halt> {
        let ground = Arc::clone(&self.ground);
        let Some(step) = ground.step(index) else { return Err(absent(index)) };
        let state = &self.scribe.run.steps[index];
        let (action, before) = match (&step.rollback, rollback) {
            (Some(undo), true) => (&undo.action, self.scribe.before_rollback(&step.id).to_owned()),
            _ => (&step.action, state.before.clone()),
        };
        let answer = match ground.setting(step, state.attempts) {
            Ok(setting) => {
                let undoes = rollback.then_some(&step.action);
                let setting = step::Setting { undoes, ..setting };
                let look = async { step::ask(action, &before, &setting).await };
                match self.attend(look, |run| run.abort.is_none()).await {
                    Some(answer) => answer,
                    None => return self.settle().await,
                }
            }
            Err(why) => step::Answer::unknown(why),
        };
        self.record(Event::Asked { step: step.id.clone(), truth: answer.truth, says: answer.says }).await
    }

    /// Records what happened, and has it on disk.
    pub(super) async fn record(&mut self, event: Event) -> Result<(), Halt> {
        match self.scribe.record(event) {
            Ok(()) => Ok(()),
            Err(why @ Unrecorded::Illegal(_)) => Err(Halt(format!("failed to {why}"))),
            Err(Unrecorded::Unwritten(why)) => {
                self.log.say(&format!("failed to {why}"));
                self.settle().await
            }
        }
    }

    /// Waits until all that holds is on disk: it tries for [`PATIENCE`], and hears meanwhile.
    pub(super) async fn settle(&mut self) -> Result<(), Halt> {
        let until = Instant::now() + PATIENCE;
        loop {
            let Err(why) = self.scribe.flush() else { return Ok(()) };
            if Instant::now() >= until {
                return Err(Halt(format!("failed to {why}; tried for {} s", PATIENCE.as_secs())));
            }
            let pause = tokio::time::sleep(RETRY);
            self.attend(pause, |_| true).await;
        }
    }
}

pub(super) fn absent(index: usize) -> Halt {
    Halt(format!("the plan has no step {}", index + 1))
}
