//! Alerts, objectives and rules in words: how grave, since when, and whether anybody hears of it.

use super::metrics::{has, words};
use crate::clock::Now;
use crate::domain::alert::view::{AlertView, Paged, Phase, RuleIndex, RuleState, RuleView};
use crate::domain::board::{Board, RemoteState, RemoteView, SloView};
use crate::domain::health::Health;
use crate::domain::text::one_line;
use crate::domain::units::{long_age, short_age};
use jiff::Timestamp;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use tui_input::Input;

/// The longest text of a board that is shown in one place, in characters.
const MAX: usize = 300;

/// A text from a board, safe to show: labels and annotations are written by others.
pub fn safe(text: &str) -> String {
    one_line(text, MAX)
}

/// How much something asks for attention; each has a sign of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    Fine,
    /// It may become something, or somebody has dealt with it.
    Waiting,
    /// It cannot be known.
    Unknown,
    Serious,
    /// It wakes people up.
    Severe,
}

impl Grade {
    pub fn health(self) -> Health {
        match self {
            Grade::Fine | Grade::Waiting => Health::Up,
            Grade::Unknown => Health::Unknown,
            Grade::Serious => Health::Degraded,
            Grade::Severe => Health::Down,
        }
    }
}

pub fn grade(alert: &AlertView) -> Grade {
    match (&alert.phase, &alert.paged) {
        (Phase::Pending | Phase::Keeping, _) | (_, Paged::Inhibited { .. } | Paged::Silenced { .. }) => {
            Grade::Waiting
        }
        (Phase::Firing, _) if alert.rank == 0 => Grade::Severe,
        (Phase::Firing, _) => Grade::Serious,
    }
}

pub fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "pending",
        Phase::Firing => "firing",
        Phase::Keeping => "keeping",
    }
}

/// From one moment to a later one; zero when it is not later.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// For how long an alert has been in its phase.
pub fn age(alert: &AlertView, at: Now) -> Duration {
    let since = if alert.phase == Phase::Pending { alert.since } else { alert.fired.unwrap_or(alert.since) };
    between(since, at.wall)
}

/// How long is left to acknowledge: `ack 4m`, or by how much it is late: `late 3m`.
pub fn acknowledge(alert: &AlertView, at: Now) -> Option<(String, bool)> {
    let by = alert.acknowledge_by?;
    Some(if by >= at.wall {
        (format!("ack {}", short_age(between(at.wall, by))), false)
    } else {
        (format!("late {}", short_age(between(by, at.wall))), true)
    })
}

/// The alert that must be acknowledged first, with what is said of it and whether it is late.
pub fn nearest_acknowledge(board: &Board, at: Now) -> Option<(String, bool)> {
    let firing = board.alerts.iter().filter(|a| grade(a) >= Grade::Serious);
    let alert = firing.filter(|a| a.acknowledge_by.is_some()).min_by_key(|a| a.acknowledge_by)?;
    let by = alert.acknowledge_by?;
    let name = one_line(&alert.name, 40);
    Some(if by >= at.wall {
        (format!("acknowledge {name} within {}", short_age(between(at.wall, by))), false)
    } else {
        (format!("acknowledge overdue {}: {name}", short_age(between(by, at.wall))), true)
    })
}

/// Whether there is anything to say of alerts at all.
pub fn exists(board: &Board) -> bool {
    let e = &board.engine;
    !board.rules.is_empty() || !board.alerts.is_empty() || !board.slos.is_empty() || e.alertmanager.is_some()
}

pub fn blind_rules(board: &Board) -> usize {
    board.rules.iter().filter(|r| !r.blind.is_empty()).count()
}

/// All alerts in one line: `3 firing (1 critical), oldest 12m; 2 pending; 1 blind rule`.
pub fn summary(board: &Board, at: Now) -> (Grade, String) {
    let firing: Vec<&AlertView> = board.alerts.iter().filter(|a| a.phase != Phase::Pending).collect();
    let pending = board.alerts.len() - firing.len();
    let mut parts = Vec::new();
    let mut worst = Grade::Fine;
    if firing.is_empty() {
        let rules = board.rules.iter().filter(|r| !r.recording).count();
        let all = if rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") };
        parts.push(if board.at.is_none() {
            worst = Grade::Unknown;
            format!("{all} not evaluated yet")
        } else {
            format!("nothing fires, of {all}")
        });
    } else {
        worst = firing.iter().map(|a| grade(a)).max().unwrap_or(Grade::Fine);
        let oldest = firing.iter().map(|a| age(a, at)).max().unwrap_or_default();
        // The severity is said in the stack's own word, as the gravest alert has it.
        let top = firing.iter().map(|a| (a.rank, a.severity.as_str())).min();
        let grave = top.map(|(rank, word)| (firing.iter().filter(|a| a.rank == rank).count(), safe(word)));
        let grave = grave.map(|(n, word)| format!(" ({n} {word})")).unwrap_or_default();
        parts.push(format!("{} firing{grave}, oldest {}", firing.len(), short_age(oldest)));
    }
    if pending > 0 {
        parts.push(format!("{pending} pending"));
        worst = worst.max(Grade::Waiting);
    }
    let unheard = board.alerts.iter().filter(|a| unheard(a)).count();
    if unheard > 0 {
        parts.push(format!("{unheard} not paged"));
    }
    match blind_rules(board) {
        0 => {}
        1 => parts.push("1 blind rule".to_owned()),
        n => parts.push(format!("{n} blind rules")),
    }
    let failed = board.rules.iter().filter(|r| matches!(r.state, RuleState::Error { .. })).count();
    if failed > 0 {
        parts.push(if failed == 1 {
            "1 rule in error".to_owned()
        } else {
            format!("{failed} rules in error")
        });
        worst = worst.max(Grade::Unknown);
    }
    // What is not scraped cannot fire.
    let down = board.targets.iter().filter(|t| t.up == Some(false)).count();
    if down > 0 {
        parts.push(format!("{down} of {} targets down", board.targets.len()));
        worst = worst.max(Grade::Unknown);
    }
    (worst, parts.join("; "))
}

/// Whether an alert fires and nobody is told of it.
fn unheard(alert: &AlertView) -> bool {
    alert.phase == Phase::Firing && !matches!(alert.paged, Paged::Yes { .. })
}

/// The gravest alert in one line, where it should stand in the headline.
pub fn headline(board: &Board, at: Now) -> Option<(Grade, String)> {
    let alert = board.alerts.iter().find(|a| grade(a) >= Grade::Serious)?;
    let more = board.alerts.iter().filter(|a| grade(a) >= Grade::Serious).count() - 1;
    let more = if more > 0 { format!("; {more} more alerts firing") } else { String::new() };
    let said = alert.annotations.iter().find(|(k, _)| k == "summary").map(|(_, v)| format!(" · {}", safe(v)));
    let text = format!(
        "{} {} for {}{}{more}",
        safe(&alert.severity),
        safe(&alert.name),
        long_age(age(alert, at)),
        said.unwrap_or_default()
    );
    Some((grade(alert), text.trim_start().to_owned()))
}

/// What is said of a Prometheus or Alertmanager that does not answer.
pub fn silence(name: &str, remote: Option<&RemoteView>, at: Now) -> Option<String> {
    let RemoteState::Silent { since, why } = &remote?.state else { return None };
    let url = remote.map(|r| safe(&r.url)).unwrap_or_default();
    Some(format!("{name} silent for {}: {} ({url})", long_age(at.since(*since)), safe(why)))
}

/// Whether anything is silent or wrong with the engine: it takes a line of its own.
pub fn is_troubled(board: &Board) -> bool {
    let e = &board.engine;
    let silent =
        |r: &Option<RemoteView>| r.as_ref().is_some_and(|r| matches!(r.state, RemoteState::Silent { .. }));
    e.trouble.is_some() || silent(&e.prometheus) || silent(&e.alertmanager)
}

/// All that is silent, and what is wrong with the engine.
pub fn troubles(board: &Board, at: Now) -> Vec<String> {
    let e = &board.engine;
    let trouble = e.trouble.as_deref().map(safe);
    let silent = [
        silence("Prometheus", e.prometheus.as_ref(), at),
        silence("Alertmanager", e.alertmanager.as_ref(), at),
    ];
    trouble.into_iter().chain(silent.into_iter().flatten()).collect()
}

/// What is left of an objective's budget, in words: `budget 43% left`, `budget overspent by 20%`.
pub fn budget(slo: &SloView) -> (Grade, String) {
    if let Some(trouble) = &slo.trouble {
        return (Grade::Unknown, safe(trouble));
    }
    match slo.budget_left {
        None => (Grade::Unknown, "no events seen".to_owned()),
        Some(left) if left < 0.0 => (Grade::Serious, format!("budget overspent by {}", percent(-left))),
        Some(left) => {
            let burning = slo.burns.iter().any(|b| b.firing);
            let grade = if burning { Grade::Serious } else { Grade::Fine };
            (grade, format!("budget {} left{}", percent(left), if burning { ", burning" } else { "" }))
        }
    }
}

/// How much of the window there are samples for: a budget over less than that is a guess.
pub fn seen(slo: &SloView) -> String {
    let part = slo.seen.as_secs_f64() / slo.window.as_secs_f64().max(1.0);
    if part >= 0.995 {
        format!("whole {} seen", long_age(slo.window))
    } else {
        format!("seen {} of {} ({})", long_age(slo.seen), long_age(slo.window), percent(part))
    }
}

/// A share in per cent, with as many places as tell it from none and from all.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let places = match value.abs() {
        99.0..100.0 => 3,
        10.0.. => 0,
        1.0.. => 1,
        _ if value == 0.0 => 0,
        _ => 2,
    };
    let text = format!("{value:.places$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}%")
}

/// The state of a rule: one word, and why.
pub fn rule_state(rule: &RuleView, at: Now) -> (Grade, &'static str, String) {
    match &rule.state {
        RuleState::Waiting => (Grade::Unknown, "waiting", "not evaluated yet".to_owned()),
        RuleState::Inactive { because } => (Grade::Fine, "inactive", safe(because)),
        RuleState::Pending => (Grade::Waiting, "pending", format!("must hold for {}", long_age(rule.hold))),
        RuleState::Firing => {
            let grade = if rule.rank == 0 { Grade::Severe } else { Grade::Serious };
            (grade, "firing", String::new())
        }
        RuleState::Recorded { series } => {
            (Grade::Fine, "recorded", series.map_or_else(String::new, |n| format!("{n} series")))
        }
        RuleState::Error { why } => (Grade::Unknown, "error", safe(why)),
        RuleState::Stale { since, what } => {
            (Grade::Unknown, "stale", format!("{} for {}", safe(what), long_age(between(*since, at.wall))))
        }
    }
}

/// A row of the screen of alerts, by what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertRow {
    /// By name and labels, since its place changes.
    Alert(u64),
    Slo(usize),
    Rule(RuleIndex),
}

/// The state of the screen of alerts.
#[derive(Clone, Debug, Default)]
pub struct AlertsView {
    pub filter: Input,
    pub selected: Option<AlertRow>,
    /// The first line shown.
    pub scroll: usize,
    pub detail: bool,
    pub detail_scroll: usize,
    pub only_problems: bool,
}

/// The identity of an alert.
pub fn key(alert: &AlertView) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&alert.name, &alert.labels, alert.rule).hash(&mut hasher);
    hasher.finish()
}

pub fn find(board: &Board, wanted: u64) -> Option<&AlertView> {
    board.alerts.iter().find(|a| key(a) == wanted)
}

/// The rows to show: alerts, then objectives, then rules, as the filter leaves them.
pub fn rows(board: &Board, view: &AlertsView, at: Now) -> Vec<AlertRow> {
    let words = words(&view.filter);
    let mut out = Vec::new();
    for alert in &board.alerts {
        // There may be thousands: texts are made only where something looks for words in them.
        let text = || {
            let (phase, why) = (phase_word(alert.phase), alert.paged.words(at.wall));
            format!("{} {} {phase} {} {why}", alert.name, alert.severity, alert.labels)
        };
        if words.is_empty() || has(&text(), &words) {
            out.push(AlertRow::Alert(key(alert)));
        }
    }
    for (index, slo) in board.slos.iter().enumerate() {
        let grade = budget(slo).0;
        let problem = !view.only_problems || grade > Grade::Fine;
        if problem && has(&format!("{} {} objective", slo.id, slo.name), &words) {
            out.push(AlertRow::Slo(index));
        }
    }
    for rule in &board.rules {
        let (grade, state, why) = rule_state(rule, at);
        let blind = if rule.blind.is_empty() { "" } else { "blind" };
        let problem = !view.only_problems || grade > Grade::Fine || !blind.is_empty();
        let text = format!(
            "{} {} {} {state} {why} {blind} {}",
            rule.name,
            rule.group,
            rule.severity,
            rule.rows.join(" ")
        );
        if problem && has(&text, &words) {
            out.push(AlertRow::Rule(rule.index));
        }
    }
    out
}

/// Whether a row asks for attention.
pub fn is_problem(board: &Board, row: AlertRow, at: Now) -> bool {
    match row {
        AlertRow::Alert(k) => find(board, k).is_some_and(|a| grade(a) >= Grade::Waiting),
        AlertRow::Slo(i) => board.slos.get(i).is_some_and(|s| budget(s).0 > Grade::Fine),
        AlertRow::Rule(index) => board
            .rules
            .iter()
            .find(|r| r.index == index)
            .is_some_and(|r| !r.blind.is_empty() || rule_state(r, at).0 > Grade::Fine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_from_none_and_from_all() {
        for (share, want) in [
            (0.999, "99.9%"),
            (1.0, "100%"),
            (0.0, "0%"),
            (0.0004, "0.04%"),
            (0.43, "43%"),
            (0.9999, "99.99%"),
            (-0.2, "-20%"),
            (0.015, "1.5%"),
        ] {
            assert_eq!(percent(share), want);
        }
    }
}
