//! Conditions and durations of a step: what is looked at, how often, and by when.

use super::super::fill::Lang;
use super::super::sound;
use super::super::spec::{Late, LateOf};
use super::super::texts::Spot;
use super::context::Context;
use crate::domain::id::ProbeId;
use crate::domain::procedure::check::{Check, Condition};
use crate::domain::{text, units};
use crate::stack::decode::{At, Part, Span, Table};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Good observations in a row that may be asked for.
const GOOD: RangeInclusive<i64> = 1..=100;
/// Between two observations.
const EVERY: RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(600);
/// By when a condition must be seen to hold.
pub const WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
/// Probes or expressions of one condition.
const MAX_PARTS: usize = 64;

impl Context<'_> {
    /// A duration that a parameter may give.
    pub fn duration(
        &self,
        t: &Table<'_>,
        key: &'static str,
        bounds: RangeInclusive<Duration>,
        of: LateOf,
    ) -> Option<Duration> {
        let at = match t.duration_or_later(key, bounds.clone())? {
            Span::Known(duration) => return Some(duration),
            Span::Later(at) => at,
        };
        if !self.may_be_late {
            t.reader.error(at.span, format!("`{key}` of a rollback is not left to parameters"), None);
            return None;
        }
        let spot = Spot { key, part: Part::Whole, lang: Lang::Text, secrets: false };
        let filled = self.text(t, &spot, &at.value)?;
        let found = units::parse_duration(&filled).filter(|d| bounds.contains(d));
        if found.is_none() {
            let (low, high) = (units::exact(*bounds.start()), units::exact(*bounds.end()));
            let got = text::one_line(&filled, 40);
            let message = format!("`{key}` expects a duration from {low} to {high}, and would be \"{got}\"");
            t.reader.error(at.span, message, None);
        }
        let bounds = (*bounds.start(), *bounds.end());
        self.late.borrow_mut().push(Late { of, text: at.value, bounds });
        found
    }

    /// `verify`, `unless`: a condition, how often and by when.
    pub fn check(&self, t: &Table<'_>, key: &'static str, of: LateOf) -> Option<Check> {
        let inner = t.table(key, "check")?;
        let check = self.check_in(&inner, of);
        inner.finish();
        check
    }

    /// The keys of a check that stand in this table.
    pub fn check_in(&self, t: &Table<'_>, of: LateOf) -> Option<Check> {
        let what = self.condition_in(t);
        let good = u32::try_from(t.int_or("good", 1, GOOD)).unwrap_or(1);
        let every = t.duration_or("every", Duration::from_secs(1), EVERY);
        let late = self.late.borrow().len();
        let within = self.duration(t, "within", WITHIN, of).unwrap_or(Duration::from_secs(60));
        let known = self.late.borrow().len() == late;
        if known && every.saturating_mul(good - 1) >= within {
            let message = format!(
                "{good} observations {} apart cannot be made within {}",
                units::exact(every),
                units::exact(within)
            );
            t.reader.error(t.span_of("within"), message, None);
        }
        Some(Check { what: what?, good, every, within })
    }

    /// The keys of a condition that stand in this table; at least one part must.
    pub fn condition_in(&self, t: &Table<'_>) -> Option<Condition> {
        let probes = self.probes(t, "probes");
        let exprs = self.exprs(t, "exprs");
        let or_degraded = t.bool_or("or_degraded", false);
        if !t.has("probes") && !t.has("exprs") {
            let message = format!("this {} looks at nothing; it needs `probes` or `exprs`", t.what());
            t.reader.error(t.span.clone(), message, None);
            return None;
        }
        let condition = Condition { probes: probes?, exprs: exprs?, or_degraded };
        if condition.is_empty() {
            let message = format!("this {} looks at nothing: its lists are empty", t.what());
            t.reader.error(t.span.clone(), message, None);
            return None;
        }
        Some(condition)
    }

    /// A list of probes of the stack; `None` when one of them is none.
    pub fn probes(&self, t: &Table<'_>, key: &'static str) -> Option<Vec<ProbeId>> {
        let Some(all) = t.strings(key) else { return (!t.has(key)).then(Vec::new) };
        let mut sound = few(t, key, all.len());
        for at in &all {
            sound &= self.known(t, "probe", at, self.names.probes.iter().map(String::as_str));
        }
        sound.then(|| all.iter().map(|at| ProbeId::new(&at.value)).collect())
    }

    /// A list of expressions; `None` when one of them is none.
    fn exprs(&self, t: &Table<'_>, key: &'static str) -> Option<Vec<String>> {
        let Some(all) = t.strings(key) else { return (!t.has(key)).then(Vec::new) };
        let mut sound = few(t, key, all.len());
        for (i, at) in all.iter().enumerate() {
            sound &= self.expr(t, (key, Part::Item(i)), at);
        }
        sound.then(|| all.into_iter().map(|at| at.value).collect())
    }

    /// Whether a text is an expression, tried with samples.
    pub fn expr(&self, t: &Table<'_>, (key, part): (&'static str, Part), at: &At<String>) -> bool {
        let spot = Spot { key, part, lang: Lang::Expr, secrets: false };
        let Some(filled) = self.text(t, &spot, &at.value) else { return false };
        let found = sound::expr(key, &filled);
        if let Err(why) = &found {
            t.reader.error(at.span.clone(), why.clone(), None);
        }
        found.is_ok()
    }
}

fn few(t: &Table<'_>, key: &str, count: usize) -> bool {
    if count > MAX_PARTS {
        t.reader.error(t.span_of(key), format!("`{key}` has at most {MAX_PARTS} entries"), None);
    }
    count <= MAX_PARTS
}
