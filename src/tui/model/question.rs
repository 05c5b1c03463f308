//! A question about a run: what can be answered, with doing nothing as the first answer.

use super::tempo::Tempo;
use crate::clock::Now;
use crate::domain::id::RunId;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::event::{Choice, Hold, Mode};
use crate::domain::procedure::ledger::{Ledger, RunState, Waiting};
use crate::domain::procedure::plan::PlanHash;
use crate::domain::procedure::proposal;
use crate::domain::procedure::request::Request;
use crate::domain::procedure::run::{Run, Stopper};
use crate::tui::app::Effect;
use crate::tui::model::confirm::UNREAD;
use crate::tui::typing::{MAX_TYPED, edit};
use crossterm::event::{KeyCode, KeyEvent};
use jiff::Timestamp;
use tui_input::Input;

/// Rows that a key scrolls by.
const PAGE: usize = 5;
/// Columns of a narrow screen.
const NARROW: usize = 30;

/// A question, with the answers to choose from.
#[derive(Clone, Debug)]
pub struct Question {
    pub title: String,
    pub lines: Vec<String>,
    /// Rows of these that are scrolled past, at most; less where there are not as many.
    pub scroll: usize,
    /// What each answer does. The first does nothing and has the focus at first.
    pub answers: Vec<(String, Option<Answer>)>,
    pub at: usize,
    /// What the person saw or did; `None` where nothing is asked for.
    pub note: Option<Note>,
    /// What must be typed before anything but the first answer counts.
    pub type_this: Option<String>,
    pub typed: Input,
    /// It was typed; what is typed from now on is the note.
    pub confirmed: bool,
    pub word: Option<String>,
    /// What it is about: when that is no longer so, the question closes.
    pub about: About,
    opened: Now,
    tempo: Tempo,
}

#[derive(Clone, Debug)]
pub struct Note {
    pub input: Input,
    /// What it is to tell.
    pub label: &'static str,
    /// Going on is not possible without one.
    pub needed: bool,
}

/// What an answer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Abort { now: bool },
    Release { step: String, hold: u64, choice: Choice },
    Resume(Mode),
    ApproveOther { id: String, hash: PlanHash },
}

/// What a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// The hold of a run, by when it began.
    Hold(RunId, Timestamp),
    /// A run that has not ended.
    Live(RunId),
    /// A run without a runner: lost, or ended.
    Still(RunId),
    /// The plan of another person.
    Plan(String),
}

/// What a key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Nothing,
    Closed,
    Asked(Effect),
}

impl Question {
    fn new(title: String, lines: Vec<String>, about: About, now: Now) -> Question {
        Question {
            title,
            lines,
            scroll: 0,
            answers: vec![("do nothing".to_owned(), None)],
            at: 0,
            note: None,
            type_this: None,
            typed: Input::default(),
            confirmed: false,
            word: None,
            about,
            opened: now,
            tempo: Tempo::default(),
        }
    }

    /// How to stop a run that is under way.
    pub fn abort(run: &Run, state: RunState, now: Now) -> Question {
        let mut lines = Vec::new();
        if let Some(abort) = &run.abort {
            lines.push(match &abort.by {
                Stopper::Person(by) => format!("{} has asked it to stop already", by.login),
                Stopper::Interruption(_) => format!("it stops already, because of {}", abort.by),
            });
        }
        if state == RunState::Lost {
            lines.push("its runner is gone: the run ends as it stands, in doubt".to_owned());
        } else {
            lines.push("what has been done stays done; what is owed stays owed".to_owned());
            lines.push(match super::run_view::undoing(run).0.as_slice() {
                [] => "nothing of what was done so far can be undone afterwards".to_owned(),
                steps => format!("afterwards only this can be undone: {}", steps.join(", ")),
            });
        }
        let title = format!("stop {}?", run.plan.name);
        let mut question = Question::new(title, lines, About::Live(run.id.clone()), now);
        if state == RunState::Lost {
            question.answer("end the run as it stands", Answer::Abort { now: false });
            return question;
        }
        if run.abort.is_none() {
            question.answer("finish the step that runs, then stop", Answer::Abort { now: false });
        }
        question.answer("stop now: end the step that runs (TERM, then KILL)", Answer::Abort { now: true });
        question
    }

    /// What a run waits for; `None` when it does not.
    pub fn hold(run: &Run, now: Now) -> Option<Question> {
        let hold = run.hold.as_ref()?;
        let step = run.plan.steps.iter().find(|s| s.id == hold.step);
        let name = step.map_or(hold.step.as_str(), |s| s.name.as_str());
        let undoing = run.is_held_by_undoing();
        let why = match hold.why {
            Hold::InDoubt if undoing => "it is not known whether its undoing happened",
            Hold::Planned => "the procedure waits here",
            Hold::TimedOut => "its time is over",
            Hold::Failed => "it failed",
            Hold::Manual => "this is for you to do",
            Hold::InDoubt if run.index_of(&hold.step).is_some_and(|i| run.is_unverified(i)) => {
                "it was done and not seen to be good, and it must not happen twice"
            }
            Hold::InDoubt => "it is not known whether it happened, and it must not happen twice",
        };
        let lines = vec![format!("step {name}: {why}"), hold.says.clone()];
        let about = About::Hold(run.id.clone(), hold.since);
        let mut question = Question::new(format!("{} waits for you", run.plan.name), lines, about, now);
        for choice in &hold.choices {
            let words = match (choice, hold.why) {
                (Choice::GoOn, Hold::Manual) => "I did it: go on",
                (Choice::GoOn, Hold::Planned) => "go on",
                (Choice::GoOn, _) if undoing => "take it as undone and go on",
                (Choice::GoOn, _) => "take it as done and go on",
                (Choice::Again, Hold::Planned | Hold::Manual) => "do the step",
                (Choice::Again, _) if undoing => "undo the step again",
                (Choice::Again, _) => "do the step again",
                (Choice::Stop, _) => "stop the run here",
            };
            let step = hold.step.as_str().to_owned();
            question.answer(words, Answer::Release { step, hold: hold.n, choice: *choice });
        }
        let needed = step.is_some_and(|s| matches!(&s.action, Action::Manual(m) if m.note));
        let label = if needed { "what you saw (needed)" } else { "note" };
        question.note = Some(Note { input: Input::default(), label, needed });
        Some(question)
    }

    /// Going on with, or undoing, a run whose runner is gone.
    pub fn resume(run: &Run, mode: Mode, now: Now) -> Question {
        let (title, line, words) = match mode {
            Mode::Continue => (
                format!("go on with {}?", run.plan.name),
                "preconditions are checked again; what is in doubt is asked of the system, before anything is repeated",
                "go on with it",
            ),
            Mode::Rollback => (
                format!("undo {}?", run.plan.name),
                "what was done is undone, the last step first, back to the point of no return",
                "undo it",
            ),
        };
        let mut lines = vec![line.to_owned(), format!("{}: {}", run.plan.level, run.plan.place())];
        let (undone, stay) = super::run_view::undoing(run);
        let left: Vec<&str> = run
            .plan
            .steps
            .iter()
            .zip(&run.steps)
            .filter(|(_, s)| !s.phase.is_good())
            .map(|(s, _)| s.name.as_str())
            .collect();
        lines.push(match (mode, undone.as_slice(), left.as_slice()) {
            (Mode::Rollback, [], _) => "nothing of it can be undone".to_owned(),
            (Mode::Rollback, steps, _) => format!("undoes: {}", steps.join(", ")),
            (Mode::Continue, _, []) => "no step is left of it".to_owned(),
            (Mode::Continue, _, steps) => format!("still to be done: {}", steps.join(", ")),
        });
        if mode == Mode::Rollback && !stay.is_empty() {
            lines.push(format!("does NOT undo: {}", stay.join(", ")));
        }
        let mut question = Question::new(title, lines, About::Still(run.id.clone()), now);
        let prompt = proposal::resume_prompt(run, mode);
        if prompt.needs_second {
            question.lines.push(format!(
                "a second person must approve that: `quarterdeck runs resume {}` in a shell waits for them, \
                 or goes on alone with --break-glass",
                run.id
            ));
            return question;
        }
        question.type_this = prompt.type_this;
        if prompt.needs_reason {
            question.note = Some(Note { input: Input::default(), label: "why", needed: true });
        }
        question.answer(words, Answer::Resume(mode));
        question
    }

    /// The plan of another person, for the one who is asked to look at it.
    pub fn approve(waiting: &Waiting, now: Now) -> Question {
        let mut lines = vec![
            format!("{} asks for a second person, because: {}", waiting.by, waiting.reason),
            format!("{}: {}", waiting.level, waiting.place),
        ];
        lines.extend(waiting.blast.iter().cloned());
        lines.push(format!("plan {}", waiting.hash));
        lines.extend(waiting.steps.iter().enumerate().map(|(i, step)| format!("{}. {step}", i + 1)));
        let about = About::Plan(waiting.id.clone());
        let mut question = Question::new(format!("approve {}?", waiting.name), lines, about, now);
        question.type_this = Some(waiting.procedure.as_str().to_owned());
        let answer = Answer::ApproveOther { id: waiting.id.clone(), hash: waiting.hash.clone() };
        question.answer("approve exactly this plan", answer);
        question
    }

    fn answer(&mut self, words: &str, answer: Answer) {
        self.answers.push((words.to_owned(), Some(answer)));
    }

    pub fn key(&mut self, key: KeyEvent, now: Now) -> Said {
        if key.code == KeyCode::Esc {
            return Said::Closed;
        }
        let held = self.tempo.is_repeat(key, now);
        match key.code {
            KeyCode::PageDown => self.scroll = (self.scroll + PAGE).min(self.most_rows()),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(PAGE),
            KeyCode::Up | KeyCode::BackTab => self.at = self.at.saturating_sub(1),
            KeyCode::Down | KeyCode::Tab => self.at = (self.at + 1).min(self.answers.len().saturating_sub(1)),
            KeyCode::Enter if held || now.since(self.opened) < UNREAD => {}
            KeyCode::Enter => return self.enter(),
            KeyCode::Char(_) if held => self.word = Some("a held key counts once".to_owned()),
            _ => {
                self.word = None;
                if self.type_this.is_some() && !self.confirmed {
                    edit(&mut self.typed, key, MAX_TYPED);
                    if self.typed.value().is_empty() {
                        self.tempo.reset();
                    }
                } else if let Some(note) = &mut self.note {
                    edit(&mut note.input, key, MAX_TYPED);
                }
            }
        }
        Said::Nothing
    }

    /// Rows that its lines take on a narrow screen, about.
    fn most_rows(&self) -> usize {
        self.lines.iter().map(|line| 1 + line.len() / NARROW).sum()
    }

    fn enter(&mut self) -> Said {
        let Some((_, Some(answer))) = self.answers.get(self.at).cloned() else { return Said::Closed };
        if let Some(want) = self.type_this.as_ref().filter(|_| !self.confirmed) {
            if self.typed.value() != want {
                self.word = Some(format!("type {want} first"));
                return Said::Nothing;
            }
            if !self.tempo.was_typed(want.chars().count()) {
                self.typed.reset();
                self.tempo.reset();
                self.word = Some("that came faster than anyone types: a paste does not confirm".to_owned());
                return Said::Nothing;
            }
            self.confirmed = true;
        }
        let note = self.note.as_ref().map(|n| n.input.value().trim().to_owned()).filter(|n| !n.is_empty());
        let goes_on = matches!(answer, Answer::Release { choice: Choice::GoOn, .. } | Answer::Resume(_));
        if let Some(needed) = self.note.as_ref().filter(|n| n.needed && goes_on && note.is_none()) {
            self.word = Some(format!("write {}, then Enter", needed.label.trim_end_matches(" (needed)")));
            return Said::Nothing;
        }
        let run = match &self.about {
            About::Hold(run, _) | About::Live(run) | About::Still(run) => run.clone(),
            About::Plan(_) => {
                return match answer {
                    Answer::ApproveOther { id, hash } => Said::Asked(Effect::ApproveOther { id, hash }),
                    _ => Said::Closed,
                };
            }
        };
        Said::Asked(match answer {
            Answer::Abort { now } => Effect::Request { run, request: Request::Abort { now } },
            Answer::Release { step, hold, choice } => {
                Effect::Request { run, request: Request::Release { step, hold: Some(hold), choice, note } }
            }
            Answer::Resume(mode) => {
                Effect::Resume { run, mode, typed: self.typed.value().to_owned(), reason: note }
            }
            Answer::ApproveOther { id, hash } => Effect::ApproveOther { id, hash },
        })
    }

    pub fn paste(&mut self, text: &str) {
        match &mut self.note {
            Some(note) if self.type_this.is_none() || self.confirmed => {
                text.chars().for_each(|c| crate::tui::typing::insert(&mut note.input, c, MAX_TYPED));
            }
            _ => self.word = Some("pasted text does not confirm: type it".to_owned()),
        }
    }

    /// Why what it asks about is no longer so.
    pub fn outdated(&self, ledger: &Ledger) -> Option<String> {
        let line = |run: &RunId| ledger.runs.iter().find(|l| l.id == *run).map(|l| l.state);
        match &self.about {
            About::Hold(run, since) => {
                let open = ledger.open.iter().find(|r| r.id == *run);
                let same = open.and_then(|r| r.hold.as_ref()).is_some_and(|h| h.since == *since);
                (!same).then(|| "it no longer waits for this: somebody has answered, or it ended".to_owned())
            }
            About::Live(run) => match line(run) {
                Some(RunState::Ended(outcome)) => {
                    Some(format!("the run has ended: {}", super::tone::outcome(outcome)))
                }
                _ => None,
            },
            About::Still(run) => match line(run) {
                Some(RunState::Lost | RunState::Ended(_)) | None => None,
                Some(_) => Some("somebody has taken the run up again".to_owned()),
            },
            About::Plan(id) => match ledger.waiting.iter().find(|w| w.id == *id) {
                None => Some("the request was withdrawn, started or expired".to_owned()),
                Some(Waiting { approved: Some(by), .. }) => Some(format!("{by} has approved it")),
                Some(_) => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::StepId;
    use crate::domain::procedure::event::{Event, Truth};
    use crate::domain::procedure::machine::Next;
    use crate::domain::procedure::machine::worlds::{
        World, asked, at_step, failed, finished, intended, plan, resumed, rollback, step, with,
    };

    fn now() -> Now {
        Now { mono: std::time::Duration::ZERO, wall: Timestamp::UNIX_EPOCH }
    }

    fn words(question: &Question) -> String {
        let answers = question.answers.iter().map(|(words, _)| words.as_str());
        question.lines.iter().map(String::as_str).chain(answers).collect::<Vec<_>>().join("\n")
    }

    /// "Do it again" must not be taken for the step where it is its undoing that is in doubt.
    #[test]
    fn what_is_in_doubt_is_named_and_so_is_what_stays() {
        let mut w = World::new(plan(vec![with("a", |s| s.rollback = Some(rollback())), step("b")]));
        w.well_until(at_step(1)).must(intended("b", 1));
        w.must(resumed(Mode::Continue)).well_until(|n| *n == Next::Ask { step: 1 });
        w.must(asked("b", Truth::Unknown)).well();
        let forward = words(&Question::hold(&w.run, now()).unwrap());
        assert!(forward.contains("do the step again") && !forward.contains("undo"), "{forward}");

        let mut w = World::new(plan(vec![with("a", |s| s.rollback = Some(rollback())), step("b")]));
        w.well_until(at_step(1)).must(intended("b", 1)).must(finished("b", 1, failed())).well();
        let undo = words(&Question::resume(&w.run, Mode::Rollback, now()));
        assert!(undo.contains("undoes: a\ndoes NOT undo: b"), "{undo}");
        w.must(resumed(Mode::Rollback)).well_until(|n| *n == Next::RollBack { step: 0 });
        w.must(Event::RollbackIntended { step: StepId::new("a"), before: String::new() });
        w.must(resumed(Mode::Rollback)).must(asked("a", Truth::Unknown)).well();
        let hold = words(&Question::hold(&w.run, now()).unwrap());
        for part in ["whether its undoing happened", "take it as undone and go on", "undo the step again"] {
            assert!(hold.contains(part), "{part}: {hold}");
        }
    }
}
