//! The prompt that stands between a plan and the world: what has been typed, and whether it is
//! enough. It holds the plan that was shown, so that nothing that moves beneath it matters.

use super::tempo::Tempo;
use crate::clock::Now;
use crate::domain::id::ProcedureId;
use crate::domain::procedure::event::Second;
use crate::domain::procedure::ledger::{Ledger, Waiting};
use crate::domain::procedure::level::Level;
use crate::domain::procedure::proposal::{Proposal, Refusal};
use crate::domain::units::short_age;
use crate::tui::typing::{MAX_TYPED, edit};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use std::collections::BTreeMap;
use std::time::Duration;
use tui_input::Input;

/// Nothing is confirmed so soon after the prompt has opened: nobody has read it yet.
pub const UNREAD: Duration = Duration::from_millis(400);

/// For L3 and above, what the plan was made from must be younger than this.
pub const PREFLIGHT: Duration = Duration::from_secs(30);

/// What an open prompt shows is looked at anew after this, so that it stays young enough.
const REFRESH: Duration = Duration::from_secs(15);

/// How long a lone engineer waits before the glass breaks.
pub const COUNTDOWN: Duration = Duration::from_secs(60);

/// A plan that is being confirmed.
#[derive(Clone, Debug)]
pub struct Confirm {
    pub proposal: Box<Proposal>,
    /// As they were given, to look again with.
    pub params: BTreeMap<String, String>,
    pub typed: Input,
    pub reason: Input,
    pub focus: Focus,
    pub stage: Stage,
    /// The first line shown of the plan.
    pub scroll: usize,
    /// The answer to the last key.
    pub word: Option<String>,
    opened: Now,
    tempo: Tempo,
    /// A new look has been asked for, and when.
    asked: Option<Now>,
}

/// What gets the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    Cancel,
    /// Have it run; for L4, once a second person has approved it.
    Start,
    Typed,
    Reason,
    /// Go on without a second person.
    Break,
}

/// How far a plan that needs a second person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The person in front of the screen has not said all of it.
    Typing,
    /// The second person has been asked.
    Waiting,
    /// Nobody came: the countdown runs.
    Breaking { since: Now },
}

/// What a key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Nothing,
    Closed,
    Approved {
        typed: String,
        reason: Option<String>,
        second: Option<Second>,
    },
    AskSecond {
        typed: String,
        reason: String,
    },
    /// It was looked at too long ago.
    LookAgain,
}

/// What became of the prompt when the plan was looked at anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Stays,
    /// It closes, because; one line each.
    Closes(Vec<String>),
}

impl Confirm {
    pub fn new(proposal: Box<Proposal>, params: BTreeMap<String, String>, now: Now) -> Confirm {
        let prompt = &proposal.prompt;
        let focus = match (&prompt.type_this, prompt.level) {
            _ if !proposal.refusals.is_empty() => Focus::Cancel,
            (Some(_), _) => Focus::Typed,
            (None, Level::L0) => Focus::Start,
            (None, _) => Focus::Cancel,
        };
        Confirm {
            proposal,
            params,
            typed: Input::default(),
            reason: Input::default(),
            focus,
            stage: Stage::Typing,
            scroll: 0,
            word: None,
            opened: now,
            tempo: Tempo::default(),
            asked: None,
        }
    }

    pub fn procedure(&self) -> &ProcedureId {
        &self.proposal.plan.procedure
    }

    /// Why it cannot be confirmed at all.
    pub fn refused(&self) -> bool {
        !self.proposal.refusals.is_empty() || self.lacks_a_text()
    }

    /// What interrupts and more is never confirmed by a key alone, whatever a proposal says.
    pub fn lacks_a_text(&self) -> bool {
        self.proposal.plan.level >= Level::L2 && self.proposal.prompt.type_this.is_none()
    }

    /// The request for a second person, as the state directory has it.
    pub fn request<'a>(&self, ledger: &'a Ledger) -> Option<&'a Waiting> {
        ledger.waiting.iter().find(|w| w.hash == self.proposal.hash)
    }

    /// Whether a second person has approved it.
    pub fn is_approved(&self, ledger: &Ledger) -> bool {
        self.request(ledger).is_some_and(|w| w.approved.is_some())
    }

    /// How long the countdown still runs.
    pub fn countdown(&self, now: Now) -> Option<Duration> {
        match self.stage {
            Stage::Breaking { since } => Some(COUNTDOWN.saturating_sub(now.since(since))),
            _ => None,
        }
    }

    /// What can have the focus, in the order of Tab.
    pub fn stops(&self) -> Vec<Focus> {
        if self.refused() {
            return vec![Focus::Cancel];
        }
        match self.stage {
            Stage::Waiting => vec![Focus::Cancel, Focus::Start, Focus::Break],
            Stage::Breaking { .. } => vec![Focus::Cancel, Focus::Start],
            Stage::Typing if self.proposal.prompt.type_this.is_none() => vec![Focus::Cancel, Focus::Start],
            Stage::Typing if self.proposal.prompt.needs_reason => {
                vec![Focus::Typed, Focus::Reason, Focus::Cancel]
            }
            Stage::Typing => vec![Focus::Typed, Focus::Cancel],
        }
    }

    fn step(&mut self, forward: bool) {
        let stops = self.stops();
        let at = stops.iter().position(|f| *f == self.focus).unwrap_or(0);
        let to = if forward { at + 1 } else { at + stops.len() - 1 } % stops.len().max(1);
        self.focus = stops.get(to).copied().unwrap_or(Focus::Cancel);
    }

    /// Takes a key. `last` is how far the plan can be scrolled, `page` a screenful of it.
    pub fn key(&mut self, key: KeyEvent, ledger: &Ledger, (last, page): (usize, usize), now: Now) -> Said {
        let scroll = match key.code {
            KeyCode::Up => Some(self.scroll.saturating_sub(1)),
            KeyCode::Down => Some(self.scroll + 1),
            KeyCode::PageUp => Some(self.scroll.saturating_sub(page)),
            KeyCode::PageDown => Some(self.scroll + page),
            _ => None,
        };
        if let Some(to) = scroll {
            self.scroll = to.min(last);
            return Said::Nothing;
        }
        if key.code == KeyCode::Esc {
            return Said::Closed;
        }
        let editing = matches!(self.focus, Focus::Typed | Focus::Reason);
        if self.tempo.is_repeat(key, now) && !matches!(key.code, KeyCode::Backspace | KeyCode::Delete) {
            if key.kind == KeyEventKind::Repeat || key.code == KeyCode::Enter || editing {
                self.word = Some("a held key counts once".to_owned());
            }
            return Said::Nothing;
        }
        self.word = None;
        match key.code {
            KeyCode::Tab => self.step(true),
            KeyCode::BackTab => self.step(false),
            KeyCode::Left if !editing => self.step(false),
            KeyCode::Right if !editing => self.step(true),
            KeyCode::Enter if now.since(self.opened) < UNREAD => {}
            KeyCode::Enter => return self.enter(ledger, now),
            _ if self.focus == Focus::Typed => {
                edit(&mut self.typed, key, MAX_TYPED);
                if self.typed.value().is_empty() {
                    self.tempo.reset();
                }
            }
            _ if self.focus == Focus::Reason => {
                edit(&mut self.reason, key, MAX_TYPED);
            }
            _ => {}
        }
        Said::Nothing
    }

    fn enter(&mut self, ledger: &Ledger, now: Now) -> Said {
        match (self.focus, self.stage) {
            (Focus::Cancel, _) => Said::Closed,
            _ if self.refused() => Said::Nothing,
            (Focus::Break, _) => {
                (self.stage, self.focus) = (Stage::Breaking { since: now }, Focus::Cancel);
                Said::Nothing
            }
            (Focus::Typed | Focus::Reason, _) | (Focus::Start, Stage::Typing) => self.offer(now),
            (Focus::Start, Stage::Waiting) => match self.request(ledger) {
                Some(w) if w.approved.is_some() => self.approved(None, now),
                Some(w) if w.until > now.wall => self.say("nobody has approved it yet"),
                _ => self.offer(now),
            },
            // Somebody came after all: the glass stays whole.
            (Focus::Start, Stage::Breaking { .. }) if self.is_approved(ledger) => self.approved(None, now),
            (Focus::Start, Stage::Breaking { since }) => {
                let left = COUNTDOWN.saturating_sub(now.since(since));
                if left.is_zero() {
                    let second = Second::BreakGlass { waited_s: now.since(since).as_secs() };
                    self.approved(Some(second), now)
                } else {
                    self.say(&format!("{} to go", short_age(left)))
                }
            }
        }
    }

    fn say(&mut self, word: &str) -> Said {
        self.word = Some(word.to_owned());
        Said::Nothing
    }

    /// Whether what stands in the fields is all of it; if so it is offered.
    fn offer(&mut self, now: Now) -> Said {
        let prompt = &self.proposal.prompt;
        if let Some(want) = prompt.type_this.clone() {
            if self.typed.value() != want {
                self.focus = Focus::Typed;
                let typed = if self.typed.value().is_empty() { "nothing" } else { "something else" };
                return self.say(&format!("type {want}: {typed} stands there"));
            }
            if !self.tempo.was_typed(want.chars().count()) {
                self.typed.reset();
                self.tempo.reset();
                self.focus = Focus::Typed;
                return self.say("that came faster than anyone types: a paste does not confirm");
            }
        }
        if prompt.needs_reason && self.reason.value().trim().is_empty() {
            self.focus = Focus::Reason;
            return self.say("a reason is needed");
        }
        if prompt.needs_second {
            if self.is_stale(now) {
                return self.look_again(now);
            }
            (self.stage, self.focus) = (Stage::Waiting, Focus::Cancel);
            let (typed, reason) = (self.typed.value().to_owned(), self.reason.value().trim().to_owned());
            return Said::AskSecond { typed, reason };
        }
        self.approved(None, now)
    }

    /// The last gate: the text is exact and what was looked at is young.
    fn approved(&mut self, second: Option<Second>, now: Now) -> Said {
        let typed = self.typed.value().to_owned();
        let prompt = &self.proposal.prompt;
        if self.refused() || prompt.type_this.as_ref().is_some_and(|want| *want != typed) {
            return self.say("what must be typed is not what stands there");
        }
        if self.is_stale(now) {
            return self.look_again(now);
        }
        let reason = self.reason.value().trim();
        Said::Approved { typed, reason: Some(reason).filter(|r| !r.is_empty()).map(str::to_owned), second }
    }

    fn is_stale(&self, now: Now) -> bool {
        self.proposal.plan.level >= Level::L3 && now.since(self.proposal.looked) > PREFLIGHT
    }

    fn look_again(&mut self, now: Now) -> Said {
        self.asked = Some(now);
        let age = short_age(now.since(self.proposal.looked));
        self.word = Some(format!("looked at {age} ago: looking again, then Enter once more"));
        Said::LookAgain
    }

    /// Whether it is time to look again at what an open prompt shows.
    pub fn is_due(&mut self, now: Now) -> bool {
        let since = self.asked.map_or(now.since(self.proposal.looked), |asked| {
            now.since(asked).min(now.since(self.proposal.looked))
        });
        let due = since >= REFRESH;
        if due {
            self.asked = Some(now);
        }
        due
    }

    /// Text was pasted.
    pub fn paste(&mut self, text: &str) {
        if self.focus == Focus::Reason {
            // A ticket's address is a reason; it confirms nothing.
            text.chars().for_each(|c| crate::tui::typing::insert(&mut self.reason, c, MAX_TYPED));
        } else {
            self.word = Some("pasted text does not confirm: type it".to_owned());
        }
    }

    /// The same plan, looked at anew: closes when anything that was read is no longer so.
    pub fn take(&mut self, mut new: Box<Proposal>) -> Taken {
        if !new.changed.is_empty() {
            return Taken::Closes(new.changed);
        }
        if new.hash != self.proposal.hash {
            let line = format!("the plan was {} and is now {}", self.proposal.hash.short(), new.hash.short());
            return Taken::Closes(vec![line]);
        }
        let was_free = self.proposal.refusals.is_empty();
        if was_free && !new.refusals.is_empty() {
            return Taken::Closes(new.refusals.iter().map(refusal).collect());
        }
        let asked = &self.proposal.prompt.type_this;
        if asked.as_ref().is_some_and(|asked| new.prompt.takes(asked)) {
            // What is being typed stays what must be typed: a count that moves a little is no news.
            new.prompt.type_this.clone_from(asked);
        }
        if new.prompt.type_this != self.proposal.prompt.type_this {
            let want = new.prompt.type_this.as_deref().unwrap_or("nothing");
            self.word = Some(format!("the values have changed: now type {want}"));
            self.stage = Stage::Typing;
            self.focus = if new.prompt.type_this.is_some() { Focus::Typed } else { Focus::Cancel };
        }
        if !was_free && new.refusals.is_empty() {
            self.word = Some("what stood in its way is gone".to_owned());
        }
        self.proposal = new;
        self.asked = None;
        if !self.stops().contains(&self.focus) {
            self.focus = Focus::Cancel;
        }
        Taken::Stays
    }
}

/// Why a plan may not run, in one line.
pub fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Locked { scope, run, by, runner_alive, .. } => {
            let state = if *runner_alive { "is under way" } else { "has lost its runner: look at it first" };
            format!("run {run} of {by} holds the lock `{scope}` and {state}")
        }
        Refusal::Interlocked { says, until, .. } => format!("forbidden because {says}, until {until}"),
        Refusal::Precondition { says, seen } => format!("needs {says}: {seen}"),
        Refusal::Impossible { says } => format!("cannot be carried out: {says}"),
    }
}
