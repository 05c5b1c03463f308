//! The matrix, told as a small story: what is seen, and what is shown of it.

use super::*;
use crate::domain::fact::Facts;

fn now(s: u64) -> Now {
    Now { mono: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH }.plus(Duration::from_secs(s))
}

fn probe(id: &str, layer: usize, remote: bool) -> Probe {
    Probe {
        id: ProbeId::new(id),
        name: id.to_owned(),
        layer,
        host: HostId::new("vpn"),
        kind: "tcp",
        target: String::new(),
        remote,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        thresholds: Thresholds { failure: 2, success: 1 },
        conditions: vec![],
        degraded_unless: vec![],
        help: String::new(),
    }
}

fn matrix() -> Matrix {
    let layer = |id: &str, needs: Vec<usize>| Layer { id: LayerId::new(id), name: id.to_owned(), needs };
    Matrix::new(
        vec![layer("redis", vec![]), layer("api", vec![0])],
        vec![probe("ping", 0, true), probe("health", 1, true), probe("ready", 1, false)],
    )
}

fn seen(probe: usize, at: u64, health: Health, unreachable: bool) -> Observation {
    let reading = Reading {
        health,
        reason: format!("said {health}"),
        latency: Some(Duration::from_millis(3)),
        at: now(at),
        facts: Facts::new(),
        evidence: vec![],
        unreachable,
    };
    Observation::Probed { probe: ProbeIndex(probe), reading: Box::new(reading), next: now(at + 5) }
}

#[test]
fn what_was_never_probed_is_unknown() {
    let m = matrix();
    let shown = m.shown(ProbeIndex(0), now(9));
    assert_eq!((shown.health, shown.since, shown.age), (Health::Unknown, None, None));
    assert_eq!(shown.reason, "not probed yet");
    assert_eq!(m.tally(now(9)).worst(), Health::Unknown);
}

#[test]
fn an_old_green_turns_unknown_when_it_is_overdue() {
    let mut m = matrix();
    m.apply(seen(0, 0, Health::Up, false));
    assert_eq!(m.shown(ProbeIndex(0), now(12)).health, Health::Up);
    let late = m.shown(ProbeIndex(0), now(13));
    assert_eq!((late.health, late.stale), (Health::Unknown, true));
    assert_eq!(late.reason, "no result for 13s; it was up");
}

#[test]
fn a_damped_failure_says_how_far_it_is() {
    let mut m = matrix();
    assert!(m.apply(seen(0, 0, Health::Up, false)));
    assert!(!m.apply(seen(0, 5, Health::Down, false)));
    let shown = m.shown(ProbeIndex(0), now(5));
    assert_eq!((shown.health, shown.reason.as_str()), (Health::Up, "said down (1 of 2 in a row)"));
    assert!(m.apply(seen(0, 10, Health::Down, false)));
    let shown = m.shown(ProbeIndex(0), now(14));
    assert_eq!((shown.health, shown.since), (Health::Down, Some(Duration::from_secs(4))));
}

#[test]
fn the_layer_below_explains_the_one_above() {
    let mut m = matrix();
    m.apply(seen(0, 0, Health::Down, false));
    m.apply(seen(1, 0, Health::Down, false));
    m.apply(seen(2, 0, Health::Up, false));
    assert_eq!(m.roles(now(1)), [Role::Cause, Role::ExplainedBy(0)]);
    assert_eq!(m.layer_tally(1, now(1)), Tally { up: 1, down: 1, ..Tally::default() });
}

#[test]
fn what_failed_long_before_is_not_explained_by_what_failed_after() {
    let mut m = matrix();
    m.apply(seen(1, 0, Health::Down, false));
    m.apply(seen(0, 0, Health::Up, false));
    for at in [55, 60] {
        m.apply(seen(1, at, Health::Down, false));
        m.apply(seen(0, at, Health::Down, false));
    }
    assert_eq!(m.roles(now(61)), [Role::Cause, Role::Cause]);
}

#[test]
fn when_all_that_is_remote_fails_at_once_it_may_be_us() {
    let mut m = matrix();
    m.apply(seen(0, 0, Health::Unknown, true));
    assert_eq!(m.is_it_me(), None);
    m.apply(seen(1, 0, Health::Unknown, true));
    assert_eq!(m.is_it_me(), Some(IsItMe { failing: 2 }));
    m.apply(seen(1, 5, Health::Down, false));
    assert_eq!(m.is_it_me(), None, "a refusal is an answer: there is a way there");
}

#[test]
fn the_history_is_bounded() {
    let mut m = matrix();
    for i in 0..500 {
        m.apply(seen(0, i, if i % 3 == 0 { Health::Down } else { Health::Up }, false));
    }
    let (_, state) = m.probe(ProbeIndex(0)).unwrap();
    assert_eq!((state.history.len(), state.runs), (HISTORY, 500));
    assert!(state.changes.len() <= CHANGES);
}
