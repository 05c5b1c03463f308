//! Sending a request and reading its reply, with a bound and with errors in words.

use super::fetch::Fault;
use crate::domain::units;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Read at once, at most.
const CHUNK: usize = 16 << 10;

/// A reply as it grows.
#[derive(Debug)]
pub struct Reply {
    pub bytes: Vec<u8>,
    max: usize,
}

impl Reply {
    /// At most `max` bytes will be held.
    pub fn new(max: usize) -> Self {
        Reply { bytes: Vec::new(), max }
    }

    /// Waits for more of it; `false` when the other side has closed. Cancel-safe.
    pub async fn more(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<bool, Fault> {
        let room = self.max.saturating_sub(self.bytes.len());
        if room == 0 {
            return Err(too_long(self.max));
        }
        self.bytes.reserve(room.min(CHUNK));
        let n = stream.take(room as u64).read_buf(&mut self.bytes).await.map_err(|e| broken(&e))?;
        Ok(n > 0)
    }
}

/// Sends a request whole.
pub async fn send(stream: &mut (impl AsyncWrite + Unpin), request: &[u8]) -> Result<(), Fault> {
    let sent = async {
        stream.write_all(request).await?;
        stream.flush().await
    };
    sent.await.map_err(|e| Fault::Down(format!("expected to send a request, got: {e}")))
}

/// The reply was longer than anything that makes sense.
pub fn too_long(max: usize) -> Fault {
    Fault::Down(format!("expected a reply of at most {}, got more", units::bytes(max as f64)))
}

/// The other side closed before the reply was whole.
pub fn closed(so_far: usize) -> Fault {
    Fault::Down(match so_far {
        0 => "expected a reply, got a closed connection".to_owned(),
        n => format!("expected a whole reply, got a closed connection after {}", units::bytes(n as f64)),
    })
}

pub fn broken(e: &std::io::Error) -> Fault {
    Fault::Down(format!("expected a reply, got: {e}"))
}
