//! Reading `[[interlocks]]`: facts that forbid procedures until something else is true.

use super::read::ProcedureDraft;
use super::refs::{References, found, unique};
use super::spec::{Interlock, Until};
use super::step::context::{Context, Names};
use crate::domain::id::ProcedureId;
use crate::domain::procedure::check::Condition;
use crate::stack::decode::{At, Reader, Table};
use std::ops::Range;

/// Interlocks of one stack.
const MAX_INTERLOCKS: usize = 100;

/// An interlock and where its parts stand.
#[derive(Debug)]
pub struct InterlockDraft {
    pub id: Option<At<String>>,
    pub span: Range<usize>,
    /// `PROCEDURE.STEP`: what raises it, and what lifts it.
    pub steps: Vec<At<String>>,
    pub blocks: Vec<At<String>>,
    pub interlock: Option<Interlock>,
}

pub(super) fn read(root: &Table<'_>, names: Names<'_>) -> Vec<InterlockDraft> {
    let tables = root.tables("interlocks", "interlock");
    if let Some(extra) = tables.get(MAX_INTERLOCKS) {
        let message =
            format!("a stack has at most {MAX_INTERLOCKS} interlocks, this one has {}", tables.len());
        root.reader.error(extra.span.clone(), message, None);
    }
    tables.into_iter().take(MAX_INTERLOCKS).map(|t| read_one(t, names)).collect()
}

fn read_one(t: Table<'_>, names: Names<'_>) -> InterlockDraft {
    let references = References::default();
    let ctx = Context::new(names, &[], &references);
    let id = t.need_id("id");
    let says = t.need_str("says").map(|s| ctx.words(&t, "says", s.value));
    let raised_by = t.strings("raised_by").unwrap_or_default();
    let raised_while = t.table("raised_while", "condition").map(|inner| {
        let condition = ctx.condition_in(&inner);
        inner.finish();
        condition
    });
    let blocks = t.strings("blocks").unwrap_or_default();
    if blocks.is_empty() {
        let message = "this interlock blocks nothing; it needs `blocks`, a list of procedures";
        t.reader.error(t.span_of("blocks"), message, None);
    }
    let (until, verified) = read_until(&t, &ctx);
    let span = id.as_ref().map_or_else(|| t.span.clone(), |i| i.span.clone());
    t.finish();
    let texts = |all: &[At<String>]| all.iter().map(|at| at.value.clone()).collect::<Vec<_>>();
    let interlock = (|| {
        Some(Interlock {
            id: id.as_ref()?.value.clone(),
            says: says?,
            raised_by: texts(&raised_by),
            raised_while: match raised_while {
                Some(condition) => Some(condition?),
                None => None,
            },
            blocks: blocks.iter().map(|b| ProcedureId::new(&b.value)).collect(),
            until: until?,
        })
    })();
    let steps = raised_by.into_iter().chain(verified).collect();
    InterlockDraft { id, span, steps, blocks, interlock }
}

fn read_until(t: &Table<'_>, ctx: &Context<'_>) -> (Option<Until>, Vec<At<String>>) {
    let Some(inner) = t.table("until", "condition that lifts it") else {
        if !t.has("until") {
            let message = "this interlock has no `until`; it needs { says = \"…\", … }: what lifts it";
            t.reader.error(t.span.clone(), message, None);
        }
        return (None, Vec::new());
    };
    let says = inner.need_str("says").map(|s| ctx.words(&inner, "says", s.value));
    let verified = inner.strings("verified").unwrap_or_default();
    let or_verified = inner.strings("or_verified").unwrap_or_default();
    if verified.is_empty() && !or_verified.is_empty() {
        let help = "`or_verified` stands for all of `verified`; write its steps there".to_owned();
        let message = "`or_verified` means nothing without `verified`";
        t.reader.error(inner.span_of("or_verified"), message, Some(help));
    }
    let holds: Option<Option<Condition>> = if inner.has("probes") || inner.has("exprs") {
        ctx.condition_in(&inner).map(Some)
    } else {
        for key in ["probes", "exprs", "or_degraded"] {
            inner.ask(key);
        }
        Some(None)
    };
    inner.finish();
    let names = |all: &[At<String>]| all.iter().map(|at| at.value.clone()).collect();
    let until = says.zip(holds).map(|(says, holds)| Until {
        says,
        verified: names(&verified),
        or_verified: names(&or_verified),
        holds,
    });
    (until, verified.into_iter().chain(or_verified).collect())
}

/// Looks up the steps and procedures that interlocks name.
pub(super) fn check(reader: &Reader, all: &[InterlockDraft], drafts: &[ProcedureDraft]) {
    unique(reader, "interlock", all.iter().filter_map(|i| i.id.as_ref()));
    let procedures: Vec<&str> =
        drafts.iter().filter_map(|d| d.id.as_ref()).map(|i| i.value.as_str()).collect();
    let mut steps: Vec<String> = Vec::new();
    for draft in drafts {
        let Some(id) = &draft.id else { continue };
        steps.extend(draft.refs.steps().iter().map(|s| format!("{}.{}", id.value, s.value)));
    }
    for interlock in all {
        for at in &interlock.blocks {
            found(reader, "procedure", at, procedures.iter().copied());
        }
        for at in &interlock.steps {
            found(reader, "step", at, steps.iter().map(String::as_str));
        }
    }
}
