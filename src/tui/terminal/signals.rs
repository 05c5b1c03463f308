//! The signals that concern a program on a terminal, as one stream.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker};

use tokio::signal::unix::{self, SignalKind};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGHUP: the terminal is gone, or somebody says so; see `Terminal::hang_up`.
    HangUp,
    /// SIGTERM: end.
    Terminate,
    /// SIGINT from outside; the key Ctrl-C arrives as a key.
    Interrupt,
    /// SIGQUIT from outside.
    Quit,
    /// SIGTSTP from outside: suspend; the key Ctrl-Z arrives as a key.
    Suspend,
    /// SIGCONT after a stop that was not ours: the shell may have changed the terminal.
    Continue,
    /// SIGWINCH: the screen may have another size; drawing asks for it.
    Resize,
}

impl Signal {
    /// The exit status of a process that ends because of it, as a shell would report it.
    pub fn exit_status(self) -> i32 {
        128 + self.kind().as_raw_value()
    }

    fn kind(self) -> SignalKind {
        match self {
            Signal::HangUp => SignalKind::hangup(),
            Signal::Terminate => SignalKind::terminate(),
            Signal::Interrupt => SignalKind::interrupt(),
            Signal::Quit => SignalKind::quit(),
            Signal::Suspend => SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()),
            Signal::Continue => SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()),
            Signal::Resize => SignalKind::window_change(),
        }
    }
}

/// Most pressing first: what ends the program is not kept waiting by a storm of resizes.
const ORDER: [Signal; 7] = [
    Signal::HangUp,
    Signal::Terminate,
    Signal::Interrupt,
    Signal::Quit,
    Signal::Suspend,
    Signal::Continue,
    Signal::Resize,
];

/// The stream. Signals of one kind that arrive together are one.
#[derive(Debug)]
pub struct Signals {
    streams: Vec<(Signal, unix::Signal)>,
}

impl Signals {
    /// From here on none of these signals has its default effect, for the life of the process.
    /// Make it before the terminal is entered, or a signal between the two leaves it broken.
    ///
    /// # Errors
    /// A handler cannot be installed.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn new() -> io::Result<Self> {
        let open = |signal: Signal| Ok((signal, unix::signal(signal.kind())?));
        Ok(Signals { streams: ORDER.into_iter().map(open).collect::<io::Result<_>>()? })
    }

    /// The next signal. Cancel-safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Signal {
        poll_fn(|cx| self.poll(cx, |_| true)).await
    }

    /// The next signal of one kind; others stay.
    pub(super) async fn wait_for(&mut self, wanted: Signal) {
        poll_fn(|cx| self.poll(cx, |signal| signal == wanted)).await;
    }

    /// Drops what has arrived of one kind.
    pub(super) fn forget(&mut self, unwanted: Signal) {
        let mut cx = Context::from_waker(Waker::noop());
        while self.poll(&mut cx, |signal| signal == unwanted).is_ready() {}
    }

    fn poll(&mut self, cx: &mut Context<'_>, wanted: impl Fn(Signal) -> bool) -> Poll<Signal> {
        for (signal, stream) in &mut self.streams {
            if wanted(*signal) && stream.poll_recv(cx) == Poll::Ready(Some(())) {
                return Poll::Ready(*signal);
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{getpid, kill_process};

    #[tokio::test]
    async fn signals_come_as_values_and_the_pressing_ones_first() {
        let mut signals = Signals::new().unwrap();
        let mut witness = Signals::new().unwrap();
        for sent in [rustix::process::Signal::WINCH, rustix::process::Signal::CONT] {
            kill_process(getpid(), sent).unwrap();
        }
        // Either may be handled first; what this one has seen has come to the other as well.
        witness.wait_for(Signal::Resize).await;
        witness.wait_for(Signal::Continue).await;
        assert_eq!(signals.next().await, Signal::Continue);
        assert_eq!(signals.next().await, Signal::Resize);
        kill_process(getpid(), rustix::process::Signal::WINCH).unwrap();
        signals.wait_for(Signal::Resize).await;
        signals.forget(Signal::Continue);
    }

    #[test]
    fn exit_statuses_are_the_shell_s() {
        let table =
            [(Signal::HangUp, 129), (Signal::Interrupt, 130), (Signal::Quit, 131), (Signal::Terminate, 143)];
        for (signal, status) in table {
            assert_eq!(signal.exit_status(), status);
        }
    }
}
