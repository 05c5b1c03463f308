//! An in-process imitation of a Tornado VPN stack that speaks the real protocols and breaks on request.
//!
//! One model ([`model`]) behind a lock, one task for each port and socket ([`listen`]), all on loopback
//! and in a directory of its own. Nothing else in the program knows that it exists.

mod addresses;
mod fault;
mod files;
mod http;
mod listen;
mod log_query;
mod model;
mod nft;
mod nginx;
mod postgres;
mod postgres_queries;
mod processes;
mod redis_commands;
mod redis_keys;
mod resp;
mod rng;
mod runner;
mod shared;
mod sockets;
pub mod tool;
mod tools;
mod tor;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

pub use addresses::Addresses;
pub use fault::{FaultSpec, FaultState, ParseError};
pub use shared::{DemoHandle, Summary};

use crate::clock::Clock;
use addresses::Ports;
use files::Files;
use http::Site;
use listen::Port;
use model::{Door, Model};
use processes::Processes;
use rng::Rng;
use runner::Runner;

/// The model moves, and files follow it, once a second.
const TICK: Duration = Duration::from_secs(1);
/// Longest path a Unix socket can have.
const SOCKET_PATH: usize = 107;

/// How a demo is to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The same seed gives the same people, sessions and numbers.
    pub seed: u64,
    pub faults: Vec<FaultSpec>,
}

/// Why a demo could not start.
#[derive(Debug)]
pub enum Error {
    Directory(io::Error),
    Files {
        path: PathBuf,
        source: io::Error,
    },
    Port(io::Error),
    /// The directory's name is too long for sockets in it.
    SocketPath(PathBuf),
    Program(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(e) => write!(f, "make a temporary directory: {e}"),
            Self::Files { path, source } => {
                write!(f, "lay out the stack's files in {}: {source}", path.display())
            }
            Self::Port(e) => write!(f, "reserve a loopback port: {e}"),
            Self::SocketPath(path) => write!(
                f,
                "make a socket at {}: longer than {SOCKET_PATH} bytes (set TMPDIR to a shorter directory)",
                path.display()
            ),
            Self::Program(e) => write!(f, "find this program's own file: {e}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Directory(e) | Self::Port(e) | Self::Program(e) | Self::Files { source: e, .. } => Some(e),
            Self::SocketPath(_) => None,
        }
    }
}

/// A running demo stack; dropping it ends it and removes its directory.
pub struct Demo {
    handle: DemoHandle,
    addresses: Addresses,
    tasks: JoinSet<()>,
    dir: tempfile::TempDir,
    /// Held so that no other program takes a port while a fault keeps it closed.
    _ports: [Port; 7],
}

impl Demo {
    /// Starts the stack on the current tokio runtime (one thread is enough).
    pub async fn start(options: Options, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let dir = tempfile::Builder::new().prefix("qd-demo-").tempdir().map_err(Error::Directory)?;
        let root = dir.path().to_owned();
        for (_, name, _) in sockets::SOCKETS {
            let path = files::run_dir(&root).join(name);
            if path.as_os_str().len() > SOCKET_PATH {
                return Err(Error::SocketPath(path));
            }
        }
        let now = clock.now();
        let mut model = Model::new(options.seed, now.wall, options.faults);
        let cookie = Rng::new(!options.seed).bytes32();
        let program = std::env::current_exe().map_err(Error::Program)?;
        let runner = Runner::find();
        let broken = |source| Error::Files { path: root.clone(), source };
        let mut processes = Processes::new(runner.clone());
        let pids = processes.follow(processes::wanted(&model)).await;
        let files =
            Files::create(&root, &mut model, &program, &cookie, runner.clone(), pids).map_err(broken)?;
        let mut ports = Vec::with_capacity(7);
        for _ in 0..7 {
            ports.push(Port::reserve().map_err(Error::Port)?);
        }
        let ports: [Port; 7] = ports.try_into().map_err(|_| Error::Port(io::ErrorKind::Other.into()))?;
        let [admin, client, edge, redis, postgres, tor_control, tor_socks] =
            ports.each_ref().map(|p| p.address);
        let at = Ports { admin, client, edge, redis, postgres, tor_control, tor_socks };
        let addresses = Addresses::new(&root, &at, runner.name);
        let tool_socket = listen::bind_unix(&root.join("bin").join(tool::SOCKET), 0o600).map_err(broken)?;
        let handle = DemoHandle::new(model, clock, now.mono, root.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(tick(handle.clone(), files, processes));
        tasks.spawn(serve_tools(handle.clone(), tool_socket));
        spawn_tcp(&mut tasks, &handle, &at, cookie);
        spawn_unix(&mut tasks, &handle, &root);
        Ok(Self { handle, addresses, tasks, dir, _ports: ports })
    }

    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// A `config.toml` that points the built-in stack `tornado` at this demo.
    pub fn config_toml(&self) -> String {
        self.addresses.config_toml()
    }

    /// Every fault there is, and whether it is on.
    pub fn faults(&self) -> Vec<FaultState> {
        self.handle.faults()
    }

    /// Switches a fault; an unknown name is an error that lists the known ones.
    pub fn set_fault(&self, name: &str, on: bool) -> Result<(), ParseError> {
        self.handle.set_fault(name, on)
    }

    /// For other threads: reads state and switches faults.
    pub fn handle(&self) -> DemoHandle {
        self.handle.clone()
    }

    /// Ends every task and removes the directory.
    pub async fn shutdown(mut self) -> io::Result<()> {
        self.tasks.shutdown().await;
        self.dir.close()
    }
}

/// Once a second: the model, its doors, its processes and files.
async fn tick(handle: DemoHandle, mut files: Files, mut processes: Processes) {
    let mut every = tokio::time::interval(TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let wanted = handle.with(|m| processes::wanted(m));
        let pids = processes.follow(wanted).await;
        processes.listen(&handle);
        // Files that cannot be written (a really full disk) must not stop the stack.
        if let Err(e) = handle.with(|m| files.sync(m, pids)) {
            tracing::warn!("failed to write the demo's files: {e}");
        }
    }
}

async fn serve_tools(handle: DemoHandle, socket: tokio::net::UnixListener) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = open.join_next() => {}
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => { open.spawn(tools::serve(handle.clone(), stream)); }
                Err(_) => tokio::time::sleep(TICK).await,
            }
        }
    }
}

fn spawn_tcp(tasks: &mut JoinSet<()>, demo: &DemoHandle, at: &Ports, cookie: [u8; tor::COOKIE]) {
    for (door, address, site) in [
        (Door::Admin, at.admin, Site::Admin),
        (Door::Client, at.client, Site::Client),
        (Door::Edge, at.edge, Site::Edge),
    ] {
        let handle = demo.clone();
        tasks.spawn(listen::tcp(demo.clone(), door, address, move |stream, peer| {
            http::serve(handle.clone(), site, stream, peer)
        }));
    }
    let handle = demo.clone();
    tasks.spawn(listen::tcp(demo.clone(), Door::Redis, at.redis, move |stream, _| {
        resp::serve(handle.clone(), stream)
    }));
    let handle = demo.clone();
    tasks.spawn(listen::tcp(demo.clone(), Door::Postgres, at.postgres, move |stream, _| {
        postgres::serve(handle.clone(), stream)
    }));
    let handle = demo.clone();
    tasks.spawn(listen::tcp(demo.clone(), Door::TorControl, at.tor_control, move |stream, _| {
        tor::serve_control(handle.clone(), cookie, stream)
    }));
    tasks
        .spawn(listen::tcp(demo.clone(), Door::TorSocks, at.tor_socks, |stream, _| tor::serve_socks(stream)));
}

fn spawn_unix(tasks: &mut JoinSet<()>, demo: &DemoHandle, root: &Path) {
    for (door, name, mode) in sockets::SOCKETS {
        let handle = demo.clone();
        let path = files::run_dir(root).join(name);
        tasks.spawn(listen::unix(demo.clone(), door, path, mode, move |stream| {
            sockets::serve(handle.clone(), door, stream)
        }));
    }
}
