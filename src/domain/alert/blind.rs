//! Rules that cannot do what they are there for, found without being asked.

use super::inhibit::inhibitor;
use super::paging::short;
use super::rule::{Inhibition, Rule};
use super::rules::{ALERTNAME, Entry, Rules};
use super::view::{Blind, BlindKind};
use crate::domain::promql::inspect::{Guard, Join, Matching};
use crate::domain::promql::{Expr, Options, Selector};
use crate::domain::series::labels::NAME;
use crate::domain::series::{Labels, Matcher, Millis, Op, Source};
use crate::domain::text::one_line;
use crate::domain::units::short_age;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long nothing must have matched a selector before that is told.
pub const OBSERVE: Duration = Duration::from_secs(600);
/// How long in milliseconds what was found of a rule's joins is taken to hold still.
const JOINS_EVERY: Millis = 60_000;
/// How much of an expression is shown.
const SHOWN: usize = 80;

/// A selector that nothing has matched so far.
#[derive(Clone, Debug)]
pub(super) struct Unmatched {
    pub selector: Selector,
    /// Whether a series of that name was there, with other labels.
    pub name_seen: bool,
}

/// The selectors of an expression that should match something: not what is asked to be absent, nor
/// what only takes away or stands in.
pub(super) fn expected(expr: &Expr) -> Vec<Unmatched> {
    let mut spared: Vec<String> = Vec::new();
    let mut spare = |e: &Expr| spared.extend(e.selectors().into_iter().map(|s| s.text));
    for part in expr.parts() {
        if part.text().starts_with("absent") {
            spare(&part);
        }
    }
    for join in expr.joins().iter().filter(|j| matches!(j.op, "unless" | "or")) {
        spare(&join.right);
    }
    let is_own = |s: &Selector| name_of(&s.matchers).is_some_and(|n| n.value().starts_with("ALERTS"));
    let selectors = expr.selectors().into_iter().filter(|s| !is_own(s) && !spared.contains(&s.text));
    selectors.map(|selector| Unmatched { selector, name_seen: false }).collect()
}

fn name_of(matchers: &[Matcher]) -> Option<&Matcher> {
    matchers.iter().find(|m| m.name() == NAME)
}

/// Takes off the list what something matches now.
pub(super) fn look(unmatched: &mut Vec<Unmatched>, source: &dyn Source, at: Millis) {
    let any = |matchers: &[Matcher], from, to| {
        let mut found = false;
        source.select(matchers, from, to, &mut |_, _| found = true);
        found
    };
    unmatched.retain_mut(|u| {
        let to = u.selector.pinned.unwrap_or(at);
        let from = to.saturating_sub(super::active::millis(u.selector.reach));
        if any(&u.selector.matchers, from, to) {
            return false;
        }
        if !u.name_seen
            && let Some(name) = name_of(&u.selector.matchers)
        {
            u.name_seen = any(std::slice::from_ref(name), from, to);
        }
        true
    });
}

impl Rules {
    /// What is wrong with each rule, in the order of the rules. Joins are looked at once a minute:
    /// all series on both sides are, which costs as much as evaluating the rule does.
    pub(super) fn blind(&mut self, source: &dyn Source) -> Vec<Vec<Blind>> {
        let hidden = self.hidden.take().unwrap_or_else(|| hidden(&self.entries, &self.inhibitions));
        let entries = self.entries.iter_mut().zip(&hidden);
        let found = entries
            .map(|(entry, hidden)| {
                let mut found = entry.never_matched();
                found.extend_from_slice(entry.by_expression(source, &self.options));
                found.extend_from_slice(hidden);
                found
            })
            .collect();
        self.hidden = Some(hidden);
        found
    }
}

impl Entry {
    /// Joins and guards, as of one of the last evaluations.
    fn by_expression(&mut self, source: &dyn Source, options: &Options) -> &[Blind] {
        let at = self.evaluated;
        let fresh = |known: Option<Millis>| match (known, at) {
            (Some(known), Some(at)) => (known..known.saturating_add(JOINS_EVERY)).contains(&at),
            (known, at) => known == at,
        };
        if !self.blind.as_ref().is_some_and(|(known, _)| fresh(*known)) {
            let mut found = joins(&self.rule.expr, source, at, options);
            if self.rule.is_alert() {
                found.extend(guards(&self.rule.expr));
            }
            self.blind = Some((at, found));
        }
        self.blind.as_ref().map_or(&[], |(_, found)| found)
    }

    fn never_matched(&self) -> Vec<Blind> {
        let (Some(since), Some(at)) = (self.watched, self.evaluated) else { return Vec::new() };
        let observed = Duration::from_millis(u64::try_from(at - since).unwrap_or(0));
        if observed < OBSERVE {
            return Vec::new();
        }
        let told = |u: &Unmatched| Blind {
            kind: BlindKind::NeverMatched,
            what: format!(
                "no series has matched {} in {} of looking",
                one_line(&u.selector.text, SHOWN),
                short_age(observed)
            ),
            remedy: if u.name_seen {
                "series of that name are there, with other labels: compare the labels".to_owned()
            } else {
                "check the name; a counter that appears at its first event may just not have had one"
                    .to_owned()
            },
        };
        self.unmatched.iter().map(told).collect()
    }
}

/// Joins whose sides can share no labels: by the text alone, or by the series that are there.
pub fn joins(expr: &Expr, source: &dyn Source, at: Option<Millis>, options: &Options) -> Vec<Blind> {
    expr.joins().iter().filter_map(|join| joins_nothing(join, source, at, options)).take(1).collect()
}

/// What the text alone says of an expression: joins of nothing and guards.
pub fn by_text(expr: &Expr) -> Vec<Blind> {
    let joins = expr.joins().into_iter().filter_map(|join| apart(&join).map(|label| told(&join, &label)));
    joins.take(1).chain(guards(expr)).collect()
}

fn joins_nothing(join: &Join, source: &dyn Source, at: Option<Millis>, options: &Options) -> Option<Blind> {
    if matches!(join.op, "or" | "unless") {
        return None;
    }
    if let Some(label) = apart(join) {
        return Some(told(join, &label));
    }
    let at = at?;
    let (left, right) =
        (join.left.potential(source, at, options)?, join.right.potential(source, at, options)?);
    let key = |l: &Labels| l.filtered(|n| join.matching.uses(n));
    let rights: BTreeSet<Labels> = right.iter().map(key).collect();
    let (Some(a), Some(b)) = (left.first(), right.first()) else {
        return lacking(join, &left, &right).map(|label| told(join, &label));
    };
    if left.iter().any(|l| rights.contains(&key(l))) {
        return None;
    }
    // The label that only one side has says most.
    let only_in = |one: &Labels, other: &Labels| {
        let found = one.iter().find(|(n, _)| join.matching.uses(n) && other.get(n).is_empty());
        found.map(|(n, _)| n.to_owned())
    };
    let differs = || {
        let found = a.iter().find(|(n, v)| join.matching.uses(n) && b.get(n) != *v);
        found.map_or("", |(n, _)| n).to_owned()
    };
    Some(told(join, &only_in(b, a).or_else(|| only_in(a, b)).unwrap_or_else(differs)))
}

/// The label that a side without series would have by its text, and that no series of the other
/// side has: once it has series, they join nothing either.
fn lacking(join: &Join, left: &BTreeSet<Labels>, right: &BTreeSet<Labels>) -> Option<String> {
    let (there, missing) = match (left.is_empty(), right.is_empty()) {
        (false, true) => (left, join.right.shape()),
        (true, false) => (right, join.left.shape()),
        _ => return None,
    };
    let lacks = |name: &&String| join.matching.uses(name) && there.iter().all(|l| l.get(name).is_empty());
    missing.fixed.keys().find(lacks).cloned()
}

/// The label that one side always has and the other never, if the text says so.
fn apart(join: &Join) -> Option<String> {
    if matches!(join.op, "or" | "unless") {
        return None;
    }
    let (left, right) = (join.left.shape(), join.right.shape());
    for (one, other) in [(&left, &right), (&right, &left)] {
        for (name, value) in one.fixed.iter().filter(|(n, _)| join.matching.uses(n)) {
            let lacks = other.only.as_ref().is_some_and(|only| !only.contains(name));
            let differs = other.fixed.get(name).is_some_and(|v| v != value);
            if lacks || differs {
                return Some(name.clone());
            }
        }
    }
    None
}

fn told(join: &Join, label: &str) -> Blind {
    let sides = format!("{} and {}", part(&join.left), part(&join.right));
    let why = if label.is_empty() {
        String::new()
    } else {
        format!(": the label {label} is not the same on both sides")
    };
    let remedy = match &join.matching {
        Matching::On(_) => "match on labels that both sides have",
        Matching::Ignoring(_) => {
            "sum both sides by the labels that they share, or say `on (…)` or `ignoring (…)`"
        }
    };
    Blind {
        kind: BlindKind::JoinsNothing,
        what: format!("`{}` joins nothing{why}: {sides}", join.op),
        remedy: remedy.to_owned(),
    }
}

/// Divisors that are held up by a guard: below it the ratio is too small.
fn guards(expr: &Expr) -> Vec<Blind> {
    let hides = |g: &&Guard| g.least.is_none_or(|v| v > 0.01);
    let told = |g: &Guard| {
        let least = g.least.map_or_else(|| "its least value".to_owned(), super::template::number);
        Blind {
            kind: BlindKind::GuardHides,
            what: format!(
                "while {} is below {least}, the ratio is smaller than it truly is",
                part(&g.clamped)
            ),
            remedy: format!(
                "divide by {} itself, and ask for traffic separately: `… and {} > 0`",
                part(&g.clamped),
                part(&g.clamped)
            ),
        }
    };
    expr.guards().iter().filter(hides).map(told).collect()
}

fn part(expr: &Expr) -> String {
    one_line(expr.text(), SHOWN)
}

/// Whether an inhibition names both alerts: then somebody decided that the one explains the other.
/// One that goes by severity alone hides what it was never thought of.
fn is_meant(inhibition: &Inhibition) -> bool {
    let names = |all: &[Matcher]| {
        all.iter().any(|m| m.name() == ALERTNAME && matches!(m.op(), Op::Equal | Op::Match))
    };
    names(&inhibition.source) && names(&inhibition.target)
}

/// For every rule, the inhibitions by which another rule's alert would hide its own.
fn hidden(entries: &[Entry], inhibitions: &[Inhibition]) -> Vec<Vec<Blind>> {
    let inhibitions: Vec<Inhibition> = inhibitions.iter().filter(|i| !is_meant(i)).cloned().collect();
    let inhibitions = inhibitions.as_slice();
    let likely: Vec<Option<Labels>> = entries.iter().map(|e| likely(&e.rule)).collect();
    let rules = likely.iter().map(|own| {
        let Some(own) = own else { return Vec::new() };
        let others: Vec<&Labels> = likely.iter().flatten().filter(|l| *l != own).collect();
        let Some(by) = inhibitor(inhibitions, &others.iter().copied(), own) else { return Vec::new() };
        let count = others.iter().filter(|o| inhibitions.iter().any(|i| i.suppresses(o, own))).count();
        let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
        vec![Blind {
            kind: BlindKind::InhibitionHides,
            what: format!("nobody is paged for it while {}{more} fires", short(by)),
            remedy: "add a label to `equal` that tells the two apart, such as alertname, or page for both"
                .to_owned(),
        }]
    });
    rules.collect()
}

/// The labels that the text says a rule's alerts have.
fn likely(rule: &Rule) -> Option<Labels> {
    if !rule.is_alert() {
        return None;
    }
    let shape = rule.expr.shape();
    let fixed = shape.fixed.iter().map(|(n, v)| (n.as_str(), v.as_str()));
    let own = rule.labels.iter().filter(|(_, v)| !v.contains("{{")).map(|(n, v)| (n.as_str(), v.as_str()));
    Some(Labels::new(fixed.chain(own).chain([(ALERTNAME, rule.name())])))
}
