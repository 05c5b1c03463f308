//! Undoing a step that wrote or removed a file: by the word that it left of what was there before,
//! and only as long as nobody else has changed the file since.

use super::was::{self, ABSENT, Stage, Was, alike, sum};
use super::{Paths, must, part_of, run, stat, state};
use crate::act::step::{Answer, Setting, Stop};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::File;

/// What a removal undoes; `None` for one that is no inverse of a step with the same file.
pub fn done_by_step<'s>(a: &File, s: &Setting<'s>) -> Option<&'s File> {
    match s.undoes {
        Some(Action::File(done)) if a.content.is_none() && done.path == a.path => Some(done),
        _ => None,
    }
}

/// What is there, seen with what the step left word of.
enum Seen {
    /// An earlier undoing was carried out.
    Undone,
    /// As it was before the step; `back` when an undoing was begun and has brought that about.
    AsBefore {
        back: bool,
    },
    /// What the step has made of it.
    Made,
    Unreadable,
    /// Neither: somebody else has changed it.
    Another,
}

fn see(was: &Was, now: &str, copy: &str) -> Seen {
    let begun = was.stage == Stage::Undoing;
    // Without the right to give files away, the owner does not come back with the text.
    let back = begun && copy == ABSENT && was.copy.is_some() && alike(now, &was.state);
    match () {
        () if was.stage == Stage::Undone => Seen::Undone,
        () if sum(now).is_none() => Seen::Unreadable,
        () if now == was.state || back => Seen::AsBefore { back: begun },
        () if was.made(now) => Seen::Made,
        () if alike(now, &was.state) => Seen::AsBefore { back: begun },
        // Taken away since; nothing is lost by putting back what was there.
        () if now == ABSENT && was.copy.is_some() => Seen::Made,
        () => Seen::Another,
    }
}

/// Undoes the step. Also gives whether everything was left as it was before the step.
///
/// # Errors
/// What was there cannot be put back, and is left as it is; completes "failed: …".
pub async fn undo(a: &File, s: &Setting<'_>, stop: &Stop) -> Result<(String, bool), String> {
    let Some(mut was) = Was::of_step(s)? else { return without_word(a, s).await };
    let (now, copy) = look(&was, s).await?;
    let path = was.path.clone();
    let (says, spared) = match see(&was, &now, &copy) {
        Seen::Undone => return Ok((format!("{path} was put back before; nothing to do"), false)),
        Seen::Unreadable => return Err(format!("left as it is: {path} cannot be read")),
        Seen::Another => {
            let kept = was.copy.filter(|_| copy != ABSENT);
            let kept = kept.map(|copy| format!("; what was there before the step is {copy}"));
            let kept = kept.unwrap_or_default();
            return Err(format!("left as it is: somebody else has changed {path} since the step{kept}"));
        }
        Seen::AsBefore { back } => {
            if let Some(name) = was.copy.as_ref().filter(|_| copy == was.state && now == was.state) {
                must(&["rm", "--", name], s, stop).await?;
            }
            let says = if back { "was put back before" } else { "is as it was before the step" };
            (format!("{path} {says}; nothing to do"), !back)
        }
        Seen::Made => (put_back(&mut was, &now, &copy, s, stop).await?, false),
    };
    let at = Paths::at(&path, s);
    // What a runner that died has left beside it may hold a secret.
    let part = was.copy.as_deref().map(part_of);
    let _ = run(&["rm", "-f", "--", &at.new, part.as_deref().unwrap_or(&at.new)], s).await;
    was.reach(Stage::Undone, s)?;
    Ok((says, spared))
}

/// The states of the file and of its copy.
async fn look(was: &Was, s: &Setting<'_>) -> Result<(String, String), String> {
    let (now, _) = state(&was.path, s).await?;
    let copy = match &was.copy {
        Some(copy) => state(copy, s).await?.0,
        None => ABSENT.to_owned(),
    };
    Ok((now, copy))
}

async fn put_back(
    was: &mut Was,
    now: &str,
    copy: &str,
    s: &Setting<'_>,
    stop: &Stop,
) -> Result<String, String> {
    let path = was.path.clone();
    let says = match was.copy.clone() {
        None if was.state != ABSENT => {
            let gone = if now == ABSENT { "is gone" } else { "is left as it is" };
            return Err(format!("{path} {gone}: the step was told to keep nothing of what was there"));
        }
        None => {
            was.reach(Stage::Undoing, s)?;
            must(&["rm", "--", &path], s, stop).await?;
            format!("removed {path}; there was none before the step")
        }
        Some(name) if copy == ABSENT => {
            return Err(format!("left as it is: what was there before the step, {name}, is gone"));
        }
        Some(name) if copy != was.state && !alike(copy, &was.state) => {
            return Err(format!("left as it is: {name} is not what was kept of {path} before the step"));
        }
        Some(name) => {
            was.reach(Stage::Undoing, s)?;
            must(&["mv", "-T", "--", &name, &path], s, stop).await?;
            format!("put back {path}")
        }
    };
    must(&["sync", "--", Paths::at(&path, s).dir()], s, stop).await?;
    Ok(says)
}

/// Nothing that this run has not written is taken away.
async fn without_word(a: &File, s: &Setting<'_>) -> Result<(String, bool), String> {
    let at = Paths::of(a, s).await?;
    let copy = at.copy(1);
    if stat(&copy, s).await?.is_some() && was::is_without_word(&copy, s)? {
        return Err(format!(
            "{} is left as it is: this run has kept {copy}, and left no word of which step did",
            at.path
        ));
    }
    Ok((format!("left as it is: this run did not write {}", at.path), true))
}

/// After a lost runner: whether the undoing was carried out.
///
/// # Errors
/// It is not known; says why.
pub async fn ask(s: &Setting<'_>) -> Result<Answer, String> {
    let Some(was) = Was::of_step(s)? else {
        return Ok(Answer::did_not("this run did not write it"));
    };
    let (now, copy) = look(&was, s).await?;
    let path = &was.path;
    Ok(match see(&was, &now, &copy) {
        Seen::Undone | Seen::AsBefore { back: true } => Answer::happened(format!("{path} was put back")),
        // Nothing is to be done; it is said, and looked at, by doing it.
        Seen::AsBefore { back: false } => Answer::did_not(format!("{path} is as it was before the step")),
        Seen::Made => Answer::did_not(format!("{path} was not put back yet")),
        Seen::Unreadable => Answer::unknown(format!("{path} cannot be read")),
        Seen::Another => Answer::unknown(format!("somebody else has changed {path} since the step")),
    })
}
