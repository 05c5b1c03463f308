//! The metrics engine: one thread that owns all samples, rules and graphs, so that evaluating them
//! holds up neither the observers nor the screen. It is handed what was collected and what the
//! screens ask for, and publishes boards.

pub mod remotes;
pub mod setup;
pub mod tasks;

use crate::clock::{Clock, Now};
use crate::domain::board::{Ask, Board, TargetIndex};
use crate::domain::series::selection::Selection;
use crate::domain::series::{Labels, Millis};
use crate::domain::telemetry::{Questions, Scraped, Telemetry};
use crate::domain::{text, units};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;
use tokio::sync::watch;

/// Messages waiting for the engine, at most; what comes beyond is dropped and counted.
const WAITING: usize = 1024;
/// The least time between two boards that only new samples ask for.
const BOARD_EVERY: Duration = Duration::from_secs(1);
/// Rules are looked at this soon after the start even if some target has not answered.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How often the alerts are written down when none of them moved.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// What the engine is told.
pub enum Message {
    Scraped(Box<Scraped>),
    /// Samples that come from no target.
    Samples(Vec<(Labels, Millis, f64)>),
    Ask(Ask),
    /// What others say, put where it belongs.
    Outside(Box<dyn FnOnce(&mut Telemetry) + Send>),
    Stop,
}

/// Where boards go; `urgent` when something on it should be seen at once.
pub type Publish = Box<dyn Fn(Arc<Board>, bool) + Send>;
/// Where the alerts are written down.
pub type Keep = Box<dyn FnMut(&str) -> Result<(), String> + Send>;

/// The engine as others see it. Dropping it stops it.
pub struct Engine {
    tell: Teller,
    wants: Wants,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// A way to tell the engine something without ever waiting for it.
#[derive(Clone)]
pub struct Teller {
    to: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Teller {
    pub fn tell(&self, message: Message) {
        if self.to.try_send(message).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Messages that the engine was too busy for.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// What the engine wants of those who collect.
#[derive(Clone)]
pub struct Wants {
    pub selection: watch::Receiver<Arc<Selection>>,
    /// The target whose every family is wanted.
    pub explored: watch::Receiver<Option<TargetIndex>>,
    /// What a Prometheus is to be asked.
    pub questions: watch::Receiver<Arc<Questions>>,
}

impl Engine {
    /// Starts it. `interval` is how often rules are evaluated.
    ///
    /// # Errors
    /// The thread cannot be made.
    pub fn start(
        telemetry: Telemetry,
        interval: Duration,
        clock: Arc<dyn Clock>,
        publish: Publish,
        keep: Option<Keep>,
    ) -> std::io::Result<Self> {
        let (to, messages) = mpsc::sync_channel(WAITING);
        let tell = Teller { to, dropped: Arc::default() };
        let (selection, wants_selection) = watch::channel(telemetry.selection());
        let (explored, wants_explored) = watch::channel(None);
        let (questions, wants_questions) = watch::channel(Arc::default());
        let wants =
            Wants { selection: wants_selection, explored: wants_explored, questions: wants_questions };
        let now = clock.now();
        let keeper = keep.map(|keep| Keeper { keep, last: now, failed: false });
        let running = Running {
            telemetry,
            interval,
            clock,
            publish,
            keeper,
            selection,
            explored,
            questions,
            tell: tell.clone(),
            started: now,
            evaluated: None,
            published: None,
            shown: None,
            dirty: true,
            urgent: false,
        };
        let thread =
            std::thread::Builder::new().name("metrics".into()).spawn(move || guarded(running, &messages))?;
        Ok(Engine { tell, wants, thread: Some(thread) })
    }

    pub fn ask(&self, ask: Ask) {
        self.tell.tell(Message::Ask(ask));
    }

    pub fn teller(&self) -> Teller {
        self.tell.clone()
    }

    pub fn wants(&self) -> Wants {
        self.wants.clone()
    }

    /// Ends it without waiting: for a program that is about to end. The alerts are kept as they
    /// were last written down.
    pub fn abandon(mut self) {
        self.tell.tell(Message::Stop);
        drop(self.thread.take());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // Waits for room: the engine must hear this one.
            let _ = self.tell.to.send(Message::Stop);
            let _ = thread.join();
        }
    }
}

/// Runs it to its end. One that panics says so on a last board: what that shows would otherwise look
/// like the present for ever.
fn guarded(mut running: Running, messages: &Receiver<Message>) {
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| running.run(messages)));
    if ended.is_err() {
        let mut board = running.shown.as_deref().cloned().unwrap_or_default();
        board.engine.trouble = Some(DEAD.to_owned());
        (running.publish)(Arc::new(board), true);
    }
}

/// What a board says that is the last one.
pub const DEAD: &str = "the metrics engine has failed: nothing here is measured or judged any more; \
                        see the log, leave and start again";

struct Keeper {
    keep: Keep,
    last: Now,
    /// Said once, until it works again.
    failed: bool,
}

struct Running {
    telemetry: Telemetry,
    interval: Duration,
    clock: Arc<dyn Clock>,
    publish: Publish,
    keeper: Option<Keeper>,
    selection: watch::Sender<Arc<Selection>>,
    explored: watch::Sender<Option<TargetIndex>>,
    questions: watch::Sender<Arc<Questions>>,
    tell: Teller,
    started: Now,
    evaluated: Option<Now>,
    published: Option<Now>,
    /// The last board.
    shown: Option<Arc<Board>>,
    dirty: bool,
    urgent: bool,
}

impl Running {
    fn run(&mut self, messages: &Receiver<Message>) {
        loop {
            let wait = self.until_next(self.clock.now());
            match messages.recv_timeout(wait) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(message) => {
                    self.take(message);
                    // All that waits, then one look at it; a storm must not keep it from looking.
                    for message in messages.try_iter().take(WAITING) {
                        if matches!(message, Message::Stop) {
                            self.write_down(true);
                            return;
                        }
                        self.take(message);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.look();
        }
        self.write_down(true);
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Scraped(scraped) => {
                let was = self.telemetry.is_up(scraped.target);
                self.urgent |= was != Some(scraped.up);
                self.telemetry.take_scrape(*scraped);
            }
            Message::Samples(samples) => self.telemetry.take(&samples),
            Message::Ask(ask) => {
                self.telemetry.ask(ask);
                self.selection.send_if_modified(|s| replace(s, self.telemetry.selection()));
                self.explored.send_if_modified(|e| replace(e, self.telemetry.explored()));
                self.urgent = true;
            }
            Message::Outside(put) => put(&mut self.telemetry),
            Message::Stop => {}
        }
        self.dirty = true;
    }

    /// How long nothing is due.
    fn until_next(&self, now: Now) -> Duration {
        if self.urgent {
            return Duration::ZERO;
        }
        let evaluation = match self.evaluated {
            Some(last) => self.interval.saturating_sub(now.since(last)),
            None => FIRST_LOOK.saturating_sub(now.since(self.started)),
        };
        let board = match self.published {
            Some(last) if self.dirty => BOARD_EVERY.saturating_sub(now.since(last)),
            Some(_) => evaluation,
            None => Duration::ZERO,
        };
        // At least now and then, whatever the clocks do.
        evaluation.min(board).min(Duration::from_secs(3600))
    }

    fn look(&mut self) {
        let now = self.clock.now();
        let due = match self.evaluated {
            Some(last) => now.since(last) >= self.interval,
            None => now.since(self.started) >= FIRST_LOOK || self.telemetry.all_looked_at(),
        };
        if due {
            let clock = Arc::clone(&self.clock);
            let moved = self.telemetry.evaluate(now, &move || clock.now().mono);
            for words in &moved {
                tracing::info!("{}", text::one_line(words, 200));
            }
            self.urgent |= !moved.is_empty() || self.evaluated.is_none();
            self.evaluated = Some(now);
            self.dirty = true;
            self.write_down(!moved.is_empty());
        }
        let rested = self.published.is_none_or(|last| now.since(last) >= BOARD_EVERY);
        if self.dirty && (rested || self.urgent) {
            self.questions.send_if_modified(|q| replace(q, Arc::new(self.telemetry.questions(now))));
            let mut board = self.telemetry.board(now);
            board.engine.dropped += self.tell.dropped();
            let board = Arc::new(board);
            self.shown = Some(Arc::clone(&board));
            (self.publish)(board, self.urgent);
            self.published = Some(now);
            (self.dirty, self.urgent) = (false, false);
        }
    }

    fn write_down(&mut self, moved: bool) {
        let now = self.clock.now();
        let Some(keeper) = &mut self.keeper else { return };
        if !moved && now.since(keeper.last) < KEEP_EVERY {
            return;
        }
        keeper.last = now;
        let kept = match self.telemetry.save() {
            Ok(Some(text)) => (keeper.keep)(&text),
            Ok(None) => return,
            Err(e) => Err(e),
        };
        match kept {
            Ok(()) => keeper.failed = false,
            Err(e) if !keeper.failed => {
                keeper.failed = true;
                let e = text::one_line(&e, 200);
                tracing::warn!("failed to keep the alerts for the next start: {e}");
            }
            Err(_) => {}
        }
    }
}

/// Whether it is another one.
fn replace<T: PartialEq>(old: &mut T, new: T) -> bool {
    let other = *old != new;
    *old = new;
    other
}

/// What a restart found, for the log.
pub fn restored_words(restored: &crate::domain::alert::state::Restored) -> String {
    let (alerts, gap) = (restored.alerts, units::long_age(restored.gap));
    format!("{alerts} alerts are taken up again after {gap} in which nobody looked")
}
