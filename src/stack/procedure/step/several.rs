//! Steps that stand for several: `for_each`, and another procedure in its place.

use super::super::refs::To;
use super::super::spec::{ForEach, Items, Step, Uses};
use super::context::Context;
use super::{Draft, read as read_step};
use crate::domain::id::{HostId, ProcedureId};
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::plan::{OnFailure, OnTimeout};
use crate::stack::decode::{At, Table};
use std::time::Duration;

/// Items or hosts of one `for_each`.
const MAX_ITEMS: usize = 100;
/// How deep steps may stand inside each other.
const MAX_DEPTH: usize = 4;

/// What such a step does not say itself.
const INSIDE: [&str; 16] = [
    "host",
    "layer",
    "sudo",
    "effect",
    "idempotent",
    "timeout",
    "on_timeout",
    "on_failure",
    "verify",
    "rollback",
    "point_of_no_return",
    "unless",
    "after",
    "owes",
    "settles",
    "steps",
];

/// Reads a step that stands for several, and those inside it.
pub(super) fn read(
    t: &Table<'_>,
    ctx: &Context<'_>,
    (id, name): (At<String>, Option<String>),
    uses: &str,
) -> Option<(Step, Vec<Draft>)> {
    for key in INSIDE {
        t.ask(key);
        if t.has(key) && !(key == "steps" && uses == "for_each") {
            let whose =
                if uses == "for_each" { "to the steps inside it" } else { "to that procedure's steps" };
            t.reader.error(
                t.span_of(key),
                format!("`{key}` does not belong to this step, but {whose}"),
                None,
            );
        }
    }
    let hold = t.str("hold").map(|h| ctx.words(t, "hold", h.value));
    let (uses, inner) = if uses == "for_each" { for_each(t, ctx)? } else { (procedure(t, ctx)?, Vec::new()) };
    let step = Step {
        name: name.unwrap_or_else(|| id.value.clone()),
        id: id.value,
        host: None,
        layer: None,
        sudo: false,
        uses,
        effect: Effect::Read,
        idempotent: true,
        timeout: Duration::ZERO,
        on_timeout: OnTimeout::Verify,
        on_failure: OnFailure::Stop,
        verify: None,
        rollback: None,
        hold,
        point_of_no_return: false,
        unless: None,
        after: Vec::new(),
        owes: None,
        settles: Vec::new(),
        late: Vec::new(),
    };
    Some((step, inner))
}

fn for_each(t: &Table<'_>, ctx: &Context<'_>) -> Option<(Uses, Vec<Draft>)> {
    let with = t.table("with", "for_each step");
    if !t.has("with") {
        t.reader.error(t.span.clone(), "this for_each has no `with`: the items or hosts of its rounds", None);
    }
    let over_hosts = with.as_ref().is_some_and(|w| w.has("hosts"));
    let items = with.as_ref().and_then(|w| items(w, ctx));
    let failures = with.as_ref().map_or(0, |w| w.int_or("max_failures", 0, 0..=100));
    if let Some(with) = with {
        with.finish();
    }
    let inside = ctx.for_rounds(over_hosts || ctx.host_rounds);
    let depth = ctx.depth + 1;
    let tables = t.tables("steps", "step");
    if tables.is_empty() {
        t.reader.error(t.span.clone(), "this for_each has no steps; write [[procedures.steps.steps]]", None);
    }
    if depth > MAX_DEPTH {
        t.reader.error(
            t.span.clone(),
            format!("steps stand at most {MAX_DEPTH} deep inside each other"),
            None,
        );
        return None;
    }
    let inner: Vec<Draft> = tables.into_iter().filter_map(|t| read_step(t, &inside)).collect();
    let steps = inner.iter().map(|d| d.step.clone()).collect();
    let max_failures = u32::try_from(failures).unwrap_or(0);
    Some((Uses::ForEach(ForEach { items: items?, max_failures, steps }), inner))
}

fn items(with: &Table<'_>, ctx: &Context<'_>) -> Option<Items> {
    let (hosts, items) = (with.strings("hosts"), with.strings("items"));
    if with.has("hosts") == with.has("items") {
        with.reader.error(with.span.clone(), "a for_each needs exactly one of `items` and `hosts`", None);
        return None;
    }
    let (key, all) = if let Some(all) = hosts { ("hosts", all) } else { ("items", items?) };
    if all.is_empty() || all.len() > MAX_ITEMS {
        let message = format!("`{key}` has from 1 to {MAX_ITEMS} entries, not {}", all.len());
        with.reader.error(with.span_of(key), message, None);
        return None;
    }
    for (i, at) in all.iter().enumerate() {
        if all.iter().take(i).any(|before| before.value == at.value) {
            let shown = crate::domain::text::one_line(&at.value, 60);
            with.reader.error(at.span.clone(), format!("`{shown}` is named twice"), None);
        }
    }
    if key == "items" {
        for at in &all {
            ctx.item(with, at);
        }
        return Some(Items::List(all.into_iter().map(|at| at.value).collect()));
    }
    if ctx.host_rounds {
        with.reader.error(with.span_of("hosts"), "these rounds stand inside rounds over hosts", None);
        return None;
    }
    let known =
        |at: &At<String>| ctx.known(with, "host", at, ctx.names.hosts.iter().map(|h| h.value.as_str()));
    let sound: Vec<bool> = all.iter().map(known).collect();
    sound.iter().all(|s| *s).then(|| Items::Hosts(all.iter().map(|at| HostId::new(&at.value)).collect()))
}

fn procedure(t: &Table<'_>, ctx: &Context<'_>) -> Option<Uses> {
    let Some(with) = t.table("with", "procedure step") else {
        if !t.has("with") {
            let message = "this step has no `with`; it needs { id = \"PROCEDURE\" }";
            t.reader.error(t.span.clone(), message, None);
        }
        return None;
    };
    let id = with.need_str("id");
    let mut params = std::collections::BTreeMap::new();
    for (name, at) in with.text_map("params") {
        ctx.item(&with, &at);
        params.insert(name, at.value);
    }
    if let Some(id) = &id {
        ctx.refers(To::Inlined, id);
    }
    with.finish();
    Some(Uses::Procedure { id: ProcedureId::new(&id?.value), params })
}
