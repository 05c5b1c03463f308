//! Reading `[[scrapes]]`: where figures come from.

use super::read::{INTERVALS, Names, TIMEOUTS, is_label, is_metric, read_host, read_labels, read_rows};
use super::{Http, Mapped, OnlyType, Scrape, ScrapeKind};
use crate::domain::text;
use crate::stack::decode::Table;
use crate::stack::kind::http::{Auth, decode_auth, decode_target};
use std::time::Duration;

/// The kinds of `[[scrapes]]`.
pub const KINDS: [&str; 4] = ["prometheus", "json", "websocket", "host"];
/// Bytes of one document, after decompression.
const BODIES: std::ops::RangeInclusive<u64> = 1024..=(1 << 30);
const DEFAULT_BODY: u64 = 32 << 20;

pub(super) fn read_scrape(t: Table<'_>, names: Names<'_>) -> Option<Scrape> {
    let id = t.need_id("id");
    let host = read_host(&t, names);
    let interval = t.duration_or("interval", Duration::from_secs(15), INTERVALS);
    let timeout = t.duration_or("timeout", interval.min(Duration::from_secs(10)), TIMEOUTS);
    if timeout > interval {
        let help = Some("a scrape that outlasts its interval is never on time".to_owned());
        t.reader.error(t.span_of("timeout"), "`timeout` is longer than `interval`", help);
    }
    let labels = read_labels(&t, "labels");
    let kind_name = if t.has("kind") { t.choice("kind", &KINDS) } else { Some("prometheus") };
    let kind = kind_name.and_then(|name| read_kind(&t, name, names));
    let help = t.str_or("help", "");
    let rows = read_rows(&t);
    if kind_name.is_some() {
        t.finish();
    }
    Some(Scrape { id: id?.value, host: host?, interval, timeout, labels, kind: kind?, help, rows })
}

fn read_kind(t: &Table<'_>, name: &str, names: Names<'_>) -> Option<ScrapeKind> {
    match name {
        "host" => Some(ScrapeKind::Host),
        "json" => {
            let (http, series) = (read_http(t, names), read_mapped(t));
            Some(ScrapeKind::Json { http: http?, series: series? })
        }
        "websocket" => {
            let only = t.table("only", "only table").and_then(|inner| {
                let (path, value) = (inner.need_str("path"), inner.need_str("value"));
                inner.finish();
                Some(OnlyType { path: path?.value, value: value?.value })
            });
            let (http, series) = (read_http(t, names), read_mapped(t));
            Some(ScrapeKind::Websocket { http: http?, series: series?, only })
        }
        _ => {
            let max_series = t.int_or("max_series", 100_000, 1..=10_000_000);
            let http = read_http(t, names)?;
            Some(ScrapeKind::Page { http, max_series: usize::try_from(max_series).ok()? })
        }
    }
}

fn read_http(t: &Table<'_>, names: Names<'_>) -> Option<Http> {
    let max_body = t.size("max_body", BODIES).unwrap_or(DEFAULT_BODY);
    let auth = decode_auth(t);
    let target = decode_target(t)?;
    let auth = auth?;
    if let Auth::Login(id) = &auth
        && !names.logins.contains(id)
    {
        let near = text::nearest(id, names.logins.iter().map(String::as_str));
        let help = near.map(|n| format!("did you mean \"{n}\"?"));
        let shown = text::one_line(id, 60);
        t.reader.error(t.span_of("auth"), format!("no login is called `{shown}`"), help);
        return None;
    }
    if auth != Auth::None && target.is_exposed() {
        let help = Some("use https".to_owned());
        t.reader.warning(t.span_of("auth"), "this sends a secret over plain http", help);
    }
    Some(Http { target, auth, max_body: usize::try_from(max_body).ok()? })
}

/// `[[scrapes.series]]`: what a JSON document's figures are called.
fn read_mapped(t: &Table<'_>) -> Option<Vec<Mapped>> {
    let tables = t.tables("series", "series");
    if tables.is_empty() {
        let help = Some("add [[scrapes.series]] with name and path".to_owned());
        t.reader.error(t.span.clone(), "this scrape names no `series`, so nothing comes of it", help);
        return None;
    }
    // All are read before one that is wrong counts, so that each is told.
    let read: Vec<_> = tables.into_iter().map(read_one).collect();
    read.into_iter().collect()
}

fn read_one(t: Table<'_>) -> Option<Mapped> {
    let name = t.need_str("name");
    let path = t.need_str("path");
    let each = t.str("each");
    let labels = read_labels(&t, "labels");
    let counter = t.choice("type", &["gauge", "counter"]) == Some("counter");
    let help = t.str_or("help", "");
    let mut sound = true;
    if let Some(name) = name.as_ref().filter(|n| !is_metric(&n.value)) {
        let shown = text::one_line(&name.value, 60);
        t.reader.error(name.span.clone(), format!("`{shown}` is no valid name of a series"), None);
        sound = false;
    }
    if let Some(each) = each.as_ref().filter(|e| !is_label(&e.value)) {
        let shown = text::one_line(&each.value, 60);
        t.reader.error(each.span.clone(), format!("`{shown}` is no valid name of a label"), None);
        sound = false;
    }
    t.finish();
    let (name, path) = (name?.value, path?.value);
    sound.then_some(Mapped { name, path, each: each.map(|e| e.value), labels, counter, help })
}
