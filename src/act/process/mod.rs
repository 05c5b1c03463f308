//! A program run for a step, here or over ssh: its output kept, its end certain, and what it
//! leaves behind named.

mod ending;
mod survey;

pub use ending::end_strays;
pub use survey::{Stray, names, strays};

use super::output::{Kept, Lines, Sink};
use super::redact::Redactor;
use super::step::{Left, Setting, Stop};
use crate::domain::procedure::action::describe::local::full_argv;
use crate::domain::procedure::event::Effected;
use crate::domain::text;
use crate::transport::RunError;
use crate::transport::running::{Running, Said, Start};
use ending::Ending;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

/// Between TERM and KILL.
pub const GRACE: Duration = Duration::from_secs(5);
/// How long output may still come after the program itself has ended, while others hold it open.
const LINGER: Duration = Duration::from_millis(500);
/// Kept of standard error where it does not go with the output, in bytes.
const MAX_COMPLAINT: usize = 16 << 10;
/// The variable that marks all that a step has started, whatever becomes of its parents.
const MARK: &str = "QUARTERDECK_STEP";

/// A program to run for a step.
#[derive(Debug, Default)]
pub struct Program {
    pub argv: Vec<String>,
    pub env: BTreeMap<String, SecretString>,
    pub stdin: Option<SecretString>,
}

impl Program {
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Program {
        Program { argv: argv.into_iter().map(Into::into).collect(), ..Program::default() }
    }
}

/// What becomes of the output.
pub enum Output {
    /// Both outputs, in the order in which they were written.
    Both(Sink),
    /// Standard output only; the end of standard error is given back.
    Out(Sink),
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    pub how: How,
    pub kept: Kept,
    /// The last lines of standard error where it was not kept; else of the output. Safe to show.
    pub said: Vec<String>,
    /// What it has started that still runs.
    pub left: Vec<Stray>,
    /// What was done to end it, if it was ended.
    pub ending: Vec<String>,
}

/// How it ended itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// With a status; 128 + n when signal n ended it.
    Exit(i32),
    /// It has not ended although it was killed.
    Stuck,
    /// The way to its host was lost.
    Lost(String),
}

/// Runs a program to its end, or until it is told to stop: then its whole process group gets TERM
/// and, after [`GRACE`], KILL. Everything that it reads is bounded; nothing that it writes blocks
/// it.
///
/// # Errors
/// When it was not started, and why; it completes "failed: …".
pub async fn run(program: Program, s: &Setting<'_>, output: Output, stop: &Stop) -> Result<Ended, String> {
    let (mut sink, merged) = match output {
        Output::Both(sink) => (sink, true),
        Output::Out(sink) => (sink, false),
    };
    no_other_runs(s).await?;
    let start = start_of(program, s, merged);
    let starting = s.transport.start(start);
    let mut running = tokio::select! {
        started = starting => started.map_err(|e| not_started(&e))?,
        () = stop.stopped() => return Err("it was told to stop before it had begun".to_owned()),
    };
    let mut watch = Watch::default();
    let how = watch.follow(&mut running, s, Some(&mut sink), stop).await?;
    let group = running.group();
    let left = watch.ending.clear_up(s, group, stop).await;
    if how == How::Stuck {
        drop(running); // its group is killed once more
    } else {
        running.release().await;
    }
    let kept = sink.finish().await;
    let said = if merged { kept.lines.clone() } else { watch.complaint(s) };
    Ok(Ended { how, kept, said, left, ending: watch.ending.done })
}

/// Once a step may have been begun before, by a runner that died, it must not run twice at once.
///
/// # Errors
/// Something of an earlier attempt runs, or that is not known; completes "failed: …".
pub async fn no_other_runs(s: &Setting<'_>) -> Result<(), String> {
    if s.attempt <= 1 {
        return Ok(());
    }
    match strays(s).await {
        Ok(strays) if strays.is_empty() => Ok(()),
        Ok(strays) => Err(format!("an earlier attempt at it still runs: {}", names(&strays))),
        Err(_) if s.by_word => Ok(()),
        Err(why) => Err(format!("it is not known whether an earlier attempt at it still runs: {why}")),
    }
}

/// Runs a program with its output kept, as the whole of a step; these statuses mean success.
pub async fn as_step(program: Program, s: &Setting<'_>, success: &[i32], stop: &Stop) -> Left {
    match Sink::of_step(s) {
        Ok(sink) => match run(program, s, Output::Both(sink), stop).await {
            Ok(ended) => ended.into_left(success),
            Err(why) if stop.is_stopped() => Left::killed(why),
            Err(why) => Left::failed(why),
        },
        Err(why) => Left::failed(why),
    }
}

/// Runs a small tool that must succeed, whose output is only its complaint.
///
/// # Errors
/// Its last words; it completes "failed: …".
pub async fn quietly(
    argv: &[&str],
    stdin: Option<SecretString>,
    s: &Setting<'_>,
    stop: &Stop,
) -> Result<(), String> {
    let mut program = Program::new(argv.iter().copied());
    program.stdin = stdin;
    let mut running = s.transport.start(start_of(program, s, false)).await.map_err(|e| not_started(&e))?;
    let mut watch = Watch::default();
    let how = watch.follow(&mut running, s, None, stop).await?;
    running.release().await;
    let last = watch.complaint(s).pop();
    match how {
        How::Exit(0) => Ok(()),
        How::Exit(status) => Err(last.unwrap_or_else(|| exit(status))),
        How::Stuck => Err("it does not end".to_owned()),
        How::Lost(why) => Err(format!("the way to its host was lost: {why}")),
    }
}

fn start_of(program: Program, s: &Setting<'_>, merged: bool) -> Start {
    let names: BTreeMap<String, String> = program.env.keys().map(|k| (k.clone(), String::new())).collect();
    let mut env: Vec<(String, SecretString)> = program.env.into_iter().collect();
    env.push((MARK.to_owned(), survey::mark(s).into()));
    Start {
        argv: full_argv(&program.argv, s.sudo, &names),
        env,
        hide: s.access.secrets.variables(),
        stdin: program.stdin,
        merged,
        sudo: s.sudo,
    }
}

fn not_started(e: &RunError) -> String {
    text::reason(&e.to_string())
}

/// What is noted while a program runs.
#[derive(Default)]
struct Watch {
    err: Vec<u8>,
    ending: Ending,
}

type Alarm = Pin<Box<tokio::time::Sleep>>;

impl Watch {
    /// Reads what the program says until it has ended.
    async fn follow(
        &mut self,
        running: &mut Running,
        s: &Setting<'_>,
        mut sink: Option<&mut Sink>,
        stop: &Stop,
    ) -> Result<How, String> {
        let mut how = None;
        let mut alarm: Option<Alarm> = None;
        loop {
            let group = running.group();
            tokio::select! {
                said = running.next() => match said.map_err(|e| format!("cannot read its output: {e}"))? {
                    Said::Out(new) => {
                        if let Some(sink) = &mut sink {
                            sink.push(new);
                        }
                        // One that never stops writing must not keep others from being heard.
                        tokio::task::yield_now().await;
                    }
                    Said::Err(new) => self.push_err(new),
                    Said::Begun => {}
                    Said::Ended(status) => {
                        how = Some(How::Exit(status));
                        alarm = Some(Box::pin(tokio::time::sleep(LINGER)));
                    }
                    Said::Absent => return Err("no such program over there".to_owned()),
                    Said::Lost(why) => return Ok(How::Lost(why)),
                    Said::Closed => return Ok(how.unwrap_or(How::Stuck)),
                },
                () = stopped(stop, group), if how.is_none() && !self.ending.begun() => {
                    alarm = Some(self.ending.term(s, group).await);
                }
                () = ring(&mut alarm) => {
                    if let Some(how) = how {
                        return Ok(how);
                    }
                    match self.ending.kill(s, group).await {
                        Some(next) => alarm = Some(next),
                        None => return Ok(How::Stuck),
                    }
                }
            }
        }
    }

    fn push_err(&mut self, new: &[u8]) {
        self.err.extend_from_slice(new);
        if self.err.len() > 2 * MAX_COMPLAINT {
            self.err.drain(..self.err.len() - MAX_COMPLAINT);
        }
    }

    /// The end of standard error, without secrets and safe.
    fn complaint(&mut self, s: &Setting<'_>) -> Vec<String> {
        let err = std::mem::take(&mut self.err);
        let mut out = Vec::new();
        let mut redactor = Redactor::of(s.access);
        redactor.push(&err, &mut out);
        redactor.finish(&mut out);
        let mut lines = Lines::default();
        lines.push(&out);
        lines.finish()
    }
}

/// Waits for the word to stop; and then, a while, for a group to whom it can be passed on.
async fn stopped(stop: &Stop, group: Option<u32>) {
    stop.stopped().await;
    if group.is_none() {
        tokio::time::sleep(GRACE).await;
    }
}

async fn ring(alarm: &mut Option<Alarm>) {
    match alarm {
        Some(alarm) => alarm.await,
        None => std::future::pending().await,
    }
}

impl Ended {
    /// What a step says of it, when these statuses mean success.
    pub fn into_left(self, success: &[i32]) -> Left {
        let notes = self.notes();
        let with =
            |says: String| if notes.is_empty() { says } else { format!("{says}; {}", notes.join("; ")) };
        let last = last_word(&self.said).map(|l| format!(": {}", text::one_line(l, 200))).unwrap_or_default();
        let result = match &self.how {
            How::Lost(why) => Effected::TimedOut {
                why: with(format!(
                    "the way to its host was lost while it ran ({why}); it was told to end, and what it had done by then is not known"
                )),
            },
            _ if !self.ending.is_empty() => Effected::Killed { why: with(self.ending.join(", then ")) },
            How::Stuck => Effected::Killed { why: with("it does not end".to_owned()) },
            How::Exit(status) if success.contains(status) => Effected::Done { says: with(exit(*status)) },
            How::Exit(status) => Effected::Failed { why: with(format!("{}{last}", exit(*status))) },
        };
        Left { result, output: Some(self.kept.captured), spared: false }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.left.is_empty() {
            notes.push(format!("left running: {}", names(&self.left)));
        }
        if self.kept.captured.dropped > 0 && self.kept.trouble.is_none() {
            let dropped = crate::domain::units::bytes(self.kept.captured.dropped as f64);
            notes.push(format!("{dropped} of its output beyond the bound were not kept"));
        }
        notes.extend(self.kept.trouble.clone());
        notes
    }
}

/// The last line that says why: systemctl ends with where to look, and begins with what is wrong.
fn last_word(said: &[String]) -> Option<&String> {
    let points_elsewhere =
        |l: &&String| l.starts_with("See \"systemctl ") || l.starts_with("See system logs");
    said.iter().rev().find(|l| !points_elsewhere(l)).or(said.last())
}

fn exit(status: i32) -> String {
    match status {
        129..=192 => format!("ended by signal {}", status - 128),
        _ => format!("exit status {status}"),
    }
}
