//! The log service's questions (query, count, histogram, …) over the model's bounded ring of records.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::fault::Fault;
use super::files;
use super::model::Model;
use super::model::log::{Level, Record};
use super::rng::Uuid;

/// Rows of one reply.
const ROWS: usize = 1000;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Invalid(&'static str),
    Broken(String),
}

/// Answers one question; `exports` is the directory that exported files go to.
pub fn run(m: &mut Model, action: &str, body: &Value, exports: &Path) -> Result<Value, Failure> {
    let filter = Filter::read(body.get("filters").unwrap_or(&Value::Null)).map_err(Failure::Invalid)?;
    match action {
        "services" => Ok(json!({ "services": files::LOG_FILES })),
        "query" => Ok(query(m, &filter, body)),
        "count" => Ok(json!({ "count": select(m, &filter, true).count() })),
        "histogram" | "aggregate" => Ok(buckets(m, &filter, body, action == "aggregate")),
        "top" => Ok(json!({ "data": top(m, &filter, body) })),
        "export" if m.has(Fault::DiskFull) => Err(Failure::Broken("No space left on device".into())),
        "export" => {
            export(m, &filter, body, exports).map(Value::Object).map_err(|e| Failure::Broken(e.to_string()))
        }
        _ => Err(Failure::Invalid("unknown action")),
    }
}

/// The filters of a request, those upstream knows.
#[derive(Default)]
struct Filter {
    service: Option<String>,
    level: Option<Level>,
    level_gte: Option<Level>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    user: Option<String>,
    device: Option<String>,
    words: Vec<String>,
}

impl Filter {
    fn read(value: &Value) -> Result<Self, &'static str> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let level = |name: &str| match text(name) {
            None => Ok(None),
            Some(word) => Level::from_name(&word).map(Some).ok_or("unknown level"),
        };
        let time = |name: &str| match text(name) {
            None => Ok(None),
            Some(word) => word.parse::<Timestamp>().map(Some).map_err(|_| "timestamp is not ISO 8601"),
        };
        let filter = Self {
            service: text("service"),
            level: level("level")?,
            level_gte: level("level_gte")?,
            from: time("ts_from")?,
            to: time("ts_to")?,
            user: text("user_id"),
            device: text("device_id"),
            words: tokens(&text("event_contains").unwrap_or_default()),
        };
        if filter.level.is_some() && filter.level_gte.is_some() {
            return Err("level and level_gte exclude each other");
        }
        Ok(filter)
    }

    /// Analytics silently drop `event_contains`; then `words` is false.
    fn takes(&self, r: &Record, words: bool) -> bool {
        let same = |want: &Option<String>, got: Option<Uuid>| {
            want.as_ref().is_none_or(|w| got.is_some_and(|g| g.to_string() == *w))
        };
        self.service.as_ref().is_none_or(|s| s == r.service)
            && self.level.is_none_or(|l| l == r.level)
            && self.level_gte.is_none_or(|l| r.level >= l)
            && self.from.is_none_or(|t| r.ts >= t)
            && self.to.is_none_or(|t| r.ts <= t)
            && same(&self.user, r.user)
            && same(&self.device, r.device)
            && (!words || self.words.iter().all(|w| tokens(r.event).contains(w)))
    }
}

/// The full-text index splits at everything that is not a letter or digit, `_` included.
fn tokens(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .take(16)
        .map(str::to_lowercase)
        .collect()
}

fn select<'a>(m: &'a Model, filter: &'a Filter, words: bool) -> impl DoubleEndedIterator<Item = &'a Record> {
    m.log.records().iter().filter(move |r| filter.takes(r, words))
}

fn size(body: &Value, name: &str, default: usize) -> usize {
    body.get(name).and_then(Value::as_u64).map_or(default, |n| n as usize)
}

fn query(m: &Model, filter: &Filter, body: &Value) -> Value {
    let (limit, offset) = (size(body, "limit", 100).min(ROWS), size(body, "offset", 0));
    let rows: Vec<Value> = if body.get("order").and_then(Value::as_str) == Some("asc") {
        select(m, filter, true).skip(offset).take(limit).map(Record::row).collect()
    } else {
        select(m, filter, true).rev().skip(offset).take(limit).map(Record::row).collect()
    };
    json!({"count": rows.len(), "rows": rows})
}

#[derive(Default)]
struct Bucket {
    total: u64,
    errors: u64,
    levels: BTreeMap<&'static str, u64>,
    services: BTreeMap<&'static str, u64>,
}

impl Bucket {
    fn add(&mut self, r: &Record) {
        self.total += 1;
        self.errors += u64::from(r.level >= Level::Error);
        *self.levels.entry(r.level.name()).or_default() += 1;
        *self.services.entry(r.service).or_default() += 1;
    }

    fn rate(&self) -> f64 {
        (self.errors as f64 / self.total.max(1) as f64 * 10_000.0).round() / 10_000.0
    }
}

fn buckets(m: &Model, filter: &Filter, body: &Value, aggregate: bool) -> Value {
    let interval = body.get("interval").and_then(Value::as_str).unwrap_or("1m");
    let width = match interval {
        "5m" => 300,
        "15m" => 900,
        "1h" => 3600,
        "1d" => 86_400,
        _ => 60,
    };
    let mut all: BTreeMap<i64, Bucket> = BTreeMap::new();
    for r in select(m, filter, false) {
        let second = r.ts.as_second();
        all.entry(second - second.rem_euclid(width)).or_default().add(r);
    }
    let data: Vec<Value> = all
        .iter()
        .map(|(start, b)| {
            // UTC, with neither seconds nor zone.
            let name = Timestamp::from_second(*start)
                .map_or_else(|_| String::new(), |t| t.strftime("%Y-%m-%dT%H:%M").to_string());
            if aggregate {
                json!({"bucket": name, "total": b.total, "errors": b.errors, "error_rate": b.rate(), "by_service": b.services})
            } else {
                json!({"bucket": name, "total": b.total, "by_level": b.levels})
            }
        })
        .collect();
    json!({"interval": interval, "buckets": data.len(), "data": data})
}

fn top(m: &Model, filter: &Filter, body: &Value) -> Vec<Value> {
    let field = body.get("field").and_then(Value::as_str).unwrap_or("event");
    let mut all: BTreeMap<&str, Bucket> = BTreeMap::new();
    for r in select(m, filter, false) {
        let value = match field {
            "service" => r.service,
            "level" => r.level.name(),
            _ => r.event,
        };
        all.entry(value).or_default().add(r);
    }
    let mut sorted: Vec<_> = all.into_iter().collect();
    sorted.sort_by_key(|(_, b)| std::cmp::Reverse(b.total));
    sorted
        .iter()
        .take(size(body, "limit", 10).min(ROWS))
        .map(|(v, b)| json!({"value": v, "total": b.total, "errors": b.errors, "error_rate": b.rate()}))
        .collect()
}

fn export(
    m: &mut Model,
    filter: &Filter,
    body: &Value,
    exports: &Path,
) -> std::io::Result<Map<String, Value>> {
    let csv = body.get("format").and_then(Value::as_str) == Some("csv");
    let limit = size(body, "limit", 1000).clamp(1, 100_000);
    let mut text = String::new();
    if csv {
        text.push_str("id,ts,service,level,event\n");
    }
    for r in select(m, filter, true).take(limit) {
        if csv {
            let _ = writeln!(text, "{},{},{},{},{}", r.id, r.ts, r.service, r.level.name(), r.event);
        } else {
            text.push_str(&r.row().to_string());
            text.push('\n');
        }
    }
    let format = if csv { "csv" } else { "jsonl" };
    let name = format!("export-{:08x}.{format}", m.fresh_id().0 as u32);
    let path = files::write_export(exports, &name, &text)?;
    let value = json!({
        "download_url": format!("/logs/export/{name}"), "filename": name, "format": format,
        // The limit that was asked for, not a count: as upstream.
        "size_bytes": text.len(), "rows": limit, "path": path,
    });
    Ok(value.as_object().cloned().unwrap_or_default())
}
