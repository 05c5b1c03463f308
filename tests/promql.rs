//! PromQL against the real Prometheus: the same samples and expression give the same labels, the
//! same values, and errors where it gives errors.

#![cfg(test)] // tells clippy that helpers, too, may unwrap

#[path = "promql/compare.rs"]
mod compare;
#[path = "promql/data.rs"]
mod data;
mod harness;
#[path = "promql/oracle.rs"]
mod oracle;
#[path = "promql/random.rs"]
mod random;
#[path = "promql/table.rs"]
mod table;

use compare::{When, difference, ours, theirs};
use data::{END, START};
use oracle::Oracle;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::time::Duration;

/// Moments at which the hand-picked expressions are compared: on a sample, between samples, after
/// the end within the lookback, and after it.
const MOMENTS: [i64; 4] = [START + 1_200_000, START + 1_234_567, END + 200_000, END + 900_000];

const RANGES: [(i64, i64, u64); 2] =
    [(START + 300_000, START + 900_000, 60_000), (START - 60_000, END + 400_000, 97_003)];

fn moments() -> Vec<When> {
    let ranges = RANGES.map(|(a, b, step)| When::Over(a, b, Duration::from_millis(step)));
    MOMENTS.map(When::At).into_iter().chain(ranges).collect()
}

#[test]
fn hand_picked_expressions_are_what_prometheus_says() {
    let data = data::data(1);
    let Some(oracle) = Oracle::start(&data) else { return };
    let mut wrong = Vec::new();
    for expr in table::expressions() {
        for when in moments() {
            let (a, b) = (ours(&data, &expr, when), theirs(&oracle, &expr, when));
            if let Some(what) = difference(&a, &b) {
                wrong.push(format!("{expr}\n    {when:?}: {what}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_prometheus_does_not_parse_is_refused_and_the_other_way_round() {
    let data = data::data(1);
    let Some(oracle) = Oracle::start(&data) else { return };
    let mut wrong = Vec::new();
    for (expr, parses) in table::texts() {
        let theirs = oracle.instant(expr, START + 1_200_000);
        let ours = ours(&data, expr, When::At(START + 1_200_000));
        if theirs.is_ok() != parses || ours.is_ok() != parses {
            wrong.push(format!("{expr}\n    ours: {ours:?}\n    Prometheus: {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(usual)
}

/// `QUARTERDECK_CASES` says how many expressions, `QUARTERDECK_SEED` which ones and over which samples.
#[test]
fn random_expressions_are_what_prometheus_says() {
    let seed = number("QUARTERDECK_SEED", 2);
    let data = data::data(seed);
    let Some(oracle) = Oracle::start(&data) else { return };
    let cases = u32::try_from(number("QUARTERDECK_CASES", 1500)).unwrap();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 3000, ..Config::default() };
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let mut values = 0;
    let counted = std::cell::RefCell::new(&mut values);
    let result = runner.run(&random::question(), |(expr, when)| {
        let (a, b) = (ours(&data, &expr, when), theirs(&oracle, &expr, when));
        **counted.borrow_mut() += u32::from(b.is_ok());
        match difference(&a, &b) {
            None => Ok(()),
            Some(what) => Err(TestCaseError::fail(format!("{expr}\n{what}"))),
        }
    });
    if let Err(e) = result {
        panic!("{e}");
    }
    println!("{values} of {cases} random expressions have a value");
    assert!(values * 2 > cases, "too few random expressions have a value: {values} of {cases}");
}
