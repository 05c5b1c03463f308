//! Replaces or removes a file as a whole: written beside it, on disk, then renamed; what was there
//! is kept, and can be put back exactly.

use super::{Answer, Left, Setting, Stop, Target, program};
use crate::act::output::hex;
use crate::act::place;
use crate::act::process;
use crate::domain::procedure::action::kinds::File;
use crate::domain::text;
use crate::transport::{Command, Output};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Read of what there is, to compare; a file of configuration is far smaller.
const MAX_FILE: usize = 16 << 20;
/// Kept of what a tool says.
const MAX_SAID: usize = 64 << 10;

/// The paths of a step.
struct Paths {
    /// Where a symbolic link leads, if it is one: the link itself stays.
    path: String,
    new: String,
    backup: String,
}

impl Paths {
    async fn of(a: &File, s: &Setting<'_>) -> Result<Paths, String> {
        let path = place::plain(&a.path, s)?;
        if !path.starts_with('/') {
            return Err(format!("{path} is no absolute path"));
        }
        let path = if a.content.is_some() {
            let real = run(&["readlink", "-f", "--", &path], s).await?;
            let real = String::from_utf8_lossy(&real.stdout).trim_end_matches('\n').to_owned();
            if real.is_empty() {
                return Err(format!("the directory of {path} is not there"));
            }
            real
        } else {
            path
        };
        let own = format!("{path}.quarterdeck-{}", s.run);
        Ok(Paths { new: format!("{own}.new"), backup: own, path })
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

/// Runs a tool that must succeed.
async fn must(argv: &[&str], s: &Setting<'_>) -> Result<(), String> {
    let output = run(argv, s).await?;
    if output.status == 0 {
        return Ok(());
    }
    Err(program::last_line(&output).unwrap_or_else(|| format!("{} failed", argv.first().unwrap_or(&""))))
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

/// One line that changes when the file does.
async fn state(path: &str, s: &Setting<'_>) -> Result<(String, Option<Found>), String> {
    let Some(found) = stat(path, s).await? else { return Ok(("absent".to_owned(), None)) };
    let sum = run(&["sha256sum", "--", path], s).await?;
    let sum = String::from_utf8_lossy(&sum.stdout);
    let sum = sum.trim_start_matches('\\').split(' ').next().unwrap_or("").to_owned();
    let state = format!("mode={} owner={} size={} sha256={sum}", found.mode, found.owner, found.size);
    Ok((state, Some(found)))
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
        Some(found) if !found.kind.starts_with("regular") => {
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
        let paths = Paths::of(a, s).await?;
        match &a.content {
            Some(content) => write(a, content, &paths, s, stop).await,
            None => remove(a, &paths, s).await,
        }
    };
    // What is renamed is whole, whenever this ends.
    tokio::select! {
        done = work => done.map_or_else(Left::failed, Left::done),
        () = stop.stopped() => Left::killed("it was told to stop; the file is either the old or the new one"),
    }
}

async fn write(a: &File, content: &str, at: &Paths, s: &Setting<'_>, stop: &Stop) -> Result<String, String> {
    let content = place::full(content, s).await?;
    let found = stat(&at.path, s).await?;
    if let Some(found) = found.as_ref().filter(|f| !f.kind.starts_with("regular")) {
        return Err(format!("{} is a {}, no file", at.path, found.kind));
    }
    let kept = match &found {
        Some(_) if a.backup => keep(at, s).await?,
        _ => String::new(),
    };
    // Ours alone until it is whole: what it holds may be a secret.
    must(&["install", "-m", "600", "-T", "--", "/dev/null", &at.new], s).await?;
    let written = async {
        let of = format!("of={}", at.new);
        let dd = ["dd", &of, "conv=fsync,notrunc", "status=none"];
        process::quietly(&dd, Some(content.clone()), s, stop).await?;
        let owner = a.owner.as_deref().or(found.as_ref().map(|f| f.owner.as_str()));
        if let Some(owner) = owner {
            must(&["chown", "--", owner, &at.new], s).await?;
        }
        let mode = a.mode.as_deref().or(found.as_ref().map(|f| f.mode.as_str())).unwrap_or("0644");
        must(&["chmod", "--", mode, &at.new], s).await?;
        must(&["mv", "-T", "--", &at.new, &at.path], s).await
    };
    if let Err(why) = written.await {
        let _ = run(&["rm", "-f", "--", &at.new], s).await;
        return Err(format!("{} is as it was: {why}", at.path));
    }
    // The name is on disk as well.
    must(&["sync", "--", at.dir()], s).await?;
    Ok(format!("wrote {}, {} bytes{kept}", at.path, content.expose_secret().len()))
}

/// Keeps what there is beside it. What an earlier attempt has kept is the original, and stays.
async fn keep(at: &Paths, s: &Setting<'_>) -> Result<String, String> {
    if stat(&at.backup, s).await?.is_none() {
        // Beside it and renamed, so that a copy that was cut short is never taken for the original.
        let copy = format!("{}.copy", at.backup);
        must(&["cp", "--preserve=all", "-T", "--", &at.path, &copy], s).await?;
        must(&["sync", "--", &copy], s).await?;
        must(&["mv", "-T", "--", &copy, &at.backup], s).await?;
    }
    Ok(format!("; what was there is {}", at.backup))
}

async fn remove(a: &File, at: &Paths, s: &Setting<'_>) -> Result<String, String> {
    let there = stat(&at.path, s).await?.is_some();
    let kept = stat(&at.backup, s).await?.is_some();
    let says = match (a.backup, there, kept) {
        (true, false, true) => format!("{} was removed before; it is {}", at.path, at.backup),
        (true, true, false) => {
            must(&["mv", "-T", "--", &at.path, &at.backup], s).await?;
            format!("removed {}; it is {}", at.path, at.backup)
        }
        // What this run has kept is what there was before it.
        (false, _, true) => {
            must(&["mv", "-T", "--", &at.backup, &at.path], s).await?;
            format!("put back {}", at.path)
        }
        (_, true, _) => {
            must(&["rm", "--", &at.path], s).await?;
            format!("removed {}", at.path)
        }
        (_, false, false) => return Ok(format!("{} was not there", at.path)),
    };
    must(&["sync", "--", at.dir()], s).await?;
    Ok(says)
}

pub async fn ask(a: &File, before: &str, s: &Setting<'_>) -> Answer {
    match judge(a, before, s).await {
        Ok(answer) => answer,
        Err(why) => Answer::unknown(why),
    }
}

async fn judge(a: &File, before: &str, s: &Setting<'_>) -> Result<Answer, String> {
    let at = Paths::of(a, s).await?;
    let (now, found) = state(&at.path, s).await?;
    let Some(content) = &a.content else {
        let kept = stat(&at.backup, s).await?.is_some();
        return Ok(match (a.backup, found.is_some(), kept) {
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

/// Whether a state is the one that the step makes.
fn same(now: &str, found: Option<&Found>, a: &File, content: &SecretString) -> bool {
    let text = content.expose_secret().as_bytes();
    if text.len() > MAX_FILE {
        return false;
    }
    let sum = hex(&Sha256::digest(text));
    let octal = |mode: &str| u32::from_str_radix(mode, 8).ok();
    let mode = |f: &Found| a.mode.as_deref().is_none_or(|mode| octal(mode) == octal(&f.mode));
    let owner = |f: &Found| a.owner.as_deref().is_none_or(|owner| owner == f.owner);
    now.ends_with(&format!("sha256={sum}")) && found.is_some_and(|f| mode(f) && owner(f))
}
