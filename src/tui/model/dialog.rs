//! What can stand over a screen while something is about to be done: one thing at a time.

use super::confirm::Confirm;
use super::form::Form;
use super::procedures::ProceduresView;
use super::question::Question;
use crate::clock::Now;
use crate::domain::id::{ProcedureId, RunId};
use crate::domain::procedure::proposal::Proposal;
use std::collections::BTreeMap;

/// What stands over the screen, and gets the keys.
#[derive(Clone, Debug)]
pub enum Dialog {
    Menu(Menu),
    Form(Form),
    Confirm(Confirm),
    Question(Question),
    Told(Told),
}

/// Procedures to choose from, with what the selected row says of their values.
#[derive(Clone, Debug)]
pub struct Menu {
    pub about: String,
    pub items: Vec<(ProcedureId, BTreeMap<String, String>)>,
    pub at: usize,
}

/// Something that must be read: why a prompt has closed, why nothing was started.
#[derive(Clone, Debug)]
pub struct Told {
    pub title: String,
    pub lines: Vec<String>,
    /// The first line shown.
    pub scroll: usize,
    pub opened: Now,
}

/// What the dashboard remembers of acting.
#[derive(Clone, Debug, Default)]
pub struct Acting {
    pub view: ProceduresView,
    /// A plan that was asked for and is not here yet.
    pub planning: Option<Planning>,
    /// What was approved and has not started yet, and since when.
    pub starting: Option<(String, Now)>,
    /// The run whose journal was last asked for.
    pub looked_at: Option<RunId>,
    /// The user in front of the screen, by the kernel's number.
    pub me: Option<u32>,
}

/// A plan that is being made.
#[derive(Clone, Debug)]
pub struct Planning {
    pub procedure: ProcedureId,
    pub name: String,
    pub params: BTreeMap<String, String>,
    pub since: Now,
    /// It came while somebody was typing elsewhere: it waits, so that it gets no keys meant for that.
    pub ready: Option<Box<Proposal>>,
}
