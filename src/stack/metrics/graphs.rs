//! Reading `[[graphs]]` and `[[slos]]`.

use super::read::{read_expr, read_rows};
use super::{Events, Graph, GraphLine, Slo, Threshold, Unit};
use crate::domain::promql::Expr;
use crate::stack::decode::Table;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Lines of one graph; more cannot be told apart.
const MAX_LINES: usize = 16;
/// Over how long an objective may hold.
const WINDOWS: RangeInclusive<Duration> = Duration::from_secs(3600)..=Duration::from_secs(366 * 86_400);
/// The units of a graph, as they are written.
const UNITS: [(&str, Unit); 7] = [
    ("none", Unit::None),
    ("bytes", Unit::Bytes),
    ("bytes/s", Unit::BytesPerSecond),
    ("seconds", Unit::Seconds),
    ("percent", Unit::Percent),
    ("ratio", Unit::Ratio),
    ("/s", Unit::PerSecond),
];

pub(super) fn read_graph(t: Table<'_>) -> Option<Graph> {
    let id = t.need_id("id");
    let title = t.str("title").map(|s| s.value);
    let unit = t.choice("unit", &UNITS.map(|(name, _)| name)).unwrap_or("none");
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map_or(Unit::None, |(_, u)| *u);
    let mut lines = Vec::new();
    if t.has("expr") || !t.has("lines") {
        let expr = read_expr(&t, "expr");
        let legend = t.str_or("legend", "");
        lines.extend(expr.map(|expr| GraphLine { expr, legend }));
    }
    for line in t.tables("lines", "line") {
        let expr = read_expr(&line, "expr");
        let legend = line.str_or("legend", "");
        line.finish();
        lines.extend(expr.map(|expr| GraphLine { expr, legend }));
    }
    if lines.len() > MAX_LINES {
        t.reader.error(t.span_of("lines"), format!("a graph has at most {MAX_LINES} lines"), None);
        lines.truncate(MAX_LINES);
    }
    let thresholds = t.tables("thresholds", "threshold").into_iter().filter_map(read_threshold).collect();
    let (key, min, max) = (t.bool_or("key", false), t.number("min"), t.number("max"));
    if let (Some(low), Some(high)) = (min, max)
        && low >= high
    {
        t.reader.error(t.span_of("min"), "`min` is not less than `max`", None);
    }
    let help = t.str_or("help", "");
    let rows = read_rows(&t);
    t.finish();
    let id = id?.value;
    Some(Graph {
        title: title.unwrap_or_else(|| id.clone()),
        id,
        unit,
        lines,
        thresholds,
        key,
        min,
        max,
        help,
        rows,
    })
}

fn read_threshold(t: Table<'_>) -> Option<Threshold> {
    let value = t.number("value");
    if !t.has("value") {
        t.reader.error(t.span.clone(), "this threshold has no `value`", None);
    }
    let label = t.str_or("label", "");
    t.finish();
    Some(Threshold { value: value?, label })
}

pub(super) fn read_slo(t: Table<'_>) -> Option<Slo> {
    let id = t.need_id("id");
    let name = t.str("name").map(|s| s.value);
    let percent = t.number("objective");
    let sound = percent.filter(|p| *p > 0.0 && *p < 100.0);
    if sound.is_none() && (percent.is_some() || !t.has("objective")) {
        let help = Some("such as 99.9".to_owned());
        t.reader.error(t.span_of("objective"), "an slo needs an `objective` in per cent, below 100", help);
    }
    let window = t.duration_or("window", Duration::from_secs(30 * 86_400), WINDOWS);
    let total = read_counter(&t, "total");
    let events = match (t.has("good"), t.has("bad")) {
        (true, false) => read_counter(&t, "good").map(Events::Good),
        (false, true) => read_counter(&t, "bad").map(Events::Bad),
        _ => {
            // Asked for in any case, so that a misspelt key is offered them.
            let _ = (t.str("good"), t.str("bad"));
            t.reader.error(t.span.clone(), "an slo needs exactly one of `good` and `bad`", None);
            None
        }
    };
    let min_events = t.number("min_events").unwrap_or(10.0).max(0.0);
    let help = t.str_or("help", "");
    let rows = read_rows(&t);
    t.finish();
    let id = id?.value;
    Some(Slo {
        name: name.unwrap_or_else(|| id.clone()),
        id,
        objective: sound? / 100.0,
        window,
        events: events?,
        total: total?,
        min_events,
        help,
        rows,
    })
}

/// A selector of counters: the windows are put behind it.
fn read_counter<'a>(t: &Table<'a>, key: &'a str) -> Option<Expr> {
    let expr = read_expr(t, key)?;
    if Expr::parse(&format!("sum(increase({}[5m]))", expr.text())).is_err() {
        let help =
            Some("such as http_requests_total{status!~\"5..\"}; the window is put behind it".to_owned());
        t.reader.error(t.span_of(key), format!("`{key}` expects a selector of counters"), help);
        return None;
    }
    Some(expr)
}
