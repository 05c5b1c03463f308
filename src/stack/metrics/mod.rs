//! What a stack file says of metrics: what is scraped, which rules hold, what is drawn.

mod graphs;
pub mod read;
pub mod remote;
mod rules;
pub mod scrapes;

pub use crate::domain::alert::rule::{Inhibition, Rule, RuleKind, Severity};

use super::kind::http::Auth;
use super::kind::http::target::Target;
use crate::domain::id::HostId;
use crate::domain::promql::Expr;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything measured beyond the probes. Probes themselves become the series `probe_success`,
/// `probe_health` and `probe_duration_seconds`.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub prometheus: Option<Remote>,
    pub alertmanager: Option<Remote>,
    pub scrapes: Vec<Scrape>,
    pub rules: Vec<Rule>,
    /// Those that suppress.
    pub inhibitions: Vec<Inhibition>,
    /// All of them as they were written, those for comparison included.
    pub suppressions: Vec<Suppression>,
    pub slos: Vec<Slo>,
    pub graphs: Vec<Graph>,
    pub severities: Vec<Severity>,
    pub settings: Settings,
}

/// Bounds and paces of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often rules are evaluated.
    pub evaluation_interval: Duration,
    /// How long samples are kept.
    pub retention: Duration,
    pub max_series: usize,
    pub max_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            evaluation_interval: Duration::from_secs(15),
            retention: Duration::from_secs(6 * 3600),
            max_series: 100_000,
            max_bytes: 64 << 20,
        }
    }
}

/// A Prometheus or Alertmanager, as seen from a host of the stack.
#[derive(Clone, Debug)]
pub struct Remote {
    pub host: HostId,
    /// Its base; the API's paths are appended.
    pub target: Target,
    /// Never [`Auth::Login`].
    pub auth: Auth,
    /// Sent with every request, such as `x-scope-orgid`; names in lower case.
    pub headers: Vec<(String, String)>,
    pub timeout: Duration,
}

/// One target of scraping.
#[derive(Clone, Debug)]
pub struct Scrape {
    pub id: String,
    pub host: HostId,
    pub interval: Duration,
    pub timeout: Duration,
    /// Put on every series, over labels of the same name on the page (which become `exported_…`),
    /// as Prometheus does. `job` is the id and `instance` the address where the file does not say.
    pub labels: BTreeMap<String, String>,
    pub kind: ScrapeKind,
    pub help: String,
    pub rows: Vec<String>,
}

/// Where figures come from.
#[derive(Clone, Debug)]
pub enum ScrapeKind {
    /// A page of the Prometheus text format or of OpenMetrics.
    Page { http: Http, max_series: usize },
    /// A JSON document, fetched each interval.
    Json { http: Http, series: Vec<Mapped> },
    /// A websocket whose messages are JSON documents.
    Websocket { http: Http, series: Vec<Mapped>, only: Option<OnlyType> },
    /// The host's own figures: CPU, memory, disks, network, load.
    Host,
}

/// How to get a document.
#[derive(Clone, Debug)]
pub struct Http {
    pub target: Target,
    pub auth: Auth,
    /// Bytes, after decompression.
    pub max_body: usize,
}

/// A figure of a JSON document as a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The series' name.
    pub name: String,
    /// Dotted path to a number, a boolean (1 or 0) or a text that is a number; `*` stands for every
    /// element of a list or object, whose index or key becomes the label `each`, if that is set.
    pub path: String,
    pub each: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// `counter` or `gauge`.
    pub counter: bool,
    pub help: String,
}

/// Messages of a websocket that count: those whose `path` holds this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlyType {
    pub path: String,
    pub value: String,
}

/// An inhibition and why it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    pub inhibition: Inhibition,
    /// Off, it only stands beside the one that replaces it: nothing is suppressed by it.
    pub active: bool,
    pub help: String,
    pub rows: Vec<String>,
}

/// A service level objective.
#[derive(Clone, Debug)]
pub struct Slo {
    pub id: String,
    pub name: String,
    /// A share below 1, such as 0.999.
    pub objective: f64,
    pub window: Duration,
    /// A selector of a counter of good events, or of bad ones.
    pub events: Events,
    /// A selector of a counter of all events.
    pub total: Expr,
    /// Burn alerts need at least this many events in their short window.
    pub min_events: f64,
    pub help: String,
    pub rows: Vec<String>,
}

#[derive(Clone, Debug)]
pub enum Events {
    Good(Expr),
    Bad(Expr),
}

/// A graph of the metrics screen.
#[derive(Clone, Debug)]
pub struct Graph {
    pub id: String,
    pub title: String,
    pub unit: Unit,
    pub lines: Vec<GraphLine>,
    pub thresholds: Vec<Threshold>,
    /// On the overview as well.
    pub key: bool,
    /// The least and greatest value of the axis, where it is not to follow the data.
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub help: String,
    pub rows: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct GraphLine {
    pub expr: Expr,
    /// A template over the series' labels, such as `{{method}} {{status}}`; all labels if empty.
    pub legend: String,
}

/// A value worth a line of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    pub value: f64,
    pub label: String,
}

/// What a graph's numbers count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    #[default]
    None,
    Bytes,
    BytesPerSecond,
    Seconds,
    /// 0 to 100.
    Percent,
    /// 0 to 1.
    Ratio,
    PerSecond,
}
