//! Death from outside: a run's journal is watched, and its runner gets SIGKILL as soon as that has
//! so many lines.

use crate::ground::Ground;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// Between two looks at a journal: an entry takes longer to reach the disk.
const LOOK: Duration = Duration::from_micros(200);
/// Looks at most: about two minutes.
const LOOKS: u32 = 400_000;

/// A run that is watched.
pub struct Watched<'a> {
    ground: &'a Ground,
    pub id: String,
    /// The runner's process; as this test sees it, whatever namespace it is in.
    runner: u32,
}

impl Watched<'_> {
    /// Starts a procedure. `None` when it died, or was refused, before it could be seen: then what
    /// was said is in the error.
    pub fn start<'a>(ground: &'a Ground, args: &[&str]) -> Result<Watched<'a>, String> {
        let before = runs(&ground.state);
        let mut starter = ground.spawn(args);
        let new = || runs(&ground.state).difference(&before).next().cloned();
        let Some(id) = until(&mut starter, new) else { return Err(said(starter)) };
        Watched::seen(ground, id, 0, starter)
    }

    /// Has a run taken up again.
    pub fn resume<'a>(ground: &'a Ground, id: &str) -> Result<Watched<'a>, String> {
        let args = ground.deck.resuming(id);
        let args: Vec<&str> = args.iter().map(String::as_str).chain(["--detach"]).collect();
        let starter = ground.spawn(&args);
        Watched::seen(ground, id.to_owned(), lines(&ground.journal(id)), starter)
    }

    fn seen(ground: &Ground, id: String, before: u64, mut starter: Child) -> Result<Watched<'_>, String> {
        let runner = until(&mut starter, || runner_of(&id));
        match runner {
            Some(runner) => {
                // It ends by itself; nobody has to wait for it.
                std::thread::spawn(move || starter.wait());
                Ok(Watched { ground, id, runner })
            }
            // It came and went between two looks.
            None if lines(&ground.journal(&id)) > before => Ok(Watched { ground, id, runner: 0 }),
            None => Err(said(starter)),
        }
    }

    /// Kills it a while after its journal has so many lines; people's questions are answered meanwhile.
    /// Returns whether it was killed; else it came to its end by itself.
    pub fn kill_after(&self, at: u64, lag: Duration) -> bool {
        let journal = self.ground.journal(&self.id);
        let mut answered = 0;
        for _ in 0..LOOKS {
            let n = lines(&journal);
            if n >= at {
                std::thread::park_timeout(lag);
                return self.kill();
            }
            if !self.is_alive() {
                return false;
            }
            if n > answered {
                answered = n;
                self.ground.answer(&self.id);
            }
            std::thread::park_timeout(LOOK);
        }
        panic!("run {} neither went on nor ended: {}", self.id, self.ground.told(&self.id));
    }

    pub fn kill_at(&self, at: u64) -> bool {
        self.kill_after(at, Duration::ZERO)
    }

    /// Waits for its end.
    pub fn leave(&self) {
        assert!(!self.kill_at(u64::MAX));
    }

    fn kill(&self) -> bool {
        let Ok(Some(pid)) = i32::try_from(self.runner).map(Pid::from_raw) else { return false };
        let killed = self.is_alive() && kill_process(pid, Signal::KILL).is_ok();
        for _ in 0..LOOKS {
            if !self.is_alive() && !is_held(&self.ground.journal(&self.id)) {
                let over = self.ground.entries(&self.id).last().is_some_and(|e| e["event"]["is"] == "ended");
                return killed && !over;
            }
            std::thread::park_timeout(LOOK);
        }
        panic!("runner {} does not die", self.runner);
    }

    fn is_alive(&self) -> bool {
        is_alive(self.runner)
    }
}

/// Waits for something that a command brings about, or for that command to fail.
fn until<T>(starter: &mut Child, so: impl Fn() -> Option<T>) -> Option<T> {
    for _ in 0..LOOKS {
        if let Some(found) = so() {
            return Some(found);
        }
        if starter.try_wait().unwrap().is_some() {
            return so();
        }
        std::thread::park_timeout(LOOK);
    }
    panic!("a command brings nothing about and does not end");
}

fn said(starter: Child) -> String {
    let output = starter.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Names of the runs there are.
fn runs(state: &Path) -> BTreeSet<String> {
    let all = std::fs::read_dir(state.join("runs")).into_iter().flatten().flatten();
    all.filter_map(|e| e.file_name().into_string().ok()).filter(|n| !n.starts_with('.')).collect()
}

/// Whole lines of a journal.
pub fn lines(journal: &PathBuf) -> u64 {
    std::fs::read(journal).map_or(0, |text| memchr::memchr_iter(b'\n', &text).count() as u64)
}

/// The entries of a journal; a torn last line is none.
pub fn entries(journal: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(journal).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The process `… runner ID` that lives.
fn runner_of(id: &str) -> Option<u32> {
    let wanted = format!("\0runner\0{id}\0");
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|e| e.file_name().to_str()?.parse().ok()).find(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.ends_with(wanted.as_bytes()) && is_alive(*pid)
    })
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Whether somebody has the journal open to write: other threads of a process whose first is gone,
/// or a child that is not yet the program that it is to be.
fn is_held(journal: &PathBuf) -> bool {
    let Ok(file) = std::fs::File::open(journal) else { return false };
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared).is_err()
}

/// A command that is started and not waited for.
pub fn spawn(mut command: std::process::Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}
