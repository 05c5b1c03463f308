//! Keys, pastes and clicks as they happen, on the thread that draws.
//!
//! crossterm's own reader is not used: after a hang-up it spins for ever, it takes a sequence
//! that arrives in two pieces for an Esc and some letters (and Esc backs out of things), keeps a
//! paste of any size, and installs a second handler for resizes.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crossterm::event::Event;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Sleep;

use super::hangup;
use super::keys::Parser;
use super::tty::Tty;

/// How long a lone ESC waits for the rest of a sequence before it is the key.
pub const ESCAPE_WAITS: Duration = Duration::from_millis(25);

/// The most bytes taken in one read. Events are parsed only when all before them have been
/// handed out, so at most twice as many are held.
const PIECE: usize = 4096;

/// The stream of events. Never a resize: that is a signal.
#[derive(Debug)]
pub struct Input {
    tty: Arc<Tty>,
    notice: AsyncFd<OwnedFd>,
    parser: Parser,
    ready: VecDeque<Event>,
    escape: Option<Pin<Box<Sleep>>>,
}

impl Input {
    /// # Errors
    /// The terminal cannot be registered with the runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time enabled.
    pub fn new(tty: &Arc<Tty>) -> io::Result<Self> {
        let notice = tty.register(Interest::READABLE)?;
        Ok(Input {
            tty: Arc::clone(tty),
            notice,
            parser: Parser::default(),
            ready: VecDeque::new(),
            escape: None,
        })
    }

    /// The next event; does not return if the terminal vanishes, since the process then ends.
    /// Cancel-safe: neither an event nor the wait after an ESC is lost when the future is dropped.
    pub async fn next(&mut self) -> Event {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// What has been typed and read already, without waiting, so that the loop can take in all
    /// of it before it draws.
    pub fn take_ready(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(event);
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => hangup::vanish(),
                Poll::Pending => match self.poll_escape(cx) {
                    Poll::Ready(()) => {}
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    /// Reads what is there into the parser.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut piece = [0; PIECE];
        loop {
            let mut guard = std::task::ready!(self.notice.poll_read_ready(cx))?;
            match self.tty.read(&mut piece)? {
                Some(n) => {
                    // A short read took all there was; what comes later makes it ready again.
                    if n < piece.len() {
                        guard.clear_ready();
                    }
                    self.parser.advance(&piece[..n], &mut self.ready);
                    self.escape = None;
                    return Poll::Ready(Ok(()));
                }
                None => guard.clear_ready(),
            }
        }
    }

    /// Ready when something that was waited for has been given up and may have become an event.
    fn poll_escape(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.parser.is_waiting() {
            return Poll::Pending;
        }
        let sleep = self.escape.get_or_insert_with(|| Box::pin(tokio::time::sleep(ESCAPE_WAITS)));
        std::task::ready!(sleep.as_mut().poll(cx));
        self.escape = None;
        self.parser.time_out(&mut self.ready);
        Poll::Ready(())
    }
}
