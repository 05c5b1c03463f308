//! Alerts and rules as text for people and as JSON for scripts.

use super::alerts::Seen;
use super::values::number;
use crate::domain::alert::view::{AlertView, Blind, BlindKind, Origin, Paged, Phase, RuleState, RuleView};
use crate::domain::board::{Board, RemoteState};
use crate::domain::series::Labels;
use crate::domain::series::labels::NAME;
use crate::domain::{text, units};
use crate::stack::spec::Stack;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The version of the JSON shape; it grows by one when a reader of the old shape would err.
pub const JSON_VERSION: u32 = 1;
/// Characters of one line of text.
const MAX_LINE: usize = 400;
/// Characters of a severity.
const MAX_SEVERITY: usize = 20;
/// What stands before the lines of one alert or rule after its first.
const BELOW: &str = "        ";

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    Text,
    Json,
}

/// In the form that was asked for; `rules` lists every rule too.
pub fn print(seen: &Seen, stack: &Stack, output: Output, rules: bool) -> String {
    let now = seen.board.at.map_or(Timestamp::UNIX_EPOCH, |at| at.wall);
    match output {
        Output::Text => as_text(seen, now, rules),
        Output::Json => format!("{:#}\n", as_json(seen, stack, now, rules)),
    }
}

/// What stands at the end of every form.
struct Summary {
    firing: usize,
    pending: usize,
    rules: usize,
    failing: usize,
    blind: usize,
    /// Who does not answer: what it is, its name, and why.
    silent: Vec<(&'static str, String, String)>,
}

fn summary(board: &Board) -> Summary {
    let pending = board.alerts.iter().filter(|a| a.phase == Phase::Pending).count();
    let remotes = [("prometheus", &board.engine.prometheus), ("alertmanager", &board.engine.alertmanager)];
    let remotes = remotes.into_iter().filter_map(|(what, view)| match view {
        Some(view) => match &view.state {
            RemoteState::Silent { why, .. } => Some((what, view.url.clone(), why.clone())),
            RemoteState::NotAsked | RemoteState::Answering { .. } => None,
        },
        None => None,
    });
    let targets = board.targets.iter().filter(|t| t.up == Some(false));
    let targets = targets.map(|t| ("target", t.id.clone(), t.reason.clone()));
    Summary {
        firing: board.alerts.len() - pending,
        pending,
        rules: board.rules.len(),
        failing: board.rules.iter().filter(|r| matches!(r.state, RuleState::Error { .. })).count(),
        blind: board.rules.iter().filter(|r| !r.blind.is_empty()).count(),
        silent: remotes.chain(targets).collect(),
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "pending",
        Phase::Firing => "firing",
        Phase::Keeping => "keeping",
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Local => "here",
        Origin::Prometheus => "prometheus",
        Origin::Alertmanager => "alertmanager",
    }
}

fn paged(paged: &Paged) -> &'static str {
    match paged {
        Paged::Yes { .. } => "yes",
        Paged::Nowhere => "nowhere",
        Paged::Pending { .. } => "pending",
        Paged::Inhibited { .. } => "inhibited",
        Paged::Silenced { .. } => "silenced",
        Paged::SourceStale { .. } => "stale",
        Paged::Unknown { .. } => "unknown",
    }
}

fn blind(kind: BlindKind) -> &'static str {
    match kind {
        BlindKind::NeverMatched => "never-matched",
        BlindKind::JoinsNothing => "joins-nothing",
        BlindKind::GuardHides => "guard-hides",
        BlindKind::InhibitionHides => "inhibition-hides",
    }
}

/// A rule's state and what is to be said of it.
fn state(state: &RuleState) -> (&'static str, String) {
    match state {
        RuleState::Waiting => ("waiting", String::new()),
        RuleState::Inactive { because } => ("inactive", because.clone()),
        RuleState::Pending => ("pending", String::new()),
        RuleState::Firing => ("firing", String::new()),
        RuleState::Recorded { series } => {
            ("recorded", series.map_or_else(String::new, |n| format!("{n} series")))
        }
        RuleState::Error { why } => ("error", why.clone()),
        RuleState::Stale { since, what } => ("stale", format!("{what} gives nothing since {since}")),
    }
}

/// What an Alertmanager's alert lacks is not shown as a value.
fn value(alert: &AlertView) -> Option<String> {
    (alert.origin != Origin::Alertmanager).then(|| number(alert.value))
}

/// The annotation that says it best.
fn headline(alert: &AlertView) -> &str {
    let of = |name: &str| alert.annotations.iter().find(|(n, v)| n == name && !v.is_empty());
    ["summary", "description", "message"].into_iter().find_map(of).map_or("", |(_, v)| v)
}

fn span(from: Timestamp, to: Timestamp) -> String {
    let span = Duration::try_from(to.duration_since(from)).unwrap_or_default();
    units::short_age(span)
}

fn acknowledge(by: Timestamp, now: Timestamp) -> String {
    let left = if by >= now { format!("in {}", span(now, by)) } else { format!("{} ago", span(by, now)) };
    format!("acknowledge by {} ({left})", second(by))
}

/// To the second: more tells nothing.
fn second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

fn as_text(seen: &Seen, now: Timestamp, rules: bool) -> String {
    let board = &seen.board;
    let mut lines = Vec::new();
    let wide =
        board.alerts.iter().map(|a| a.severity.chars().count().max(1)).max().unwrap_or(0).min(MAX_SEVERITY);
    for alert in &board.alerts {
        alert_lines(alert, wide, now, &mut lines);
    }
    if rules {
        board.rules.iter().for_each(|rule| rule_lines(rule, &mut lines));
    }
    let found = summary(board);
    let of_rules = match (found.blind, found.failing) {
        (0, 0) => String::new(),
        (blind, 0) => format!(", {blind} blind"),
        (0, failing) => format!(", {failing} failing"),
        (blind, failing) => format!(", {blind} blind, {failing} failing"),
    };
    let named = if found.rules == 1 { "rule" } else { "rules" };
    let said = format!("{} firing, {} pending; {} {named}", found.firing, found.pending, found.rules);
    lines.push(format!("{said}{of_rules}"));
    lines.extend(
        found.silent.iter().map(|(what, name, why)| line("silent: ", &format!("{what} {name}: {why}"))),
    );
    lines.extend(board.engine.trouble.iter().chain(&seen.notes).map(|note| line("note: ", note)));
    lines.join("\n") + "\n"
}

/// A line that may hold what others wrote, after what is ours and stands in columns.
fn line(ours: &str, theirs: &str) -> String {
    format!("{ours}{}", text::one_line(theirs, MAX_LINE))
}

/// One line to see what it is, and below it all that is known.
fn alert_lines(alert: &AlertView, wide: usize, now: Timestamp, lines: &mut Vec<String>) {
    let severity = if alert.severity.is_empty() { "-" } else { &alert.severity };
    let severity = text::one_line(severity, MAX_SEVERITY);
    let value = value(alert).map_or_else(String::new, |v| format!(", value {v}"));
    let since = format!("since {} ({})", second(alert.since), span(alert.since, now));
    let ours = format!("{:8}{severity:wide$}  ", phase(alert.phase));
    lines.push(line(&ours, &format!("{} {since}{value}", alert.name)));
    let labels = labels(&alert.labels);
    let said = [headline(alert).to_owned(), labels].into_iter().filter(|t| !t.is_empty());
    lines.extend(said.map(|text| line(BELOW, &text)));
    let mut rest = vec![alert.paged.words(now)];
    rest.extend(alert.acknowledge_by.map(|by| acknowledge(by, now)));
    rest.extend(alert.keep_left.map(|left| format!("kept for {} more", units::short_age(left))));
    rest.push(match alert.origin {
        Origin::Local => "evaluated here".to_owned(),
        other => format!("from {}", origin(other)),
    });
    rest.extend(alert.caveat.clone());
    lines.push(line(BELOW, &rest.join("; ")));
}

/// All labels but those that are said already.
fn labels(all: &Labels) -> String {
    let said = [NAME, "alertname", "severity"];
    let rest: Vec<String> =
        all.iter().filter(|(n, _)| !said.contains(n)).map(|(n, v)| format!("{n}={v:?}")).collect();
    rest.join(" ")
}

fn rule_lines(rule: &RuleView, lines: &mut Vec<String>) {
    let (state, why) = state(&rule.state);
    let why = if why.is_empty() { why } else { format!(": {why}") };
    let severity = if rule.severity.is_empty() { String::new() } else { format!(" ({})", rule.severity) };
    lines.push(line(&format!("rule    {state:10}"), &format!("{}{severity}{why}", rule.name)));
    for Blind { kind, what, remedy } in &rule.blind {
        lines.push(line(BELOW, &format!("blind ({}): {what}; {remedy}", blind(*kind))));
    }
}

fn as_json(seen: &Seen, stack: &Stack, now: Timestamp, rules: bool) -> Json {
    let board = &seen.board;
    let found = summary(board);
    let silent: Vec<Json> = found
        .silent
        .iter()
        .map(|(what, name, why)| json!({ "what": what, "name": name, "why": why }))
        .collect();
    let mut report = json!({
        "version": JSON_VERSION,
        "stack": stack.name,
        "environment": stack.environment,
        "at": now.to_string(),
        "collected_seconds": seen.collected.as_secs_f64(),
        "firing": found.firing,
        "pending": found.pending,
        "rules_total": found.rules,
        "rules_blind": found.blind,
        "rules_failing": found.failing,
        "silent": silent,
        "notes": board.engine.trouble.iter().chain(&seen.notes).collect::<Vec<_>>(),
        "alerts": board.alerts.iter().map(|a| alert_json(a, board, now)).collect::<Vec<_>>(),
    });
    if rules && let Some(object) = report.as_object_mut() {
        object.insert("rules".to_owned(), board.rules.iter().map(rule_json).collect());
    }
    report
}

fn alert_json(alert: &AlertView, board: &Board, now: Timestamp) -> Json {
    let rule = alert.rule.and_then(|index| board.rules.get(index.0));
    let receivers: &[String] = match &alert.paged {
        Paged::Yes { receivers } => receivers,
        _ => &[],
    };
    let time = |at: Option<Timestamp>| at.map(|t| t.to_string());
    json!({
        "name": alert.name,
        "severity": alert.severity,
        "rank": alert.rank,
        "phase": phase(alert.phase),
        "origin": origin(alert.origin),
        "labels": alert.labels.iter().collect::<BTreeMap<_, _>>(),
        "annotations": alert.annotations.iter().cloned().collect::<BTreeMap<_, _>>(),
        "value": value(alert),
        "since": alert.since.to_string(),
        "fired": time(alert.fired),
        "keep_left_seconds": alert.keep_left.map(|d| d.as_secs_f64()),
        "acknowledge_by": time(alert.acknowledge_by),
        "paged": paged(&alert.paged),
        "why": alert.paged.words(now),
        "receivers": receivers,
        "caveat": alert.caveat,
        "help": rule.map(|r| r.help.as_str()),
        "rows": rule.map(|r| r.rows.as_slice()).unwrap_or_default(),
    })
}

fn rule_json(rule: &RuleView) -> Json {
    let (state, why) = state(&rule.state);
    let blinds =
        rule.blind.iter().map(|b| json!({ "kind": blind(b.kind), "what": b.what, "remedy": b.remedy }));
    json!({
        "name": rule.name,
        "group": rule.group,
        "recording": rule.recording,
        "expr": rule.expr,
        "severity": rule.severity,
        "origin": origin(rule.origin),
        "state": state,
        "why": why,
        "blind": blinds.collect::<Vec<_>>(),
        "for_seconds": rule.hold.as_secs_f64(),
        "keep_firing_for_seconds": rule.keep.as_secs_f64(),
        "rows": rule.rows,
    })
}
