//! Why somebody hears of an alert, or does not: what is known here and what Alertmanager says.

use super::active::{Active, millis};
use super::inhibit;
use super::remote::Finder;
use super::rule::Rule;
use super::rules::{ALERTNAME, Rules};
use super::view::{Paged, Phase, RuleIndex};
use crate::domain::series::{Labels, Millis};
use jiff::Timestamp;
use std::time::Duration;

/// What is known of the way from an alert to a person, apart from the rules themselves.
pub struct Facts<'a> {
    pub courier: Courier<'a>,
    /// Since when what a rule looks at has stopped coming, and what that is.
    pub stale: &'a dyn Fn(RuleIndex) -> Option<(Timestamp, String)>,
}

/// Who carries alerts to people.
#[derive(Clone, Copy, Debug)]
pub enum Courier<'a> {
    /// No Alertmanager is configured.
    Nobody,
    /// Alertmanager answers, and this is what it says.
    Answers(&'a Finder<'a>),
    /// Alertmanager does not answer, and why.
    Silent(&'a str),
}

impl Rules {
    /// Whether somebody hears of one alert of a rule.
    pub(super) fn paged(
        &self,
        index: RuleIndex,
        rule: &Rule,
        labels: &Labels,
        alert: &Active,
        at: Millis,
        facts: &Facts<'_>,
    ) -> Paged {
        if alert.phase == Phase::Pending {
            let held = Duration::from_millis(u64::try_from(at - alert.since).unwrap_or(0));
            return Paged::Pending { held, needs: rule.hold };
        }
        let told = match facts.courier {
            Courier::Answers(finder) => finder.find(labels).map(|sent| finder.told().paged(sent)),
            Courier::Nobody | Courier::Silent(_) => None,
        };
        if let Some(told) = told {
            return told;
        }
        if let Some(by) = inhibit::inhibitor(&self.inhibitions, &self.firing(), labels) {
            return Paged::Inhibited { by: short(by) };
        }
        if let Some((since, what)) = (facts.stale)(index) {
            return Paged::SourceStale { since, what };
        }
        match facts.courier {
            Courier::Silent(why) => Paged::Unknown { why: format!("Alertmanager does not answer: {why}") },
            Courier::Answers(_) => Paged::Nowhere,
            Courier::Nobody => match self.severity(labels.get("severity")) {
                Some((_, s)) if !s.receiver.is_empty() => Paged::Unknown {
                    why: format!(
                        "{} should hear of it, but no Alertmanager is configured to ask",
                        s.receiver
                    ),
                },
                _ => Paged::Nowhere,
            },
        }
    }

    /// The labels of all alerts that fire.
    pub fn firing(&self) -> impl Iterator<Item = &Labels> + Clone {
        self.entries
            .iter()
            .flat_map(|e| e.alerts.active.iter())
            .filter(|(_, alert)| alert.phase != Phase::Pending)
            .map(|(labels, _)| labels)
    }
}

/// An alert's name and severity: enough to find it in a list.
pub(super) fn short(labels: &Labels) -> String {
    match (labels.get(ALERTNAME), labels.get("severity")) {
        (name, "") => name.to_owned(),
        (name, severity) => format!("{name} ({severity})"),
    }
}

/// How much of `keep_firing_for` is left.
pub(super) fn keep_left(rule: &Rule, alert: &Active, at: Millis) -> Option<Duration> {
    let since = alert.keep_since.filter(|_| alert.phase == Phase::Keeping)?;
    let left = millis(rule.keep_firing_for).saturating_sub(at - since);
    Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
}
