//! Reads a file of tests strictly: every mistake at once, each with its place.

use super::notation::{self, Wrong};
use super::{AlertCase, ExprCase, Input, Test, TestFile};
use crate::domain::alert::active::millis;
use crate::domain::alert::rules::ALERTNAME;
use crate::domain::promql::Expr;
use crate::domain::series::{Labels, Millis};
use crate::stack::diag::{Problems, Source};
use crate::stack::yaml::{self, Document, Kind, Map, Node};
use std::sync::Arc;
use std::time::Duration;

/// What promtool takes where the file does not say.
const EVALUATION_INTERVAL: Duration = Duration::from_secs(60);

/// Reads a file of tests.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(source: &Arc<Source>) -> Result<TestFile, Problems> {
    let root = yaml::load(source).map_err(|problem| Problems(vec![problem], 0))?;
    let document = Document::new(source);
    let file = root.as_ref().filter(|n| !n.is_null()).and_then(|n| Map::new(&document, n, "test file"));
    let read = file.map(|map| test_file(map));
    let problems = document.into_problems();
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(read.unwrap_or(TestFile {
        rule_files: Vec::new(),
        evaluation_interval: EVALUATION_INTERVAL,
        group_order: Vec::new(),
        fuzzy: false,
        tests: Vec::new(),
    }))
}

fn test_file(map: Map<'_>) -> TestFile {
    let document = map.document;
    let texts = |key, what| {
        let nodes = map.get(key).map_or(&[][..], |n| document.list(n, what));
        let text = |n| document.text(n, what).map(|t| (t.to_owned(), n.span.clone()));
        nodes.iter().filter_map(text).collect::<Vec<_>>()
    };
    let rule_files = texts("rule_files", "file");
    let order = texts("group_eval_order", "group");
    for (i, (name, span)) in order.iter().enumerate() {
        if order.iter().take(i).any(|(n, _)| n == name) {
            document.error(span.clone(), format!("the group `{name}` is there twice"));
        }
    }
    let interval = map.duration("evaluation_interval").filter(|d| !d.is_zero());
    let evaluation_interval = interval.unwrap_or(EVALUATION_INTERVAL);
    let fuzzy = map.get("fuzzy_compare").and_then(Node::scalar).is_some_and(|s| s.text == "true");
    let tests = map.get("tests").map_or_else(Vec::new, |n| document.maps(n, "test"));
    map.finish();
    TestFile {
        rule_files,
        evaluation_interval,
        group_order: order.into_iter().map(|(n, _)| n).collect(),
        fuzzy,
        tests: tests.into_iter().map(|m| test(m, evaluation_interval)).collect(),
    }
}

fn test(map: Map<'_>, default: Duration) -> Test {
    let document = map.document;
    let interval = map.duration("interval").filter(|d| !d.is_zero()).unwrap_or(default);
    let list = |key, what| map.get(key).map_or_else(Vec::new, |n| document.maps(n, what));
    let (series, alerts) = (list("input_series", "series"), list("alert_rule_test", "alert test"));
    let exprs = list("promql_expr_test", "expression test");
    let name = map.text("name").unwrap_or("").to_owned();
    let external_labels = map.get("external_labels").map_or_else(Labels::empty, |n| labels(document, n));
    let external_url = map.text("external_url").unwrap_or("").to_owned();
    map.refuse("start_timestamp", "tests start at the epoch");
    let line = line(document, map.span.start);
    map.finish();
    let mut inputs: Vec<Input> = Vec::new();
    for input in series.into_iter().filter_map(input) {
        // Of two with the same labels the later one holds, as in promtool.
        inputs.retain(|i| i.labels != input.labels);
        inputs.push(input);
    }
    Test {
        name,
        interval,
        series: inputs,
        alerts: alerts.into_iter().filter_map(alert_case).collect(),
        exprs: exprs.into_iter().filter_map(expr_case).collect(),
        external_labels,
        external_url,
        line,
    }
}

fn line(document: &Document, at: usize) -> usize {
    document.source.position(at).0
}

fn labels(document: &Document, node: &Node) -> Labels {
    let pairs = document.texts(node, "labels");
    Labels::new(pairs.iter().map(|(k, _, v)| (k.scalar().map_or("", |s| s.text.as_str()), v.as_str())))
}

/// A text that a notation reads, with its mistakes placed in the file.
fn noted<T>(map: &Map<'_>, key: &'static str, read: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
    let document = map.document;
    let Some(node) = map.get(key) else {
        document.error(map.span.clone(), format!("`{key}` is missing"));
        return None;
    };
    let text = document.text(node, key)?;
    match read(text) {
        Ok(value) => Some(value),
        Err((why, span)) => {
            document.error(node.place(&document.source.text, &span), why);
            None
        }
    }
}

fn input(map: Map<'_>) -> Option<Input> {
    let labels = noted(&map, "series", notation::metric);
    let values = noted(&map, "values", notation::values);
    map.finish();
    Some(Input { labels: labels?, values: values? })
}

fn eval_time(map: &Map<'_>) -> Millis {
    map.duration("eval_time").map_or(0, millis)
}

fn alert_case(map: Map<'_>) -> Option<AlertCase> {
    let document = map.document;
    let at = eval_time(&map);
    let alertname = map.text("alertname")?.to_owned();
    if alertname.is_empty() {
        document.error(map.span.clone(), "an alert test needs `alertname`");
    }
    let expected = map.get("exp_alerts").map_or_else(Vec::new, |n| document.maps(n, "expected alert"));
    let line = line(document, map.span.start);
    map.finish();
    let expected = expected.into_iter().map(|map| {
        let labels = map.get("exp_labels").map_or_else(Labels::empty, |n| labels(document, n));
        let annotations =
            map.get("exp_annotations").map_or_else(Vec::new, |n| document.texts(n, "annotations"));
        map.finish();
        let mut annotations: Vec<(String, String)> = annotations
            .into_iter()
            .map(|(k, _, v)| (k.scalar().map_or_else(String::new, |s| s.text.clone()), v))
            .collect();
        annotations.sort();
        (labels.with(ALERTNAME, &alertname), annotations)
    });
    let expected = expected.collect();
    Some(AlertCase { at, alertname, expected, line })
}

fn expr_case(map: Map<'_>) -> Option<ExprCase> {
    let document = map.document;
    let at = eval_time(&map);
    let expr = noted(&map, "expr", |text| Expr::parse(text).map_err(|e| (e.message, e.span)));
    let samples = map.get("exp_samples").map_or_else(Vec::new, |n| document.maps(n, "sample"));
    let line = line(document, map.span.start);
    map.finish();
    let mut expected = Vec::new();
    for sample in samples {
        let labels = noted(&sample, "labels", notation::metric);
        let value = sample.get("value").map_or(Some(0.0), |n| number(document, n));
        sample.refuse("histogram", "native histograms are not");
        sample.finish();
        expected.extend(labels.zip(value));
    }
    Some(ExprCase { at, expr: expr?, expected, line })
}

/// A number as YAML and Go write it.
fn number(document: &Document, node: &Node) -> Option<f64> {
    let text = match &node.kind {
        Kind::Scalar(scalar) if scalar.plain => scalar.text.replace('_', ""),
        _ => String::new(),
    };
    let plain = text.strip_prefix('+').unwrap_or(&text);
    let special = match plain.to_ascii_lowercase().as_str() {
        ".inf" => Some(f64::INFINITY),
        "-.inf" => Some(f64::NEG_INFINITY),
        ".nan" => Some(f64::NAN),
        _ if node.is_null() => Some(0.0),
        _ => None,
    };
    let hex = plain.strip_prefix("0x").and_then(|d| u32::from_str_radix(d, 16).ok()).map(f64::from);
    let written = plain.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
    let value = special.or(hex).or_else(|| plain.parse().ok().filter(|_| written));
    if value.is_none() {
        document.error(node.span.clone(), format!("expected a number, not {}", node.describe()));
    }
    value
}
