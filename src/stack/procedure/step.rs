//! Reading one step: what all steps have. What a kind is told is read in the file of that kind.

mod alertmanager;
mod capture;
mod checks;
mod compose;
pub mod context;
mod exec;
mod file;
mod firewall;
mod http;
mod manual;
mod nginx;
mod postgres;
mod redis_command;
mod several;
mod shell;
mod signal;
mod systemd;
mod unix_json;
mod wait;

use super::spec::{LateOf, Rollback, Step, Uses};
use crate::domain::id::{HostId, LayerId, ProcedureId};
use crate::domain::procedure::action::Action;
use crate::domain::procedure::level::Effect;
use crate::domain::procedure::plan::{OnFailure, OnTimeout, Owe};
use crate::domain::text;
use crate::stack::decode::{At, Table};
use context::Context;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long one step may take.
pub const TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
/// How long a step may take when the file does not say.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// The same for what a person does.
const OF_A_PERSON: Duration = Duration::from_secs(86_400);
/// What a wait may take beyond its own `within`.
const BEYOND_WAIT: Duration = Duration::from_secs(30);

/// Every kind of action, how it is read, and how its `with` is called in messages.
type Decode = fn(&Table<'_>, &Context<'_>) -> Option<Action>;
const KINDS: &[(&str, &str, Decode)] = &[
    ("alertmanager", "alertmanager step", alertmanager::decode),
    ("capture", "capture step", capture::decode),
    ("compose", "compose step", compose::decode),
    ("exec", "exec step", exec::decode),
    ("file", "file step", file::decode),
    ("firewall", "firewall step", firewall::decode),
    ("http", "http step", http::decode),
    ("manual", "manual step", manual::decode),
    ("nginx", "nginx step", nginx::decode),
    ("postgres", "postgres step", postgres::decode),
    ("redis", "redis step", redis_command::decode),
    ("shell", "shell step", shell::decode),
    ("signal", "signal step", signal::decode),
    ("systemd", "systemd step", systemd::decode),
    ("unix-json", "unix-json step", unix_json::decode),
    ("wait", "wait step", wait::decode),
];

/// The names that `uses` takes.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(name, ..)| *name).chain(["for_each", "procedure"])
}

/// A step and where it stands, with the steps inside it.
#[derive(Debug)]
pub struct Draft {
    pub step: Step,
    pub at: context::Places,
    /// The steps of a `for_each`, in their order: those of `step.uses` too.
    pub inner: Vec<Draft>,
}

/// Reads a step. What is wrong is noted; `None` when too little is left of it to go on with.
pub fn read(t: Table<'_>, ctx: &Context<'_>) -> Option<Draft> {
    let id = t.need_id("id");
    if let Some(id) = &id {
        ctx.references.step(id);
    }
    let name = t.str("name").map(|n| ctx.words(&t, "name", n.value));
    let uses = t.need_str("uses");
    let places = context::Places::of(&t, id.as_ref());
    let several = uses.as_ref().filter(|u| matches!(u.value.as_str(), "for_each" | "procedure"));
    if let Some(uses) = several {
        let step = several::read(&t, ctx, (id?, name), &uses.value);
        t.finish();
        let (step, inner) = step?;
        return Some(Draft { step, at: places, inner });
    }
    let ctx = &ctx.for_a_step();
    let action = uses.and_then(|u| read_action(&t, ctx, &u));
    let step = read_rest(&t, ctx, id.map(|i| i.value), name, action);
    t.finish();
    Some(Draft { step: step?, at: places, inner: Vec::new() })
}

fn read_action(t: &Table<'_>, ctx: &Context<'_>, uses: &At<String>) -> Option<Action> {
    let Some((_, what, decode)) = KINDS.iter().find(|(name, ..)| *name == uses.value) else {
        let near = text::nearest(&uses.value, kinds());
        let help = near.map_or_else(
            || format!("there are {}", kinds().collect::<Vec<_>>().join(", ")),
            |n| format!("did you mean \"{n}\"?"),
        );
        let shown = text::one_line(&uses.value, 40);
        t.reader.error(uses.span.clone(), format!("there is no kind of step called \"{shown}\""), Some(help));
        // Nobody knows which keys it would take.
        t.ask("with");
        return None;
    };
    if !t.has("with") {
        t.ask("with");
        t.reader.error(t.span.clone(), format!("this {what} has no `with`: what it is to do"), None);
        return None;
    }
    let with = t.table("with", what)?;
    let action = decode(&with, ctx);
    if let Some(action) = &action {
        ctx.check_action(&with, action);
    }
    with.finish();
    action
}

fn read_rest(
    t: &Table<'_>,
    ctx: &Context<'_>,
    id: Option<String>,
    name: Option<String>,
    action: Option<Action>,
) -> Option<Step> {
    let (host, layer) = (ctx.host(t), ctx.layer(t));
    let sudo = t.bool_or("sudo", false);
    let given = effect(t);
    let passive = matches!(action, Some(Action::Wait(_) | Action::Manual(_) | Action::Capture(_)));
    let effect = given.unwrap_or(if passive { Effect::Read } else { Effect::Destroy });
    let idempotent = t.bool_or("idempotent", effect == Effect::Read);
    let usual = match &action {
        Some(Action::Wait(w)) => w.until.within + BEYOND_WAIT,
        Some(Action::Manual(_)) => OF_A_PERSON,
        _ => TIMEOUT,
    };
    let timeout = ctx.duration(t, "timeout", TIMEOUTS, LateOf::Timeout).unwrap_or(usual);
    let on_timeout = match t.choice("on_timeout", &["verify", "fail", "hold"]) {
        Some("fail") => OnTimeout::Fail,
        Some("hold") => OnTimeout::Hold,
        _ => OnTimeout::Verify,
    };
    let on_failure = match t.choice("on_failure", &["stop", "rollback", "hold", "continue"]) {
        Some("rollback") => OnFailure::Rollback,
        Some("hold") => OnFailure::Hold,
        Some("continue") => OnFailure::Continue,
        _ => OnFailure::Stop,
    };
    let verify = ctx.check(t, "verify", LateOf::Verify);
    let unless = ctx.check(t, "unless", LateOf::Unless);
    let after = ctx.references(t, "after");
    if !after.is_empty() && !t.has("unless") {
        let help = "`after` says when a step is not passed over; `unless` says when it is".to_owned();
        t.reader.error(t.span_of("after"), "`after` means nothing without `unless`", Some(help));
    }
    let hold = t.str("hold").map(|h| ctx.words(t, "hold", h.value));
    let point_of_no_return = t.bool_or("point_of_no_return", false);
    let owes = owes(t, ctx);
    let settles = ctx.references(t, "settles");
    let rollback = rollback(t, ctx);
    if on_failure == OnFailure::Rollback && !t.has("rollback") {
        let help = "add rollback = { uses = \"…\", with = { … } }".to_owned();
        let message = "`on_failure = \"rollback\"` needs a `rollback`: how this step is undone";
        t.reader.error(t.span_of("on_failure"), message, Some(help));
    }
    let id = id?;
    Some(Step {
        name: name.unwrap_or_else(|| id.clone()),
        id,
        host,
        layer,
        sudo,
        uses: Uses::Action(Box::new(action?)),
        effect,
        idempotent,
        timeout,
        on_timeout,
        on_failure,
        verify,
        rollback,
        hold,
        point_of_no_return,
        unless,
        after,
        owes,
        settles,
        late: ctx.take_late(),
    })
}

fn effect(t: &Table<'_>) -> Option<Effect> {
    Some(match t.choice("effect", &["read", "change", "interrupt", "destroy"])? {
        "read" => Effect::Read,
        "change" => Effect::Change,
        "interrupt" => Effect::Interrupt,
        _ => Effect::Destroy,
    })
}

fn owes(t: &Table<'_>, ctx: &Context<'_>) -> Option<Owe> {
    let inner = t.table("owes", "debt")?;
    let id = inner.need_id("id");
    if let Some(id) = &id {
        ctx.references.debt(&id.value);
    }
    let says = inner.need_str("says").map(|s| ctx.words(&inner, "says", s.value));
    let by = inner.str("by").map(|b| {
        ctx.refers(super::refs::To::Procedure, &b);
        ProcedureId::new(&b.value)
    });
    inner.finish();
    Some(Owe { id: id?.value, says: says?, by })
}

fn rollback(t: &Table<'_>, ctx: &Context<'_>) -> Option<Rollback> {
    let inner = t.table("rollback", "rollback")?;
    let ctx = &ctx.for_a_rollback();
    let uses = inner.need_str("uses");
    if let Some(uses) = uses.as_ref().filter(|u| matches!(u.value.as_str(), "for_each" | "procedure")) {
        let message = format!("a rollback is one action, not \"{}\"", uses.value);
        inner.reader.error(uses.span.clone(), message, None);
        return None;
    }
    let action = uses.and_then(|u| read_action(&inner, ctx, &u));
    let timeout = inner.duration_or("timeout", TIMEOUT, TIMEOUTS);
    let verify = ctx.check(&inner, "verify", LateOf::Verify);
    inner.finish();
    Some(Rollback { action: action?, timeout, verify })
}

/// The id of a host, for who has found it valid.
fn host_id(at: &At<String>) -> HostId {
    HostId::new(&at.value)
}

fn layer_id(at: &At<String>) -> LayerId {
    LayerId::new(&at.value)
}

/// One of a few words, which must be there.
pub(super) fn need_choice(t: &Table<'_>, key: &'static str, words: &[&'static str]) -> Option<&'static str> {
    if !t.has(key) {
        t.ask(key);
        let message = format!("this {} has no `{key}`; it needs one of {}", t.what(), words.join(", "));
        t.reader.error(t.span.clone(), message, None);
        return None;
    }
    t.choice(key, words)
}

/// `expect`: conditions on an answer.
fn expect(t: &Table<'_>) -> Option<Vec<String>> {
    let all = t.strings("expect")?;
    if all.len() > 64 {
        t.reader.error(t.span_of("expect"), "`expect` has at most 64 conditions", None);
    }
    Some(all.into_iter().map(|at| at.value).collect())
}
