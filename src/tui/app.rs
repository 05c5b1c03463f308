//! The state of the dashboard: what is known, what is looked at, what is typed.

use super::command::Action;
use super::glyph::Glyphs;
use super::keymap::Keymap;
use super::model::rows::{self, RowId};
use super::theme::Theme;
use crate::clock::Now;
use crate::domain::health::Health;
use crate::domain::matrix::Matrix;
use crate::domain::observation::{Observation, ProbeIndex};
use crossterm::event::KeyEvent;
use std::collections::{BTreeSet, VecDeque};
use tui_input::Input;

/// Everything that a frame is drawn from.
pub struct App {
    pub title: String,
    pub environment: String,
    live: Matrix,
    /// What is shown instead of the live matrix while the screen is frozen, and since when.
    frozen: Option<(Matrix, Now)>,
    pub screen: Screen,
    pub mode: Mode,
    pub selected: Option<RowId>,
    /// The first row shown.
    pub scroll: usize,
    pub detail: bool,
    pub detail_scroll: usize,
    pub folded: BTreeSet<usize>,
    pub only_problems: bool,
    pub filter: Input,
    pub theme: Theme,
    pub glyphs: Glyphs,
    pub keymap: Keymap,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    pub notice: Option<Notice>,
    /// What can be broken on purpose; empty outside a demonstration.
    pub switches: Vec<Switch>,
    pub switch_cursor: usize,
    /// What happened to our own machinery, to be said on every screen until quit.
    pub trouble: Option<String>,
    /// Results dropped because the screen was slow.
    pub dropped: u64,
}

/// A page of the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    Overview,
    Switches,
    Log,
}

/// Who gets the keys.
#[derive(Clone, Debug)]
pub enum Mode {
    Normal,
    /// The filter line is being typed.
    Filter,
    Help {
        scroll: usize,
    },
    Palette {
        input: Input,
        cursor: usize,
    },
}

/// Something that can be turned on and off from the screen of switches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    pub name: String,
    pub about: String,
    pub on: bool,
}

/// A short answer to a key, shown for [`NOTICE_FOR`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub at: Now,
}

/// How long a notice stays.
pub const NOTICE_FOR: std::time::Duration = std::time::Duration::from_secs(4);

/// What happens to the dashboard.
#[derive(Clone, Debug)]
pub enum Event {
    Key(KeyEvent),
    /// A command asked for otherwise than by its key.
    Act(Action),
    Paste(String),
    Resize(u16, u16),
    Observed(VecDeque<Observation>),
    Switches(Vec<Switch>),
    /// Time has passed.
    Tick,
    /// Part of our own machinery has failed.
    Trouble(String),
}

/// What the loop is to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    PollNow(Vec<ProbeIndex>),
    PollAll,
    Copy(String),
    Flip { switch: String, on: bool },
    Redraw,
    Suspend,
    Quit,
}

impl App {
    pub fn new(
        title: String,
        environment: String,
        matrix: Matrix,
        theme: Theme,
        glyphs: Glyphs,
        keymap: Keymap,
    ) -> Self {
        App {
            title,
            environment,
            live: matrix,
            frozen: None,
            screen: Screen::Overview,
            mode: Mode::Normal,
            selected: None,
            scroll: 0,
            detail: false,
            detail_scroll: 0,
            folded: BTreeSet::new(),
            only_problems: false,
            filter: Input::default(),
            theme,
            glyphs,
            keymap,
            size: (80, 24),
            notice: None,
            switches: Vec::new(),
            switch_cursor: 0,
            trouble: None,
            dropped: 0,
        }
    }

    /// What is shown: the live matrix, or the one that was frozen.
    pub fn matrix(&self) -> &Matrix {
        self.frozen.as_ref().map_or(&self.live, |(m, _)| m)
    }

    /// The moment that ages are counted to: now, or when the screen was frozen.
    pub fn shown_at(&self, now: Now) -> Now {
        self.frozen.as_ref().map_or(now, |(_, at)| *at)
    }

    pub fn frozen_since(&self) -> Option<Now> {
        self.frozen.as_ref().map(|(_, at)| *at)
    }

    pub(super) fn toggle_frozen(&mut self, now: Now) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => Some((self.live.clone(), now)),
        };
    }

    /// Takes a matrix that was filled elsewhere.
    pub fn replace_matrix(&mut self, matrix: Matrix) {
        self.live = matrix;
    }

    pub(super) fn observe(&mut self, all: VecDeque<Observation>) {
        for observation in all {
            let probe = observation.probe();
            if self.live.apply(observation)
                && let Some((meta, state)) = self.live.probe(probe)
                && let Some(change) = state.changes.back()
            {
                let from = change.from.map_or("first seen", Health::as_str);
                tracing::info!("{}: {from} to {}: {}", meta.id, change.to, change.reason);
            }
        }
    }

    /// Whether a command means anything here: without switches their screen does not exist.
    pub fn offers(&self, action: Action) -> bool {
        action != Action::ShowSwitches || !self.switches.is_empty()
    }

    /// The rows of the overview, as the filter and the folds leave them.
    pub fn rows(&self, now: Now) -> Vec<RowId> {
        rows::visible(self, now)
    }

    pub fn note(&mut self, text: impl Into<String>, now: Now) {
        self.notice = Some(Notice { text: text.into(), at: now });
    }
}
