//! What people say to a run: holds and their answers, aborts, resumes.

use super::book::{Back, Pending, Word};
use super::{Illegal, Next};
use crate::domain::id::StepId;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::event::{Choice, Hold, Interruption, Mode, Outcome, Person};
use crate::domain::procedure::run::{Abort, Held, Phase, Run, Stopper};
use jiff::Timestamp;

/// What a person can answer to each kind of hold.
pub fn choices(why: Hold) -> &'static [Choice] {
    match why {
        Hold::Planned | Hold::Manual => &[Choice::GoOn, Choice::Stop],
        Hold::TimedOut | Hold::Failed | Hold::InDoubt => &[Choice::GoOn, Choice::Again, Choice::Stop],
    }
}

impl Run {
    pub(super) fn enter_hold(
        &mut self,
        step: &StepId,
        why: Hold,
        says: &str,
        n: u64,
        at: Timestamp,
    ) -> Result<(), Illegal> {
        let i = self.found(step)?;
        match self.next() {
            Next::EnterHold { step, why: due, .. } if step == i && due == why => {}
            other => {
                return Err(Illegal(format!("no such hold is due at `{step}`: {}", self.instead(&other))));
            }
        }
        self.hold = Some(Held {
            n,
            step: step.clone(),
            why,
            says: says.to_owned(),
            since: at,
            choices: choices(why).to_vec(),
        });
        Ok(())
    }

    pub(super) fn release_hold(
        &mut self,
        step: &StepId,
        by: &Person,
        choice: Choice,
        note: Option<&str>,
        n: u64,
        at: Timestamp,
    ) -> Result<(), Illegal> {
        let i = self.found(step)?;
        let Some(held) = self.hold.as_ref().filter(|h| h.step == *step) else {
            return Err(Illegal(format!("the run does not wait at step `{step}`")));
        };
        if self.abort.is_some() {
            return Err(Illegal("an abort was requested".to_owned()));
        }
        if !held.choices.contains(&choice) {
            return Err(Illegal(format!("this hold at step `{step}` has no such answer")));
        }
        let (why, opened) = (held.why, held.n);
        let note = note.map(str::trim).filter(|n| !n.is_empty());
        let must_note = matches!(&self.plan.steps[i].action, Action::Manual(m) if m.note);
        if why == Hold::Manual && choice == Choice::GoOn && must_note && note.is_none() {
            return Err(Illegal(format!("step `{step}` needs a note of what was seen")));
        }
        self.hold = None;
        self.book.answered = Some((opened, by.clone()));
        let word = match note {
            Some(note) => format!("{}: {note}", by.login),
            None => by.login.clone(),
        };
        match choice {
            Choice::GoOn => self.go_on(i, why, &word, n, at),
            Choice::Again if matches!(self.book.marks[i].back, Back::InDoubt(_)) => {
                self.book.marks[i].back = Back::Again;
            }
            Choice::Again => {
                self.book.marks[i].pending = Pending::Nothing;
                self.book.marks[i].word = None;
                self.steps[i].phase = Phase::Waiting;
                if why == Hold::InDoubt {
                    self.doubted(i);
                }
            }
            Choice::Stop => self.stop(i, why, by, &word, at),
        }
        Ok(())
    }

    /// Whether an answer that was meant for a certain hold may be given now. Two people may look at
    /// one hold, and the second must not answer the next one, which nobody has seen.
    ///
    /// # Errors
    /// That hold is not open; says who answered it, as far as that is known.
    pub fn may_answer(&self, hold: Option<u64>) -> Result<(), Illegal> {
        let Some(meant) = hold else {
            return Err(Illegal("the answer does not say which hold it is meant for".to_owned()));
        };
        if self.hold.as_ref().is_some_and(|h| h.n == meant) {
            return Ok(());
        }
        Err(Illegal(match (self.answered_by(meant), &self.hold) {
            (Some(by), _) => format!("that was answered already by {}", by.login),
            (None, Some(open)) => {
                format!(
                    "hold {meant} is no longer open; it waits at step `{}` now, hold {}",
                    open.step, open.n
                )
            }
            (None, None) => format!("hold {meant} is not open"),
        }))
    }

    /// Who answered a hold, when it is the one that was answered last.
    pub fn answered_by(&self, hold: u64) -> Option<&Person> {
        self.book.answered.as_ref().filter(|(n, _)| *n == hold).map(|(_, by)| by)
    }

    fn go_on(&mut self, i: usize, why: Hold, word: &str, n: u64, at: Timestamp) {
        self.book.marks[i].unseen |= why == Hold::InDoubt;
        match why {
            Hold::Planned => self.book.marks[i].released = true,
            Hold::Manual => {
                let state = &mut self.steps[i];
                state.attempts = state.attempts.saturating_add(1);
                state.since = Some(at);
                state.effected = Some(at);
                self.book.marks[i].intended = Some(n);
                self.book.marks[i].did_not = false;
                self.tally();
                self.happened(i, &format!("done by {word}"), n, at);
            }
            // What was left open when the time was over is taken as good by a person.
            Hold::TimedOut => {
                let says = format!("its time was over: {}; taken as done by {word}", self.failure(i));
                self.taken_as_done(i, &says, true, n, at);
            }
            Hold::InDoubt if matches!(self.book.marks[i].back, Back::InDoubt(_)) => {
                self.rolled_back(i, Ok(format!("taken as undone by {word}")));
            }
            Hold::InDoubt => {
                self.steps[i].effected = Some(at);
                self.taken_as_done(i, &format!("was in doubt; taken as done by {word}"), false, n, at);
            }
            Hold::Failed => self.pass_failed(i, word, n, at),
        }
    }

    /// "Take it as done" of a failed step: its verification decides, unless that is what failed.
    /// Then a person answers for it, and the run can no longer end as verified.
    fn pass_failed(&mut self, i: usize, word: &str, n: u64, at: Timestamp) {
        let why = self.failure(i);
        if self.plan.steps[i].verify.is_some() && !self.book.marks[i].unverified {
            self.taken_as_done(i, &format!("failed: {why}; taken as done by {word}"), true, n, at);
            return;
        }
        let says = format!("{why}; taken as done by {word}");
        self.steps[i].phase = Phase::FailedAndPassed(says.clone());
        let mark = &mut self.book.marks[i];
        mark.pending = Pending::Nothing;
        mark.word = Some(Word { says, against: true });
        mark.over = true;
        self.pass_on();
    }

    fn taken_as_done(&mut self, i: usize, says: &str, against: bool, n: u64, at: Timestamp) {
        self.book.marks[i].word = Some(Word { says: says.to_owned(), against });
        self.happened(i, says, n, at);
    }

    /// Why a failed step failed.
    fn failure(&self, i: usize) -> String {
        match &self.steps[i].phase {
            Phase::Failed(why) => why.clone(),
            _ => String::new(),
        }
    }

    fn stop(&mut self, i: usize, why: Hold, by: &Person, word: &str, at: Timestamp) {
        let id = &self.plan.steps[i].id;
        match why {
            Hold::Planned | Hold::Manual => self.request_abort(by, false, at),
            Hold::TimedOut | Hold::Failed => {
                self.book.stopped =
                    Some((Outcome::Failed, format!("stopped at the failed step `{id}` by {word}")));
            }
            Hold::InDoubt => {
                self.book.stopped =
                    Some((Outcome::InDoubt, format!("stopped by {word}; step `{id}` stays in doubt")));
            }
        }
    }

    /// A person does not want the run any more. A second request of people is as one that also ends
    /// the step that runs.
    pub(super) fn request_abort(&mut self, by: &Person, now: bool, at: Timestamp) {
        self.book.aborted = true;
        let again = self.is_abort_asked_for();
        let now = now || again || self.abort.as_ref().is_some_and(|a| a.now);
        self.abort = Some(Abort { by: Stopper::Person(by.clone()), now, at });
    }

    /// Whether a person wants what runs here to be aborted.
    pub fn is_abort_asked_for(&self) -> bool {
        self.abort.as_ref().is_some_and(|a| matches!(a.by, Stopper::Person(_)))
    }

    /// What stops the run without a person's word changes nothing of what one said.
    pub(super) fn interrupt(&mut self, by: Interruption, now: bool, at: Timestamp) {
        match &mut self.abort {
            Some(abort) => abort.now |= now,
            None => self.abort = Some(Abort { by: Stopper::Interruption(by), now, at }),
        }
    }

    /// What stopped it, where that was no person.
    pub fn interruption(&self) -> Option<Interruption> {
        match self.abort.as_ref()?.by {
            Stopper::Interruption(by) => Some(by),
            Stopper::Person(_) => None,
        }
    }

    pub(super) fn resume(&mut self, runner: u32, mode: Mode) -> Result<(), Illegal> {
        self.may_resume(mode)?;
        let ended = self.ended.take().is_some();
        self.runner = runner;
        self.mode = mode;
        self.abort = None;
        self.hold = None;
        self.preconditions = None;
        self.book.stopped = None;
        for i in 0..self.steps.len() {
            self.wake(i, ended);
        }
        Ok(())
    }

    /// Whether it may be resumed so, as far as its journal says; that its runner is gone is for
    /// the caller to know. The error says why not.
    pub fn may_resume(&self, mode: Mode) -> Result<(), Illegal> {
        let outcome = self.ended.as_ref().map(|e| e.outcome);
        match outcome {
            Some(Outcome::Verified) => {
                return Err(Illegal("the run is verified: nothing is left to do".to_owned()));
            }
            Some(Outcome::Refused) => return Err(Illegal("nothing was begun: plan it anew".to_owned())),
            Some(Outcome::RolledBack) => return Err(Illegal("the run is rolled back already".to_owned())),
            _ => {}
        }
        // A rollback that was refused before it undid anything does not burn the way forward.
        if mode == Mode::Continue && self.book.undoing {
            return Err(Illegal("its rollback was begun: it can only be rolled back".to_owned()));
        }
        if mode == Mode::Continue && outcome.is_some() && self.current().is_none() && !self.in_doubt() {
            return Err(Illegal("no step of it is left to do: plan it anew".to_owned()));
        }
        if mode == Mode::Continue && self.book.aborted {
            return Err(Illegal("an abort was requested: it can only be rolled back".to_owned()));
        }
        Ok(())
    }

    /// What a new runner makes of a step that it finds; `ended` when the run had ended.
    fn wake(&mut self, i: usize, ended: bool) {
        let repeatable = self.repeatable(i);
        let turn = i == self.book.at;
        let (state, mark) = (&mut self.steps[i], &mut self.book.marks[i]);
        if matches!(mark.back, Back::Running | Back::InDoubt(_) | Back::Again) {
            mark.back = Back::InDoubt(None);
            return;
        }
        if self.mode == Mode::Rollback {
            mark.pending = Pending::Nothing;
            // One whose rollback failed is rolled back again.
            if matches!(state.rolled_back, Some(Err(_))) {
                state.rolled_back = None;
            }
        }
        match &mut state.phase {
            Phase::Running | Phase::InDoubt => {
                state.phase = Phase::InDoubt;
                mark.asked = None;
                mark.pending = Pending::Nothing;
            }
            Phase::Waiting if mark.doubt => {
                state.phase = Phase::InDoubt;
                mark.asked = None;
            }
            Phase::Waiting if self.mode == Mode::Rollback => {
                state.phase = Phase::WillNotRun("the run is rolled back".to_owned());
            }
            Phase::WillNotRun(_) if !mark.over && self.mode == Mode::Continue => state.phase = Phase::Waiting,
            // What was left at that only since it was to be undone: the system is asked anew.
            Phase::Done(_) | Phase::Killed(_) if self.mode == Mode::Continue && turn && !mark.over => {
                state.phase = Phase::InDoubt;
                mark.asked = None;
            }
            Phase::Verifying { streak, last, .. } => {
                *streak = 0;
                *last = None;
            }
            Phase::Failed(_) if self.mode == Mode::Continue && turn && ended => {
                mark.pending = Pending::Nothing;
                mark.asked = None;
                // What is not to be done twice is asked about first, unless it was undone.
                let undone = matches!(state.rolled_back, Some(Ok(_)));
                state.rolled_back = None;
                state.phase = if repeatable || undone { Phase::Waiting } else { Phase::InDoubt };
            }
            _ => {}
        }
    }
}
