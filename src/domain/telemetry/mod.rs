//! Everything measured and what follows from it: samples, rules, objectives, graphs. Pure; whoever
//! owns it hands it samples and the time, and takes boards from it.

mod clocks;
mod compose;
pub mod graphs;
pub mod marks;
pub mod objectives;
mod outside;
mod sources;
#[cfg(test)]
mod tests;

pub use outside::Outside;
pub use sources::{Scraped, Target};

use self::clocks::Clocks;
use self::graphs::{Graph, MAX_ANSWER, Range};
use self::marks::Marks;
use self::objectives::Objective;
use self::sources::Sources;
use super::alert::ask::Memory;
use super::alert::rules::{self, Rules};
use super::alert::state::Restored;
use super::board::{Answer, Ask, Board, GraphData, GraphIndex, MarkKind, TargetIndex};
use super::promql::{Expr, Options};
use super::series::selection::Selection;
use super::series::store::{Limits, Store};
use super::series::{Labels, Matcher, Millis, Sample, Source};
use super::text;
use crate::clock::Now;
use std::sync::Arc;
use std::time::Duration;

/// What it is made from.
#[derive(Clone, Debug)]
pub struct Setup {
    pub rules: rules::Setup,
    pub graphs: Vec<Graph>,
    pub objectives: Vec<objectives::Setup>,
    pub targets: Vec<Target>,
    pub limits: Limits,
}

/// See the module.
pub struct Telemetry {
    store: Memories,
    rules: Rules,
    objectives: Vec<Objective>,
    graphs: Vec<Graph>,
    sources: Sources,
    marks: Marks,
    /// What rules, graphs and objectives select.
    base: Selection,
    selection: Arc<Selection>,
    watch: Option<Watch>,
    query: Option<Query>,
    outside: Outside,
    clocks: Clocks,
    /// When the rules were last looked at.
    last: Option<Now>,
    evaluation: Option<Duration>,
}

/// What is to be asked of a Prometheus: graphs and the expression that was typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Questions {
    pub graphs: Vec<GraphQuestion>,
    pub query: Option<(String, Range)>,
    /// Whether the graphs, and the query, end now: then they only move on with time.
    pub live: (bool, bool),
}

impl Questions {
    /// Whether these are the others, only later.
    pub fn only_moved_on(&self, other: &Questions) -> bool {
        let same = |a: Range, b: Range, live: bool| a == b || (live && a.is_like(b));
        let graph = |(a, b): (&GraphQuestion, &GraphQuestion)| {
            (a.index, &a.lines) == (b.index, &b.lines) && same(a.range, b.range, self.live.0)
        };
        let query = match (&self.query, &other.query) {
            (Some((a, ra)), Some((b, rb))) => a == b && same(*ra, *rb, self.live.1),
            (a, b) => a.is_none() && b.is_none(),
        };
        self.live == other.live
            && self.graphs.len() == other.graphs.len()
            && self.graphs.iter().zip(&other.graphs).all(graph)
            && query
    }
}

/// One graph as a question.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphQuestion {
    pub index: GraphIndex,
    /// Expressions and legends.
    pub lines: Vec<(String, String)>,
    pub range: Range,
}

/// The graphs that are looked at.
#[derive(Clone, Debug)]
struct Watch {
    graphs: Vec<GraphIndex>,
    span: Duration,
    end: Option<Millis>,
    columns: u16,
}

/// An expression that was typed.
#[derive(Debug)]
struct Query {
    text: String,
    expr: Result<Expr, String>,
    span: Duration,
    end: Option<Millis>,
    columns: u16,
}

/// The store, as the rules want to see it.
struct Memories(Store);

impl Source for Memories {
    fn select(
        &self,
        matchers: &[Matcher],
        from: Millis,
        to: Millis,
        visit: &mut dyn FnMut(&Labels, &[Sample]),
    ) {
        self.0.select(matchers, from, to, visit);
    }

    fn select_last(
        &self,
        matchers: &[Matcher],
        from: Millis,
        to: Millis,
        visit: &mut dyn FnMut(&Labels, Sample),
    ) {
        self.0.select_last(matchers, from, to, visit);
    }
}

impl Memory for Memories {
    fn append(&mut self, labels: &Labels, t: Millis, v: f64) {
        // What the store refuses, it counts.
        let _ = self.0.append_labels(labels, t, v);
    }
}

impl Telemetry {
    pub fn new(setup: Setup) -> Self {
        let objectives: Vec<Objective> = setup.objectives.into_iter().map(Objective::new).collect();
        let rules = setup.rules.rules.iter().map(|r| &r.expr);
        let graphs = setup.graphs.iter().flat_map(|g| g.lines.iter().map(|(expr, _)| expr));
        let exprs = rules.chain(graphs).chain(objectives.iter().flat_map(Objective::exprs));
        let selectors = exprs.flat_map(Expr::selectors).map(|s| s.matchers);
        let base = Selection::new(selectors.chain(Marks::wanted()));
        let sources = Sources::new(setup.targets, setup.rules.rules.iter());
        Telemetry {
            store: Memories(Store::new(setup.limits)),
            rules: Rules::new(setup.rules),
            objectives,
            graphs: setup.graphs,
            sources,
            marks: Marks::default(),
            selection: Arc::new(base.clone()),
            base,
            watch: None,
            query: None,
            outside: Outside::default(),
            clocks: Clocks::default(),
            last: None,
            evaluation: None,
        }
    }

    /// The series that are worth keeping at the moment; another `Arc` when that has changed.
    pub fn selection(&self) -> Arc<Selection> {
        Arc::clone(&self.selection)
    }

    /// Everything in memory.
    pub fn source(&self) -> &dyn Source {
        &self.store
    }

    /// Takes samples that come from no target: of probes, of tests.
    pub fn take(&mut self, samples: &[(Labels, Millis, f64)]) {
        for (labels, t, v) in samples {
            self.sources.learn(labels);
            self.marks.observe(labels, *t, *v);
            self.store.append(labels, *t, *v);
        }
    }

    /// Takes what one look at a target gave.
    pub fn take_scrape(&mut self, mut scraped: Scraped) {
        self.notice_clock(scraped.at);
        self.sources.take(&scraped);
        if self.clocks.is_of_old_clock(scraped.at) {
            // Dated by a clock that was wrong: the next look is not far.
            scraped.samples.clear();
        }
        self.take(&scraped.samples);
    }

    /// What others know, as of now.
    pub fn outside_mut(&mut self) -> &mut Outside {
        &mut self.outside
    }

    pub fn objectives_mut(&mut self) -> &mut [Objective] {
        &mut self.objectives
    }

    /// Looks at every rule that is due, and counts the objectives' events. `elapsed` is a steady
    /// clock. Returns in words which alerts moved, for the log.
    pub fn evaluate(&mut self, now: Now, elapsed: &dyn Fn() -> Duration) -> Vec<String> {
        self.run(now, elapsed, false)
    }

    /// As [`Telemetry::evaluate`], with every rule due.
    pub fn evaluate_all(&mut self, now: Now, elapsed: &dyn Fn() -> Duration) -> Vec<String> {
        self.run(now, elapsed, true)
    }

    fn run(&mut self, now: Now, elapsed: &dyn Fn() -> Duration, all: bool) -> Vec<String> {
        self.notice_clock(now);
        let at = now.wall.as_millisecond();
        let began = elapsed();
        self.store.0.expire(at);
        let done = if all {
            self.rules.evaluate_all(&mut self.store, at, elapsed)
        } else {
            self.rules.evaluate(&mut self.store, at, elapsed)
        };
        for objective in &mut self.objectives {
            objective.count(&self.store, at);
        }
        if done.rules > 0 || !self.objectives.is_empty() {
            self.evaluation = Some(elapsed().saturating_sub(began));
        }
        let mut told = Vec::new();
        for moved in &done.transitions {
            let Some(rule) = self.rules.rule(moved.rule) else { continue };
            let what = format!("{} {}", rule.name(), moved.step.words());
            told.push(format!("{what}: {}", moved.labels));
            if moved.step.is_firing() {
                self.marks.push(now.wall, MarkKind::Alert, &what);
            }
        }
        for (index, why) in &done.failures {
            let name = self.rules.rule(*index).map_or("a rule", |r| r.name());
            tracing::warn!("{name}: failed to {}", text::one_line(why, 200));
        }
        self.last = Some(now);
        told
    }

    /// Samples from what is now the future would keep every later one out until then, and times of
    /// alerts would not come.
    fn notice_clock(&mut self, now: Now) {
        let Some(jump) = self.clocks.look(now) else { return };
        let at = now.wall.as_millisecond();
        if jump < 0 {
            self.store.0.cut_after(at);
        }
        self.rules.clock_jumped(at, jump);
        self.objectives.iter_mut().for_each(|o| o.clock_jumped(at, jump));
        tracing::warn!("{}", self.clocks.trouble(now).unwrap_or_default());
    }

    /// Changes what is looked at.
    pub fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Watch { graphs, span, end, columns } => {
                self.watch = Some(Watch { graphs, span, end, columns });
            }
            Ask::Query { expr, span, end, columns } => {
                let parsed = Expr::parse(&expr).map_err(|e| e.to_string());
                let more = parsed.as_ref().map(|e| e.selectors().into_iter().map(|s| s.matchers));
                let more = more.map_or_else(|_| Selection::default(), Selection::new);
                self.select(self.base.clone().merged(&more));
                self.query = Some(Query { text: expr, expr: parsed, span, end, columns });
            }
            Ask::Explore { target } => self.sources.explore(Some(target)),
            Ask::Rest => {
                self.watch = None;
                self.query = None;
                self.outside.forget_screens();
                self.sources.explore(None);
                self.select(self.base.clone());
            }
        }
    }

    fn select(&mut self, selection: Selection) {
        if *self.selection != selection {
            self.selection = Arc::new(selection);
        }
    }

    /// Whether a target answered when it was last looked at.
    pub fn is_up(&self, target: TargetIndex) -> Option<bool> {
        self.sources.is_up(target)
    }

    /// Whether every target was looked at: before that, rules would find nothing.
    pub fn all_looked_at(&self) -> bool {
        self.sources.all_looked_at()
    }

    /// The target whose every family is wanted.
    pub fn explored(&self) -> Option<TargetIndex> {
        self.sources.explored()
    }

    /// The expressions of the graphs that are looked at and the moments they are wanted for: what
    /// a Prometheus is to be asked.
    pub fn watched(&self, now: Now) -> Vec<(GraphIndex, &Graph, Range)> {
        let Some(watch) = &self.watch else { return Vec::new() };
        let range = Range::new(watch.span, watch.end.unwrap_or(now.wall.as_millisecond()), watch.columns);
        let graph = |i: &GraphIndex| Some((*i, self.graphs.get(i.0)?, range));
        watch.graphs.iter().filter_map(graph).collect()
    }

    /// The expression that was typed, if it is one, and the moments it is wanted for.
    pub fn queried(&self, now: Now) -> Option<(&Expr, Range)> {
        let query = self.query.as_ref()?;
        let end = query.end.unwrap_or(now.wall.as_millisecond());
        Some((query.expr.as_ref().ok()?, Range::new(query.span, end, query.columns)))
    }

    /// What a Prometheus is to be asked for the screens.
    pub fn questions(&self, now: Now) -> Questions {
        let graphs = self.watched(now).into_iter().map(|(index, graph, range)| GraphQuestion {
            index,
            lines: graph
                .lines
                .iter()
                .map(|(expr, legend)| (expr.text().to_owned(), legend.clone()))
                .collect(),
            range,
        });
        let query = self.queried(now).map(|(expr, range)| (expr.text().to_owned(), range));
        let graphs = graphs.collect();
        let live = |end: Option<Option<Millis>>| end == Some(None);
        let live = (live(self.watch.as_ref().map(|w| w.end)), live(self.query.as_ref().map(|q| q.end)));
        Questions { graphs, query, live }
    }

    fn draw(&self, now: Now) -> Vec<Arc<GraphData>> {
        let live = self.watch.as_ref().is_some_and(|w| w.end.is_none());
        self.watched(now)
            .into_iter()
            .map(|(index, graph, range)| match self.outside.graph(index, range, live) {
                Some(data) => data,
                None => Arc::new(graphs::draw(index, graph, &self.store, range)),
            })
            .collect()
    }

    fn answer(&self, now: Now) -> Option<Arc<Answer>> {
        let query = self.query.as_ref()?;
        let range = Range::new(query.span, query.end.unwrap_or(now.wall.as_millisecond()), query.columns);
        if let Some(answer) = self.outside.answer(&query.text, range, query.end.is_none()) {
            return Some(answer);
        }
        let (mut lines, mut trouble) = match &query.expr {
            Ok(expr) => {
                match expr.range(&self.store, range.from, range.to, range.step(), &Options::default()) {
                    Ok(lines) => (lines, None),
                    Err(e) => (Vec::new(), Some(format!("failed to evaluate it: {e}"))),
                }
            }
            Err(e) => (Vec::new(), Some(e.clone())),
        };
        if lines.len() > MAX_ANSWER {
            trouble = Some(format!("the first {MAX_ANSWER} of {} series are shown", lines.len()));
            lines.truncate(MAX_ANSWER);
        }
        let Range { from, to, step } = range;
        Some(Arc::new(Answer { expr: query.text.clone(), from, to, step, lines, trouble, remote: false }))
    }

    /// A picture of it all.
    pub fn board(&mut self, now: Now) -> Board {
        compose::board(self, now)
    }

    /// The alerts as a text to be kept; see [`Rules::save`].
    ///
    /// # Errors
    /// They cannot be written down.
    pub fn save(&self) -> Result<Option<String>, String> {
        let Some(last) = self.last else { return Ok(None) };
        self.rules.save(last.wall.as_millisecond()).map(Some)
    }

    /// Takes up alerts that were kept; see [`Rules::restore`].
    ///
    /// # Errors
    /// Why they are of no use.
    pub fn restore(&mut self, text: &str, now: Now) -> Result<Restored, String> {
        self.rules.restore(text, now.wall.as_millisecond())
    }
}
