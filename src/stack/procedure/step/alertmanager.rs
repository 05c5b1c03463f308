//! `uses = "alertmanager"`: make and end a silence, submit an alert.

use super::super::refs::To;
use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::Alertmanager;
use crate::domain::text;
use crate::stack::decode::Table;
use crate::stack::metrics::read::is_label;
use crate::stack::procedure::spec::LateOf;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long a silence or an alert may last.
const SPANS: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(31 * 86_400);

pub(super) fn decode(t: &Table<'_>, ctx: &Context<'_>) -> Option<Action> {
    let verb = super::need_choice(t, "verb", &["silence", "expire", "alert"]);
    let matchers = t.strings("matchers");
    let span = ctx.duration(t, "for", SPANS, LateOf::For);
    let comment = t.str("comment");
    let step = t.str("step");
    let (label, annotation) = (labels(t, "labels"), labels(t, "annotations"));
    let verb = verb?;
    let keys: &[(&str, &[&str])] = &[
        ("matchers", &["silence"]),
        ("comment", &["silence"]),
        ("for", &["silence", "alert"]),
        ("step", &["expire"]),
        ("labels", &["alert"]),
        ("annotations", &["alert"]),
    ];
    for (key, verbs) in keys.iter().filter(|(key, verbs)| t.has(key) && !verbs.contains(&verb)) {
        let message = format!("`{key}` belongs to {}, not to `{verb}`", verbs.join(" and "));
        t.reader.error(t.span_of(key), message, None);
    }
    let needs = |key: &str, what: &str| {
        if !t.has(key) {
            t.reader.error(t.span.clone(), format!("`{verb}` needs `{key}`: {what}"), None);
        }
    };
    Some(Action::Alertmanager(match verb {
        "silence" => {
            needs("matchers", "what is silenced");
            needs("for", "a silence ends by itself");
            needs("comment", "why");
            let matchers: Vec<String> = matchers?.into_iter().map(|m| m.value).collect();
            if matchers.is_empty() {
                t.reader.error(
                    t.span_of("matchers"),
                    "a silence without matchers would silence everything",
                    None,
                );
            }
            Alertmanager::Silence { matchers, span: span?, comment: comment?.value }
        }
        "expire" => {
            needs("step", "the step of this procedure that made the silence");
            let step = step?;
            ctx.refers(To::Silence, &step);
            Alertmanager::Expire { step: step.value }
        }
        _ => {
            if label.as_ref().is_some_and(|l| !l.contains_key("alertname")) {
                t.reader.error(t.span_of("labels"), "an alert needs the label `alertname`", None);
            }
            Alertmanager::Alert { labels: label?, annotations: annotation?, span }
        }
    }))
}

/// Names and texts, each name one that Prometheus takes.
fn labels(t: &Table<'_>, key: &'static str) -> Option<BTreeMap<String, String>> {
    let mut out = BTreeMap::new();
    let mut sound = true;
    for (name, at) in t.text_map(key) {
        if !is_label(&name) {
            let shown = text::one_line(&name, 60);
            t.reader.error(at.span, format!("`{shown}` is no valid name of a label"), None);
            sound = false;
            continue;
        }
        out.insert(name, at.value);
    }
    sound.then_some(out)
}
