//! For tests of scraping: one target, its collector, and what it collected as texts.

use quarterdeck::clock::{Clock, ManualClock};
use quarterdeck::domain::id::{HostId, SecretId};
use quarterdeck::domain::series::{Selection, is_stale};
use quarterdeck::observe::metrics::collect::{Collected, Collector};
use quarterdeck::stack::kind::common::Tls;
use quarterdeck::stack::kind::http::Auth;
use quarterdeck::stack::kind::http::target::Target;
use quarterdeck::stack::metrics::{Http, Mapped, Scrape, ScrapeKind};
use quarterdeck::stack::spec::{Host, Login, SecretSource, TransportSpec};
use quarterdeck::transport::Transport;
use quarterdeck::transport::fetch::access::Access;
use quarterdeck::transport::secret::Secrets;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The moment at which every bench begins.
pub const START: &str = "2026-01-01T00:00:00Z";

/// A host, what its targets share, and a clock that the test moves.
pub struct Bench {
    pub rt: tokio::runtime::Runtime,
    pub clock: Arc<ManualClock>,
    transport: Arc<Transport>,
    access: Arc<Access>,
    /// Of every collector that is made from now on.
    pub timeout: Duration,
    pub selection: Selection,
}

impl Bench {
    pub fn local() -> Bench {
        Bench::new(TransportSpec::Local, &[], &[])
    }

    pub fn new(transport: TransportSpec, secrets: &[(&str, &str)], logins: &[Login]) -> Bench {
        let host = Host { id: HostId::new("h"), transport, path: Vec::new() };
        let source = |value: &str| SecretSource::Command(vec!["echo".into(), value.into()]);
        let sources = secrets.iter().map(|(name, value)| (SecretId::new(name), source(value)));
        Bench {
            rt: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            clock: Arc::new(ManualClock::at(START.parse().unwrap())),
            transport: Arc::new(Transport::new(&host).unwrap()),
            access: Arc::new(Access::new(Secrets::new(sources.collect()), logins)),
            timeout: Duration::from_secs(20),
            selection: Selection::everything(),
        }
    }

    pub fn collector(&self, kind: ScrapeKind) -> Collector {
        let scrape = Scrape {
            id: "job".into(),
            host: HostId::new("h"),
            interval: Duration::from_secs(15),
            timeout: self.timeout,
            labels: BTreeMap::from([("instance".to_owned(), "i".to_owned())]),
            kind,
            help: String::new(),
            rows: Vec::new(),
        };
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let selection = Arc::new(self.selection.clone());
        Collector::new(&scrape, Ok(Arc::clone(&self.transport)), Arc::clone(&self.access), clock, selection)
    }

    pub fn collect(&self, collector: &mut Collector) -> Collected {
        self.rt.block_on(collector.collect())
    }

    /// Collects once from a target of its own.
    pub fn once(&self, kind: ScrapeKind) -> Collected {
        self.collect(&mut self.collector(kind))
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub fn http(url: &str) -> Http {
    Http { target: Target::parse(url, None, None).unwrap(), auth: Auth::None, max_body: 16 << 20 }
}

/// Over https with a CA of our own.
pub fn https(url: &str, ca: &str) -> Http {
    let tls = Tls { ca: Some(ca.to_owned()), ..Tls::default() };
    Http { target: Target::parse(url, Some(tls), None).unwrap(), auth: Auth::None, max_body: 16 << 20 }
}

pub fn page(http: Http) -> ScrapeKind {
    ScrapeKind::Page { http, max_series: 200_000 }
}

pub fn mapped(name: &str, path: &str) -> Mapped {
    Mapped {
        name: name.into(),
        path: path.into(),
        each: None,
        labels: BTreeMap::new(),
        counter: false,
        help: "about it".into(),
    }
}

/// The samples of the target's own pages, without `up` and its like: `name{…} value@seconds`, or
/// `ended` as the value of a stale marker; seconds count from [`START`]. The target's labels are
/// left out after they were checked.
pub fn shown(collected: &Collected) -> Vec<String> {
    let start: jiff::Timestamp = START.parse().unwrap();
    let own = ["up", "scrape_duration_seconds", "scrape_samples_scraped"];
    let mut all = Vec::new();
    for (labels, t, v) in &collected.samples {
        assert_eq!((labels.get("job"), labels.get("instance")), ("job", "i"), "{labels}");
        if own.contains(&labels.name()) {
            continue;
        }
        let labels = labels.filtered(|n| !matches!(n, "job" | "instance"));
        let v = if is_stale(*v) { "ended".to_owned() } else { v.to_string() };
        all.push(format!("{labels} {v}@{}", (t - start.as_millisecond()) as f64 / 1000.0));
    }
    all.sort();
    all
}

/// The value of one of the target's own series, such as `up`.
pub fn report(collected: &Collected, name: &str) -> f64 {
    let found: Vec<_> = collected.samples.iter().filter(|(l, ..)| l.name() == name).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0].2
}

/// Fails unless the scrape failed for this reason.
#[track_caller]
pub fn expect_down(collected: &Collected, part: &str) {
    assert!(!collected.up && report(collected, "up") == 0.0, "{}", collected.reason);
    assert!(collected.reason.contains(part), "expected {part:?} in {:?}", collected.reason);
    assert!(!collected.samples.iter().any(|(l, _, v)| l.get("__name__") == "a" && !is_stale(*v)));
}

#[track_caller]
pub fn expect_up(collected: &Collected) {
    assert!(collected.up && report(collected, "up") > 0.5, "{}", collected.reason);
}
