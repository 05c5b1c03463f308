//! Speaking to a runner.

use super::serve::MAX_REQUEST;
use super::socket;
use crate::act::rundir::StateDir;
use crate::domain::procedure::request::{Reply, Request};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

/// How long a runner may take to answer.
const ANSWER: Duration = Duration::from_secs(65);
/// How long it may take to listen.
const LISTEN: Duration = Duration::from_secs(5);
/// The longest reply, in bytes.
const MAX_REPLY: u64 = 64 << 10;

/// Asks something of the runner of a run, and waits for its answer: a request that was taken is on
/// disk. Blocks, for at most [`ANSWER`].
///
/// # Errors
/// There is no such run, it has no runner, or that does not answer; completes "failed to …".
pub fn send(state: &StateDir, id: &str, request: &Request) -> Result<Reply, String> {
    let dir = state.run(id)?;
    let told = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            format!("reach the runner of run {id}: there is none")
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("get an answer from the runner of run {id} in time")
        }
        _ => format!("reach the runner of run {id}: {e}"),
    };
    let mut text = serde_json::to_vec(request).map_err(|e| told(e.into()))?;
    text.push(b'\n');
    if text.len() as u64 > MAX_REQUEST {
        return Err(format!("ask that of run {id}: it is longer than {MAX_REQUEST} bytes"));
    }
    let mut stream = socket::connect(&dir).map_err(told)?;
    stream.set_write_timeout(Some(LISTEN)).map_err(told)?;
    stream.set_read_timeout(Some(ANSWER)).map_err(told)?;
    stream.write_all(&text).map_err(told)?;
    let mut line = Vec::new();
    BufReader::new(stream).take(MAX_REPLY).read_until(b'\n', &mut line).map_err(told)?;
    if line.is_empty() {
        return Err(format!("get an answer from the runner of run {id}: it hung up"));
    }
    serde_json::from_slice(&line).map_err(|e| format!("understand the runner of run {id}: {e}"))
}
