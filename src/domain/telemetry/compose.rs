//! Putting the board together: what is known here, and what a Prometheus and an Alertmanager say.

use super::Telemetry;
use crate::clock::Now;
use crate::domain::alert::paging::{Courier, Facts};
use crate::domain::alert::remote::Finder;
use crate::domain::alert::view::{AlertView, Phase, RuleIndex, RuleView};
use crate::domain::board::{Board, Engine, RemoteState};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn board(t: &mut Telemetry, now: Now) -> Board {
    if t.outside.alertmanager_answers()
        && let Some(routing) = &t.outside.told.routing
    {
        t.rules.inhibit_as(&routing.inhibitions);
    }
    let told = std::mem::take(&mut t.outside.told);
    let finder = told.finder();
    let (alerts, rules) = here(t, now, &finder);
    let remote = t.outside.prometheus_answers();
    let at = now.wall.as_millisecond();
    let mut slos = Vec::new();
    let mut burning = Vec::new();
    for objective in &mut t.objectives {
        let view = objective.view(at, remote);
        burning.extend(objective.alerts(&view, &|severity| t.rules.ranked(severity).rank));
        slos.push(view);
    }
    let (mut alerts, rules) = t.outside.merge(&t.rules, &finder, alerts, rules, now.wall);
    alerts.extend(burning);
    alerts.sort_by(|a, b| pressing(a).cmp(&pressing(b)).then_with(|| a.labels.cmp(&b.labels)));
    t.outside.told = told;
    let stats = t.store.0.stats();
    let (mut names, mut labels) = t.sources.words();
    if remote && !t.outside.names.is_empty() {
        names = Arc::clone(&t.outside.names);
        labels = Arc::clone(&t.outside.labels);
    }
    Board {
        at: Some(now),
        engine: Engine {
            prometheus: t.outside.prometheus.clone(),
            alertmanager: t.outside.alertmanager.clone(),
            series: stats.series,
            samples: stats.samples,
            bytes: stats.bytes,
            dropped: stats.dropped.by_bounds(),
            evaluation: t.evaluation,
            trouble: t.clocks.trouble(now),
        },
        targets: t.sources.views(),
        alerts,
        rules,
        slos,
        graphs: t.draw(now),
        marks: t.marks.list(),
        query: t.answer(now),
        families: t.sources.families(),
        names,
        labels,
    }
}

/// What the rules say over what is in memory here.
fn here(t: &mut Telemetry, now: Now, finder: &Finder<'_>) -> (Vec<AlertView>, Vec<RuleView>) {
    let (rules, sources) = (&t.rules, &t.sources);
    let stale: BTreeMap<usize, _> = (0..rules.len()).filter_map(|i| Some((i, sources.stale(i)?))).collect();
    let courier = match t.outside.alertmanager.as_ref().map(|v| &v.state) {
        None => Courier::Nobody,
        Some(RemoteState::Answering { .. }) => Courier::Answers(finder),
        Some(RemoteState::NotAsked) => Courier::Silent("it was not asked yet"),
        Some(RemoteState::Silent { why, .. }) => Courier::Silent(why),
    };
    let facts = Facts { courier, stale: &|index: RuleIndex| stale.get(&index.0).cloned() };
    let alerts = t.rules.alerts(now.wall, &facts);
    let rules = t.rules.views(&t.store, &facts);
    (alerts, rules)
}

/// What stands first.
fn pressing(a: &AlertView) -> (bool, u8, Timestamp) {
    (a.phase == Phase::Pending, a.rank, a.since)
}
