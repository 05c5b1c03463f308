//! Probes from a few lines of TOML, as a stack file would give them.

use quarterdeck::domain::damping::Thresholds;
use quarterdeck::domain::id::{HostId, LayerId, ProbeId};
use quarterdeck::stack::decode::{Reader, Table};
use quarterdeck::stack::diag::{Problem, Source};
use quarterdeck::stack::kind::Kind;
use quarterdeck::stack::spec::{Host, Probe, TransportSpec};
use quarterdeck::transport::Transport;
use std::sync::Arc;
use std::time::Duration;

/// Reads one probe table; the kind's default conditions stand when it names none.
pub fn probe(text: &str) -> Result<Probe, String> {
    let reader = Reader::new(Arc::new(Source { name: "probe.toml".into(), text: text.into() }));
    let parsed = reader.parse(text);
    let t = Table::new(&reader, &parsed, 0..text.len(), "probe");
    let id = t.str_or("id", "p");
    let name = t.str_or("kind", "");
    let kind = Kind::decode(&name, &t);
    let mut conditions: Vec<_> = t.conditions("conditions").into_iter().map(|c| c.value).collect();
    let degraded_unless: Vec<_> = t.conditions("degraded_unless").into_iter().map(|c| c.value).collect();
    let second = Duration::from_secs(1);
    let timeout = t.duration_or("timeout", 2 * second, Duration::ZERO..=60 * second);
    t.finish();
    let problems = reader.into_problems();
    let Some(kind) = kind.filter(|_| !problems.has_errors()) else {
        return Err(problems.0.iter().map(Problem::line).collect::<Vec<_>>().join("\n"));
    };
    if conditions.is_empty() {
        conditions = kind.default_conditions().iter().filter_map(|c| c.parse().ok()).collect();
    }
    for condition in conditions.iter().chain(&degraded_unless) {
        condition.check(kind.facts())?;
    }
    Ok(Probe {
        id: ProbeId::new(&id),
        name: id,
        layer: LayerId::new("layer"),
        host: HostId::new("host"),
        interval: 5 * second,
        timeout,
        thresholds: Thresholds::default(),
        conditions,
        degraded_unless,
        sudo: false,
        help: String::new(),
        rows: Vec::new(),
        kind,
    })
}

/// The way to this machine.
pub fn local() -> Result<Transport, String> {
    let host = Host { id: HostId::new("host"), transport: TransportSpec::Local, path: Vec::new() };
    Transport::new(&host)
}
