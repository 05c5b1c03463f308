//! Who may have a plan carried out: the one place that makes an approved plan.

use super::approval::{self, Seconded};
use super::rundir::{RunDir, open};
use crate::clock::Now;
use crate::domain::procedure::event::{Confirmed, Mode, Person, Second};
use crate::domain::procedure::level::{self, Level};
use crate::domain::procedure::plan::{Plan, PlanHash};
use crate::domain::procedure::proposal::{self, Proposal};
use crate::domain::procedure::run::Run;
use crate::domain::text::one_line;
use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// For L3 and above, what a plan was made from must not be older than this when it is approved.
pub const PREFLIGHT: Duration = Duration::from_secs(30);

/// A plan that was approved. Only this can be given to a runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedPlan {
    plan: Plan,
    approval: Approval,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Approval {
    hash: PlanHash,
    by: Person,
    confirmed: Confirmed,
    at: Timestamp,
    /// The request that a second person approved; its approval is good for this run alone.
    #[serde(default)]
    request: Option<String>,
}

/// What the person in front of the prompt gave. Pasted text and key repeats are not in it: who
/// reads the keys leaves them out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    pub typed: String,
    pub reason: Option<String>,
    /// From [`approval::seconded`] or [`approval::break_glass`].
    pub second: Option<Seconded>,
}

impl ApprovedPlan {
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn hash(&self) -> &PlanHash {
        &self.approval.hash
    }

    pub fn by(&self) -> &Person {
        &self.approval.by
    }

    pub fn confirmed(&self) -> &Confirmed {
        &self.approval.confirmed
    }

    /// The text of `approval.json`.
    pub fn document(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(&self.approval).unwrap_or_default()
    }
}

/// Approves a plan that was made a moment ago (`fresh`), for a person who was shown `shown`.
///
/// # Errors
/// Every reason why not, one line each; they complete "refused: …".
pub fn approve(
    fresh: &Proposal,
    shown: &PlanHash,
    given: &Given,
    by: &Person,
    now: Now,
) -> Result<ApprovedPlan, Vec<String>> {
    let plan = &fresh.plan;
    let hash = PlanHash::of(plan);
    let mut wrong = Vec::new();
    if hash != *shown {
        wrong.push(format!("the plan that was shown is {}, and it is {} now", shown.short(), hash.short()));
    }
    wrong.extend(fresh.refusals.iter().map(|r| one_line(&r.says(), approval::MAX_REASON)));
    let least = level_of(plan);
    if plan.level < least {
        wrong.push(format!("the plan says {} and does what is {least}", plan.level));
    }
    // Made anew from the plan, so that nothing that was shown can ask for less.
    let prompt = proposal::prompt(plan, &fresh.blast);
    let typed = given.typed.trim();
    if let Some(expected) = prompt.type_this.as_ref().filter(|_| !prompt.takes(typed)) {
        wrong.push(format!("`{expected}` must be typed to confirm it"));
    }
    let reason = reason_of(given);
    if prompt.needs_reason && reason.is_none() {
        wrong.push(format!("a plan of {} needs a reason", plan.level));
    }
    let age = now.since(fresh.looked);
    if plan.level >= Level::L3 && age > PREFLIGHT {
        wrong.push(format!(
            "it was looked at {} s ago, and a plan of {} needs a look younger than {} s",
            age.as_secs(),
            plan.level,
            PREFLIGHT.as_secs()
        ));
    }
    let second = given.second.as_ref().filter(|_| approval::is_needed(plan.level));
    wrong.extend(second_is_wrong(plan, &hash, second, by));
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let confirmed = Confirmed {
        level: plan.level,
        typed: one_line(typed, approval::MAX_REASON),
        reason,
        second: second.map(|s| s.second().clone()),
    };
    let request = second.and_then(|s| s.request().map(str::to_owned));
    let approval = Approval { hash, by: by.clone(), confirmed, at: now.wall, request };
    Ok(ApprovedPlan { plan: plan.clone(), approval })
}

/// A word that a run may be taken up again. Only this has a runner do so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumption {
    mode: Mode,
    reason: Option<String>,
    second: Option<Seconded>,
}

impl Resumption {
    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    pub fn second(&self) -> Option<&Seconded> {
        self.second.as_ref()
    }
}

/// Lets a run be taken up again, or undone. What it did and meant to do was approved before; from L3
/// on whoever has it go on says again what they mean, and why; and while steps of L4 are to come, a
/// second person approves that.
///
/// # Errors
/// Every reason why not, one line each; they complete "refused: …".
pub fn resume(run: &Run, mode: Mode, given: &Given, by: &Person) -> Result<Resumption, Vec<String>> {
    let plan = &run.plan;
    let reason = reason_of(given);
    let mut wrong = Vec::new();
    let prompt = proposal::resume_prompt(run, mode);
    if plan.level >= Level::L3 {
        if let Some(expected) = prompt.type_this.as_ref().filter(|_| !prompt.takes(given.typed.trim())) {
            wrong.push(format!("`{expected}` must be typed to confirm it"));
        }
        if reason.is_none() {
            wrong.push(format!("a run of {} needs a reason to be taken up again", plan.level));
        }
    }
    let second = given.second.clone().filter(|_| prompt.needs_second);
    if prompt.needs_second {
        wrong.extend(second_is_wrong(plan, &run.hash, second.as_ref(), by));
    }
    if wrong.is_empty() { Ok(Resumption { mode, reason, second }) } else { Err(wrong) }
}

fn reason_of(given: &Given) -> Option<String> {
    let line = |reason: &String| one_line(reason.trim(), approval::MAX_REASON);
    given.reason.as_ref().map(line).filter(|reason| !reason.is_empty())
}

/// The level that a plan has at least, by what its steps do.
fn level_of(plan: &Plan) -> Level {
    level::of_plan(&plan.steps, None, level::is_production(&plan.environment)).level
}

fn second_is_wrong(plan: &Plan, hash: &PlanHash, second: Option<&Seconded>, by: &Person) -> Option<String> {
    if !approval::is_needed(plan.level) {
        return None;
    }
    match second {
        None => Some("a second person must approve it".to_owned()),
        Some(s) if s.hash() != hash => {
            Some(format!("what the second person approved is plan {}", s.hash().short()))
        }
        Some(s) => match s.second() {
            Second::Approved(person) if person.uid == by.uid => {
                Some("nobody approves their own plan".to_owned())
            }
            _ => None,
        },
    }
}

/// How long an approved plan may wait for its runner: whoever approves it starts that at once.
pub const BEGIN: Duration = Duration::from_secs(60);

/// Reads an approved plan back from a run's directory, for the runner's process. A run that has not
/// begun begins by who approved it, and at once: an approval lets one run begin, and what lies
/// about of it later lets none. The approval of a second person is used up by it.
///
/// # Errors
/// It is not there; or it is not believed: the plan is not the one that was approved, the files do
/// not belong to who approved it, or what its level needs is missing; or it is another's, or old.
/// Completes "failed to …".
pub fn readmit(dir: &RunDir, me: &Person, now: Timestamp) -> Result<ApprovedPlan, String> {
    let plan: Plan =
        serde_json::from_str(&dir.read("plan.json")?).map_err(|e| format!("read the plan: {e}"))?;
    let approval: Approval =
        serde_json::from_str(&dir.read("approval.json")?).map_err(|e| format!("read the approval: {e}"))?;
    if PlanHash::of(&plan) != approval.hash {
        return Err("read the plan: it is not the one that was approved".to_owned());
    }
    let uid = approval.by.uid;
    let owners = [(dir.path().to_owned(), dir.owner()?), owned(dir.plan())?, owned(dir.approval())?];
    if let Some((path, owner)) = owners.iter().find(|(_, owner)| *owner != uid) {
        let path = path.display();
        return Err(format!("believe {path}: it belongs to user {owner}, and user {uid} approved the plan"));
    }
    if !dir.journal().exists() {
        begins(&approval, me, now)?;
    }
    sound(dir, &plan, &approval)?;
    Ok(ApprovedPlan { plan, approval })
}

/// Whether this process may begin a run by an approval.
fn begins(approval: &Approval, me: &Person, now: Timestamp) -> Result<(), String> {
    let by = &approval.by;
    if me.uid != by.uid {
        return Err(format!("begin it: user {} approved the plan, and user {} begins it", by.uid, me.uid));
    }
    let age = now.duration_since(approval.at).unsigned_abs();
    if age > BEGIN {
        let (age, within) = (age.as_secs(), BEGIN.as_secs());
        return Err(format!(
            "begin it: it was approved {age} s ago, and begins within {within} s or not at all"
        ));
    }
    Ok(())
}

/// Whether what the plan's level needs is in the approval.
fn sound(dir: &RunDir, plan: &Plan, approval: &Approval) -> Result<(), String> {
    let confirmed = &approval.confirmed;
    if plan.level < level_of(plan) || confirmed.level != plan.level {
        return Err("believe the approval: it is for another level".to_owned());
    }
    if plan.level >= Level::L3 && confirmed.reason.as_ref().is_none_or(|r| r.trim().is_empty()) {
        return Err("believe the approval: it has no reason".to_owned());
    }
    if !approval::is_needed(plan.level) {
        return Ok(());
    }
    match (&confirmed.second, &approval.request) {
        (Some(Second::BreakGlass { waited_s }), _) if *waited_s >= approval::COUNTDOWN.as_secs() => Ok(()),
        (Some(Second::Approved(second)), Some(request)) => {
            if !dir.journal().exists() {
                approval::spend(dir.state_root(), request, dir, approval::TO_BEGIN)?;
            }
            let to_begin = (approval::TO_BEGIN, request.as_str());
            approval::vouches(dir, to_begin, &approval.hash, second, (&approval.by, approval.at))
        }
        _ => Err("believe the approval: no second person is in it".to_owned()),
    }
}

/// Whether a second person's word, where it is needed to take a run up again, is one: what lies in
/// the run's directory says so, and not who starts the runner.
///
/// # Errors
/// Why it is none; completes "failed to …".
pub(super) fn may_go_on(
    dir: &RunDir,
    run: &Run,
    mode: Mode,
    (second, request): (Option<&Second>, Option<&str>),
    (by, now): (&Person, Timestamp),
) -> Result<(), String> {
    if !proposal::resume_prompt(run, mode).needs_second {
        return Ok(());
    }
    match (second, request) {
        (Some(Second::BreakGlass { waited_s }), _) if *waited_s >= approval::COUNTDOWN.as_secs() => Ok(()),
        (Some(Second::Approved(second)), Some(request)) => {
            let name = approval::to_go_on(request);
            approval::vouches(dir, (&name, request), &run.hash, second, (by, now))
        }
        _ => Err("go on: a second person must approve it".to_owned()),
    }
}

/// Whose a file is that nobody else can have written.
fn owned(path: PathBuf) -> Result<(PathBuf, u32), String> {
    let is = open(&path, OFlags::RDONLY, None)
        .and_then(|f| f.metadata())
        .map_err(|e| format!("read {}: {e}", path.display()))?;
    if is.mode() & 0o022 != 0 || is.nlink() != 1 {
        return Err(format!("believe {}: others than its owner could have written it", path.display()));
    }
    Ok((path, is.uid()))
}

#[cfg(test)]
mod tests;
