//! A real process for each service that has a pid file: it does nothing but tell of its signals.
//!
//! The services of the demo live in this one process, which must not be sent SIGHUP: that is what a
//! terminal sends when it goes away. So a pid file names a shell of its own, whose command line says
//! which service it stands in for. It ends with the demo, however that ends: its input is then closed.

use std::path::Path;
use std::process::Stdio;

use futures_util::FutureExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::model::Model;
use super::model::services::Svc;
use super::model::units::Second;
use super::runner::Runner;
use super::shared::DemoHandle;

/// The services with a pid file: its name, and the program whose command line shows there.
pub const KEPT: [(Svc, &str, &str); 3] = [
    (Svc::Auth, "auth_service.pid", "auth_service.py"),
    (Svc::ApiPublic, "admin_panel.pid", "uvicorn main:app --port 8000"),
    (Svc::BootstrapKey, "bootstrap_keys.pid", "bootstrap_keys.py"),
];

/// Says `HUP` for each SIGHUP and ends at the end of its input. A `read` that a signal interrupts
/// fails as it does at the end; the trap tells the two apart.
const HEEDS: &str = "trap 'woken=1; echo HUP' HUP
while :; do woken=; read -r line || [ \"$woken\" ] || exit 0; done
";
/// The same without a handler: SIGHUP ends it, as it ends a Python program that has none.
const HEEDLESS: &str = "while read -r line; do :; done\n";
/// Longest line read from a stand-in.
const LINE: u64 = 64;

/// One stand-in.
struct Process {
    /// When its service started: another start is another process.
    since: Second,
    child: Child,
    /// Closed when this is dropped.
    stdin: Option<ChildStdin>,
    /// Listens to it.
    ear: Option<JoinHandle<()>>,
}

impl Process {
    /// Gives it a line to read. A signal that came right before a `read` began is heard when that
    /// `read` ends, and not before.
    fn nudge(&mut self) {
        if let Some(stdin) = &mut self.stdin {
            // When the pipe is full, it has lines to read.
            let _ = stdin.write(b"\n").now_or_never();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(ear) = &self.ear {
            ear.abort();
        }
        // Its pid must name nobody as soon as the file is gone.
        let _ = self.child.start_kill();
    }
}

/// The stand-ins that run.
pub struct Processes {
    kept: [Option<Process>; 3],
    runner: Runner,
}

impl Processes {
    pub fn new(runner: Runner) -> Self {
        Self { kept: [None, None, None], runner }
    }

    /// Starts and ends stand-ins as their services do, and has them hear what they may have missed;
    /// to be called once a second. Gives the process ids for the pid files; a
    /// service whose stand-in cannot be started has none.
    pub async fn follow(&mut self, m: [Option<Second>; 3]) -> [Option<u32>; 3] {
        let mut pids = [None; 3];
        for (i, since) in m.into_iter().enumerate() {
            let same = self.kept[i].as_ref().map(|p| p.since) == since;
            if !same {
                if let Some(mut old) = self.kept[i].take() {
                    let _ = old.child.kill().await;
                }
                if let Some(since) = since {
                    match self.start(i, since).await {
                        Ok(process) => self.kept[i] = Some(process),
                        Err(e) => tracing::warn!("failed to start the demo's {}: {e}", KEPT[i].2),
                    }
                }
            }
            if let Some(process) = &mut self.kept[i] {
                process.nudge();
                pids[i] = process.child.id();
            }
        }
        pids
    }

    async fn start(&self, i: usize, since: Second) -> std::io::Result<Process> {
        let (svc, _, name) = KEPT[i];
        let mut command = Command::new("/bin/sh");
        // The script comes by standard input, so that the command line is the service's name.
        command.arg0(format!("{name} (demo)")).arg("-s").env_clear().current_dir(Path::new("/"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Not in our group: what a terminal sends to that is not meant for it.
        command.process_group(0).kill_on_drop(true);
        if let Some((uid, gid)) = self.runner.ids() {
            command.uid(uid).gid(gid);
        }
        // A shell cannot heed a signal that was ignored when it began, as it is in what `nohup`
        // starts. With a handler here, what is started from here begins without that.
        let _heard = signal(SignalKind::hangup())?;
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take();
        if let Some(stdin) = &mut stdin {
            let script = if svc == Svc::BootstrapKey { HEEDLESS } else { HEEDS };
            stdin.write_all(script.as_bytes()).await?;
        }
        Ok(Process { since, child, stdin, ear: None })
    }

    /// Has the model hear of signals and ends of the stand-ins that were started since the last call.
    pub fn listen(&mut self, demo: &DemoHandle) {
        for (i, process) in self.kept.iter_mut().enumerate() {
            let Some(process) = process.as_mut().filter(|p| p.ear.is_none()) else { continue };
            if let Some(stdout) = process.child.stdout.take() {
                process.ear = Some(tokio::spawn(hear(demo.clone(), KEPT[i].0, process.since, stdout)));
            }
        }
    }
}

/// When each of the services started that run now.
pub fn wanted(m: &Model) -> [Option<Second>; 3] {
    KEPT.map(|(svc, ..)| m.services.running(svc).then(|| m.services.get(svc).since))
}

/// Hands signals on until the stand-in ends; if its service should still run, it has crashed.
async fn hear(demo: DemoHandle, svc: Svc, since: Second, stdout: ChildStdout) {
    let mut read = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        match (&mut read).take(LINE).read_until(b'\n', &mut line).await {
            Ok(n) if n > 0 => demo.with(|m| m.hung_up(svc)),
            _ => break,
        }
    }
    demo.with(|m| {
        if m.services.running(svc) && m.services.get(svc).since == since {
            m.process_died(svc);
        }
    });
}
