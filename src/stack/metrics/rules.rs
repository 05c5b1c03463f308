//! Reading `[[rules]]`, `[[inhibitions]]` and `[[severities]]`.

use super::read::{INTERVALS, is_label, is_metric, read_expr, read_labels, read_rows};
use super::{Inhibition, Rule, RuleKind, Severity, Suppression};
use crate::domain::alert::template::Template;
use crate::domain::promql::{Expr, Type};
use crate::domain::series::Matcher;
use crate::domain::text::one_line;
use crate::stack::decode::{At, Table};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// `for` and `keep_firing_for`.
const HOLDS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(366 * 86_400);
/// By when an alert must have been acknowledged.
const ACKNOWLEDGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(31 * 86_400);

pub(super) fn read_rule(t: Table<'_>) -> Option<Rule> {
    let (line, _) = t.reader.source().position(t.span.start);
    let place = format!("{}:{line}", t.reader.source().name);
    let kind = read_kind(&t);
    let expr = read_expr(&t, "expr");
    let group = t.str_or("group", "stack");
    let hold = t.duration_or("for", Duration::ZERO, HOLDS);
    let keep_firing_for = t.duration_or("keep_firing_for", Duration::ZERO, HOLDS);
    let interval = t.duration("interval", INTERVALS);
    let limit = usize::try_from(t.int_or("limit", 0, 0..=1_000_000)).unwrap_or(0);
    let labels = read_labels(&t, "labels");
    let annotations = read_labels(&t, "annotations");
    let sound = sound_type(&t, expr.as_ref())
        && sound_templates(&t, "labels", &labels)
        && sound_templates(&t, "annotations", &annotations);
    let help = t.str_or("help", "");
    let rows = read_rows(&t);
    if let Some(RuleKind::Record(_)) = kind {
        for key in ["for", "keep_firing_for", "annotations"] {
            if t.has(key) {
                t.reader.error(t.span_of(key), format!("a recording rule has no `{key}`"), None);
            }
        }
    }
    t.finish();
    if !sound {
        return None;
    }
    Some(Rule {
        kind: kind?,
        group,
        expr: expr?,
        hold,
        keep_firing_for,
        labels,
        annotations,
        interval,
        limit,
        help,
        rows,
        place,
    })
}

/// A rule needs a vector or a number.
fn sound_type(t: &Table<'_>, expr: Option<&Expr>) -> bool {
    let wrong = match expr.map(Expr::value_type) {
        Some(Type::Text) => "a text",
        Some(Type::Matrix) => {
            "samples over time; a function such as rate() or last_over_time() must take them"
        }
        Some(Type::Vector | Type::Scalar) | None => return true,
    };
    t.reader.error(t.span_of("expr"), format!("`expr` of a rule gives {wrong}"), None);
    false
}

/// What a template cannot do is said when the file is loaded, not when the alert fires.
fn sound_templates(t: &Table<'_>, key: &'static str, texts: &BTreeMap<String, String>) -> bool {
    let mut sound = true;
    for (name, text) in texts {
        if let Err(e) = Template::parse(text) {
            let shown = text.get(e.span.clone()).unwrap_or(text);
            let help = Some(format!("at `{}`", one_line(shown, 60)));
            t.reader.error(t.span_of(key), format!("`{name}` is no template: {}", e.message), help);
            sound = false;
        }
    }
    sound
}

fn read_kind(t: &Table<'_>) -> Option<RuleKind> {
    match (t.str("alert"), t.str("record")) {
        (Some(name), None) if !name.value.is_empty() => Some(RuleKind::Alert(name.value)),
        (Some(name), None) => {
            t.reader.error(name.span, "`alert` expects a name", None);
            None
        }
        (None, Some(name)) if is_metric(&name.value) => Some(RuleKind::Record(name.value)),
        (None, Some(name)) => {
            let shown = one_line(&name.value, 60);
            t.reader.error(name.span, format!("`{shown}` is no valid name of a series"), None);
            None
        }
        (None, None) if t.has("alert") || t.has("record") => None,
        _ => {
            let message = "a rule needs exactly one of `alert` and `record`";
            t.reader.error(t.span.clone(), message, None);
            None
        }
    }
}

pub(super) fn read_inhibition(t: Table<'_>) -> Option<Suppression> {
    let source = read_matchers(&t, "source_matchers");
    let target = read_matchers(&t, "target_matchers");
    let mut equal = Vec::new();
    for At { value, span } in t.strings("equal").unwrap_or_default() {
        if is_label(&value) {
            equal.push(value);
        } else {
            let shown = one_line(&value, 60);
            t.reader.error(span, format!("`{shown}` is no valid name of a label"), None);
        }
    }
    let active = t.bool_or("active", true);
    let help = t.str_or("help", "");
    let rows = read_rows(&t);
    t.finish();
    let inhibition = Inhibition { source: source?, target: target?, equal };
    Some(Suppression { inhibition, active, help, rows })
}

/// Alertmanager's matchers: `severity="critical"`.
fn read_matchers<'a>(t: &Table<'a>, key: &'a str) -> Option<Vec<Matcher>> {
    let Some(texts) = t.strings(key).filter(|all| !all.is_empty()) else {
        let help = Some(format!("write {key} = ['severity=\"critical\"']"));
        t.reader.error(t.span_of(key), format!("an inhibition needs `{key}`"), help);
        return None;
    };
    let mut sound = true;
    let mut out = Vec::new();
    for at in texts {
        match Matcher::parse(&at.value) {
            Ok(matcher) => out.push(matcher),
            Err(why) => {
                t.reader.error(at.span, format!("`{key}` holds no matcher: {why}"), None);
                sound = false;
            }
        }
    }
    sound.then_some(out)
}

pub(super) fn read_severity(t: Table<'_>) -> Option<Severity> {
    let name = t.need_str("name");
    let rank = t.int("rank", 0..=9);
    if !t.has("rank") {
        t.reader.error(t.span.clone(), "this severity has no `rank`; 0 wakes people up", None);
    }
    let about = t.str_or("about", "");
    let acknowledge = t.duration("acknowledge", ACKNOWLEDGE);
    let receiver = t.str_or("receiver", "");
    t.finish();
    Some(Severity { name: name?.value, rank: u8::try_from(rank?).ok()?, about, acknowledge, receiver })
}
