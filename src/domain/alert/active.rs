//! The alerts of one rule and how they move: pending, firing, kept, gone; as Prometheus moves them.

use super::rule::Rule;
use super::view::Phase;
use crate::domain::series::{Labels, Millis};
use std::collections::BTreeMap;
use std::time::Duration;

/// One alert that is not inactive.
#[derive(Clone, Debug, PartialEq)]
pub struct Active {
    pub annotations: Vec<(String, String)>,
    pub value: f64,
    pub phase: Phase,
    /// From when the time of `for` is counted.
    pub since: Millis,
    pub fired: Option<Millis>,
    /// When the condition went away, while `keep_firing_for` holds the alert up.
    pub keep_since: Option<Millis>,
    /// Since when it holds by a program that ran before, and how long nobody looked.
    pub earlier: Option<Earlier>,
}

/// What is known of an alert from before a restart of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub since: Millis,
    pub gap: Duration,
}

/// What an expression gave for one set of labels.
#[derive(Clone, Debug)]
pub struct Seen {
    pub value: f64,
    pub annotations: Vec<(String, String)>,
}

/// How an alert moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The condition holds, and `for` has yet to pass.
    Pending,
    Firing,
    /// The condition is gone; `keep_firing_for` keeps the alert up.
    Keeping,
    /// It holds again while it was being kept.
    Again,
    /// It fired, and no longer does.
    Resolved,
    /// It was pending, and the condition went away.
    Dropped,
}

impl Step {
    /// Whether the alert began to fire.
    pub fn is_firing(self) -> bool {
        self == Step::Firing
    }

    pub fn words(self) -> &'static str {
        match self {
            Step::Pending => "is pending",
            Step::Firing => "fires",
            Step::Keeping => "is over, and kept firing for a while",
            Step::Again => "fires again",
            Step::Resolved => "is over",
            Step::Dropped => "did not last",
        }
    }
}

/// The alerts of one rule, by their labels.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    pub active: BTreeMap<Labels, Active>,
    /// From before a restart, until the expression gives them again or `restored_until` is over.
    pub restored: BTreeMap<Labels, Active>,
    pub restored_until: Millis,
}

impl Alerts {
    /// Moves every alert by what the expression gave at `at`, and says what moved.
    ///
    /// # Errors
    /// More alerts than the rule's limit; all of them are forgotten then, as in Prometheus.
    pub fn advance(
        &mut self,
        rule: &Rule,
        seen: BTreeMap<Labels, Seen>,
        at: Millis,
    ) -> Result<Vec<(Labels, Step)>, String> {
        let mut steps = Vec::new();
        self.go_away(rule, &seen, at, &mut steps);
        for (labels, seen) in seen {
            let found = self.restored.remove(&labels);
            self.come(&labels, seen, found, at, &mut steps);
        }
        if at >= self.restored_until {
            self.restored.clear();
        }
        for (labels, alert) in &mut self.active {
            if alert.phase == Phase::Pending && at - alert.since >= millis(rule.hold) {
                alert.phase = Phase::Firing;
                alert.fired = Some(at);
                // One that fires at once was never seen pending.
                steps.retain(|(l, step)| !(l == labels && *step == Step::Pending));
                steps.push((labels.clone(), Step::Firing));
            }
        }
        let count = self.active.len();
        if rule.limit > 0 && count > rule.limit {
            self.active.clear();
            return Err(format!("exceeded limit of {} with {count} alerts", rule.limit));
        }
        Ok(steps)
    }

    /// Alerts whose condition no longer holds.
    fn go_away(
        &mut self,
        rule: &Rule,
        seen: &BTreeMap<Labels, Seen>,
        at: Millis,
        steps: &mut Vec<(Labels, Step)>,
    ) {
        // One that fired before a restart is kept as one that fires now would be.
        if !rule.keep_firing_for.is_zero() {
            let kept = |(labels, alert): (&Labels, &Active)| {
                let held = alert.phase != Phase::Pending && !seen.contains_key(labels);
                held.then(|| (labels.clone(), alert.clone()))
            };
            let kept: Vec<_> = self.restored.iter().filter_map(kept).collect();
            kept.iter().for_each(|(labels, _)| drop(self.restored.remove(labels)));
            self.active.extend(kept);
        }
        self.active.retain(|labels, alert| {
            if seen.contains_key(labels) {
                return true;
            }
            if alert.phase == Phase::Pending {
                steps.push((labels.clone(), Step::Dropped));
                return false;
            }
            if !rule.keep_firing_for.is_zero() {
                let since = *alert.keep_since.get_or_insert(at);
                if at - since < millis(rule.keep_firing_for) {
                    if alert.phase != Phase::Keeping {
                        alert.phase = Phase::Keeping;
                        steps.push((labels.clone(), Step::Keeping));
                    }
                    return true;
                }
            }
            steps.push((labels.clone(), Step::Resolved));
            false
        });
    }

    /// An alert whose condition holds.
    fn come(
        &mut self,
        labels: &Labels,
        seen: Seen,
        restored: Option<Active>,
        at: Millis,
        steps: &mut Vec<(Labels, Step)>,
    ) {
        if let Some(alert) = self.active.get_mut(labels) {
            alert.value = seen.value;
            alert.annotations = seen.annotations;
            alert.keep_since = None;
            if alert.phase == Phase::Keeping {
                alert.phase = Phase::Firing;
                steps.push((labels.clone(), Step::Again));
            }
            return;
        }
        let alert = if let Some(before) = restored {
            Active {
                value: seen.value,
                annotations: seen.annotations,
                phase: if before.phase == Phase::Pending { Phase::Pending } else { Phase::Firing },
                keep_since: None,
                ..before
            }
        } else {
            steps.push((labels.clone(), Step::Pending));
            Active {
                annotations: seen.annotations,
                value: seen.value,
                phase: Phase::Pending,
                since: at,
                fired: None,
                keep_since: None,
                earlier: None,
            }
        };
        self.active.insert(labels.clone(), alert);
    }
}

/// A duration in milliseconds; longer than time itself is the longest.
pub fn millis(d: Duration) -> Millis {
    Millis::try_from(d.as_millis()).unwrap_or(Millis::MAX)
}
