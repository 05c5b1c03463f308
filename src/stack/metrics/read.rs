//! Reading the parts of a stack file that speak of metrics.

use super::graphs::{read_graph, read_slo};
use super::remote::read_draft;
use super::rules::{read_inhibition, read_rule, read_severity};
use super::scrapes::read_scrape;
use super::{Metrics, Remote, Settings};
use crate::domain::id::HostId;
use crate::domain::promql::Expr;
use crate::domain::text;
use crate::stack::decode::{At, Table};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How often targets are scraped and rules evaluated.
pub const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
/// How long a scrape or a question may take.
pub const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(60);
/// How long samples may be kept.
const RETENTIONS: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(31 * 86_400);
/// Rules, graphs, targets and objectives of one stack, of each.
pub const MAX_EACH: usize = 2000;

/// What a table of metrics may refer to, and where rule files are.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    pub hosts: &'a [At<String>],
    pub logins: &'a [String],
}

/// What stands in a stack file, with the rule files that are still to be read.
#[derive(Debug, Default)]
pub struct Draft {
    pub metrics: Metrics,
    pub rule_files: Vec<At<String>>,
}

/// Reads every part; what is wrong is noted and left out.
pub fn read(root: &Table<'_>, names: Names<'_>) -> Draft {
    let rule_files = root.strings("rule_files").unwrap_or_default();
    let suppressions = each(root, "inhibitions", "inhibition", read_inhibition);
    let active = suppressions.iter().filter(|s| s.active).map(|s| s.inhibition.clone());
    let metrics = Metrics {
        settings: read_settings(root),
        prometheus: read_remote(root, "prometheus", names),
        alertmanager: read_remote(root, "alertmanager", names),
        severities: named(root, "severities", ("severity", "name"), read_severity, |s| &s.name),
        scrapes: named(root, "scrapes", ("scrape", "id"), |t| read_scrape(t, names), |s| &s.id),
        rules: each(root, "rules", "rule", read_rule),
        inhibitions: active.collect(),
        suppressions,
        slos: named(root, "slos", ("slo", "id"), read_slo, |s| &s.id),
        graphs: named(root, "graphs", ("graph", "id"), read_graph, |g| &g.id),
    };
    Draft { metrics, rule_files }
}

/// Reads a list of tables.
fn each<'a, T>(
    root: &Table<'a>,
    key: &'a str,
    what: &'a str,
    mut read: impl FnMut(Table<'a>) -> Option<T>,
) -> Vec<T> {
    let tables = root.tables(key, what);
    if let Some(extra) = tables.get(MAX_EACH) {
        let message = format!("a stack has at most {MAX_EACH} {key}, this one has {}", tables.len());
        extra.reader.error(extra.span.clone(), message, None);
    }
    tables.into_iter().take(MAX_EACH).filter_map(&mut read).collect()
}

/// As [`each`], where no two may have one name.
fn named<'a, T>(
    root: &Table<'a>,
    key: &'a str,
    (what, name_key): (&'a str, &'a str),
    read: impl Fn(Table<'a>) -> Option<T>,
    name_of: impl Fn(&T) -> &str,
) -> Vec<T> {
    let mut first: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    each(root, key, what, |table| {
        let (reader, span) = (table.reader, table.span_of(name_key));
        let found = read(table)?;
        let name = name_of(&found);
        let place = reader.source().position(span.start);
        if let Some((line, column)) = first.get(name) {
            let help = format!("the first stands at {}:{line}:{column}", reader.source().name);
            let shown = text::one_line(name, 60);
            reader.error(span, format!("two {key} are called `{shown}`"), Some(help));
        } else {
            first.insert(name.to_owned(), place);
        }
        Some(found)
    })
}

fn read_settings(root: &Table<'_>) -> Settings {
    let default = Settings::default();
    let Some(t) = root.table("metrics", "[metrics] table") else { return default };
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let count = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
    let settings = Settings {
        evaluation_interval: t.duration_or("evaluation_interval", default.evaluation_interval, INTERVALS),
        retention: t.duration_or("retention", default.retention, RETENTIONS),
        max_series: t.int("max_series", 100..=10_000_000).map_or(default.max_series, count),
        max_bytes: t.size("max_bytes", (1 << 20)..=(64 << 30)).map_or(default.max_bytes, size),
    };
    t.finish();
    settings
}

/// `[prometheus]` or `[alertmanager]` of a stack file.
fn read_remote(root: &Table<'_>, key: &'static str, names: Names<'_>) -> Option<Remote> {
    match read_draft(root, key)?.resolve(names) {
        Ok(remote) => Some(remote),
        Err(wrong) => {
            for w in wrong {
                root.reader.error(w.span, w.message, w.help);
            }
            None
        }
    }
}

/// The key `host`: one of the stack's, the first when it is not said.
pub fn read_host(t: &Table<'_>, names: Names<'_>) -> Option<HostId> {
    let Some(said) = t.str("host") else {
        return names.hosts.first().map(|h| HostId::new(&h.value));
    };
    if names.hosts.iter().any(|h| h.value == said.value) {
        return Some(HostId::new(&said.value));
    }
    let near = text::nearest(&said.value, names.hosts.iter().map(|h| h.value.as_str()));
    let help = near.map(|n| format!("did you mean \"{n}\"?"));
    let shown = text::one_line(&said.value, 60);
    t.reader.error(said.span, format!("no host is called `{shown}`"), help);
    None
}

/// A key that holds an expression.
pub fn read_expr<'a>(t: &Table<'a>, key: &'a str) -> Option<Expr> {
    let At { value, span } = t.need_str(key)?;
    match Expr::parse(&value) {
        Ok(expr) => Some(expr),
        Err(e) => {
            let at = &value.get(e.span.clone()).filter(|part| *part != value);
            let help = at.map(|part| format!("at `{}`", text::one_line(part, 60)));
            t.reader.error(span, format!("`{key}` is no expression that can be evaluated: {e}"), help);
            None
        }
    }
}

/// A map of label names and values; each name must be one that Prometheus takes.
pub fn read_labels<'a>(t: &Table<'a>, key: &'a str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (name, At { value, span }) in t.text_map(key) {
        if is_label(&name) && name != crate::domain::series::labels::NAME {
            out.insert(name, value);
        } else {
            let shown = text::one_line(&name, 60);
            t.reader.error(span, format!("`{shown}` is no valid name of a label"), None);
        }
    }
    out
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_label(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit()) && is_word(name, "_")
}

/// As [`is_label`], with colons.
pub fn is_metric(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit()) && is_word(name, "_:")
}

fn is_word(name: &str, also: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

/// Rows of the runbook.
pub fn read_rows(t: &Table<'_>) -> Vec<String> {
    t.strings("rows").unwrap_or_default().into_iter().map(|r| r.value).collect()
}
