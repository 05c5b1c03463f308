//! What a journal holds: everything that happened to a run, in order.

use super::check::Seen;
use super::level::Level;
use super::plan::PlanHash;
use crate::domain::id::{RunId, StepId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, without gaps.
    pub n: u64,
    pub at: jiff::Timestamp,
    pub event: Event,
}

/// Who asks, as the kernel knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub uid: u32,
    /// The login's name, else the user's.
    pub login: String,
    /// Where their SSH session comes from.
    pub from: Option<String>,
}

/// How a run was confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    pub level: Level,
    /// What was typed; empty where a key was enough.
    pub typed: String,
    pub reason: Option<String>,
    /// The second person.
    pub second: Option<Second>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Second {
    /// Another person approved the same hash under their own uid.
    Approved(Person),
    /// Nobody did: a lone engineer waited out the countdown and gave a reason.
    BreakGlass { waited_s: u64 },
}

impl Second {
    /// In words, loudly where nobody was there.
    pub fn says(&self) -> String {
        match self {
            Second::Approved(by) => format!("approved by {} (uid {})", by.login, by.uid),
            Second::BreakGlass { waited_s } => {
                format!("BREAK GLASS: no second person; waited {waited_s} s")
            }
        }
    }
}

/// What happened. The comments say what must be on disk before what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Event {
    /// First line of every journal.
    Started {
        run: RunId,
        plan: PlanHash,
        by: Person,
        confirmed: Confirmed,
        runner: u32,
    },
    /// The preconditions were looked at; empty `failed` opens the way to the first step.
    Preconditions {
        failed: Vec<String>,
        seen: Vec<String>,
    },
    /// A step is not needed: what proves it.
    Skipped {
        step: StepId,
        because: String,
    },
    /// The run waits for a person.
    HoldEntered {
        step: StepId,
        why: Hold,
        says: String,
    },
    HoldReleased {
        step: StepId,
        by: Person,
        choice: Choice,
        note: Option<String>,
    },
    /// On disk before the effect begins. `before` is the target's state, as the step's kind reads it.
    Intended {
        step: StepId,
        attempt: u32,
        before: String,
    },
    /// On disk before anything that follows begins.
    Finished {
        step: StepId,
        attempt: u32,
        result: Effected,
        output: Option<Captured>,
    },
    /// One observation towards a verification: `streak` of `needed` good ones in a row.
    Observed {
        step: StepId,
        seen: Seen,
        streak: u32,
        needed: u32,
    },
    Verified {
        step: StepId,
        says: String,
    },
    Unverified {
        step: StepId,
        why: String,
    },
    /// After a lost runner: what the system says of an effect that was intended.
    Asked {
        step: StepId,
        truth: Truth,
        says: String,
    },
    RollbackIntended {
        step: StepId,
        before: String,
    },
    RollbackFinished {
        step: StepId,
        result: Effected,
    },
    /// No step starts after it, ever; `now` also ends the step that runs.
    AbortRequested {
        by: Person,
        now: bool,
    },
    /// No step starts after it in this runner; `now` also ends the step that runs. Nobody decided
    /// anything of the run, so a later runner may go on with it.
    Interrupted {
        by: Interruption,
        now: bool,
    },
    /// A new runner took over from one that died or from a run that had failed.
    Resumed {
        by: Person,
        runner: u32,
        mode: Mode,
        /// Needed from L3 on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Needed while steps of L4 are to come.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        second: Option<Second>,
    },
    /// Runs that were there when this runner began and whose entries, up to the number, are dated
    /// later: the clock went back since. They came before all that follows here.
    Preceded {
        runs: BTreeMap<RunId, u64>,
    },
    /// Something worth keeping: a journal that was cut, a capture, a clock that went back.
    Note {
        says: String,
    },
    /// Last line.
    Ended {
        outcome: Outcome,
        why: String,
    },
}

/// What stops a run without a person's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interruption {
    /// SIGTERM: who ends all programs, as when the host of the runner is restarted.
    Signal,
    /// The run's time is over.
    Deadline,
}

/// Why a run waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// The procedure says so before this step.
    Planned,
    /// A step's time was over.
    TimedOut,
    /// A step failed.
    Failed,
    /// A manual step: the person does it and says so.
    Manual,
    /// It is not known whether an effect happened, and it must not happen twice.
    InDoubt,
}

/// What the person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Go on; for a manual step, "I did it"; for one in doubt or failed, "take it as done".
    GoOn,
    /// Do the step (again).
    Again,
    /// Stop here.
    Stop,
}

/// How an effect ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Effected {
    Done {
        says: String,
    },
    Failed {
        why: String,
    },
    /// Its time was over; what it had started was ended.
    TimedOut {
        why: String,
    },
    /// Ended by an abort.
    Killed {
        why: String,
    },
}

/// An output that was kept, in the run's directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    pub file: String,
    pub bytes: u64,
    /// Beyond the bound, and so not kept.
    pub dropped: u64,
    pub sha256: String,
}

/// What the system says of an intended effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truth {
    Happened,
    DidNot,
    /// The system cannot tell.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Goes on where it stopped.
    Continue,
    /// Undoes what was done, last step first, back to the point of no return.
    Rollback,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every step verified or passed over with proof.
    Verified,
    Failed,
    /// Nothing was begun: a precondition did not hold, or the plan no longer fits.
    Refused,
    /// An effect was intended and its outcome is not known.
    InDoubt,
    Aborted,
    /// Undone, as far as it could be.
    RolledBack,
}

impl Outcome {
    /// The exit code of `quarterdeck run`.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Verified => 0,
            Outcome::Failed | Outcome::RolledBack => 1,
            Outcome::Refused => 2,
            Outcome::InDoubt => 3,
            Outcome::Aborted => 4,
        }
    }
}
