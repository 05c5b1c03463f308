//! A real Prometheus that scrapes the pages we serve, and what it made of them.

use crate::harness::{Server, fake, free_port, need, until};
use quarterdeck::clock::{Clock, SystemClock};
use quarterdeck::domain::series::labels::NAME;
use quarterdeck::domain::series::store::Limits as StoreLimits;
use quarterdeck::domain::series::{Labels, Selection, Source, Store};
use quarterdeck::observe::metrics::exposition::{Format, Lexer, Limits, PageError, Scraped, Seen};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

pub const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
pub const TEXT: &str = "text/plain; version=0.0.4";

/// A page and the type it is served as.
#[derive(Clone, Debug)]
pub struct Page {
    pub kind: &'static str,
    pub body: Vec<u8>,
}

/// A series' values with their times.
pub type Stored = BTreeMap<Labels, Vec<(i64, f64)>>;

/// What Prometheus made of one page: its series, or why it refused.
pub type Verdict = Result<Stored, String>;

/// The body of what `path` answers.
pub fn get(address: SocketAddr, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).ok()?;
    let ask = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(ask.as_bytes()).ok()?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).ok()?;
    let head = reply.windows(4).position(|w| w == b"\r\n\r\n")?;
    if !String::from_utf8_lossy(&reply[..head]).lines().next()?.contains(" 200 ") {
        return None;
    }
    Some(reply.split_off(head + 4))
}

fn serve(pages: Vec<Page>) -> SocketAddr {
    fake::tcp(move |wire| {
        let asked = String::from_utf8_lossy(&fake::heard(wire)).into_owned();
        let number = asked.split(['/', ' ']).nth(2).and_then(|n| n.parse::<usize>().ok());
        let Some(page) = number.and_then(|n| pages.get(n)) else { return };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            page.kind,
            page.body.len()
        );
        let _ = wire.write_all(head.as_bytes());
        let _ = wire.write_all(&page.body);
    })
}

/// The target labels that page number `n` has, there and here.
pub fn target(n: usize) -> BTreeMap<String, String> {
    [("job", format!("p{n}")), ("instance", "there".to_owned())].map(|(n, v)| (n.to_owned(), v)).into()
}

/// What we make of a page.
pub fn ours(n: usize, page: &Page) -> Result<(Seen, Vec<Scraped>), PageError> {
    let mut lexer = Lexer::new(target(n), Arc::new(Selection::everything()), Limits::default());
    let mut out = Vec::new();
    let format = Format::from_content_type(page.kind).unwrap();
    let seen = lexer.page(&page.body, format, &mut out)?;
    Ok((seen, out))
}

/// Serves the pages to a real Prometheus until it has taken or refused each of them.
pub fn prometheus(pages: &[Page]) -> Option<Vec<Verdict>> {
    let program = need("prometheus", "prometheus")?;
    let dir = tempfile::tempdir().unwrap();
    let (pages_at, port) = (serve(pages.to_vec()), free_port());
    let mut config = "global: {scrape_interval: 2s, scrape_timeout: 2s}\nscrape_configs:\n".to_owned();
    for n in 0..pages.len() {
        let _ = writeln!(
            config,
            "- {{job_name: p{n}, metrics_path: /{n}, static_configs: [{{targets: ['{pages_at}'], labels: {{instance: there}}}}]}}"
        );
    }
    let file = dir.path().join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--storage.tsdb.min-block-duration=2h")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _server = Server::start(&mut command, || get(address, "/-/ready").is_some());
    let mut errors: BTreeMap<String, String> = BTreeMap::new();
    until("all pages to be scraped", || {
        let targets = api(address, "/api/v1/targets?state=active");
        let list = targets["activeTargets"].as_array().cloned().unwrap_or_default();
        let text = |t: &Value, key: &str| t[key].as_str().unwrap_or_default().to_owned();
        errors = list
            .iter()
            .filter(|t| text(t, "health") != "unknown")
            .map(|t| (t["labels"]["job"].as_str().unwrap_or_default().to_owned(), text(t, "lastError")))
            .collect();
        errors.len() == pages.len()
    });
    let verdict = |n: usize| match errors[&format!("p{n}")].as_str() {
        "" => Ok(stored(address, n)),
        error => Err(error.to_owned()),
    };
    Some((0..pages.len()).map(verdict).collect())
}

fn api(address: SocketAddr, path: &str) -> Value {
    let body = get(address, path).unwrap_or_default();
    serde_json::from_slice::<Value>(&body).map_or(Value::Null, |v| v["data"].clone())
}

/// What Prometheus has of a page, without what it adds itself.
fn stored(address: SocketAddr, n: usize) -> Stored {
    let mut all = Stored::new();
    let answer = api(address, &format!("/api/v1/query?query=%7Bjob%3D%22p{n}%22%7D%5B1h%5D"));
    for series in answer["result"].as_array().into_iter().flatten() {
        let pairs = series["metric"].as_object().unwrap();
        let labels = Labels::new(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str().unwrap())));
        let own = [
            "up",
            "scrape_duration_seconds",
            "scrape_samples_scraped",
            "scrape_samples_post_metric_relabeling",
            "scrape_series_added",
        ];
        if own.contains(&labels.get(NAME)) && labels.len() == 3 {
            continue;
        }
        let values = series["values"].as_array().unwrap().iter().map(|v| {
            let t = (v[0].as_f64().unwrap() * 1000.0).round() as i64;
            (t, v[1].as_str().unwrap().parse().unwrap())
        });
        all.insert(labels, values.collect());
    }
    all
}

/// Fails unless both made the same of a page.
pub fn compare(what: &str, n: usize, page: &Page, theirs: &Verdict) -> Result<(), String> {
    let ours = ours(n, page);
    let (theirs, (_, samples)) = match (theirs, ours) {
        (Err(_), Err(_)) => return Ok(()),
        (Ok(_), Err(e)) => return Err(format!("{what}: Prometheus takes it, we do not: {e}")),
        (Err(e), Ok(_)) => return Err(format!("{what}: we take it, Prometheus does not: {e}")),
        (Ok(theirs), Ok(ours)) => (theirs, ours),
    };
    // What the store keeps of our samples is what counts; those without a time come last there.
    let mut store = Store::new(StoreLimits {
        max_series: 1 << 20,
        max_bytes: 1 << 28,
        max_samples: 1 << 20,
        retention: Duration::from_secs(3600),
    });
    let now = SystemClock::new().now().wall.as_millisecond() + 3_600_000;
    for sample in &samples {
        store.append_labels(&sample.labels, sample.t.unwrap_or(now), sample.v);
    }
    let mut mine: BTreeMap<Labels, Vec<(Option<i64>, f64)>> = BTreeMap::new();
    store.select(&[], i64::MIN, i64::MAX, &mut |labels, samples| {
        let values = samples.iter().map(|s| ((s.t != now).then_some(s.t), s.v));
        mine.insert(labels.clone(), values.collect());
    });
    let names = |l: Vec<&Labels>| l.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n    ");
    if !mine.keys().eq(theirs.keys()) {
        let (mine, theirs) = (names(mine.keys().collect()), names(theirs.keys().collect()));
        return Err(format!("{what}: other series\n  ours\n    {mine}\n  theirs\n    {theirs}"));
    }
    for (labels, values) in &mine {
        let stored = &theirs[labels];
        let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        let found = values
            .iter()
            .all(|(t, v)| stored.iter().any(|(at, value)| t.is_none_or(|t| t == *at) && same(*v, *value)));
        // Nothing else either: every stored value is one of ours.
        let all = stored.iter().all(|(_, value)| values.iter().any(|(_, v)| same(*v, *value)));
        if !found || !all {
            return Err(format!("{what}: {labels}: ours {values:?}, theirs {stored:?}"));
        }
    }
    Ok(())
}
