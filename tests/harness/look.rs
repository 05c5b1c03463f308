//! Running one probe once, as the program does, from the keys that a stack file would have.

use quarterdeck::clock::SystemClock;
use quarterdeck::domain::damping::Thresholds;
use quarterdeck::domain::health::Health;
use quarterdeck::domain::id::{HostId, LayerId, ProbeId, SecretId};
use quarterdeck::domain::observation::Reading;
use quarterdeck::observe::probe::shared::Shared;
use quarterdeck::observe::probe::{Context, run};
use quarterdeck::stack::decode::{Reader, Table};
use quarterdeck::stack::diag::Source;
use quarterdeck::stack::kind::Kind;
use quarterdeck::stack::spec::{Host, Probe, SecretSource, TransportSpec};
use quarterdeck::transport::Transport;
use quarterdeck::transport::secret::Secrets;
use std::sync::Arc;
use std::time::Duration;

/// Runs the probe that `keys` describe and gives what came of it.
pub fn look(keys: &str) -> Reading {
    look_with(keys, &[])
}

/// As [`look`], with the secrets that the keys refer to.
pub fn look_with(keys: &str, secrets: &[(&str, &str)]) -> Reading {
    let probe = probe(keys).unwrap_or_else(|problems| panic!("{problems}"));
    let sources = secrets.iter().map(|(name, value)| {
        let argv = ["printf", "%s\\n", value].map(str::to_owned).to_vec();
        (SecretId::new(name), SecretSource::Command(argv))
    });
    let shared = Shared::new(Secrets::new(sources.collect()));
    let host = Host { id: HostId::new("here"), transport: TransportSpec::Local, path: Vec::new() };
    let (transport, clock) = (Transport::new(&host).unwrap(), SystemClock::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reading = runtime.block_on(run(&Context::new(&transport, &shared, &clock, &probe)));
    let took = reading.latency.unwrap_or_default();
    assert!(took < probe.timeout + Duration::from_millis(500), "it took {took:?}");
    reading
}

/// Reads a probe from its keys; on mistakes, what they are, one a line.
pub fn probe(keys: &str) -> Result<Probe, String> {
    let source = Arc::new(Source { name: "test".to_owned(), text: keys.to_owned() });
    let reader = Reader::new(source);
    let parsed = reader.parse(keys);
    let table = Table::new(&reader, &parsed, 0..keys.len(), "probe");
    let kind_name = table.need_str("kind").map(|k| k.value).unwrap_or_default();
    let longest = Duration::from_secs(3600);
    let timeout = table.duration_or("timeout", Duration::from_secs(2), Duration::ZERO..=longest);
    let sudo = table.bool_or("sudo", false);
    let conditions = table.conditions("conditions");
    let degraded_unless = table.conditions("degraded_unless");
    let kind = Kind::decode(&kind_name, &table);
    let given = table.has("conditions");
    table.finish();
    let problems = reader.into_problems();
    let (Some(kind), true) = (kind, problems.0.is_empty()) else {
        let lines: Vec<String> = problems.0.iter().map(quarterdeck::stack::diag::Problem::line).collect();
        return Err(lines.join("\n"));
    };
    let conditions = if given {
        conditions.into_iter().map(|c| c.value).collect()
    } else {
        kind.default_conditions().iter().map(|c| c.parse().unwrap()).collect()
    };
    let degraded_unless: Vec<_> = degraded_unless.into_iter().map(|c| c.value).collect();
    let probe = Probe {
        id: ProbeId::new("p"),
        name: "p".to_owned(),
        layer: LayerId::new("l"),
        host: HostId::new("here"),
        interval: Duration::from_secs(5),
        timeout,
        thresholds: Thresholds::default(),
        conditions,
        degraded_unless,
        sudo,
        help: String::new(),
        rows: Vec::new(),
        kind,
    };
    for condition in probe.conditions.iter().chain(&probe.degraded_unless) {
        condition.check(probe.kind.facts())?;
    }
    Ok(probe)
}

/// Fails unless the probe came to `health` with a reason that has `part` in it.
#[track_caller]
pub fn expect(reading: &Reading, health: Health, part: &str) {
    let Reading { health: got, reason, .. } = reading;
    assert!(*got == health && reason.contains(part), "expected {health}: …{part}…\n     got {got}: {reason}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_run_as_its_keys_say() {
        let reading = look("kind = \"exec\"\nargv = [\"true\"]");
        expect(&reading, Health::Up, "exit 0");
        assert!(probe("kind = \"exec\"\nargvv = [\"true\"]").is_err());
        assert_eq!(look_with("kind = \"exec\"\nargv = [\"false\"]", &[("s", "v")]).health, Health::Down);
    }
}
