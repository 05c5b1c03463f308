//! The board: what the metrics engine has found, as one immutable picture for screens and reports.
//! A new one is published when something on it changed; whoever draws never waits for it.

use super::alert::view::{AlertView, RuleView};
use super::promql::Line;
use super::series::Millis;
use crate::clock::Now;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A graph of the stack file, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GraphIndex(pub usize);

/// A scrape target, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetIndex(pub usize);

/// Everything the screens show of metrics, rules and objectives.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// When it was made; `None` before the engine has looked for the first time.
    pub at: Option<Now>,
    pub engine: Engine,
    pub targets: Vec<TargetView>,
    /// The most pressing first: firing before pending, by severity, then the longest standing.
    pub alerts: Vec<AlertView>,
    pub rules: Vec<RuleView>,
    pub slos: Vec<SloView>,
    /// Of the graphs that are being watched; see [`Ask::Watch`].
    pub graphs: Vec<Arc<GraphData>>,
    pub marks: Vec<Mark>,
    /// The answer to the last [`Ask::Query`].
    pub query: Option<Arc<Answer>>,
    /// The answer to the last [`Ask::Explore`].
    pub families: Option<Arc<Families>>,
    /// Names of metrics and of labels that are known, for completing what is typed; ascending.
    pub names: Arc<Vec<String>>,
    pub labels: Arc<Vec<String>>,
}

/// The engine itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Engine {
    pub prometheus: Option<RemoteView>,
    pub alertmanager: Option<RemoteView>,
    pub series: usize,
    pub samples: u64,
    pub bytes: usize,
    /// Samples and series that the bounds of the store refused, in all.
    pub dropped: u64,
    /// What the last evaluation of all rules took.
    pub evaluation: Option<Duration>,
    /// What is wrong with the engine itself, in words.
    pub trouble: Option<String>,
}

/// A Prometheus or an Alertmanager.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteView {
    pub url: String,
    pub state: RemoteState,
    /// Such as `Prometheus 2.42.0`.
    pub version: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RemoteState {
    NotAsked,
    Answering {
        at: Now,
    },
    /// With the reason, and since when.
    Silent {
        since: Now,
        why: String,
    },
}

/// One target of scraping.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetView {
    pub index: TargetIndex,
    pub id: String,
    pub host: String,
    pub url: String,
    /// `None` before the first scrape.
    pub up: Option<bool>,
    /// What is wrong, or what was seen.
    pub reason: String,
    pub at: Option<Now>,
    pub took: Duration,
    /// Series on the page, and how many of them some expression selects.
    pub seen: usize,
    pub kept: usize,
}

/// One objective.
#[derive(Clone, Debug, PartialEq)]
pub struct SloView {
    pub id: String,
    pub name: String,
    /// A share, such as 0.999.
    pub objective: f64,
    pub window: Duration,
    /// How much of the window there are samples for.
    pub seen: Duration,
    /// The share of good events in what was seen; `None` without events.
    pub good: Option<f64>,
    /// Events in what was seen.
    pub events: f64,
    /// What is left of the error budget: 1 is all of it, negative is overspent.
    pub budget_left: Option<f64>,
    pub burns: Vec<BurnView>,
    /// Whether the long windows come from a Prometheus.
    pub remote: bool,
    /// Why there is no figure, in words.
    pub trouble: Option<String>,
    pub help: String,
    pub rows: Vec<String>,
}

/// One pair of windows over which the budget's burn rate is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct BurnView {
    pub long: Duration,
    pub short: Duration,
    pub factor: f64,
    pub long_rate: Option<f64>,
    pub short_rate: Option<f64>,
    pub firing: bool,
    /// Why it does not fire although the rates are high: too few events, too little seen.
    pub held_back: Option<String>,
    pub severity: String,
}

/// What a graph shows.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphData {
    pub index: GraphIndex,
    pub from: Millis,
    pub to: Millis,
    pub step: Millis,
    pub lines: Vec<Drawn>,
    /// Why there is nothing, or not all, in words.
    pub trouble: Option<String>,
    /// Whether it comes from a Prometheus.
    pub remote: bool,
}

/// One line of a graph with its legend already filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    pub legend: String,
    pub line: Line,
}

/// A change on the time axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub at: Timestamp,
    pub kind: MarkKind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarkKind {
    /// A service was started again.
    Restart,
    /// Another version runs.
    Deploy,
    /// A procedure was run.
    Run,
    Incident,
    /// An alert began to fire.
    Alert,
}

/// The answer to an expression that was typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub expr: String,
    pub from: Millis,
    pub to: Millis,
    pub step: Millis,
    pub lines: Vec<Line>,
    pub trouble: Option<String>,
    pub remote: bool,
}

/// All that one page of metrics held when it was last looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Families {
    pub target: TargetIndex,
    pub at: Option<Now>,
    pub list: Vec<Family>,
    /// Families beyond the bound, which are not listed.
    pub more: usize,
    pub trouble: Option<String>,
}

/// A metric family: what its page says of it, and its series' values.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    pub name: String,
    /// `counter`, `gauge`, `histogram`, `summary`, `untyped`.
    pub kind: String,
    pub help: String,
    pub unit: String,
    /// Of every series: its labels in words and its value or, for histograms and summaries, count,
    /// mean and quantiles in words.
    pub series: Vec<(String, String)>,
    /// Series beyond the bound.
    pub more: usize,
}

/// What the screens ask the engine for. Each replaces the one of its kind before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Keep these graphs drawn, this far back, ending now or at a moment, in this many columns.
    Watch { graphs: Vec<GraphIndex>, span: Duration, end: Option<Millis>, columns: u16 },
    /// Keep evaluating this expression over the same kind of range.
    Query { expr: String, span: Duration, end: Option<Millis>, columns: u16 },
    /// Keep all families of a target's page.
    Explore { target: TargetIndex },
    /// Nothing of the metrics screen is open any more.
    Rest,
}
