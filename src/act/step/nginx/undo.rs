//! Undoing a switch of a site: back comes what was there before the step, be it the site or
//! another's page, and what others have put there since stays.

use super::{Files, Switching, What};
use crate::act::step::Setting;
use crate::act::step::mark::Mark;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Switch;
use crate::domain::procedure::action::maintenance::MARK;
use serde::{Deserialize, Serialize};

/// What was in the site's place before the step changed it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Was {
    Real,
    /// A page, as it was.
    Page(String),
}

impl Was {
    pub(super) fn mark(s: &Setting<'_>) -> Mark {
        Mark::of_step(s, "site-was")
    }

    /// What the step has noted, at any of its attempts.
    pub(super) fn of_step(s: &Setting<'_>) -> Result<Option<Was>, String> {
        Was::mark(s).noted()
    }
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Todo {
    /// This page, as it is, into the site's place.
    On(String),
    Off,
    /// The files are as they are to be; nginx reads them, perhaps once more.
    Reload(String),
    /// It is another's, or was so before.
    Spare(String),
}

/// Whether a page's first line names a run.
pub(super) fn names(first: &str, run: &str) -> bool {
    first.starts_with(&format!("{MARK} by {run}: "))
}

/// `None` where a step is not undone, or by something that is not its inverse: then it is done as
/// it says.
pub(super) async fn todo(work: &Switching<'_>, files: &Files) -> Result<Option<Todo>, String> {
    let Switching { a, s, places, .. } = work;
    let Some(Action::Nginx(done)) = s.undoes else { return Ok(None) };
    if (&done.site, &done.keep_in) != (&a.site, &a.keep_in) || done.maintenance == a.maintenance {
        return Ok(None);
    }
    let was = Was::of_step(s)?;
    let state = files.state(places);
    let by = match &files.site {
        What::Page(by) => by.as_str(),
        What::Real | What::Absent => "",
    };
    let own = names(by, s.run.as_str());
    Ok(Some(match (a.maintenance, was, &files.site) {
        (Switch::Off, Some(Was::Real), What::Page(_)) if own => Todo::Off,
        // Cut short, perhaps, before nginx has read it.
        (Switch::Off, Some(Was::Real), What::Real) => {
            if files.kept {
                Todo::Off
            } else {
                Todo::Reload(state)
            }
        }
        (Switch::Off, Some(Was::Page(text)), What::Page(_)) if own => Todo::On(text),
        (_, Some(Was::Page(text)), What::Page(_)) if work.page().await? == text => {
            Todo::Reload(format!("{state}, as before this step: {by}"))
        }
        (Switch::On, Some(Was::Page(text)), What::Real) => Todo::On(text),
        (Switch::On, None, What::Real) => Todo::Spare(format!("{state}, as before this step")),
        (_, _, What::Page(_)) => Todo::Spare(format!("{state}: {by}")),
        (_, _, What::Real | What::Absent) => Todo::Spare(state),
    }))
}
