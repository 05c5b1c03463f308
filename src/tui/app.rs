//! The state of the dashboard: what is known, what is looked at, what is typed.

use super::command::Action;
use super::glyph::Glyphs;
use super::keymap::Keymap;
use super::model::alerts::{self, AlertsView};
use super::model::dialog::{Acting, Dialog};
use super::model::metrics::{self, MetricsView};
use super::model::prompt::Prompt;
use super::model::rows::{self, RowId};
use super::model::{marks, procedures};
use super::theme::Theme;
use crate::clock::Now;
use crate::domain::board::{Ask, Board, Mark};
use crate::domain::health::Health;
use crate::domain::id::{ProcedureId, RunId};
use crate::domain::matrix::Matrix;
use crate::domain::observation::{Observation, ProbeIndex};
use crate::domain::procedure::event::{Mode as Way, Second};
use crate::domain::procedure::ledger::Ledger;
use crate::domain::procedure::plan::PlanHash;
use crate::domain::procedure::proposal::Proposal;
use crate::domain::procedure::request::{Reply, Request};
use crate::stack::metrics::Graph;
use crate::stack::procedure::spec::Procedures;
use crossterm::event::KeyEvent;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tui_input::Input;

/// Everything that a frame is drawn from.
pub struct App {
    pub title: String,
    pub environment: String,
    live: Matrix,
    live_board: Arc<Board>,
    /// What is shown instead of what is live while the screen is frozen.
    frozen: Option<Frozen>,
    /// The graphs of the stack file, in its order.
    pub graphs: Arc<Vec<Graph>>,
    pub metrics: MetricsView,
    pub alerts: AlertsView,
    /// What has changed, for the time axis of graphs.
    pub marks: Vec<Mark>,
    /// The procedures of the stack file, in its order.
    pub procedures: Arc<Procedures>,
    /// All runs. Never frozen: what is being done to the world is always shown as it is.
    pub ledger: Arc<Ledger>,
    pub acting: Acting,
    /// What the engine was last asked for, of each kind at most one.
    pub asked: Vec<Ask>,
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

/// What was true when the screen was frozen.
struct Frozen {
    matrix: Matrix,
    board: Arc<Board>,
    at: Now,
}

/// A page of the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    Overview,
    Metrics,
    Alerts,
    Procedures,
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
    /// An expression is being typed.
    Prompt(Box<Prompt>),
    /// Something about a procedure or a run stands over the screen.
    Act(Box<Dialog>),
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
    /// The metrics engine has found something new.
    Board(Arc<Board>),
    Switches(Vec<Switch>),
    /// A plan that was asked for; also while its prompt is open, when something has changed.
    Proposed(Result<Box<Proposal>, Vec<String>>),
    /// What is known of all runs.
    Ledger(Arc<Ledger>),
    /// What was approved has a runner, or has not, because.
    Started(Result<RunId, Vec<String>>),
    /// What a runner answered to a request, or to a resume.
    Replied {
        run: RunId,
        reply: Reply,
    },
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
    Flip {
        switch: String,
        on: bool,
    },
    /// Something else of the metrics engine is on the screen now.
    Ask(Ask),
    /// Make a plan, or look again at the one whose prompt is open.
    Propose {
        procedure: ProcedureId,
        params: BTreeMap<String, String>,
    },
    /// The plan that is shown was confirmed: have it run. For L4, `second` is empty when another
    /// person has approved it: who that was is known from the state directory, not from here.
    Approve {
        typed: String,
        reason: Option<String>,
        second: Option<Second>,
    },
    /// Put the plan that is shown up for a second person.
    AskSecond {
        typed: String,
        reason: String,
    },
    /// The prompt was closed: what waits for a second person is withdrawn, nothing is looked at any more.
    Withdraw,
    Request {
        run: RunId,
        request: Request,
    },
    Resume {
        run: RunId,
        mode: Way,
        /// What was typed to confirm it, and why it is done, where that is asked for.
        typed: String,
        reason: Option<String>,
    },
    /// The plan of another person is approved by the one in front of the screen.
    ApproveOther {
        id: String,
        hash: PlanHash,
    },
    /// The run whose journal is to be in the ledger in full, also when it has ended.
    LookAt(Option<RunId>),
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
            live_board: Arc::default(),
            frozen: None,
            graphs: Arc::default(),
            metrics: MetricsView::default(),
            alerts: AlertsView::default(),
            marks: Vec::new(),
            procedures: Arc::default(),
            ledger: Arc::default(),
            acting: Acting::default(),
            asked: Vec::new(),
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
        self.frozen.as_ref().map_or(&self.live, |f| &f.matrix)
    }

    /// What is shown of metrics and alerts: the live board, or the one that was frozen.
    pub fn board(&self) -> &Arc<Board> {
        self.frozen.as_ref().map_or(&self.live_board, |f| &f.board)
    }

    /// Has graphs show what is known now of changes; to be called when any of that has changed.
    pub fn note_marks(&mut self) {
        self.marks = marks::of(&self.live_board, &self.ledger);
    }

    /// Takes a board in; what is frozen stays as it is.
    pub fn replace_board(&mut self, board: Arc<Board>) {
        self.metrics.learn(&board);
        self.live_board = board;
        self.note_marks();
    }

    /// The moment that ages are counted to: now, or when the screen was frozen.
    pub fn shown_at(&self, now: Now) -> Now {
        self.frozen.as_ref().map_or(now, |f| f.at)
    }

    pub fn frozen_since(&self) -> Option<Now> {
        self.frozen.as_ref().map(|f| f.at)
    }

    pub(super) fn toggle_frozen(&mut self, now: Now) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => Some(Frozen { matrix: self.live.clone(), board: Arc::clone(&self.live_board), at: now }),
        };
    }

    /// The filter of the screen that is shown; that of the matrix where a screen has none.
    pub fn filter_of_screen(&self) -> &Input {
        match self.screen {
            Screen::Metrics => &self.metrics.filter,
            Screen::Alerts => &self.alerts.filter,
            Screen::Procedures => &self.acting.view.filter,
            _ => &self.filter,
        }
    }

    pub(super) fn filter_of_screen_mut(&mut self) -> &mut Input {
        match self.screen {
            Screen::Metrics => &mut self.metrics.filter,
            Screen::Alerts => &mut self.alerts.filter,
            Screen::Procedures => &mut self.acting.view.filter,
            _ => &mut self.filter,
        }
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

    /// Whether a command means anything here: a screen without anything to show does not exist.
    pub fn offers(&self, action: Action) -> bool {
        match action {
            Action::ShowSwitches => !self.switches.is_empty(),
            Action::ShowAlerts => alerts::exists(self.board()),
            Action::ShowProcedures => procedures::exists(&self.procedures, &self.ledger),
            Action::Applies => !self.procedures.all.is_empty(),
            action if action.is_of_runs() => !self.ledger.runs.is_empty(),
            action if action.role().is_some() => {
                action.role().is_some_and(|role| procedures::of_role(&self.procedures, role).is_some())
            }
            action if action.is_of_metrics() => metrics::exists(self.board(), &self.graphs),
            _ => true,
        }
    }

    /// The rows of the overview, as the filter and the folds leave them.
    pub fn rows(&self, now: Now) -> Vec<RowId> {
        rows::visible(self, now)
    }

    pub fn note(&mut self, text: impl Into<String>, now: Now) {
        self.notice = Some(Notice { text: text.into(), at: now });
    }
}
