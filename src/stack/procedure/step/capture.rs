//! `uses = "capture"`: evidence, kept whole up to a bound.

use super::context::Context;
use crate::domain::procedure::action::Action;
use crate::domain::procedure::action::kinds::{Capture, CaptureFrom};
use crate::stack::decode::Table;
use crate::stack::procedure::spec::LateOf;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What is kept when the file does not say, in bytes.
const MAX: u64 = 64 << 20;
/// How far back a journal may be read.
const SINCE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);
/// Names of the run's directory that are not for captures.
const TAKEN: [&str; 6] = ["plan.json", "approval.json", "journal", "outputs", "control.sock", "runner.log"];

pub(super) fn decode(t: &Table<'_>, ctx: &Context<'_>) -> Option<Action> {
    let name = t.need_str("name");
    if let Some(name) = name.as_ref().filter(|n| TAKEN.contains(&n.value.as_str())) {
        let message = format!("`{}` is a file of the run itself", name.value);
        t.reader.error(name.span.clone(), message, Some("choose another name".to_owned()));
    }
    let from = from(t, ctx);
    let max = t.size("max", 1..=(16 << 30)).unwrap_or(MAX);
    let whole = t.bool_or("whole", false);
    let may_be_empty = t.bool_or("may_be_empty", false);
    Some(Action::Capture(Capture { name: name?.value, from: from?, max, whole, may_be_empty }))
}

fn from(t: &Table<'_>, ctx: &Context<'_>) -> Option<CaptureFrom> {
    let ways = ["command", "units", "file", "url"];
    for key in ways.into_iter().chain(super::http::KEYS) {
        t.ask(key);
    }
    let since = ctx.duration(t, "since", SINCE, LateOf::Since);
    if ways.iter().filter(|way| t.has(way)).count() != 1 {
        let message =
            "a capture needs exactly one of `command`, `units`, `file` and `url`: where it comes from";
        t.reader.error(t.span.clone(), message, None);
        return None;
    }
    if t.has("units") != t.has("since") {
        let message = "`units` and `since` go together: whose journal, and how far back";
        t.reader.error(t.span_of("units"), message, None);
    }
    if t.has("command") {
        return t.argv("command").map(CaptureFrom::Command);
    }
    if t.has("units") {
        let units: Vec<String> = t.strings("units")?.into_iter().map(|u| u.value).collect();
        if units.is_empty() {
            t.reader.error(t.span_of("units"), "`units` expects at least one unit", None);
            return None;
        }
        return Some(CaptureFrom::Journal { units, since: since? });
    }
    if t.has("file") {
        return t.str("file").map(|f| CaptureFrom::File(f.value));
    }
    super::http::request(t, ctx).map(|h| CaptureFrom::Http(Box::new(h)))
}
