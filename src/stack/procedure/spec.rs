//! What a stack file says of its procedures, once it is known to be sound.
//!
//! Strings may still hold `${param.NAME}` and, inside a `for_each`, `${each}`; the planner fills
//! them in. `${run.id}` and `${secret.NAME}` stay for the runner.

use crate::domain::id::{HostId, LayerId, ProbeId, ProcedureId};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::check::{Check, Condition};
use crate::domain::procedure::level::{Effect, Level};
use crate::domain::procedure::param::Param;
use crate::domain::procedure::plan::{OnFailure, OnTimeout, Owe, longest};
use crate::stack::procedure::fill::sketch;
use std::collections::BTreeMap;
use std::time::Duration;

/// The procedures of a stack and what forbids them.
#[derive(Clone, Debug, Default)]
pub struct Procedures {
    pub all: Vec<Procedure>,
    pub interlocks: Vec<Interlock>,
}

/// An ordered set of steps that changes the world.
#[derive(Clone, Debug)]
pub struct Procedure {
    pub id: ProcedureId,
    pub name: String,
    /// What it is for and when, for the screen of procedures.
    pub about: String,
    /// Which key of the dashboard opens it.
    pub role: Option<Role>,
    pub rows: Vec<String>,
    pub params: Vec<Param>,
    /// One run at a time for each scope.
    pub lock: String,
    pub deadline: Duration,
    /// Raises the computed level; never lowers it.
    pub level: Option<Level>,
    pub blast_radius: Vec<BlastLine>,
    pub preconditions: Vec<Precondition>,
    pub steps: Vec<Step>,
    /// What it is offered for when that is selected; both empty means nowhere.
    pub probes: Vec<ProbeId>,
    pub layers: Vec<LayerId>,
}

impl Procedure {
    /// Its name before it is planned: with the values that are known, and else with what they are
    /// called, in capitals.
    pub fn title(&self, known: &BTreeMap<String, String>) -> String {
        sketch(&self.name, known)
    }
}

/// The three procedures that have a key of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Restart,
    Drain,
    Contain,
}

/// One line of the blast radius.
#[derive(Clone, Debug)]
pub struct BlastLine {
    /// `PromQL`; its value stands for `{}` in `says`. A vector of several is summed.
    pub value: Option<String>,
    pub says: String,
}

#[derive(Clone, Debug)]
pub struct Precondition {
    /// It completes "needs …".
    pub says: String,
    pub what: Condition,
}

/// One step as the file has it.
#[derive(Clone, Debug)]
pub struct Step {
    pub id: String,
    pub name: String,
    /// Without one, the stack's first host.
    pub host: Option<HostId>,
    pub layer: Option<LayerId>,
    pub sudo: bool,
    pub uses: Uses,
    /// Not said: `Destroy`, but `Read` for `wait`, `manual` and `capture`.
    pub effect: Effect,
    pub idempotent: bool,
    pub timeout: Duration,
    pub on_timeout: OnTimeout,
    pub on_failure: OnFailure,
    pub verify: Option<Check>,
    pub rollback: Option<Rollback>,
    pub hold: Option<String>,
    pub point_of_no_return: bool,
    pub unless: Option<Check>,
    /// Ids of earlier steps of this procedure.
    pub after: Vec<String>,
    pub owes: Option<Owe>,
    pub settles: Vec<String>,
    /// Durations that parameters give; in their places stand samples until then.
    pub late: Vec<Late>,
}

impl Step {
    /// The longest that a single part of it may take, as far as no parameter gives it.
    pub fn longest(&self) -> Duration {
        let Uses::Action(action) = &self.uses else { return Duration::ZERO };
        let open = |of: &[LateOf]| self.late.iter().any(|late| of.contains(&late.of));
        let timeout = if open(&[LateOf::Timeout, LateOf::Wait]) { Duration::ZERO } else { self.timeout };
        longest(action, timeout, self.verify.as_ref().filter(|_| !open(&[LateOf::Verify])))
    }
}

/// A duration that is known once its parameters are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    pub of: LateOf,
    pub text: String,
    pub bounds: (Duration, Duration),
}

/// Which duration of a step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateOf {
    Timeout,
    /// How long a block lasts: `with.expires` of a firewall.
    Expires,
    /// How long a silence or an alert lasts: `with.for`.
    For,
    /// How far back a capture of the journal goes: `with.since`.
    Since,
    /// By when a wait must be over: `with.within`.
    Wait,
    /// `verify.within`.
    Verify,
    /// `unless.within`.
    Unless,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Uses {
    Action(Box<Action>),
    ForEach(ForEach),
    /// Another procedure's steps, in its place.
    Procedure {
        id: ProcedureId,
        params: BTreeMap<String, String>,
    },
}

/// The same steps for each of several things, one after another.
#[derive(Clone, Debug)]
pub struct ForEach {
    pub items: Items,
    pub max_failures: u32,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Items {
    /// Each host of the stack that is named; the steps run there.
    Hosts(Vec<HostId>),
    /// `${each}` is the item: units, services, addresses …
    List(Vec<String>),
}

#[derive(Clone, Debug)]
pub struct Rollback {
    pub action: Action,
    pub timeout: Duration,
    pub verify: Option<Check>,
}

/// A fact that forbids procedures until something else is true.
#[derive(Clone, Debug)]
pub struct Interlock {
    pub id: String,
    /// What is so while it stands: "external access is closed by containment".
    pub says: String,
    /// Raised as soon as one of these steps is intended: `PROCEDURE.STEP`.
    pub raised_by: Vec<String>,
    /// Raised while this holds (`PromQL` and probes, as conditions have them).
    pub raised_while: Option<Condition>,
    /// The procedures it forbids.
    pub blocks: Vec<ProcedureId>,
    pub until: Until,
}

/// What lifts an interlock: everything that is named here.
#[derive(Clone, Debug)]
pub struct Until {
    /// In words: "the admin and JWT secrets have been rotated and the old ones refused".
    pub says: String,
    /// Each of these steps (`PROCEDURE.STEP`) was verified after it was raised.
    pub verified: Vec<String>,
    /// Or one of these was: it stands for all of them.
    pub or_verified: Vec<String>,
    /// And this holds.
    pub holds: Option<Condition>,
}
