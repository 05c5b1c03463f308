//! What the metrics screen looks at: which page, which graphs, which time.

use crate::clock::Now;
use crate::domain::board::{Ask, Board, GraphIndex, TargetIndex};
use crate::domain::series::Millis;
use crate::domain::text::one_line;
use crate::stack::metrics::Graph;
use crate::tui::app::{App, Screen};
use crate::tui::view;
use crate::tui::widget::canvas::Form;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use tui_input::Input;

/// The spans of time that zooming goes through, in minutes.
const SPANS: [u64; 10] = [5, 15, 30, 60, 180, 360, 720, 1440, 2880, 10_080];

/// The longest that is shown unless somebody chooses: an hour. What is collected here began with
/// this program, and an hour of it would be an empty graph for most of that hour: it grows up to it.
const LONGEST_FIRST: usize = 3;

/// The most expressions that are remembered.
const MAX_HISTORY: usize = 100;

/// A page of the metrics screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Page {
    #[default]
    Graphs,
    /// One graph in full size.
    Graph,
    Targets,
    /// All families of one target.
    Families,
    /// An expression that was typed, and its answer.
    Query,
}

/// The state of the metrics screen.
#[derive(Clone, Debug)]
pub struct MetricsView {
    pub page: Page,
    pub filter: Input,
    /// The graph under the cursor, by its place in the stack file.
    pub graph: usize,
    /// The first row of graphs shown.
    pub scroll: usize,
    /// The span that was chosen; `None` before anybody has.
    zoom: Option<usize>,
    /// The span where nobody chooses.
    first: usize,
    /// When the first board came: nothing before that is known here.
    began: Option<Now>,
    /// The right end of the time shown; `None` follows the present.
    pub end: Option<Millis>,
    pub cursor: Option<Millis>,
    /// The line that stands out, in full size.
    pub line: Option<usize>,
    pub form: Form,
    /// The target under the cursor, among all.
    pub target: usize,
    /// The row under the cursor among the families, and which are open.
    pub family: usize,
    pub open: BTreeSet<String>,
    pub query: Option<String>,
    /// Newest last.
    pub history: VecDeque<String>,
}

impl Default for MetricsView {
    fn default() -> Self {
        MetricsView {
            page: Page::Graphs,
            filter: Input::default(),
            graph: 0,
            scroll: 0,
            zoom: None,
            first: 0,
            began: None,
            end: None,
            cursor: None,
            line: None,
            form: Form::default(),
            target: 0,
            family: 0,
            open: BTreeSet::new(),
            query: None,
            history: VecDeque::new(),
        }
    }
}

impl MetricsView {
    pub fn span(&self) -> Duration {
        Duration::from_secs(SPANS.get(self.place()).copied().unwrap_or(60) * 60)
    }

    /// The span where nobody chooses: on the overview, and at first.
    pub fn first_span(&self) -> Duration {
        Duration::from_secs(SPANS.get(self.first).copied().unwrap_or(60) * 60)
    }

    fn place(&self) -> usize {
        self.zoom.unwrap_or(self.first)
    }

    /// Takes note of how far back anything is known: as long as a Prometheus remembers, or since
    /// the first board.
    pub fn learn(&mut self, board: &Board) {
        self.began = self.began.or(board.at);
        let known = board.at.zip(self.began).map_or(Duration::ZERO, |(at, began)| at.since(began));
        let fits = |minutes: &u64| Duration::from_secs(minutes * 60) > known;
        self.first = if board.engine.prometheus.is_some() {
            LONGEST_FIRST
        } else {
            SPANS.iter().position(fits).unwrap_or(LONGEST_FIRST).min(LONGEST_FIRST)
        };
    }

    pub fn span_millis(&self) -> Millis {
        Millis::try_from(self.span().as_millis()).unwrap_or(Millis::MAX)
    }

    /// A shorter time; with a cursor it stays in sight.
    pub fn zoom_in(&mut self, now: Millis) {
        self.zoom = Some(self.place().saturating_sub(1));
        let (from, to) = self.range(now);
        if let Some(at) = self.cursor.filter(|at| !(from..=to).contains(at)) {
            let end = at.saturating_add(self.span_millis() / 2);
            self.end = (end < now).then_some(end);
        }
    }

    /// A cursor that the times shown have left goes to their edge.
    pub fn hold_cursor(&mut self, now: Millis) {
        let (from, to) = self.range(now);
        self.cursor = self.cursor.map(|at| at.clamp(from, to));
    }

    pub fn zoom_out(&mut self) {
        self.zoom = Some((self.place() + 1).min(SPANS.len() - 1));
    }

    /// Half a width earlier.
    pub fn earlier(&mut self, now: Millis) {
        let end = self.end.unwrap_or(now);
        self.end = Some(end.saturating_sub(self.span_millis() / 2));
    }

    /// Half a width later; what would be the future is the present.
    pub fn later(&mut self, now: Millis) {
        self.end = self.end.map(|end| end.saturating_add(self.span_millis() / 2)).filter(|end| *end < now);
    }

    /// The times shown.
    pub fn range(&self, now: Millis) -> (Millis, Millis) {
        let end = self.end.unwrap_or(now);
        (end.saturating_sub(self.span_millis()), end)
    }

    pub fn remember(&mut self, expr: &str) {
        self.history.retain(|old| old != expr);
        if self.history.len() >= MAX_HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(expr.to_owned());
    }
}

/// Whether there is anything for the metrics screen to show.
pub fn exists(board: &Board, graphs: &[Graph]) -> bool {
    !graphs.is_empty() || !board.targets.is_empty() || board.engine.prometheus.is_some()
}

/// The graphs that the filter leaves, by their place in the stack file.
pub fn listed(app: &App) -> Vec<usize> {
    let words = words(&app.metrics.filter);
    let graphs = app.graphs.iter().enumerate();
    graphs.filter(|(_, g)| has(&format!("{} {} {}", g.id, g.title, g.help), &words)).map(|(i, _)| i).collect()
}

/// The words of a filter, in lower case.
pub fn words(filter: &Input) -> Vec<String> {
    filter.value().to_lowercase().split_whitespace().map(str::to_owned).collect()
}

/// Whether every word is in a text.
pub fn has(text: &str, words: &[String]) -> bool {
    let text = if words.is_empty() { String::new() } else { text.to_lowercase() };
    words.iter().all(|w| text.contains(w.as_str()))
}

/// The graphs that are on the screen, of those that are listed.
pub fn visible(app: &App) -> Vec<usize> {
    let grid = view::metrics::grid(app);
    listed(app).into_iter().skip(app.metrics.scroll * grid.across).take(grid.across * grid.rows).collect()
}

/// What is wanted from the engine for what is on the screen, of each kind at most one.
pub fn wanted(app: &App) -> Vec<Ask> {
    let m = &app.metrics;
    let watch = |graphs: Vec<usize>, columns: u16, span: Duration, end: Option<Millis>| {
        let graphs: Vec<GraphIndex> = graphs.into_iter().map(GraphIndex).collect();
        if graphs.is_empty() { Vec::new() } else { vec![Ask::Watch { graphs, span, end, columns }] }
    };
    match (app.screen, m.page) {
        (Screen::Overview, _) => {
            let (graphs, width) = view::overview::key_graphs(app);
            watch(graphs, view::metrics::dots(app, width), m.first_span(), None)
        }
        (Screen::Metrics, Page::Graphs) => {
            let width = view::metrics::grid(app).width;
            watch(visible(app), view::metrics::dots(app, width), m.span(), m.end)
        }
        (Screen::Metrics, Page::Graph) => {
            let graph = Some(m.graph).filter(|g| *g < app.graphs.len());
            watch(graph.into_iter().collect(), view::metrics::dots(app, app.size.0), m.span(), m.end)
        }
        (Screen::Metrics, Page::Families) => {
            let target = app.board().targets.get(m.target).map_or(TargetIndex(m.target), |t| t.index);
            vec![Ask::Explore { target }]
        }
        (Screen::Metrics, Page::Query) => m
            .query
            .clone()
            .map(|expr| Ask::Query {
                expr,
                span: m.span(),
                end: m.end,
                columns: view::metrics::dots(app, app.size.0),
            })
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

/// What must be asked so that what is wanted replaces what was: the engine keeps one of each kind
/// until told to rest.
pub fn to_ask(before: &[Ask], wanted: &[Ask]) -> Vec<Ask> {
    let kind = std::mem::discriminant::<Ask>;
    let dropped = before.iter().any(|old| !wanted.iter().any(|new| kind(new) == kind(old)));
    if dropped {
        return std::iter::once(Ask::Rest).chain(wanted.iter().cloned()).collect();
    }
    wanted.iter().filter(|new| !before.contains(new)).cloned().collect()
}

/// A row of the explorer: a family, or one series of a family that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyRow {
    Family(usize),
    Series(usize, usize),
}

/// The rows of the explorer, as the filter leaves them.
pub fn family_rows(app: &App) -> Vec<FamilyRow> {
    let board = app.board();
    let Some(families) = shown_families(app, board) else { return Vec::new() };
    let words = words(&app.metrics.filter);
    let mut out = Vec::new();
    for (at, family) in families.list.iter().enumerate() {
        if has(&format!("{} {} {}", family.name, family.kind, family.help), &words) {
            out.push(FamilyRow::Family(at));
            if app.metrics.open.contains(&family.name) {
                out.extend((0..family.series.len()).map(|s| FamilyRow::Series(at, s)));
            }
        }
    }
    out
}

/// The families of the target that is open, once they are those of that target.
pub fn shown_families<'a>(app: &App, board: &'a Board) -> Option<&'a crate::domain::board::Families> {
    let target = board.targets.get(app.metrics.target)?.index;
    board.families.as_deref().filter(|f| f.target == target)
}

/// An expression that makes sense of a family: a rate for what only grows.
pub fn expression_for(family: &crate::domain::board::Family) -> String {
    let name = one_line(&family.name, 200);
    match family.kind.as_str() {
        "counter" => format!("rate({name}[5m])"),
        "histogram" => format!("histogram_quantile(0.95, sum by (le) (rate({name}_bucket[5m])))"),
        "summary" => format!("rate({name}_sum[5m]) / rate({name}_count[5m])"),
        _ => name,
    }
}
