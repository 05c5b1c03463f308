//! A connection that gives up after so many bytes: for protocol libraries that would otherwise
//! hold whatever the other side sends.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Remembered of the first bytes, to quote when they make no sense.
const MAX_HEAD: usize = 80;

/// Fails reads past its bound.
#[derive(Debug)]
pub struct Limited<S> {
    inner: S,
    left: usize,
    seen: Arc<Seen>,
}

/// What came through, for whoever has handed the connection itself away.
#[derive(Debug, Default)]
pub struct Seen(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    head: Vec<u8>,
    overran: bool,
    closed: bool,
}

impl Seen {
    /// The first bytes that came, at most 80.
    pub fn head(&self) -> Vec<u8> {
        self.state().head.clone()
    }

    /// Whether more came than was allowed.
    pub fn overran(&self) -> bool {
        self.state().overran
    }

    /// Whether the other side has closed.
    pub fn closed(&self) -> bool {
        self.state().closed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, new: &[u8]) {
        let mut state = self.state();
        let room = MAX_HEAD.saturating_sub(state.head.len()).min(new.len());
        state.head.extend_from_slice(new.get(..room).unwrap_or(&[]));
        state.closed = new.is_empty();
    }
}

impl<S> Limited<S> {
    /// Lets at most `max` bytes be read.
    pub fn new(inner: S, max: usize) -> (Self, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        (Limited { inner, left: max, seen: Arc::clone(&seen) }, seen)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.left == 0 {
            this.seen.state().overran = true;
            return Poll::Ready(Err(io::Error::other("the reply is too long")));
        }
        let room = buf.remaining().min(this.left);
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        std::task::ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
        let n = part.filled().len();
        this.seen.note(part.filled());
        buf.advance(n);
        this.left -= n;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn reads_past_the_bound_fail_and_are_told() {
        let (mut limited, seen) = Limited::new(io::Cursor::new(vec![7u8; 200]), 150);
        let mut got = Vec::new();
        assert!(limited.read_to_end(&mut got).await.is_err());
        assert_eq!((got, seen.head(), seen.overran()), (vec![7; 150], vec![7; 80], true));
    }

    #[tokio::test]
    async fn a_reply_within_the_bound_passes_unchanged() {
        let (mut limited, seen) = Limited::new(io::Cursor::new(b"hello".to_vec()), 6);
        let mut got = String::new();
        limited.read_to_string(&mut got).await.unwrap();
        assert_eq!((got.as_str(), seen.overran(), seen.closed()), ("hello", false, true));
    }
}
