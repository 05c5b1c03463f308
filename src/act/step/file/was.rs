//! The word that a step leaves of the file that is there before it touches it, so that undoing the
//! step gives back exactly that, and takes away nothing that the step did not make.

use super::{Paths, stat};
use crate::act::step::Setting;
use crate::act::step::mark::Mark;
use serde::{Deserialize, Serialize};

/// The state of a file that is not there.
pub const ABSENT: &str = "absent";
/// Copies of one file that one run keeps at most.
const MAX_COPIES: u32 = 99;
/// Texts that the attempts at one step may have written; of more, the latest.
const MAX_MADE: usize = 16;

/// What there was, and what is made of it. On disk before anything of that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Was {
    /// The file itself: where a symbolic link led when it was written through.
    pub path: String,
    /// Its state, as one line, or [`ABSENT`].
    pub state: String,
    /// Where that is kept; `None` when there was nothing, or it is not kept.
    pub copy: Option<String>,
    /// The sums of what the step has put there, or was about to, and [`ABSENT`] for nothing.
    made: Vec<String>,
    pub stage: Stage,
}

/// How far the step and its undoing have come, at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    Doing,
    Undoing,
    Undone,
}

/// What of a state says what the file holds; `None` when it could not be read.
pub fn sum(state: &str) -> Option<&str> {
    match state.split_once("sha256=") {
        Some((_, sum)) => Some(sum).filter(|sum| !sum.is_empty()),
        None => Some(ABSENT).filter(|absent| state == *absent),
    }
}

/// Whether two states are known to hold the same.
pub fn alike(a: &str, b: &str) -> bool {
    sum(a).is_some_and(|sum_of_a| sum(b) == Some(sum_of_a))
}

impl Was {
    fn mark(s: &Setting<'_>) -> Mark {
        // What undoes a step in its own way must not be taken for the step itself.
        Mark::of_step(s, if s.undoes.is_some() { "file-undo" } else { "file-was" })
    }

    /// What this step left word of, at any of its attempts.
    ///
    /// # Errors
    /// It cannot be read; completes "failed: …".
    pub fn of_step(s: &Setting<'_>) -> Result<Option<Was>, String> {
        Mark::of_step(s, "file-was").noted()
    }

    /// As [`Was::of_step`], of an undoing that is a deed of its own.
    ///
    /// # Errors
    /// It cannot be read; completes "failed: …".
    pub fn of_this(s: &Setting<'_>) -> Result<Option<Was>, String> {
        Was::mark(s).noted()
    }

    /// Leaves word of what is `now` there, about to hold what has this sum. Word of an earlier
    /// attempt stands as long as nobody else has changed the file since: the original is what was
    /// there before the first.
    ///
    /// # Errors
    /// It cannot be left, and nothing may be touched; completes "failed: …".
    pub async fn leave(
        keep: bool,
        at: &Paths,
        now: &str,
        made: &str,
        s: &Setting<'_>,
    ) -> Result<Was, String> {
        let removes = made == ABSENT;
        let earlier = Was::of_this(s)?.filter(|was| was.stands(at, now) && was.made(ABSENT) == removes);
        let mut was = if let Some(was) = earlier {
            was
        } else {
            let copy = if keep && now != ABSENT { Some(free_copy(at, s).await?) } else { None };
            let (path, state) = (at.path.clone(), now.to_owned());
            Was { path, state, copy, made: Vec::new(), stage: Stage::Doing }
        };
        was.stage = Stage::Doing;
        was.made.retain(|sum| sum != made);
        was.made.push(made.to_owned());
        let over = was.made.len().saturating_sub(MAX_MADE);
        was.made.drain(..over);
        Was::mark(s).note(&was)?;
        Ok(was)
    }

    /// Whether it tells what was there before the step although the step is begun anew.
    fn stands(&self, at: &Paths, now: &str) -> bool {
        self.stage != Stage::Undone && self.path == at.path && (self.state == now || self.made(now))
    }

    /// Whether the step has put there what is there.
    pub fn made(&self, now: &str) -> bool {
        sum(now).is_some_and(|sum| self.made.iter().any(|made| made == sum))
    }

    /// Leaves word of how far its undoing has come.
    ///
    /// # Errors
    /// It cannot be left; completes "failed: …".
    pub fn reach(&mut self, stage: Stage, s: &Setting<'_>) -> Result<(), String> {
        self.stage = stage;
        Mark::of_step(s, "file-was").note(self)
    }
}

/// The word that a copy of that name was made by a step of this run, and is told of in its word.
fn claim(copy: &str, s: &Setting<'_>) -> Mark {
    Mark::of(s, &format!("{}:{copy}", s.host), "copy")
}

/// Whether a copy is one that a runner has left which left no word of it.
///
/// # Errors
/// It is not known; completes "failed: …".
pub fn is_without_word(copy: &str, s: &Setting<'_>) -> Result<bool, String> {
    Ok(claim(copy, s).read()?.is_none())
}

/// A name under which nothing is kept: several steps of a run may change one file.
async fn free_copy(at: &Paths, s: &Setting<'_>) -> Result<String, String> {
    for n in 1..=MAX_COPIES {
        let copy = at.copy(n);
        let claim = claim(&copy, s);
        if claim.read()?.is_none() && stat(&copy, s).await?.is_none() {
            claim.leave(s.step.as_str())?;
            return Ok(copy);
        }
    }
    Err(format!("this run has kept {MAX_COPIES} copies of {}", at.path))
}
