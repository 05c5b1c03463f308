//! A step's setting for tests: a run's directory, a way to a host, secrets, and eyes that see
//! nothing.

use crate::host;
use quarterdeck::act::sight::{Looking, Sight};
use quarterdeck::act::step::{self, Answer, Left, Setting, Stop, Target};
use quarterdeck::clock::SystemClock;
use quarterdeck::domain::health::Health;
use quarterdeck::domain::id::{HostId, ProbeId, RunId, SecretId, StepId};
use quarterdeck::domain::procedure::action::Action;
use quarterdeck::domain::procedure::check::{Condition, Seen};
use quarterdeck::stack::spec::{Host, SecretSource, Stack, TransportSpec};
use quarterdeck::transport::Transport;
use quarterdeck::transport::fetch::access::Access;
use quarterdeck::transport::secret::Secrets;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Sees nothing.
struct Blind;

impl Sight for Blind {
    fn check<'a>(&'a self, _: &'a Condition) -> Looking<'a, Seen> {
        Box::pin(async { Seen { holds: false, says: "nothing is seen here".into() } })
    }

    fn value<'a>(&'a self, _: &'a str) -> Looking<'a, Result<f64, String>> {
        Box::pin(async { Err("nothing is seen here".into()) })
    }

    fn probe<'a>(&'a self, _: &'a ProbeId) -> Looking<'a, (Health, String)> {
        Box::pin(async { (Health::Unknown, "nothing is seen here".into()) })
    }
}

/// Everything that a step of one host needs.
pub struct Bench {
    pub rt: tokio::runtime::Runtime,
    pub transport: Transport,
    pub access: Arc<Access>,
    pub dir: tempfile::TempDir,
    pub sudo: bool,
    pub attempt: u32,
    pub by_word: bool,
    pub step: StepId,
    pub stack: Stack,
    pub timeout: Duration,
    pub run: RunId,
    host: HostId,
    clock: SystemClock,
    pub sight: Box<dyn Sight>,
}

impl Bench {
    /// This machine, with directories before its PATH.
    pub fn local(path: &[&Path]) -> Bench {
        Bench::new(TransportSpec::Local, path, &[])
    }

    /// A way to a host and secrets with their values, which are kept in files.
    pub fn new(transport: TransportSpec, path: &[&Path], secrets: &[(&str, &str)]) -> Bench {
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = path.iter().map(|p| p.display().to_string()).collect();
        let host = Host { id: HostId::new("h"), transport, path };
        let transport = Transport::new(&host).unwrap();
        let sources = secrets.iter().map(|(name, value)| {
            let file = dir.path().join(format!("secret-{name}"));
            std::fs::write(&file, value).unwrap();
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            (SecretId::new(name), SecretSource::File(file.display().to_string()))
        });
        let access = Arc::new(Access::new(Secrets::new(sources.collect()), &[]));
        Bench {
            rt,
            transport,
            access,
            sudo: false,
            attempt: 1,
            by_word: false,
            step: StepId::new("s"),
            stack: host::stack(host),
            // Its own: processes are told apart by it.
            run: RunId::new(&format!("20260101-000000-{}", dir.path().file_name().unwrap().display())),
            host: HostId::new("h"),
            clock: SystemClock::new(),
            sight: Box::new(Blind),
            timeout: Duration::from_secs(60),
            dir,
        }
    }

    pub fn setting(&self) -> Setting<'_> {
        Setting {
            stack: &self.stack,
            run: &self.run,
            step: &self.step,
            attempt: self.attempt,
            by_word: self.by_word,
            undoes: None,
            host: &self.host,
            transport: &self.transport,
            sudo: self.sudo,
            access: &self.access,
            sight: &*self.sight,
            timeout: self.timeout,
            clock: &self.clock,
            dir: self.dir.path(),
        }
    }

    pub fn target(&self, action: &Action) -> Target {
        self.rt.block_on(step::target(action, &self.setting()))
    }

    pub fn perform(&self, action: &Action) -> Left {
        self.perform_until(action, &Stop::new())
    }

    /// Undoes what was done by the step.
    pub fn undo(&self, done: &Action, undo: &Action) -> Left {
        let setting = Setting { undoes: Some(done), ..self.setting() };
        self.rt.block_on(step::perform(undo, &setting, &Stop::new()))
    }

    /// Asks whether the step was undone.
    pub fn ask_undone(&self, done: &Action, undo: &Action) -> Answer {
        let setting = Setting { undoes: Some(done), ..self.setting() };
        self.rt.block_on(step::ask(undo, "", &setting))
    }

    /// From here on it is another run, with a directory of its own.
    pub fn next_run(&mut self) -> (RunId, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let run = RunId::new(&format!("20260102-000000-{}", dir.path().file_name().unwrap().display()));
        self.turn_to((run, dir))
    }

    /// The run and directory that it turns to; gives back those that it was at.
    pub fn turn_to(&mut self, (run, dir): (RunId, tempfile::TempDir)) -> (RunId, tempfile::TempDir) {
        (std::mem::replace(&mut self.run, run), std::mem::replace(&mut self.dir, dir))
    }

    pub fn perform_until(&self, action: &Action, stop: &Stop) -> Left {
        self.rt.block_on(step::perform(action, &self.setting(), stop))
    }

    pub fn ask(&self, action: &Action, before: &str) -> Answer {
        self.rt.block_on(step::ask(action, before, &self.setting()))
    }
}
