//! The loop of a full-screen program: waits, takes everything in that is ready, then draws once.

use super::demo;
use super::metrics::{self, Past};
use super::setup::Ready;
use crate::clock::Now;
use crate::demo::DemoHandle;
use crate::domain::board::Ask;
use crate::observe::mailbox::Mailbox;
use crate::observe::metrics::engine::Engine;
use crate::observe::scheduler::Scheduler;
use crate::tui::app::{Effect, Event, Switch};
use crate::tui::picture;
use crate::tui::stage::Stage;
use crate::tui::terminal::{
    Drawn, Input, Options, Signal, Signals, Suspended, Terminal, Tty, install_panic_hook, panic_noted,
    take_panics,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;
use std::time::Duration;

/// The least time between two frames that only new results ask for. A key is answered at once;
/// results that arrive together become one frame instead of one each.
const RESULTS_EVERY: Duration = Duration::from_millis(60);

/// How a screen ended.
pub struct Ended {
    /// Exit status.
    pub status: u8,
    /// The text of the last frame; `None` when the terminal takes no more.
    pub last_frame: Option<String>,
}

/// Carries out what a stage asks to have done to the world, and tells what comes of it. This file
/// knows nothing that acts.
pub trait Hands {
    /// Takes an effect that plans or changes. Returns at once; what comes of it is told later.
    fn take(&mut self, effect: Effect);

    /// Whether whoever these are of leaves anything behind, be it only how alerts stand.
    fn may_write(&self) -> bool;

    /// Waits until there is something to tell. Cancel-safe.
    fn tell(&mut self) -> impl Future<Output = Event>;
}

/// Everything a loop holds while it runs.
struct Screen<'a, S, H> {
    stage: &'a mut S,
    hands: H,
    ready: &'a Ready,
    terminal: Terminal,
    signals: Signals,
    input: Input,
    mailbox: Arc<Mailbox>,
    scheduler: Option<Scheduler>,
    engine: Option<Engine>,
    /// What was asked of the engine before it ran.
    asks: Vec<Ask>,
    demo: Option<DemoHandle>,
    switches: Vec<Switch>,
    last_draw: Now,
    dirty: bool,
}

/// What the loop does next.
enum Next {
    GoOn,
    End(u8),
}

/// Shows a stage until it is left. Must run on a `current_thread` runtime.
///
/// # Errors
/// The text completes "failed to …".
pub async fn run<S: Stage, H: Hands>(
    stage: &mut S,
    ready: &Ready,
    demo: Option<DemoHandle>,
    hands: H,
) -> Result<Ended, String> {
    install_panic_hook();
    let signals = Signals::new().map_err(|e| format!("handle signals: {e}"))?;
    let tty = Arc::new(
        Tty::open().map_err(|e| format!("open the terminal: {e} (`check` and `snapshot` need none)"))?,
    );
    let options = Options::new(ready.capability);
    let terminal = Terminal::enter(&tty, options, &signals).map_err(|e| format!("enter the screen: {e}"))?;
    let input = Input::new(&tty).map_err(|e| format!("read from the terminal: {e}"))?;
    let mailbox = Arc::new(Mailbox::new(ready.loaded.stack.probes.len()));
    let mut screen = Screen {
        stage,
        hands,
        ready,
        terminal,
        signals,
        input,
        mailbox,
        scheduler: None,
        engine: None,
        asks: Vec::new(),
        demo,
        switches: Vec::new(),
        last_draw: ready.clock.now(),
        dirty: true,
    };
    screen.resized();
    screen.look_at_switches();
    screen.draw();
    // The observers start once there is something to see: their start costs more than a frame.
    screen.start_observers()?;
    let status = screen.until_left().await;
    let last_frame = screen.last_frame();
    // A terminal that has stalled would hold up whoever prints to it.
    let last_frame = screen.terminal.leave().then_some(last_frame);
    // Not waited for: a probe that hangs must not hold up the end.
    if let Some(scheduler) = screen.scheduler.take() {
        scheduler.abandon();
    }
    if let Some(engine) = screen.engine.take() {
        engine.abandon();
    }
    Ok(Ended { status, last_frame })
}

impl<S: Stage, H: Hands> Screen<'_, S, H> {
    fn start_observers(&mut self) -> Result<(), String> {
        let prober = self.ready.prober();
        let past = match &self.demo {
            // What a demonstration shows is over with it.
            Some(_) => Past::Forgotten,
            None if self.hands.may_write() => Past::Kept,
            None => Past::Read,
        };
        let metrics = metrics::start(self.ready, &prober, &self.mailbox, past)?;
        let scheduler = Scheduler::start(prober, Arc::clone(&self.mailbox), Some(metrics.tap), metrics.tasks);
        self.scheduler = Some(scheduler.map_err(|e| format!("start the observers: {e}"))?);
        self.asks.drain(..).for_each(|ask| metrics.engine.ask(ask));
        self.engine = Some(metrics.engine);
        Ok(())
    }

    async fn until_left(&mut self) -> u8 {
        // Results wait in the mailbox until the last frame is old enough.
        let mut waiting = false;
        loop {
            if self.dirty && !self.terminal.is_blocked() {
                self.draw();
            }
            let now = self.ready.clock.now();
            let cooling = RESULTS_EVERY.saturating_sub(now.since(self.last_draw));
            let next = tokio::select! {
                biased;
                signal = self.signals.next() => self.on_signal(signal).await,
                event = self.input.next() => self.on_input(event).await,
                () = self.terminal.writable(), if self.terminal.is_blocked() => Next::GoOn,
                () = self.mailbox.wait(), if !waiting => {
                    waiting = true;
                    Next::GoOn
                }
                () = tokio::time::sleep(cooling), if waiting => {
                    waiting = false;
                    self.take_results();
                    Next::GoOn
                }
                event = self.hands.tell() => self.tell(event).await,
                () = panic_noted() => {
                    self.tell_of_panics();
                    Next::GoOn
                }
                () = tokio::time::sleep(to_next_second(now)) => {
                    self.look_at_switches();
                    self.take_results();
                    self.tell(Event::Tick).await
                }
            };
            if let Next::End(status) = next {
                return status;
            }
        }
    }

    fn draw(&mut self) {
        let now = self.ready.clock.now();
        let stage = &mut *self.stage;
        let mut effects = Vec::new();
        let drawn = self.terminal.draw(|frame| {
            let area = frame.area();
            // It may have another size by now, and the signal that says so be on its way.
            if stage.size().is_some_and(|size| size != (area.width, area.height)) {
                effects = stage.event(now, Event::Resize(area.width, area.height));
            }
            stage.draw(now, area, frame.buffer_mut());
        });
        self.carry_out(effects);
        self.dirty = drawn == Drawn::Deferred;
        self.last_draw = now;
    }

    fn last_frame(&mut self) -> String {
        let size = self.terminal.size();
        let mut buf = Buffer::empty(Rect::new(0, 0, size.width, size.height));
        self.feed(Event::Resize(size.width, size.height));
        self.stage.draw(self.ready.clock.now(), buf.area, &mut buf);
        picture::text(&buf)
    }

    async fn on_signal(&mut self, signal: Signal) -> Next {
        match signal {
            Signal::HangUp => self.terminal.hang_up(),
            Signal::Suspend => {
                self.suspend().await;
                Next::GoOn
            }
            Signal::Continue => {
                self.terminal.resume();
                self.resized();
                Next::GoOn
            }
            Signal::Resize => {
                // Several may have come as one: the size may be what it was, and what the terminal
                // cut off in between is gone all the same.
                self.terminal.redraw();
                self.resized();
                Next::GoOn
            }
            end => Next::End(u8::try_from(end.exit_status()).unwrap_or(1)),
        }
    }

    async fn on_input(&mut self, event: crossterm::event::Event) -> Next {
        let mut next = Some(event);
        while let Some(event) = next {
            let event = match event {
                crossterm::event::Event::Key(key) if key.kind != crossterm::event::KeyEventKind::Release => {
                    Event::Key(key)
                }
                crossterm::event::Event::Paste(text) => Event::Paste(text),
                crossterm::event::Event::Resize(..) => {
                    self.resized();
                    Event::Tick
                }
                _ => Event::Tick,
            };
            if let Next::End(status) = self.tell(event).await {
                return Next::End(status);
            }
            next = self.input.take_ready();
        }
        Next::GoOn
    }

    /// Gives the stage an event and carries out what it asks for.
    async fn tell(&mut self, event: Event) -> Next {
        let now = self.ready.clock.now();
        let effects = self.stage.event(now, event);
        self.dirty = true;
        for effect in effects {
            match effect {
                Effect::Quit => return Next::End(0),
                Effect::Suspend => self.suspend().await,
                Effect::Redraw => self.terminal.redraw(),
                Effect::PollNow(probes) => {
                    if let Some(scheduler) = &self.scheduler {
                        for probe in probes {
                            scheduler.poll_now(probe);
                        }
                    }
                }
                Effect::PollAll => {
                    if let Some(scheduler) = &self.scheduler {
                        scheduler.poll_all_now();
                    }
                }
                Effect::Copy(text) => {
                    if let Err(e) = self.terminal.copy(&text) {
                        tracing::warn!("failed to copy: {e}");
                    }
                }
                Effect::Flip { switch, on } => self.flip(&switch, on),
                Effect::Ask(ask) => self.ask(ask),
                Effect::Propose { .. }
                | Effect::Approve { .. }
                | Effect::AskSecond { .. }
                | Effect::Withdraw
                | Effect::Request { .. }
                | Effect::Resume { .. }
                | Effect::ApproveOther { .. }
                | Effect::LookAt(_) => self.hands.take(effect),
            }
        }
        Next::GoOn
    }

    /// Before the engine runs, what is asked of it waits.
    fn ask(&mut self, ask: Ask) {
        match &self.engine {
            Some(engine) => engine.ask(ask),
            None => self.asks.push(ask),
        }
    }

    /// Gives the stage what nobody typed: it can only ask for other figures, or to look again.
    fn feed(&mut self, event: Event) {
        let effects = self.stage.event(self.ready.clock.now(), event);
        self.carry_out(effects);
        self.dirty = true;
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask(ask) => self.ask(ask),
                Effect::Propose { .. } | Effect::LookAt(_) => self.hands.take(effect),
                _ => {}
            }
        }
    }

    fn flip(&mut self, switch: &str, on: bool) {
        if let Some(demo) = &self.demo {
            match demo.set_fault(switch, on) {
                Ok(()) => tracing::info!("{switch} {}", if on { "on" } else { "off" }),
                Err(e) => tracing::warn!("failed to {e}"),
            }
        }
        self.look_at_switches();
    }

    /// The faults come and go by themselves too, when they were given times.
    fn look_at_switches(&mut self) {
        let Some(demo) = &self.demo else { return };
        let switches = demo::switches(demo);
        if switches != self.switches {
            self.switches.clone_from(&switches);
            self.feed(Event::Switches(switches));
        }
    }

    fn take_results(&mut self) {
        self.feed(Event::Observed(self.mailbox.drain()));
        if let Some(board) = self.mailbox.take_board() {
            self.feed(Event::Board(board));
        }
        self.stage.dropped(self.mailbox.dropped());
        if self.mailbox.is_closed() {
            let text = "the observers have stopped: nothing here is watched any more; leave and start again";
            self.feed(Event::Trouble(text.to_owned()));
        }
    }

    fn tell_of_panics(&mut self) {
        let (panics, _) = take_panics();
        if let Some(panic) = panics.last() {
            let message = crate::domain::text::one_line(&panic.message, 120);
            let text = format!("a part of this program failed ({}): {message}; see the log", panic.place);
            self.feed(Event::Trouble(text));
        }
    }

    async fn suspend(&mut self) {
        if let Suspended::Resumed = self.terminal.suspend(&mut self.signals).await {
            self.resized();
        }
    }

    fn resized(&mut self) {
        let size = self.terminal.size();
        self.feed(Event::Resize(size.width, size.height));
    }
}

/// Until the clock on the screen reads differently.
fn to_next_second(now: Now) -> Duration {
    let nanos = u32::try_from(now.wall.subsec_nanosecond().rem_euclid(1_000_000_000)).unwrap_or(0);
    Duration::from_secs(1).saturating_sub(Duration::from_nanos(u64::from(nanos)))
}
