//! What an expression needs to be looked at for: the probes and targets whose series its selectors
//! can choose. What nobody asks about is not disturbed.

use crate::domain::promql::{Expr, Selector};
use crate::domain::series::labels::NAME;
use crate::domain::series::{Matcher, Op};
use crate::observe::metrics::labels::TargetLabels;
use crate::stack::metrics::{Scrape, ScrapeKind};
use crate::stack::spec::{Probe, Stack};
use std::collections::BTreeSet;

/// The series that every probe has.
const OF_PROBES: [&str; 4] = ["probe_success", "probe_health", "probe_duration_seconds", "probe_fact"];
/// Labels of theirs whose values are known only afterwards.
const OF_READINGS: [&str; 2] = ["health", "fact"];
/// The series that every target has of itself: they say how the look at it went.
const OF_TARGETS: [&str; 3] = ["up", "scrape_duration_seconds", "scrape_samples_scraped"];

/// Probes and targets, by their places in the stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub probes: BTreeSet<usize>,
    /// These must answer, or nothing is known.
    pub targets: BTreeSet<usize>,
    /// Of these only is asked whether they answer.
    pub reports: BTreeSet<usize>,
    /// Whether every selector names what a probe or a target is known to give: a Prometheus knows
    /// no better.
    pub ours: bool,
}

/// What an expression needs.
pub fn of(expr: &Expr, stack: &Stack) -> Needs {
    let mut all = Needs { ours: true, ..Needs::default() };
    for selector in expr.selectors() {
        all.add(&selector, stack);
    }
    all
}

impl Needs {
    fn add(&mut self, selector: &Selector, stack: &Stack) {
        let matchers = &selector.matchers;
        let probes: Vec<usize> = places(&stack.probes, |p| of_probe(matchers, p));
        let scrapes = &stack.metrics.scrapes;
        let named: Vec<usize> = places(scrapes, |s| names(s, matchers) && fits(matchers, s, true));
        let reports = places(scrapes, |s| named_in(matchers, &OF_TARGETS) && fits(matchers, s, false));
        let exact = matchers.iter().any(|m| m.name() == NAME && m.op() == Op::Equal);
        let known = exact && !(probes.is_empty() && named.is_empty());
        self.ours &= known;
        let is_page = |s: &Scrape| matches!(s.kind, ScrapeKind::Page { .. });
        if !known && (reports.is_empty() || !exact) {
            // Only the page itself knows what is on it.
            self.targets.extend(places(scrapes, |s| is_page(s) && fits(matchers, s, true)));
        }
        self.probes.extend(probes);
        self.targets.extend(named);
        self.reports.extend(reports);
    }
}

fn places<T>(all: &[T], wanted: impl Fn(&T) -> bool) -> Vec<usize> {
    all.iter().enumerate().filter(|(_, one)| wanted(one)).map(|(i, _)| i).collect()
}

/// Whether the matchers of names choose one of these.
fn named_in(matchers: &[Matcher], names: &[&str]) -> bool {
    names.iter().any(|name| is_named(matchers, name))
}

fn is_named(matchers: &[Matcher], name: &str) -> bool {
    matchers.iter().all(|m| m.name() != NAME || m.matches(name))
}

fn of_probe(matchers: &[Matcher], probe: &Probe) -> bool {
    named_in(matchers, &OF_PROBES)
        && matchers.iter().all(|m| match m.name() {
            NAME => true,
            "probe" => m.matches(probe.id.as_str()),
            "layer" => m.matches(probe.layer.as_str()),
            "host" => m.matches(probe.host.as_str()),
            other if OF_READINGS.contains(&other) => true,
            _ => m.matches(""),
        })
}

/// Whether the file says that this target gives a series of such a name.
fn names(scrape: &Scrape, matchers: &[Matcher]) -> bool {
    match &scrape.kind {
        ScrapeKind::Page { .. } => false,
        ScrapeKind::Json { series, .. } | ScrapeKind::Websocket { series, .. } => {
            series.iter().any(|s| is_named(matchers, &s.name))
        }
        ScrapeKind::Host => {
            let own = |m: &&Matcher| m.name() == NAME;
            matchers.iter().filter(own).any(|m| m.op() != Op::Equal || m.value().starts_with("host_"))
        }
    }
}

/// Whether a target's labels fit; those that it does not put on may be on its series, if `open`.
fn fits(matchers: &[Matcher], scrape: &Scrape, open: bool) -> bool {
    let labels = TargetLabels::of(scrape);
    matchers.iter().filter(|m| m.name() != NAME).all(|m| match labels.as_map().get(m.name()) {
        Some(value) => m.matches(value),
        None => open || m.matches(""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::diag::Source;
    use crate::stack::load::load_texts;
    use std::sync::Arc;

    const STACK: &str = r#"
        [stack]
        name = "x"
        [[layers]]
        id = "low"
        name = "Low"
        [[layers]]
        id = "high"
        name = "High"
        needs = ["low"]
        [[hosts]]
        id = "here"
        [[probes]]
        id = "one"
        name = "One"
        layer = "low"
        kind = "tcp"
        address = "127.0.0.1:1"
        [[probes]]
        id = "two"
        name = "Two"
        layer = "high"
        kind = "tcp"
        address = "127.0.0.1:2"
        [[scrapes]]
        id = "page"
        url = "http://127.0.0.1:3/metrics"
        [[scrapes]]
        id = "other"
        url = "http://127.0.0.1:4/metrics"
        labels = { site = "b" }
        [[scrapes]]
        id = "doc"
        kind = "json"
        url = "http://127.0.0.1:5/doc"
        series = [{ name = "sessions", path = "n" }]
        [[scrapes]]
        id = "machine"
        kind = "host"
    "#;

    fn stack() -> Stack {
        let source = Arc::new(Source { name: "x.toml".into(), text: STACK.into() });
        match load_texts(&source, None, &|_| None) {
            Ok(loaded) => loaded.stack,
            Err(problems) => panic!("{}", problems.render(false)),
        }
    }

    /// Expression; probes, targets, reports; ours.
    type Row<'a> = (&'a str, &'a [usize], &'a [usize], &'a [usize], bool);

    #[test]
    fn only_what_the_selectors_can_choose_is_looked_at() {
        let stack = stack();
        let table: &[Row<'_>] = &[
            (r#"probe_success{probe="one"} == 1"#, &[0], &[], &[], true),
            (r#"min(probe_success{layer=~"low|high"}) == 1"#, &[0, 1], &[], &[], true),
            (r#"probe_health{probe="two", health="up"} == 1"#, &[1], &[], &[], true),
            // No probe of ours: another prober's page may have it.
            (r#"probe_success{instance="x"}"#, &[], &[], &[], false),
            ("sum(sessions) < 3", &[], &[2], &[], true),
            ("sessions / host_cpus", &[], &[2, 3], &[], true),
            ("errors_total > 1", &[], &[0, 1], &[], false),
            (r#"errors_total{job="page"} > 1"#, &[], &[0], &[], false),
            (r#"errors_total{site="b"} > 1"#, &[], &[0, 1], &[], false),
            (r#"errors_total{site!="b"} > 1"#, &[], &[0], &[], false),
            (r#"up{job="doc"} == 1"#, &[], &[], &[2], false),
            ("1 > bool 0", &[], &[], &[], true),
            (r#"sessions and probe_success{probe="one"}"#, &[0], &[2], &[], true),
        ];
        for (expr, probes, targets, reports, ours) in table {
            let needs = of(&Expr::parse(expr).unwrap(), &stack);
            let list = |set: &BTreeSet<usize>| set.iter().copied().collect::<Vec<_>>();
            if *expr == r#"probe_success{instance="x"}"# {
                assert!(needs.probes.is_empty() && !needs.ours, "{expr}");
                continue;
            }
            assert_eq!(
                (list(&needs.probes), list(&needs.targets), list(&needs.reports), needs.ours),
                (probes.to_vec(), targets.to_vec(), reports.to_vec(), *ours),
                "{expr}"
            );
        }
    }
}
