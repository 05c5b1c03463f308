//! Reading `[[procedures]]` of a stack file.

use super::interlock::{self, InterlockDraft};
use super::order;
use super::refs::{self, References};
use super::spec::{BlastLine, Precondition, Procedure, Procedures, Role};
use super::step::context::{Context, Names};
use super::{param, step};
use crate::domain::id::{LayerId, ProcedureId};
use crate::domain::procedure::level::Level;
use crate::stack::decode::{At, Part, Table};
use crate::stack::draft::LayerDraft;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

/// How long a whole run may take.
const DEADLINES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(31 * 86_400);
/// How long a run may take when the file does not say.
pub const DEADLINE: Duration = Duration::from_secs(3600);
/// Procedures of one stack.
const MAX_PROCEDURES: usize = 200;
/// Steps of one procedure as they are written, at one depth.
const MAX_STEPS: usize = 200;

/// What stands in a stack file of procedures.
#[derive(Debug, Default)]
pub struct Draft {
    pub all: Procedures,
    /// The same with places, for those who look at how it is written.
    pub drafts: Vec<ProcedureDraft>,
    pub interlocks: Vec<InterlockDraft>,
}

/// A procedure and where its parts stand.
#[derive(Debug)]
pub struct ProcedureDraft {
    /// `None` when it has none that is valid.
    pub id: Option<At<String>>,
    /// The place of the table, or of its id.
    pub span: Range<usize>,
    pub procedure: Option<Procedure>,
    pub steps: Vec<step::Draft>,
    pub refs: References,
}

impl ProcedureDraft {
    /// Every step as it is written, those inside others too, in the order of the file.
    pub fn every_step(&self) -> Vec<&step::Draft> {
        let mut out = Vec::new();
        let mut waiting: Vec<&step::Draft> = self.steps.iter().rev().collect();
        while let Some(step) = waiting.pop() {
            out.push(step);
            waiting.extend(step.inner.iter().rev());
        }
        out
    }
}

/// What the other parts of the stack file define.
#[derive(Clone, Copy)]
pub struct Stack<'a> {
    pub hosts: &'a [At<String>],
    pub logins: &'a [String],
    pub layers: &'a [LayerDraft],
    pub probes: &'a [String],
}

/// Reads every procedure and interlock; what is wrong is noted.
pub fn read(root: &Table<'_>, stack: Stack<'_>) -> Draft {
    root.reader.leave_later(true);
    let layers: Vec<String> = stack.layers.iter().map(|l| l.id.value.clone()).collect();
    let names = Names { hosts: stack.hosts, logins: stack.logins, layers: &layers, probes: stack.probes };
    let tables = root.tables("procedures", "procedure");
    if let Some(extra) = tables.get(MAX_PROCEDURES) {
        let message =
            format!("a stack has at most {MAX_PROCEDURES} procedures, this one has {}", tables.len());
        extra.reader.error(extra.span.clone(), message, None);
    }
    let drafts: Vec<ProcedureDraft> =
        tables.into_iter().take(MAX_PROCEDURES).map(|t| read_procedure(t, names)).collect();
    let interlocks = interlock::read(root, names);
    root.reader.leave_later(false);
    refs::check(root.reader, &drafts);
    roles(root, &drafts);
    for draft in &drafts {
        order::check(root.reader, draft, stack.layers);
    }
    interlock::check(root.reader, &interlocks, &drafts);
    let all = Procedures {
        all: drafts.iter().filter_map(|d| d.procedure.clone()).collect(),
        interlocks: interlocks.iter().filter_map(|i| i.interlock.clone()).collect(),
    };
    Draft { all, drafts, interlocks }
}

fn read_procedure(t: Table<'_>, names: Names<'_>) -> ProcedureDraft {
    let id = t.need_id("id");
    let refs = References::default();
    let params = param::read(&t, names);
    let (steps, procedure) = {
        let ctx = Context::new(names, &params, &refs);
        let head = read_head(&t, &ctx);
        let tables = t.tables("steps", "step");
        if !t.has("steps") {
            let message = "this procedure has no steps; write at least one [[procedures.steps]]";
            t.reader.error(t.span.clone(), message, None);
        }
        if let Some(extra) = tables.get(MAX_STEPS) {
            let message = format!("a procedure has at most {MAX_STEPS} steps, this one has {}", tables.len());
            t.reader.error(extra.span.clone(), message, None);
        }
        let count = tables.len();
        let steps: Vec<step::Draft> =
            tables.into_iter().take(MAX_STEPS).filter_map(|t| step::read(t, &ctx)).collect();
        let whole = steps.len() == count;
        let id = id.as_ref().filter(|_| whole).map(|i| ProcedureId::new(&i.value));
        let procedure = head.zip(id).map(|(head, id)| Procedure {
            name: if head.name.is_empty() { id.as_str().to_owned() } else { head.name.clone() },
            id,
            params: params.clone(),
            steps: steps.iter().map(|d| d.step.clone()).collect(),
            ..head
        });
        (steps, procedure)
    };
    let span = id.as_ref().map_or_else(|| t.span.clone(), |i| i.span.clone());
    t.finish();
    ProcedureDraft { id, span, procedure, steps, refs }
}

/// What a procedure says of itself; its id, parameters and steps come later.
fn read_head(t: &Table<'_>, ctx: &Context<'_>) -> Option<Procedure> {
    let name = t.str("name").map(|n| ctx.words(t, "name", n.value)).unwrap_or_default();
    let about = t.str_or("about", "");
    let role = t.choice("role", &["restart", "drain", "contain"]).map(|r| match r {
        "restart" => Role::Restart,
        "drain" => Role::Drain,
        _ => Role::Contain,
    });
    let rows = crate::stack::metrics::read::read_rows(t);
    let lock = if t.has("lock") {
        t.need_id("lock").map(|l| l.value)
    } else {
        t.ask("lock");
        Some("stack".to_owned())
    };
    let deadline = t.duration_or("deadline", DEADLINE, DEADLINES);
    let level = t.choice("level", &["L0", "L1", "L2", "L3", "L4"]).map(|l| match l {
        "L0" => Level::L0,
        "L1" => Level::L1,
        "L2" => Level::L2,
        "L3" => Level::L3,
        _ => Level::L4,
    });
    let blast_radius =
        t.tables("blast_radius", "blast radius").into_iter().map(|t| blast(t, ctx)).collect::<Vec<_>>();
    let preconditions = t
        .tables("preconditions", "precondition")
        .into_iter()
        .map(|t| precondition(t, ctx))
        .collect::<Vec<_>>();
    let probes = ctx.probes(t, "probes");
    let layers = t.strings("layers").unwrap_or_default();
    let known = |at: &At<String>| ctx.known(t, "layer", at, ctx.names.layers.iter().map(String::as_str));
    let layers: Vec<Option<LayerId>> =
        layers.iter().map(|at| known(at).then(|| LayerId::new(&at.value))).collect();
    Some(Procedure {
        id: ProcedureId::new(""),
        name,
        about,
        role,
        rows,
        params: Vec::new(),
        lock: lock?,
        deadline,
        level,
        blast_radius: blast_radius.into_iter().collect::<Option<_>>()?,
        preconditions: preconditions.into_iter().collect::<Option<_>>()?,
        steps: Vec::new(),
        probes: probes?,
        layers: layers.into_iter().collect::<Option<_>>()?,
    })
}

fn blast(t: Table<'_>, ctx: &Context<'_>) -> Option<BlastLine> {
    let value = t.str("value");
    let sound = value.as_ref().is_none_or(|at| ctx.expr(&t, ("value", Part::Whole), at));
    let says = t.need_str("says");
    if let Some(says) = &says {
        match (says.value.contains("{}"), t.has("value")) {
            (true, false) => {
                let help = Some("add value = 'EXPRESSION'".to_owned());
                t.reader.error(says.span.clone(), "`{}` stands for a value, and there is none", help);
            }
            (false, true) => {
                let help = Some("write {} where the value belongs".to_owned());
                t.reader.error(says.span.clone(), "`says` does not say the value", help);
            }
            _ => {}
        }
    }
    let says = says.map(|s| ctx.words(&t, "says", s.value));
    t.finish();
    sound.then_some(BlastLine { value: value.map(|v| v.value), says: says? })
}

fn precondition(t: Table<'_>, ctx: &Context<'_>) -> Option<Precondition> {
    let says = t.need_str("says").map(|s| ctx.words(&t, "says", s.value));
    let what = ctx.condition_in(&t);
    t.finish();
    Some(Precondition { says: says?, what: what? })
}

/// Each key of the dashboard opens one procedure.
fn roles(root: &Table<'_>, drafts: &[ProcedureDraft]) {
    for (i, draft) in drafts.iter().enumerate() {
        let role_of = |d: &ProcedureDraft| d.procedure.as_ref().and_then(|p| p.role);
        let Some(role) = role_of(draft) else { continue };
        let Some(first) = drafts.iter().take(i).find(|d| role_of(d) == Some(role)) else { continue };
        let first = first.id.as_ref().map(|i| i.value.clone()).unwrap_or_default();
        let message = format!("two procedures have this role: `{first}` has it already");
        let help = Some("a key opens one procedure".to_owned());
        root.reader.error(draft.span.clone(), message, help);
    }
}
