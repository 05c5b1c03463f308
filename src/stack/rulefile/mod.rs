//! Prometheus rule files as they are: groups of recording and alerting rules in YAML.

mod names;

use super::diag::{Problems, Severity, Source};
use super::yaml::{self, Document, Map, Node};
use crate::domain::alert::rule::{Rule, RuleKind};
use crate::domain::alert::template::Template;
use crate::domain::promql::{Expr, Type};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A rule file that was read.
#[derive(Clone, Debug)]
pub struct RuleFile {
    /// In the order of the file, groups together.
    pub rules: Vec<Rule>,
    pub groups: usize,
    /// What is legal and probably not meant.
    pub warnings: Problems,
}

/// Reads a rule file.
///
/// # Errors
/// Everything that is wrong with it, at once, each with its place.
pub fn read(source: &Arc<Source>) -> Result<RuleFile, Problems> {
    let root = yaml::load(source).map_err(|problem| Problems(vec![problem], 0))?;
    let document = Document::new(source);
    let mut rules = Vec::new();
    let mut groups = 0;
    if let Some(file) =
        root.as_ref().filter(|n| !n.is_null()).and_then(|n| Map::new(&document, n, "rule file"))
    {
        let list = file.get("groups");
        let maps = list.map_or_else(Vec::new, |n| document.maps(n, "group"));
        file.finish();
        groups = maps.len();
        let mut seen: Vec<String> = Vec::new();
        for map in maps {
            group(map, &mut seen, &mut rules);
        }
        duplicates(&document, &rules);
    }
    let rules = rules.into_iter().map(|(rule, _)| rule).collect();
    let problems = document.into_problems();
    if problems.has_errors() {
        return Err(problems);
    }
    debug_assert_eq!(problems.count(Severity::Error), 0);
    Ok(RuleFile { rules, groups, warnings: problems })
}

/// A rule and where it stands.
type Placed = (Rule, std::ops::Range<usize>);

/// What a group says of its rules.
struct Group {
    name: String,
    interval: Option<Duration>,
    limit: usize,
    labels: BTreeMap<String, String>,
}

fn group(map: Map<'_>, seen: &mut Vec<String>, rules: &mut Vec<Placed>) {
    let document = map.document;
    let name = map.text("name").unwrap_or("?").to_owned();
    let place = map.get("name").map_or_else(|| map.span.clone(), |n| n.span.clone());
    if name.is_empty() {
        document.error(place, "a group needs a name");
    } else if seen.contains(&name) {
        document.error(place, format!("the group `{name}` is there twice in this file"));
    }
    seen.push(name.clone());
    let interval = map.duration("interval").filter(|d| !d.is_zero());
    let limit = map.get("limit").filter(|n| !n.is_null()).and_then(|n| limit(document, n)).unwrap_or(0);
    let labels = map.get("labels").map_or_else(BTreeMap::new, |n| names::labels(document, n, None));
    map.refuse("query_offset", "rules here look at the moment of their evaluation");
    map.refuse("partial_response_strategy", "it belongs to Thanos");
    map.refuse("source_tenants", "it belongs to Mimir");
    map.refuse("evaluation_delay", "rules here look at the moment of their evaluation");
    map.refuse("align_evaluation_time_on_interval", "it belongs to Mimir");
    let list = map.get("rules").map_or_else(Vec::new, |n| document.maps(n, "rule"));
    map.finish();
    let group = Group { name, interval, limit, labels };
    rules.extend(list.into_iter().filter_map(|map| rule(map, &group)));
}

/// As Prometheus, which takes a negative limit for none.
fn limit(document: &Document, node: &Node) -> Option<usize> {
    let text = document.text(node, "limit")?;
    match text.parse::<i64>() {
        Ok(n) => Some(usize::try_from(n).unwrap_or(0)),
        Err(_) => {
            document.error(node.span.clone(), format!("expected a whole number, not {}", node.describe()));
            None
        }
    }
}

fn rule(map: Map<'_>, group: &Group) -> Option<Placed> {
    let document = map.document;
    let (record, alert) = (map.text("record")?, map.text("alert")?);
    let expr_node = map.get("expr");
    let expr = expression(&map, expr_node);
    let hold = map.duration("for");
    let keep = map.duration("keep_firing_for");
    let (label_node, annotation_node) = (map.get("labels"), map.get("annotations"));
    let kind = match (record.is_empty(), alert.is_empty()) {
        (true, true) => {
            document.error(map.span.clone(), "a rule needs `alert` or `record`");
            None
        }
        (false, false) => {
            let place = map.key_span("record").unwrap_or_else(|| map.span.clone());
            document.error(place, "a rule has either `alert` or `record`, not both");
            None
        }
        (true, false) => Some(RuleKind::Alert(alert.to_owned())),
        (false, true) => Some(RuleKind::Record(record.to_owned())),
    };
    if !record.is_empty() {
        names::record(document, map.get("record"), record);
        let annotated =
            annotation_node.is_some_and(|n| matches!(&n.kind, yaml::Kind::Map(m) if !m.is_empty()));
        let wrong = [
            ("annotations", annotated),
            ("for", hold.is_some_and(|d| !d.is_zero())),
            ("keep_firing_for", keep.is_some_and(|d| !d.is_zero())),
        ];
        for (key, _) in wrong.iter().filter(|(_, is)| *is) {
            let place = map.key_span(key).unwrap_or_else(|| map.span.clone());
            document.error(place, format!("a recording rule has no `{key}`"));
        }
    }
    let template = |node: &Node, text: &str| check_template(document, node, text);
    let checked: Option<names::Check<'_>> = if alert.is_empty() { None } else { Some(&template) };
    let mut labels = label_node.map_or_else(BTreeMap::new, |n| names::labels(document, n, checked));
    for (name, value) in &group.labels {
        labels.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let annotations =
        annotation_node.map_or_else(BTreeMap::new, |n| names::annotations(document, n, checked));
    let (span, source) = (map.span.clone(), Arc::clone(&document.source));
    map.finish();
    let (kind, expr) = (kind?, expr?);
    let help =
        ["description", "summary"].iter().find_map(|k| annotations.get(*k)).cloned().unwrap_or_default();
    let rule = Rule {
        kind,
        group: group.name.clone(),
        expr,
        hold: hold.unwrap_or_default(),
        keep_firing_for: keep.unwrap_or_default(),
        labels,
        annotations,
        interval: group.interval,
        limit: group.limit,
        help: if help.contains("{{") { String::new() } else { help },
        rows: Vec::new(),
        place: format!("{}:{}", source.name, source.position(span.start).0),
    };
    Some((rule, span))
}

fn expression(map: &Map<'_>, node: Option<&Node>) -> Option<Expr> {
    let document = map.document;
    let text = node.map_or(Some(""), |n| document.text(n, "expr"))?;
    let Some(node) = node.filter(|_| !text.is_empty()) else {
        let place = map.key_span("expr").unwrap_or_else(|| map.span.clone());
        document.error(place, "a rule needs an expression: `expr`");
        return None;
    };
    match Expr::parse(text) {
        Ok(expr) if matches!(expr.value_type(), Type::Text | Type::Matrix) => {
            document.error(node.span.clone(), "the expression gives no vector and no number");
            None
        }
        Ok(expr) => Some(expr),
        Err(e) => {
            document.error(node.place(&document.source.text, &e.span), e.message);
            None
        }
    }
}

fn check_template(document: &Document, node: &Node, text: &str) {
    if let Err(e) = Template::parse(text) {
        document.error(node.place(&document.source.text, &e.span), e.message);
    }
}

/// Rules that say the same of the same series: one of them is a mistake.
fn duplicates(document: &Document, rules: &[Placed]) {
    let key = |rule: &Rule| (rule.kind.clone(), rule.labels.clone());
    for (i, (rule, place)) in rules.iter().enumerate() {
        let before = rules.iter().take(i).find(|(other, _)| {
            key(other) == key(rule)
                && (!rule.is_alert() || (other.expr.text(), other.hold) == (rule.expr.text(), rule.hold))
        });
        if let Some((other, _)) = before {
            let text =
                format!("{} is there twice with the same labels, also at {}", rule.name(), other.place);
            document.warning(place.clone(), text);
        }
    }
}

#[cfg(test)]
mod tests;
