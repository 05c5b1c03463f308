//! A websocket whose messages are JSON documents, as series.
//!
//! It is read by a task of its own, since messages come and pings must be answered between two
//! scrapes; a scrape takes what has come since the one before. The task ends with its owner.

mod dial;
pub mod state;

use super::collect::{Look, Looking};
use super::families::{About, families};
use super::labels::TargetLabels;
use super::mapping::{Mapping, map, path};
use crate::clock::Clock;
use crate::domain::id::HostId;
use crate::domain::text;
use crate::domain::units;
use crate::stack::metrics::{Http, Mapped, OnlyType};
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use crate::transport::fetch::{Fault, Phase, Way};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use state::{Stage, State};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// How often we ask whether the other side is still there.
const PING: Duration = Duration::from_secs(15);
/// Nothing at all for so long, not even an answer to a ping, means that the connection is dead.
const DEAD: Duration = Duration::from_secs(45);
/// The first pause before connecting again; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Messages read in a second at most; others are passed over unread and counted.
const MAX_A_SECOND: u32 = 100;

/// What is wanted of a websocket.
#[derive(Debug)]
pub struct Spec {
    pub http: Http,
    pub series: Vec<Mapped>,
    pub only: Option<OnlyType>,
    pub host: HostId,
    pub labels: TargetLabels,
    pub interval: Duration,
    /// For connecting and shaking hands.
    pub timeout: Duration,
}

/// A websocket and the task that reads it.
pub struct Websocket {
    spec: Arc<Spec>,
    shared: Arc<Shared>,
    /// Empty until the first scrape; aborted when dropped.
    task: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_one();
    }
}

impl Websocket {
    pub fn new(spec: Spec) -> Self {
        Websocket { spec: Arc::new(spec), shared: Arc::default(), task: JoinSet::new() }
    }

    /// Starts reading, if nobody does yet; must be called inside a runtime.
    pub fn start(&mut self, transport: &Arc<Transport>, access: &Arc<Access>, clock: &Arc<dyn Clock>) {
        if !self.task.is_empty() && self.task.try_join_next().is_none() {
            return;
        }
        let reader = Reader {
            spec: Arc::clone(&self.spec),
            shared: Arc::clone(&self.shared),
            transport: Arc::clone(transport),
            access: Arc::clone(access),
            clock: Arc::clone(clock),
        };
        self.task.spawn(reader.run());
    }

    /// What came since the last look, and which series are merely quiet. The first look waits for
    /// the first message. Cancel-safe.
    pub(super) async fn look(&mut self, cx: &Looking<'_>) -> Result<Look, Fault> {
        // A little is left of the deadline, so that it is told what was being waited for.
        let _ = tokio::time::timeout(cx.timeout * 9 / 10, self.settled(&cx.way)).await;
        let mut state = self.shared.state();
        if state.stage() == Stage::Connecting {
            return Err(cx.way.late(cx.timeout));
        }
        let mut look = state.look(cx.way.clock.now().mono, self.spec.interval)?;
        if cx.explore {
            look.families = Some(families(&state.values(), |name| About::mapped(&self.spec.series, name)));
        }
        Ok(look)
    }

    /// Until there is something to tell.
    async fn settled(&self, way: &Way<'_>) {
        loop {
            match self.shared.state().stage() {
                Stage::Settled => return,
                Stage::Connecting => way.phase(Phase::Connecting),
                Stage::Waiting => way.phase(Phase::Waiting),
            }
            self.shared.changed.notified().await;
        }
    }
}

/// The task: one connection after the other, with growing pauses between failures.
struct Reader {
    spec: Arc<Spec>,
    shared: Arc<Shared>,
    transport: Arc<Transport>,
    access: Arc<Access>,
    clock: Arc<dyn Clock>,
}

impl Reader {
    async fn run(self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let (told, why) = self.connection().await;
            if told {
                pause = FIRST_PAUSE;
            }
            self.shared.change(|state| state.broke(&why));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One connection from its beginning to its end: whether it told anything, and why it ended.
    async fn connection(&self) -> (bool, String) {
        let way = Way::new(&self.transport, &self.access, &*self.clock, &self.spec.host);
        let dialled = tokio::time::timeout(self.spec.timeout, dial::dial(&way, &self.spec.http)).await;
        let socket = match dialled {
            Ok(Ok(socket)) => socket,
            Ok(Err(fault)) => return (false, fault.why().to_owned()),
            Err(_) => return (false, way.late(self.spec.timeout).why().to_owned()),
        };
        self.shared.change(|state| state.opened(self.now()));
        self.read(socket).await
    }

    async fn read(&self, mut socket: dial::Socket) -> (bool, String) {
        let (mut told, mut heard) = (false, self.now());
        let mut pace = Pace::default();
        let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let message = tokio::select! {
                message = socket.next() => message,
                _ = ping.tick() => {
                    let silent = self.now().saturating_sub(heard);
                    if silent > DEAD {
                        let silent = units::long_age(silent);
                        return (told, format!("expected messages or answers to pings, got nothing for {silent}"));
                    }
                    // A write that does not get through is no reason to wait: silence will tell.
                    let sent = tokio::time::timeout(PING, socket.send(Message::Ping(Vec::new().into()))).await;
                    match sent {
                        Ok(Err(e)) => return (told, dial::in_words(&e)),
                        Ok(Ok(())) | Err(_) => continue,
                    }
                }
            };
            heard = self.now();
            let bytes = match message {
                None => return (told, "expected messages, got a closed connection".to_owned()),
                Some(Err(e)) => return (told, dial::in_words(&e)),
                Some(Ok(Message::Text(text))) => text.into(),
                Some(Ok(Message::Binary(bytes))) => bytes,
                Some(Ok(Message::Close(frame))) => {
                    let why = frame.map(|f| (f.code, f.reason.to_string()));
                    return (told, closed(why));
                }
                Some(Ok(_)) => continue,
            };
            if pace.admits(heard) {
                told |= self.take(&bytes, heard);
            } else {
                self.shared.state().skip();
            }
            pace.breathe().await;
        }
    }

    /// Takes one message; gives whether it made sense.
    fn take(&self, bytes: &[u8], now: Duration) -> bool {
        let message = match read(bytes, &self.spec) {
            Ok(None) => return true,
            Ok(Some(mapping)) => Ok(mapping),
            Err(why) => Err(why),
        };
        let good = message.is_ok();
        self.shared.change(|state| state.message(now, message));
        good
    }

    fn now(&self) -> Duration {
        self.clock.now().mono
    }
}

fn closed(why: Option<(CloseCode, String)>) -> String {
    match why {
        Some((code, reason)) if !reason.is_empty() => {
            let reason = text::one_line(&reason, 80);
            format!("expected messages, got a closed connection: {} {reason}", u16::from(code))
        }
        Some((code, _)) => {
            format!("expected messages, got a closed connection with code {}", u16::from(code))
        }
        None => "expected messages, got a closed connection".to_owned(),
    }
}

/// Reads one message; `None` for one that does not count.
fn read(bytes: &[u8], spec: &Spec) -> Result<Option<Mapping>, String> {
    let doc: Value = serde_json::from_slice(bytes)
        .map_err(|_| format!("expected JSON, got \"{}\"", text::one_line_bytes(bytes, 60)))?;
    if let Some(only) = &spec.only {
        let says = path(&doc, &only.path).is_some_and(|found| match found {
            Value::String(s) => *s == only.value,
            other => {
                let other = other.to_string();
                other == only.value
            }
        });
        if !says {
            return Ok(None);
        }
    }
    map(&doc, &spec.series, &spec.labels).map(Some)
}

/// Keeps a server that talks too much from having all of our time.
#[derive(Default)]
struct Pace {
    second: u64,
    read: u32,
    run: u32,
}

impl Pace {
    /// Whether one more message may be read in this second.
    fn admits(&mut self, now: Duration) -> bool {
        if self.second != now.as_secs() {
            (self.second, self.read) = (now.as_secs(), 0);
        }
        self.read += 1;
        self.read <= MAX_A_SECOND
    }

    /// Lets others work now and then, even while messages are at hand.
    async fn breathe(&mut self) {
        self.run = (self.run + 1) % 32;
        if self.run == 0 {
            tokio::task::yield_now().await;
        }
    }
}
