//! Looking at some probes and targets, and keeping what was seen for expressions over time.

use super::needs::Needs;
use crate::clock::{Clock, Now};
use crate::domain::observation::{ProbeIndex, Reading};
use crate::domain::promql::{self, EvalError, Expr, LOOKBACK, Options, Value};
use crate::domain::series::{Selection, is_stale};
use crate::domain::telemetry::{Setup, Telemetry};
use crate::observe::metrics::collect::{Collected, Collector};
use crate::observe::metrics::engine::{setup, tasks};
use crate::observe::metrics::probed::Probed;
use crate::observe::prober::Prober;
use crate::observe::scheduler::MAX_RUNNING;
use crate::stack::kind::Kind;
use crate::stack::metrics::ScrapeKind;
use crate::stack::spec::Stack;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// The least time between two requests of ours to one place of an HTTP server: many count them.
const HTTP_PAUSE: Duration = Duration::from_secs(1);
/// Selectors of which is remembered that a page has nothing for them.
const MAX_BARREN: usize = 1000;

/// What was seen, and what looks.
pub(super) struct Eyes {
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    selection: Arc<Selection>,
    collectors: Vec<Collector>,
    probed: Vec<Probed>,
    /// When each probe and target was last asked over HTTP.
    asked: (Vec<Option<Now>>, Vec<Option<Now>>),
    /// Targets that answered and had nothing for a selector: their silence hides nothing of it.
    barren: HashSet<(usize, String)>,
}

/// One look.
#[derive(Default)]
pub(super) struct Look {
    pub began: Option<Now>,
    pub readings: BTreeMap<usize, Reading>,
    /// Targets that gave nothing, and why.
    pub silent: BTreeMap<usize, String>,
}

impl Eyes {
    pub fn new(stack: &Stack, prober: &Prober, clock: &Arc<dyn Clock>) -> Self {
        let mut setup = setup::of(&stack.metrics);
        // Rules, graphs and objectives are the dashboard's: here samples are only kept.
        setup.rules.rules.clear();
        let setup = Setup { graphs: Vec::new(), objectives: Vec::new(), ..setup };
        let selection = Arc::new(Selection::default());
        let collectors = tasks::collectors(stack, prober, clock, &selection);
        let (probes, targets) = (stack.probes.len(), collectors.len());
        Eyes {
            clock: Arc::clone(clock),
            telemetry: Telemetry::new(setup),
            selection,
            collectors: collectors.into_iter().map(|(_, c)| c).collect(),
            probed: (0..probes).map(|_| Probed::default()).collect(),
            asked: (vec![None; probes], vec![None; targets]),
            barren: HashSet::new(),
        }
    }

    /// Looks at all that is needed. Whatever is found was asked for after this call began.
    /// Cancel-safe: what a dropped look had seen is lost.
    pub async fn look(
        &mut self,
        stack: &Stack,
        prober: &Prober,
        probes: &BTreeSet<usize>,
        exprs: &[(Expr, Needs)],
    ) -> Look {
        let began = self.clock.now();
        self.select(exprs.iter().map(|(expr, _)| expr));
        let mut targets = BTreeSet::new();
        let mut all_probes = probes.clone();
        for (_, needs) in exprs {
            targets.extend(needs.targets.iter().chain(&needs.reports).copied());
            all_probes.extend(&needs.probes);
        }
        let fresh = prober.afresh(stack);
        self.renew(stack, &fresh, &targets);
        let (mut readings, collected) = {
            let (clock, permits) = (&*self.clock, tokio::sync::Semaphore::new(MAX_RUNNING));
            let probing = all_probes.iter().map(|i| {
                let pause = pause(fresh.probe(ProbeIndex(*i)).map(|p| &p.kind), self.asked.0.get(*i), began);
                let (fresh, permits) = (&fresh, &permits);
                let run: Running<'_, _> = Box::pin(async move {
                    tokio::time::sleep(pause).await;
                    let _permit = permits.acquire().await;
                    let at = clock.now();
                    (*i, at, fresh.run(ProbeIndex(*i)).await)
                });
                run
            });
            let probing: Vec<_> = probing.collect();
            let asked = &self.asked.1;
            let wanted = self.collectors.iter_mut().enumerate().filter(|(i, _)| targets.contains(i));
            let collecting = wanted.map(|(i, collector)| {
                let pause = rest(asked.get(i), began);
                let run: Running<'_, _> = Box::pin(async move {
                    tokio::time::sleep(pause).await;
                    (i, collector.collect().await)
                });
                run
            });
            let collecting: Vec<_> = collecting.collect();
            tokio::join!(all(probing), all(collecting))
        };
        // Notices a clock that was set back before it takes what that clock dates.
        let steady = Arc::clone(&self.clock);
        self.telemetry.evaluate(self.clock.now(), &move || steady.now().mono);
        let mut look = Look { began: Some(began), ..Look::default() };
        for (i, collected) in collected {
            self.take_scrape(i, &collected, exprs);
            if !collected.up {
                look.silent.insert(i, collected.reason);
            }
        }
        for (i, at, reading) in readings.drain(..) {
            if let Some(asked) = self.asked.0.get_mut(i) {
                *asked = Some(at);
            }
            if let (Some(spec), Some(series)) = (stack.probes.get(i), self.probed.get_mut(i)) {
                self.telemetry.take(&series.take(spec, &reading));
            }
            look.readings.insert(i, reading);
        }
        look
    }

    /// Widens what is kept to what these expressions select.
    fn select<'a>(&mut self, exprs: impl Iterator<Item = &'a Expr>) {
        let more = Selection::new(exprs.flat_map(Expr::selectors).map(|s| s.matchers));
        let merged = (*self.selection).clone().merged(&more);
        if merged != *self.selection {
            self.selection = Arc::new(merged);
            for collector in &mut self.collectors {
                collector.set_selection(Arc::clone(&self.selection));
            }
        }
    }

    /// A websocket tells what came since it was last looked at, which may be what was so before:
    /// one that is opened now tells what is so now.
    fn renew(&mut self, stack: &Stack, prober: &Prober, targets: &BTreeSet<usize>) {
        for i in targets {
            let Some(old) = self.collectors.get_mut(*i) else { continue };
            let ScrapeKind::Websocket { .. } = old.scrape().kind else { continue };
            let scrape = old.scrape().clone();
            let way = prober.way_to(&scrape.host);
            let clock = Arc::clone(&self.clock);
            let new = Collector::new(&scrape, way, prober.access(), clock, Arc::clone(&self.selection));
            self.telemetry.take(&std::mem::replace(old, new).end());
        }
        debug_assert_eq!(self.collectors.len(), stack.metrics.scrapes.len());
    }

    fn take_scrape(&mut self, target: usize, collected: &Collected, exprs: &[(Expr, Needs)]) {
        self.telemetry.take(&collected.samples);
        if let Some(asked) = self.asked.1.get_mut(target) {
            *asked = Some(collected.at);
        }
        if !collected.up {
            return;
        }
        for selector in exprs.iter().flat_map(|(expr, _)| expr.selectors()) {
            let has = |(labels, _, v): &(crate::domain::series::Labels, i64, f64)| {
                !is_stale(*v) && selector.matchers.iter().all(|m| m.selects(labels))
            };
            let key = (target, selector.text.clone());
            if collected.samples.iter().any(has) {
                self.barren.remove(&key);
            } else if self.barren.len() < MAX_BARREN {
                self.barren.insert(key);
            }
        }
    }

    /// Whether nothing is missing for an expression although a target was silent.
    pub fn does_without(&self, target: usize, expr: &Expr) -> bool {
        expr.selectors().into_iter().all(|s| self.barren.contains(&(target, s.text)))
    }

    /// The value of an expression by what this look saw; one over time also by those before.
    ///
    /// # Errors
    /// See [`Expr::instant`].
    pub fn value(&self, expr: &Expr, look: &Look) -> Result<Value, EvalError> {
        let now = self.clock.now();
        let since = look.began.map_or(Duration::ZERO, |began| now.since(began));
        // What is older than the look is not seen, so that nothing from before stands for it.
        let lookback = if looks_back(expr) { LOOKBACK } else { since + Duration::from_millis(2) };
        let options = Options { lookback, ..Options::default() };
        expr.instant(self.telemetry.source(), now.wall.as_millisecond(), &options)
    }
}

/// Whether an expression looks at more than one moment.
pub(super) fn looks_back(expr: &Expr) -> bool {
    let longer = |s: &promql::Selector| s.over_time || s.reach != LOOKBACK || s.pinned.is_some();
    expr.selectors().iter().any(longer)
}

/// How long to wait before a probe is asked again.
fn pause(kind: Option<&Kind>, asked: Option<&Option<Now>>, now: Now) -> Duration {
    match kind {
        Some(Kind::Http(_)) => rest(asked, now),
        _ => Duration::ZERO,
    }
}

fn rest(asked: Option<&Option<Now>>, now: Now) -> Duration {
    let asked = asked.copied().flatten();
    asked.map_or(Duration::ZERO, |asked| HTTP_PAUSE.saturating_sub(now.since(asked)))
}

type Running<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs all of them at once, in place: a dropped look leaves nothing behind that runs on.
async fn all<T>(mut running: Vec<Running<'_, T>>) -> Vec<T> {
    let mut done = Vec::with_capacity(running.len());
    std::future::poll_fn(|cx| {
        running.retain_mut(|one| match one.as_mut().poll(cx) {
            Poll::Ready(value) => {
                done.push(value);
                false
            }
            Poll::Pending => true,
        });
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done
}
