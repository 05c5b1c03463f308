//! Probes as series: what a reading says in numbers.

use super::stale::{Found, Taken, Tracker};
use crate::domain::fact::Fact;
use crate::domain::health::Health;
use crate::domain::observation::Reading;
use crate::domain::series::Labels;
use crate::domain::series::labels::NAME;
use crate::stack::spec::Probe;

const HEALTHS: [Health; 4] = [Health::Up, Health::Degraded, Health::Down, Health::Unknown];

/// The samples of one reading:
///
/// - `probe_success`: 1 when up or degraded, 0 when down, absent when unknown;
/// - `probe_health{health}`: 1 for the present one, 0 for the others;
/// - `probe_duration_seconds`, when it was run;
/// - `probe_fact{fact}`: every fact that is a number, or a boolean as 1 or 0; of texts only `VALUE`,
///   what a query or a command answered, when it reads as a number.
///
/// All carry `probe`, `layer` and `host`.
pub fn samples(probe: &Probe, reading: &Reading) -> Vec<Found> {
    let labels = |name: &str, more: Option<(&str, &str)>| {
        let (id, layer, host) = (probe.id.to_string(), probe.layer.to_string(), probe.host.to_string());
        let own = [(NAME, name), ("probe", &id), ("layer", &layer), ("host", &host)];
        Labels::new(own.into_iter().chain(more))
    };
    let mut all = Vec::new();
    let mut give = |labels, v| all.push(Found { labels, t: None, v });
    match reading.health {
        Health::Up | Health::Degraded => give(labels("probe_success", None), 1.0),
        Health::Down => give(labels("probe_success", None), 0.0),
        Health::Unknown => {}
    }
    for health in HEALTHS {
        let is = if health == reading.health { 1.0 } else { 0.0 };
        give(labels("probe_health", Some(("health", health.as_str()))), is);
    }
    if let Some(latency) = reading.latency {
        give(labels("probe_duration_seconds", None), latency.as_secs_f64());
    }
    for (name, fact) in reading.facts.iter() {
        let v = match fact {
            Fact::Number(n, _) => *n,
            Fact::Bool(b) => f64::from(u8::from(*b)),
            Fact::Text(text) if name == "VALUE" => match number(text) {
                Some(n) => n,
                None => continue,
            },
            _ => continue,
        };
        give(labels("probe_fact", Some(("fact", name))), v);
    }
    all
}

/// A text that is nothing but a finite number.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

/// The series of one probe over time: what a reading no longer says gets a stale marker.
#[derive(Debug, Default)]
pub struct Probed(Tracker);

impl Probed {
    /// The samples for the store, at the time that the reading was complete.
    pub fn take(&mut self, probe: &Probe, reading: &Reading) -> Vec<Taken> {
        let mut out = Vec::new();
        self.0.take(samples(probe, reading), Vec::new(), reading.at.wall.as_millisecond(), &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;
    use crate::domain::damping::Thresholds;
    use crate::domain::fact::Facts;
    use crate::domain::id::{HostId, LayerId, ProbeId};
    use crate::domain::series::is_stale;
    use crate::domain::units::Unit;
    use crate::stack::kind::{self, Kind};
    use std::time::Duration;

    fn probe() -> Probe {
        Probe {
            id: ProbeId::new("cert"),
            name: "Certificate".into(),
            layer: LayerId::new("edge"),
            host: HostId::new("vpn"),
            interval: Duration::from_secs(15),
            timeout: Duration::from_secs(5),
            thresholds: Thresholds::default(),
            conditions: Vec::new(),
            degraded_unless: Vec::new(),
            sudo: false,
            help: String::new(),
            rows: Vec::new(),
            kind: Kind::Load(kind::load::Spec {}),
        }
    }

    fn reading(health: Health, second: i64, latency: Option<u64>, facts: Facts) -> Reading {
        Reading {
            health,
            reason: String::new(),
            latency: latency.map(Duration::from_millis),
            at: Now { mono: Duration::ZERO, wall: jiff::Timestamp::from_second(second).unwrap() },
            facts,
            evidence: Vec::new(),
            unreachable: false,
        }
    }

    fn shown(taken: &[Taken]) -> Vec<String> {
        let one = |(labels, t, v): &Taken| {
            assert_eq!(
                (labels.get("probe"), labels.get("layer"), labels.get("host")),
                ("cert", "edge", "vpn")
            );
            let more = [labels.get("health"), labels.get("fact")].concat();
            let v = if is_stale(*v) { "ended".to_owned() } else { v.to_string() };
            format!("{} {more} {v} at {t}", labels.name())
        };
        let mut all: Vec<_> =
            taken.iter().map(one).filter(|l| !l.starts_with("probe_health") || l.contains(" 1 ")).collect();
        all.sort();
        all
    }

    /// `select count(*)` and `SCARD` answer with texts.
    #[test]
    fn an_answer_that_reads_as_a_number_is_one() {
        for (text, want) in [
            ("42", Some(42.0)),
            (" 0.5\n", Some(0.5)),
            ("-1", Some(-1.0)),
            ("on", None),
            ("", None),
            ("nan", None),
            ("inf", None),
        ] {
            let facts =
                Facts::new().with("VALUE", Fact::Text(text.into())).with("AUTH", Fact::Text("1".into()));
            let all = samples(&probe(), &reading(Health::Up, 1, None, facts));
            let facts: Vec<f64> =
                all.iter().filter(|f| f.labels.name() == "probe_fact").map(|f| f.v).collect();
            assert_eq!(facts, Vec::from_iter(want), "{text:?}");
        }
    }

    #[test]
    fn unknown_is_neither_one_nor_nought() {
        let facts = Facts::new()
            .with("LEFT", Fact::Number(86_400.0, Unit::Seconds))
            .with("VALID", Fact::Bool(true))
            .with("ISSUER", Fact::Text("a".into()))
            .with("GONE", Fact::Unavailable("no".into()));
        let mut probed = Probed::default();
        let table: [(Reading, &[&str]); 4] = [
            (
                reading(Health::Degraded, 1, Some(20), facts),
                &[
                    "probe_duration_seconds  0.02 at 1000",
                    "probe_fact LEFT 86400 at 1000",
                    "probe_fact VALID 1 at 1000",
                    "probe_health degraded 1 at 1000",
                    "probe_success  1 at 1000",
                ],
            ),
            (
                reading(Health::Unknown, 2, None, Facts::new()),
                &[
                    "probe_duration_seconds  ended at 2000",
                    "probe_fact LEFT ended at 2000",
                    "probe_fact VALID ended at 2000",
                    "probe_health unknown 1 at 2000",
                    "probe_success  ended at 2000",
                ],
            ),
            (reading(Health::Unknown, 3, None, Facts::new()), &["probe_health unknown 1 at 3000"]),
            (
                reading(Health::Down, 4, Some(1), Facts::new()),
                &[
                    "probe_duration_seconds  0.001 at 4000",
                    "probe_health down 1 at 4000",
                    "probe_success  0 at 4000",
                ],
            ),
        ];
        for (reading, want) in table {
            assert_eq!(shown(&probed.take(&probe(), &reading)), want);
        }
    }
}
