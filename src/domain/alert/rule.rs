//! What is written of a rule, an inhibition and a severity, with Prometheus' and Alertmanager's names.

use crate::domain::promql::Expr;
use crate::domain::series::Matcher;
use std::collections::BTreeMap;
use std::time::Duration;

/// An alerting or recording rule.
#[derive(Clone, Debug)]
pub struct Rule {
    pub kind: RuleKind,
    /// The group it is evaluated in, in order.
    pub group: String,
    pub expr: Expr,
    /// `for`; zero for a recording rule.
    pub hold: Duration,
    /// Zero for a recording rule.
    pub keep_firing_for: Duration,
    /// Values are templates, except in a recording rule.
    pub labels: BTreeMap<String, String>,
    /// Values are templates.
    pub annotations: BTreeMap<String, String>,
    /// Of its group, where the group says; the stack's otherwise.
    pub interval: Option<Duration>,
    /// The most alerts or series that it may give; zero is no limit.
    pub limit: usize,
    /// What to do about it.
    pub help: String,
    pub rows: Vec<String>,
    /// Where it was written, for messages: `stack.toml:12`.
    pub place: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleKind {
    Alert(String),
    Record(String),
}

impl Rule {
    /// The alert's or the recorded series' name.
    pub fn name(&self) -> &str {
        match &self.kind {
            RuleKind::Alert(name) | RuleKind::Record(name) => name,
        }
    }

    pub fn is_alert(&self) -> bool {
        matches!(self.kind, RuleKind::Alert(_))
    }
}

/// As Alertmanager's `inhibit_rules`: while an alert that all of `source` match fires, the alerts
/// that all of `target` match are suppressed where the labels of `equal` agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inhibition {
    pub source: Vec<Matcher>,
    pub target: Vec<Matcher>,
    pub equal: Vec<String>,
}

/// A severity in the stack's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Severity {
    /// As the label `severity` has it.
    pub name: String,
    /// How severe, shared by all stacks: 0 wakes people up.
    pub rank: u8,
    pub about: String,
    /// By when somebody must have acknowledged.
    pub acknowledge: Option<Duration>,
    /// Who hears of it: the runbook's receiver.
    pub receiver: String,
}

/// A duration as Prometheus writes it: `1w2d3h4m5s6ms`, each unit at most once and in this order;
/// `0` needs none.
///
/// # Errors
/// What is wrong with it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let wrong = || format!("{text:?} is no duration such as 30s, 5m or 1h30m");
    let mut rest = text;
    match rest {
        "0" => return Ok(Duration::ZERO),
        "" => return Err("the duration is empty".to_owned()),
        _ => {}
    }
    let (mut total, mut next) = (0u64, 0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let unit = rest.get(digits..).unwrap_or("");
        let unit_len = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        let unit = unit.get(..unit_len).unwrap_or("");
        let place =
            UNITS.iter().position(|(name, _)| *name == unit).filter(|p| *p >= next).ok_or_else(wrong)?;
        let too_long = || format!("{text:?} is longer than can be counted");
        let count = rest.get(..digits).filter(|d| !d.is_empty()).ok_or_else(wrong)?;
        let count: u64 = count.parse().map_err(|_| too_long())?;
        let scale = UNITS.get(place).map_or(0, |(_, ms)| *ms);
        total = count.checked_mul(scale).and_then(|ms| total.checked_add(ms)).ok_or_else(too_long)?;
        next = place + 1;
        rest = rest.get(digits + unit_len..).unwrap_or("");
    }
    // Prometheus counts nanoseconds in 63 bits.
    if total > 9_223_372_036_854 {
        return Err(format!("{text:?} is longer than can be counted"));
    }
    Ok(Duration::from_millis(total))
}
