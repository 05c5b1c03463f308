//! The expression being typed: its history, its completion, and what is wrong with it.

use super::complete::{Completion, complete};
use crate::domain::promql::{Expr, ParseError};
use crate::tui::typing::{MAX_EXPRESSION, insert};
use std::collections::VecDeque;
use tui_input::Input;

/// An expression being typed.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    pub input: Input,
    /// What is being offered for a word, and which of it stands there now.
    pub completion: Option<(Completion, usize)>,
    /// What was wrong when it was last sent.
    pub error: Option<ParseError>,
    /// How far back in the history, and what had been typed before going there.
    back: usize,
    draft: String,
}

impl Prompt {
    pub fn with(text: &str) -> Prompt {
        Prompt { input: Input::new(text.to_owned()), ..Prompt::default() }
    }

    /// Something was typed: what was said of the old text no longer holds.
    pub fn changed(&mut self) {
        (self.completion, self.error, self.back) = (None, None, 0);
    }

    pub fn paste(&mut self, line: &str) {
        line.chars().for_each(|c| insert(&mut self.input, c, MAX_EXPRESSION));
        self.changed();
    }

    /// One expression older, or newer; the newest is what was being typed.
    pub fn recall(&mut self, history: &VecDeque<String>, older: bool) {
        if self.back == 0 {
            self.input.value().clone_into(&mut self.draft);
        }
        let back = if older { (self.back + 1).min(history.len()) } else { self.back.saturating_sub(1) };
        let text = match back.checked_sub(1) {
            None => self.draft.clone(),
            Some(n) => history.iter().rev().nth(n).cloned().unwrap_or_default(),
        };
        self.input = Input::new(text);
        (self.completion, self.error, self.back) = (None, None, back);
    }

    /// Completes the word before the cursor; asked again, it offers the next.
    pub fn complete(&mut self, names: &[String], labels: &[String], forward: bool) {
        let (completion, at) = match self.completion.take() {
            Some((completion, at)) => {
                let count = completion.list.len().max(1);
                let at = if forward { at + 1 } else { at + count - 1 };
                (completion, at % count)
            }
            None => (complete(self.input.value(), self.input.cursor(), names, labels), 0),
        };
        if let Some(word) = completion.list.get(at) {
            let text = self.input.value();
            let head: String = text.chars().take(completion.start).collect();
            let tail: String = text.chars().skip(self.input.cursor()).collect();
            let cursor = completion.start + word.chars().count();
            let all = format!("{head}{word}{tail}");
            if all.chars().count() <= MAX_EXPRESSION {
                self.input = Input::new(all).with_cursor(cursor);
            }
        }
        self.error = None;
        self.completion = Some((completion, at));
    }

    /// What was typed, if it is an expression; otherwise what is wrong with it is kept and shown.
    pub fn accept(&mut self) -> Option<String> {
        let text = self.input.value().trim().to_owned();
        match Expr::parse(&text) {
            Ok(_) => Some(text),
            Err(error) => {
                (self.error, self.completion) = (Some(error), None);
                None
            }
        }
    }
}
