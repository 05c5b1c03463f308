//! A socket of our own that leads to an endpoint as a host sees it: for a library that opens its
//! connections itself and knows nothing of ssh.

use super::stream::Stream;
use super::{ConnectError, Transport};
use crate::stack::kind::common::Endpoint;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

/// Connections carried at the same time; further ones wait.
const MAX_CARRIED: usize = 8;
/// How long a connection may take to open; whoever asked has given up long before.
const MAX_OPENING: Duration = Duration::from_secs(60);

/// Carries connections for as long as it is held.
#[derive(Debug)]
pub struct Bridge {
    /// Only we may enter; removed at the end.
    _dir: tempfile::TempDir,
    path: PathBuf,
    trouble: Trouble,
    task: JoinHandle<()>,
}

/// Why the last connection could not be opened, until one can.
type Trouble = Arc<Mutex<Option<ConnectError>>>;

impl Bridge {
    /// Listens on a socket in a directory of its own. Within a runtime only.
    ///
    /// # Errors
    /// The directory or the socket cannot be made.
    pub fn open(transport: Arc<Transport>, to: Endpoint) -> Result<Bridge, String> {
        let failed = |e| format!("cannot make a socket to lead there: {e}");
        let dir = tempfile::Builder::new()
            .prefix("qd-way-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(failed)?;
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).map_err(failed)?;
        let trouble = Trouble::default();
        let task = tokio::spawn(serve(listener, transport, to, Arc::clone(&trouble)));
        Ok(Bridge { _dir: dir, path, trouble, task })
    }

    /// The socket's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why the last connection could not be opened; tells it once.
    pub fn take_trouble(&self) -> Option<ConnectError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // The connections go with the task that holds them.
        self.task.abort();
    }
}

async fn serve(listener: UnixListener, transport: Arc<Transport>, to: Endpoint, trouble: Trouble) {
    let mut carried = JoinSet::new();
    loop {
        while carried.len() >= MAX_CARRIED {
            carried.join_next().await;
        }
        while carried.try_join_next().is_some() {}
        let Ok((near, _)) = listener.accept().await else {
            // Out of descriptors: others must give theirs back first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (transport, to, trouble) = (Arc::clone(&transport), to.clone(), Arc::clone(&trouble));
        carried.spawn(async move {
            let opened = tokio::time::timeout(MAX_OPENING, transport.connect(&to)).await;
            let said = match opened {
                Ok(Ok(far)) => {
                    *trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    return carry(near, far).await;
                }
                Ok(Err(e)) => e,
                Err(_) => ConnectError::Unreachable(format!("no connection to {to} within a minute")),
            };
            // Before the near side is closed, whose owner then asks for the reason.
            *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
            drop(near);
        });
    }
}

/// Passes bytes on until either side has ended; what the far side said until then has arrived.
/// HTTP clients do not close one direction only.
async fn carry(near: UnixStream, far: Stream) {
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = tokio::io::split(far);
    tokio::select! {
        _ = tokio::io::copy(&mut near_in, &mut far_out) => {}
        _ = tokio::io::copy(&mut far_in, &mut near_out) => {}
    }
}
