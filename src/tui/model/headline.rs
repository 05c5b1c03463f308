//! The few lines that answer first: what is wrong, since when, why; and what runs out next.

use crate::clock::Now;
use crate::domain::board::Board;
use crate::domain::cause::Role;
use crate::domain::fact::Fact;
use crate::domain::health::Health;
use crate::domain::matrix::{Matrix, Shown};
use crate::domain::observation::ProbeIndex;
use crate::domain::units;
use std::time::Duration;

/// The headline and how bad it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    pub health: Health,
    pub text: String,
}

/// What to say of the whole stack in one line.
pub fn headline(matrix: &Matrix, at: Now) -> Headline {
    if let Some(me) = matrix.is_it_me() {
        let text = format!(
            "is it me? all {} remote probes cannot get there from here: check this machine's network first",
            me.failing
        );
        return Headline { health: Health::Unknown, text };
    }
    let roles = matrix.roles(at);
    let causes: Vec<usize> =
        roles.iter().enumerate().filter(|(_, r)| **r == Role::Cause).map(|(i, _)| i).collect();
    let worst_first = |layer: &usize| std::cmp::Reverse(matrix.layer_tally(*layer, at).worst().severity());
    let Some(&cause) = causes.iter().min_by_key(|l| worst_first(l)) else { return calm(matrix, at) };
    let tally = matrix.layer_tally(cause, at);
    let (health, name) = (tally.worst(), layer_name(matrix, cause));
    // "Host down" when one of its disks is full would send the reader to the wrong place.
    let what = match tally.count(health) {
        n if n == tally.total() => format!("{name} {health}"),
        n => format!("{name}: {n} of {} {health}", tally.total()),
    };
    let explained = roles.iter().filter(|r| matches!(r, Role::ExplainedBy(l) if *l == cause)).count();
    let (since, reason) =
        worst_probe(matrix, cause, at).map(|(p, shown)| because(matrix, p, &shown)).unwrap_or_default();
    let mut more = match explained {
        0 => String::new(),
        1 => "; explains 1 more layer".to_owned(),
        n => format!("; explains {n} more layers"),
    };
    let others: Vec<&str> = causes.iter().filter(|l| **l != cause).map(|l| layer_name(matrix, *l)).collect();
    if !others.is_empty() {
        more = format!("{more}; also failing: {}", others.join(", "));
    }
    Headline { health, text: format!("{what}{since} · {reason}{more}") }
}

/// The headline of the whole stack, alerts included: where every probe is content and an alert
/// fires, calm would be a lie.
pub fn with_alerts(matrix: &Matrix, board: &Board, at: Now) -> Headline {
    let line = headline(matrix, at);
    match super::alerts::headline(board, at) {
        Some((grade, text))
            if line.health == Health::Up || line.health.severity() < grade.health().severity() =>
        {
            Headline { health: grade.health(), text: format!("{text}; {}", line.text) }
        }
        _ => line,
    }
}

fn layer_name(matrix: &Matrix, layer: usize) -> &str {
    matrix.layers().get(layer).map_or("?", |l| l.name.as_str())
}

/// Since when, and why, in the words of one probe.
fn because(matrix: &Matrix, probe: ProbeIndex, shown: &Shown) -> (String, String) {
    let name = matrix.probe(probe).map_or("", |(p, _)| p.name.as_str());
    let at_least = if shown.from_the_start { "at least " } else { "" };
    let since =
        shown.since.filter(|d| d.as_secs() > 0).map(|d| format!(" for {at_least}{}", units::long_age(d)));
    (since.unwrap_or_default(), format!("{name}: {}", shown.reason))
}

fn calm(matrix: &Matrix, at: Now) -> Headline {
    let tally = matrix.tally(at);
    if !matrix.complete() {
        let waiting = tally.unknown;
        return Headline {
            health: Health::Unknown,
            text: format!("looking: {waiting} of {} probes have not answered yet", tally.total()),
        };
    }
    if tally.unknown > 0 {
        let text = format!(
            "{} up, {} unknown: not known is not healthy; select one to see what it needs",
            tally.up, tally.unknown
        );
        return Headline { health: Health::Unknown, text };
    }
    let calm = longest_calm(matrix, at).filter(|d| *d >= Duration::from_secs(60));
    let since = calm.map(|d| format!(" for {}", units::short_age(d))).unwrap_or_default();
    let what = if tally.up == 1 { "the one probe is".to_owned() } else { format!("all {} probes", tally.up) };
    Headline { health: Health::Up, text: format!("{what} up{since}") }
}

/// How long everything has been up: since the last change of any probe.
fn longest_calm(matrix: &Matrix, at: Now) -> Option<Duration> {
    (0..matrix.probes().len()).filter_map(|i| matrix.probe(ProbeIndex(i))?.1.since).map(|s| at.since(s)).min()
}

/// The first probe of a layer that is in its worst state: a stack file names the most telling first.
pub fn worst_probe(matrix: &Matrix, layer: usize, at: Now) -> Option<(ProbeIndex, Shown)> {
    matrix
        .of_layer(layer)
        .map(|p| (p, matrix.shown(p, at)))
        .max_by_key(|(p, s)| (s.health.severity(), std::cmp::Reverse(p.0)))
}

/// What is said of a layer's part beside its name: `explained by redis`.
pub fn role_note(matrix: &Matrix, role: Role) -> String {
    match role {
        Role::Fine => String::new(),
        Role::Cause => "likely cause".to_owned(),
        Role::ExplainedBy(l) => format!("explained by {}", layer_name(matrix, l)),
    }
}

/// What runs out next, soonest first, as short texts with whether it is urgent.
pub fn clocks(matrix: &Matrix, at: Now) -> Vec<(String, Health)> {
    let mut out = Vec::new();
    if let Some((name, left)) = nearest_certificate(matrix) {
        let health = if left < 0.0 {
            Health::Down
        } else if left < 14.0 * 86_400.0 {
            Health::Degraded
        } else {
            Health::Up
        };
        let left =
            if left < 0.0 { "expired".to_owned() } else { units::short_age(Duration::from_secs_f64(left)) };
        out.push((format!("certificate {left} ({name})"), health));
    }
    let hosts = matrix.hosts();
    for host in hosts.iter().filter(|_| hosts.len() > 1) {
        let tally = matrix.host_tally(host, at);
        let worst = tally.worst();
        if worst != Health::Up {
            out.push((format!("host {host}: {} of {} {worst}", tally.count(worst), tally.total()), worst));
        }
    }
    if let Some((name, at_change, to)) = last_change(matrix) {
        let ago = units::short_age(at.since(at_change));
        out.push((format!("last change {ago} ago: {name} {to}"), Health::Up));
    }
    if let Some(oldest) = oldest_result(matrix, at) {
        out.push((format!("oldest result ≤{}", coarse(oldest)), Health::Up));
    }
    out
}

fn nearest_certificate(matrix: &Matrix) -> Option<(String, f64)> {
    (0..matrix.probes().len())
        .filter_map(|i| matrix.probe(ProbeIndex(i)))
        .filter(|(p, _)| p.kind == "cert")
        .filter_map(|(p, s)| match s.last.as_ref()?.facts.get("LEFT")? {
            Fact::Number(left, _) => Some((p.name.clone(), *left)),
            _ => None,
        })
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// The newest change of state after a probe's first result.
fn last_change(matrix: &Matrix) -> Option<(String, Now, Health)> {
    (0..matrix.probes().len())
        .filter_map(|i| matrix.probe(ProbeIndex(i)))
        .filter_map(|(p, s)| {
            s.changes.back().filter(|c| c.from.is_some()).map(|c| (p.name.clone(), c.at, c.to))
        })
        .max_by_key(|(_, at, _)| at.mono)
}

/// The age of the oldest last result, which is the age of the screen.
pub fn oldest_result(matrix: &Matrix, at: Now) -> Option<Duration> {
    (0..matrix.probes().len())
        .filter_map(|i| Some(at.since(matrix.probe(ProbeIndex(i))?.1.last.as_ref()?.at)))
        .max()
}

/// An age rounded up to a step that does not tick: a number that changes every second draws the
/// eye and, over a slow line, costs more than it tells.
pub fn coarse(age: Duration) -> String {
    const STEPS: [u64; 9] = [5, 10, 15, 30, 60, 120, 300, 600, 1800];
    let s = age.as_secs_f64().ceil() as u64;
    let step = STEPS.into_iter().find(|step| s <= *step).unwrap_or(s);
    units::short_age(Duration::from_secs(step))
}
