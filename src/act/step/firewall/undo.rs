//! Undoing a step of the filter: away goes what the step itself put there, and back comes what it
//! replaced. What others put there, before or since, stays.

use super::was::Was;
use super::{Filter, words};
use crate::act::step::Setting;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::filter::{Change, Net, Port, comment};
use crate::domain::procedure::action::kinds::Firewall;
use jiff::Timestamp;

/// One part of a change of the filter, made under one comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub change: Change,
    pub comment: String,
    /// Of what is taken away: only what has such a comment.
    pub only: Mine,
}

/// Which comments are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mine {
    /// All of this program's.
    All,
    /// This one.
    This(String),
    /// Those that begin so: all of one run.
    Run(String),
}

impl Mine {
    pub fn has(&self, comment: &str) -> bool {
        match self {
            Mine::All => true,
            Mine::This(this) => comment == this,
            Mine::Run(begins) => comment.starts_with(begins),
        }
    }
}

/// What an undoing comes to.
#[derive(Debug, Default)]
pub struct Undoing {
    pub parts: Vec<Part>,
    /// What was so before the step, or is another's, one line each.
    pub spared: Vec<String>,
    /// What will have been done.
    done: Vec<String>,
    /// What is as it is to be already.
    idle: Vec<String>,
    /// Something blocked or closed comes back where the undoing as such would unblock or open.
    back: bool,
}

/// What is known while it is found out.
struct Found<'a> {
    filter: &'a Filter,
    was: Was,
    /// What the step did, where it did it in the same table.
    forward: Option<Change>,
    ours: String,
    run: String,
    now: Timestamp,
}

impl Undoing {
    /// `None` where a step is not undone, or by something that is not its inverse: then it is done
    /// as it says.
    ///
    /// # Errors
    /// What the step has noted cannot be read.
    pub fn of(
        a: &Firewall,
        change: &Change,
        filter: &Filter,
        s: &Setting<'_>,
    ) -> Result<Option<Undoing>, String> {
        let Some(undone) = s.undoes else { return Ok(None) };
        let forward = match undone {
            Action::Firewall(f) if f.backend == a.backend && f.table == a.table => Change::of(f).ok(),
            _ => None,
        };
        let found = Found {
            filter,
            was: Was::of_step(s)?,
            forward,
            ours: comment(s.run.as_str(), s.step.as_str()),
            run: comment(s.run.as_str(), ""),
            now: s.clock.now().wall,
        };
        let mut out = Undoing::default();
        match (change, &found.forward) {
            (Change::Unblock { net }, _) => out.unblock(net, &found),
            (Change::Open { ports }, _) => {
                for port in ports {
                    out.open(*port, &found)?;
                }
            }
            (Change::Block { net, .. }, Some(Change::Unblock { net: undone })) if net == undone => {
                out.block_again(net, &found);
            }
            (Change::Close { ports, except }, Some(Change::Open { ports: undone })) => {
                for port in ports.iter().filter(|p| undone.contains(p)) {
                    out.close_again(*port, &found)?;
                }
                let ports = ports.iter().copied().filter(|p| !undone.contains(p)).collect();
                if let Some(more) = filter.missing(&Change::Close { ports, except: except.clone() }) {
                    out.make(more, found.ours.clone(), "");
                }
            }
            _ => return Ok(None),
        }
        Ok(Some(out))
    }

    /// Whether something is left that a whole undoing would have taken away.
    pub fn spares(&self) -> bool {
        self.back || !self.spared.is_empty()
    }

    /// What was, or would be, done.
    pub fn says(&self) -> String {
        let spared = self.spared.iter().map(|what| format!("left as it is: {what}"));
        let mut all: Vec<String> = self.done.iter().cloned().chain(spared).collect();
        if all.is_empty() {
            all.push(format!("nothing to undo: {}", self.idle.join(", ")));
        }
        all.join("; ")
    }

    fn make(&mut self, change: Change, comment: String, more: &str) {
        self.done.push(format!("{}{more}", words(&change)));
        self.parts.push(Part { change, comment, only: Mine::All });
    }

    fn take(&mut self, change: Change, only: Mine) {
        self.done.push(words(&change));
        self.parts.push(Part { change, comment: String::new(), only });
    }

    fn unblock(&mut self, net: &Net, found: &Found<'_>) {
        let about = matches!(&found.forward, Some(Change::Block { net: blocked, .. }) if blocked == net);
        let mine = found.mine(about);
        let there: Vec<_> = found.filter.blocks_of(net).collect();
        let state = || found.filter.state(&Change::Unblock { net: *net });
        if there.is_empty() {
            self.idle.push(state());
        } else if !there.iter().any(|b| mine.has(&b.comment)) {
            self.spared.push(state());
        } else {
            let was = found.was.block(net).filter(|_| about);
            match was.and_then(|was| Some((was.again(*net, found.now)?, was))) {
                Some((again, was)) => {
                    self.back = true;
                    self.make(again, was.by.clone(), &as_before(&was.by));
                }
                None => self.take(Change::Unblock { net: *net }, mine),
            }
        }
    }

    fn open(&mut self, port: Port, found: &Found<'_>) -> Result<(), String> {
        let about = matches!(&found.forward, Some(Change::Close { ports, .. }) if ports.contains(&port));
        let mine = found.mine(about);
        let there: Vec<_> = found.filter.closings(port).collect();
        let open = Change::Open { ports: vec![port] };
        if there.is_empty() {
            self.idle.push(found.filter.state(&open));
        } else if !there.iter().any(|c| mine.has(&c.comment)) {
            self.spared.push(found.filter.state(&open));
        } else {
            let was = found.was.closing(port).filter(|_| about);
            // Were a third one's there as well, theirs would have to go for the first one's.
            let theirs = |by: &str| there.iter().all(|c| mine.has(&c.comment) || c.comment == by);
            match was.filter(|was| theirs(&was.by)) {
                Some(was) => {
                    self.back = true;
                    self.make(was.again(port)?, was.by.clone(), &as_before(&was.by));
                }
                None => self.take(open, mine),
            }
        }
        Ok(())
    }

    fn block_again(&mut self, net: &Net, found: &Found<'_>) {
        let state = found.filter.state(&Change::Unblock { net: *net });
        let Some(was) = found.was.block(net) else {
            self.spared.push(format!("{net} was not blocked before this step; {state}"));
            return;
        };
        match (found.filter.block_of(net), was.again(*net, found.now)) {
            (Some(there), _) if there.comment == was.by => self.idle.push(state),
            (Some(_), _) => self.spared.push(state),
            (None, Some(again)) => self.make(again, was.by.clone(), &as_before(&was.by)),
            (None, None) => self.spared.push(format!("the earlier block of {net} would have ended by now")),
        }
    }

    fn close_again(&mut self, port: Port, found: &Found<'_>) -> Result<(), String> {
        let state = found.filter.state(&Change::Open { ports: vec![port] });
        let Some(was) = found.was.closing(port) else {
            self.spared.push(format!("{port} was not closed before this step; {state}"));
            return Ok(());
        };
        let there: Vec<_> = found.filter.closings(port).collect();
        let whole = there.iter().any(|c| c.comment == was.by && !c.half);
        if there.iter().any(|c| c.comment != was.by) {
            self.spared.push(state);
        } else if whole {
            self.idle.push(state);
        } else {
            self.make(was.again(port)?, was.by.clone(), &as_before(&was.by));
        }
        Ok(())
    }
}

impl Found<'_> {
    /// Whose entries are taken away: the step's own where it made such ones, else any of its run.
    fn mine(&self, about: bool) -> Mine {
        if about { Mine::This(self.ours.clone()) } else { Mine::Run(self.run.clone()) }
    }
}

fn as_before(by: &str) -> String {
    format!(", as before this step{}", super::by(by))
}
