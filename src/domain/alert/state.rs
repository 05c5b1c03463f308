//! What is saved of the alerts so that a restart of the program does not start them anew.

use super::active::{Active, Earlier, millis};
use super::rule::Rule;
use super::rules::Rules;
use super::view::Phase;
use crate::domain::series::{Labels, Millis};
use crate::domain::text::one_line;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The form that this program writes and reads.
const VERSION: u32 = 1;
/// Alerts beyond this many are not saved: a rule that gives more is mistaken.
const MAX_ALERTS: usize = 10_000;
/// What was saved longer ago is of no use, as in Prometheus.
pub const OUTAGE_TOLERANCE: Duration = Duration::from_secs(3600);
/// How long a restored alert has to come back where its expression looks at a span of time. Samples are not saved, and what is rated over time
/// gives nothing before the second scrape.
pub const RETURN: Duration = Duration::from_secs(120);
/// After a restart a pending alert that was nearly due waits at least this long, as in Prometheus.
pub const GRACE: Duration = Duration::from_secs(600);

/// The alerts at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Saved {
    version: u32,
    /// When it was saved, in milliseconds since the epoch: until then somebody looked.
    at: Millis,
    alerts: Vec<SavedAlert>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedAlert {
    group: String,
    rule: String,
    /// The expression, since another one's times mean nothing.
    expr: String,
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
    /// As text, since JSON has no NaN.
    value: String,
    pending: bool,
    since: Millis,
    fired: Option<Millis>,
    keep_since: Option<Millis>,
    /// From an earlier restart: since when, and milliseconds in which nobody looked.
    earlier: Option<(Millis, u64)>,
}

/// What became of a saved state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub alerts: usize,
    /// Alerts of rules that are there no more, or were changed.
    pub forgotten: usize,
    /// How long nobody looked.
    pub gap: Duration,
}

impl Rules {
    /// The state as a text to be written to a file, as of the last evaluation at `at`.
    ///
    /// # Errors
    /// It cannot be written as JSON, which a name that is no text could cause.
    pub fn save(&self, at: Millis) -> Result<String, String> {
        let mut alerts = Vec::new();
        for entry in &self.entries {
            // What was restored and not looked at yet is still what is known.
            for (labels, alert) in entry.alerts.restored.iter().chain(&entry.alerts.active) {
                if alerts.len() < MAX_ALERTS {
                    alerts.push(saved(&entry.rule, labels, alert));
                }
            }
        }
        serde_json::to_string(&Saved { version: VERSION, at, alerts }).map_err(|e| e.to_string())
    }

    /// Takes up what [`Rules::save`] gave. Alerts take effect at their rule's next evaluation, if
    /// its expression still gives them. Nothing is taken from a text that cannot be read.
    ///
    /// # Errors
    /// Why the state is of no use: damaged, of another version, from the future, or too old. The
    /// rules start fresh then.
    pub fn restore(&mut self, text: &str, now: Millis) -> Result<Restored, String> {
        let version: Version = serde_json::from_str(text).map_err(|e| damaged(&e))?;
        if version.version != VERSION {
            return Err(format!(
                "read the saved alerts: they are of version {}, and this program knows {VERSION}",
                version.version
            ));
        }
        let saved: Saved = serde_json::from_str(text).map_err(|e| damaged(&e))?;
        let gap = u64::try_from(now.saturating_sub(saved.at)).map_err(
            |_| "use the saved alerts: they were saved in the future; has the clock been set back?",
        )?;
        let gap = Duration::from_millis(gap);
        if gap > OUTAGE_TOLERANCE {
            let age = crate::domain::units::short_age(gap);
            return Err(format!("use the saved alerts: they are {age} old, and only an hour counts"));
        }
        let mut restored = Restored { alerts: 0, forgotten: 0, gap };
        for alert in saved.alerts.into_iter().take(MAX_ALERTS) {
            let place = self.entries.iter_mut().find(|e| {
                e.rule.is_alert()
                    && e.rule.name() == alert.rule
                    && e.rule.group == alert.group
                    && e.rule.expr.text() == alert.expr
            });
            let active = place.zip(alert.value.parse::<f64>().ok());
            let Some((entry, value)) = active else {
                restored.forgotten += 1;
                continue;
            };
            let labels = Labels::new(alert.labels.iter().map(|(n, v)| (n, v)));
            let active = active_again(&entry.rule, alert, value, gap, now);
            entry.alerts.restored.insert(labels, active);
            let over_time = entry.rule.expr.selectors().iter().any(|s| s.over_time);
            let wait = if over_time { millis(RETURN) } else { 0 };
            entry.alerts.restored_until = now.saturating_add(wait);
            restored.alerts += 1;
        }
        Ok(restored)
    }
}

/// Only the version, which must be known before the rest means anything.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

fn damaged(e: &serde_json::Error) -> String {
    format!("read the saved alerts: the file is damaged: {}", one_line(&e.to_string(), 160))
}

fn saved(rule: &Rule, labels: &Labels, alert: &Active) -> SavedAlert {
    SavedAlert {
        group: rule.group.clone(),
        rule: rule.name().to_owned(),
        expr: rule.expr.text().to_owned(),
        labels: labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        annotations: alert.annotations.clone(),
        value: alert.value.to_string(),
        pending: alert.phase == Phase::Pending,
        since: alert.since,
        fired: alert.fired,
        keep_since: alert.keep_since,
        earlier: alert.earlier.map(|e| (e.since, u64::try_from(e.gap.as_millis()).unwrap_or(u64::MAX))),
    }
}

/// An alert after a time in which nobody looked, which does not count towards `for`.
fn active_again(rule: &Rule, alert: SavedAlert, value: f64, gap: Duration, now: Millis) -> Active {
    let (first, gap_before) =
        alert.earlier.map_or((alert.since, Duration::ZERO), |(since, ms)| (since, Duration::from_millis(ms)));
    let down_at = now - millis(gap);
    let remaining = millis(rule.hold) - (down_at - alert.since);
    let since = if !alert.pending || remaining <= 0 {
        alert.since
    } else if rule.hold >= GRACE && remaining < millis(GRACE) {
        now + millis(GRACE) - millis(rule.hold)
    } else {
        alert.since.saturating_add(millis(gap))
    };
    let phase = match (alert.pending, alert.keep_since) {
        (true, _) => Phase::Pending,
        (false, None) => Phase::Firing,
        (false, Some(_)) => Phase::Keeping,
    };
    Active {
        annotations: alert.annotations,
        value,
        phase,
        since,
        fired: alert.fired,
        keep_since: alert.keep_since,
        earlier: Some(Earlier { since: first, gap: gap_before.saturating_add(gap) }),
    }
}
