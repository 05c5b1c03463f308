//! What a runner hears while it works: requests over its socket, signals, and its deadline.

use super::Detached;
use super::drive::Runner;
use super::scribe::Unrecorded;
use crate::act::control::serve::{self, Asked, Serving};
use crate::act::rundir::RunDir;
use crate::act::stop::Stop;
use crate::domain::procedure::event::{Event, Interruption, Person};
use crate::domain::procedure::request::{Reply, Request};
use crate::domain::procedure::run::Run;
use crate::domain::text::one_line;
use std::future::{Future, pending};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// How often the run's deadline is looked at.
const TICK: Duration = Duration::from_secs(1);
/// The longest note of a person, in characters.
const MAX_NOTE: usize = 2_000;

/// Where requests come from.
pub struct Ears {
    requests: Option<mpsc::Receiver<Asked>>,
    term: Option<Signal>,
    /// Registered so that they do not end the process; what they say is not heard.
    _unheard: Vec<Signal>,
    serving: Option<Serving>,
}

/// What was heard.
pub enum Heard {
    Asked(Asked),
    Term,
}

impl Ears {
    /// Listens at the run's socket; and to signals, in a process that is this runner's own.
    pub fn open(dir: &RunDir, own: Option<Detached>) -> Result<Ears, String> {
        let (serving, requests) = serve::open(dir)?;
        let mut ears = Ears::deaf(own);
        (ears.requests, ears.serving) = (Some(requests), Some(serving));
        Ok(ears)
    }

    /// Signals only.
    pub fn deaf(own: Option<Detached>) -> Ears {
        let listen = |kind| own.and_then(|_| signal(kind).ok());
        let unheard = [SignalKind::hangup(), SignalKind::interrupt()];
        Ears {
            requests: None,
            term: listen(SignalKind::terminate()),
            _unheard: unheard.into_iter().filter_map(listen).collect(),
            serving: None,
        }
    }

    /// Ends the server, once those who asked have their replies.
    pub async fn close(self) {
        drop(self.requests);
        if let Some(serving) = self.serving {
            serving.close().await;
        }
    }

    /// Waits for the next request or signal. Cancel-safe.
    async fn hear(&mut self) -> Heard {
        let requests = &mut self.requests;
        let asked = async {
            match requests {
                Some(requests) => match requests.recv().await {
                    Some(asked) => asked,
                    None => pending().await,
                },
                None => pending().await,
            }
        };
        let term = async {
            let heard = match &mut self.term {
                Some(term) => term.recv().await,
                None => None,
            };
            if heard.is_none() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            asked = asked => Heard::Asked(asked),
            () = term => Heard::Term,
        }
    }
}

impl Runner {
    /// Does something that takes time, and hears meanwhile. `None` when what was heard left no
    /// reason to go on with it; it is then dropped.
    pub(super) async fn attend<T>(
        &mut self,
        work: impl Future<Output = T>,
        still: impl Fn(&Run) -> bool,
    ) -> Option<T> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = self.hear_one() => if !still(&self.scribe.run) { return None },
            }
        }
    }

    /// Hears one thing and answers it, or looks at the deadline. Cancel-safe: what was heard is
    /// answered without waiting.
    pub(super) async fn hear_one(&mut self) {
        tokio::select! {
            heard = self.ears.hear() => self.answer(heard),
            () = tokio::time::sleep(TICK) => self.mind_the_deadline(),
        }
    }

    /// Whether a person wants what runs to end; then it is told so.
    pub(super) fn pass_on_abort(&self, stop: &Stop) -> bool {
        let now = self.scribe.run.abort.as_ref().is_some_and(|a| a.now);
        if now {
            stop.stop();
        }
        now
    }

    fn answer(&mut self, heard: Heard) {
        match heard {
            Heard::Term => {
                let now = self.scribe.run.interruption() == Some(Interruption::Signal);
                let event = Event::Interrupted { by: Interruption::Signal, now };
                if let Reply::Refused { why } = self.reply_of(event) {
                    self.log.say(&format!("failed to {why}"));
                }
            }
            Heard::Asked(Asked { request, by, reply }) => {
                let answer = match request {
                    Request::Ping => Reply::Taken,
                    Request::Abort { now } => self.abort(by, now),
                    Request::Release { step, hold, choice, note } => {
                        if let Err(why) = self.scribe.run.may_answer(hold) {
                            Reply::Refused { why: format!("answer that: {why}") }
                        } else {
                            let step = crate::domain::id::StepId::new(&step);
                            let note = note.map(|n| one_line(&n, MAX_NOTE));
                            self.reply_of(Event::HoldReleased { step, by, choice, note })
                        }
                    }
                };
                // Who asked may be gone; what they asked for holds all the same.
                let _ = reply.send(answer);
            }
        }
    }

    /// A second request of people is one that also ends the step that runs.
    fn abort(&mut self, by: Person, now: bool) -> Reply {
        let now = now || self.scribe.run.is_abort_asked_for();
        self.reply_of(Event::AbortRequested { by, now })
    }

    fn reply_of(&mut self, event: Event) -> Reply {
        match self.scribe.record(event) {
            Ok(()) => Reply::Taken,
            Err(Unrecorded::Illegal(why)) => Reply::Refused { why: format!("do that now: {why}") },
            Err(Unrecorded::Unwritten(why)) => Reply::Refused {
                why: format!("{why}; it is heeded all the same, and no further step starts"),
            },
        }
    }

    /// A run whose time is over ends after the step that runs.
    pub(super) fn mind_the_deadline(&mut self) {
        let run = &self.scribe.run;
        let spent = self.spent.look(self.ground.clock.now(), run.hold.is_some());
        if run.abort.is_some() || run.ended.is_some() || spent <= run.plan.deadline {
            return;
        }
        let span = run.plan.deadline.as_secs();
        let says = format!("the run's deadline of {span} s is over: no further step starts");
        let over = Event::Interrupted { by: Interruption::Deadline, now: false };
        for event in [Event::Note { says }, over] {
            if let Err(why) = self.scribe.record(event) {
                self.log.say(&format!("failed to {why}"));
            }
        }
    }
}
