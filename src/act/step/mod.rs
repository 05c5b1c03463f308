//! The kinds of step: one file each, in which is said how it reads its target, how it acts and
//! how it finds out later whether it had acted.

use super::sight::Sight;
use crate::clock::Clock;
use crate::domain::id::{HostId, RunId, StepId};
use crate::domain::procedure::event::{Captured, Effected, Truth};
use crate::domain::procedure::plan::Certainty;
use crate::stack::spec::Stack;
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use std::path::Path;
use std::sync::Arc;

/// Where and with what a step is carried out.
pub struct Setting<'a> {
    pub stack: &'a Stack,
    pub run: &'a RunId,
    pub step: &'a StepId,
    pub attempt: u32,
    pub host: &'a HostId,
    pub transport: &'a Transport,
    pub sudo: bool,
    /// Secrets and logins.
    pub access: &'a Arc<Access>,
    pub sight: &'a dyn Sight,
    pub clock: &'a dyn Clock,
    /// The run's directory, where outputs and evidence are kept.
    pub dir: &'a Path,
}

/// A target as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What, for a pin: `unit nginx.service on vpn`. Empty when there is nothing to pin.
    pub what: String,
    /// Its state, as one line; equal texts mean that nothing changed. Journalled as `before`.
    pub state: String,
    pub certainty: Certainty,
    /// What follows for others: "3 units depend on it".
    pub blast: Vec<String>,
    /// Why the step cannot work here: "no such unit". The plan is refused.
    pub impossible: Option<String>,
    pub warnings: Vec<String>,
}

/// What a step left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub result: Effected,
    pub output: Option<Captured>,
}

/// What the system says about an effect that was intended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub truth: Truth,
    pub says: String,
}
