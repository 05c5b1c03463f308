//! The rule engine: evaluates groups in order, moves alerts, and writes what Prometheus would write.

use super::active::{Alerts, Seen, Step};
use super::ask::{self, Memory};
use super::blind::{self, Unmatched};
use super::rule::{Inhibition, Rule, RuleKind, Severity};
use super::template::{Scope, Template};
use super::view::{Blind, RuleIndex};
use crate::domain::promql::{Options, Point};
use crate::domain::series::labels::NAME;
use crate::domain::series::{Labels, Millis, Source, stale};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The label that holds an alert's name.
pub const ALERTNAME: &str = "alertname";
const STATE: &str = "alertstate";

/// What the engine is made from.
#[derive(Clone, Debug)]
pub struct Setup {
    pub rules: Vec<Rule>,
    pub inhibitions: Vec<Inhibition>,
    pub severities: Vec<Severity>,
    /// How often a group is evaluated that does not say.
    pub interval: Duration,
    /// How expressions are evaluated.
    pub options: Options,
    /// For templates.
    pub external_labels: Labels,
    /// For templates.
    pub external_url: String,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            rules: Vec::new(),
            inhibitions: Vec::new(),
            severities: Vec::new(),
            interval: Duration::from_secs(15),
            options: Options::default(),
            external_labels: Labels::empty(),
            external_url: String::new(),
        }
    }
}

/// All rules, and how far each of their alerts is.
#[derive(Debug)]
pub struct Rules {
    pub(super) entries: Vec<Entry>,
    groups: Vec<Group>,
    pub(super) inhibitions: Vec<Inhibition>,
    pub(super) severities: Vec<Severity>,
    pub(super) options: Options,
    external_labels: Labels,
    external_url: String,
    /// By which inhibitions each rule's alerts would be hidden, once that was worked out.
    pub(super) hidden: Option<Vec<Vec<Blind>>>,
}

/// One rule and what became of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub rule: Rule,
    labels: Vec<(String, Template)>,
    annotations: Vec<(String, Template)>,
    /// A template that cannot be read: such a rule is never evaluated.
    broken: Option<String>,
    pub alerts: Alerts,
    /// Whether it looks at samples over time, of which one is not enough.
    ranged: bool,
    /// The series that the last evaluation without an error wrote.
    written: BTreeSet<Labels>,
    /// Why the last evaluation failed.
    pub error: Option<String>,
    /// Points that the expression gave the last time.
    pub points: usize,
    pub evaluated: Option<Millis>,
    pub took: Duration,
    /// Why it is inactive, as worked out for the evaluation at that time.
    pub because: Option<(Millis, String)>,
    /// Joins and guards that are wrong, as worked out for that evaluation.
    pub blind: Option<(Option<Millis>, Vec<Blind>)>,
    /// Selectors that nothing has matched since `watched`.
    pub unmatched: Vec<Unmatched>,
    pub watched: Option<Millis>,
}

/// Rules that are evaluated together, in order.
#[derive(Debug)]
struct Group {
    rules: std::ops::Range<usize>,
    interval: Duration,
    last: Option<Millis>,
}

/// An alert that moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    pub rule: RuleIndex,
    pub labels: Labels,
    pub step: Step,
    pub at: Millis,
}

/// What one round of evaluation did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluated {
    pub transitions: Vec<Transition>,
    /// Samples written, stale markers included.
    pub samples: usize,
    /// Rules that were due.
    pub rules: usize,
    /// Rules that began to fail in this round, with the reason.
    pub failures: Vec<(RuleIndex, String)>,
}

impl Rules {
    pub fn new(setup: Setup) -> Self {
        let entries: Vec<Entry> = setup.rules.into_iter().map(Entry::new).collect();
        let mut groups: Vec<Group> = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            let interval = entry.rule.interval.unwrap_or(setup.interval);
            let before = i.checked_sub(1).and_then(|i| entries.get(i));
            match groups.last_mut() {
                Some(group)
                    if group.interval == interval
                        && before.is_some_and(|b| b.rule.group == entry.rule.group) =>
                {
                    group.rules.end = i + 1;
                }
                _ => groups.push(Group { rules: i..i + 1, interval, last: None }),
            }
        }
        Rules {
            entries,
            groups,
            inhibitions: setup.inhibitions,
            severities: setup.severities,
            options: setup.options,
            external_labels: setup.external_labels,
            external_url: setup.external_url,
            hidden: None,
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.entries.get(index.0).map(|e| &e.rule)
    }

    /// Evaluates every group whose interval has passed since its last evaluation, in order; what a
    /// rule gives is in `memory` before the next one is evaluated. `elapsed` is any steady clock,
    /// for how long each rule took.
    pub fn evaluate(
        &mut self,
        memory: &mut dyn Memory,
        at: Millis,
        elapsed: &dyn Fn() -> Duration,
    ) -> Evaluated {
        self.run(memory, at, elapsed, false)
    }

    /// As [`Rules::evaluate`], with every group due.
    pub fn evaluate_all(
        &mut self,
        memory: &mut dyn Memory,
        at: Millis,
        elapsed: &dyn Fn() -> Duration,
    ) -> Evaluated {
        self.run(memory, at, elapsed, true)
    }

    fn run(
        &mut self,
        memory: &mut dyn Memory,
        at: Millis,
        elapsed: &dyn Fn() -> Duration,
        all: bool,
    ) -> Evaluated {
        let mut done = Evaluated::default();
        let context =
            Context { labels: &self.external_labels, url: &self.external_url, options: &self.options };
        for group in &mut self.groups {
            if !all && !group.is_due(at) {
                continue;
            }
            group.last = Some(at);
            for index in group.rules.clone() {
                let Some(entry) = self.entries.get_mut(index) else { continue };
                let began = elapsed();
                let failed_before = entry.error.is_some();
                let moved = entry.evaluate(memory, at, &context, &mut done.samples);
                entry.took = elapsed().saturating_sub(began);
                entry.evaluated = Some(at);
                done.rules += 1;
                let rule = RuleIndex(index);
                match moved {
                    Ok(steps) => {
                        entry.error = None;
                        let told = steps.into_iter();
                        done.transitions.extend(told.map(|(labels, step)| Transition {
                            rule,
                            labels,
                            step,
                            at,
                        }));
                    }
                    Err(why) => {
                        if !failed_before {
                            done.failures.push((rule, why.clone()));
                        }
                        entry.error = Some(why);
                    }
                }
            }
        }
        done
    }
}

impl Group {
    /// Ticks come a little early or late; a tenth of the interval is forgiven.
    fn is_due(&self, at: Millis) -> bool {
        let interval = super::active::millis(self.interval);
        // A clock that was set back must not stop the rules.
        self.last.is_none_or(|last| at < last || at - last >= interval - interval / 10)
    }
}

/// What templates see besides the alert.
struct Context<'a> {
    labels: &'a Labels,
    url: &'a str,
    options: &'a Options,
}

impl Entry {
    fn new(rule: Rule) -> Self {
        let mut broken = None;
        let mut read = |map: &BTreeMap<String, String>| -> Vec<(String, Template)> {
            let mut list = Vec::with_capacity(map.len());
            for (name, text) in map {
                match Template::parse(text) {
                    Ok(template) => list.push((name.clone(), template)),
                    Err(e) => broken = Some(format!("the template of {name}: {e}")),
                }
            }
            list
        };
        let is_alert = rule.is_alert();
        let (labels, annotations) =
            if is_alert { (read(&rule.labels), read(&rule.annotations)) } else { <_>::default() };
        let unmatched = blind::expected(&rule.expr);
        let ranged = rule.expr.selectors().iter().any(|s| s.over_time);
        Entry {
            rule,
            labels,
            annotations,
            broken,
            alerts: Alerts::default(),
            ranged,
            written: BTreeSet::new(),
            error: None,
            points: 0,
            evaluated: None,
            took: Duration::ZERO,
            because: None,
            blind: None,
            unmatched,
            watched: None,
        }
    }

    fn evaluate(
        &mut self,
        memory: &mut dyn Memory,
        at: Millis,
        context: &Context<'_>,
        samples: &mut usize,
    ) -> Result<Vec<(Labels, Step)>, String> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        self.watched.get_or_insert(at);
        blind::look(&mut self.unmatched, memory, at);
        let points = ask::vector(&self.rule.expr, memory, at, context.options)?;
        self.points = points.len();
        let mut steps = Vec::new();
        let output = if self.rule.is_alert() {
            let seen = self.seen(points, memory, at, context)?;
            self.alerts.settled = !self.ranged && self.unmatched.is_empty();
            steps = self.alerts.advance(&self.rule, seen, at)?;
            self.synthetic()
        } else {
            self.recorded(points)?
        };
        for (labels, v) in &output {
            memory.append(labels, at, *v);
        }
        let now: BTreeSet<Labels> = output.into_keys().collect();
        *samples += now.len();
        for gone in self.written.difference(&now) {
            memory.append(gone, at, stale());
            *samples += 1;
        }
        self.written = now;
        Ok(steps)
    }

    /// The series of a recording rule.
    fn recorded(&self, points: Vec<Point>) -> Result<BTreeMap<Labels, f64>, String> {
        let count = points.len();
        let mut output = BTreeMap::new();
        for point in points {
            let set = self.rule.labels.iter().map(|(n, v)| (n.as_str(), v.as_str()));
            let labels = Labels::new(point.labels.iter().chain([(NAME, self.rule.name())]).chain(set));
            if output.insert(labels, point.v).is_some() {
                return Err("two series have the same labels once the rule's labels are applied".to_owned());
            }
        }
        if self.rule.limit > 0 && count > self.rule.limit {
            return Err(format!("exceeded limit of {} with {count} series", self.rule.limit));
        }
        Ok(output)
    }

    /// Every point as an alert: its labels, and its annotations filled in.
    fn seen(
        &self,
        points: Vec<Point>,
        source: &dyn Source,
        at: Millis,
        context: &Context<'_>,
    ) -> Result<BTreeMap<Labels, Seen>, String> {
        let mut seen = BTreeMap::new();
        for point in points {
            let scope = Scope {
                labels: &point.labels,
                value: point.v,
                external_labels: context.labels,
                external_url: context.url,
                source,
                at,
                options: context.options,
            };
            let set: Vec<(&str, String)> =
                self.labels.iter().map(|(n, t)| (n.as_str(), t.expand_or_say(&scope))).collect();
            let labels = Labels::new(
                point
                    .labels
                    .iter()
                    .filter(|(n, _)| *n != NAME)
                    .chain(set.iter().map(|(n, v)| (*n, v.as_str())))
                    .chain([(ALERTNAME, self.rule.name())]),
            );
            let annotations =
                self.annotations.iter().map(|(n, t)| (n.clone(), t.expand_or_say(&scope))).collect();
            if seen.insert(labels, Seen { value: point.v, annotations }).is_some() {
                return Err("two alerts have the same labels once the rule's labels are applied".to_owned());
            }
        }
        Ok(seen)
    }

    /// `ALERTS` and `ALERTS_FOR_STATE`, as Prometheus writes them: a label whose template gives
    /// nothing shows there as it is written in the rule.
    fn synthetic(&self) -> BTreeMap<Labels, f64> {
        let mut output = BTreeMap::new();
        for (labels, alert) in &self.alerts.active {
            let base = self.rule.labels.iter().map(|(n, v)| (n.as_str(), v.as_str()));
            let base: Vec<(&str, &str)> = base.chain(labels.iter()).collect();
            let state = if alert.phase == super::view::Phase::Pending { "pending" } else { "firing" };
            let alerts = base.iter().copied().chain([(NAME, "ALERTS"), (STATE, state)]);
            output.insert(Labels::new(alerts), 1.0);
            let since = base.iter().copied().chain([(NAME, "ALERTS_FOR_STATE")]);
            output.insert(Labels::new(since), alert.since.div_euclid(1000) as f64);
        }
        output
    }

    /// The name as a kind of rule has it.
    pub fn is_recording(&self) -> bool {
        matches!(self.rule.kind, RuleKind::Record(_))
    }
}
