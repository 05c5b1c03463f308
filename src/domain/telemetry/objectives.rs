//! The objectives while the program runs: their counts, here or from a Prometheus, and since when
//! they burn.

use crate::domain::alert::view::{AlertView, Origin, Paged, Phase};
use crate::domain::board::SloView;
use crate::domain::promql::{Expr, Options, Value};
use crate::domain::series::{Labels, Millis, Source};
use crate::domain::slo::{self, Counts, Figures, PAIRS, Promise};
use crate::domain::units::long_age;
use jiff::Timestamp;
use std::time::Duration;

/// One objective as the stack file has it.
#[derive(Clone, Debug)]
pub struct Setup {
    pub id: String,
    pub name: String,
    pub promise: Promise,
    pub total: Expr,
    pub part: Expr,
    /// Whether `part` counts the good events, else the bad ones.
    pub good: bool,
    pub help: String,
    pub rows: Vec<String>,
}

/// One objective at work.
#[derive(Debug)]
pub struct Objective {
    setup: Setup,
    counts: Vec<Counts>,
    local: Vec<(Duration, Figures)>,
    /// What a Prometheus counted, window by window; nothing where it has no such series.
    remote: Vec<(Duration, Option<Figures>)>,
    /// When that Prometheus' first sample of the total was.
    reach: Option<Millis>,
    /// How far back there are samples of the total, here.
    seen: Duration,
    /// Since when each pair of windows fires.
    since: [Option<Millis>; PAIRS.len()],
    trouble: Option<String>,
}

impl Objective {
    pub fn new(setup: Setup) -> Self {
        let windows = slo::windows(&setup.promise);
        let made: Result<Vec<Counts>, _> =
            windows.iter().map(|w| slo::counts(*w, &setup.total, &setup.part)).collect();
        let trouble = made.as_ref().err().map(|e| format!("failed to count: {e}"));
        Objective {
            counts: made.unwrap_or_default(),
            setup,
            local: Vec::new(),
            remote: Vec::new(),
            reach: None,
            seen: Duration::ZERO,
            since: Default::default(),
            trouble,
        }
    }

    /// What a Prometheus is to be asked, window by window: all events, then the part.
    pub fn questions(&self) -> &[Counts] {
        &self.counts
    }

    /// The expressions whose series must be kept.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.counts.iter().flat_map(|c| [&c.total, &c.part])
    }

    /// Counts over what is in memory.
    pub fn count(&mut self, source: &dyn Source, at: Millis) {
        self.seen = self.seen_since(source, at);
        self.local.clear();
        for counts in &self.counts {
            let value = |expr: &Expr| match expr.instant(source, at, &Options::default()) {
                Ok(Value::Vector(points)) => Ok(points.first().map(|p| p.v)),
                Ok(_) => Ok(None),
                Err(e) => Err(format!("failed to evaluate {expr}: {e}")),
            };
            match (value(&counts.total), value(&counts.part)) {
                (Ok(total), Ok(part)) => {
                    self.local.extend(self.setup.figures(total, part).map(|f| (counts.window, f)));
                    self.trouble = None;
                }
                (Err(e), _) | (_, Err(e)) => self.trouble = Some(e),
            }
        }
    }

    fn seen_since(&self, source: &dyn Source, at: Millis) -> Duration {
        let window = Millis::try_from(self.setup.promise.window.as_millis()).unwrap_or(Millis::MAX / 4);
        let mut first = at;
        for selector in self.setup.total.selectors() {
            source.select(&selector.matchers, at - window, at, &mut |_, samples| {
                first = samples.first().map_or(first, |s| first.min(s.t));
            });
        }
        Duration::from_millis(u64::try_from(at - first).unwrap_or(0))
    }

    /// Two expressions whose lesser value is when the first sample of the total was, in seconds: a
    /// coarse one over the whole window, and a fine one for a Prometheus that has just begun.
    pub fn reach_questions(&self) -> [String; 2] {
        let first = |window: Duration, steps: u32| {
            let total = self.setup.total.text();
            let (window, step) = (window.as_secs().max(1), (window / steps).as_secs().max(1));
            format!("min(min_over_time(timestamp({total})[{window}s:{step}s]))")
        };
        [first(self.setup.promise.window, 720), first(Duration::from_secs(2 * 3600), 480)]
    }

    /// Takes when a Prometheus' first sample of the total was; `None` when it has none.
    pub fn reaches(&mut self, first: Option<Millis>) {
        self.reach = first;
    }

    /// Takes a Prometheus' counts of one window; `None` values are no series.
    pub fn answered(&mut self, window: Duration, total: Option<f64>, part: Option<f64>) {
        self.remote.retain(|(w, _)| *w != window);
        self.remote.push((window, self.setup.figures(total, part)));
    }

    /// A Prometheus no longer answers: its counts would only grow old.
    pub fn forget_remote(&mut self) {
        self.remote.clear();
    }

    /// The wall clock jumped: a burn that began in what is now the future began before.
    pub fn clock_jumped(&mut self, at: Millis, by: Millis) {
        for since in self.since.iter_mut().flatten().filter(|since| **since > at) {
            *since = since.saturating_add(by).min(at);
        }
    }

    /// What the Prometheus counted and since when, once it has said all of it: some windows from
    /// there and some from here would be compared with each other.
    fn remote(&self) -> Option<(Vec<(Duration, Figures)>, Millis)> {
        let reach = self.reach.filter(|_| self.remote.len() >= self.counts.len())?;
        let figures: Vec<_> = self.remote.iter().filter_map(|(w, f)| Some((*w, (*f)?))).collect();
        (!figures.is_empty()).then_some((figures, reach))
    }

    /// The verdict: by a Prometheus' counts while it `answers`, if it has any.
    pub fn view(&mut self, at: Millis, answers: bool) -> SloView {
        let remote = self.remote().filter(|_| answers);
        let figures = remote.as_ref().map_or(&self.local, |(figures, _)| figures);
        let of = |window: Duration| figures.iter().find(|(w, _)| *w == window).map(|(_, f)| *f);
        let since = |first: Millis| Duration::from_millis(u64::try_from(at - first).unwrap_or(0));
        let seen = remote.as_ref().map_or(self.seen, |(_, first)| since(*first));
        let seen = seen.min(self.setup.promise.window);
        let judged = slo::judge(&self.setup.promise, seen, &of);
        for (since, burn) in self.since.iter_mut().zip(&judged.burns) {
            *since = if burn.firing { since.or(Some(at)) } else { None };
        }
        let nothing = figures.is_empty().then(|| "no events have been counted yet".to_owned());
        SloView {
            id: self.setup.id.clone(),
            name: self.setup.name.clone(),
            objective: self.setup.promise.objective,
            window: self.setup.promise.window,
            seen,
            good: judged.good,
            events: judged.events,
            budget_left: judged.budget_left,
            burns: judged.burns,
            remote: remote.is_some(),
            trouble: self.trouble.clone().filter(|_| remote.is_none()).or(nothing),
            help: self.setup.help.clone(),
            rows: self.setup.rows.clone(),
        }
    }

    /// The burns that fire, as alerts. `rank` says how severe a severity is.
    pub fn alerts(&self, view: &SloView, rank: &dyn Fn(&str) -> u8) -> Vec<AlertView> {
        let firing = view.burns.iter().zip(&self.since).filter_map(|(b, since)| Some((b, (*since)?)));
        firing
            .filter_map(|(burn, since)| {
                let since = Timestamp::from_millisecond(since).ok()?;
                let rate = burn.long_rate.unwrap_or_default();
                let summary = format!(
                    "{} burns its error budget at {rate:.1} times the rate it can afford, over {} and {}",
                    view.name,
                    long_age(burn.long),
                    long_age(burn.short)
                );
                Some(AlertView {
                    rule: None,
                    name: format!("burn over {}: {}", long_age(burn.long), view.id),
                    severity: burn.severity.clone(),
                    rank: rank(&burn.severity),
                    labels: Labels::new([
                        ("slo", view.id.as_str()),
                        ("severity", &burn.severity),
                        ("window", &long_age(burn.long)),
                    ]),
                    annotations: vec![("summary".to_owned(), summary)],
                    value: rate,
                    phase: Phase::Firing,
                    since,
                    fired: Some(since),
                    keep_left: None,
                    acknowledge_by: None,
                    paged: Paged::Unknown {
                        why: "judged here; only a rule of a Prometheus can page for it".to_owned(),
                    },
                    origin: if view.remote { Origin::Prometheus } else { Origin::Local },
                    caveat: (view.seen < burn.long)
                        .then(|| format!("only {} of {} seen", long_age(view.seen), long_age(burn.long))),
                })
            })
            .collect()
    }
}

impl Setup {
    /// Without the total there is nothing to say; without the part there are none of it.
    fn figures(&self, total: Option<f64>, part: Option<f64>) -> Option<Figures> {
        let (total, part) = (total?, part.unwrap_or(0.0));
        let sound = total.is_finite() && part.is_finite();
        let figures = if self.good {
            Figures::of_good(total, part)
        } else {
            Figures { total, bad: part.clamp(0.0, total.max(0.0)) }
        };
        sound.then_some(figures)
    }
}
