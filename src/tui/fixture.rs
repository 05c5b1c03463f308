//! A small stack in a known state, for the tests of the screens.

use super::app::App;
use super::glyph::Glyphs;
use super::keymap::Keymap;
use super::theme::Theme;
use crate::clock::Now;
use crate::domain::damping::Thresholds;
use crate::domain::fact::{Fact, Facts};
use crate::domain::health::Health;
use crate::domain::id::{HostId, LayerId, ProbeId};
use crate::domain::matrix::{Layer, Matrix, Probe};
use crate::domain::observation::{Observation, ProbeIndex, Reading};
use crate::domain::units::Unit;
use std::time::Duration;

/// A moment some seconds after the beginning.
pub fn at(seconds: u64) -> Now {
    let start = "2026-03-14T02:59:00Z".parse().expect("a time");
    Now { mono: Duration::ZERO, wall: start }.plus(Duration::from_secs(seconds))
}

fn layer(id: &str, name: &str, needs: &[usize]) -> Layer {
    Layer { id: LayerId::new(id), name: name.to_owned(), needs: needs.to_vec() }
}

fn probe(id: &str, name: &str, layer: usize, kind: &'static str, target: &str) -> Probe {
    Probe {
        id: ProbeId::new(id),
        name: name.to_owned(),
        layer,
        host: HostId::new(if layer == 3 { "edge" } else { "core" }),
        kind,
        target: target.to_owned(),
        remote: layer == 3,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        thresholds: Thresholds::default(),
        conditions: vec!["[CONNECTED] == true".to_owned()],
        degraded_unless: vec!["[LATENCY] < 500ms".to_owned()],
        help: "Sessions live here. Look at its memory first.".to_owned(),
    }
}

/// A matrix with nothing seen yet.
pub fn empty() -> Matrix {
    Matrix::new(
        vec![
            layer("cache", "Cache", &[]),
            layer("db", "Database", &[]),
            layer("api", "API", &[0, 1]),
            layer("edge", "Edge", &[2]),
        ],
        vec![
            probe("cache-ping", "cache answers", 0, "redis", "127.0.0.1:6379"),
            probe("cache-events", "keyspace events", 0, "redis", "127.0.0.1:6379"),
            probe("db-accepts", "accepts connections", 1, "postgres", "127.0.0.1:5432"),
            probe("api-health", "health", 2, "http", "http://127.0.0.1:8000/health"),
            probe("api-ready", "ready", 2, "http", "http://127.0.0.1:8000/ready"),
            probe("edge-cert", "certificate", 3, "cert", "edge.example:443"),
        ],
    )
}

/// One result.
pub fn seen(probe: usize, seconds: u64, health: Health, reason: &str) -> Observation {
    let mut facts = Facts::new()
        .with("CONNECTED", Fact::Bool(health != Health::Down))
        .with("LATENCY", Fact::Number(if health == Health::Degraded { 0.8 } else { 0.0013 }, Unit::Seconds));
    if probe == 5 {
        facts.number("LEFT", 19.0 * 86_400.0, Unit::Seconds);
    }
    let reading = Reading {
        health,
        reason: reason.to_owned(),
        latency: Some(Duration::from_micros(if health == Health::Degraded { 800_000 } else { 1300 })),
        at: at(seconds),
        facts,
        evidence: Reading::evidence_lines("HTTP/1.1 503\n{\"status\":\"error\"}"),
        unreachable: false,
    };
    Observation::Probed { probe: ProbeIndex(probe), reading: Box::new(reading), next: at(seconds + 5) }
}

/// The matrix after a minute in which the cache went down at 30 s.
pub fn broken() -> Matrix {
    let mut matrix = empty();
    for second in (0..60).step_by(5) {
        let late = second >= 30;
        let pick =
            |bad: (Health, &'static str), good: &'static str| if late { bad } else { (Health::Up, good) };
        let results = [
            pick((Health::Down, "connection refused by 127.0.0.1:6379"), "PONG"),
            pick((Health::Down, "connection refused by 127.0.0.1:6379"), "Ex"),
            (Health::Up, "accepts connections"),
            pick((Health::Degraded, "expected latency < 500ms, got 800ms"), "200 ok"),
            pick((Health::Down, "expected status in 200..299, got 503"), "200 ready"),
            (Health::Unknown, "needs permission: not allowed to open /etc/ssl/private/edge.pem"),
        ];
        for (probe, (health, reason)) in results.into_iter().enumerate() {
            matrix.apply(seen(probe, second, health, reason));
        }
    }
    matrix
}

/// The dashboard on that matrix.
pub fn app(glyphs: Glyphs) -> App {
    let theme = Theme::built_in("dark").expect("the default theme");
    let keymap = Keymap::new([]).expect("the default keys");
    App::new("Example".to_owned(), "staging".to_owned(), broken(), theme, glyphs, keymap)
}
