//! What the machine remembers of a run beyond what is shown of it.

use crate::domain::id::RunId;
use crate::domain::procedure::event::{Hold, Outcome, Person, Truth};
use std::collections::BTreeMap;

/// What the machine remembers of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::domain::procedure) struct Book {
    /// The step whose turn it is. Those before it came to an end.
    pub at: usize,
    /// One for each step.
    pub marks: Vec<Mark>,
    /// What a person's "stop" at a hold makes of the run.
    pub stopped: Option<(Outcome, String)>,
    /// The hold that was answered last, by the number of its entry, and by whom.
    pub answered: Option<(u64, Person)>,
    /// A person asked for an abort, be it before a resume: no step starts any more, ever.
    pub aborted: bool,
    /// Something was undone, or begun to be, in a rollback of the run.
    pub undoing: bool,
    /// The latest time of any entry so far: a clock may have gone back since.
    pub latest: jiff::Timestamp,
    /// Runs that came before this one up to an entry, whatever their dates say.
    pub before: BTreeMap<RunId, u64>,
}

/// What the machine remembers of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::domain::procedure) struct Mark {
    /// It came to its end, and the next one's turn comes.
    pub over: bool,
    /// Its planned hold was released.
    pub released: bool,
    /// What it failed by was its verification, so that its effect did happen.
    pub unverified: bool,
    /// It failed, timed out or was in doubt, and a person went on regardless.
    pub word: Option<Word>,
    /// Its time was over, and its verification decides: why, for its end to say.
    pub late: Option<String>,
    /// The system says that its only intent did not come to be.
    pub did_not: bool,
    /// It was in doubt and is to be done once more: until it is intended again, or known not to
    /// have happened, it is as much in doubt as before.
    pub doubt: bool,
    /// What the system said when it was asked, of this doubt.
    pub asked: Option<Truth>,
    /// In the system's words.
    pub asked_says: String,
    /// A person took it, or its undoing, as done although nothing was known of it: what a lost
    /// runner began of it may run still.
    pub unseen: bool,
    pub pending: Pending,
    pub back: Back,
    /// Its rollback was intended, be it long ago: a program of that may run still.
    pub undo_tried: bool,
    /// The entries of its last intent and of its good end: an order that no clock can turn.
    pub intended: Option<u64>,
    pub proved: Option<u64>,
    /// The latest time that its journal had when it was last intended.
    pub floor: Option<jiff::Timestamp>,
}

/// A person's word for a step that did not come to a good end by itself.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::domain::procedure) struct Word {
    /// What was wrong with it, and who took it as done.
    pub says: String,
    /// It stands against what was seen: the step failed, or its time was over. Of a step in doubt
    /// nothing was known, and who says that it happened has looked.
    pub against: bool,
}

/// What must be done about a failed step, or one in doubt, before anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::domain::procedure) enum Pending {
    #[default]
    Nothing,
    Hold(Hold),
    /// Its own rollback, as its `on_failure` says.
    RollBack,
}

/// Where the rollback of a step is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::domain::procedure) enum Back {
    #[default]
    No,
    Running,
    /// Intended by a runner that died; what the system said of it, when it was asked.
    InDoubt(Option<Truth>),
    /// In doubt, and to be tried once more: it is as much in doubt until that is intended.
    Again,
}
