//! The wallboard: pages that turn by themselves, and three keys. It is built from parts that have
//! no way to change anything: it knows a matrix, a board, the list of
//! runs and a clock.

use super::glyph::Glyphs;
use super::theme::Theme;
use crate::clock::Now;
use crate::domain::board::Board;
use crate::domain::health::Health;
use crate::domain::matrix::Matrix;
use crate::domain::observation::{Observation, ProbeIndex};
use crate::domain::procedure::ledger::Ledger;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a wallboard frame is drawn from.
pub struct Wallboard {
    pub title: String,
    pub environment: String,
    pub matrix: Matrix,
    pub board: Arc<Board>,
    /// What is known of runs, to be shown.
    pub ledger: Arc<Ledger>,
    /// Whether the stack has procedures: without any, runs that may not be read are missed by nobody.
    pub expects_runs: bool,
    pub theme: Theme,
    pub glyphs: Glyphs,
    pub rotate: Duration,
    pub paused: bool,
    pub trouble: Option<String>,
    page: usize,
    turned: Now,
}

/// What a wallboard can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// One large cell for each layer.
    Layers,
    /// What is not up, with its reason.
    Problems,
    /// Alerts and objectives.
    Alerts,
    /// The probes of one layer, large.
    Layer(usize),
}

/// What a key asks for; there is nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Nothing,
    Redraw,
    Quit,
}

impl Wallboard {
    pub fn new(
        title: String,
        environment: String,
        matrix: Matrix,
        theme: Theme,
        glyphs: Glyphs,
        rotate: Duration,
        now: Now,
    ) -> Self {
        Wallboard {
            title,
            environment,
            matrix,
            board: Arc::default(),
            ledger: Arc::default(),
            expects_runs: false,
            theme,
            glyphs,
            rotate,
            paused: false,
            trouble: None,
            page: 0,
            turned: now,
        }
    }

    pub fn observe(&mut self, all: VecDeque<Observation>) {
        for observation in all {
            self.matrix.apply(observation);
        }
    }

    /// The pages there are now: problems first after the overview, and only layers that fail get
    /// a page of their own while something fails.
    pub fn pages(&self, now: Now) -> Vec<Page> {
        let layers = 0..self.matrix.layers().len();
        let failing: Vec<usize> =
            layers.clone().filter(|l| self.matrix.layer_tally(*l, now).worst() != Health::Up).collect();
        let alerts = super::model::alerts::exists(&self.board).then_some(Page::Alerts);
        if failing.is_empty() {
            return std::iter::once(Page::Layers).chain(alerts).chain(layers.map(Page::Layer)).collect();
        }
        let first = [Page::Layers, Page::Problems].into_iter().chain(alerts);
        first.chain(failing.into_iter().map(Page::Layer)).collect()
    }

    /// The page to show, and its place among all.
    pub fn page(&self, now: Now) -> (Page, usize, usize) {
        let pages = self.pages(now);
        let at = self.page % pages.len().max(1);
        (pages.get(at).copied().unwrap_or(Page::Layers), at, pages.len())
    }

    /// Turns the page when its time has come.
    pub fn tick(&mut self, now: Now) {
        if !self.paused && now.since(self.turned) >= self.rotate {
            self.turn(now);
        }
    }

    fn turn(&mut self, now: Now) {
        self.page = (self.page + 1) % self.pages(now).len().max(1);
        self.turned = now;
    }

    pub fn key(&mut self, key: KeyEvent, now: Now) -> Asked {
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Asked::Quit,
            KeyCode::Char('q') => Asked::Quit,
            KeyCode::Char('n' | ' ') | KeyCode::Right => {
                self.turn(now);
                Asked::Redraw
            }
            KeyCode::Char('p') => {
                self.paused = !self.paused;
                self.turned = now;
                Asked::Redraw
            }
            _ => Asked::Nothing,
        }
    }

    /// What is not up, worst first.
    pub fn problems(&self, now: Now) -> Vec<ProbeIndex> {
        let mut all: Vec<ProbeIndex> = (0..self.matrix.probes().len())
            .map(ProbeIndex)
            .filter(|p| self.matrix.health_at(*p, now) != Health::Up)
            .collect();
        all.sort_by_key(|p| std::cmp::Reverse(self.matrix.health_at(*p, now).severity()));
        all
    }
}
