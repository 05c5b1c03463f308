//! Runs tests against the engine, step by step as promtool does.

use super::expect::{self, Alerts};
use super::{AlertCase, Test, TestFile};
use crate::domain::alert::active::millis;
use crate::domain::alert::ask;
use crate::domain::alert::rule::Rule;
use crate::domain::alert::rules::{Rules, Setup};
use crate::domain::promql::Options;
use crate::domain::series::store::{Limits, Store};
use crate::domain::series::{Labels, Millis};
use std::time::Duration;

/// Evaluations of one test: an interval that is too short for its times is a mistake.
const MAX_STEPS: i64 = 10_000_000;
/// Bounds of what one test may hold in memory.
const LIMITS: Limits = Limits {
    max_series: 1_000_000,
    max_bytes: 1 << 30,
    max_samples: 50_000_000,
    // Tests look back as far as they like.
    retention: Duration::from_secs(100 * 365 * 86_400),
};

/// How the tests of a file went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Expectations that were looked at.
    pub checks: usize,
    pub failures: Vec<Failure>,
}

/// An expectation that did not hold, or a rule that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where the expectation stands.
    pub line: usize,
    /// The test's name, if it has one.
    pub test: String,
    /// What was looked at: `alert X at 5m`.
    pub what: String,
    /// What was expected and what there was, in lines, or what went wrong.
    pub detail: String,
}

/// Runs all tests of a file over these rules.
pub fn run(file: &TestFile, rules: &[Rule]) -> Outcome {
    let mut outcome = Outcome::default();
    let ordered = ordered(file, rules);
    for test in &file.tests {
        Running::new(file, test, ordered.clone()).run(&mut outcome);
    }
    outcome
}

/// Rules with their groups in the order that the file asks for.
fn ordered(file: &TestFile, rules: &[Rule]) -> Vec<Rule> {
    let place = |rule: &Rule| file.group_order.iter().position(|g| *g == rule.group).unwrap_or(0);
    let mut rules = rules.to_vec();
    rules.sort_by_key(place);
    rules
}

struct Running<'a> {
    test: &'a Test,
    step: Millis,
    fuzzy: bool,
    rules: Rules,
    store: Store,
    options: Options,
    /// For each series, how many of its values the store has.
    loaded: Vec<usize>,
}

impl<'a> Running<'a> {
    fn new(file: &TestFile, test: &'a Test, rules: Vec<Rule>) -> Self {
        let options = Options { subquery_step: file.evaluation_interval, ..Options::default() };
        let setup = Setup {
            rules,
            interval: file.evaluation_interval,
            options,
            external_labels: test.external_labels.clone(),
            external_url: test.external_url.clone(),
            ..Setup::default()
        };
        Running {
            test,
            step: millis(file.evaluation_interval).max(1),
            fuzzy: file.fuzzy,
            rules: Rules::new(setup),
            store: Store::new(LIMITS),
            options,
            loaded: vec![0; test.series.len()],
        }
    }

    fn run(mut self, outcome: &mut Outcome) {
        let last = self.test.alerts.iter().map(|a| a.at).chain(self.test.exprs.iter().map(|e| e.at)).max();
        let last = last.unwrap_or(0);
        if last / self.step > MAX_STEPS {
            let detail =
                format!("the rules would be evaluated {} times; the bound is {MAX_STEPS}", last / self.step);
            return outcome.failures.push(self.failure(self.test.line, "the test".to_owned(), detail));
        }
        let mut cases: Vec<&AlertCase> = self.test.alerts.iter().collect();
        cases.sort_by_key(|c| c.at);
        let mut cases = cases.into_iter().peekable();
        let mut at = 0;
        while at <= last {
            if let Err(failure) = self.evaluate(at) {
                outcome.failures.push(failure);
                return;
            }
            // What is expected between two evaluations is what the earlier one left.
            while let Some(case) = cases.next_if(|c| c.at < at + self.step) {
                outcome.checks += 1;
                self.check_alerts(case, outcome);
            }
            at += self.step;
        }
        self.check_expressions(outcome);
    }

    fn failure(&self, line: usize, what: String, detail: String) -> Failure {
        Failure { line, test: self.test.name.clone(), what, detail }
    }

    /// Evaluates all rules with the samples up to `at`.
    fn evaluate(&mut self, at: Millis) -> Result<(), Failure> {
        self.load(at);
        let done = self.rules.evaluate_all(&mut self.store, at, &|| Duration::ZERO);
        let Some((index, why)) = done.failures.into_iter().next() else { return Ok(()) };
        let name = self.rules.rule(index).map_or("?", Rule::name);
        Err(self.failure(self.test.line, format!("rule {name} at {}", expect::time(at)), why))
    }

    fn load(&mut self, until: Millis) {
        let interval = millis(self.test.interval).max(1);
        for (input, loaded) in self.test.series.iter().zip(&mut self.loaded) {
            for value in input.values.iter().skip(*loaded) {
                let at = Millis::try_from(*loaded).unwrap_or(Millis::MAX).saturating_mul(interval);
                if at > until {
                    break;
                }
                *loaded += 1;
                if let Some(v) = value {
                    self.store.append_labels(&input.labels, at, *v);
                }
            }
        }
    }

    fn check_alerts(&self, case: &AlertCase, outcome: &mut Outcome) {
        let mut got: Alerts = self.rules.firing_of(&case.alertname);
        let mut expected = case.expected.clone();
        got.sort();
        expected.sort();
        if got != expected {
            let detail = expect::alerts(&expected, &got);
            let what = format!("alert {} at {}", case.alertname, expect::time(case.at));
            outcome.failures.push(self.failure(case.line, what, detail));
        }
    }

    fn check_expressions(&self, outcome: &mut Outcome) {
        for case in &self.test.exprs {
            outcome.checks += 1;
            let what = || format!("{} at {}", case.expr.text().trim(), expect::time(case.at));
            match ask::vector(&case.expr, &self.store, case.at, &self.options) {
                Err(why) => outcome.failures.push(self.failure(case.line, what(), why)),
                Ok(points) => {
                    let mut got: Vec<(Labels, f64)> = points.into_iter().map(|p| (p.labels, p.v)).collect();
                    let mut expected = case.expected.clone();
                    got.sort_by(|a, b| a.0.cmp(&b.0));
                    expected.sort_by(|a, b| a.0.cmp(&b.0));
                    if !expect::same(&expected, &got, self.fuzzy) {
                        let detail = expect::samples(&expected, &got);
                        outcome.failures.push(self.failure(case.line, what(), detail));
                    }
                }
            }
        }
    }
}
