//! Listening sockets that really open and close: a door of the model is a port or a socket file.

use std::future::{Future, poll_fn};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::model::Door;
use super::shared::DemoHandle;

/// Connections served at once at one door; more are closed unanswered.
const CONNECTIONS: usize = 512;
/// Pause before binding again, and after a failed `accept` (out of descriptors).
const RETRY: Duration = Duration::from_millis(200);

/// A loopback port kept for us while nothing listens on it, so that "down" refuses and "up" finds it free.
pub struct Port {
    /// Bound and never listening; dropped with the demo.
    _reservation: TcpSocket,
    pub address: SocketAddr,
}

impl Port {
    pub fn reserve() -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self { address: socket.local_addr()?, _reservation: socket })
    }

    fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(256)
    }
}

/// Serves a TCP door until the task is dropped.
pub async fn tcp<F, S>(demo: DemoHandle, door: Door, address: SocketAddr, serve: S)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TcpStream, SocketAddr) -> F,
{
    let mut doors = demo.doors();
    while turned(&mut doors, door, true).await {
        let Ok(listener) = Port::listen(address) else {
            tokio::time::sleep(RETRY).await;
            continue;
        };
        let serve = |(stream, peer): (TcpStream, SocketAddr)| {
            let _ = stream.set_nodelay(true);
            serve(stream, peer)
        };
        while_open(&mut doors, door, |cx| listener.poll_accept(cx), serve).await;
    }
}

/// Serves a Unix door until the task is dropped. A service that stops leaves its file, as upstream's do:
/// connecting is then refused. The master takes all files away with the runtime directory.
pub async fn unix<F, S>(demo: DemoHandle, door: Door, path: PathBuf, mode: u32, serve: S)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(UnixStream) -> F,
{
    let mut doors = demo.doors();
    while turned(&mut doors, door, true).await {
        let Ok(listener) = bind_unix(&path, mode) else {
            tokio::time::sleep(RETRY).await;
            continue;
        };
        while_open(&mut doors, door, |cx| listener.poll_accept(cx), |(stream, _)| serve(stream)).await;
        drop(listener);
        if !demo.is_open(Door::Master) {
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// Accepts and serves until the door closes; then every connection is dropped, as when a process dies.
async fn while_open<C, F>(
    doors: &mut watch::Receiver<u32>,
    door: Door,
    mut accept: impl FnMut(&mut Context<'_>) -> Poll<std::io::Result<C>>,
    serve: impl Fn(C) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            _ = turned(doors, door, false) => return,
            Some(_) = open.join_next() => {}
            accepted = poll_fn(&mut accept) => match accepted {
                Ok(connection) if open.len() < CONNECTIONS => {
                    open.spawn(serve(connection));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }
}

/// Waits until the door is as wanted; false when the demo is over.
async fn turned(doors: &mut watch::Receiver<u32>, door: Door, open: bool) -> bool {
    doors.wait_for(|mask| (mask & door.bit() != 0) == open).await.is_ok()
}

/// Binds the tool socket and the services' sockets alike, over a file left from before.
pub fn bind_unix(path: &Path, mode: u32) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}
