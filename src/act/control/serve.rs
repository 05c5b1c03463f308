//! The runner's end of its socket: bounded clients, one JSON line for each request and each reply.

use super::socket;
use crate::act::identity;
use crate::act::rundir::RunDir;
use crate::domain::procedure::event::Person;
use crate::domain::procedure::request::{Reply, Request};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Clients at the same time; others wait in the system's queue.
const MAX_CLIENTS: usize = 16;
/// The longest request, in bytes.
pub(super) const MAX_REQUEST: u64 = 64 << 10;
/// How long a client may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a request may wait for its reply: a disk may take its time.
const REPLY: Duration = Duration::from_secs(60);

/// A request, who made it, and where the reply goes.
#[derive(Debug)]
pub struct Asked {
    pub request: Request,
    pub by: Person,
    pub reply: oneshot::Sender<Reply>,
}

/// How long the last replies may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A server that ends when this is dropped; its socket is then taken away.
#[derive(Debug)]
pub struct Serving {
    task: JoinHandle<()>,
    dir: RunDir,
    /// A permit for each request between its arrival and its reply.
    busy: Arc<Semaphore>,
}

impl Serving {
    /// Ends once those who asked have their replies. The receiver of requests must be gone, so
    /// that who asks now is told that it is too late.
    pub async fn close(self) {
        let all = self.busy.acquire_many(u32::try_from(MAX_CLIENTS).unwrap_or(u32::MAX));
        let _ = tokio::time::timeout(LAST_WORDS, all).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(self.dir.socket());
    }
}

/// Serves the socket of a run. To be called by who holds its journal, inside a runtime.
///
/// # Errors
/// The socket cannot be made; completes "failed to …".
pub fn open(dir: &RunDir) -> Result<(Serving, mpsc::Receiver<Asked>), String> {
    let told = |e: std::io::Error| format!("listen at {}: {e}", dir.socket().display());
    let listener = UnixListener::from_std(socket::bind(dir).map_err(told)?).map_err(told)?;
    let (asked, requests) = mpsc::channel(MAX_CLIENTS);
    let shared = dir.group().is_some();
    let busy = Arc::new(Semaphore::new(MAX_CLIENTS));
    let task = tokio::spawn(accept(listener, asked, shared, Arc::clone(&busy)));
    Ok((Serving { task, dir: dir.clone(), busy }, requests))
}

async fn accept(listener: UnixListener, asked: mpsc::Sender<Asked>, shared: bool, busy: Arc<Semaphore>) {
    let room = Arc::new(Semaphore::new(MAX_CLIENTS));
    let mut clients = tokio::task::JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        while clients.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: they come back as clients go.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (asked, busy) = (asked.clone(), Arc::clone(&busy));
        clients.spawn(async move {
            if let Some(by) = who(&stream, shared) {
                let _ = converse(stream, &by, &asked, &busy).await;
            }
            drop(permit);
        });
    }
}

/// Who is at the other end, by the kernel's word. In a directory of one's own it is oneself or
/// root; what a group shares, the directory's mode admits.
fn who(stream: &UnixStream, shared: bool) -> Option<Person> {
    let peer = stream.peer_cred().ok()?;
    let (uid, own) = (peer.uid(), rustix::process::geteuid().as_raw());
    (shared || uid == own || uid == 0).then(|| identity::peer(uid, peer.pid().unwrap_or(0)))
}

async fn converse(
    stream: UnixStream,
    by: &Person,
    asked: &mpsc::Sender<Asked>,
    busy: &Semaphore,
) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut read).take(MAX_REQUEST);
        let next = bounded.read_until(b'\n', &mut line);
        let Ok(count) = tokio::time::timeout(SILENCE, next).await else { return Ok(()) };
        if count? == 0 {
            return Ok(());
        }
        let Ok(_replying) = busy.acquire().await else { return Ok(()) };
        let reply = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => put(request, by, asked).await,
            Err(e) => Reply::Refused { why: format!("read the request: {e}") },
        };
        let mut text = serde_json::to_vec(&reply)?;
        text.push(b'\n');
        let Ok(written) = tokio::time::timeout(SILENCE, write.write_all(&text)).await else { return Ok(()) };
        written?;
        if !line.ends_with(b"\n") {
            return Ok(());
        }
    }
}

async fn put(request: Request, by: &Person, asked: &mpsc::Sender<Asked>) -> Reply {
    let (reply, answer) = oneshot::channel();
    let answered = async {
        asked.send(Asked { request, by: by.clone(), reply }).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(REPLY, answered).await {
        Ok(Some(reply)) => reply,
        Ok(None) => Reply::Refused { why: "ask the runner: it is ending".to_owned() },
        Err(_) => Reply::Refused { why: format!("get an answer within {} s", REPLY.as_secs()) },
    }
}
