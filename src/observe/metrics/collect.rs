//! One target of scraping: collects once each time it is asked, and knows which series ended.

use super::host::HostFigures;
use super::json::Json;
use super::labels::TargetLabels;
use super::page::Page;
use super::stale::{Found, MAX_AHEAD, Taken, Tracker, dated, ended};
use super::websocket::{self, Websocket};
use crate::clock::{Clock, Now};
use crate::domain::board::Family;
use crate::domain::series::{Labels, Millis, Selection};
use crate::domain::text;
use crate::domain::units;
use crate::stack::metrics::{Scrape, ScrapeKind};
use crate::transport::Transport;
use crate::transport::fetch::access::Access;
use crate::transport::fetch::{Fault, Way};
use std::sync::Arc;
use std::time::Duration;

/// The series that every target has of itself, as in Prometheus.
const UP: &str = "up";
const DURATION: &str = "scrape_duration_seconds";
const SCRAPED: &str = "scrape_samples_scraped";

/// A target and everything needed to collect from it. Belongs to one task, which calls
/// [`Collector::collect`] once an interval; what must go on in between (a websocket) does so in a
/// task that ends with this value.
pub struct Collector {
    scrape: Scrape,
    transport: Result<Arc<Transport>, String>,
    access: Arc<Access>,
    clock: Arc<dyn Clock>,
    selection: Arc<Selection>,
    labels: TargetLabels,
    reports: [Labels; 3],
    tracker: Tracker,
    explore: bool,
    source: Source,
}

enum Source {
    Page(Box<Page>),
    Json(Box<Json>),
    Host(HostFigures),
    Websocket(Box<Websocket>),
}

/// What a source has at hand while it looks.
pub(super) struct Looking<'a> {
    pub way: Way<'a>,
    pub labels: &'a TargetLabels,
    pub timeout: Duration,
    /// Also work out the families.
    pub explore: bool,
}

/// What a source found.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Bounded by the source. What nobody selects may be among it.
    pub found: Vec<Found>,
    /// Series that there were, kept or not.
    pub seen: usize,
    /// What is wrong although there are figures; empty when nothing is.
    pub trouble: String,
    pub families: Option<(Vec<Family>, usize)>,
    /// Series that have no new sample and have not ended.
    pub quiet: Vec<Labels>,
}

/// What one scrape gave.
#[derive(Debug)]
pub struct Collected {
    /// For the store, in no order, with stale markers and the target's own series. Two of one
    /// series and time can be among them, as they were on the page; the first holds.
    pub samples: Vec<Taken>,
    pub up: bool,
    /// One safe line: for a failure "expected …, got …", else what was seen.
    pub reason: String,
    /// When it began: the time of its samples.
    pub at: Now,
    pub took: Duration,
    /// Series that the target showed, and how many of them were kept.
    pub seen: usize,
    pub kept: usize,
    /// All families and how many more there are, where [`Collector::explore`] asked for them and
    /// the scrape went well.
    pub families: Option<(Vec<Family>, usize)>,
}

impl Collector {
    /// Prepares it; nothing is asked yet. `transport` is the way to the scrape's host, or why there
    /// is none. `access` is shared with the probes, so that a login is tried once for all.
    pub fn new(
        scrape: &Scrape,
        transport: Result<Arc<Transport>, String>,
        access: Arc<Access>,
        clock: Arc<dyn Clock>,
        selection: Arc<Selection>,
    ) -> Self {
        let labels = TargetLabels::of(scrape);
        let source = match scrape.kind.clone() {
            ScrapeKind::Page { http, max_series } => {
                let page = Page::new(http, max_series, &labels, Arc::clone(&selection));
                Source::Page(Box::new(page))
            }
            ScrapeKind::Json { http, series } => Source::Json(Box::new(Json::new(http, series))),
            ScrapeKind::Websocket { http, series, only } => {
                let (interval, timeout) = (scrape.interval, scrape.timeout);
                let (host, labels) = (scrape.host.clone(), labels.clone());
                let spec = websocket::Spec { http, series, only, host, labels, interval, timeout };
                Source::Websocket(Box::new(Websocket::new(spec)))
            }
            ScrapeKind::Host => Source::Host(HostFigures::default()),
        };
        Collector {
            reports: [UP, DURATION, SCRAPED].map(|name| labels.report(name)),
            scrape: scrape.clone(),
            transport,
            access,
            clock,
            selection,
            labels,
            tracker: Tracker::default(),
            explore: false,
            source,
        }
    }

    pub fn scrape(&self) -> &Scrape {
        &self.scrape
    }

    /// Which series to keep from the next scrape on; those that are no longer selected end with it.
    pub fn set_selection(&mut self, selection: Arc<Selection>) {
        if let Source::Page(page) = &mut self.source {
            page.set_selection(Arc::clone(&selection));
        }
        self.selection = selection;
    }

    /// Whether the next scrapes also give the families of all that the target shows.
    pub fn explore(&mut self, open: bool) {
        self.explore = open;
    }

    /// Scrapes once, within the scrape's timeout. Never fails: a failure is a scrape that is not
    /// up, whose series get stale markers. Cancel-safe: what a dropped scrape had seen is lost, and
    /// the next one goes on as if it had not been.
    pub async fn collect(&mut self) -> Collected {
        let at = self.clock.now();
        let looked = self.look().await;
        let took = self.clock.now().since(at);
        self.judge(looked, at, took)
    }

    async fn look(&mut self) -> Result<Look, Fault> {
        let transport = match &self.transport {
            Ok(transport) => Arc::clone(transport),
            Err(why) => return Err(Fault::Unknown(why.clone())),
        };
        let cx = Looking {
            way: Way::new(&transport, &self.access, &*self.clock, &self.scrape.host),
            labels: &self.labels,
            timeout: self.scrape.timeout,
            explore: self.explore,
        };
        let work = async {
            match &mut self.source {
                Source::Page(page) => page.look(&cx).await,
                Source::Json(json) => json.look(&cx).await,
                Source::Host(host) => host.look(&cx).await,
                Source::Websocket(socket) => {
                    socket.start(&transport, &self.access, &self.clock);
                    socket.look(&cx).await
                }
            }
        };
        let looked = tokio::time::timeout(self.scrape.timeout, work).await;
        looked.unwrap_or_else(|_| Err(cx.way.late(self.scrape.timeout)))
    }

    fn judge(&mut self, looked: Result<Look, Fault>, at: Now, took: Duration) -> Collected {
        let t = at.wall.as_millisecond();
        let mut samples = Vec::new();
        let (up, reason, seen, kept, families) = match looked {
            Ok(mut look) => {
                if !matches!(self.source, Source::Page(_)) {
                    look.found.retain(|f| self.selection.wants(&f.labels));
                }
                let kept = look.found.len();
                let ahead = self.take(look.found, look.quiet, t, &mut samples);
                let reason = good(look.seen, kept, ahead, &look.trouble);
                (true, reason, look.seen, kept, look.families)
            }
            Err(fault) => {
                self.fail(t, &mut samples);
                (false, fault.why().to_owned(), 0, 0, None)
            }
        };
        let [of_up, of_duration, of_scraped] = self.reports.clone();
        samples.extend([
            (of_up, t, f64::from(u8::from(up))),
            (of_duration, t, took.as_secs_f64()),
            (of_scraped, t, seen as f64),
        ]);
        Collected { samples, up, reason: text::reason(&reason), at, took, seen, kept, families }
    }

    /// Samples of a scrape that went well; gives how many lie too far ahead.
    fn take(&mut self, found: Vec<Found>, quiet: Vec<Labels>, t: Millis, samples: &mut Vec<Taken>) -> usize {
        match &mut self.source {
            Source::Page(page) => {
                let ahead = dated(found, t, samples);
                ended(page.gone(false), t, samples);
                ahead
            }
            _ => self.tracker.take(found, quiet, t, samples),
        }
    }

    /// Everything that the target had has ended.
    fn fail(&mut self, t: Millis, samples: &mut Vec<Taken>) {
        if let Source::Page(page) = &mut self.source {
            ended(page.gone(true), t, samples);
        }
        self.tracker.take(Vec::new(), Vec::new(), t, samples);
    }

    /// The end of a target that is no longer scraped: markers for everything it had.
    pub fn end(mut self) -> Vec<Taken> {
        let t: Millis = self.clock.now().wall.as_millisecond();
        let mut samples = Vec::new();
        self.fail(t, &mut samples);
        ended(self.reports, t, &mut samples);
        samples
    }
}

fn good(seen: usize, kept: usize, ahead: usize, trouble: &str) -> String {
    let mut parts = Vec::new();
    if !trouble.is_empty() {
        parts.push(trouble.to_owned());
    }
    if ahead > 0 {
        let by = units::exact(Duration::from_millis(MAX_AHEAD.unsigned_abs()));
        parts.push(format!("{ahead} samples more than {by} in the future"));
    }
    let word = if seen == 1 { "sample" } else { "samples" };
    parts.push(format!("{seen} {word}, {kept} kept"));
    parts.join("; ")
}
