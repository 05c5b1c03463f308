//! Everything known about one alert, one objective or one rule, as lines.

use super::alerts::{
    AlertRow, Grade, acknowledge, age, between, budget, find, grade, percent, phase_word, rule_state, safe,
    seen,
};
use super::detail::Line;
use crate::clock::Now;
use crate::domain::alert::view::{AlertView, Origin, Phase, RuleIndex, RuleView};
use crate::domain::board::{Board, SloView};
use crate::domain::health::Health;
use crate::domain::series::labels::NAME;
use crate::domain::text::one_line;
use crate::domain::units::{long_age, short_age};
use crate::stack::metrics::Unit;
use crate::tui::widget::axis::value;
use jiff::Timestamp;

/// The longest expression that is shown, in characters.
const MAX_EXPRESSION: usize = 2000;

/// The title and the lines of a row; `None` when it is gone.
pub fn of_row(board: &Board, row: AlertRow, at: Now) -> Option<(String, Vec<Line>)> {
    match row {
        AlertRow::Alert(key) => find(board, key).map(|a| (safe(&a.name), of_alert(board, a, at))),
        AlertRow::Slo(index) => board.slos.get(index).map(|s| (safe(&s.name), of_slo(s))),
        AlertRow::Rule(index) => rule(board, index).map(|r| (safe(&r.name), of_rule(r, at))),
    }
}

fn rule(board: &Board, index: RuleIndex) -> Option<&RuleView> {
    board.rules.iter().find(|r| r.index == index)
}

/// The colour of a line; what is fine has none.
fn tint(grade: Grade) -> Option<Health> {
    Some(grade.health()).filter(|h| *h != Health::Up)
}

/// A moment with its age: `02:41:07Z, 18m ago`.
fn moment(then: Timestamp, at: Now) -> String {
    let when = then.strftime("%H:%M:%SZ");
    if then > at.wall {
        format!("{when}, in {}", long_age(between(at.wall, then)))
    } else {
        format!("{when}, {} ago", long_age(between(then, at.wall)))
    }
}

/// Whether a person is told, as an answer to the field's name.
fn paged(alert: &AlertView, at: Now) -> String {
    let words = alert.paged.words(at.wall);
    let answers = [("not paged: ", "no: "), ("paged: ", "yes: "), ("paged? ", "not known: ")];
    let found = answers.iter().find_map(|(from, to)| Some(format!("{to}{}", words.strip_prefix(from)?)));
    found.unwrap_or(if words == "paged" { "yes".to_owned() } else { words })
}

fn of_alert(board: &Board, alert: &AlertView, at: Now) -> Vec<Line> {
    let mut out = vec![Line::Field(
        "state",
        format!("{} {} for {}", safe(&alert.severity), phase_word(alert.phase), long_age(age(alert, at))),
        tint(grade(alert)),
    )];
    out.push(Line::Field("paged", safe(&paged(alert, at)), None));
    if let (Some((_, late)), Some(by)) = (acknowledge(alert, at), alert.acknowledge_by) {
        out.push(Line::Field("ack by", moment(by, at), late.then_some(Health::Down)));
    }
    if let (Phase::Keeping, Some(left)) = (alert.phase, alert.keep_left) {
        out.push(Line::Field(
            "kept",
            format!("no longer true; kept firing for {} more", long_age(left)),
            None,
        ));
    }
    out.push(Line::Field("since", moment(alert.since, at), None));
    if let Some(fired) = alert.fired {
        out.push(Line::Field("fired", moment(fired, at), None));
    }
    if let Some(caveat) = &alert.caveat {
        out.push(Line::Field("but", safe(caveat), Some(Health::Unknown)));
    }
    // An Alertmanager does not know it.
    if alert.origin != Origin::Alertmanager {
        out.push(Line::Field("value", value(alert.value, Unit::None), None));
    }
    for (name, text) in &alert.annotations {
        out.push(Line::Text(format!("{}: {}", one_line(name, 40), one_line(text, 600))));
    }
    out.push(Line::Title("labels".to_owned()));
    for (name, text) in alert.labels.iter().filter(|(n, _)| *n != NAME) {
        out.push(Line::Text(format!("{} = {}", one_line(name, 60), safe(text))));
    }
    let from = match alert.origin {
        Origin::Local => "evaluated here, over what is scraped here",
        Origin::Prometheus => "evaluated by Prometheus",
        Origin::Alertmanager => "sent to Alertmanager by somebody else",
    };
    out.push(Line::Field("from", from.to_owned(), None));
    if let Some(rule) = alert.rule.and_then(|i| rule(board, i)) {
        out.push(Line::Title("rule".to_owned()));
        out.extend(about_rule(rule, at));
    }
    out
}

fn of_rule(rule: &RuleView, at: Now) -> Vec<Line> {
    let (grade, word, why) = rule_state(rule, at);
    let sep = if why.is_empty() { "" } else { ": " };
    let mut out = vec![Line::Field("state", format!("{word}{sep}{why}"), tint(grade))];
    out.extend(about_rule(rule, at));
    out
}

fn about_rule(rule: &RuleView, at: Now) -> Vec<Line> {
    let mut out = Vec::new();
    for blind in &rule.blind {
        out.push(Line::Field("blind", safe(&blind.what), Some(Health::Unknown)));
        out.push(Line::Field("mend", safe(&blind.remedy), None));
    }
    out.push(Line::Field("expr", one_line(&rule.expr, MAX_EXPRESSION), None));
    if !rule.hold.is_zero() || !rule.keep.is_zero() {
        let keep = if rule.keep.is_zero() {
            String::new()
        } else {
            format!(", kept firing for {}", long_age(rule.keep))
        };
        out.push(Line::Field("for", format!("{}{keep}", long_age(rule.hold)), None));
    }
    if !rule.help.is_empty() {
        out.push(Line::Field("do", one_line(&rule.help, 1000), None));
    }
    let rows = if rule.rows.is_empty() {
        String::new()
    } else {
        format!(", runbook {}", safe(&rule.rows.join(" ")))
    };
    out.push(Line::Field("group", format!("{}{rows}", safe(&rule.group)), None));
    let evaluated = rule.evaluated.map_or_else(
        || "never".to_owned(),
        |t| format!("{}, took {}", moment(t, at), crate::domain::units::latency(rule.took)),
    );
    out.push(Line::Field("evaluated", evaluated, None));
    out
}

fn of_slo(slo: &SloView) -> Vec<Line> {
    let (grade, words) = budget(slo);
    let good = slo.good.map_or_else(|| "no events".to_owned(), percent);
    let mut out = vec![
        Line::Field("budget", words.trim_start_matches("budget ").to_owned(), tint(grade)),
        Line::Field("objective", format!("{} over {}", percent(slo.objective), long_age(slo.window)), None),
        Line::Field("good", format!("{good} of {} events", value(slo.events, Unit::None)), None),
        Line::Field(
            "seen",
            format!(
                "{}{}",
                seen(slo).trim_start_matches("seen "),
                if slo.remote { "; from Prometheus" } else { "; from what is scraped here" }
            ),
            None,
        ),
    ];
    if !slo.burns.is_empty() {
        out.push(Line::Title("burn rates: how many times faster than the budget allows".to_owned()));
    }
    for burn in &slo.burns {
        let rate =
            |r: Option<f64>| r.map_or_else(|| "?".to_owned(), |r| format!("{}x", value(r, Unit::None)));
        let held = burn.held_back.as_deref().map(|h| format!("; held back: {}", safe(h))).unwrap_or_default();
        let state = if burn.firing { "firing" } else { "quiet" };
        out.push(Line::Field(
            "burn",
            format!(
                "{state}: {} over {}, {} over {}; {} at {}x{held}",
                rate(burn.long_rate),
                short_age(burn.long),
                rate(burn.short_rate),
                short_age(burn.short),
                safe(&burn.severity),
                burn.factor
            ),
            burn.firing.then_some(Health::Degraded),
        ));
    }
    if !slo.help.is_empty() {
        out.push(Line::Field("do", one_line(&slo.help, 1000), None));
    }
    if !slo.rows.is_empty() {
        out.push(Line::Field("runbook", safe(&slo.rows.join(" ")), None));
    }
    out
}
