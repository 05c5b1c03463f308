//! `quarterdeck demo`: the embedded stack on a thread of its own, alone or under the dashboard.

use crate::clock::{Clock, SystemClock};
use crate::demo::{Demo, DemoHandle, Options};
use crate::tui::app::Switch;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// A demo that runs until this is dropped, or the terminal is gone.
pub struct Running {
    handle: DemoHandle,
    /// The config that points the dashboard at it.
    pub config: PathBuf,
    /// Where its runs are kept; gone with it.
    state_dir: PathBuf,
    /// Its addresses as one JSON object.
    pub addresses: String,
    end: Ending,
}

/// What has to end: also from the thread that notices that the terminal is gone, where nothing
/// is dropped any more.
#[derive(Clone)]
struct Ending(Arc<Mutex<Option<Parts>>>);

struct Parts {
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
    config: tempfile::NamedTempFile,
    state: tempfile::TempDir,
}

impl Ending {
    /// Stops the stack and removes its files; does nothing the second time.
    fn now(&self) {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Parts { stop, thread, config, state }) = parts {
            drop((stop, config, state));
            // A panic over there has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

/// What the demo's thread says once it is up.
type Up = Result<(DemoHandle, String, String), String>;

/// Starts the stack and waits until it listens.
///
/// # Errors
/// The text completes "failed to …".
pub fn start(options: Options) -> Result<Running, String> {
    let (stop, stopped) = oneshot::channel();
    let (up_tx, up_rx) = std::sync::mpsc::channel::<Up>();
    let thread = std::thread::Builder::new()
        .name("demo".into())
        .spawn(move || serve(options, &up_tx, stopped))
        .map_err(|e| format!("start the demo's thread: {e}"))?;
    let (handle, config_text, addresses) =
        up_rx.recv().map_err(|_| "start the demo: its thread ended".to_owned())??;
    let state = tempfile::Builder::new()
        .prefix("qd-demo-state-")
        .tempdir()
        .map_err(|e| format!("make a place for the demo's runs: {e}"))?;
    let state_dir = state.path().to_owned();
    // A second terminal with this config sees and acts on the same runs.
    let config_text = format!("state_dir = {:?}\n{config_text}", state_dir.display().to_string());
    let mut file = tempfile::Builder::new()
        .prefix("qd-demo-")
        .suffix(".toml")
        .tempfile()
        .map_err(|e| format!("write the demo's config: {e}"))?;
    file.write_all(config_text.as_bytes()).map_err(|e| format!("write the demo's config: {e}"))?;
    let config = file.path().to_owned();
    let addresses = with_config(&addresses, &config);
    let end = Ending(Arc::new(Mutex::new(Some(Parts { stop, thread, config: file, state }))));
    let last = end.clone();
    crate::tui::terminal::hangup::before_exit(move || last.now());
    Ok(Running { handle, config, state_dir, addresses, end })
}

/// Adds where the config file is, so that a second terminal can watch or break the same stack.
fn with_config(addresses: &str, config: &std::path::Path) -> String {
    let mut value: serde_json::Value = serde_json::from_str(addresses).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        map.insert("config".to_owned(), config.display().to_string().into());
    }
    value.to_string()
}

fn serve(options: Options, up: &std::sync::mpsc::Sender<Up>, stopped: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            let _ = up.send(Err(format!("start the demo's runtime: {e}")));
            return;
        }
    };
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        match Demo::start(options, clock).await {
            Err(e) => {
                let _ = up.send(Err(e.to_string()));
            }
            Ok(demo) => {
                let addresses = serde_json::to_string(demo.addresses()).unwrap_or_default();
                let _ = up.send(Ok((demo.handle(), demo.config_toml(), addresses)));
                // The sender's end is dropped when the dashboard is gone, however it went.
                let _ = stopped.await;
                if let Err(e) = demo.shutdown().await {
                    tracing::warn!("failed to remove the demo's directory: {e}");
                }
            }
        }
    });
}

impl Running {
    pub fn handle(&self) -> DemoHandle {
        self.handle.clone()
    }

    pub fn state_dir(&self) -> PathBuf {
        self.state_dir.clone()
    }
}

/// The faults as switches.
pub fn switches(handle: &DemoHandle) -> Vec<Switch> {
    let faults = handle.faults();
    faults
        .into_iter()
        .map(|f| Switch { name: f.name.into(), about: f.description.into(), on: f.active })
        .collect()
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end.now();
    }
}

/// What tells a stack without a screen to stop.
pub struct Stop([Signal; 3]);

impl Stop {
    /// Listens from here on. Make it before anybody is told that the stack is up: a signal that
    /// came earlier would end the process and leave its files.
    ///
    /// # Errors
    /// A handler cannot be installed; the text completes "failed to …".
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn new() -> Result<Stop, String> {
        let listen = |kind| signal(kind).map_err(|e| format!("handle signals: {e}"));
        Ok(Stop([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    /// Waits until the process is told to stop.
    pub async fn wait(&mut self) {
        let Stop([interrupt, terminate, hangup]) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
