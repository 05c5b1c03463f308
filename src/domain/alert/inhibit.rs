//! Which alert suppresses which, as Alertmanager decides it.

use super::rule::Inhibition;
use super::rules::Rules;
use crate::domain::series::Labels;

impl Inhibition {
    /// Whether alerts with these labels may suppress others.
    pub fn is_source(&self, labels: &Labels) -> bool {
        self.source.iter().all(|m| m.selects(labels))
    }

    /// Whether alerts with these labels may be suppressed.
    pub fn is_target(&self, labels: &Labels) -> bool {
        self.target.iter().all(|m| m.selects(labels))
    }

    /// Whether a firing `source` suppresses `target`. A label that neither has counts as equal. An
    /// alert that matches both sides is not suppressed by another that does, itself included:
    /// otherwise two of them could silence each other.
    pub fn suppresses(&self, source: &Labels, target: &Labels) -> bool {
        self.is_target(target)
            && self.is_source(source)
            && self.equal.iter().all(|name| source.get(name) == target.get(name))
            && !(self.is_source(target) && self.is_target(source))
    }
}

impl Rules {
    /// Takes an Alertmanager's own inhibitions: what the stack file says of them is what should be
    /// there, these are what is.
    pub fn inhibit_as(&mut self, inhibitions: &[Inhibition]) {
        if self.inhibitions != inhibitions {
            self.inhibitions = inhibitions.to_vec();
            self.hidden = None;
        }
    }
}

/// The first of the firing alerts that suppresses `target`.
pub fn inhibitor<'a>(
    inhibitions: &[Inhibition],
    firing: &(impl Iterator<Item = &'a Labels> + Clone),
    target: &Labels,
) -> Option<&'a Labels> {
    inhibitions.iter().find_map(|i| firing.clone().find(|source| i.suppresses(source, target)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::series::{Matcher, Op};

    fn inhibition(source: &[(&str, Op, &str)], target: &[(&str, Op, &str)], equal: &[&str]) -> Inhibition {
        let side = |list: &[(&str, Op, &str)]| {
            list.iter().map(|(n, op, v)| Matcher::new(*n, *op, *v).unwrap()).collect()
        };
        Inhibition {
            source: side(source),
            target: side(target),
            equal: equal.iter().map(|e| (*e).to_owned()).collect(),
        }
    }

    type Pairs = &'static [(&'static str, &'static str)];

    #[test]
    fn alertmanagers_rules_of_suppression() {
        let by_severity = inhibition(
            &[("severity", Op::Equal, "critical")],
            &[("severity", Op::Match, "high|low")],
            &["service"],
        );
        let anything = inhibition(&[("a", Op::Equal, "1")], &[("b", Op::NotEqual, "2")], &[]);
        let table: &[(&Inhibition, Pairs, Pairs, bool)] = &[
            (
                &by_severity,
                &[("severity", "critical"), ("service", "x")],
                &[("severity", "high"), ("service", "x")],
                true,
            ),
            (
                &by_severity,
                &[("severity", "critical"), ("service", "x")],
                &[("severity", "high"), ("service", "y")],
                false,
            ),
            (&by_severity, &[("severity", "critical"), ("service", "x")], &[("severity", "high")], false),
            // Neither has the label: equal.
            (&by_severity, &[("severity", "critical")], &[("severity", "low")], true),
            (&by_severity, &[("severity", "high")], &[("severity", "low")], false),
            (&by_severity, &[("severity", "critical")], &[("severity", "critical")], false),
            (&anything, &[("a", "1"), ("b", "2")], &[("c", "3")], true),
            // The source is a target too, the target is no source.
            (&anything, &[("a", "1")], &[("c", "3")], true),
            // Both are both: neither suppresses the other, nor itself.
            (&anything, &[("a", "1"), ("c", "4")], &[("a", "1"), ("c", "3")], false),
            (&anything, &[("a", "1")], &[("a", "1")], false),
            // The target is both, the source only a source.
            (&anything, &[("a", "1"), ("b", "2")], &[("a", "1")], true),
        ];
        for (inhibition, source, target, want) in table {
            let (source, target) = (Labels::new(source.iter().copied()), Labels::new(target.iter().copied()));
            assert_eq!(inhibition.suppresses(&source, &target), *want, "{inhibition:?} {source} {target}");
        }
    }
}
