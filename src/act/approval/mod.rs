//! The second person for what cannot be undone: requests and approvals as files of the state
//! directory. Who wrote a file is whom the kernel says it belongs to, never what stands in it.
//!
//! Members of the operators' group can remove each other's files, and rename them. They can neither
//! make one that belongs to somebody else nor change one: files here are writable by nobody but
//! their owner, and one that is not so, or that has a second name, is not believed.

mod files;
mod spent;
#[cfg(test)]
mod tests;

pub(super) use spent::{TO_BEGIN, spend, to_go_on, vouches};

use super::rundir::StateDir;
use crate::domain::id;
use crate::domain::procedure::event::{Person, Second};
use crate::domain::procedure::ledger::Waiting;
use crate::domain::procedure::level::Level;
use crate::domain::procedure::plan::{Plan, PlanHash, Step};
use crate::domain::procedure::proposal::Proposal;
use crate::domain::text::one_line;
use files::{Word, read, request_path, valid, word_path, write};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs;
use std::time::Duration;

/// How long a request waits, and how long an approval is good for.
pub const VALID: Duration = Duration::from_secs(5 * 60);
/// How long a lone engineer waits before going on without a second person.
pub const COUNTDOWN: Duration = Duration::from_secs(60);
/// The longest reason, in characters.
pub const MAX_REASON: usize = 500;
/// Requests that are read, at most.
const MAX_REQUESTS: usize = 100;
/// What was asked of a second person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub id: String,
    /// In full: who approves sees what will be done.
    pub plan: Plan,
    pub hash: PlanHash,
    /// As it was shown to who asked.
    pub blast: Vec<String>,
    pub reason: String,
    pub by: Person,
    pub since: Timestamp,
}

/// That a plan need not wait for a second person any more: one approved it, or the glass was
/// broken. Only this module makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seconded {
    second: Second,
    hash: PlanHash,
    request: Option<String>,
}

impl Seconded {
    pub fn second(&self) -> &Second {
        &self.second
    }

    pub fn hash(&self) -> &PlanHash {
        &self.hash
    }

    /// The request that was approved.
    pub fn request(&self) -> Option<&str> {
        self.request.as_deref()
    }
}

/// Puts a plan up for a second person; gives the request's id.
/// [`super::rundir::WriteState::prepare`] must have been called.
///
/// # Errors
/// The plan may not run anyway, there is no reason, or the file cannot be written.
pub fn request(
    state: &StateDir,
    proposal: &Proposal,
    reason: &str,
    by: &Person,
    at: Timestamp,
) -> Result<String, String> {
    if let Some(refusal) = proposal.refusals.first() {
        return Err(format!("ask for a second person: {}", refusal.says()));
    }
    let reason = one_line(reason.trim(), MAX_REASON);
    if reason.is_empty() {
        return Err("ask for a second person: a reason is needed".to_owned());
    }
    let id = format!("{}-{}", at.strftime("%Y%m%d-%H%M%S-%3f"), proposal.hash.short());
    let asked = Asked {
        id: id.clone(),
        plan: proposal.plan.clone(),
        hash: PlanHash::of(&proposal.plan),
        blast: proposal.blast.iter().map(|b| one_line(&b.says, MAX_REASON)).collect(),
        reason,
        by: by.clone(),
        since: at,
    };
    write(state, &request_path(state, &id), &asked).map_err(|e| format!("ask for a second person: {e}"))?;
    Ok(id)
}

/// Takes a request back, and what was said to it.
///
/// # Errors
/// It is there and cannot be removed.
pub fn withdraw(state: &StateDir, id: &str) -> Result<(), String> {
    let id = valid(id)?;
    for path in [request_path(state, id), word_path(state, id)] {
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(format!("withdraw {}: {e}", path.display())),
        }
    }
    Ok(())
}

/// Every request that waits or was approved, oldest first; what is over or is not sound is left
/// out.
pub fn waiting(state: &StateDir, now: Timestamp) -> Vec<Waiting> {
    let Ok(entries) = fs::read_dir(state.approvals()) else { return Vec::new() };
    let mut ids: Vec<String> = entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.strip_suffix(".request").map(str::to_owned))
        .filter(|id| id::is_valid(id))
        .collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.truncate(MAX_REQUESTS);
    ids.iter()
        .rev()
        .filter_map(|id| look(state, id, now).ok())
        .map(|asked| in_list(state, &asked, now))
        .collect()
}

fn in_list(state: &StateDir, asked: &Asked, now: Timestamp) -> Waiting {
    let approved = word_on(state, asked, now).ok().map(|word| word.by.login);
    Waiting {
        id: asked.id.clone(),
        procedure: asked.plan.procedure.clone(),
        name: asked.plan.name.clone(),
        level: asked.plan.level,
        place: asked.plan.place(),
        hash: asked.hash.clone(),
        by: asked.by.login.clone(),
        uid: asked.by.uid,
        blast: asked.blast.clone(),
        steps: asked.plan.steps.iter().map(in_a_line).collect(),
        reason: asked.reason.clone(),
        since: asked.since,
        until: after(asked.since, VALID),
        approved,
    }
}

fn in_a_line(step: &Step) -> String {
    one_line(&format!("{} on {}: {}", step.name, step.host, step.preview.join(" | ")), MAX_REASON)
}

/// One request, in full.
///
/// # Errors
/// There is none, it is over, or it is not sound: not its owner's word, or its plan has another
/// hash.
pub fn look(state: &StateDir, id: &str, now: Timestamp) -> Result<Asked, String> {
    let id = valid(id)?;
    let (asked, owner): (Asked, u32) =
        read(&request_path(state, id)).map_err(|e| format!("read the request {id}: {e}"))?;
    let wrong = if owner != asked.by.uid {
        Some("it does not belong to who it says has asked")
    } else if asked.id != id {
        Some("it is another request's")
    } else if PlanHash::of(&asked.plan) != asked.hash {
        Some("its plan is not the one that it names")
    } else if !within(asked.since, now) {
        Some("its five minutes are over")
    } else {
        None
    };
    match wrong {
        Some(wrong) => Err(format!("read the request {id}: {wrong}")),
        None => Ok(asked),
    }
}

/// Approves a request, by the hash that was shown.
///
/// # Errors
/// It is over or not sound, the hash is another one, `by` is who asked, or the word cannot be
/// written.
pub fn approve(
    state: &StateDir,
    id: &str,
    shown: &PlanHash,
    by: &Person,
    at: Timestamp,
) -> Result<(), String> {
    let asked = look(state, id, at)?;
    if asked.hash != *shown {
        return Err(format!(
            "approve {id}: it is for plan {}, and {} was shown",
            asked.hash.short(),
            shown.short()
        ));
    }
    another(&asked.by, by).map_err(|why| format!("approve {id}: {why}"))?;
    let word = Word { request: asked.id.clone(), hash: asked.hash, by: by.clone(), at };
    write(state, &word_path(state, &asked.id), &word).map_err(|e| format!("approve {id}: {e}"))
}

/// That a plan was approved by a second person, for who asked.
///
/// # Errors
/// Nobody approved it, or not in time; the error says how it stands.
pub fn seconded(state: &StateDir, hash: &PlanHash, by: &Person, now: Timestamp) -> Result<Seconded, String> {
    let mut why = format!("wait for a second person: nobody was asked about plan {}", hash.short());
    for listed in waiting(state, now).into_iter().rev().filter(|w| w.hash == *hash && w.uid == by.uid) {
        let asked = look(state, &listed.id, now)?;
        match word_on(state, &asked, now) {
            Ok(word) => {
                return Ok(Seconded {
                    second: Second::Approved(word.by),
                    hash: hash.clone(),
                    request: Some(asked.id),
                });
            }
            Err(e) => why = format!("wait for a second person: {e}"),
        }
    }
    Err(why)
}

/// Goes on without a second person: who is alone, has waited and says why. It is recorded loudly.
///
/// # Errors
/// [`COUNTDOWN`] was not waited out, or there is no reason.
pub fn break_glass(hash: &PlanHash, waited: Duration, reason: &str) -> Result<Seconded, String> {
    if waited < COUNTDOWN {
        return Err(format!(
            "go on without a second person: {} s of {} s were waited",
            waited.as_secs(),
            COUNTDOWN.as_secs()
        ));
    }
    if reason.trim().is_empty() {
        return Err("go on without a second person: a reason is needed".to_owned());
    }
    let second = Second::BreakGlass { waited_s: waited.as_secs() };
    Ok(Seconded { second, hash: hash.clone(), request: None })
}

/// The sound word of another person to a request.
fn word_on(state: &StateDir, asked: &Asked, now: Timestamp) -> Result<Word, String> {
    let path = word_path(state, &asked.id);
    if !path.exists() {
        return Err(format!("nobody has approved {} yet", asked.id));
    }
    let (word, owner): (Word, u32) = read(&path)?;
    if owner != word.by.uid {
        return Err("the approval does not belong to who it says has approved".to_owned());
    }
    another(&asked.by, &word.by)?;
    if word.request != asked.id || word.hash != asked.hash {
        return Err("the approval is of something else".to_owned());
    }
    if word.at < asked.since || !within(word.at, now) {
        return Err("the approval's five minutes are over".to_owned());
    }
    Ok(word)
}

/// Two people: not one under two uids either, as far as the login's name tells.
fn another(asked: &Person, approves: &Person) -> Result<(), String> {
    if asked.uid == approves.uid {
        return Err("nobody approves their own plan".to_owned());
    }
    if asked.login == approves.login {
        return Err(format!("{} asked, and is the same person under another uid", asked.login));
    }
    Ok(())
}

/// Whether `now` is in the five minutes from `then`; a clock that went back is not.
fn within(then: Timestamp, now: Timestamp) -> bool {
    Duration::try_from(now.duration_since(then)).is_ok_and(|age| age <= VALID)
}

fn after(then: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::ZERO);
    then.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Whether a plan of this level waits for a second person.
pub fn is_needed(level: Level) -> bool {
    level >= Level::L4
}
