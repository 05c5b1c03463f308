//! Replaces or removes a file as a whole: written beside it, on disk, then renamed; what was there
//! is kept, and can be put back exactly.

mod undo;
mod was;

use super::{Answer, Left, Setting, Stop, Target, program};
use crate::act::output::hex;
use crate::act::place;
use crate::act::process;
use crate::domain::procedure::action::kinds::File;
use crate::domain::text;
use crate::transport::{Command, Output};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use was::{ABSENT, Was};

/// Read of what there is, to compare; a file of configuration is far smaller.
const MAX_FILE: usize = 16 << 20;
/// Kept of what a tool says.
const MAX_SAID: usize = 64 << 10;

/// The paths of a step.
struct Paths {
    /// Where a symbolic link leads, if it is one: the link itself stays.
    path: String,
    new: String,
    own: String,
}

impl Paths {
    async fn of(a: &File, s: &Setting<'_>) -> Result<Paths, String> {
        let path = place::plain(&a.path, s)?;
        if !path.starts_with('/') {
            return Err(format!("{path} is no absolute path"));
        }
        let writes = a.content.is_some() || undo::done_by_step(a, s).is_some_and(|d| d.content.is_some());
        if !writes {
            return Ok(Paths::at(&path, s));
        }
        let real = run(&["readlink", "-f", "--", &path], s).await?;
        let real = String::from_utf8_lossy(&real.stdout).trim_end_matches('\n').to_owned();
        if real.is_empty() {
            return Err(format!("the directory of {path} is not there"));
        }
        Ok(Paths::at(&real, s))
    }

    fn at(path: &str, s: &Setting<'_>) -> Paths {
        let own = format!("{path}.quarterdeck-{}", s.run);
        Paths { new: format!("{own}.new"), own, path: path.to_owned() }
    }

    /// Where the `n`th copy of it is kept.
    fn copy(&self, n: u32) -> String {
        if n == 1 { self.own.clone() } else { format!("{}-{n}", self.own) }
    }

    fn dir(&self) -> &str {
        self.path.rsplit_once('/').map_or("/", |(dir, _)| if dir.is_empty() { "/" } else { dir })
    }
}

async fn run(argv: &[&str], s: &Setting<'_>) -> Result<Output, String> {
    let mut command = Command::new(argv.iter().copied()).sudo(s.sudo);
    command.max_stdout = MAX_SAID;
    s.transport.run(&command).await.map_err(|e| text::reason(&e.to_string()))
}

/// Runs a tool that must succeed. What it is at is known to be the step's when its runner is lost.
async fn must(argv: &[&str], s: &Setting<'_>, stop: &Stop) -> Result<(), String> {
    process::quietly(argv, None, s, stop).await
}

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    /// Octal digits.
    mode: String,
    owner: String,
    kind: String,
    size: String,
}

async fn stat(path: &str, s: &Setting<'_>) -> Result<Option<Found>, String> {
    let output = run(&["stat", "-c", "%a %U:%G %s %F", "--", path], s).await?;
    if output.status != 0 {
        let why = program::last_line(&output).unwrap_or_default();
        let absent = why.contains("No such file or directory");
        return if absent { Ok(None) } else { Err(format!("cannot look at {path}: {why}")) };
    }
    let line = String::from_utf8_lossy(&output.stdout);
    let mut words = line.trim_end().splitn(4, ' ').map(str::to_owned);
    let mut next = || words.next().unwrap_or_default();
    Ok(Some(Found { mode: next(), owner: next(), size: next(), kind: next() }))
}

impl Found {
    fn is_file(&self) -> bool {
        self.kind.starts_with("regular")
    }
}

/// One line that changes when the file does; its sum is missing when it cannot be read.
async fn state(path: &str, s: &Setting<'_>) -> Result<(String, Option<Found>), String> {
    let Some(found) = stat(path, s).await? else { return Ok((ABSENT.to_owned(), None)) };
    let mut sum = String::new();
    if found.is_file() {
        let said = run(&["sha256sum", "--", path], s).await?;
        let said = String::from_utf8_lossy(&said.stdout);
        said.trim_start_matches('\\').split(' ').next().unwrap_or("").clone_into(&mut sum);
    }
    let state = format!("mode={} owner={} size={} sha256={sum}", found.mode, found.owner, found.size);
    Ok((state, Some(found)))
}

/// The same, of what must be a file if it is there at all.
async fn state_of_file(path: &str, s: &Setting<'_>) -> Result<(String, Option<Found>), String> {
    let (state, found) = state(path, s).await?;
    match &found {
        Some(other) if !other.is_file() => Err(format!("{path} is a {}, no file", other.kind)),
        _ => Ok((state, found)),
    }
}

pub async fn target(a: &File, s: &Setting<'_>) -> Target {
    let paths = match Paths::of(a, s).await {
        Ok(paths) => paths,
        Err(why) => return Target::unpinned().but_impossible(why),
    };
    let (state, found) = match state(&paths.path, s).await {
        Ok(found) => found,
        Err(why) => return Target::unknown(why),
    };
    let mut target = Target::probed(format!("file {} on {}", paths.path, s.host), state);
    match &found {
        Some(found) if !found.is_file() => {
            return target.but_impossible(format!("{} is a {}, no file", paths.path, found.kind));
        }
        None if a.content.is_none() => target.warnings.push(format!("{} is not there", paths.path)),
        _ => {}
    }
    let writable = run(&["test", "-w", paths.dir()], s).await;
    if writable.is_ok_and(|o| o.status != 0) {
        let why = format!("{} cannot be written to on {}", paths.dir(), s.host);
        return target.but_impossible(why);
    }
    target
}

pub async fn perform(a: &File, s: &Setting<'_>, stop: &Stop) -> Left {
    let work = async {
        process::no_other_runs(s).await?;
        if undo::done_by_step(a, s).is_some() {
            return undo::undo(a, s, stop).await;
        }
        let paths = Paths::of(a, s).await?;
        let says = match &a.content {
            Some(content) => write(a, content, &paths, s, stop).await,
            None => remove(a, &paths, s, stop).await,
        };
        says.map(|says| (says, false))
    };
    // What is renamed is whole, whenever this ends.
    tokio::select! {
        done = work => match done {
            Ok((says, spared)) => Left::done(says).sparing(spared),
            Err(why) => Left::failed(why),
        },
        () = stop.stopped() => Left::killed("it was told to stop; the file is either the old or the new one"),
    }
}

async fn write(a: &File, content: &str, at: &Paths, s: &Setting<'_>, stop: &Stop) -> Result<String, String> {
    let content = place::full(content, s).await?;
    let (now, found) = state_of_file(&at.path, s).await?;
    let was = Was::leave(a.backup, at, &now, &sum_of(&content), s).await?;
    let written = async {
        keep(&was, &now, s, stop).await?;
        // Ours alone until it is whole: what it holds may be a secret.
        must(&["install", "-m", "600", "-T", "--", "/dev/null", &at.new], s, stop).await?;
        let of = format!("of={}", at.new);
        let dd = ["dd", &of, "conv=fsync,notrunc", "status=none"];
        process::quietly(&dd, Some(content.clone()), s, stop).await?;
        let owner = a.owner.as_deref().or(found.as_ref().map(|f| f.owner.as_str()));
        if let Some(owner) = owner {
            must(&["chown", "--", owner, &at.new], s, stop).await?;
        }
        let mode = a.mode.as_deref().or(found.as_ref().map(|f| f.mode.as_str())).unwrap_or("0644");
        must(&["chmod", "--", mode, &at.new], s, stop).await?;
        if state(&at.path, s).await?.0 != now {
            return Err("somebody else has just changed it".to_owned());
        }
        must(&["mv", "-T", "--", &at.new, &at.path], s, stop).await
    };
    if let Err(why) = written.await {
        let _ = run(&["rm", "-f", "--", &at.new], s).await;
        return Err(format!("{} is as it was: {why}", at.path));
    }
    // The name is on disk as well.
    must(&["sync", "--", at.dir()], s, stop).await?;
    let kept = was.copy.map(|copy| format!("; what was there is {copy}")).unwrap_or_default();
    Ok(format!("wrote {}, {} bytes{kept}", at.path, content.expose_secret().len()))
}

/// Keeps what there is beside it. What an earlier attempt has kept is the original, and stays.
async fn keep(was: &Was, now: &str, s: &Setting<'_>, stop: &Stop) -> Result<(), String> {
    let Some(copy) = &was.copy else { return Ok(()) };
    if now != was.state || stat(copy, s).await?.is_some() {
        return Ok(());
    }
    // Beside it and renamed, so that a copy that was cut short is never taken for the original.
    let part = part_of(copy);
    must(&["cp", "--preserve=all", "-T", "--", &was.path, &part], s, stop).await?;
    must(&["sync", "--", &part], s, stop).await?;
    if !was::alike(&state(&part, s).await?.0, now) {
        let _ = run(&["rm", "-f", "--", &part], s).await;
        return Err("somebody else has changed it while it was being kept".to_owned());
    }
    must(&["mv", "-T", "--", &part, copy], s, stop).await?;
    must(&["sync", "--", Paths::at(&was.path, s).dir()], s, stop).await
}

/// A copy that is not whole yet.
fn part_of(copy: &str) -> String {
    format!("{copy}.copy")
}

async fn remove(a: &File, at: &Paths, s: &Setting<'_>, stop: &Stop) -> Result<String, String> {
    let (now, found) = state_of_file(&at.path, s).await?;
    // What undoes another step than one with this file does not know what was there before it.
    let keeps = a.backup || s.undoes.is_some();
    let kept = at.copy(1);
    let earlier = Was::of_this(s)?;
    let says = if !keeps && let (copy, Some(_)) = state(&kept, s).await? {
        // What another step of this run has kept is what was there before it.
        Was::leave(false, at, &now, was::sum(&copy).unwrap_or(ABSENT), s).await?;
        must(&["mv", "-T", "--", &kept, &at.path], s, stop).await?;
        format!("put back {}", at.path)
    } else if earlier.as_ref().is_some_and(|was| !keeps && !was.made(ABSENT)) {
        format!("{} was put back before; nothing to do", at.path)
    } else if found.is_none() {
        match earlier.and_then(|was| was.copy) {
            Some(copy) => format!("{} was removed before; it is {copy}", at.path),
            None => format!("{} was not there", at.path),
        }
    } else {
        let was = Was::leave(keeps, at, &now, ABSENT, s).await?;
        if let Some(copy) = &was.copy {
            must(&["mv", "-T", "--", &at.path, copy], s, stop).await?;
            format!("removed {}; it is {copy}", at.path)
        } else {
            must(&["rm", "--", &at.path], s, stop).await?;
            format!("removed {}", at.path)
        }
    };
    must(&["sync", "--", at.dir()], s, stop).await?;
    Ok(says)
}

pub async fn ask(a: &File, before: &str, s: &Setting<'_>) -> Answer {
    match judge(a, before, s).await {
        Ok(answer) => answer,
        Err(why) => Answer::unknown(why),
    }
}

async fn judge(a: &File, before: &str, s: &Setting<'_>) -> Result<Answer, String> {
    if undo::done_by_step(a, s).is_some() {
        return undo::ask(s).await;
    }
    let at = Paths::of(a, s).await?;
    let (now, found) = state(&at.path, s).await?;
    let Some(content) = &a.content else {
        let keeps = a.backup || s.undoes.is_some();
        let kept = stat(&at.copy(1), s).await?.is_some();
        return Ok(match (keeps, found.is_some(), kept) {
            (false, _, true) => Answer::did_not(format!("{} was not put back yet", at.path)),
            (_, false, _) => Answer::happened(format!("{} is not there", at.path)),
            (_, true, _) if now == before => Answer::did_not(format!("{} is as it was", at.path)),
            (false, true, false) => Answer::happened(format!("{} was put back", at.path)),
            (true, true, _) => Answer::unknown(format!("{} is another one than before", at.path)),
        });
    };
    let content = place::full(content, s).await?;
    if same(&now, found.as_ref(), a, &content) {
        return Ok(Answer::happened(format!("{} holds what was to be written", at.path)));
    }
    if now == before {
        return Ok(Answer::did_not(format!("{} is as it was", at.path)));
    }
    Ok(Answer::unknown(format!("{} is neither as it was nor as it was to be", at.path)))
}

fn sum_of(content: &SecretString) -> String {
    hex(&Sha256::digest(content.expose_secret().as_bytes()))
}

/// Whether a state is the one that the step makes.
fn same(now: &str, found: Option<&Found>, a: &File, content: &SecretString) -> bool {
    if content.expose_secret().len() > MAX_FILE {
        return false;
    }
    let sum = sum_of(content);
    let octal = |mode: &str| u32::from_str_radix(mode, 8).ok();
    let mode = |f: &Found| a.mode.as_deref().is_none_or(|mode| octal(mode) == octal(&f.mode));
    let owner = |f: &Found| a.owner.as_deref().is_none_or(|owner| owner == f.owner);
    now.ends_with(&format!("sha256={sum}")) && found.is_some_and(|f| mode(f) && owner(f))
}
