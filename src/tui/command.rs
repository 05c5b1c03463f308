//! The one table of commands: footer, help, palette and key bindings are made from it.

use crate::stack::procedure::spec::Role;

/// What a key or the palette can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    Quit,
    Help,
    Palette,
    Filter,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    NextProblem,
    Open,
    DetailDown,
    DetailUp,
    Back,
    Fold,
    FoldAll,
    OnlyProblems,
    PollNow,
    PollAll,
    Freeze,
    Copy,
    Theme,
    Redraw,
    Suspend,
    Left,
    Right,
    ZoomIn,
    ZoomOut,
    Earlier,
    Later,
    ToNow,
    NextPage,
    Targets,
    Expression,
    GraphForm,
    ShowOverview,
    ShowMetrics,
    ShowAlerts,
    ShowProcedures,
    ShowSwitches,
    ShowLog,
    Restart,
    Drain,
    Contain,
    Applies,
    Answer,
    Abort,
    Resume,
    Rollback,
}

/// One command: how it is named in config and palette, what it does, its keys at first.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    pub action: Action,
    /// The name in `[keys]` and in the palette.
    pub name: &'static str,
    /// What it does, for help and palette.
    pub doc: &'static str,
    /// A short word for the footer; empty keeps it out of there.
    pub hint: &'static str,
    /// In crokey's notation.
    pub keys: &'static [&'static str],
}

/// Every command, in the order of the help page.
pub const COMMANDS: &[Command] = &[
    c(Action::Help, "help", "show every key", "help", &["?", "f1"]),
    c(Action::Quit, "quit", "leave", "quit", &["q", "ctrl-c"]),
    c(Action::Answer, "answer", "a run that waits: go on, again or stop; asks first", "answer", &["o"]),
    c(Action::Abort, "abort", "a run: stop it after this step, or now; asks first", "stop", &["X"]),
    c(Action::Resume, "resume", "a run that was lost or failed: go on; asks first", "go on", &["r"]),
    c(Action::Rollback, "rollback", "a run that was lost or failed: undo it; asks first", "undo", &["u"]),
    c(Action::Open, "open", "open the details of the selected row", "details", &["enter"]),
    c(Action::DetailDown, "detail-down", "scroll the details down", "", &["J", "shift-down"]),
    c(Action::DetailUp, "detail-up", "scroll the details up", "", &["K", "shift-up"]),
    c(Action::Back, "back", "close what is open; never acts", "", &["esc"]),
    c(Action::Filter, "filter", "show only rows that match", "filter", &["/"]),
    c(Action::Palette, "palette", "find a command by name", "commands", &[":"]),
    c(Action::ZoomIn, "zoom-in", "graphs: a shorter time", "zoom", &["+", "="]),
    c(Action::ZoomOut, "zoom-out", "graphs: a longer time", "", &["-"]),
    c(Action::Expression, "expression", "type a PromQL expression", "expression", &["e"]),
    c(Action::NextPage, "next-page", "metrics: graphs, targets, expression in turn", "pages", &["tab"]),
    c(Action::Earlier, "earlier", "graphs: earlier", "earlier", &["[", "<"]),
    c(Action::Later, "later", "graphs: later", "later", &["]", ">"]),
    c(Action::ToNow, "to-now", "graphs: follow the present again", "now", &["0"]),
    c(Action::Targets, "targets", "metrics: what is scraped, and all its families", "", &["s"]),
    c(Action::GraphForm, "graph-form", "graphs: in Braille or in blocks", "", &["b"]),
    c(Action::Applies, "applies", "procedures for the selected row; each is shown first", "act", &["a"]),
    c(Action::Restart, "restart", "controlled restart: plans it, and asks", "restart", &["R"]),
    c(Action::Drain, "drain", "drain and recover: plans it, and asks", "drain", &["D"]),
    c(Action::Contain, "contain", "emergency containment: plans it, and asks", "contain", &["C"]),
    c(Action::PollNow, "poll-now", "look at the selected probe or layer now", "poll", &["p"]),
    c(Action::PollAll, "poll-all", "look at everything now", "", &["P"]),
    c(Action::OnlyProblems, "only-problems", "show only what is not up", "problems", &["!"]),
    c(Action::NextProblem, "next-problem", "go to the next row that is not up", "next problem", &["n"]),
    c(Action::Freeze, "freeze", "stop the screen; looking goes on behind it", "freeze", &["f"]),
    c(Action::Copy, "copy", "copy the selected row with its reason (OSC 52)", "copy", &["y"]),
    c(Action::Theme, "theme", "next theme", "theme", &["t"]),
    c(Action::Up, "up", "up", "", &["up", "k"]),
    c(Action::Down, "down", "down", "", &["down", "j"]),
    c(Action::PageUp, "page-up", "a page up", "", &["pageup", "ctrl-u"]),
    c(Action::PageDown, "page-down", "a page down", "", &["pagedown", "ctrl-d"]),
    c(Action::First, "first", "to the first row", "", &["home", "g"]),
    c(Action::Last, "last", "to the last row", "", &["end", "G"]),
    c(Action::Left, "left", "left; on a graph the cursor, in the matrix the fold", "", &["left", "h"]),
    c(Action::Right, "right", "right, likewise", "", &["right", "l"]),
    c(Action::Fold, "fold", "fold or unfold the layer", "", &["space"]),
    c(Action::FoldAll, "fold-all", "fold or unfold every layer", "", &["z"]),
    c(Action::ShowOverview, "overview", "screen: the health matrix", "", &["1"]),
    c(Action::ShowMetrics, "metrics", "screen: graphs, targets, expressions", "", &["2"]),
    c(
        Action::ShowAlerts,
        "alerts",
        "screen: alerts, objectives, rules; why nobody is paged",
        "alerts",
        &["3"],
    ),
    c(
        Action::ShowProcedures,
        "procedures",
        "screen: procedures, runs, what is owed and what forbids",
        "",
        &["4"],
    ),
    c(Action::ShowSwitches, "switches", "screen: what can be broken on purpose", "", &["8"]),
    c(Action::ShowLog, "log", "screen: the program's own log", "", &["9"]),
    c(Action::Redraw, "redraw", "draw everything anew", "", &["ctrl-l"]),
    c(Action::Suspend, "suspend", "stop and go back to the shell; fg returns", "", &["ctrl-z"]),
];

const fn c(
    action: Action,
    name: &'static str,
    doc: &'static str,
    hint: &'static str,
    keys: &'static [&'static str],
) -> Command {
    Command { action, name, doc, hint, keys }
}

impl Action {
    /// Whether it belongs to a run that is looked at.
    pub fn is_of_runs(self) -> bool {
        matches!(self, Action::Answer | Action::Abort | Action::Resume | Action::Rollback)
    }

    /// The role of the procedure that it opens.
    pub fn role(self) -> Option<Role> {
        match self {
            Action::Restart => Some(Role::Restart),
            Action::Drain => Some(Role::Drain),
            Action::Contain => Some(Role::Contain),
            _ => None,
        }
    }

    /// Whether it belongs to the metrics screen, and means nothing without one.
    pub fn is_of_metrics(self) -> bool {
        use Action::{
            Earlier, Expression, GraphForm, Later, NextPage, ShowMetrics, Targets, ToNow, ZoomIn, ZoomOut,
        };
        matches!(
            self,
            ShowMetrics
                | ZoomIn
                | ZoomOut
                | Earlier
                | Later
                | ToNow
                | Expression
                | NextPage
                | Targets
                | GraphForm
        )
    }
}

/// The names that `[keys]` takes.
pub fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|c| c.name)
}

pub fn by_name(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|c| c.name == name)
}
